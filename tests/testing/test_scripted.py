"""Servers that play a script, in memory and on loopback, and notice what is not in it."""

from __future__ import annotations

import asyncio
import io
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from pop3proto import (
    AuthenticationError,
    CommandError,
    ConnectionLostError,
    LocalProtocolError,
    Noop,
    Pop3Error,
)
from pop3proto.sasl import by_name
from pop3proto.server import MemoryMaildrops, ServerOptions
from pop3proto.testing import Script, ScriptedSession, ScriptError, scripted, serve, serve_script
from pop3proto.transcript import (
    EndOfStream,
    Entry,
    Line,
    Recorder,
    TlsEstablished,
    Transcript,
)
from pop3proto.transports import ClientOptions, Security
from pop3proto.transports.asyncio import AsyncClient
from pop3proto.transports.blocking import Client, connect

OK = b"+OK\r\n"
QUIT = (b"QUIT", b"+OK bye\r\n")
LOGIN = [(b"USER user", OK), (b"PASS secret", b"+OK 1 message\r\n")]
SCRIPT: list[Any] = [*LOGIN, (b"STAT", b"+OK 1 120\r\n"), QUIT]
PLAIN = ClientOptions(capabilities=False, allow_plaintext_auth=True)


@contextmanager
def in_memory(script: Script, **how: Any) -> Iterator[Client]:
    with scripted(script, **how) as stream, Client.start(stream, **told(stream)) as client:
        yield client


@contextmanager
def on_loopback(script: Script, **how: Any) -> Iterator[Client]:
    with (
        serve_script(script, **how) as server,
        connect(server.host, server.port, **told(server)) as client,
    ):
        yield client


def told(server: Any) -> dict[str, Any]:
    how: dict[str, Any] = {"security": server.security, "options": PLAIN}
    if server.security is not Security.PLAINTEXT:
        how |= {"ssl_context": server.client_context(), "server_hostname": "localhost"}
    return how


def choose(client: Client, *languages: str) -> None:
    """Say what needs no login."""
    for language in languages:
        client.lang(language)


def log_in(client: Client, then: Callable[[], object]) -> None:
    client.login("user", "secret")
    then()


both = pytest.mark.parametrize("play", [in_memory, on_loopback])


@both
def test_a_client_that_keeps_to_the_script(play: Any) -> None:
    with play(SCRIPT, greeting=b"+OK here I am\r\n") as client:
        assert client.greeting.text == "here I am"
        client.login("user", "secret")
        assert client.stat().octets == 120


@both
@pytest.mark.parametrize("security", Security)
def test_a_transcript_is_played_whatever_the_password(play: Any, security: Security) -> None:
    def talk(client: Client, password: str) -> list[object]:
        with client:
            client.login("user", password)
            return [client.stat(), client.retr(1), client.uidl(), client.dele(1)]

    recorder = Recorder()
    maildrops = MemoryMaildrops({"user": [b"Subject: one\r\n\r\n.dot\r\n"]})
    options = ServerOptions(allow_plaintext_auth=security is Security.PLAINTEXT)
    with serve(maildrops, users={"user": "secret"}, security=security, options=options) as server:
        how = told(server)
        how["options"] = ClientOptions(
            capabilities=False, allow_plaintext_auth=True, recorder=recorder
        )
        before = talk(connect(server.host, server.port, **how), "secret")
    file = io.StringIO()
    recorder.transcript.save(file)
    assert "secret" not in file.getvalue()
    with play(Transcript.loads(file.getvalue())) as client:
        assert talk(client, "another one") == before


@both
def test_a_client_that_says_something_else(play: Any) -> None:
    with pytest.raises((ScriptError, ConnectionLostError)) as caught, play(SCRIPT) as client:
        log_in(client, client.noop)
    message = "\n".join([str(caught.value), *getattr(caught.value, "__notes__", ())])
    assert "the client sent something else" in message
    assert "the script goes on with: C: STAT\\r\\n" in message
    assert "S: +OK 1 message\\r\\n\n  C: NOOP\\r\\n" in message
    assert "C: PASS <redacted>" in message
    assert "secret" not in message


