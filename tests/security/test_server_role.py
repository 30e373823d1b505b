"""What may be done to a server, and what it does instead: one group of tests for each attack."""

import hmac
import os
import re
import socket
import ssl
import tracemalloc
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest

from pop3proto import Auth, AuthResponse, Challenge, ClientConnection, Leniency, Limits, State
from pop3proto.errors import MaildropError, StlsInjectionError
from pop3proto.sasl import apop_command
from pop3proto.server import (
    Action,
    Close,
    Delay,
    MaildirMaildrops,
    MemoryMaildrops,
    NeedData,
    Send,
    ServerOptions,
    ServerSession,
    StartTls,
    StoredMessage,
)
from pop3proto.testing import LoopbackServer, serve
from pop3proto.transports import Security

USERS = {"user": "secret", "other": "geheim"}
LOGIN = b"USER user\r\nPASS secret\r\n"
CLEARTEXT = ServerOptions(allow_plaintext_auth=True, failed_login_delay=0)


@pytest.fixture
def maildrops() -> MemoryMaildrops:
    return MemoryMaildrops({"user": [b"one\r\n", b"two\r\n"]})


def act(session: ServerSession, data: bytes | None = None) -> list[Action]:
    """Everything the session wants done with ``data``, until it waits or is over."""
    if data is not None:
        session.receive_data(data)
    actions = [session.next_action()]
    while not isinstance(actions[-1], NeedData | StartTls | Close):
        actions.append(session.next_action())
    return actions


def sent(actions: list[Action]) -> bytes:
    return b"".join(action.data for action in actions if isinstance(action, Send))


def session_of(maildrops: Any, **options: Any) -> ServerSession:
    options.setdefault("secure", True)
    session = ServerSession(maildrops, USERS, **options)
    act(session)
    return session


@contextmanager
def connected(server: LoopbackServer) -> Iterator[socket.socket]:
    with socket.create_connection((server.host, server.port), timeout=30) as connection:
        assert connection.recv(1000).startswith(b"+OK")
        yield connection


def everything_from(connection: socket.socket) -> bytes:
    received = b""
    while data := connection.recv(65536):
        received += data
    return received


def read_until(connection: socket.socket, end: bytes) -> bytes:
    received = b""
    while not received.endswith(end):
        data = connection.recv(65536)
        assert data, received
        received += data
    return received


# Commands sent behind STLS in plaintext


@pytest.mark.parametrize(
    "injected", [LOGIN + b"DELE 1\r\nQUIT\r\n", b"\r\n", b"N", b"\x16\x03\x01"]
)
def test_what_is_buffered_at_stls_is_never_run(maildrops: MemoryMaildrops, injected: bytes) -> None:
    session = session_of(maildrops, secure=False, offer_stls=True, options=CLEARTEXT)
    actions = act(session, b"STLS\r\n" + injected)
    # The answer, and then the end: nobody is asked to begin TLS.
    assert actions == [Send(b"+OK begin TLS now\r\n"), Close()]
    assert isinstance(session.error, StlsInjectionError)
    assert session.user is None


def test_what_comes_in_the_clear_before_the_handshake_is_never_run(
    maildrops: MemoryMaildrops,
) -> None:
    session = session_of(maildrops, secure=False, offer_stls=True, options=CLEARTEXT)
    assert act(session, b"STLS\r\n")[-1] == StartTls()
    session.receive_data(LOGIN)
    with pytest.raises(StlsInjectionError):
        session.tls_established()
    assert act(session) == [Close()]
    assert session.user is None


@pytest.mark.parametrize("together", [True, False])
def test_injection_on_the_wire(maildrops: MemoryMaildrops, together: bool) -> None:
    with (
        serve(maildrops, users=USERS, options=CLEARTEXT) as server,
        connected(server) as connection,
    ):
        if together:
            connection.sendall(b"STLS\r\n" + LOGIN)
        else:
            connection.sendall(b"STLS\r\n")
            assert connection.recv(100) == b"+OK begin TLS now\r\n"
            connection.sendall(LOGIN)
        connection.shutdown(socket.SHUT_WR)
        assert b"password" not in everything_from(connection)
        server.wait_until_idle()
        assert server.sessions[0].user is None


