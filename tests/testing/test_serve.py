import errno
import poplib
import re
import socket
import ssl
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest
import trustme

from pop3proto import Secret
from pop3proto.errors import LocalProtocolError, StlsInjectionError
from pop3proto.server import (
    MaildirMaildrops,
    Maildrop,
    MemoryMaildrops,
    ServerOptions,
    ServerSession,
    Verdict,
)
from pop3proto.testing import LoopbackServer, VirtualClock, channel, serve
from pop3proto.testing.sessions import Sessions
from pop3proto.transports import Security

ONE = b"Subject: one\r\n\r\nFirst.\r\n.dot\r\n"
USERS = {"user": "secret"}
CLEARTEXT = ServerOptions(allow_plaintext_auth=True, failed_login_delay=0)


@pytest.fixture
def maildrops() -> MemoryMaildrops:
    return MemoryMaildrops({"user": [ONE, b"Subject: two\n\nText."]})


def poplib_client(server: LoopbackServer) -> poplib.POP3:
    if server.security is Security.TLS:
        context = server.client_context()
        return poplib.POP3_SSL(server.host, server.port, context=context, timeout=30)
    client = poplib.POP3(server.host, server.port, timeout=30)
    if server.security is Security.STLS:
        client.stls(server.client_context())
    return client


def plain_socket(server: LoopbackServer) -> socket.socket:
    connection = socket.create_connection((server.host, server.port), timeout=30)
    assert connection.recv(1000).startswith(b"+OK localhost POP3 server ready")
    return connection


def everything_from(connection: socket.socket) -> bytes:
    received = b""
    while data := connection.recv(65536):
        received += data
    return received


@pytest.mark.parametrize("security", Security)
def test_a_session_with_the_standard_librarys_client(
    maildrops: MemoryMaildrops, security: Security
) -> None:
    with serve(maildrops, users=USERS, security=security, options=CLEARTEXT) as server:
        client = poplib_client(server)
        assert client.user("user").startswith(b"+OK")
        assert client.pass_("secret").startswith(b"+OK 2 messages")
        octets = len(ONE) + 23
        assert client.stat() == (2, octets)
        assert client.list()[1] == [b"1 %d" % len(ONE), b"2 23"]
        assert client.uidl()[1] == [b"1 message-1", b"2 message-2"]
        assert client.retr(1)[1] == [b"Subject: one", b"", b"First.", b".dot"]
        assert client.retr(2)[1:] == ([b"Subject: two", b"", b"Text."], 23)
        assert client.top(1, 1)[1] == [b"Subject: one", b"", b"First."]
        assert client.dele(1).startswith(b"+OK")
        assert "IMPLEMENTATION" in client.capa()
        assert client.quit().startswith(b"+OK")
        server.wait_until_idle()
        assert [session.deleted for session in server.sessions] == [{1}]
        assert server.sessions[0].secure is (security is not Security.PLAINTEXT)
        assert server.disconnects == server.errors == []
    assert maildrops.contents("user") == [b"Subject: two\n\nText."]


def test_apop_with_the_standard_librarys_client(maildrops: MemoryMaildrops) -> None:
    with serve(maildrops, users=USERS, security=Security.PLAINTEXT) as server:
        client = poplib_client(server)
        assert client.apop("user", "secret").startswith(b"+OK")
        client.quit()


def test_a_maildir_behind_it(tmp_path: Path) -> None:
    maildrops = MaildirMaildrops(tmp_path)
    maildrops.open("user").close()
    (tmp_path / "user" / "new" / "1.a").write_bytes(b"Subject: one\n\nText.\n")
    with serve(maildrops, users=USERS, security=Security.TLS) as server:
        client = poplib_client(server)
        client.user("user")
        client.pass_("secret")
        assert client.retr(1)[1] == [b"Subject: one", b"", b"Text."]
        assert client.uidl()[1] == [b"1 1.a"]
        client.dele(1)
        client.quit()
    assert list((tmp_path / "user" / "new").iterdir()) == []


