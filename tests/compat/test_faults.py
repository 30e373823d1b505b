"""The faults of poplib that are gone. Each test shows both sides."""

import base64
import os
import re
from io import BytesIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pop3proto import Greeting, Pop3Error
from pop3proto.compat import poplib
from pop3proto.sasl import apop_command
from tests.compat.conversations import BOTH, DROPIN, NAMES, STANDARD, on, outcome, script, talk

both = pytest.mark.parametrize("module", BOTH, ids=NAMES)
HELLO = b"+OK ready\r\n"
LONG = b"x" * 5000


@pytest.mark.parametrize("wrong", [5, None, [b"secret"]])
def test_a_password_of_a_wrong_type_is_an_error_of_poplibs(wrong: Any) -> None:
    with talk(DROPIN, b"+OK <1896.697170952@example.org>\r\n") as (client, server):
        for expected in (poplib.error_proto, ValueError):
            with pytest.raises(expected, match="a secret is str or bytes"):
                client.apop("user", wrong)
    assert server.received == []


def test_long_lines_in_a_message_are_an_error_and_then_taken_for_answers() -> None:
    message = LONG + b"\r\n+OK 1 message deleted\r\n"
    with talk(STANDARD, HELLO, b"+OK\r\n" + message + b".\r\n", b"-ERR locked\r\n") as (client, _):
        assert outcome(lambda: client.retr(1)) == ("error_proto", ("line too long",))
        assert outcome(client.rset)[0] == "error_proto"
        assert outcome(client.rset)[0] == "error_proto"
        # A line of somebody's mail.
        assert client.dele(1) == b"+OK 1 message deleted"


def test_long_lines_in_a_message_are_lines() -> None:
    message = LONG + b"\r\n+OK 1 message deleted\r\n"
    with talk(DROPIN, HELLO, b"+OK\r\n" + message + b".\r\n", b"-ERR locked\r\n") as (client, _):
        assert client.retr(1) == (b"+OK", [LONG, b"+OK 1 message deleted"], len(message))
        assert outcome(lambda: client.dele(1)) == ("error_proto", (b"-ERR locked",))


@both
def test_a_status_line_that_is_too_long(module: Any) -> None:
    with talk(module, HELLO, b"+OK " + LONG + b"\r\n", b"+OK\r\n") as (client, server):
        assert outcome(client.noop) == ("error_proto", ("line too long",))
        then = outcome(client.noop)
    if module is STANDARD:
        # The rest of the line that was not read.
        assert then == ("error_proto", ("line too long",))
        assert server.received == [b"NOOP\r\n", b"NOOP\r\n"]
    else:
        assert then == ("error_proto", ("-ERR connection unusable after: line too long",))
        assert server.received == [b"NOOP\r\n"]


def test_a_connection_that_has_failed_says_so_to_pop3protos_own_callers() -> None:
    with talk(DROPIN, HELLO, b"+OK " + LONG + b"\r\n") as (client, _):
        with pytest.raises(Pop3Error) as info:
            client.noop()
        assert not info.value.session_usable
        with pytest.raises(Pop3Error) as info:
            client.quit()
        assert not info.value.session_usable
        client.close()
        client.close()
    assert client.sock is client.file is None


@both
@pytest.mark.parametrize("argument", ["a\r\nDELE 1", "a\nDELE 1"])
def test_arguments_that_hold_a_second_command(module: Any, argument: str) -> None:
    with talk(module, HELLO, b"+OK\r\n", b"+OK\r\n") as (client, server):
        raised = outcome(lambda: client.user(argument))
        client.close()
    if module is STANDARD and raised[0] != "ValueError":
        # Not so in the versions of the standard library where CVE-2025-15367 is repaired.
        assert b"DELE 1\r\n" in b"".join(server.received)
    else:
        assert server.received == []