def test_commands_sent_behind_stls_do_not_come_out_inside_tls(maildrops: MemoryMaildrops) -> None:
    with serve(maildrops, users=USERS) as server, connected(server) as connection:
        connection.sendall(b"STLS\r\nNOOP\r\n")
        assert connection.recv(100) == b"+OK begin TLS now\r\n"
        with pytest.raises((ssl.SSLError, ConnectionError)):
            server.client_context().wrap_socket(connection, server_hostname=server.host)


# Command lines without end, NUL, bare LF, 8-bit


@pytest.mark.parametrize("start", [b"X", b"NOOP ", b"AUTH PLAIN "])
def test_one_answer_for_one_line_however_long(maildrops: MemoryMaildrops, start: bytes) -> None:
    session = session_of(maildrops)
    answers = sent(act(session, start))
    tracemalloc.start()
    for _ in range(1000):
        answers += sent(act(session, b"x" * 20_000))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    answers += sent(act(session, b"\r\nCAPA\r\n"))
    assert answers.startswith(b"-ERR the line is too long\r\n+OK\r\n")
    assert answers.count(b"-ERR") == 1
    assert peak < 1_000_000


def test_an_answer_within_auth_is_no_longer_than_the_limit(maildrops: MemoryMaildrops) -> None:
    class Asking:
        """Asks for more, and says how much it got."""

        name, shows_password = "X-OWN", False

        def begin(self) -> "Asking":
            return self

        def respond(self, response: bytes | None) -> bytes:
            return b"%d" % len(response or b"")

    session = session_of(maildrops, mechanisms=[Asking()], limits=Limits(challenge=100))
    assert sent(act(session, b"AUTH X-OWN\r\n")) == Challenge(Auth("X-OWN"), b"0").to_bytes()
    fits, too_long = (AuthResponse(b"x" * octets).to_bytes() for octets in (100, 101))
    assert sent(act(session, fits)) == Challenge(Auth("X-OWN"), b"100").to_bytes()
    assert sent(act(session, too_long)) == b"-ERR the answer is too long\r\n"
    assert session.state is State.AUTHORIZATION
    assert sent(act(session, b"AUTH X-OWN " + too_long)) == b"-ERR the answer is too long\r\n"
    assert session.state is State.AUTHORIZATION
    assert b"+OK 2 messages" in sent(act(session, LOGIN))


@pytest.mark.parametrize(
    ("length", "line"),
    [(512, b"USER %s\r\n"), (8192, b"AUTH PLAIN %s\r\n")],
)
def test_the_longest_line(maildrops: MemoryMaildrops, length: int, line: bytes) -> None:
    session = session_of(maildrops)
    room = length - len(line) + 2
    # An argument that fills the line is looked at; with one octet more nothing is.
    assert b"too long" in sent(act(session, line % (b"A" * (room + 1))))
    assert b"the line is too long" not in sent(act(session, line % (b"A" * room)))


@pytest.mark.parametrize(
    "line", [b"CA\0PA\r\n", b"CAPA\0\r\n", b"USER user\nPASS secret\r\n", b"USER us\xc3\xa9r\r\n"]
)
def test_nul_bare_lf_and_8_bit_are_refused_in_strict_mode(
    maildrops: MemoryMaildrops, line: bytes
) -> None:
    session = session_of(maildrops, leniency=Leniency.none())
    actions = act(session, line)
    assert re.fullmatch(rb"-ERR [^\r\n]+\r\n", sent(actions))
    assert session.user is None


def test_nul_is_refused_in_any_mode(maildrops: MemoryMaildrops) -> None:
    assert sent(act(session_of(maildrops), b"USER user\0\r\n")).startswith(b"-ERR")


