"""Wherever the server's octets end, there is a documented error, and nothing is lost or left over.

The same session is cut after each of its octets, in order and with a reset, on every runtime; under
TLS, the octets are those on the wire. By default that is every 40th octet, and the short run takes
some of the combinations; with ``POP3PROTO_EFFORT=40``, it is every one.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from pop3proto import Pop3Error
from pop3proto.errors import DeadConnectionError
from pop3proto.server import MemoryMaildrops, ServerOptions
from pop3proto.testing import serve
from pop3proto.transports import ClientOptions, Security
from tests.client.cutting import CuttingRelay
from tests.collector import without_collector
from tests.property.effort import EFFORT
from tests.runtimes import Flow, runtime

# With TLS, other octets are on the wire: those of the handshake, and records in place of lines.
MODES = [Security.PLAINTEXT, Security.STLS, Security.TLS]
MESSAGES = [b"one\r\n", b".two\r\n..\r\n", b"Subject: three\r\n\r\ntext\r\n"]
EVERY = 40
On = Callable[[Flow], Any]


@pytest.fixture(autouse=True)
def _nothing_is_left_open() -> Iterator[None]:
    """No socket waits for the collector."""
    with without_collector():
        yield


def held() -> tuple[int, int]:
    """How many threads and descriptors the process has, without the threads that the server keeps.

    The server's pool has as many as there ever were connections at once, which is a matter of luck.
    """
    descriptors = len(os.listdir("/proc/self/fd")) if sys.platform == "linux" else 0
    ours = [each for each in threading.enumerate() if not each.name.startswith("pop3-server")]
    return len(ours), descriptors


async def session(client: Any) -> bool:
    """Use the client as programs do, delete all that has come; whether QUIT was confirmed."""
    await client.login("user", "secret")
    count = (await client.stat()).count
    assert len(await client.uidl()) == len(await client.list()) == count
    contents = [bytes(await client.retr(1)), bytes(await client.top(2, 9))]
    contents += [bytes(await client.retr(number)) for number in (2, 3)]
    for number in range(1, count + 1):
        await client.dele(number)
    assert contents == [MESSAGES[0], MESSAGES[1], *MESSAGES[1:]]
    result = await client.quit()
    assert result.confirmed is (result.error is None)
    return bool(result.confirmed)


@pytest.mark.thinned
@runtime
@pytest.mark.parametrize("first", range(min(EFFORT, EVERY)))
@pytest.mark.parametrize("reset", [False, True], ids=["end", "reset"])
@pytest.mark.parametrize("mode", MODES, ids=["plain", "stls", "tls"])
def test_a_fault_at_every_octet(on: On, mode: Security, reset: bool, first: int) -> None:
    maildrops = MemoryMaildrops({"user": MESSAGES})
    options = ServerOptions(allow_plaintext_auth=True)
    with (
        serve(maildrops, users={"user": "secret"}, security=mode, options=options) as server,
        CuttingRelay(server.port) as relay,
    ):
        how: dict[str, Any] = {
            "security": mode,
            "options": ClientOptions(allow_plaintext_auth=mode is Security.PLAINTEXT),
        }
        if mode is not Security.PLAINTEXT:
            how["ssl_context"] = server.client_context()

        def tried(after: int) -> bool:
            """Return whether QUIT was confirmed, though the session was cut after some octets."""
            outcomes: list[bool] = []

            async def flow(connect: Callable[..., Awaitable[Any]]) -> None:
                client = None
                try:
                    client = await connect("127.0.0.1", relay.port, **how)
                    outcomes.append(await session(client))
                except Pop3Error:
                    outcomes.append(False)
                if client is not None:
                    assert client.closed
                    with pytest.raises(DeadConnectionError):
                        await client.noop()

            relay.cut(after, reset=reset)
            on(flow)
            relay.wait()
            server.wait_until_idle()
            return outcomes == [True]

        assert tried(sys.maxsize)
        assert maildrops.contents("user") == []
        whole = relay.octets
        # After the first session, because uvloop keeps what it opens when it is loaded.
        before = held()
        assert whole > 500
        for after in range(first, whole, EVERY):
            maildrops.__init__({"user": MESSAGES})  # type: ignore[misc]
            done = tried(after)
            # Only the answer to QUIT says that they are gone; without it, they may be.
            assert maildrops.contents("user") in ([[]] if done else [MESSAGES, []])
            # What comes under TLS after that answer says only that nothing more comes.
            assert not done or mode is not Security.PLAINTEXT
        assert held() == before