@pytest.mark.parametrize("octet", [*range(0x20), 0x7F])
@pytest.mark.parametrize("expected", [ValueError, poplib.error_proto, Pop3Error])
def test_control_characters_raise_what_any_program_expects(
    octet: int, expected: type[Exception]
) -> None:
    with talk(DROPIN, HELLO, b"+OK\r\n") as (client, server):
        with pytest.raises(expected, match="control characters"):
            client.pass_(f"secret{octet:c}word")
        assert client.noop() == b"+OK"
    assert server.received == [b"NOOP\r\n"]


@both
def test_a_timestamp_that_is_none_or_more_than_one(module: Any) -> None:
    greeting = b"+OK <not one> or <1896.697170952@example.org> > ready\r\n"
    with talk(module, greeting, b"+OK\r\n") as (client, server):
        client.apop("user", "tanstaaf")
        client.close()
    right = apop_command("user", "<1896.697170952@example.org>", "tanstaaf").to_bytes()
    assert (server.received == [right]) == (module is DROPIN)


@both
@pytest.mark.parametrize(
    "stamp", [b"<timestamp>", b"<@>", b"<1>", b"<a@b><c@d>", b"<<a@b>>", b"<1896.697@example.org>"]
)
def test_a_timestamp_that_poplib_takes(module: Any, stamp: bytes) -> None:
    with talk(module, b"+OK POP3 %b ready\r\n" % stamp, b"+OK\r\n") as (client, server):
        client.apop("user", "tanstaaf")
        client.close()
    assert server.received == [apop_command("user", stamp.decode(), "tanstaaf").to_bytes()]


@both
@pytest.mark.parametrize("inner", [b"a\x01\xff@b", b"\xc3\xa9", b"a b", b"\x7f", b"\t", b""])
def test_a_timestamp_that_could_be_chosen_by_an_attacker(module: Any, inner: bytes) -> None:
    with talk(module, b"+OK <%b> ready\r\n" % inner, b"+OK\r\n") as (client, server):
        raised = outcome(lambda: client.apop("user", "tanstaaf"))
        client.close()
    if module is STANDARD:
        assert server.received[0].startswith(b"APOP user ")
    else:
        assert raised == ("error_proto", ("-ERR APOP not supported by server",))
        assert server.received == []


@given(st.text(alphabet="<>@.a[]-\x01 \xe9+", max_size=30))
def test_the_timestamp_is_that_of_poplib_or_of_the_native_greeting(text: str) -> None:
    found = poplib.POP3.timestamp.match(b"+OK " + text.encode())
    theirs = STANDARD.POP3.timestamp.match(b"+OK " + text.encode())
    if theirs and re.fullmatch(rb"<[!-~]+>", theirs[1]):
        assert found
        assert found[1] == theirs[1]
    else:
        stamp = Greeting(text).timestamp
        assert (found is None) is (stamp is None)
        assert found is None or found[1].startswith(str(stamp).encode())


@pytest.mark.parametrize("piece", ["<", ">", "<a", "a@", "<a@b", "<a@b>", "<a>", " <a@b>", "< "])
def test_the_timestamp_is_found_in_linear_time(piece: str) -> None:
    # The steps of the pattern cannot be counted; a hundred times the length of a line must not take
    # ten thousand times as long, which would be many minutes.
    poplib.POP3.timestamp.match(b"+OK " + piece.encode() * 100_000)


@both
def test_lone_crs(module: Any) -> None:
    with talk(module, b"+OK\n", b"+OK\n\rone\ntwo\r\r\n\r\n.\n") as (client, _):
        lines = client.retr(1)[1]
    assert lines == [b"one" if module is STANDARD else b"\rone", b"two\r", b""]


@both
def test_lone_crs_in_a_message_of_crlf_lines(module: Any) -> None:
    with talk(module, HELLO, b"+OK\r\n\rone\ntw\ro\r\n\rthree\r\n.\r\n") as (client, _):
        lines = client.retr(1)[1]
    assert lines == [b"one" if module is STANDARD else b"\rone", b"tw\ro", b"\rthree"]