def test_what_deviates_can_be_looked_at() -> None:
    with pytest.raises(ScriptError) as caught, in_memory(SCRIPT) as client:
        client.lang("en")
    error = caught.value
    assert isinstance(error, AssertionError)
    assert error.problem == "the client sent something else"
    assert error.expected == "C: USER user\\r\\n"
    assert error.transcript[-1] == Line("client", b"LANG en\r\n")


def test_only_the_last_of_a_long_conversation_is_shown() -> None:
    with pytest.raises(ScriptError) as caught, in_memory([(b"LANG en", OK)] * 100) as client:
        choose(client, *["en"] * 100, "de")
    assert str(caught.value).count("LANG") < 10
    assert "(...)" in str(caught.value)
    assert len(caught.value.transcript) == 202


@both
def test_a_client_that_stops_too_early(play: Any) -> None:
    problem = r"closed the connection\n.*C: STAT"
    with pytest.raises(ScriptError, match=problem), play(SCRIPT) as client:
        log_in(client, client.close)


def test_a_client_that_breaks_off_is_noticed_behind_the_block() -> None:
    with pytest.raises(ScriptError, match="stopped before the end"), scripted(SCRIPT) as stream:
        Client.start(stream, **told(stream)).abort()


def test_nobody_who_connects() -> None:
    with pytest.raises(ScriptError, match="stopped before the end"), serve_script(SCRIPT):
        pass


def test_a_second_connection() -> None:
    def two_connections() -> None:
        with serve_script([QUIT]) as server:
            connect(server.host, server.port, **told(server)).quit()
            with pytest.raises(Pop3Error):
                connect(server.host, server.port, **told(server))

    with pytest.raises(ScriptError, match="connected a second time"):
        two_connections()


def test_an_error_of_the_block_goes_before_the_deviation() -> None:
    with pytest.raises(ZeroDivisionError), scripted(SCRIPT):
        raise ZeroDivisionError
    with pytest.raises(ConnectionLostError) as caught, serve_script(SCRIPT) as server:
        connect(server.host, server.port, **told(server)).lang("en")
    assert "the client sent something else" in caught.value.__notes__[0]


def test_client_and_script_that_wait_for_each_other() -> None:
    script: list[Any] = [*LOGIN, (b"NOOP", b""), (b"STAT", b"+OK\r\n+OK 0 0\r\n")]
    with (
        pytest.raises(ScriptError, match=r"stopped before(.|\n)*C: STAT"),
        in_memory(script) as client,
    ):
        log_in(client, client.noop)


def test_what_comes_behind_the_end() -> None:
    with (
        pytest.raises(
            ScriptError, match=r"after the end of the script(.|\n)*-- end of stream from client"
        ),
        in_memory([(b"LANG en", OK)]) as client,
    ):
        choose(client, "en", "en")


def test_a_deadline_behind_the_end() -> None:
    async def wait() -> None:
        with scripted([(b"LANG en", b"")]) as stream:
            await stream.send(b"LANG en\r\n", None)
            assert await stream.receive(None) == b"+OK ready\r\n"
            with pytest.raises(TimeoutError):
                await stream.receive(1e9)

    asyncio.run(wait())


@both
def test_a_server_that_closes(play: Any) -> None:
    with (
        pytest.raises(ConnectionLostError),
        play([(b"LANG en", OK), (b"LANG de", None)]) as client,
    ):
        choose(client, "en", "de")


def test_lines_by_patterns() -> None:
    turns: list[Any] = [(re.compile(rb"(?i)lang [ed][en]"), OK), (re.compile(b"LANG [a-d]+"), OK)]
    with (
        pytest.raises(ScriptError, match=r"a line that matches b'LANG \[a-d\]\+'"),
        in_memory(turns) as client,
    ):
        choose(client, "en", "de")


