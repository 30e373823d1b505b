"""No text of a peer stands raw in a message: it could control a terminal, or forge a line of a log.

A server, or a client, says hostile text in every place where it can say anything. Whatever comes
of that is looked at: exceptions with all that hangs on them, and the reprs of all values.
"""

from __future__ import annotations

import json
import socket
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import product
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from pop3proto import (
    Extension,
    Greeting,
    Leniency,
    Limits,
    Pop3Error,
    ServerConnection,
    Signal,
)
from pop3proto.cli.inputs import PASSWORD_VARIABLE
from pop3proto.cli.main import main
from pop3proto.client.client import AsyncClient
from pop3proto.client.stepping import run
from pop3proto.compat import poplib
from pop3proto.errors import DeadConnectionError
from pop3proto.sasl import ChannelBinding, by_name
from pop3proto.server import Delay, MemoryMaildrops, Send, ServerOptions, ServerSession
from pop3proto.transcript import Recorder, Transcript, replay
from pop3proto.transports import ClientOptions, ServerProfile

# ESC, BEL, DEL, C1 (one of them as a lone octet, too), both kinds of bidirectional controls, a byte
# order mark, separators of lines, and marks without a width.
HOSTILE = "\x1b[2J\x07\x7f\x9b31m\x85\u202e\u2066\u200f\ufeff\u2028\u200b".encode()
OCTETS = b"\x9b31m\xff\x1b]0;x\x07\xc0\x80\x08"
TEXTS = [HOSTILE, OCTETS, b"a " + HOSTILE + b" b", b"\0" + HOSTILE, b"\r" + HOSTILE, HOSTILE * 40]


def coded(octets: bytes) -> bytes:
    return b64encode(octets)


VARIANTS: dict[str, Callable[[bytes], bytes]] = {
    "refused": lambda text: b"-ERR %b\r\n" % text,
    "a code": lambda text: b"-ERR [%b] no\r\n" % text,
    "AUTH": lambda text: b"-ERR [AUTH] %b\r\n" % text,
    "IN-USE": lambda text: b"-ERR [IN-USE] %b\r\n" % text,
    "LOGIN-DELAY": lambda text: b"-ERR [LOGIN-DELAY] %b\r\n" % text,
    "SYS/TEMP": lambda text: b"-ERR [SYS/TEMP] %b\r\n" % text,
    "SYS/PERM": lambda text: b"-ERR [SYS/PERM] %b\r\n" % text,
    "accepted": lambda text: b"+OK %b\r\n" % text,
    "in lower case": lambda text: b"+ok %b\n" % text,
    "a number": lambda text: b"+OK 1 %b\r\n" % text,
    "nonsense": lambda text: b"%b\r\n" % text,
    "cut short": lambda text: b"+OK %b" % text,
    "rows": lambda text: b"+OK %b\r\n%b\r\n.\r\n" % (text, text),
    "numbered rows": lambda text: b"+OK\r\n1 %b\r\n1  %b\r\n.\r\n" % (text, text),
    "capabilities": lambda text: (
        b"+OK\r\nSASL %b\r\nLOGIN-DELAY %b\r\nEXPIRE %b\r\nSASL X%b\r\n\r\n.\r\n" % ((text,) * 4)
    ),
    "more than asked for": lambda text: b"+OK\r\nx\r\n.\r\n%b\r\n" % text,
    "a body cut short": lambda text: b"+OK\r\n%b" % text,
    "a challenge": lambda text: b"+ %b\r\n" % text,
    "a challenge in base64": lambda text: b"+ %b\r\n" % coded(text),
    "a challenge of SCRAM": lambda text: b"+ %b\r\n" % coded(b"e=" + text),
    "a salt": lambda text: b"+ %b\r\n" % coded(b"r=%b,s=%b,i=%b" % (text, text, text)),
    "a realm": lambda text: b"+ %b\r\n" % coded(b'realm="%b",nonce="%b",qop="%b"' % ((text,) * 3)),
    "a directive": lambda text: b"+ %b\r\n" % coded(b'nonce="x",algorithm=%b,%b="' % (text, text)),
    "details": lambda text: (
        b"+ %b\r\n"
        % coded(
            json.dumps(
                {text.decode("utf-8", "replace"): text.decode("utf-8", "replace"), "status": "400"}
            ).encode()
        )
    ),
    "nested details": lambda text: b"+ %b\r\n" % coded(b'{"scope": "%b"' % text),
    "a proof": lambda text: b"+OK %b\r\n" % coded(b"v=" + text),
}

