"""What happens when overrides of poplib's own methods raise, and what they cost."""

import socket
from contextlib import closing
from functools import partial
from typing import Any

import pytest

from tests.compat.conversations import (
    BOTH,
    DROPIN,
    NAMES,
    STANDARD,
    Counting,
    Fragments,
    looking,
    on,
    outcome,
)

both = pytest.mark.parametrize("module", BOTH, ids=NAMES)
HELLO = b"+OK ready\r\n"
MAIL = [b"+OK line 1", b"+OK line 2", b"+OK line 3"]
RETR = b"\r\n".join([b"+OK 36 octets", *MAIL, b".", b""])
ANSWERS = (HELLO, b"+OK user\r\n", RETR, b"-ERR locked\r\n", b"+OK bye\r\n")
DEAD = "-ERR connection unusable after: Late"


class Late(Exception):
    """Says nothing but its name."""


def timed(module: Any, sock: Any, lines: int) -> Any:
    """A client whose time runs out when it has read so many lines, once, as Frappe's does."""

    class Timed(module.POP3):  # type: ignore[misc]
        left = lines

        def _create_socket(self, timeout: float | None) -> Any:
            return sock

        def _getline(self) -> tuple[bytes, int]:
            line: tuple[bytes, int] = super()._getline()
            self.left -= 1
            if self.left == 0:
                raise Late
            return line

    return Timed("pop.example.org")


@both
@pytest.mark.parametrize("lines", range(2, 9))
def test_a_timer_that_runs_out_at_any_line(module: Any, lines: int) -> None:
    sock = Fragments(ANSWERS)
    client = timed(module, sock, lines)
    calls = ("user", "user"), ("retr", 1), ("dele", 1)
    results = [outcome(partial(getattr(client, name), argument)) for name, argument in calls]
    last = outcome(client.quit)
    expected: list[tuple[str, Any]] = [
        ("returned", b"+OK user"),
        ("returned", (b"+OK 36 octets", MAIL, 36)),
        ("error_proto", (b"-ERR locked",)),
    ]
    late = 0 if lines == 2 else 2 if lines == 8 else 1
    expected[late] = ("Late", ())
    if late != 1:
        # It was the whole answer: both go on in step.
        assert results == expected
        assert last == ("returned", b"+OK bye")
    elif module is DROPIN:
        expected[2] = ("error_proto", (DEAD,))
        assert results == expected
        assert last == ("error_proto", (DEAD,))
        assert sock.sent == b"USER user\r\nRETR 1\r\n"
    elif lines < 6:
        # Somebody's mail says that it is deleted.
        expected[2] = ("returned", MAIL[lines - 3])
        assert results == expected
    assert results[late] == ("Late", ())
    client.close()


@both
def test_a_timer_that_runs_out_before_a_line_is_read(module: Any) -> None:
    class Early(module.POP3):  # type: ignore[misc]
        early = False

        def _create_socket(self, timeout: float | None) -> Any:
            return sock

        def _getline(self) -> tuple[bytes, int]:
            if self.early:
                raise Late
            line: tuple[bytes, int] = super()._getline()
            return line

    sock = Fragments([HELLO, b"+OK 1\r\n", b"+OK 2\r\n", b"-ERR 3\r\n"])
    client = Early("pop.example.org")
    assert client.noop() == b"+OK 1"
    client.early = True
    assert outcome(client.noop) == ("Late", ())
    client.early = False
    last = outcome(client.rset)
    if module is STANDARD:
        # It answers another command.
        assert last == ("returned", b"+OK 2")
    else:
        assert last == ("error_proto", (DEAD,))


@both
def test_a_timer_that_runs_out_does_not_hide_what_answers_nothing(module: Any) -> None:
    more = b"+OK\r\n+OK more\r\n"
    for before in ([], [b"+OK 1\r\n"]):
        sock = Fragments([HELLO, *before, more, b"-ERR no\r\n"])
        client = timed(module, sock, 2)
        assert outcome(client.noop) == ("Late", ())
        for _ in before:
            assert client.noop() == b"+OK"
        last = outcome(client.rset)
        if module is STANDARD:
            assert last == ("returned", b"+OK more")
        else:
            assert last[0] == "error_proto"
            assert "+OK more" in last[1][0]