@pytest.mark.parametrize("security", [Security.PLAINTEXT, Security.TLS])
def test_large_messages_and_long_pipelines(security: Security) -> None:
    large = (b"x" * 76 + b"\r\n") * 40_000
    small = [b"Subject: %d\r\n\r\n.\r\n" % number for number in range(2000)]
    maildrops = MemoryMaildrops({"user": [large, *small]})
    commands = b"USER user\r\nPASS secret\r\n"
    commands += b"".join(b"RETR %d\r\n" % number for number in range(1, 2002)) + b"QUIT\r\n"
    with serve(maildrops, users=USERS, security=security, options=CLEARTEXT) as server:
        connection = socket.create_connection((server.host, server.port), timeout=30)
        if security is Security.TLS:
            context = server.client_context()
            connection = context.wrap_socket(connection, server_hostname=server.host)
        with connection:
            connection.sendall(commands)
            received = everything_from(connection)
    bodies = received.split(b"\r\n.\r\n")
    assert len(bodies) == 2002
    assert bodies[0].endswith(large[:-2])
    assert re.fullmatch(rb"\+OK \d+ octets\r\nSubject: 1999\r\n\r\n\.\.", bodies[2000])
    assert bodies[2001] == b"+OK goodbye\r\n"


def test_many_clients_at_once() -> None:
    users = {f"user{number}": "secret" for number in range(20)}
    maildrops = MemoryMaildrops({user: [ONE] for user in users})
    with serve(maildrops, users=users, security=Security.PLAINTEXT, options=CLEARTEXT) as server:
        clients = [poplib_client(server) for _ in users]
        for client, user in zip(clients, users, strict=True):
            client.user(user)
            client.pass_("secret")
        # All of them are logged in at the same time.
        assert all(maildrops.in_use(user) for user in users)
        for client in clients:
            assert client.retr(1)[2] == len(ONE)
            client.quit()
        server.wait_until_idle()
    assert len(server.sessions) == 20


def test_the_certificate_is_trusted_by_the_servers_context_only(
    maildrops: MemoryMaildrops,
) -> None:
    with serve(maildrops, users=USERS, security=Security.TLS) as server:
        context = server.client_context()
        with pytest.raises(ssl.SSLCertVerificationError):
            poplib.POP3_SSL(
                server.host, server.port, context=ssl.create_default_context(), timeout=30
            )
        with (
            socket.create_connection((server.host, server.port)) as connection,
            pytest.raises(ssl.SSLCertVerificationError),
        ):
            context.wrap_socket(connection, server_hostname="mail.example.org")
        with (
            socket.create_connection(("localhost", server.port)) as connection,
            context.wrap_socket(connection, server_hostname="localhost") as secured,
        ):
            assert secured.recv(100).startswith(b"+OK")
        server.wait_until_idle()
        assert len(server.disconnects) == 2
        assert all(isinstance(error, ssl.SSLError) for error in server.disconnects)


def test_a_context_of_the_callers_own(maildrops: MemoryMaildrops) -> None:
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("mail.example.org").configure_cert(context)
    with serve(maildrops, users=USERS, security=Security.TLS, tls_context=context) as server:
        assert server.tls_context is context
        with pytest.raises(LocalProtocolError, match="certificate"):
            server.client_context()
        trusting = ssl.create_default_context()
        authority.configure_trust(trusting)
        with (
            socket.create_connection((server.host, server.port)) as connection,
            trusting.wrap_socket(connection, server_hostname="mail.example.org") as secured,
        ):
            assert secured.recv(100).startswith(b"+OK")


def test_a_plaintext_server_has_no_certificate(maildrops: MemoryMaildrops) -> None:
    with serve(maildrops, users=USERS, security=Security.PLAINTEXT) as server:
        assert server.tls_context is None
        with pytest.raises(LocalProtocolError, match="certificate"):
            server.client_context()
        with closing(poplib_client(server)) as client:
            assert "STLS" not in client.capa()


