"""What every example of a loop has to do, whatever its loop is."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from types import ModuleType
from typing import Any, ClassVar

import pytest
import trustme

import pop3proto as pop3
from pop3proto.errors import MaildropError
from pop3proto.sasl.server import Passwords, ServerXOAuth2, end_point, password_mechanisms
from pop3proto.server import (
    Maildrop,
    MaildropProvider,
    MemoryMaildrops,
    ServerOptions,
    StoredMessage,
)
from pop3proto.testing import LoopbackServer, serve
from pop3proto.transports import Security
from tests.security.hostile import Answer, Peer, authority, hostile

ROOT = Path(__file__).resolve().parents[2]
USER = "user@example.org"
PASSWORD = "correct horse battery staple"
HEADER = b"From: sender@example.org\r\nSubject: test\r\n\r\n"
MESSAGES = [
    HEADER + b"Text.\r\n",
    HEADER + b".\r\n..\r\n+OK\r\n-ERR no\r\n.\r\n",
    b"",
    HEADER + b"0123456789abcde\r\n" * 60_000,
    *(HEADER + b"This is message %d.\r\n" % number for number in range(5, 301)),
]
STRAY = b"+OK stray\r\n"
WITHOUT_SASL = b"+OK\r\nUSER\r\n.\r\n"
OPTIONS = ServerOptions(failed_login_delay=0.0)
Fault = Callable[[int], Iterator[bytes]]


class WithoutPipelining(ServerOptions):
    def capabilities(
        self, *, stls: bool, user: bool, mechanisms: Sequence[str], logged_in: bool
    ) -> pop3.Capabilities:
        announced = super().capabilities(
            stls=stls, user=user, mechanisms=mechanisms, logged_in=logged_in
        )
        return pop3.Capabilities(tuple(line for line in announced.lines if line != "PIPELINING"))


class CountingConnection(pop3.ClientConnection):
    """An engine that tells how many commands have been in flight at once."""

    most_in_flight: ClassVar[int]

    def send(self, command: pop3.Command[Any]) -> bytes:
        data = super().send(command)
        cls = CountingConnection
        cls.most_in_flight = max(cls.most_in_flight, len(self.in_flight))
        return data


class Tokens:
    """The password is an access token, too."""

    def check_token(self, user: str, token: str) -> bool:
        return (user, token) == (USER, PASSWORD)


class FaultyMaildrop:
    def __init__(self, maildrop: Maildrop, faults: dict[int, Fault]) -> None:
        self._maildrop = maildrop
        self._faults = faults

    @property
    def messages(self) -> Sequence[StoredMessage]:
        return self._maildrop.messages

    def open(self, number: int) -> Iterator[bytes]:
        return self._faults.get(number, self._maildrop.open)(number)

    def commit(self, deleted: Collection[int]) -> None:
        self._maildrop.commit(deleted)

    def close(self) -> None:
        self._maildrop.close()


class FaultyMaildrops:
    """The messages above, some of which cannot be read as they should be."""

    def __init__(self, faults: dict[int, Fault]) -> None:
        self._maildrops = MemoryMaildrops({USER: MESSAGES[:3] + MESSAGES[-3:]})
        self._faults = faults

    def open(self, user: str) -> Maildrop:
        return FaultyMaildrop(self._maildrops.open(user), self._faults)


@dataclass
class Server:
    """A server, and what a client has to know of it."""

    loopback: LoopbackServer
    authority: trustme.CA
    host: str = "127.0.0.1"

    @property
    def port(self) -> int:
        return self.loopback.port


@contextmanager
def serving(
    maildrops: MaildropProvider | None = None,
    *,
    options: ServerOptions = OPTIONS,
    security: Security = Security.STLS,
    name: str = "127.0.0.1",
    strong: bool = False,
) -> Generator[Server]:
    """Run a server whose certificate is made out to ``name``; ``strong`` has every mechanism."""
    issuer = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    issued = issuer.issue_cert(name)
    issued.configure_cert(context)
    binding = end_point(ssl.PEM_cert_to_DER_cert(issued.cert_chain_pems[0].bytes().decode()))
    assert binding is not None
    passwords = Passwords({USER: PASSWORD})
    every = (
        *password_mechanisms(passwords, host=name, channel_bindings=[binding]),
        ServerXOAuth2(Tokens()),
    )
    with serve(
        maildrops or MemoryMaildrops({USER: MESSAGES}),
        users={USER: PASSWORD},
        options=options,
        mechanisms=every if strong else None,
        security=security,
        tls_context=None if security is Security.PLAINTEXT else context,
    ) as loopback:
        yield Server(loopback, issuer)


@dataclass
class HostileServer:
    """A server that says whatever a test wants, and what a client has to know of it."""

    port: int
    authority: trustme.CA
    host: str = "127.0.0.1"


def in_one_segment(*records: bytes) -> Callable[[Peer], None]:
    """Return an answer whose parts arrive together, each in a TLS record of its own."""

    def answer(peer: Peer) -> None:
        for cork in (1, 0):
            peer.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, cork)
            for record in records if cork else ():
                peer.say(record)

    return answer


def mechanisms_tried(server: Server) -> list[str]:
    return [line.split()[1] for line in server.loopback.commands if line.startswith("AUTH ")]


@dataclass
class Fetched:
    """What an example has brought back."""

    messages: dict[int | str, bytes] = field(default_factory=dict)
    refused: dict[int | str, str] = field(default_factory=dict)
    error: str = ""
    """The name of the exception's class and its message."""

    @classmethod
    def failed(cls, error: BaseException) -> Fetched:
        return cls(error=described(error))