@both
def test_an_override_that_reads_some_lines_on_its_own(module: Any) -> None:
    class Own(module.POP3):  # type: ignore[misc]
        own = False

        def _create_socket(self, timeout: float | None) -> Any:
            return sock

        def _getline(self) -> tuple[bytes, int]:
            self.own = not self.own
            if self.own:
                line = self.file.readline()
                return line[:-2], len(line)
            content: tuple[bytes, int] = super()._getline()
            return content

    sock = Fragments([HELLO, RETR, RETR, b"+OK 1\r\n", b"+OK 2\r\n"])
    client = Own("pop.example.org")
    expected = b"+OK 36 octets", MAIL, 36
    assert [client.retr(1), client.retr(1)] == [expected, expected]
    assert [client.noop(), client.noop()] == [b"+OK 1", b"+OK 2"]


@both
def test_a_timer_that_runs_out_in_the_greeting(module: Any) -> None:
    sock = Fragments(ANSWERS)
    with pytest.raises(Late):
        timed(module, sock, 1)
    assert sock.closed == (module is DROPIN)


def impatient(module: Any, sock: Any, status: bytes, *, alone: bool = False) -> Any:
    """A client whose ``_getresp`` raises at a status line, behind poplib's or all ``alone``."""

    class Impatient(module.POP3):  # type: ignore[misc]
        def _create_socket(self, timeout: float | None) -> Any:
            return sock

        def _getresp(self) -> bytes:
            line: bytes = self._getline()[0] if alone else super()._getresp()
            if line.startswith(status):
                raise Late
            return line

    return Impatient("pop.example.org")


@both
@pytest.mark.parametrize("alone", [False, True])
@pytest.mark.parametrize("name", ["retr", "retr_iter", "_longcmd"])
def test_an_override_that_raises_behind_the_status_line(
    module: Any, alone: bool, name: str
) -> None:
    if module is STANDARD and name == "retr_iter":
        pytest.skip("new")
    sock = Fragments([HELLO, RETR, b"-ERR locked\r\n"])
    with closing(impatient(module, sock, b"+OK 36", alone=alone)) as client:
        argument = "RETR 1" if name == "_longcmd" else "1"
        assert outcome(lambda: getattr(client, name)(argument)) == ("Late", ())
        then = outcome(lambda: client.dele(1))
    if module is STANDARD:
        assert then == ("returned", b"+OK line 1")
    else:
        assert then == ("error_proto", (DEAD,))
        assert sock.sent == b"RETR 1\r\n"


@both
@pytest.mark.parametrize("alone", [False, True])
@pytest.mark.parametrize("name", ["retr", "noop"])
def test_an_override_that_raises_behind_a_whole_answer(module: Any, alone: bool, name: str) -> None:
    # There is no text behind -ERR, and none belongs to NOOP.
    status = b"-ERR no" if name == "retr" else b"+OK no"
    sock = Fragments([HELLO, status + b"\r\n", RETR])
    with closing(impatient(module, sock, status, alone=alone)) as client:
        raised = outcome(partial(getattr(client, name), *([1] if name == "retr" else [])))
        behind_poplibs = status.startswith(b"-") and not alone
        assert raised == (("error_proto", (status,)) if behind_poplibs else ("Late", ()))
        client.__class__ = module.POP3
        assert client.retr(1)[1] == MAIL


def test_a_getresp_by_hand_that_is_interrupted() -> None:
    # Whether a text follows is not known here.
    with closing(timed(DROPIN, Fragments([HELLO, RETR, b"+OK\r\n"]), 2)) as client:
        client._putcmd("RETR 1")
        assert outcome(client._getresp) == ("Late", ())
        assert outcome(client.noop) == ("error_proto", (DEAD,))


@both
def test_an_override_that_raises_at_the_answer_to_stls(module: Any) -> None:
    capa = b"+OK\r\nSTLS\r\n.\r\n"
    sock = Fragments([HELLO, capa, b"+OK go\r\n"])
    with closing(impatient(module, sock, b"+OK go")) as client:
        assert outcome(client.stls) == ("Late", ())
        outcome(client.noop)
    assert (b"NOOP" in sock.sent) == (module is STANDARD)


def overriding(sock: Any) -> Any:
    """A client of the drop-in that reads by the line."""
    return timed(DROPIN, sock, -1)