def test_a_bare_lf_within_a_pipeline_does_not_make_two_commands_of_one_in_strict_mode(
    maildrops: MemoryMaildrops,
) -> None:
    session = session_of(maildrops, leniency=Leniency.none())
    act(session, LOGIN)
    assert sent(act(session, b"NOOP\nDELE 1\r\nQUIT\r\n")).endswith(b"+OK goodbye\r\n")
    assert len(maildrops.contents("user")) == 2


# Endless bad commands or logins


@pytest.mark.parametrize(
    "line", [b"X\r\n", b"STAT\r\n", b"\r\n", b"RPOP x\r\n", b"\0\r\n", b"AUTH X-NO\r\n"]
)
def test_bad_commands_have_an_end(maildrops: MemoryMaildrops, line: bytes) -> None:
    session = session_of(maildrops)
    actions = act(session, line * 1000)
    assert sent(actions).count(b"-ERR") == len(actions) - 1 == 20
    assert actions[-1] == Close()


def attempts() -> list[bytes]:
    return [
        LOGIN.replace(b"secret", b"wrong"),
        b"AUTH PLAIN AHVzZXIAd3Jvbmc=\r\n",
        b"AUTH PLAIN\r\nAHVzZXIAd3Jvbmc=\r\n",
        b"APOP user " + b"0" * 32 + b"\r\n",
    ]


@pytest.mark.parametrize("attempt", attempts())
def test_logins_have_an_end_and_failures_come_late(
    maildrops: MemoryMaildrops, attempt: bytes
) -> None:
    session = session_of(maildrops)
    actions = act(session, attempt * 1000)
    failures = [number for number, action in enumerate(actions) if b"-ERR" in sent([action])]
    assert len(failures) == 3
    # However many logins were sent ahead, each failure is answered behind a delay of its own.
    assert all(actions[number - 1] == Delay(2.0) for number in failures)
    assert actions[-1] == Close()


