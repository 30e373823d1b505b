"""The real servers, each started once, when the first test asks for it; and tables of it all."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import pytest

from tests.interop.courier import courier
from tests.interop.dovecot import dovecot
from tests.interop.embedded import embedded
from tests.interop.kerberos import kerberos
from tests.interop.nginx import nginx
from tests.interop.popa3d import popa3d
from tests.interop.servers import RealServer, open_folder
from tests.interop.table import Cell, SetCell, Tables
from tests.interop.twisted_server import twisted

_CELL = pytest.StashKey[Cell]()
_PASSED = pytest.StashKey[str]()
_TABLES = pytest.StashKey[Tables]()


class RealServers:
    """Each is started when it is asked for the first time."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._running: dict[str, RealServer] = {}
        self._starters: dict[str, Callable[[Path], AbstractContextManager[RealServer]]] = {
            "Dovecot": dovecot,
            "Courier": courier,
            "popa3d": popa3d,
            "nginx": lambda base: nginx(base, self["Dovecot"]),
            "Twisted": twisted,
            "embedded": embedded,
        }

    def __getitem__(self, name: str) -> RealServer:
        if name not in self._running:
            base = self._stack.enter_context(open_folder())
            self._running[name] = self._stack.enter_context(self._starters[name](base))
        return self._running[name]


@pytest.fixture(scope="session")
def real_servers() -> Iterator[RealServers]:
    with ExitStack() as stack:
        yield RealServers(stack)


@pytest.fixture(scope="session")
def dovecot_server(real_servers: RealServers) -> RealServer:
    return real_servers["Dovecot"]


@pytest.fixture(scope="session")
def kerberos_server() -> Iterator[RealServer]:
    with open_folder() as base, kerberos(base) as server:
        yield server


@pytest.fixture
def cell(request: pytest.FixtureRequest) -> SetCell:
    """Called by a test to say to which table, row and column its outcome belongs.

    It can be called again, with what to write there instead of "ok".
    """

    def set_cell(title: str, row: str, column: str, passed: str = "ok") -> None:
        request.node.stash[_CELL] = (title, row, column)
        request.node.stash[_PASSED] = passed

    return set_cell


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_TABLES] = Tables()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    cell = item.stash.get(_CELL, None)
    if cell is not None and (report.when == "call" or report.failed):
        item.config.stash[_TABLES].add(cell, report.outcome, item.stash[_PASSED])
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    tables = terminalreporter.config.stash[_TABLES]
    for title in tables.titles():
        terminalreporter.section(title)
        for line in tables.lines(title):
            terminalreporter.line(line)