def test_tls_without_trustme(maildrops: MemoryMaildrops, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "trustme", None)
    with (
        pytest.raises(ImportError, match=r"pip install pop3proto\[testing\]"),
        serve(maildrops, users=USERS, security=Security.TLS),
    ):
        pass
    with serve(maildrops, users=USERS, security=Security.PLAINTEXT):
        pass


def test_the_end_of_the_block_ends_every_connection(maildrops: MemoryMaildrops) -> None:
    threads = threading.active_count()
    with serve(maildrops, users=USERS, security=Security.PLAINTEXT, options=CLEARTEXT) as server:
        silent = plain_socket(server)
        working = plain_socket(server)
        working.sendall(b"USER user\r\nPASS secret\r\nDELE 1\r\n")
        while b"deleted" not in working.recv(1000):
            pass
        begun = time.monotonic()
    assert time.monotonic() - begun < 5
    for connection in (silent, working):
        with connection:
            assert connection.recv(1) == b""
    assert threading.active_count() == threads
    assert len(maildrops.contents("user")) == 2
    assert not maildrops.in_use("user")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((server.host, server.port), timeout=30)


def test_the_end_of_the_block_does_not_wait_for_delays(maildrops: MemoryMaildrops) -> None:
    options = ServerOptions(allow_plaintext_auth=True, failed_login_delay=600)
    with serve(maildrops, users=USERS, security=Security.PLAINTEXT, options=options) as server:
        with plain_socket(server) as connection:
            connection.sendall(b"USER user\r\nPASS wrong\r\n")
            assert connection.recv(1000).startswith(b"+OK")
        begun = time.monotonic()
    assert time.monotonic() - begun < 5


def test_a_silent_client_is_disconnected(maildrops: MemoryMaildrops) -> None:
    with (
        serve(maildrops, users=USERS, security=Security.PLAINTEXT, idle_timeout=0.2) as server,
        plain_socket(server) as connection,
    ):
        assert connection.recv(1) == b""
        server.wait_until_idle()
        (error,) = server.disconnects
        assert isinstance(error, TimeoutError)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> VirtualClock:
    """The clock of the server's deadlines."""
    clock = VirtualClock()
    monkeypatch.setattr(channel, "monotonic", clock.now)
    return clock


def test_octets_that_make_no_command_gain_no_time(
    maildrops: MemoryMaildrops, clock: VirtualClock
) -> None:
    with (
        serve(maildrops, users=USERS, security=Security.PLAINTEXT) as server,
        plain_socket(server) as connection,
    ):
        with suppress(ConnectionError):
            for _ in range(500):
                clock.advance(250)
                connection.sendall(b"X")
                time.sleep(0.001)
        server.wait_until_idle()
        assert isinstance(server.disconnects[0], TimeoutError)


def test_every_answer_gives_new_time(maildrops: MemoryMaildrops, clock: VirtualClock) -> None:
    with (
        serve(maildrops, users=USERS, security=Security.PLAINTEXT) as server,
        plain_socket(server) as connection,
    ):
        for _ in range(6):
            clock.advance(500)
            connection.sendall(b"LANG en\r\n")
            assert connection.recv(100) == b"+OK en English\r\n"


def test_a_client_that_never_reads_is_disconnected() -> None:
    maildrops = MemoryMaildrops({"user": [b"x" * 50_000_000]})
    options = CLEARTEXT
    with (
        serve(
            maildrops, users=USERS, security=Security.PLAINTEXT, options=options, idle_timeout=0.3
        ) as server,
        plain_socket(server) as connection,
    ):
        connection.sendall(b"USER user\r\nPASS secret\r\nDELE 1\r\nRETR 1\r\n")
        server.wait_until_idle()
        assert isinstance(server.disconnects[0], TimeoutError)
    assert not maildrops.in_use("user")
    assert len(maildrops.contents("user")) == 1