@pytest.mark.parametrize("attempt", attempts())
def test_an_unknown_user_looks_like_a_wrong_password(
    maildrops: MemoryMaildrops, attempt: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    work: list[Any] = []
    real_digest, real_compare = hmac.digest, hmac.compare_digest

    def digest(*args: Any) -> bytes:
        work.append("digest")
        return real_digest(*args)

    def compare(a: Any, b: Any) -> bool:
        work.append(("compare", len(a), len(b)))
        return real_compare(a, b)

    monkeypatch.setattr(hmac, "digest", digest)
    monkeypatch.setattr(hmac, "compare_digest", compare)
    seen = []
    # Nobody is called none; the same in base64, where that is what the line holds.
    unknown = attempt.replace(b"user", b"none").replace(b"AHVzZXIA", b"AG5vbmUA")
    assert unknown != attempt
    for line in (attempt, unknown):
        work.clear()
        seen.append((act(session_of(maildrops, timestamp="<1@example.org>"), line), list(work)))
    assert seen[0] == seen[1]
    assert len(seen[0][1]) in (1, 3)


def test_user_says_nothing_about_users(maildrops: MemoryMaildrops) -> None:
    session = session_of(maildrops)
    assert act(session, b"USER user\r\n") == act(session, b"USER nobody\r\n")


# USER/PASS and PLAIN without TLS


def test_passwords_are_not_offered_and_not_taken_without_tls(maildrops: MemoryMaildrops) -> None:
    session = session_of(maildrops, secure=False, offer_stls=True)
    capabilities = sent(act(session, b"CAPA\r\n"))
    assert b"\r\nSTLS\r\n" in capabilities
    assert b"USER\r\n" not in capabilities.replace(b"UTF8 USER\r\n", b"")
    assert b"SASL" not in capabilities
    refused = b"-ERR [AUTH] a password is only taken under TLS\r\n"
    for line in (b"USER user\r\n", b"PASS secret\r\n", b"AUTH PLAIN\r\n"):
        assert sent(act(session, line)) == refused
    # Refused before it is checked: the answer to the right password is no other.
    assert sent(act(session, b"AUTH PLAIN AHVzZXIAc2VjcmV0\r\n")) == refused
    assert sent(act(session, b"AUTH PLAIN AHVzZXIAd3Jvbmc=\r\n")) == refused
    assert session.user is None


def test_passwords_in_the_clear_on_the_wire(maildrops: MemoryMaildrops) -> None:
    with serve(maildrops, users=USERS) as server, connected(server) as connection:
        connection.sendall(LOGIN + b"QUIT\r\n")
        assert everything_from(connection).count(b"-ERR [AUTH]") == 2


# APOP stamps


def test_apop_stamps_are_unique_and_unguessable(maildrops: MemoryMaildrops) -> None:
    stamps = set()
    for _ in range(1000):
        greeting = sent(act(ServerSession(maildrops, USERS)))
        match = re.search(rb"<([0-9a-f]+)@localhost>\r\n", greeting)
        assert match is not None
        stamps.add(match[1])
    assert len(stamps) == 1000
    # 128 bits, each of them one half of the time.
    assert {len(stamp) for stamp in stamps} == {32}
    for bit in range(128):
        ones = sum(int(stamp, 16) >> bit & 1 for stamp in stamps)
        assert 350 < ones < 650


def test_a_digest_does_not_work_twice(maildrops: MemoryMaildrops) -> None:
    client = ClientConnection()
    first = ServerSession(maildrops, USERS)
    client.receive_data(sent(act(first)))
    greeting: Any = client.next_event()
    digest = apop_command("user", greeting.timestamp, "secret").to_bytes()
    assert sent(act(first, digest)).startswith(b"+OK")
    first.close()
    second = ServerSession(maildrops, USERS)
    act(second)
    assert sent(act(second, digest)).startswith(b"-ERR [AUTH]")


# Two sessions on one maildrop


ENDS = ["quit", "close", "reset", "timeout", "bad commands", "end within a command"]


@pytest.mark.parametrize("end", ENDS)
def test_the_second_session_waits_for_the_end_of_the_first(
    maildrops: MemoryMaildrops, end: str
) -> None:
    with serve(
        maildrops,
        users=USERS,
        security=Security.PLAINTEXT,
        options=CLEARTEXT,
        idle_timeout=0.5 if end == "timeout" else 30,
    ) as server:
        with connected(server) as first, connected(server) as second:
            first.sendall(LOGIN)
            read_until(first, b"octets)\r\n")
            second.sendall(LOGIN)
            assert b"-ERR [IN-USE] " in read_until(second, b"maildrop\r\n")
            if end == "quit":
                first.sendall(b"QUIT\r\n")
            elif end == "reset":
                linger_on_zero = b"\1\0\0\0\0\0\0\0"
                first.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_on_zero)
            elif end == "bad commands":
                first.sendall(b"X\r\n" * 20)
            elif end == "end within a command":
                first.sendall(b"DELE 1")
            if end == "timeout":
                first.recv(1)
            else:
                first.close()
        server.wait_until_idle()
        with connected(server) as third:
            third.sendall(LOGIN)
            assert b"2 messages" in read_until(third, b"octets)\r\n")


# A connection that is lost, timed out or killed before QUIT


@pytest.mark.parametrize("end", [*ENDS[1:], "server"])
def test_without_quit_nothing_is_deleted(maildrops: MemoryMaildrops, end: str) -> None:
    with serve(
        maildrops,
        users=USERS,
        security=Security.PLAINTEXT,
        options=CLEARTEXT,
        idle_timeout=0.5 if end == "timeout" else 30,
    ) as server:
        with connected(server) as connection:
            connection.sendall(LOGIN + b"DELE 1\r\nDELE 2\r\n")
            read_until(connection, b"message 2 is deleted\r\n")
            if end == "reset":
                linger_on_zero = b"\1\0\0\0\0\0\0\0"
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_on_zero)
            elif end == "bad commands":
                connection.sendall(b"X\r\n" * 20 + b"QUIT\r\n")
                everything_from(connection)
            elif end == "end within a command":
                # Without its CRLF it is no QUIT.
                connection.sendall(b"QUIT")
            elif end == "timeout":
                connection.recv(1)
            elif end == "server":
                server.close()
        server.wait_until_idle()
        assert server.sessions[0].deleted == set()
    assert maildrops.contents("user") == [b"one\r\n", b"two\r\n"]
    assert not maildrops.in_use("user")