USUAL = {
    b"": b"+OK ready <1@example.org>\r\n",
    b"CAPA": b"+OK\r\nTOP\r\nUIDL\r\nUSER\r\nLANG\r\nUTF8\r\nLOGIN-DELAY 9\r\nSASL PLAIN\r\n.\r\n",
    b"STAT": b"+OK 1 3\r\n",
    b"LAST": b"+OK 1\r\n",
    b"LIST": b"+OK\r\n1 3\r\n.\r\n",
    b"LIST 1": b"+OK 1 3\r\n",
    b"UIDL": b"+OK\r\n1 a\r\n.\r\n",
    b"UIDL 1": b"+OK 1 a\r\n",
    b"LANG": b"+OK\r\nen English\r\n.\r\n",
    b"LANG en": b"+OK en English\r\n",
    b"RETR 1": b"+OK\r\nx\r\n.\r\n",
    b"TOP 1 0": b"+OK\r\nx\r\n.\r\n",
    b"XTND": b"-ERR no\r\n",
    b"STLS": b"-ERR no\r\n",
    # What is not a command is a response to a challenge.
    b"AUTH": b"+ \r\n",
    b"response": b"-ERR no\r\n",
}
KNOWN = {b"USER", b"PASS", b"APOP", b"RPOP", b"DELE", b"RSET", b"NOOP", b"QUIT", b"UTF8", b"*"}
PLACES = sorted({*USUAL, *KNOWN})


class Server:
    """A stream to a server that is hostile in one place."""

    def __init__(self, place: bytes, said: bytes) -> None:
        self._answers = {**USUAL, place: said}
        self.hostile = said
        if place == b"*":
            # Only a login that makes no sense is cancelled.
            self._answers[b"AUTH"] = b"+ \x1b\r\n"
        self._said = [self._answers[b""]]

    def answer(self, line: bytes) -> bytes:
        verb = line.split(b" ")[0]
        for known in (line, verb):
            if known in self._answers:
                return self._answers[known]
        return b"+OK\r\n" if verb in KNOWN else self._answers[b"response"]

    async def send(self, data: bytes, timeout: float | None) -> None:
        self._said += [self.answer(line) for line in data.split(b"\r\n")[:-1]]

    async def receive(self, timeout: float | None) -> bytes:
        return self._said.pop(0) if self._said else b""

    async def aclose(self) -> None:
        pass

    def abort(self) -> None:
        pass


def raw(text: str) -> list[str]:
    return [character for character in text if not character.isprintable() and character != "\n"]


def seen_in(error: BaseException | None) -> Iterator[str]:
    """All that a program or a log can show of an error without looking for the server's text."""
    while error is not None:
        yield from (str(error), repr(error), repr(error.args), *map(str, error.args))
        yield from getattr(error, "__notes__", ())
        yield str(getattr(error, "hint", ""))
        yield repr(getattr(error, "hint", ""))
        yield repr(vars(error))
        error = error.__cause__ or error.__context__


class Looking:
    """Collects what is to be seen."""

    def __init__(self) -> None:
        self.errors = 0

    def at(self, *objects: object) -> None:
        for each in objects:
            texts = [*seen_in(each)] if isinstance(each, BaseException) else [repr(each), f"{each}"]
            if isinstance(each, BaseException):
                self.errors += 1
                # One line in a log is one line.
                assert "\n" not in str(each), repr(str(each))
            for text in texts:
                assert raw(text) == [], (raw(text), text)