@pytest.mark.parametrize("security", [Security.TLS, Security.STLS])
def test_a_handshake_has_a_deadline(maildrops: MemoryMaildrops, security: Security) -> None:
    with serve(maildrops, users=USERS, security=security, idle_timeout=0.3) as server:
        connection = socket.create_connection((server.host, server.port), timeout=30)
        with connection:
            if security is Security.STLS:
                connection.recv(100)
                connection.sendall(b"STLS\r\n")
                connection.recv(100)
            assert connection.recv(1) == b""
        server.wait_until_idle()
        assert isinstance(server.disconnects[0], TimeoutError)


@pytest.mark.parametrize("security", [Security.TLS, Security.STLS])
def test_a_handshake_that_breaks_off(maildrops: MemoryMaildrops, security: Security) -> None:
    with serve(maildrops, users=USERS, security=security) as server:
        with socket.create_connection((server.host, server.port), timeout=30) as connection:
            if security is Security.STLS:
                connection.recv(100)
                connection.sendall(b"STLS\r\n")
                connection.recv(100)
            connection.shutdown(socket.SHUT_WR)
            everything_from(connection)
        server.wait_until_idle()
        assert isinstance(server.disconnects[0], ssl.SSLError)


def test_a_handshake_that_fails_ends_with_an_alert(maildrops: MemoryMaildrops) -> None:
    with serve(maildrops, users=USERS, security=Security.TLS) as server:
        assert server.tls_context is not None
        server.tls_context.minimum_version = ssl.TLSVersion.TLSv1_3
        context = server.client_context()
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        with (
            socket.create_connection((server.host, server.port), timeout=30) as connection,
            pytest.raises(ssl.SSLError, match="alert"),
        ):
            context.wrap_socket(connection, server_hostname=server.host)


def test_commands_behind_stls_are_never_run(maildrops: MemoryMaildrops) -> None:
    with serve(maildrops, users=USERS, options=CLEARTEXT) as server:
        with plain_socket(server) as connection:
            connection.sendall(b"STLS\r\nUSER user\r\nPASS secret\r\n")
            assert everything_from(connection) == b"+OK begin TLS now\r\n"
        server.wait_until_idle()
        assert isinstance(server.sessions[0].error, StlsInjectionError)
        assert server.sessions[0].user is None


def test_a_client_may_leave_tls_without_a_word(maildrops: MemoryMaildrops) -> None:
    with serve(maildrops, users=USERS, security=Security.TLS) as server:
        connection = socket.create_connection((server.host, server.port), timeout=30)
        secured = server.client_context().wrap_socket(connection, server_hostname=server.host)
        with secured:
            secured.recv(100)
            secured.sendall(b"USER user\r\nPASS secret\r\nDELE 1\r\n")
            while b"deleted" not in secured.recv(1000):
                pass
            # No close_notify.
            socket.socket.shutdown(secured, socket.SHUT_RDWR)
        server.wait_until_idle()
        assert server.disconnects == server.errors == []
    assert len(maildrops.contents("user")) == 2
    assert not maildrops.in_use("user")


def test_the_last_answer_arrives_though_more_was_sent(maildrops: MemoryMaildrops) -> None:
    options = ServerOptions(max_bad_commands=1)
    with (
        serve(maildrops, users=USERS, security=Security.PLAINTEXT, options=options) as server,
        plain_socket(server) as connection,
    ):
        connection.sendall(b"STAT\r\n" + b"NOOP\r\n" * 50_000)
        answer = everything_from(connection)
    assert answer == b"-ERR not possible in the state 'authorization'\r\n"


