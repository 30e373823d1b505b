"""The real servers, each started once, when the first test asks for it; and tables of it all."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator

import pytest

from tests.interop.dovecot import dovecot
from tests.interop.kerberos import kerberos
from tests.interop.servers import RealServer, open_folder
from tests.interop.table import Cell, Tables

_CELL = pytest.StashKey[Cell]()
_TABLES = pytest.StashKey[Tables]()


@pytest.fixture(scope="session")
def dovecot_server() -> Iterator[RealServer]:
    with open_folder() as base, dovecot(base) as server:
        yield server


@pytest.fixture(scope="session")
def kerberos_server() -> Iterator[RealServer]:
    with open_folder() as base, kerberos(base) as server:
        yield server


@pytest.fixture
def cell(request: pytest.FixtureRequest) -> Callable[[str, str, str], None]:
    """Called by a test to say to which table, row and column its outcome belongs."""

    def set_cell(title: str, row: str, column: str) -> None:
        request.node.stash[_CELL] = (title, row, column)

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
        item.config.stash[_TABLES].add(cell, report.outcome)
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    tables = terminalreporter.config.stash[_TABLES]
    for title in tables.titles():
        terminalreporter.section(title)
        for line in tables.lines(title):
            terminalreporter.line(line)
