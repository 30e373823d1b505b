"""An octet now and then holds no client for ever: in every phase, in the clear and under TLS."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
import trustme

from pop3proto import DeadlineError, Retr
from pop3proto._value import field_names, replace
from pop3proto.transports import ClientOptions, Security, Timeouts
from tests.runtimes import RUNTIMES

PLAIN, TLS, STLS = Security.PLAINTEXT, Security.TLS, Security.STLS
# Long enough that it cannot be the one that passes, short enough that a failing test ends.
PATIENT = Timeouts(**dict.fromkeys(field_names(Timeouts), 30.0))
BRIEF = 0.1
# Each octet comes well within the deadline. After ten seconds of them the server closes, so that
# a client which would wait for ever fails.
PAUSE, OCTETS = 0.02, 500
OK, REST = b"+OK\r\n", b"x" * 1000


class Peer:
    """The server's end of a connection, in the clear or under TLS."""

    def __init__(self, connection: socket.socket, over: threading.Event) -> None:
        self._connection = connection
        self._over = over
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls: ssl.SSLObject | None = None

    def handshake(self, context: ssl.SSLContext, *, trickling: bool) -> None:
        tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        while True:
            with suppress(ssl.SSLWantReadError):
                tls.do_handshake()
                break
            self._send(self._outgoing.read(), trickling=trickling)
            self._incoming.write(self._received())
        self._send(self._outgoing.read(), trickling=trickling)
        self._tls = tls

    def hear(self) -> None:
        """Wait for a command."""
        if self._tls is None:
            self._received()
            return
        while True:
            with suppress(ssl.SSLWantReadError):
                self._tls.read(4096)
                return
            self._incoming.write(self._received())

    def say(self, data: bytes, *, trickling: bool = False) -> None:
        if self._tls is not None:
            self._tls.write(data)
            data = self._outgoing.read()
        self._send(data, trickling=trickling)

    def _received(self) -> bytes:
        data = self._connection.recv(4096)
        if not data:
            raise ConnectionResetError("the client has gone")
        return data

    def _send(self, data: bytes, *, trickling: bool) -> None:
        if not trickling or not data:
            self._connection.sendall(data)
            return
        for octet in data[:OCTETS]:
            if self._over.wait(PAUSE):
                break
            self._connection.sendall(bytes([octet]))
        raise ConnectionAbortedError("that was all")


# How many commands the server answers well in each phase, behind greeting and STLS.
ANSWERED = {"reply": 0, "login": 1, "body": 2, "quit": 2}


def talk(peer: Peer, mode: Security, phase: str, context: ssl.SSLContext) -> None:
    """A server that trickles from the beginning of ``phase`` on."""
    if mode is TLS:
        peer.handshake(context, trickling=phase == "tls")
    peer.say(b"+OK " + REST if phase == "greeting" else OK, trickling=phase == "greeting")
    if mode is STLS:
        peer.hear()
        peer.say(OK)
        peer.handshake(context, trickling=phase == "tls")
    for _ in range(ANSWERED[phase]):
        peer.hear()
        peer.say(OK)
    peer.hear()
    if phase == "body":
        peer.say(OK)
    peer.say(b"+OK " + REST, trickling=True)


@contextmanager
def trickling(mode: Security, phase: str) -> Iterator[tuple[int, ssl.SSLContext]]:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    client_context = ssl.create_default_context()
    authority.configure_trust(client_context)
    over = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listener.accept()
        # The client goes when it has had enough, as it should.
        with connection, suppress(OSError):
            connection.settimeout(30)
            talk(Peer(connection, over), mode, phase, context)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listener.getsockname()[1], client_context
    finally:
        over.set()
        thread.join(30)
        listener.close()


async def stream(client: Any) -> None:
    async for _ in client.retr_stream(1):
        pass


async def skip(client: Any) -> None:
    async with client.retr_stream(1) as message:
        await anext(message)


async def batch(client: Any) -> None:
    async for _ in client.batch([Retr(1)]):
        pass


async def quit_loudly(client: Any) -> None:
    """Its result tells of the deadline; this raises it."""
    result = await client.quit()
    assert not result.confirmed
    raise result.error


Call = Callable[[Any], Awaitable[Any]]
CALLS: dict[str, tuple[str, Call]] = {
    "tls": ("tls", lambda client: client.noop()),
    "greeting": ("greeting", lambda client: client.noop()),
    "reply": ("reply", lambda client: client.capa()),
    "login": ("login", lambda client: client.noop()),
    "retr": ("body", lambda client: client.retr(1)),
    "stream": ("body", stream),
    "skip": ("body", skip),
    "batch": ("body", batch),
    "quit": ("quit", quit_loudly),
}
IN_THE_CLEAR = [(PLAIN, call) for call in CALLS if call != "tls"]
UNDER_TLS = [(TLS, call) for call in ("tls", "greeting", "reply", "login", "retr", "quit")]
BEHIND_STLS = [(STLS, call) for call in ("tls", "reply", "retr")]


@pytest.mark.thinned
@pytest.mark.parametrize("name", RUNTIMES)
@pytest.mark.parametrize(("mode", "what"), IN_THE_CLEAR + UNDER_TLS + BEHIND_STLS)
def test_a_trickle_holds_nobody_for_ever(name: str, mode: Security, what: str) -> None:
    phase, call = CALLS[what]

    async def flow(connect: Callable[..., Awaitable[Any]]) -> None:
        options = ClientOptions(
            timeouts=replace(PATIENT, **{phase: BRIEF}),
            capabilities=False,
            allow_plaintext_auth=True,
        )
        how = {} if mode is PLAIN else {"ssl_context": context}
        client = None
        with pytest.raises(DeadlineError) as caught:  # noqa: PT012
            client = await connect("127.0.0.1", port, security=mode, options=options, **how)
            if phase != "reply":
                await client.login("user", "secret", mechanisms=["USER"])
            await call(client)
        assert type(caught.value) is DeadlineError
        assert (caught.value.phase, caught.value.seconds) == (phase, BRIEF)
        assert client is None or client.closed

    with trickling(mode, phase) as (port, context):
        RUNTIMES[name](flow)
