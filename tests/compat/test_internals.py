"""What programs reach into. The snippets are written in the manner of well-known ones."""

import errno
import io
import re
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from typing import Any

import pytest

from pop3proto.compat import poplib
from pop3proto.server import MemoryMaildrops, ServerOptions
from pop3proto.testing import LoopbackServer, serve
from pop3proto.transports import Security
from tests.compat.conversations import (
    BOTH,
    DROPIN,
    NAMES,
    listening,
    outcome,
    replying,
    script,
    talk,
)

both = pytest.mark.parametrize("module", BOTH, ids=NAMES)
HELLO = b"+OK ready\r\n"
MAIL = b"Subject: one\r\n\r\nFirst.\r\n.dot\r\n"
LINES = [b"Subject: one", b"", b"First.", b".dot"]
RETR = b"+OK\r\n" + MAIL.replace(b"\r\n.", b"\r\n..") + b".\r\n"


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    maildrops = MemoryMaildrops({"user": [MAIL, b"Subject: two\r\n\r\n" + b"x" * 9000 + b"\r\n"]})
    options = ServerOptions(allow_plaintext_auth=True)
    users = {"user": "secret"}
    with serve(maildrops, users=users, security=Security.PLAINTEXT, options=options) as running:
        yield running


def logged_in(client: Any) -> Any:
    client.user("user")
    client.pass_("secret")
    return client