# QUIT whose deletions fail in part


def test_deletions_that_fail_in_part_on_the_wire(maildrops: MemoryMaildrops) -> None:
    maildrops.undeletable.add(b"message-1")
    with serve(maildrops, users=USERS, security=Security.PLAINTEXT, options=CLEARTEXT) as server:
        with connected(server) as connection:
            connection.sendall(LOGIN + b"DELE 1\r\nDELE 2\r\nQUIT\r\n")
            answers = everything_from(connection).splitlines()
        assert answers[-1] == b"-ERR [SYS/TEMP] some deleted messages not removed"
        (session,) = server.sessions
        assert [session.deleted, session.failed] == [{2}, {1}]
    assert maildrops.contents("user") == [b"one\r\n"]


# A client that never reads, or sends one octet a minute


class Endless:
    """A maildrop with one message that never ends; what is read of it is counted."""

    messages = (StoredMessage(10, b"endless"),)
    octets = 0
    closed = False

    def open(self, number: int) -> Iterator[bytes]:
        while True:
            self.octets += 1002
            yield b"x" * 1000 + b"\r\n"

    def commit(self, deleted: Collection[int]) -> None:
        raise AssertionError

    def close(self) -> None:
        self.closed = True


class EndlessMaildrops:
    def __init__(self) -> None:
        self.maildrop = Endless()

    def open(self, user: str) -> Endless:
        return self.maildrop


def test_a_client_that_never_reads_costs_no_memory() -> None:
    maildrops = EndlessMaildrops()
    with (
        serve(
            maildrops,
            users=USERS,
            security=Security.PLAINTEXT,
            options=CLEARTEXT,
            idle_timeout=0.5,
        ) as server,
        connected(server) as connection,
    ):
        connection.sendall(LOGIN + b"RETR 1\r\n" * 1000)
        server.wait_until_idle()
        assert isinstance(server.disconnects[0], TimeoutError)
    # What the kernel's buffers hold, and not what the client asked for.
    assert maildrops.maildrop.octets < 50_000_000
    assert maildrops.maildrop.closed


def test_nothing_is_read_ahead_of_what_is_sent() -> None:
    maildrops = EndlessMaildrops()
    session = session_of(maildrops)
    act(session, LOGIN)
    session.receive_data(b"RETR 1\r\n" * 1000)
    octets = 0
    for _ in range(100):
        action = session.next_action()
        assert isinstance(action, Send)
        octets += len(action.data)
        assert maildrops.maildrop.octets <= octets
        # A piece is not much larger than what the maildrop returns, or what is worth sending.
        assert len(action.data) <= 16 * 1024 + 1002
    session.close()


def test_an_octet_at_a_time_gains_no_time(maildrops: MemoryMaildrops) -> None:
    with (
        serve(maildrops, users=USERS, security=Security.PLAINTEXT, idle_timeout=0.4) as server,
        connected(server) as connection,
    ):
        begun = monotonic()
        with suppress(ConnectionError):
            while monotonic() - begun < 10:
                connection.sendall(b"N")
                sleep(0.02)
        assert monotonic() - begun < 5
        server.wait_until_idle()
        assert isinstance(server.disconnects[0], TimeoutError)


# Message content


CONTENTS = [
    b"",
    b".",
    b".\r\n",
    b".\n",
    b"\r\n.\r\n",
    b"\n.\n",
    b"\r\n.\n",
    b"\n.\r\n",
    b"a\n.\r\n-ERR b\n",
    b"a\r.\rb",
    b"a\r\n.\r.\n.",
    b"a\r",
    b"\r.\r\n.\r",
    b"a\r\r\n.\r\r\n",
    b"no newline",
    b"..\r\n...\r\n",
    b"nul \0 and \xff\r\n",
    b"a\n.\n.\r\n..\n" * 20_000,
]