def printing(sock: Any) -> Any:
    """A client of the drop-in that shows what it reads."""
    client = on(DROPIN, sock)
    client.set_debuglevel(2)
    return client


ways = pytest.mark.parametrize(
    "way", [partial(on, DROPIN), partial(looking, DROPIN), overriding, printing]
)
STUFFLESS = b"+OK\r\none\r\n.\r\n+OK two\r\n.\r\n"


@ways
@pytest.mark.parametrize("split", range(1, len(STUFFLESS)))
def test_a_server_that_does_not_double_dots_however_it_comes(way: Any, split: int) -> None:
    sizes = len(HELLO), split, len(STUFFLESS)
    sock = Fragments([HELLO, STUFFLESS, b"-ERR no\r\n"], sizes)
    with closing(way(sock)) as client:
        assert client.retr(1) == (b"+OK", [b"one"], 5)
        second = outcome(lambda: client.dele(1))
    if STUFFLESS[:split].endswith(b"one\r\n.\r\n"):
        # What comes later cannot be told from an answer.
        assert second == ("returned", b"+OK two")
    else:
        assert second[0] == "error_proto"
        assert "does not double dots" in second[1][0]


@ways
@pytest.mark.parametrize("size", [1, 2, 3, 5, 8])
def test_texts_that_come_in_pieces(way: Any, size: int) -> None:
    mail = b"..\r\n\r\na\r\n.b\r\n\r\n"
    wire = (b"+OK\r\n" + mail).replace(b"\n.", b"\n..") + b".\r\n"
    for buffering in (1, 2, 3, 7, 100):
        sock = Fragments([HELLO, wire, wire, b"+OK\r\n"], [size], buffering)
        with closing(way(sock)) as client:
            expected = b"+OK", mail.split(b"\r\n")[:-1], len(mail)
            assert [client.retr(1), client.retr(1)] == [expected, expected]
            assert client.noop() == b"+OK"


@both
@pytest.mark.parametrize("newline", [b"\r\n", b"\n"])
def test_reading_from_file_between_the_lines(module: Any, newline: bytes) -> None:
    lines = [b"", b"a", b"", b"", b"bc", b"", b"d", b"", b""]
    wire = newline.join([b"+OK", *lines, b".", b""])
    for size in range(1, len(wire)):
        sizes = len(HELLO), size, 3
        sock = Fragments([HELLO, wire, b"+OK" + newline], sizes)
        with closing(on(module, sock)) as client:
            client._putcmd("RETR 1")
            client._getresp()
            read = []
            for number in range(len(lines) + 1):
                by_hand = number % 3 == 1
                line = client.file.readline() if by_hand else client._getline()[0]
                read.append(line.rstrip(b"\r\n"))
            assert read == [*lines, b"."]
            assert client.noop() == b"+OK"


@ways
def test_one_look_is_for_many_lines(way: Any, capsys: pytest.CaptureFixture[str]) -> None:
    mail = b"x" * 70 + b"\r\n"
    sock = Fragments([HELLO, b"+OK\r\n" + mail * 5000 + b".\r\n"], buffering=32 * 1024)
    sock.file = Counting
    with closing(way(sock)) as client:
        assert client.retr(1)[2] == 5000 * len(mail)
        # One for each buffer of it, and for the status lines.
        assert client.file.looks < 5000 * len(mail) / (32 * 1024) + 4
    capsys.readouterr()


def test_an_override_reads_no_further_than_retr_iter_is_asked_for() -> None:
    client = overriding(Fragments([HELLO, RETR, b"+OK\r\n"]))
    with closing(client):
        message = client.retr_iter(1)
        for number, line in enumerate(MAIL, 1):
            assert next(message) == line
            # The greeting and the status line were read before.
            assert client.left == -1 - 2 - number
        assert list(message) == []
        assert client.noop() == b"+OK"


def test_what_is_read_from_a_socket_at_once() -> None:
    near, far = socket.socketpair()
    with far:
        far.sendall(HELLO)
        with closing(on(DROPIN, near)) as client:
            far.sendall(b"x" * 100_000)
            # More than that makes each copy of it costly.
            assert 8192 < len(client.file.peek(1)) <= 32 * 1024