@pytest.mark.parametrize(
    ("mechanism", "turns"),
    [
        ("PLAIN", [(b"AUTH PLAIN PHJlZGFjdGVkPg==", OK)]),
        ("PLAIN", [(b"AUTH PLAIN", b"+ \r\n"), (b"PHJlZGFjdGVkPg==", OK)]),
        ("APOP", [(b"APOP user " + b"0" * 32, OK)]),
        ("APOP", [(b"APOP <redacted> " + b"0" * 32, OK)]),
    ],
)
def test_redacted_logins(mechanism: str, turns: list[Any]) -> None:
    with in_memory([*turns, QUIT], greeting=b"+OK <1@example.org>\r\n") as client:
        if mechanism == "APOP":
            client.apop("user", "secret")
        else:
            client.authenticate(
                by_name("PLAIN", "user", "secret"), initial_response=len(turns) == 1
            )


def test_a_login_that_is_none_of_the_redacted_ones() -> None:
    turns: list[Any] = [(b"APOP user " + b"0" * 32, OK)]
    with pytest.raises(ScriptError), in_memory(turns) as client:
        client.login("user", "secret")


def test_an_error_of_the_servers_is_one_for_the_client() -> None:
    turns: list[Any] = [(b"USER user", OK), (b"PASS <redacted>", b"-ERR [AUTH] no\r\n"), QUIT]
    with in_memory(turns) as client, pytest.raises(AuthenticationError, match="no"):
        client.login("user", "secret")


def octets(*said: bytes) -> list[Entry]:
    """What server and client say in turns; the server begins."""
    sides = ("server", "client") * len(said)
    return [Line(side, data) for side, data in zip(sides, said, strict=False)]  # type: ignore[arg-type]


def test_entries_and_turns_together() -> None:
    script: list[Any] = [*octets(OK, b"LANG en\r\n", OK), *LOGIN, (b"STAT", b"+OK 1 2\r\n")]
    with in_memory(script) as client:
        client.lang("en")
        client.login("user", "secret")
        assert client.stat().count == 1
        client.close()


def test_the_end_that_the_client_makes() -> None:
    script = [*octets(OK, b"LANG en\r\n", OK), EndOfStream("client")]
    with in_memory(script) as client:
        client.lang("en")
        client.close()
    with (
        pytest.raises(ScriptError, match="where it should have closed"),
        in_memory(script) as client,
    ):
        choose(client, "en", "en")


def test_lines_that_are_cut() -> None:
    async def speak(*said: bytes) -> bytes:
        script = octets(OK, b"NO", b"+", b"OP\n", OK)
        with scripted(script) as stream:
            for data in said:
                await stream.send(data, None)
            heard = await stream.receive(None)
            await stream.aclose()
        return heard

    assert asyncio.run(speak(b"N", b"OOP", b"\n")) == OK + b"+" + OK
    assert asyncio.run(speak(b"NOOP\n")) == OK + b"+" + OK
    with pytest.raises(ScriptError, match="something else"):
        asyncio.run(speak(b"NOOP\r\n"))
    with pytest.raises(ScriptError, match="in the middle of a line"):
        asyncio.run(speak(b"NOO"))


def test_nothing_may_come_before_tls() -> None:
    async def speak() -> None:
        script = [*octets(OK, b"STLS\r\n", OK), TlsEstablished(), *octets(OK)]
        await scripted(script).send(b"STLS\r\nLANG en\r\n", None)

    with pytest.raises(ScriptError, match="before TLS"):
        asyncio.run(speak())


def test_tls_can_be_left_out_of_a_transcript() -> None:
    entries = [TlsEstablished(), *octets(OK, b"LANG en\r\n", OK)]
    assert scripted(entries).security is Security.TLS
    with in_memory(entry for entry in entries if entry != TlsEstablished()) as client:
        client.lang("en")
        assert not client.secure
        client.close()


