"""A reply that nobody asked for answers no command, on every runtime, however it arrives."""

from __future__ import annotations

import socket
import struct
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest

from pop3proto import (
    CommandError,
    ConnectionLostError,
    Dele,
    Fault,
    Noop,
    Pop3Error,
    RemoteProtocolError,
)
from pop3proto.errors import DeadConnectionError, LimitError
from pop3proto.transcript import Recorder
from pop3proto.transports import Security
from tests.runtimes import RUNTIMES, Flow, moment, runtime, security, stream_on
from tests.security.hostile import CAPABILITIES, HOST, PATIENCE, Answer, Hostile, Peer, hostile

Connect = Callable[..., Awaitable[Any]]
On = Callable[[Flow], Any]
Call = Callable[[Any], Awaitable[Any]]

STRAY = b"+OK stray\r\n"
IDLE = b"-ERR [IN-USE] idle for too long\r\n"


class Late:
    """Answers, then says something that nobody asked for; the client can wait for it."""

    def __init__(
        self,
        stray: bytes,
        answer: bytes = b"+OK\r\n",
        *,
        together: bool = False,
        last: bool = False,
    ) -> None:
        self._answer = answer
        self._stray = stray
        self._together = together
        self._last = last
        self._there = threading.Event()

    def __call__(self, peer: Peer) -> None:
        if self._together:
            peer.say(self._answer + self._stray)
        else:
            peer.say(self._answer)
            peer.say(self._stray)
        if self._last:
            peer.socket.shutdown(socket.SHUT_WR)
        deliver(peer.socket)
        self._there.set()

    async def come(self, name: str) -> None:
        """Wait until it has arrived; with a name, until that runtime has had time to read it."""
        # This blocks an event loop, so that it cannot read.
        assert self._there.wait(PATIENCE)
        self._there.clear()
        for _ in range(5 if name else 0):
            await moment(name)


def deliver(sock: socket.socket) -> None:
    """Wait until the other end has what was sent."""
    if sys.platform != "linux":
        time.sleep(0.1)
        return
    import fcntl
    import termios

    while struct.unpack("i", fcntl.ioctl(sock, termios.TIOCOUTQ, b"\0" * 4))[0]:
        time.sleep(0.001)


ARRIVALS = ["together", "in the socket", "read"]
arrival = pytest.mark.parametrize("how", ARRIVALS)


def runtime_name(on: On) -> str:
    return next(name for name, run in RUNTIMES.items() if run is on)


def after_a_stray(
    on: On,
    check: Call,
    *,
    mode: Security = Security.PLAINTEXT,
    how: str = "in the socket",
    stray: bytes = STRAY,
    last: bool = False,
    answers: dict[bytes, Answer] | None = None,
    **options: Any,
) -> Hostile:
    """Connect, let the server say ``stray`` after the answer to NOOP, and see."""
    late = Late(stray, together=how == "together", last=last)
    name = runtime_name(on) if how == "read" else ""

    async def flow(connect: Connect) -> None:
        client = await connect(HOST, server.port, **server.how)
        try:
            await client.login("user", "secret")
            await client.noop()
            await late.come(name)
            await check(client)
        finally:
            client.abort()

    with hostile(mode, {b"NOOP": late, **(answers or {})}, **options) as server:
        on(flow)
    return server


async def refused(call: Awaitable[Any], kind: type[Pop3Error], match: str) -> Any:
    with pytest.raises(kind, match=match) as caught:
        await call
    assert caught.value.session_usable is False
    return caught.value


@runtime
@security
@arrival
def test_it_does_not_confirm_what_was_refused(on: On, mode: Security, how: str) -> None:
    async def check(client: Any) -> None:
        error = await refused(
            client.dele(1), RemoteProtocolError, r"answers no command: \+OK stray"
        )
        assert error.command == Dele(1)
        assert client.closed
        with pytest.raises(DeadConnectionError, match="stray"):
            await client.noop()

    no = b"-ERR nothing was deleted\r\n"
    server = after_a_stray(on, check, mode=mode, how=how, answers={b"DELE": no, b"QUIT": no})
    assert (server.clear + server.secret)[-1] == b"NOOP"


@runtime
@security
@arrival
def test_a_wrong_password_is_not_accepted_by_it(on: On, mode: Security, how: str) -> None:
    late = Late(STRAY, b"-ERR no\r\n", together=how == "together")

    async def flow(connect: Connect) -> None:
        client = await connect(HOST, server.port, **server.how)
        with pytest.raises(CommandError):
            await client.login("user", "wrong", mechanisms=["PLAIN"])
        await late.come(runtime_name(on) if how == "read" else "")
        await refused(client.login("user", "wrong"), RemoteProtocolError, "stray")

    with hostile(mode, {b"AUTH": late, b"PASS": b"-ERR no\r\n"}) as server:
        on(flow)
    assert [line[:4] for line in server.clear + server.secret].count(b"AUTH") == 1