@both
def test_a_fetch_job_that_raises_the_line_limit(
    module: Any, server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MAXLINE", 65536)
    client = logged_in(module.POP3(server.host, server.port, timeout=60))
    count, octets = client.stat()
    client.list()
    fetched = []
    for number in range(1, count + 1):
        _, lines, _ = client.retr(number)
        fetched.append(b"\n".join(lines))
        client.dele(number)
    client.quit()
    assert (count, octets) == (2, len(MAIL) + 9018)
    assert fetched[0].endswith(b"First.\n.dot")
    server.wait_until_idle()
    assert server.sessions[0].deleted == {1, 2}


@both
def test_a_line_limit_that_is_lowered_holds_for_status_lines(
    module: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with talk(module, HELLO, b"+OK 1234567890\r\n") as (client, _):
        monkeypatch.setattr(module, "_MAXLINE", 15)
        assert outcome(client.noop) == ("error_proto", ("line too long",))


def timed(module: Any, base: Any) -> Any:
    class TimerMixin:
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            self.seconds = kwargs.pop("timeout", 0.0)
            self.elapsed = 0.0
            base.__init__(self, *args, **kwargs)
            if self.seconds:
                self.sock.settimeout(self.seconds / 5)  # type: ignore[attr-defined]

        def _getline(self, *args: Any, **kwargs: Any) -> Any:
            start = time.monotonic()
            line = base._getline(self, *args, **kwargs)
            self.elapsed += time.monotonic() - start
            if self.seconds and self.elapsed > self.seconds:
                raise TimeoutError
            return line

        def quit(self, *args: Any, **kwargs: Any) -> Any:
            self.elapsed = 0.0
            return base.quit(self, *args, **kwargs)

    return type("Timed", (TimerMixin, base), {})


@both
def test_a_timer_around_each_line(
    module: Any, server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MAXLINE", 65536)
    client = logged_in(timed(module, module.POP3)(server.host, server.port, timeout=60.0))
    assert client.retr(1)[1] == LINES
    assert client.retr(2)[1] == [b"Subject: two", b"", b"x" * 9000]
    assert client.elapsed > 0
    client.quit()


def test_a_timer_that_runs_out_within_a_message_ends_the_connection() -> None:
    class Timed(poplib.POP3):
        lines = 0

        def _create_socket(self, timeout: float | None) -> socket.socket:
            return sock

        def _getline(self) -> tuple[bytes, int]:
            self.lines += 1
            if self.lines > 3:
                raise TimeoutError("too slow")
            return super()._getline()

    with script(HELLO, RETR) as (sock, _), closing(Timed("pop.example.org")) as client:
        assert outcome(lambda: client.retr(1)) == ("TimeoutError", ("too slow",))
        raised = outcome(client.quit)
    assert raised == ("error_proto", ("-ERR connection unusable after: too slow",))


@both
def test_xoauth2_with_shortcmd(module: Any) -> None:
    # Refused as one line by some servers, which take it as two.
    with talk(module, HELLO, b"-ERR two lines\r\n", b"+ \r\n", b"+OK in\r\n") as (client, server):
        try:
            client._shortcmd("AUTH XOAUTH2 dG9rZW4=")
        except module.error_proto as error:
            assert error.args == (b"-ERR two lines",)  # noqa: PT017
            assert client._shortcmd("AUTH XOAUTH2") == b"+ "
            assert client._shortcmd("dG9rZW4=") == b"+OK in"
    assert server.received[1:] == [b"AUTH XOAUTH2\r\n", b"dG9rZW4=\r\n"]


@both
def test_a_connection_through_a_proxy(module: Any, server: LoopbackServer) -> None:
    asked = []

    def proxy(sock: socket.socket) -> None:
        with sock.makefile("rb") as file:
            asked.append(file.readline())
            file.readline()
        sock.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        replying(HELLO, RETR, b"+OK bye\r\n")(sock)

    class Proxied(module.POP3):  # type: ignore[misc]
        def _create_socket(self, timeout: float | None) -> socket.socket:
            sock = socket.create_connection(("127.0.0.1", port), timeout)
            sock.sendall(b"CONNECT %s:%d HTTP/1.1\r\n\r\n" % (self.host.encode(), self.port))
            with sock.makefile("rb", 0) as file:
                assert file.readline() == b"HTTP/1.1 200 OK\r\n"
                file.readline()
            return sock

    with listening(proxy) as port:
        client = Proxied("pop.example.org", timeout=30)
        assert client.retr(1)[1] == LINES
        assert client.quit() == b"+OK bye"
    assert asked == [b"CONNECT pop.example.org:110 HTTP/1.1\r\n"]


@both
def test_a_subclass_that_leaves_init_out(module: Any) -> None:
    class Bare(module.POP3):  # type: ignore[misc]
        def __init__(self, port: int) -> None:
            self.sock = socket.create_connection(("127.0.0.1", port), 30)
            self.file = self.sock.makefile("rb")
            self._debugging = 0
            self.welcome = self._getresp()

    with listening(replying(HELLO, RETR, b"+OK bye\r\n")) as port:
        client = Bare(port)
        assert client.getwelcome() == b"+OK ready"
        assert client.retr(1)[1] == LINES
        client.quit()


@both
def test_a_subclass_that_never_reads_the_greeting(module: Any) -> None:
    class Hasty(module.POP3):  # type: ignore[misc]
        def __init__(self, port: int) -> None:
            self.sock = socket.create_connection(("127.0.0.1", port), 30)
            self.file = self.sock.makefile("rb")

        _debugging = 0

    # Each answer comes together with the one before it.
    with listening(replying(HELLO + b"+OK 1\r\n", b"+OK 2\r\n", b"+OK 3\r\n")) as port:
        client = Hasty(port)
        assert client.noop() == b"+OK ready"
        assert client.noop() == b"+OK 1"
        assert client.noop() == b"+OK 2"
        client.close()


@both
def test_a_getline_without_a_limit_that_reads_from_file(module: Any) -> None:
    class Unlimited(module.POP3):  # type: ignore[misc]
        def _create_socket(self, timeout: float | None) -> socket.socket:
            return socket.create_connection(("127.0.0.1", self.port), timeout)

        def _getline(self) -> tuple[bytes, int]:
            line = self.file.readline()
            if not line:
                raise module.error_proto("-ERR EOF")
            return line.rstrip(b"\r\n"), len(line)

    with listening(replying(HELLO, RETR, b"+OK\r\n")) as port:
        client = Unlimited("pop.example.org", port)
        assert client.retr(1) == (b"+OK", LINES, len(MAIL))
        assert client.noop() == b"+OK"
        assert outcome(client.noop) == ("error_proto", ("-ERR EOF",))
        client.close()


@both
def test_reading_a_message_from_file_by_hand(module: Any) -> None:
    with talk(module, HELLO, RETR, b"+OK\r\n") as (client, _):
        client._putcmd("RETR 1")
        assert client._getresp() == b"+OK"
        lines = list(iter(client.file.readline, b".\r\n"))
        assert lines[3:] == [b"..dot\r\n"]
        assert client.noop() == b"+OK"


@both
def test_reading_a_message_by_hand(module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MAXLINE", 10_000)
    long = b"+OK\r\n" + b"x" * 9000 + b"\r\n" + RETR[5:]
    with talk(module, HELLO, long, b"+OK\r\n") as (client, _):
        monkeypatch.setattr(poplib, "_MAXLINE", 100)
        client._putcmd("RETR 1")
        assert client._getresp() == b"+OK"
        lines = list(iter(lambda: client._getline()[0], b"."))
        assert lines == [b"x" * 9000, *LINES[:3], b"..dot"]
        assert client.noop() == b"+OK"


@both
def test_sending_ahead_by_hand(module: Any) -> None:
    def session(sock: socket.socket) -> None:
        sock.sendall(HELLO)
        sock.recv(1000)
        sock.sendall(RETR + RETR + b"+OK\r\n")
        sock.recv(1000)

    for ahead in (
        lambda c: [c._putcmd(f"RETR {n}") for n in (1, 2, 3)],
        lambda c: c._putline(b"RETR 1\r\nRETR 2\r\nNOOP"),
        lambda c: c.sock.sendall(b"RETR 1\r\nRETR 2\r\nNOOP\r\n"),
    ):
        with listening(session) as port:
            client = module.POP3("127.0.0.1", port, timeout=30)
            ahead(client)
            assert client._getlongresp()[1] == LINES
            assert client._getlongresp()[1] == LINES
            assert client._getresp() == b"+OK"
            client.close()


@both
def test_talking_to_the_socket_past_the_object(module: Any) -> None:
    with talk(module, HELLO, b"+OK in\r\n", b"+OK\r\n") as (client, server):
        client.sock.sendall(b"AUTH XOAUTH2 dG9rZW4=\r\n")
        with client.sock.makefile("rb") as file:
            assert file.readline() == b"+OK in\r\n"
        assert client.noop() == b"+OK"
    assert server.received == [b"AUTH XOAUTH2 dG9rZW4=\r\n", b"NOOP\r\n"]


class Sink:
    def __init__(self) -> None:
        self.sent = b""

    def sendall(self, data: bytes) -> None:
        self.sent += data


class OnlyReadline:
    def __init__(self, octets: bytes) -> None:
        self.readline = io.BytesIO(octets).readline


@both
@pytest.mark.parametrize(
    "file",
    [io.BytesIO, lambda octets: io.BufferedReader(io.BytesIO(octets), 100), OnlyReadline],
    ids=["BytesIO", "BufferedReader", "readline"],
)
def test_a_file_that_was_put_in_place_of_the_real_one(module: Any, file: Any) -> None:
    client = module.POP3.__new__(module.POP3)
    client.sock = Sink()
    client._debugging = 0
    client.file = file(RETR + b"+OK\r\n" + RETR + b"+OK 2 320\r\n")
    assert client.retr(1) == (b"+OK", LINES, len(MAIL))
    assert client.noop() == b"+OK"
    assert client.top(2, 0)[1] == LINES
    assert client.stat() == (2, 320)
    assert outcome(client.noop) == ("error_proto", ("-ERR EOF",))
    assert client.sock.sent == b"RETR 1\r\nNOOP\r\nTOP 2 0\r\nSTAT\r\nNOOP\r\n"


@both
def test_a_method_that_was_replaced_on_the_object(module: Any) -> None:
    with talk(module, HELLO, RETR, b"+OK\r\n") as (client, _):
        seen = []
        original = client._getline

        def getline() -> tuple[bytes, int]:
            line: tuple[bytes, int] = original()
            seen.append(line[0])
            return line

        client._getline = getline
        assert client.retr(1)[1] == LINES
    assert seen == [b"+OK", *LINES[:3], b"..dot", b"."]


@both
def test_a_putline_and_a_getresp_of_ones_own(module: Any) -> None:
    class Client(module.POP3):  # type: ignore[misc]
        def _create_socket(self, timeout: float | None) -> socket.socket:
            return socket.create_connection(("127.0.0.1", self.port), timeout)

        def _putline(self, line: bytes) -> None:
            self.sock.sendall(line.upper() + module.CRLF)

        def _getresp(self) -> bytes:
            line, _ = self._getline()
            return bytes(line.lower())

    with listening(replying(HELLO, RETR, b"+OK Done\r\n", b"-ERR No\r\n")) as port:
        client = Client("pop.example.org", port)
        assert client.welcome == b"+ok ready"
        assert client.retr("x")[1] == LINES
        assert client.noop() == b"+ok done"
        assert client.noop() == b"-err no"
        client.close()


@both
def test_timestamp_encoding_and_welcome(module: Any) -> None:
    class Client(module.POP3):  # type: ignore[misc]
        encoding = "latin-1"
        timestamp = re.compile(rb"\+OK \[(.*)\]")

        def _create_socket(self, timeout: float | None) -> socket.socket:
            return socket.create_connection(("127.0.0.1", self.port), timeout)

    with listening(replying(b"+OK [stamp]\r\n", b"+OK\r\n", b"+OK\r\n", b"+OK\r\n")) as port:
        client = Client("pop.example.org", port)
        client.user("us\xe9r")
        client.apop("user", "s\xe9cret")
        client.welcome = b"+OK [other]"
        client.apop("user", "s\xe9cret")
        assert outcome(lambda: client.user("\u20ac"))[0] == "UnicodeEncodeError"
        assert outcome(lambda: client.apop("user", "\u20ac"))[0] == "UnicodeEncodeError"
        client.close()


@both
def test_calling_init_again_connects_again(module: Any) -> None:
    with listening(replying(HELLO, b"garbage\r\n")) as port:
        client = module.POP3("127.0.0.1", port, timeout=30)
        assert outcome(client.noop) == ("error_proto", (b"garbage",))
        client.close()
    with listening(replying(HELLO, b"+OK\r\n")) as port:
        client.__init__("127.0.0.1", port, 30)
        assert client.noop() == b"+OK"
        client.close()


@both
def test_after_close(module: Any) -> None:
    with talk(module, HELLO, b"+OK bye\r\n") as (client, _):
        assert isinstance(client.sock, socket.socket)
        assert isinstance(client.file, io.BufferedReader)
        assert client.quit() == b"+OK bye"
        assert client.sock is None
        assert client.file is None
        client.close()
        assert outcome(client.noop)[0] == "AttributeError"


class Unwilling(Sink):
    def __init__(self, error: OSError) -> None:
        super().__init__()
        self.error = error
        self.closed = False

    def shutdown(self, how: int) -> None:
        raise self.error

    def close(self) -> None:
        self.closed = True


@both
@pytest.mark.parametrize(
    ("number", "expected"), [(errno.ENOTCONN, "returned"), (errno.EIO, "OSError")]
)
def test_a_socket_that_cannot_be_shut_down_is_closed(
    module: Any, number: int, expected: str
) -> None:
    client = module.POP3.__new__(module.POP3)
    client.file, client.sock = io.BytesIO(), Unwilling(OSError(number, "no"))
    sock = client.sock
    assert outcome(client.close)[0] == expected
    assert sock.closed
    assert client.sock is None


@pytest.mark.parametrize("timeout", [0, 0.0, False])
@pytest.mark.parametrize("name", ["POP3", "POP3_SSL"])
def test_a_timeout_of_nothing(name: str, timeout: float) -> None:
    raised = [outcome(partial(getattr(m, name), "127.0.0.1", 9, timeout=timeout)) for m in BOTH]
    assert raised[0] == raised[1]
    assert raised[0][0] == "ValueError"


@both
def test_the_timeout_is_the_sockets(module: Any) -> None:
    for timeout in (30, None):
        with listening(replying(HELLO)) as port:
            client = module.POP3("127.0.0.1", port, timeout=timeout)
            assert client.sock.gettimeout() == timeout
            client.close()


def test_an_overridden_getline_sees_no_end_where_there_is_none() -> None:
    class Logging(DROPIN.POP3):  # type: ignore[misc]
        def _getline(self) -> tuple[bytes, int]:
            line: tuple[bytes, int] = super()._getline()
            return line

    client = Logging.__new__(Logging)
    client.sock, client.file = Sink(), io.BytesIO(b"+OK\r\na\n.\n..b\r\n.\n.\r\n.c\r\n.\r\n+OK\r\n")
    assert client.retr(1) == (b"+OK", [b"a", b".", b"..b", b".", b".", b".c"], 18)
    assert client.noop() == b"+OK"