def on_the_wire(content: bytes) -> bytes:
    """What a client gets: bare LFs as CRLF, and a line end at the end; nothing else changes."""
    normalised = re.sub(rb"(?<!\r)\n", b"\r\n", content)
    return normalised if not normalised or normalised.endswith(b"\r\n") else normalised + b"\r\n"


@pytest.mark.parametrize("content", CONTENTS)
@pytest.mark.parametrize("verb", [b"RETR 1", b"TOP 1 999999"])
def test_content_never_ends_a_message(content: bytes, verb: bytes) -> None:
    session = session_of(MemoryMaildrops({"user": [content]}))
    act(session, LOGIN)
    octets = int(sent(act(session, b"LIST 1\r\n")).split()[-1])
    answer = sent(act(session, verb + b"\r\n")).split(b"\r\n", 1)[1]
    # By the words of RFC 1939 section 3: the first line that is a dot alone ends it.
    end = (b"\r\n" + answer).index(b"\r\n.\r\n")
    lines = answer[:end]
    assert answer[end:] == b".\r\n"
    unstuffed = re.sub(rb"(?:\A|(?<=\r\n))\.", b"", lines)
    assert unstuffed == on_the_wire(content)
    assert len(unstuffed) == octets


# User names and UIDs as paths


@pytest.mark.parametrize(
    "user",
    [
        "../outside",
        "..",
        ".",
        "/etc",
        "a/../../outside",
        "..\\outside",
        "user/new/1.a",
        "%2e%2e",
        "user/",
        "C:outside",
    ],
)
def test_user_names_never_leave_the_folder(tmp_path: Path, user: str) -> None:
    root = tmp_path / "mail"
    (tmp_path / "outside" / "new").mkdir(parents=True)
    (tmp_path / "outside" / "new" / "1.a").write_bytes(b"private")
    maildrops = MaildirMaildrops(root)
    session = ServerSession(maildrops, {user: "secret"}, secure=True)
    answer = sent(act(session, b"USER %s\r\nPASS secret\r\nUIDL\r\n" % user.encode()))
    session.close()
    assert b"0 messages" in answer
    (folder,) = root.iterdir()
    assert folder.is_dir()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mail", "outside"]
    assert [path.name for path in (tmp_path / "outside").iterdir()] == ["new"]


@pytest.mark.parametrize("user", ["x" * 300, "\0" * 100, "a\udcff"])
def test_names_that_can_have_no_folder_get_none(tmp_path: Path, user: str) -> None:
    with pytest.raises(MaildropError):
        MaildirMaildrops(tmp_path).open(user)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("argument", [b"../1.a", b"1.a", b"/etc/passwd", b"1/../2"])
@pytest.mark.parametrize("verb", [b"RETR", b"DELE", b"UIDL", b"LIST"])
def test_unique_ids_and_paths_are_no_message_numbers(
    tmp_path: Path, verb: bytes, argument: bytes
) -> None:
    maildrops = MaildirMaildrops(tmp_path)
    maildrops.open("user").close()
    (tmp_path / "user" / "new" / "1.a").write_bytes(b"text\n")
    session = session_of(maildrops)
    act(session, LOGIN)
    answer = sent(act(session, verb + b" " + argument + b"\r\n"))
    assert answer == b"-ERR no such message\r\n"
    session.close()


@pytest.mark.skipif(os.name != "posix", reason="needs the file system of a UNIX")
def test_a_link_in_a_maildir_shows_nothing(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"private")
    maildrops = MaildirMaildrops(tmp_path / "mail")
    maildrops.open("user").close()
    new = tmp_path / "mail" / "user" / "new"
    (new / "1.link").symlink_to(tmp_path / "secret")
    (new / "2.real").write_bytes(b"text\n")
    session = session_of(maildrops)
    assert b"1 messages" in sent(act(session, LOGIN))
    assert b"1 2.real\r\n" in sent(act(session, b"UIDL\r\n"))
    # Not even one that takes the place of a message later on.
    (new / "2.real").unlink()
    (new / "2.real").symlink_to(tmp_path / "secret")
    assert b"private" not in sent(act(session, b"RETR 1\r\n"))
    session.close()