@runtime
@security
def test_a_second_answer_to_user_does_not_accept_the_password(on: On, mode: Security) -> None:
    async def flow(connect: Connect) -> None:
        client = await connect(HOST, server.port, **server.how)
        call = client.login("user", "wrong", mechanisms=["USER"])
        await refused(call, RemoteProtocolError, "stray")

    with hostile(mode, {b"USER": b"+OK\r\n" + STRAY, b"PASS": b"-ERR no\r\n"}) as server:
        on(flow)
    # The password was not sent.
    assert (server.clear + server.secret)[-1] == b"USER user"


@runtime
@security
@pytest.mark.parametrize("how", ["in the socket", "read"])
def test_the_end_of_an_idle_session_says_why(on: On, mode: Security, how: str) -> None:
    late = Late(IDLE, last=mode is Security.PLAINTEXT)

    async def flow(connect: Connect) -> None:
        client = await connect(HOST, server.port, **server.how)
        await client.login("user", "secret")
        await client.dele(1)
        await client.noop()
        await late.come(runtime_name(on) if how == "read" else "")
        result = await client.quit()
        assert not result.confirmed
        assert result.deletions == 1
        assert isinstance(result.error, ConnectionLostError)
        assert "idle for too long; messages that were marked as deleted, and are kept: 1" in str(
            result.error
        )
        assert client.closed

    with hostile(mode, {b"NOOP": late}) as server:
        on(flow)
    assert (server.clear + server.secret)[-1] == b"NOOP"


@runtime
def test_the_reason_comes_before_a_reset(on: On) -> None:
    def reset(peer: Peer) -> None:
        peer.say(b"+OK\r\n" + IDLE)
        deliver(peer.socket)
        peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.socket.close()
        gone.set()

    async def flow(connect: Connect) -> None:
        client = await connect(HOST, server.port, **server.how)
        await client.login("user", "secret")
        await client.noop()
        assert gone.wait(PATIENCE)
        for _ in range(5):
            await moment(runtime_name(on))
        await refused(client.dele(1), ConnectionLostError, "idle for too long")

    gone = threading.Event()
    with hostile(Security.PLAINTEXT, {b"NOOP": reset}) as server:
        on(flow)


@runtime
@arrival
def test_no_command_is_sent_after_the_end_of_the_stream(on: On, how: str) -> None:
    async def check(client: Any) -> None:
        call = client.dele(1)
        error = await refused(call, ConnectionLostError, "before the command was sent")
        assert error.command == Dele(1)

    server = after_a_stray(on, check, how=how, stray=b"", last=True)
    assert server.clear[-1] == b"NOOP"


@runtime
@security
def test_a_greeting_has_one_line(on: On, mode: Security) -> None:
    async def flow(connect: Connect) -> None:
        await refused(connect(HOST, server.port, **server.how), RemoteProtocolError, "stray")

    with hostile(mode, greeting=b"+OK ready\r\n" + STRAY) as server:
        on(flow)
    assert server.clear + server.secret == []


@runtime
@security
@arrival
def test_blank_lines_are_tolerated_and_what_comes_after_them_is_not(
    on: On, mode: Security, how: str
) -> None:
    async def check(client: Any) -> None:
        assert (await client.stat()).count == 2
        assert {deviation.fault for deviation in client.deviations} == {Fault.BLANK_LINE}

    after_a_stray(on, check, mode=mode, how=how, stray=b"\r\n\r\n")

    async def both(client: Any) -> None:
        await refused(client.stat(), RemoteProtocolError, "answers no command.*stray")

    after_a_stray(on, both, mode=mode, how=how, stray=b"\r\n\r\n" + STRAY)

    async def many(client: Any) -> None:
        await refused(client.stat(), LimitError, "too many blank lines")

    after_a_stray(on, many, mode=mode, how=how, stray=b"\r\n" * 40000 + STRAY)


