"""Fixtures for pytest: a POP3 server for each test that asks for one.

pytest loads this module by itself if pop3proto is installed; everything else is imported when a
fixture is used.

``pop3_server`` is a running ``LoopbackServer``. It answers from ``pop3_maildrop``, a
``MemoryMaildrops`` in which the user ``user``, whose password is ``secret``, has no message yet. A
marker, or an override of ``pop3_server_options``, says how it runs. The marker takes precedence,
and the closest one wins::

    @pytest.mark.pop3_server(security="tls")
    def test_fetching(pop3_server, pop3_maildrop):
        pop3_maildrop.add("user", b"Subject: hello\\r\\n\\r\\nHello.\\r\\n")
        fetch(pop3_server.url, "secret", ssl_context=pop3_server.client_context())
        assert pop3_server.messages("user") == []

``pop3_recorded_server`` plays a recorded session, which a marker names::

    @pytest.mark.pop3_recording("session.txt")
    def test_a_strange_server(pop3_recorded_server):
        fetch(pop3_recorded_server.url, "secret")

Each test has a server of its own. To share one within a module or a session, write a fixture::

    @pytest.fixture(scope="session")
    def server():
        with serve({"user": [...]}, password="secret") as server:
            yield server
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from ..server import MemoryMaildrops
    from .loopback import LoopbackServer

__all__ = [
    "pop3_maildrop",
    "pop3_recorded_server",
    "pop3_server",
    "pop3_server_options",
    "pytest_configure",
]

_MARKER = "pop3_server"
_RECORDING = "pop3_recording"
# Two ways to say who may log in: one of them replaces the other, too.
_LOGINS = ("password", "users")


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers."""
    config.addinivalue_line(
        "markers",
        f"{_MARKER}(**options): how the server of the {_MARKER} fixture runs; the options are the "
        "keyword arguments of pop3proto.testing.serve().",
    )
    config.addinivalue_line(
        "markers",
        f"{_RECORDING}(path): the recorded session that the server of the pop3_recorded_server "
        "fixture plays; the path begins at the folder of the test's module.",
    )


@pytest.fixture
def pop3_maildrop(
    request: pytest.FixtureRequest, pop3_server_options: dict[str, Any]
) -> MemoryMaildrops:
    """Return the maildrops of ``pop3_server``, an empty one for each user who may log in."""
    from ..server import MemoryMaildrops

    users: Any = _chosen(request, pop3_server_options).get("users")
    names: list[str] = [*users] if isinstance(users, Mapping) else ["user"]
    return MemoryMaildrops(dict.fromkeys(names, ()))


@pytest.fixture
def pop3_server_options() -> dict[str, Any]:
    """Return keyword arguments of ``serve()`` for ``pop3_server``; override it to change them."""
    return {}


@pytest.fixture
def pop3_server(
    request: pytest.FixtureRequest,
    pop3_maildrop: MemoryMaildrops,
    pop3_server_options: dict[str, Any],
) -> Iterator[LoopbackServer]:
    """Run a server on 127.0.0.1 for the length of a test, with STLS by default.

    A wrong password is answered at once, and without TLS passwords are accepted, unless ``options``
    says something else. An error in the code that answers fails the test when it is over.
    """
    from . import serve

    with serve(pop3_maildrop, **_chosen(request, pop3_server_options)) as server:
        yield server


@pytest.fixture
def pop3_recorded_server(request: pytest.FixtureRequest) -> Iterator[LoopbackServer]:
    """Run a server that answers as one did in the recording that the marker names.

    It takes one connection, and any password. If the client does not send what was recorded, the
    test fails with a ``ScriptError`` when it is over.
    """
    from ..transcript import Transcript
    from . import serve_script

    mark = request.node.get_closest_marker(_RECORDING)
    if mark is None or len(mark.args) != 1 or mark.kwargs:
        raise pytest.UsageError(f"mark the test with {_RECORDING}(path), with one path")
    with (request.path.parent / mark.args[0]).open(encoding="utf-8-sig") as file:
        recording = Transcript.load(file)
    with serve_script(recording) as server:
        yield server


def _chosen(request: pytest.FixtureRequest, options: dict[str, Any]) -> dict[str, Any]:
    """Return the keyword arguments of ``serve()`` for a test."""
    from ..server import ServerOptions
    from ..transports import Security

    chosen = {**options}
    for mark in reversed(list(request.node.iter_markers(_MARKER))):
        if mark.args:
            raise pytest.UsageError(f"the marker {_MARKER} takes keyword arguments only")
        if not mark.kwargs.keys().isdisjoint(_LOGINS):
            for name in _LOGINS:
                chosen.pop(name, None)
        chosen.update(mark.kwargs)
    # The value of a Security is accepted too, so that a marker needs no import.
    security = Security.of(chosen.get("security", Security.STLS))
    in_the_clear = security is Security.PLAINTEXT
    chosen.setdefault(
        "options", ServerOptions(failed_login_delay=0.0, allow_plaintext_auth=in_the_clear)
    )
    if chosen.get("password") is None:
        chosen.setdefault("users", {"user": "secret"})
    return {**chosen, "security": security}