def described(error: BaseException | None) -> str:
    return "" if error is None else f"{type(error).__name__}: {error}"


def run_script(
    command: Sequence[str],
    server: Server | HostileServer,
    folder: Path,
    password: str = PASSWORD,
    trusted: trustme.CA | None = None,
    mechanism: str | None = None,
) -> Fetched:
    """Run an example as its docstring says, in a process of its own that trusts the server."""
    authority = folder / "ca.pem"
    (trusted or server.authority).cert_pem.write_to_path(str(authority))
    messages = folder / "messages"
    messages.mkdir()
    where = [server.host, str(server.port), USER, str(messages)]
    paths = os.pathsep.join([str(ROOT), str(ROOT / "src")])
    done = subprocess.run(
        [sys.executable, *command, *where, *([] if mechanism is None else [mechanism])],
        env=os.environ
        | {"POP3_PASSWORD": password, "SSL_CERT_FILE": str(authority), "PYTHONPATH": paths},
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        timeout=30,
        check=False,
    )
    refused: dict[int | str, str] = {}
    error = ""
    for line in done.stderr.decode().splitlines():
        subject, _, text = line.partition(" was refused: ")
        if text:
            refused[int(subject.removeprefix("message "))] = text
        elif not line.startswith("qt."):  # Qt's own log.
            error = line
    assert (done.returncode != 0) is bool(error), done.stderr.decode()
    contents = {int(path.stem): path.read_bytes() for path in messages.iterdir()}
    return Fetched(dict(sorted(contents.items())), refused, error)