def test_a_script_of_thousands_of_lines_in_one_batch() -> None:
    capa = (b"CAPA", b"+OK\r\nPIPELINING\r\n.\r\n")
    many = [*[Line("client", b"NOOP\r\n")] * 3000, Line("server", OK * 3000)]
    options = ClientOptions(allow_plaintext_auth=True)
    with scripted([capa, *LOGIN, capa, *many]) as stream:
        client = Client.start(stream, security=stream.security, options=options)
        client.login("user", "secret")
        assert len(list(client.batch([Noop()] * 3000))) == 3000
        client.close()


def test_a_script_tells_where_it_stands() -> None:
    stream = scripted([(b"NOOP", OK)])
    assert repr(stream.session) == "<ScriptedSession: 3 steps to go>"
    assert not stream.session.finished


@both
def test_a_greeting_can_be_all_of_a_script(play: Any) -> None:
    with play([], greeting=b"+OK here I am\r\n") as client:
        assert client.greeting.text == "here I am"
        client.close()


@both
def test_a_greeting_that_is_a_refusal(play: Any) -> None:
    with (
        pytest.raises(CommandError, match="busy"),
        play(iter([]), greeting=b"-ERR [SYS/TEMP] busy\r\n"),
    ):
        pass


@pytest.mark.parametrize("script", [[], [(b"CAPA", b"")], [Line("server", b"")]])
def test_a_server_that_says_nothing(script: Any) -> None:
    async def talk() -> None:
        with scripted(script, greeting=b"") as stream:
            if script == [(b"CAPA", b"")]:
                await stream.send(b"CAPA\r\n", 1.0)
            assert await stream.receive_at_hand() is None
            assert stream.session.finished

    asyncio.run(talk())


def test_a_line_of_no_octets_is_not_waited_for() -> None:
    async def talk() -> None:
        with scripted([Line("client", b""), (b"CAPA", b"")], greeting=b"") as stream:
            await stream.send(b"CAPA\r\n", 1.0)

    asyncio.run(talk())


def test_an_empty_transcript_says_nothing() -> None:
    async def listen() -> None:
        with scripted(Transcript([])) as stream, pytest.raises(TimeoutError):
            await stream.receive(1.0)

    asyncio.run(listen())


@pytest.mark.parametrize(
    "turn", [("CAPA", OK), (b"CAPA", "+OK\r\n"), (re.compile("CAPA"), OK), (b"CAPA", 7)]
)
@pytest.mark.parametrize("play", [scripted, serve_script])
def test_a_turn_is_made_of_octets(play: Any, turn: Any) -> None:
    with (
        pytest.raises(LocalProtocolError, match=r"a turn is made of octets, such as b'CAPA'"),
        play([QUIT, turn]),
    ):
        pass


def test_on_asyncio_too() -> None:
    async def talk() -> None:
        with scripted(SCRIPT) as stream:
            async with await AsyncClient.start(stream, **told(stream)) as client:
                await client.login("user", "secret")
                await client.stat()

    asyncio.run(talk())


@pytest.mark.parametrize("turn", [(b"CAPA",), (b"CAPA", b"+OK\r\n", b"more")])
def test_a_turn_has_two_parts(turn: Any) -> None:
    with pytest.raises(
        LocalProtocolError, match=r"^a turn is a line and its answer, not [13] items$"
    ):
        scripted([turn])


@pytest.mark.parametrize(("end", "fits"), [(b"", True), (b"b", False)])
def test_many_redactions_in_one_line(end: bytes, fits: bool) -> None:
    # A pattern that went back at each of them would take years.
    line = b"USER " + b"<redacted>a" * 30 + b"\r\n"
    session = ScriptedSession([Line("client", line)], greeting=b"")
    session.receive_data(b"USER " + b"a" * 2000 + end + b"\r\n")
    if fits:
        session.next_action()
        assert session.finished
    else:
        with pytest.raises(ScriptError):
            session.next_action()
