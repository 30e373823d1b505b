"""pop3proto record: a relay between any client and a server, which writes down each session."""

from __future__ import annotations

import json
import os
import poplib
import signal
import socket
import ssl
import subprocess
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from queue import Queue
from threading import Event, Thread
from time import sleep
from typing import Any, cast

import pytest

from pop3proto.cli import record as _record
from pop3proto.cli.main import main
from pop3proto.cli.output import Output
from pop3proto.cli.proxies import Proxy
from pop3proto.cli.relay import Relay, Route
from pop3proto.model.replies import MessageData
from pop3proto.model.url import PopUrl
from pop3proto.server import ServerOptions
from pop3proto.testing import LoopbackServer, scripted, serve
from pop3proto.transcript import Recorder, TlsEstablished, Transcript, replay
from pop3proto.transports import ClientOptions, Security
from pop3proto.transports.blocking import Client, connect

MESSAGE = b"Subject: one\r\n\r\n.Text.\r\n" + b"x" * 70 + b"\r\n"
LARGE = b"Subject: large\r\n\r\n" + (b"y" * 76 + b"\r\n") * 40_000
SECRET = "pa55 word"
CLEAR = ServerOptions(allow_plaintext_auth=True, failed_login_delay=0.0)


class Running:
    """The command in a thread, until it is told to end."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.folder = folder
        self._arguments = arguments
        self._told = Event()
        self._thread = Thread(target=self._run)
        self.code: int | None = None
        self.port = 0
        self._ports: Queue[int] = Queue()

    def _run(self) -> None:
        self.code = main(["record", *self._arguments])
        self._ports.put(0)

    def wait(self, announce: Callable[[], object], look: Callable[[], object]) -> None:
        announce()
        while not self._told.wait(0.02):
            if look():
                return

    def started(self, listener: socket.socket) -> None:
        self._ports.put(listener.getsockname()[1])

    def __enter__(self) -> Running:
        self._thread.start()
        self.port = self._ports.get(timeout=60)
        return self

    def __exit__(self, *exception: object) -> None:
        self._told.set()
        self._thread.join(60)
        assert not self._thread.is_alive()

    def ended(self) -> None:
        """Wait until it ends by itself."""
        self._thread.join(60)

    def recording(self, number: int = 1) -> Transcript:
        text = (self.folder / f"{number:04}.txt").read_text("ascii")
        assert SECRET not in text
        return Transcript.loads(text)


@pytest.fixture
def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Running]:
    def run(*arguments: str) -> Running:
        command = Running(tmp_path / "sessions", *arguments)
        monkeypatch.setattr(_record, "wait_until_told", command.wait)
        accept = _record._Relays.accept

        def accepting(relays: Any, listener: socket.socket) -> None:
            command.started(listener)
            accept(relays, listener)

        monkeypatch.setattr(_record._Relays, "accept", accepting)
        return command

    return run


@contextmanager
def serving(security: str, folder: Path) -> Iterator[tuple[LoopbackServer, list[str]]]:
    """A server, and the arguments of the command for it."""
    with serve(
        {"user": [MESSAGE, LARGE]},
        password=SECRET,
        security=security,  # type: ignore[arg-type]
        options=CLEAR,
    ) as server:
        scheme = "pops" if security == "tls" else "pop"
        arguments = [f"{scheme}://{server.host}:{server.port}", str(folder / "sessions")]
        if security == "plaintext":
            arguments.append("--no-tls")
        else:
            ca = folder / "server-ca.pem"
            (der,) = server.client_context().get_ca_certs(binary_form=True)
            ca.write_text(ssl.DER_cert_to_PEM_cert(der))
            arguments += ["--ca", str(ca)]
        yield server, arguments


def session(port: int, security: str, ca: Path) -> list[bytes]:
    """A session of a client of ours through the relay."""
    context = None if security == "plaintext" else ssl.create_default_context(cafile=str(ca))
    client = connect(
        "127.0.0.1",
        port,
        security=security,  # type: ignore[arg-type]
        ssl_context=context,
        options=ClientOptions(allow_plaintext_auth=True),
    )
    with client:
        client.login("user", SECRET)
        return [bytes(client.retr(1)), bytes(client.retr(2))]


@pytest.mark.slow
@pytest.mark.parametrize("with_server", ["tls", "stls", "plaintext"])
@pytest.mark.parametrize("with_client", ["tls", "stls", "plaintext"])
def test_tls_on_either_side(
    with_client: str, with_server: str, running: Callable[..., Running], tmp_path: Path
) -> None:
    ca = tmp_path / "relay-ca.pem"
    secured = [] if with_client == "plaintext" else ["--write-ca", str(ca)]
    with (
        serving(with_server, tmp_path) as (server, arguments),
        running(*arguments, "--security", with_client, *secured) as relay,
    ):
        assert session(relay.port, with_client, ca) == [MESSAGE, LARGE]
        server.wait_until_idle()
    assert relay.code == 0
    recorded = relay.recording()
    assert recorded.sent_by("server").count(MESSAGE.replace(b"\n.", b"\n..")) == 1
    # It can be replayed, as the client's session that it was.
    events = [*replay(recorded, "client")]
    assert MessageData(MESSAGE) in events
    assert MessageData(LARGE) in events
    assert [*recorded].count(TlsEstablished()) == (with_client != "plaintext")
    assert (recorded[0] == TlsEstablished()) is (with_client == "tls")
    assert main(["replay", str(relay.folder / "0001.txt"), "-q"]) == 0


def test_a_recording_is_a_script_for_a_test(
    running: Callable[..., Running], tmp_path: Path
) -> None:
    options = ClientOptions(allow_plaintext_auth=True, pipelining=False)

    def use(client: Client) -> int:
        client.login("user", SECRET)
        return client.stat().count

    with (
        serving("plaintext", tmp_path) as (_, arguments),
        running(*arguments) as relay,
        connect("127.0.0.1", relay.port, security="plaintext", options=options) as client,
    ):
        assert use(client) == 2
        client.quit()
    with (
        scripted(relay.recording()) as stream,
        Client.start(stream, security=stream.security, options=options) as client,
    ):
        assert use(client) == 2


def test_tls_that_is_passed_through(running: Callable[..., Running], tmp_path: Path) -> None:
    with serving("stls", tmp_path) as (_, arguments):
        ca = Path(arguments.pop())
        arguments.pop()
        with running(*arguments, "--security", "pass-through") as relay:
            # The certificate is the server's own.
            assert session(relay.port, "stls", ca) == [MESSAGE, LARGE]
    assert relay.code == 0
    lines = (relay.folder / "0001.txt").read_text("ascii").splitlines()
    assert lines[-4:] == [
        r"C: STLS\r\n",
        next(line for line in lines[::-1] if line.startswith("S: ")),
        "-- TLS established",
        "-- end of stream from client",
    ]


def test_another_client(
    running: Callable[..., Running], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with (
        serving("tls", tmp_path) as (_, arguments),
        running(*arguments, "--security", "plaintext", "--no-bodies", "-v") as relay,
    ):
        for _ in range(2):
            client = poplib.POP3("127.0.0.1", relay.port, timeout=60)
            client.user("user")
            client.pass_(SECRET)
            assert b"\r\n".join(client.retr(1)[1]) + b"\r\n" == MESSAGE
            client.quit()
    talk = capsys.readouterr().err
    assert "0002: C: PASS <redacted>\n" in talk
    assert f"0002: S: ({len(MESSAGE)} octets of a message)\n" in talk
    for number in (1, 2):
        assert b"Text" not in relay.recording(number).sent_by("server")


def test_a_server_that_cannot_be_reached(
    running: Callable[..., Running], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    where = [f"pop://127.0.0.1:{port}", str(tmp_path / "sessions"), "--no-tls"]
    with running(*where, "--sessions", "1", "--json") as relay:
        with socket.create_connection(("127.0.0.1", relay.port), 60) as client:
            assert client.makefile("rb").readline().startswith(b"-ERR the relay cannot reach")
        relay._thread.join(60)
    assert relay.code == 1
    listening, ended, end = map(json.loads, capsys.readouterr().out.splitlines())
    assert [*listening] == ["event", "host", "port", "server"]
    assert [*ended] == ["event", "file", "sent", "received", "problem"]
    assert ended["problem"]["error"] == "ConnectionRefusedError"
    assert [*end] == ["event", "command", "version", "ok", "problems", "sessions"]
    assert (end["ok"], end["sessions"]) == (False, 1)


def test_a_certificate_that_is_not_trusted(
    running: Callable[..., Running], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving("tls", tmp_path) as (server, arguments):
        with running(*arguments[:2], "--security", "plaintext", "--sessions", "1") as relay:
            with socket.create_connection(("127.0.0.1", relay.port), 60) as client:
                assert client.recv(100) == b""
            relay._thread.join(60)
        assert all(session.user is None for session in server.sessions)
    assert relay.code == 1
    assert "CERTIFICATE_VERIFY_FAILED" in capsys.readouterr().err


@contextmanager
def hand_made(answers: list[bytes]) -> Iterator[tuple[str, list[bytes]]]:
    """A server that sends a greeting, and an answer to each line; and the lines that it got."""
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            with connection, connection.makefile("rb") as lines:
                connection.sendall(b"+OK\r\n")
                for reply in answers:
                    heard.append(lines.readline())
                    connection.sendall(reply)
                # The relay may close with octets that it has not read: that resets the connection.
                with suppress(ConnectionResetError):
                    heard.extend(lines)

        thread = Thread(target=answer)
        thread.start()
        yield f"pop://127.0.0.1:{listener.getsockname()[1]}", heard
        thread.join(60)


def test_stls_that_is_refused(running: Callable[..., Running], tmp_path: Path) -> None:
    with (
        hand_made([b"-ERR no\r\n", b"+OK\r\n"]) as (url, heard),
        running(url, str(tmp_path / "sessions")) as relay,
        socket.create_connection(("127.0.0.1", relay.port), 60) as client,
    ):
        lines = client.makefile("rb")
        assert lines.readline() == b"+OK\r\n"
        client.sendall(b"STLS\r\n")
        assert lines.readline() == b"-ERR no\r\n"
        client.sendall(b"NOOP\r\n")
        assert lines.readline() == b"+OK\r\n"
    assert heard == [b"STLS\r\n", b"NOOP\r\n"]
    assert relay.code == 0


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        (b"STLS\r\nUSER user\r\n", "the client sent something after STLS, before TLS"),
        (b"x" * 100_000, "the client sent a line that is too long"),
    ],
)
def test_a_client_that_misbehaves(
    said: bytes,
    problem: str,
    running: Callable[..., Running],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with (
        hand_made([]) as (url, heard),
        running(url, str(tmp_path / "sessions"), "--sessions", "1") as relay,
    ):
        with socket.create_connection(("127.0.0.1", relay.port), 60) as client:
            client.sendall(said)
            while client.recv(100):
                pass
        relay._thread.join(60)
    assert heard == []
    assert relay.code == 1
    assert problem in capsys.readouterr().err


def test_a_server_that_refuses_stls_at_once(
    running: Callable[..., Running], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with hand_made([b"-ERR no\r\n"]) as (url, _):
        arguments = [url, str(tmp_path / "sessions"), "--security", "plaintext", "--sessions", "1"]
        with running(*arguments) as relay:
            with socket.create_connection(("127.0.0.1", relay.port), 60) as client:
                assert client.recv(100) == b""
            relay._thread.join(60)
    assert "the server refuses STLS" in capsys.readouterr().err


def test_silence_has_an_end(
    running: Callable[..., Running], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with hand_made([]) as (url, _):
        arguments = [url, str(tmp_path / "sessions"), "--no-tls", "--sessions", "1"]
        with running(*arguments, "--timeout", "0.05") as relay:
            with socket.create_connection(("127.0.0.1", relay.port), 60) as client:
                while client.recv(100):
                    pass
            relay._thread.join(60)
    assert "DeadlineError: nothing happened for 0.05 s" in capsys.readouterr().err


def test_the_end_of_the_command_ends_sessions(
    running: Callable[..., Running], tmp_path: Path
) -> None:
    (tmp_path / "sessions").mkdir()
    (tmp_path / "sessions" / "0001.txt").write_text("of an earlier run")
    with hand_made([]) as (url, _):
        with running(url, str(tmp_path / "sessions"), "--no-tls") as relay:
            client = socket.create_connection(("127.0.0.1", relay.port), 60)
            assert client.recv(100) == b"+OK\r\n"
        with client:
            assert client.recv(100) == b""
    assert relay.code == 0
    assert (tmp_path / "sessions" / "0001.txt").read_text() == "of an earlier run"
    assert relay.recording(2).sent_by("server") == b"+OK\r\n"


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["pops://user@pop.example.org"], "names a user"),
        (["pops://pop.example.org", "--no-tls"], "--no-tls is for a pop:// URL"),
        (["pops://pop.example.org", "--security", "pass-through"], "is for a pop:// URL"),
        (["pop.example.org", "--security", "plaintext", "--write-ca", "f"], "are for TLS"),
        (["pop.example.org", "--cert", "f", "--write-ca", "f"], "cannot be used with --cert"),
        (["pop.example.org", "--cert", "missing.pem"], "--cert missing.pem: No such file"),
    ],
)
def test_arguments_that_cannot_be_used(
    arguments: list[str], problem: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["record", *arguments[:1], str(tmp_path), *arguments[1:]])
    # A URL or a file that cannot be used is no contradiction of options.
    assert code == (1 if problem in ("names a user", "--cert missing.pem: No such file") else 2)
    assert problem in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "given", "problem"),
    [
        ("--listen", "1110", "expected an address and a port"),
        ("--listen", "::1:1110", "expected an address and a port"),
        ("--listen", "127.0.0.1:x", "expected a port"),
        ("--sessions", "0", "expected a number from 1"),
    ],
)
def test_options_that_cannot_be_used(
    option: str, given: str, problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["record", "pop.example.org", "folder", option, given])
    assert caught.value.code == 2
    assert problem in capsys.readouterr().err


@pytest.mark.skipif(os.name != "posix", reason="Windows has other signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it(number: signal.Signals, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pop3proto", "record", "pop.example.org", str(tmp_path)]
    # Tests may run where it is turned off, and processes inherit that.
    before = signal.signal(number, signal.SIG_DFL)
    try:
        process = subprocess.Popen(
            [*command, "--security", "plaintext"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
    finally:
        signal.signal(number, before)
    assert process.stdout is not None
    assert process.stdout.readline().startswith(b"127.0.0.1 port ")
    assert process.stdout.readline().endswith(b"Press Ctrl+C to stop.\n")
    # The command may not be waiting yet, and then Ctrl+C is an interruption.
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode in (0, 128 + number)
    assert b"Traceback" not in errors


@pytest.mark.parametrize("host", ["a..b", "x" * 64, "a b"])
def test_a_name_that_no_host_has(
    host: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["pop.example.org", str(tmp_path / "sessions"), "--listen", f"{host}:0"]
    assert main(["record", *where]) == 1
    assert capsys.readouterr().err.startswith("LocalProtocolError: ")


def test_a_recording_that_cannot_be_written(
    running: Callable[..., Running], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["pop://127.0.0.1", str(tmp_path / "sessions"), "--no-tls", "--sessions", "1"]
    with running(*arguments, "--json") as relay:
        (tmp_path / "sessions").rmdir()
        with socket.create_connection(("127.0.0.1", relay.port), 60) as client:
            assert client.recv(100) == b""
        relay._thread.join(60)
    assert relay.code == 1
    _, ended, end = map(json.loads, capsys.readouterr().out.splitlines())
    assert ended["file"] is None
    assert ended["problem"]["error"] == "FileNotFoundError"
    assert end["sessions"] == 1


def test_a_listener_that_fails_ends_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    errors = [ConnectionAbortedError(), OSError(24, "Too many open files")]

    class Listener:
        def accept(self) -> None:
            raise errors.pop(0)

    output = Output(Namespace(command="record"))
    output.reports(sessions=0)
    url = PopUrl.parse("pop://pop.example.org")
    route = Route(Security.PLAINTEXT, Security.PLAINTEXT)
    relays = _record._Relays(output, Namespace(sessions=None, proxy=None), url, route)
    assert not relays.done
    relays.accept(cast(socket.socket, Listener()))
    assert errors == []
    assert relays.done
    assert [found["text"] for found in output.report["problems"]] == [
        "[Errno 24] Too many open files"
    ]
    assert "Too many open files" in capsys.readouterr().err


@pytest.mark.parametrize("cut", [1, 3, 6])
def test_an_answer_that_comes_in_pieces(cut: int) -> None:
    client, ours = socket.socketpair()
    server, theirs = socket.socketpair()
    route = Route(Security.STLS, Security.PLAINTEXT)
    relay = Relay(ours, theirs, route, Recorder(), 60.0)
    thread = Thread(target=relay.run)
    thread.start()
    answer = b"+OK yes\r\nTOP\r\n.\r\n"
    with closing(relay), client, server, client.makefile("rb") as lines:
        server.sendall(b"+OK\r\n")
        assert lines.readline() == b"+OK\r\n"
        client.sendall(b"CAPA\r\n")
        assert server.recv(100) == b"CAPA\r\n"
        server.sendall(answer[:cut])
        while relay.received < len(b"+OK\r\n") + cut:
            sleep(0.01)
        server.sendall(answer[cut:])
        assert [lines.readline() for _ in range(4)] == [
            b"+OK yes\r\n",
            b"STLS\r\n",
            b"TOP\r\n",
            b".\r\n",
        ]
        # What comes before the end is passed on, too.
        client.sendall(b"CAPA\r\n")
        assert server.recv(100) == b"CAPA\r\n"
        server.sendall(b"-ERR")
        server.close()
        assert client.recv(100) == b"-ERR"
        thread.join(60)


COMMANDS = f"USER user\r\nPASS {SECRET}\r\nRETR 2\r\nQUIT\r\n".encode()


def test_a_client_that_has_said_all_still_gets_the_answers(
    running: Callable[..., Running], tmp_path: Path
) -> None:
    with serving("plaintext", tmp_path) as (_, arguments):
        with running(*arguments) as relay:
            sock = socket.create_connection(("127.0.0.1", relay.port), 60)
            with sock, sock.makefile("rb") as answers:
                assert answers.readline().startswith(b"+OK")
                sock.sendall(COMMANDS)
                sock.shutdown(socket.SHUT_WR)
                assert LARGE in answers.read()
        assert relay.code == 0


def test_the_same_under_tls(running: Callable[..., Running], tmp_path: Path) -> None:
    """It says goodbye, which in TLS 1.3 ends one direction, and then the end of its stream."""
    with serving("tls", tmp_path) as (_, arguments):
        ca = tmp_path / "relay.pem"
        with running(*arguments, "--write-ca", str(ca)) as relay:
            incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            context = ssl.create_default_context(cafile=str(ca))
            tls = context.wrap_bio(incoming, outgoing, server_hostname="127.0.0.1")
            got = bytearray()
            with socket.create_connection(("127.0.0.1", relay.port), 60) as sock:

                def until_done(step: Callable[[], object]) -> object:
                    while True:
                        try:
                            return step()
                        except ssl.SSLWantReadError:
                            sock.sendall(outgoing.read())
                            incoming.write(sock.recv(65536))

                until_done(tls.do_handshake)
                assert cast(bytes, until_done(lambda: tls.read(1000))).startswith(b"+OK")
                tls.write(COMMANDS)
                with suppress(ssl.SSLWantReadError):
                    tls.unwrap()
                sock.sendall(outgoing.read())
                sock.shutdown(socket.SHUT_WR)
                while data := sock.recv(65536):
                    incoming.write(data)
                    with suppress(ssl.SSLWantReadError, ssl.SSLZeroReturnError):
                        while True:
                            piece = tls.read(65536)
                            if not piece:
                                break
                            got += piece
            assert LARGE in got
        assert relay.code == 0


def test_a_server_sees_that_the_client_has_said_all() -> None:
    client, ours = socket.socketpair()
    server, theirs = socket.socketpair()
    relay = Relay(ours, theirs, Route(Security.PLAINTEXT, Security.PLAINTEXT), Recorder(), 60.0)
    thread = Thread(target=relay.run)
    thread.start()
    with closing(relay), client, server, server.makefile("rb") as commands:
        client.sendall(b"QUIT\r\n")
        client.shutdown(socket.SHUT_WR)
        assert commands.read() == b"QUIT\r\n"
        server.sendall(b"+OK bye\r\n")
        server.shutdown(socket.SHUT_WR)
        assert client.makefile("rb").read() == b"+OK bye\r\n"
        thread.join(60)
        assert not thread.is_alive()


def test_a_client_that_has_gone_ends_the_session_quietly() -> None:
    client, ours = socket.socketpair()
    server, theirs = socket.socketpair()
    relay = Relay(ours, theirs, Route(Security.PLAINTEXT, Security.PLAINTEXT), Recorder(), 60.0)
    failed: list[BaseException] = []

    def run() -> None:
        try:
            relay.run()
        except OSError as error:
            failed.append(error)

    thread = Thread(target=run)
    thread.start()
    with closing(relay), server, server.makefile("rb") as commands:
        client.sendall(b"QUIT\r\n")
        client.close()
        assert commands.read() == b"QUIT\r\n"
        for _ in range(3):
            server.sendall(b"+OK bye\r\n")
        server.shutdown(socket.SHUT_WR)
        thread.join(60)
    assert failed == []


@pytest.mark.parametrize("right", [True, False])
def test_the_certificate_of_the_server_by_its_fingerprint(
    right: bool, running: Callable[..., Running], tmp_path: Path
) -> None:
    with serving("tls", tmp_path) as (server, arguments):
        der = ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate((server.host, server.port)))
        wanted = sha256(der).hexdigest() if right else "0" * 64
        ca = tmp_path / "relay.pem"
        # Without --ca.
        given = [*arguments[:2], "--write-ca", str(ca), "--fingerprint", wanted, "--sessions", "1"]
        with running(*given, "--server-name", "x.example.org") as relay:
            if right:
                assert session(relay.port, "tls", ca)
            else:
                with pytest.raises((OSError, poplib.error_proto)):
                    session(relay.port, "tls", ca)
            relay.ended()
        assert relay.code == (0 if right else 1)
        assert bool(server.commands) is right


def test_a_proxy_on_the_way_to_the_server(
    running: Callable[..., Running], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, int]] = []

    def connect_by(proxy: Proxy, host: str, port: int, seconds: float) -> socket.socket:
        asked.append((host, port))
        return socket.create_connection((host, port), seconds)

    monkeypatch.setattr(Proxy, "connect", connect_by)
    with serving("plaintext", tmp_path) as (server, arguments):
        with running(*arguments, "--proxy", "http://proxy.example.org:3128") as relay:
            assert session(relay.port, "plaintext", tmp_path)
        assert relay.code == 0
    assert asked == [(server.host, server.port)]