@runtime
@pytest.mark.parametrize("pipelining", [True, False])
def test_it_does_not_begin_a_batch_or_a_text(on: On, pipelining: bool) -> None:
    async def batch(client: Any) -> None:
        async with client.batch([Noop(), Dele(1)]) as results:
            await refused(results.__anext__(), RemoteProtocolError, "stray")

    async def text(client: Any) -> None:
        async with client.retr_stream(1) as message:
            await refused(message.__anext__(), RemoteProtocolError, "stray")

    announced = CAPABILITIES if pipelining else CAPABILITIES.replace(b"PIPELINING\r\n", b"")
    for call in (batch, text):
        server = after_a_stray(on, call, answers={b"CAPA": announced})
        assert server.clear[-1] == b"NOOP"


@runtime
def test_it_does_not_answer_the_next_command_of_a_batch_without_pipelining(on: On) -> None:
    answers: list[bytes] = []

    async def check(client: Any) -> None:
        async with client.batch([Dele(1), Dele(2)]) as results:
            await results.__anext__()
            answers.append(b"one")
            await refused(results.__anext__(), RemoteProtocolError, "answers no command")

    async def flow(connect: Connect) -> None:
        client = await connect(HOST, server.port, **server.how)
        await client.login("user", "secret")
        await check(client)
        assert client.closed

    announced = CAPABILITIES.replace(b"PIPELINING\r\n", b"")
    # In two parts, the second of which is half a line.
    for stray in (b"+OK\r\n+OK stray", b"+OK\r\n" + STRAY):
        with hostile(Security.PLAINTEXT, {b"CAPA": announced, b"DELE": stray}) as server:
            on(flow)
        assert server.clear[-1] == b"DELE 1"
    assert len(answers) == 2


@runtime
@security
def test_a_recorder_sees_it(on: On, mode: Security) -> None:
    recorder = Recorder()

    async def check(client: Any) -> None:
        await refused(client.stat(), RemoteProtocolError, "stray")

    after_a_stray(on, check, mode=mode, recorder=recorder)
    assert "stray" in recorder.transcript.dumps()


@runtime
def test_the_refused_login_after_which_the_server_closed_is_the_reason(on: On) -> None:
    late = Late(b"", b"-ERR no\r\n", last=True)

    async def flow(connect: Connect) -> None:
        client = await connect(HOST, server.port, **server.how)
        with pytest.raises(CommandError) as login:
            await client.login("user", "secret", mechanisms=["PLAIN"])
        await late.come("")
        error = await refused(client.capa(), ConnectionLostError, "before the command was sent")
        assert error.__cause__ is login.value

    with hostile(Security.PLAINTEXT, {b"AUTH": late}) as server:
        on(flow)


@runtime
@pytest.mark.skipif(not hasattr(socket, "TCP_CORK"), reason="takes Linux")
def test_no_command_is_sent_after_the_end_of_tls(on: On) -> None:
    def last(peer: Peer) -> None:
        peer.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
        peer.say(b"+OK\r\n")
        peer.socket.settimeout(0.0)
        with suppress(OSError):
            # The client does not answer, and the connection stays open.
            peer.socket.unwrap()  # type: ignore[attr-defined]
        peer.socket.settimeout(PATIENCE)
        peer.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 0)

    async def flow(connect: Connect) -> None:
        client = await connect(HOST, server.port, **server.how)
        await client.login("user", "secret")
        await client.dele(1)
        await client.noop()
        result = await client.quit()
        assert "before the command was sent" in str(result.error)
        assert "and are kept: 1" in str(result.error)

    with hostile(Security.TLS, {b"NOOP": last}) as server:
        on(flow)
    assert server.secret[-1] == b"NOOP"


class FourMethods:
    """A stream of the user's own, which cannot tell what has arrived."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    async def send(self, data: bytes, timeout: float | None) -> None:
        await self._stream.send(data, timeout)

    async def receive(self, timeout: float | None) -> bytes:
        data: bytes = await self._stream.receive(timeout)
        return data

    async def aclose(self) -> None:
        await self._stream.aclose()

    def abort(self) -> None:
        self._stream.abort()


@runtime
@security
@pytest.mark.parametrize("recorded", [False, True])
def test_a_stream_with_four_methods_will_do(on: On, mode: Security, recorded: bool) -> None:
    async def flow(connect: Connect) -> None:
        async def opener(host: str, port: int) -> Any:
            return FourMethods(await stream_on(name, socket.create_connection((HOST, port))))

        client = await connect(HOST, server.port, opener=opener, **server.how)
        await client.login("user", "secret")
        assert (await client.stat()).count == 2
        # What came together with the last answer is found all the same.
        await client.dele(1)
        await refused(client.dele(2), RemoteProtocolError, "stray")

    name = runtime_name(on)
    recorder = Recorder() if recorded else None
    with hostile(mode, {b"DELE": b"+OK\r\n" + STRAY}, recorder=recorder) as server:
        on(flow)