def test_a_client_that_resets_the_connection(maildrops: MemoryMaildrops) -> None:
    with serve(maildrops, users=USERS, security=Security.PLAINTEXT) as server:
        connection = plain_socket(server)
        linger_on_zero = b"\1\0\0\0\0\0\0\0"
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_on_zero)
        connection.close()
        server.wait_until_idle()
        assert isinstance(server.disconnects[0], ConnectionResetError)


class BrokenMaildrops:
    def open(self, user: str) -> Maildrop:
        raise ZeroDivisionError(user)


@contextmanager
def failing_logins(number: int) -> Iterator[LoopbackServer]:
    with serve(
        BrokenMaildrops(), users=USERS, security=Security.PLAINTEXT, options=CLEARTEXT
    ) as server:
        for _ in range(number):
            with plain_socket(server) as connection:
                connection.sendall(b"USER user\r\nPASS secret\r\n")
                everything_from(connection)
        yield server


def test_an_error_in_the_code_that_answers_comes_out() -> None:
    with pytest.raises(ZeroDivisionError, match="user"), failing_logins(1):
        pass


def test_several_errors_come_out_together() -> None:
    with pytest.raises(BaseExceptionGroup) as caught, failing_logins(3):
        pass
    assert [type(error) for error in caught.value.exceptions] == [ZeroDivisionError] * 3


def test_an_error_of_the_block_comes_first_and_names_the_servers() -> None:
    def block() -> None:
        with failing_logins(1) as server:
            server.wait_until_idle()
            raise KeyError("block")

    with pytest.raises(KeyError, match="block") as caught:
        block()
    assert caught.value.__notes__ == ["The server failed too: ZeroDivisionError('user')"]


def test_an_error_at_the_listening_socket_comes_out(
    maildrops: MemoryMaildrops, monkeypatch: pytest.MonkeyPatch
) -> None:
    def accept(_listener: socket.socket) -> None:
        raise OSError(errno.EMFILE, "too many open files")

    monkeypatch.setattr(socket.socket, "accept", accept)
    with (
        pytest.raises(OSError, match="too many open files"),
        serve(maildrops, users=USERS, security=Security.PLAINTEXT) as server,
        suppress(ConnectionError),
        socket.create_connection((server.host, server.port), timeout=30) as connection,
    ):
        connection.recv(1)


def test_a_session_that_asks_for_tls_where_there_is_none(
    maildrops: MemoryMaildrops, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = Sessions(
        maildrops,
        password=Secret("secret"),
        users=None,
        security=Security.PLAINTEXT,
        options=ServerOptions(),
    )
    monkeypatch.setattr(source, "new", lambda: ServerSession(maildrops, USERS, offer_stls=True))
    server = LoopbackServer(
        source,
        security=Security.PLAINTEXT,
        tls_context=None,
        certificate_authority=None,
        idle_timeout=30,
    )
    with plain_socket(server) as connection:
        connection.sendall(b"STLS\r\n")
        everything_from(connection)
    server.close()
    assert [type(error) for error in server.errors] == [LocalProtocolError]


def test_waiting_for_a_client_that_stays(maildrops: MemoryMaildrops) -> None:
    with (
        serve(maildrops, users=USERS, security=Security.PLAINTEXT) as server,
        plain_socket(server),
        pytest.raises(TimeoutError, match="1 connections are still open"),
    ):
        server.wait_until_idle(0.05)


class Anonymous:
    name = "X-OPEN"
    shows_password = False

    def begin(self) -> "Anonymous":
        return self

    def respond(self, data: bytes | None) -> Verdict:
        return None


def test_mechanisms_of_the_callers_own(maildrops: MemoryMaildrops) -> None:
    mechanisms = (mechanism for mechanism in [Anonymous()])
    with serve(
        maildrops, users=USERS, security=Security.PLAINTEXT, mechanisms=mechanisms
    ) as server:
        # Each of the connections gets them.
        for _ in range(2):
            client = poplib_client(server)
            assert client.capa()["SASL"] == ["X-OPEN"]
            client.quit()