MECHANISMS = [
    "PLAIN",
    "LOGIN",
    "CRAM-MD5",
    "DIGEST-MD5",
    "SCRAM-SHA-256",
    "SCRAM-SHA-256-PLUS",
    "OAUTHBEARER",
    "XOAUTH2",
    "EXTERNAL",
    "ANONYMOUS",
]


def ways_in() -> Iterator[Callable[[AsyncClient], Any]]:
    yield lambda client: client.login("user", "secret")
    for name in ("USER", "APOP", "DIGEST-MD5", "CRAM-MD5", "SCRAM-SHA-1"):
        yield lambda client, name=name: client.login("user", "secret", mechanisms=[name])  # type: ignore[misc]
    yield lambda client: client.apop("user", "secret")
    yield lambda client: client.rpop("user", "remote")
    yield lambda client: client.oauth("user", "token")
    yield lambda client: client.oauth("user", "token", mechanism="OAUTHBEARER")
    binding = ChannelBinding("tls-exporter", b"x")
    for name in MECHANISMS:
        bound = binding if name.endswith("-PLUS") else None
        mechanism = by_name(name, "user", "secret", host="example.org", channel_binding=bound)
        yield lambda client, mechanism=mechanism: client.authenticate(mechanism)  # type: ignore[misc]


async def read(client: AsyncClient) -> list[Any]:
    return [message async for message in client.retr_many([1, 1])]


async def streamed(client: AsyncClient) -> list[Any]:
    async with client.retr_stream(1) as stream:
        return [stream, *[chunk async for chunk in stream]]


AFTER: list[Callable[[AsyncClient], Any]] = [
    AsyncClient.utf8,
    lambda client: client.login("user", "secret", mechanisms=["USER"]),
    AsyncClient.capa,
    AsyncClient.languages,
    lambda client: client.lang("en"),
    AsyncClient.stat,
    AsyncClient.list,
    lambda client: client.list(1),
    AsyncClient.uidl,
    lambda client: client.uidl(1),
    AsyncClient.messages,
    AsyncClient.last,
    AsyncClient.noop,
    AsyncClient.rset,
    lambda client: client.retr(1),
    lambda client: client.top(1),
    lambda client: client.call(Extension.single("XTND A")),
    lambda client: client.call(Extension.multi("XTND B")),
    read,
    streamed,
    lambda client: client.dele(1),
    AsyncClient.quit,
]


async def session(
    looking: Looking,
    server: Server,
    steps: Iterable[Callable[[AsyncClient], Any]],
    leniency: Leniency,
) -> None:
    limits = Limits(status_line=600)
    how = ClientOptions(allow_plaintext_auth=True, leniency=leniency, limits=limits)
    try:
        client = await AsyncClient.start(server, security="plaintext", options=how)
    except Pop3Error as error:
        looking.at(error)
        return
    for step in steps:
        try:
            done = await step(client)
        except Pop3Error as error:
            looking.at(error)
            if isinstance(error, DeadConnectionError):
                break
        else:
            looking.at(done)
    looking.at(client, client._engine, client.greeting, client.capabilities, *client.deviations)
    looking.at(ServerProfile.of(client.deviations).to_json())


LOG_IN = [*ways_in()]
AT_LOGIN = (b"CAPA", b"AUTH", b"response", b"*", b"PASS", b"APOP", b"RPOP")
LENIENCES = [Leniency(), Leniency.none()]


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.decode() or "greeting")
def test_a_hostile_server(place: bytes) -> None:
    looking = Looking()
    # What comes after the login does not depend on how it was made.
    walks = [[way] for way in LOG_IN] if place in AT_LOGIN else [AFTER]
    if place == b"STLS":
        walks = [[AsyncClient.start_tls]]
    texts = TEXTS[:1] if place in AT_LOGIN else TEXTS
    for variant, text, leniency, steps in product(VARIANTS.values(), texts, LENIENCES, walks):
        run(session(looking, Server(place, variant(text)), steps, leniency))
    assert looking.errors > 10