@dataclass(frozen=True)
class Job:
    """What an example is to do."""

    server: Server | HostileServer
    folder: Path
    password: str
    authority: trustme.CA
    """Who is trusted to issue the server's certificate."""
    timeout: float
    mechanism: str | None = None
    """How to log in, where the example can be told."""

    def context(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        self.authority.configure_trust(context)
        return context


def run_driver(module: ModuleType, job: Job) -> Fetched:
    """Run an example in a process of its own, with an engine that counts."""
    count = job.folder / "most_in_flight"
    command = [
        str(Path(__file__).with_name("driver.py")),
        str(job.timeout),
        str(count),
        module.__name__,
    ]
    fetched = run_script(
        command, job.server, job.folder, job.password, job.authority, job.mechanism
    )
    CountingConnection.most_in_flight = int(count.read_text())
    return fetched


class LoopContract(ABC):
    """Subclassed by the tests of each example; pytest runs what it inherits."""

    module: ModuleType
    """The example."""
    best = "SCRAM-SHA-512-PLUS"
    """The mechanism that it takes where the server has all of them."""

    @abstractmethod
    def run(self, job: Job) -> Fetched:
        """Let the example fetch all messages; ``CountingConnection`` counts meanwhile."""

    @pytest.fixture(autouse=True)
    def patching(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.monkeypatch = monkeypatch
        monkeypatch.setattr(pop3, "ClientConnection", CountingConnection)
        monkeypatch.setattr(CountingConnection, "most_in_flight", 0, raising=False)

    def fetch(
        self,
        server: Server | HostileServer,
        folder: Path,
        *,
        password: str = PASSWORD,
        trusted: trustme.CA | None = None,
        timeout: float = 20.0,
        mechanism: str | None = None,
    ) -> Fetched:
        self.monkeypatch.setattr(self.module, "TIMEOUT", timeout)
        authority = trusted or server.authority
        return self.run(Job(server, folder, password, authority, timeout, mechanism))

    def test_fetches_everything_with_commands_sent_ahead(self, tmp_path: Path) -> None:
        with serving() as server:
            fetched = self.fetch(server, tmp_path)
            server.loopback.wait_until_idle()
        assert fetched == Fetched(dict(enumerate(MESSAGES, 1)))
        assert CountingConnection.most_in_flight == 100
        assert [session.error for session in server.loopback.sessions] == [None]

    def test_without_pipelining_asks_for_one_message_at_a_time(self, tmp_path: Path) -> None:
        with serving(options=WithoutPipelining(failed_login_delay=0.0)) as server:
            fetched = self.fetch(server, tmp_path)
        assert fetched == Fetched(dict(enumerate(MESSAGES, 1)))
        assert CountingConnection.most_in_flight == 1

    def test_an_empty_maildrop(self, tmp_path: Path) -> None:
        with serving(MemoryMaildrops()) as server:
            assert self.fetch(server, tmp_path) == Fetched()

    def test_goes_on_behind_a_message_that_is_refused(self, tmp_path: Path) -> None:
        def unreadable(number: int) -> Iterator[bytes]:
            raise MaildropError("the disk is on fire")

        with serving(FaultyMaildrops({2: unreadable, 6: unreadable})) as server:
            fetched = self.fetch(server, tmp_path)
        assert list(fetched.messages) == [1, 3, 4, 5]
        assert list(fetched.refused) == [2, 6]
        assert all(fetched.refused.values())
        assert not fetched.error

    def test_a_wrong_password(self, tmp_path: Path) -> None:
        with serving() as server:
            fetched = self.fetch(server, tmp_path, password="wrong")
        assert fetched.error.startswith("CredentialsError: the server refused: ")
        assert "(at Auth(mechanism='PLAIN', initial_response=<secret>))" in fetched.error

    def test_takes_the_best_mechanism(self, tmp_path: Path) -> None:
        with serving(MemoryMaildrops(), strong=True) as server:
            assert self.fetch(server, tmp_path) == Fetched()
        assert set(mechanisms_tried(server)) == {self.best}

    def test_the_stream_ends_within_a_message(self, tmp_path: Path) -> None:
        def cut_off(number: int) -> Iterator[bytes]:
            yield HEADER + b"0123456789abcde\r\n" * 10_000
            raise OSError("the disk is gone")

        with serving(FaultyMaildrops({3: cut_off})) as server:
            fetched = self.fetch(server, tmp_path)
        assert fetched.error.startswith("ConnectionLostError: ")

    def test_the_server_falls_silent(self, tmp_path: Path) -> None:
        over = Event()

        def silent(number: int) -> Iterator[bytes]:
            yield HEADER
            over.wait(20)

        with serving(FaultyMaildrops({3: silent})) as server:
            try:
                fetched = self.fetch(server, tmp_path, timeout=0.5)
            finally:
                over.set()
        assert fetched.error.startswith(("DeadlineError: ", "TimeoutError: "))

    def test_a_server_without_stls(self, tmp_path: Path) -> None:
        with serving(security=Security.PLAINTEXT) as server:
            fetched = self.fetch(server, tmp_path)
        assert fetched.error.startswith("CommandError: ")
        assert "(at Stls())" in fetched.error

    def test_an_unknown_authority(self, tmp_path: Path) -> None:
        with serving() as server:
            fetched = self.fetch(server, tmp_path, trusted=trustme.CA())
            server.loopback.wait_until_idle()
        assert "certificate" in fetched.error.lower()
        assert [session.secure for session in server.loopback.sessions] == [False]

    def test_a_certificate_made_out_to_another_host(self, tmp_path: Path) -> None:
        with serving(name="other.example.org") as server:
            fetched = self.fetch(server, tmp_path)
            server.loopback.wait_until_idle()
        assert "mismatch" in fetched.error.lower() or "did not match" in fetched.error
        assert [session.user for session in server.loopback.sessions] == [None]

    @pytest.mark.skipif(not hasattr(socket, "TCP_CORK"), reason="takes Linux")
    @pytest.mark.parametrize(
        ("answers", "last"),
        [
            ({b"USER": in_one_segment(b"+OK\r\n", STRAY), b"PASS": b"-ERR no\r\n"}, b"USER"),
            ({b"CAPA": in_one_segment(WITHOUT_SASL, STRAY)}, b"CAPA"),
            ({b"LIST": in_one_segment(b"+OK\r\n.\r\n", STRAY), b"QUIT": b"-ERR no\r\n"}, b"LIST"),
            ({b"LIST": b"+OK\r\n.\r\n" + STRAY, b"QUIT": b"-ERR no\r\n"}, b"LIST"),
        ],
        ids=["login", "CAPA", "QUIT", "one record"],
    )
    def test_a_reply_that_came_before_a_command_does_not_answer_it(
        self, tmp_path: Path, answers: dict[bytes, Answer], last: bytes
    ) -> None:
        with hostile(Security.STLS, {b"CAPA": WITHOUT_SASL, **answers}) as server:
            fetched = self.fetch(HostileServer(server.port, authority()), tmp_path)
        assert fetched.error.startswith("RemoteProtocolError: a line that answers no command: +OK")
        assert server.secret[-1].split()[0] == last

    def test_the_stream_ends_after_an_answer(self, tmp_path: Path) -> None:
        def last(peer: Peer) -> None:
            peer.say(b"+OK\r\n1 5\r\n.\r\n")
            peer.socket.shutdown(socket.SHUT_WR)

        with hostile(Security.STLS, {b"LIST": last}) as server:
            fetched = self.fetch(HostileServer(server.port, authority()), tmp_path)
        # The end comes without close_notify, and some loops have an error of their own for that.
        errors = "ConnectionLostError: ", "SSLEOFError: ", "ConnectionLost: "
        assert fetched.error.startswith(errors)


class ScriptContract(LoopContract):
    """For examples that need nothing that the tests do not install."""

    def test_as_a_script(self, tmp_path: Path) -> None:
        with serving() as server:
            fetched = run_script([str(self.module.__file__)], server, tmp_path)
        assert fetched == Fetched(dict(enumerate(MESSAGES, 1)))


class AnyMechanismContract(ScriptContract):
    """For examples that can be told how to log in."""

    @pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "XOAUTH2", "PLAIN", "CRAM-MD5"])
    def test_takes_the_mechanism_that_it_is_told(self, tmp_path: Path, mechanism: str) -> None:
        with serving(MemoryMaildrops(), strong=True) as server:
            assert self.fetch(server, tmp_path, mechanism=mechanism) == Fetched()
        assert mechanisms_tried(server) == [mechanism]

    @pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "XOAUTH2"])
    def test_a_wrong_secret_for_it(self, tmp_path: Path, mechanism: str) -> None:
        with serving(strong=True) as server:
            fetched = self.fetch(server, tmp_path, mechanism=mechanism, password="wrong")
        assert "the server refused" in fetched.error
        # XOAUTH2 sends nothing with AUTH.
        first = "None" if mechanism == "XOAUTH2" else "<secret>"
        assert f"(at Auth(mechanism='{mechanism}', initial_response={first}))" in fetched.error
