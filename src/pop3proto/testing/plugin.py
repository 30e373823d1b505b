"""Fixtures for pytest: a POP3 server for each test that asks for one.

pytest loads this module by itself where pop3proto is installed; everything else is imported when
a fixture is used.

``pop3_server`` is a running ``LoopbackServer``. It answers from ``pop3_maildrop``, a
``MemoryMaildrops`` in which the user ``user``, whose password is ``secret``, has no message yet.
How it runs is said by a marker, by overriding ``pop3_server_options``, or by both; the marker
counts more, and the closest one most.

    @pytest.mark.pop3_server(security="tls")
    def test_fetching(pop3_server, pop3_maildrop):
        pop3_maildrop.add("user", b"Subject: hello\\r\\n\\r\\nHello.\\r\\n")
        fetch(pop3_server.host, pop3_server.port, ssl_context=pop3_server.client_context())

Each test has a server of its own. One for a module or a session is a fixture of one's own:

    @pytest.fixture(scope="session")
    def server():
        with serve(MemoryMaildrops({"user": [...]}), users={"user": "secret"}) as server:
            yield server
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from ..server import MemoryMaildrops
    from .loopback import LoopbackServer

__all__ = ["pop3_maildrop", "pop3_server", "pop3_server_options", "pytest_configure"]

_MARKER = "pop3_server"


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line(
        "markers",
        f"{_MARKER}(**options): how the server of the {_MARKER} fixture runs; the options are the "
        "keyword arguments of pop3proto.testing.serve().",
    )


@pytest.fixture
def pop3_maildrop() -> MemoryMaildrops:
    """The maildrops of ``pop3_server``; ``user`` has one without messages."""
    from ..server import MemoryMaildrops

    return MemoryMaildrops({"user": []})


@pytest.fixture
def pop3_server_options() -> dict[str, Any]:
    """Keyword arguments of ``serve()`` for ``pop3_server``; override it to change them."""
    return {}


@pytest.fixture
def pop3_server(
    request: pytest.FixtureRequest,
    pop3_maildrop: MemoryMaildrops,
    pop3_server_options: dict[str, Any],
) -> Iterator[LoopbackServer]:
    """A server on 127.0.0.1 for the length of a test, with STLS if nothing else is said.

    A wrong password is answered at once, and without TLS passwords are taken, unless ``options``
    says something else. A fault of the code that answers fails the test when it is over.
    """
    from . import serve

    chosen = {**pop3_server_options}
    for mark in reversed(list(request.node.iter_markers(_MARKER))):
        if mark.args:
            raise pytest.UsageError(f"the marker {_MARKER} takes keyword arguments only")
        chosen.update(mark.kwargs)
    with serve(pop3_maildrop, **_with_defaults(chosen)) as server:
        yield server


def _with_defaults(chosen: dict[str, Any]) -> dict[str, Any]:
    from ..server import ServerOptions
    from ..transports import Security

    # Its value will do, too, so that a marker needs no import.
    security = Security(chosen.get("security", Security.STLS))
    options = ServerOptions(
        failed_login_delay=0.0, allow_plaintext_auth=security is Security.PLAINTEXT
    )
    defaults = {"users": {"user": "secret"}, "options": options}
    return {**defaults, **chosen, "security": security}