@contextmanager
def listening() -> Iterator[tuple[int, Callable[[Server], None]]]:
    """A port, and a function that says which server answers there from now on."""
    behaves: list[Server] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve_all() -> None:
            while True:
                connection, _ = listener.accept()
                if not behaves:
                    connection.close()
                    return
                connection.settimeout(2.0)
                with connection, connection.makefile("rb") as lines, suppress(OSError):
                    server = behaves[-1]
                    answer = server.answer(b"")
                    connection.sendall(answer)
                    # Nobody may wait for the rest of a hostile answer.
                    while answer != server.hostile and (line := lines.readline()):
                        answer = server.answer(line.rstrip(b"\r\n"))
                        connection.sendall(answer)

        thread = Thread(target=serve_all, daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1], behaves.append
        finally:
            behaves.clear()
            socket.create_connection(listener.getsockname()).close()
            thread.join()


POPLIBS: list[Callable[[poplib.POP3], Any]] = [
    lambda pop: pop.capa(),
    lambda pop: pop.utf8(),
    lambda pop: pop.user("user"),
    lambda pop: pop.pass_("secret"),
    lambda pop: pop.apop("user", "secret"),
    lambda pop: pop.rpop("user"),
    lambda pop: pop.auth("PLAIN", lambda _: b"x"),
    lambda pop: pop.stat(),
    lambda pop: pop.list(),
    lambda pop: pop.list(1),
    lambda pop: pop.uidl(),
    lambda pop: pop.uidl(1),
    lambda pop: pop.lang(),
    lambda pop: pop.lang("en"),
    lambda pop: pop.retr(1),
    lambda pop: pop.top(1, 0),
    lambda pop: pop.dele(1),
    lambda pop: pop.noop(),
    lambda pop: pop.stls(),
    lambda pop: pop.quit(),
]


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.decode() or "greeting")
def test_a_hostile_server_and_the_drop_in(place: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    looking = Looking()
    with listening() as (port, behave):
        for variant, text in product(VARIANTS.values(), TEXTS[:2]):
            behave(Server(place, variant(text)))
            try:
                pop = poplib.POP3("127.0.0.1", port, timeout=2.0)
            except (poplib.error_proto, OSError) as error:
                looking.at(error)
                continue
            pop.set_debuglevel(2)
            for step in POPLIBS:
                try:
                    looking.at(step(pop))
                except (poplib.error_proto, OSError) as error:
                    looking.at(error)
            looking.at(pop)
            pop.close()
    assert looking.errors
    assert raw(capsys.readouterr().out) == []


@pytest.mark.slow
@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.decode() or "greeting")
def test_a_hostile_server_and_the_command_line(
    place: bytes,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv(PASSWORD_VARIABLE, "secret")
    folder, plain = str(tmp_path / "mail"), ["--no-tls", "--allow-plaintext-auth", "--delete"]
    with listening() as (port, behave):
        for variant, auth in product(VARIANTS.values(), ["", ";AUTH=XOAUTH2", ";AUTH=CRAM-MD5"]):
            behave(Server(place, variant(HOSTILE)))
            main(["fetch", f"pop://user{auth}@127.0.0.1:{port}", folder, *plain])
            printed = capsys.readouterr()
            assert raw(printed.out + printed.err) == []
            assert "Traceback" not in printed.err


COMMANDS = [
    b"%b\r\n",
    b"%b\n",
    b"USER %b\r\n",
    b"user  %b\r\nPASS x\r\n",
    b"APOP %b 0123\r\n",
    b"AUTH %b\r\n",
    b"AUTH PLAIN %b\r\n",
    b"AUTH PLAIN\r\n%b\r\n",
    b"LANG %b\r\n",
    b"CAPA %b\r\n",
    b"RETR %b\r\n",
    b"TOP 1 %b\r\n",
    b"XTND %b\r\n",
    b"STLS %b\r\n",
    b"QUIT %b\r\n",
    b"USER %b",
]
IN_TRANSACTION = b"USER user\r\nPASS secret\r\n"


@pytest.mark.parametrize("command", COMMANDS)
def test_a_hostile_client(command: bytes, tmp_path: Path) -> None:
    looking = Looking()
    for text, before, leniency in product(TEXTS, (b"", IN_TRANSACTION), LENIENCES):
        said = before + command.replace(b"%b", text)
        engine = ServerConnection(leniency=leniency, limits=Limits(command_line=300))
        engine.send(Greeting("ready"))
        engine.receive_data(said)
        engine.receive_data(b"")
        try:
            for _ in range(9):
                event = engine.next_event()
                looking.at(event)
                if isinstance(event, Signal):
                    break
        except Pop3Error as error:
            looking.at(error)
        looking.at(engine)
        session = ServerSession(
            MemoryMaildrops({"user": [b"x\r\n"]}),
            {"user": "secret"},
            options=ServerOptions(allow_plaintext_auth=True, failed_login_delay=0.0),
        )
        recorder = Recorder("server")
        recorder.received(said)
        session.receive_data(said)
        for _ in range(99):
            action = session.next_action()
            looking.at(action, session)
            if isinstance(action, Send):
                recorder.sent(action.data)
                # What is said to the client may be shown by it.
                assert raw(action.data.decode().replace("\r\n", "")) == []
            elif not isinstance(action, Delay):
                break
        looking.at(recorder, recorder.transcript.dumps())
        replayed(looking, recorder.transcript, "server", tmp_path)


def replayed(looking: Looking, transcript: Transcript, role: Any, folder: Path) -> None:
    try:
        for event in replay(transcript, role):
            looking.at(event)
    except (Pop3Error, ValueError) as error:
        looking.at(error)
    (folder / "session.txt").write_text(transcript.dumps())


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.decode() or "greeting")
def test_a_recorded_hostile_server(
    place: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    looking = Looking()
    for name, variant in VARIANTS.items():
        recorder = Recorder("client")
        server = Server(place, variant(HOSTILE))
        how = ClientOptions(allow_plaintext_auth=True, recorder=recorder)

        async def record(server: Server = server, how: ClientOptions = how) -> None:
            client = await AsyncClient.start(server, security="plaintext", options=how)
            for step in AFTER:
                with suppress(Pop3Error):
                    await step(client)

        with suppress(Pop3Error):
            run(record())
        transcript = recorder.transcript
        looking.at(recorder, transcript, transcript.dumps(), *transcript)
        replayed(looking, transcript, "client", tmp_path)
        if name in ("refused", "accepted", "nonsense", "rows"):
            main(["replay", str(tmp_path / "session.txt"), "--multiline", "XTND B"])
            printed = capsys.readouterr()
            assert raw(printed.out + printed.err) == []


def test_damaged_transcripts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "session.txt"
    for text in TEXTS:
        for line in (b"%b", b"S: %b", b"C: \\x%b", b"pop3proto transcript %b", b"-- %b"):
            for title in (b"pop3proto transcript 1\n", b""):
                path.write_bytes(title + line.replace(b"%b", text) + b"\n")
                main(["replay", str(path)])
                printed = capsys.readouterr()
                assert raw(printed.out + printed.err) == []


def test_this_test_sees_what_is_raw() -> None:
    looking = Looking()
    for text in TEXTS:
        shown = text.decode("utf-8", "surrogateescape")
        with pytest.raises(AssertionError):
            looking.at(Pop3Error(shown))
        with pytest.raises(AssertionError):
            looking.at(Pop3Error("x", hint=shown))