@both
def test_capabilities_that_are_listed_twice(module: Any) -> None:
    capa = b"+OK\r\nSASL PLAIN LOGIN\r\nTOP\r\nSASL LOGIN XOAUTH2\r\n.\r\n"
    with talk(module, HELLO, capa) as (client, _):
        words = ["LOGIN", "XOAUTH2"] if module is STANDARD else ["PLAIN", "LOGIN", "XOAUTH2"]
        assert client.capa() == {"SASL": words, "TOP": []}


@pytest.mark.parametrize(
    ("line", "raised", "capabilities"),
    [
        (b"IMPLEMENTATION caf\xc3\xa9", "UnicodeDecodeError", {"IMPLEMENTATION": ["café"]}),
        (b"IMPLEMENTATION \xff", "UnicodeDecodeError", {"IMPLEMENTATION": ["\udcff"]}),
        (b"", "IndexError", {}),
    ],
)
def test_capabilities_that_crash(line: bytes, raised: str, capabilities: dict[str, Any]) -> None:
    results = []
    for module in BOTH:
        with talk(module, HELLO, b"+OK\r\n" + line + b"\r\n.\r\n") as (client, _):
            results.append(outcome(client.capa))
    assert results[0][0] == raised
    assert results[1] == ("returned", capabilities)


@pytest.mark.parametrize(
    ("line", "raised"),
    [
        (b"+OK", "IndexError"),
        (b"+OK 2", "IndexError"),
        (b"+OK two 2", "ValueError"),
        (b"+OK 1 2,000", "ValueError"),
        (b"+OK 1_0 2", "returned"),
        (b"+OK 1 " + b"9" * 20, "returned"),
        (b"+OK 1 " + b"9" * 1900, "returned"),
    ],
)
def test_a_garbled_stat(line: bytes, raised: str) -> None:
    results = []
    for module in BOTH:
        with talk(module, HELLO, line + b"\r\n", b"+OK\r\n") as (client, _):
            results.append(outcome(client.stat))
            assert client.noop() == b"+OK"
    assert results[0][0] == raised
    assert results[1] == ("error_proto", (line,))


@both
def test_an_answer_that_is_none(module: Any) -> None:
    with talk(module, HELLO, b"From: a mail\r\n+OK\r\n", b"+OK 2\r\n") as (client, _):
        assert outcome(client.noop) == ("error_proto", (b"From: a mail",))
        then = outcome(client.stat)
    if module is STANDARD:
        assert then == ("IndexError", ("list index out of range",))
    else:
        assert then[0] == "error_proto"
        assert then[1] == ("-ERR connection unusable after: not an answer: From: a mail",)


@both
def test_a_body_is_not_ended_by_what_is_in_it(module: Any) -> None:
    message = b"one\r\n\n.\n-ERR two\r\n\n..three\r\n"
    with talk(module, HELLO, b"+OK\r\n" + message + b".\r\n", b"+OK\r\n") as (client, _):
        lines = client.retr(1)[1]
        then = outcome(client.noop)
    if module is STANDARD:
        assert lines == [b"one", b""]
        assert then == ("error_proto", (b"-ERR two",))
    else:
        assert lines == [b"one", b"", b".", b"-ERR two", b"", b"..three"]
        assert then == ("returned", b"+OK")


@both
def test_a_blank_line_behind_an_answer(module: Any) -> None:
    with talk(module, HELLO, b"+OK 1\r\n\r\n", b"+OK 2\r\n", b"+OK 3\r\n") as (client, _):
        results = [outcome(client.noop) for _ in range(3)]
    if module is STANDARD:
        assert results[1:] == [("error_proto", (b"",)), ("returned", b"+OK 2")]
    else:
        assert results[1:] == [("returned", b"+OK 2"), ("returned", b"+OK 3")]


