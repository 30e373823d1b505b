"""Every method over a stream of ready answers, and arguments that are wrong."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from pop3proto import (
    Command,
    CommandError,
    ConnectionLostError,
    Dele,
    LocalProtocolError,
    Noop,
    RemoteProtocolError,
    Retr,
    Stat,
    Stls,
    TlsError,
)
from pop3proto.client.exchange import check_command
from pop3proto.client.stepping import run
from pop3proto.client.tls import TlsStream
from pop3proto.errors import GreetingError, TlsUnavailableError
from pop3proto.sasl import RefusedToken
from pop3proto.server import MemoryMaildrops
from pop3proto.testing import memory_stream
from pop3proto.transcript import Recorder
from pop3proto.transports import ClientOptions, Security, Timeouts
from pop3proto.transports.asyncio import AsyncClient
from pop3proto.transports.blocking import Client, connect
from tests.tracebacks import shown

MAIL = b"+OK\r\nSubject: x\r\n.\r\n"
ANSWERS = {
    b"CAPA": b"+OK\r\nUSER\r\nUTF8\r\nLANG\r\nUIDL\r\nPIPELINING\r\n.\r\n",
    b"LANG": b"+OK\r\nen English\r\n.\r\n",
    b"LANG en": b"+OK en English it is\r\n",
    b"STAT": b"+OK 1 12\r\n",
    b"LIST": b"+OK\r\n1 12\r\n.\r\n",
    b"LIST 1": b"+OK 1 12\r\n",
    b"UIDL": b"+OK\r\n1 abc\r\n.\r\n",
    b"UIDL 1": b"+OK 1 abc\r\n",
    b"RETR 1": MAIL,
    b"TOP 1 0": MAIL,
    b"LAST": b"+OK 1\r\n",
    b"DELE 9": b"-ERR there is no message 9\r\n",
    b"RETR 9": b"-ERR there is no message 9\r\n",
}


class Ready:
    """A stream whose server has an answer to every line; what has none is accepted."""

    def __init__(self, greeting: bytes = b"+OK ready\r\n", **others: bytes) -> None:
        self.received = greeting
        self.answers = {**ANSWERS, **{name.encode(): answer for name, answer in others.items()}}
        self.lines: list[bytes] = []
        self.closing: list[BaseException] = []

    async def send(self, data: bytes, timeout: float | None) -> None:
        for line in data.splitlines():
            self.lines.append(line)
            self.received += self.answers.get(line, b"+OK\r\n")

    async def receive(self, timeout: float | None) -> bytes:
        data, self.received = self.received, b""
        return data

    async def aclose(self) -> None:
        if self.closing:
            raise self.closing.pop()

    def abort(self) -> None:
        pass


def started(stream: Ready, **options: Any) -> Client:
    options.setdefault("allow_plaintext_auth", True)
    return Client.start(stream, security="plaintext", options=ClientOptions(**options))


def logged_in(stream: Ready | None = None, **options: Any) -> Client:
    client = started(stream or Ready(), **options)
    client.login("user", "secret", mechanisms=["USER"])
    return client


def test_every_method_of_the_blocking_client(tmp_path: Path) -> None:
    stream = Ready()
    with started(stream, utf8=True) as client:
        assert b"UTF8" in stream.lines
        assert client.greeting.text == "ready"
        assert client.capa() == client.capabilities
        assert client.pipelining
        assert client.utf8().text == ""
        assert client.lang("en").text == "en English it is"
        assert [language.tag for language in client.languages()] == ["en"]
        assert client.rpop("user", "remote").mechanism == "RPOP"
        assert "'user'" in repr(client)
        assert client.tls is None
        assert client.pending_deletions == 0
        assert client.deviations == ()
        assert client.stat().octets == 12
        assert client.list(1) == client.list()[0]
        assert client.uidl(1) == client.uidl()[0]
        assert client.numbers() == (1,)
        assert client.messages().get(1) == (1, 12, b"abc")
        assert client.last() == 1
        assert len(client.retr(1)) == len(client.top(1))
        assert [message.number for message in client.top_many([1])] == [1]
        with client.top_stream(1) as text:
            assert text.command.message == 1  # type: ignore[attr-defined]
            assert text.expected is None
            assert text.text == ""
            with (tmp_path / "top").open("wb") as file:
                assert text.save(file) == text.octets == 12
            assert text.complete
        with client.stream(Retr(1)) as text:
            text.skip()
        assert client.save(1, tmp_path / "mail") == 12
        client.dele(1)
        client.rset()
        client.noop()
    assert stream.lines[-1] == b"QUIT"
    assert repr(client) == "<Client: 'user', closed>"


def test_every_method_of_the_async_client() -> None:
    async def flow() -> None:
        options = ClientOptions(allow_plaintext_auth=True)
        client = await AsyncClient.start(Ready(), security="plaintext", options=options)
        async with client:
            await client.rpop("user", "remote")
            assert (await client.lang("en")).text
            assert await client.languages()
            assert await client.numbers() == (1,)
            outcomes = [item async for item in client.batch([Noop(), Dele(9)]).outcomes()]
            assert isinstance(outcomes[1], CommandError)
            batch = client.dele_many([9, 1])
            with pytest.raises(CommandError):
                await anext(batch)
            assert [reply.command async for reply in batch] == [Dele(1)]
            with pytest.raises(StopAsyncIteration):
                await anext(batch)

    asyncio.run(flow())


def test_an_empty_maildrop_is_not_listed() -> None:
    stream = Ready(STAT=b"+OK 0 0\r\n", LIST=b"-ERR nothing\r\n")
    client = logged_in(stream)
    assert client.numbers() == ()
    assert len(client.messages()) == 0
    assert b"LIST" not in stream.lines


def test_a_batch_that_cannot_go_on() -> None:
    client = logged_in()
    batch: Any = client.batch([Noop(), Stls()])
    assert next(batch).command == Noop()
    with pytest.raises(LocalProtocolError, match="start_tls"):
        next(batch)
    with pytest.raises(StopIteration):
        next(batch)
    assert list(batch.outcomes()) == []
    client.noop()


def test_a_batch_whose_answer_at_hand_is_none() -> None:
    client = logged_in(Ready(NOOP=b"+OK\r\nneither\r\n"))
    batch = client.batch([Noop(), Noop(), Noop()])
    assert next(batch).command == Noop()
    with pytest.raises(RemoteProtocolError, match="neither"):
        next(batch)
    assert client.closed


def test_closing_a_batch_and_the_client() -> None:
    client = logged_in()
    batch = client.retr_many([1] * 5)
    next(batch)
    batch.close()
    assert len(client.retr(1)) == 12
    client.close()
    client.close()
    assert client.closed


def test_a_stream_that_will_not_close() -> None:
    for error in (OSError("gone"), KeyboardInterrupt()):
        stream = Ready()
        client = logged_in(stream)
        stream.closing.append(error)
        try:
            client.close()
        except KeyboardInterrupt:
            assert isinstance(error, KeyboardInterrupt)
        assert client.closed


def test_what_the_recorder_is_shown_of_the_end() -> None:
    recorder = Recorder()
    with started(Ready(), recorder=recorder):
        pass
    client = started(Ready(), recorder=Recorder())
    client.abort()
    assert "QUIT" in recorder.transcript.dumps()


def test_quit_that_is_refused() -> None:
    client = logged_in(Ready(QUIT=b"-ERR not now\r\n"))
    result = client.quit()
    assert not result.confirmed
    assert isinstance(result.error, CommandError)
    client = logged_in(Ready(QUIT=b"-ERR not now\r\n"))
    with pytest.raises(CommandError), client:
        client.dele(1)


def test_the_greeting_and_stls_are_refused() -> None:
    with pytest.raises(GreetingError):
        started(Ready(b"-ERR go away\r\n"))
    with pytest.raises(TlsUnavailableError):
        Client.start(Ready(STLS=b"-ERR no\r\n"), security="stls")
    with pytest.raises(TlsError):
        started(Ready()).start_tls()


def test_deviations_beyond_the_thousandth() -> None:
    client = logged_in(Ready(NOOP=b"+OK\n", STAT=b"+ok 1 12\r\n"))
    for _ in client.batch([Noop()] * 1100):
        pass
    client.stat()
    client.noop()
    assert len(client.deviations) == 1001


def test_access_tokens() -> None:
    async def later(refused: RefusedToken | None) -> str:
        return "token"

    client = started(Ready())
    wrong: Any = later
    with pytest.raises(LocalProtocolError, match="async"):
        client.oauth("user", wrong)
    for no_token in (5, ["pa55word"], b"pa55word"):
        with pytest.raises(LocalProtocolError, match="a token") as caught:
            client.oauth("user", no_token)  # type: ignore[arg-type]
        assert "pa55word" not in shown(caught.value)
    client.abort()


def test_run_needs_a_stream_that_never_suspends() -> None:
    closed = []

    async def suspends() -> None:
        try:
            await asyncio.sleep(0)
        finally:
            closed.append(True)

    with pytest.raises(LocalProtocolError, match="an event loop"):
        run(suspends())
    assert closed


def test_an_opener_of_another_runtime() -> None:
    async def opener(host: str, port: int) -> Any:
        await asyncio.sleep(0)

    wrong: Any = opener
    with pytest.raises(LocalProtocolError, match="an event loop"):
        connect("127.0.0.1", 1, security="plaintext", opener=wrong)


def test_commands_that_have_no_text() -> None:
    client = logged_in()
    with pytest.raises(LocalProtocolError, match="not answered by a text"):
        client.stream(Stat())  # type: ignore[arg-type]
    with pytest.raises(LocalProtocolError, match="start_tls"):
        client.call(Stls())
    with pytest.raises(ConnectionLostError):
        logged_in(Ready(**{"RETR 1": b""})).retr(1)


@pytest.mark.parametrize("messages", ["12", b"12", 1, None])
def test_messages_are_not_a_text(messages: Any) -> None:
    """Its letters would be taken for numbers. A single number is no list."""
    client = logged_in()
    calls: Iterable[Callable[[Any], object]] = (
        client.retr_many,
        client.top_many,
        client.dele_many,
    )
    for call in calls:
        with pytest.raises(LocalProtocolError, match="messages are a list"):
            for _ in call(messages):  # type: ignore[attr-defined]
                pass
    client.noop()


@pytest.mark.parametrize(
    ("how", "named"),
    [
        ({"timeouts": 5}, "timeouts"),
        ({"limits": None}, "limits"),
        ({"leniency": "all"}, "leniency"),
        ({"capabilities": "no"}, "capabilities"),
        ({"pipelining": None}, "pipelining"),
        ({"allow_plaintext_auth": 1}, "allow_plaintext_auth"),
        ({"utf8": "yes"}, "utf8"),
    ],
)
def test_options_that_are_wrong_are_named(how: dict[str, Any], named: str) -> None:
    with pytest.raises(LocalProtocolError, match=f"^{named} is "):
        ClientOptions(**how)


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf"), 1e10, 10**400, "5", True])
def test_timeouts_that_are_wrong_are_named(seconds: Any) -> None:
    with pytest.raises(LocalProtocolError, match="timeout reply"):
        Timeouts(reply=seconds)
    with pytest.raises(LocalProtocolError, match=r"^timeout "):
        Timeouts.of(seconds)
    with pytest.raises(LocalProtocolError, match="timeout quit"):
        # None stands for no limit, and says nothing about the others.
        Timeouts(connect=None, quit=seconds)


def test_one_number_is_for_every_phase() -> None:
    assert Timeouts.of(5) == Timeouts(
        connect=5, tls=5, greeting=5, reply=5, login=5, body=5, quit=5
    )
    assert Timeouts.of(Timeouts(reply=None)).reply is None


def test_security_by_name() -> None:
    assert [Security.of(name) for name in ("tls", "STLS", "Plaintext")] == list(Security)
    assert [security.default_port for security in Security] == [995, 110, 110]
    with pytest.raises(LocalProtocolError, match="security is one of"):
        Security.of("starttls")


def test_a_command_has_to_be_possible_now() -> None:
    client = started(Ready())
    command: Command[Any] = Retr(1)
    with pytest.raises(LocalProtocolError):
        client.call(command)
    client.abort()


def test_a_message_read_to_its_end_stays_there() -> None:
    client = logged_in()
    text = client.retr_stream(1)
    assert text.read().content == b"Subject: x\r\n"
    assert list(text) == []
    assert text.complete


def test_a_token_from_a_function() -> None:
    client = started(Ready(**{"AUTH XOAUTH2": b"+ \r\n"}), capabilities=False)
    asked: list[str] = []

    def token(refused: RefusedToken | None) -> str:
        asked.append("once")
        return "token"

    assert client.oauth("user", token, mechanism="XOAUTH2").mechanism == "XOAUTH2"
    assert asked == ["once"]


def test_a_batch_that_is_left_by_another_task_while_it_works() -> None:
    async def flow() -> None:
        stream = Slow()
        options = ClientOptions(allow_plaintext_auth=True)
        client = await AsyncClient.start(stream, security="plaintext", options=options)
        await client.login("user", "secret", mechanisms=["USER"])
        stream.waiting = asyncio.Event()
        text = client.retr_stream(1)
        working = asyncio.create_task(text.__anext__())
        await asyncio.sleep(0)
        await text.__aexit__(ValueError, ValueError("elsewhere"), None)
        assert client.closed
        stream.waiting.set()
        assert await working == b"Subject: x\r\n"

    asyncio.run(flow())


class Slow(Ready):
    """Waits before each answer, once it is told to."""

    waiting: asyncio.Event | None = None

    async def receive(self, timeout: float | None) -> bytes:
        if self.waiting is not None:
            await self.waiting.wait()
        return await super().receive(timeout)


def test_a_recorder_and_tls() -> None:
    recorder = Recorder()
    stream = memory_stream(
        MemoryMaildrops({"user": []}), users={"user": "secret"}, security=Security.TLS
    )
    options = ClientOptions(recorder=recorder)
    context = stream.client_context()
    client = Client.start(
        stream,
        security="tls",
        ssl_context=context,
        server_hostname="localhost",
        options=options,
    )
    assert client.secure
    assert "localhost" in repr(client)
    client.close()
    assert "CAPA" in recorder.transcript.dumps()


def test_a_tls_stream_that_never_shook_hands_says_nothing_at_its_end() -> None:
    context = ssl.create_default_context()
    stream = Ready()
    run(TlsStream(stream, context, "localhost").aclose())
    assert stream.lines == []


def test_batches_that_never_begin() -> None:
    client = logged_in()
    batch = client.batch([Noop()])
    batch.close()
    assert list(batch) == []
    assert list(client.dele_many([])) == []
    with pytest.raises(LocalProtocolError, match="start_tls"):
        next(client.batch([Stls()]))
    client.noop()


def test_outcomes_that_are_at_hand() -> None:
    client = logged_in()
    outcomes = list(client.retr_many([1, 9, 1]).outcomes())
    assert [isinstance(outcome, CommandError) for outcome in outcomes] == [False, True, False]


@pytest.mark.parametrize(
    ("given", "kind"),
    [("PASS hidden", "str"), (5, "int"), (None, "NoneType"), (Noop, "class Noop")],
)
def test_what_is_not_a_command_is_not_shown(given: object, kind: str) -> None:
    with pytest.raises(LocalProtocolError, match=rf"not (the )?{kind}$"):
        check_command(given)


def test_a_command_is_one() -> None:
    check_command(Noop())