@both
@pytest.mark.parametrize("blank", [2, 3, 1000])
def test_nothing_but_blank_lines(module: Any, blank: int) -> None:
    with talk(module, HELLO, b"\r\n" * blank + b"+OK 1\r\n", b"+OK 2\r\n") as (client, _):
        first, second = outcome(client.noop), outcome(client.noop)
    if module is STANDARD:
        assert first == second == ("error_proto", (b"",))
    elif blank == 2:
        assert (first, second) == (("returned", b"+OK 1"), ("returned", b"+OK 2"))
    else:
        assert first == ("error_proto", (b"",))
        assert second[0] == "error_proto"
        assert "unusable" in second[1][0]


@both
def test_status_lines_that_end_with_lf_cr(module: Any) -> None:
    replies = b"+OK ready\n\r", b"+OK 1\n\r", b"+OK 2 3\n\r", b"-ERR\n\r", b"+OK 4\n\r"
    with talk(module, *replies) as (client, _):
        assert client.noop() == b"+OK 1"
        assert client.stat() == (2, 3)
        assert outcome(client.rset) == ("error_proto", (b"-ERR",))
        assert client.noop() == b"+OK 4"


@both
@pytest.mark.parametrize(
    "replies",
    [
        (HELLO, b"+OK\r\none\ntwo\n.\n"),
        (HELLO, b"+OK\r\none\ntwo\n.\r\n"),
        (b"+OK ready\n\r", b"+OK\n\rone\n\rtwo\n\r.\n\r"),
    ],
)
def test_texts_whose_lines_end_unlike_status_lines(module: Any, replies: tuple[bytes, ...]) -> None:
    with talk(module, *replies) as (client, _):
        result = outcome(lambda: client.retr(1))
    if module is STANDARD:
        assert result[1][1] == [b"one", b"two"]
    else:
        # It waits for the end of the text: here until the stream ends, else until the timeout.
        assert result == ("error_proto", ("-ERR EOF",))


@both
def test_a_greeting_of_several_lines_for_who_knows_of_them(module: Any) -> None:
    greeting = b"+OK one\r\n+OK two\r\n+OK three\r\n"
    with talk(module, greeting, b"+OK 1\r\n", b"+OK 2\r\n+OK x\r\n", b"+OK 3\r\n") as (
        client,
        _,
    ):
        assert [client._getresp(), client._getresp()] == [b"+OK two", b"+OK three"]
        assert [client.noop(), client.noop()] == [b"+OK 1", b"+OK 2"]
        assert outcome(client.noop)[0] == ("returned" if module is STANDARD else "error_proto")


@both
def test_a_greeting_of_more_lines_than_were_read(module: Any) -> None:
    with talk(module, b"+OK 1\r\n+OK 2\r\n+OK 3\r\n", b"+OK\r\n") as (client, _):
        assert client._getresp() == b"+OK 2"
        result = outcome(client.noop)
    if module is STANDARD:
        assert result == ("returned", b"+OK 3")
    else:
        assert result[0] == "error_proto"
        assert "+OK 3" in result[1][0]


def _spoken(replies: tuple[bytes, ...], module: Any) -> list[tuple[str, Any]]:
    with talk(module, *replies) as (client, _):
        return [outcome(lambda: client.retr(1)), outcome(lambda: client.dele(1))]


def test_a_server_that_does_not_double_dots() -> None:
    replies = HELLO, b"+OK\r\none\r\n.\r\n+OK two\r\n.\r\n", b"-ERR no\r\n"
    # Somebody's mail says that the message is deleted.
    assert _spoken(replies, STANDARD)[1] == ("returned", b"+OK two")
    first, second = _spoken(replies, DROPIN)
    assert first == ("returned", (b"+OK", [b"one"], 5))
    assert second[0] == "error_proto"
    assert "does not double dots" in second[1][0]


@pytest.mark.parametrize(
    ("commands", "replies"),
    [
        (0, (b"+OK ready\r\n+OK more\r\n", b"+OK\r\n")),
        (1, (HELLO, b"+OK\r\n+OK more\r\n", b"+OK\r\n")),
        (1, (HELLO, b"-ERR\r\n+OK more\r\n", b"+OK\r\n")),
        (1, (HELLO, b"+OK\r\n.\r\n+OK more\r\n", b"+OK\r\n")),
    ],
)
def test_more_answers_than_commands(commands: int, replies: tuple[bytes, ...]) -> None:
    for module in BOTH:
        with talk(module, *replies) as (client, _):
            command = client.uidl if b"\r\n.\r\n" in replies[-2] else client.rset
            for _ in range(commands):
                outcome(command)
            result = outcome(client.noop)
        if module is STANDARD:
            assert result == ("returned", b"+OK more")
        else:
            assert result[0] == "error_proto"
            assert "+OK more" in result[1][0]


@both
@pytest.mark.parametrize("line", [b"+OK 1 ", b"+", b"-ER"])
def test_a_status_line_that_is_cut_short(module: Any, line: bytes) -> None:
    with talk(module, HELLO, line) as (client, _):
        result = outcome(client.noop)
    if module is DROPIN:
        assert result == ("error_proto", ("-ERR EOF",))
    elif line == b"+OK 1 ":
        assert result == ("returned", line[:-1])
    else:
        assert result == ("error_proto", (line[:-1],))


@both
def test_a_message_that_is_cut_short(module: Any) -> None:
    with talk(module, HELLO, b"+OK\r\none\r\ntw") as (client, server):
        assert outcome(lambda: client.retr(1)) == ("error_proto", ("-ERR EOF",))
        assert outcome(client.noop)[0] == "error_proto"
        client.close()
    assert server.received == [b"RETR 1\r\n"] if module is DROPIN else [b"RETR 1\r\n", b"NOOP\r\n"]


@both
def test_a_refused_greeting_leaves_no_socket_behind(module: Any) -> None:
    with script(b"-ERR busy\r\n") as (sock, _):
        with pytest.raises(module.error_proto) as info:
            on(module, sock)
        assert info.value.args == (b"-ERR busy",)
        # The error still holds the object by its traceback.
        assert (sock.fileno() == -1) == (module is DROPIN)
        if module is STANDARD:
            os.close(sock.detach())


def test_reading_by_the_line_and_by_the_chunk_are_the_same() -> None:
    @given(
        st.sampled_from([b"\r\n", b"\n"]),
        st.text(alphabet="..\r\nab", max_size=40),
    )
    def same(newline: bytes, text: str) -> None:
        body = text.encode().replace(newline + b".", newline + b"..")
        reply = b"+OK" + newline + (b"." if body.startswith(b".") else b"") + body
        reply += newline + b"." + newline + b"-ERR end\r\n"
        results = []
        for by_line in (False, True):
            client = DROPIN.POP3.__new__(DROPIN.POP3)
            client.sock, client.file = _Sink(), BytesIO(reply)
            if by_line:
                client.file = _OnlyReadline(client.file)
            lines = client.retr(1)
            results.append((lines, outcome(client.noop)))
        assert results[0] == results[1]
        assert results[0][1] == ("error_proto", (b"-ERR end",))

    same()


class _Sink:
    def sendall(self, data: bytes) -> None:
        pass


class _OnlyReadline:
    def __init__(self, file: Any) -> None:
        self.readline = file.readline


def test_base64_mail_of_many_chunks() -> None:
    mail = re.sub(rb"\n", b"\r\n", base64.encodebytes(bytes(range(256)) * 2000)) + LONG * 40
    mail += b"\r\n" + b".\r\n" * 30_000
    wire = mail.replace(b"\r\n.", b"\r\n..")
    with talk(DROPIN, HELLO, b"+OK\r\n" + wire + b".\r\n", b"+OK\r\n") as (client, _):
        _, lines, octets = client.retr(1)
        assert b"\r\n".join([*lines, b""]) == mail
        assert octets == len(mail)
        assert client.noop() == b"+OK"
