from typing import Any

import pytest

from pop3proto import (
    Apop,
    Auth,
    AuthList,
    Command,
    Dele,
    ErrorReply,
    Extension,
    Lang,
    List,
    LocalProtocolError,
    Pass,
    Retr,
    Rpop,
    Stat,
    Top,
    Uidl,
    User,
)
from pop3proto.engine.requests import parse_auth_response, parse_command
from pop3proto.model.commands import KNOWN_VERBS
from tests.samples import COMMAND_LINES, DIGEST

BARE = [b"CAPA", b"LAST", b"NOOP", b"QUIT", b"RSET", b"STAT", b"STLS", b"UTF8"]
WITH_MESSAGE = [b"DELE", b"LIST", b"RETR", b"UIDL"]


@pytest.mark.parametrize(("command", "line"), COMMAND_LINES)
def test_the_server_sees_what_the_client_sent(command: Command[Any], line: bytes) -> None:
    seen = parse_command(command.to_bytes()[:-2])
    assert seen == command == parse_command(line)
    assert type(seen) is type(command)


def with_verb(line: bytes, change: Any) -> bytes:
    verb, blank, rest = line.partition(b" ")
    return bytes(change(verb)) + blank + rest


@pytest.mark.parametrize(
    ("command", "line"), [row for row in COMMAND_LINES if type(row[0]) is not Extension]
)
@pytest.mark.parametrize("change", [bytes.lower, bytes.title, bytes.swapcase])
def test_the_case_of_a_verb_does_not_count(command: Command[Any], line: bytes, change: Any) -> None:
    assert parse_command(with_verb(line, change)) == command


def test_the_samples_know_every_verb() -> None:
    verbs = {line.partition(b" ")[0] for _, line in COMMAND_LINES}
    assert KNOWN_VERBS - verbs == {b"*"}


@pytest.mark.parametrize("verb", BARE)
def test_a_bare_command_takes_blanks_and_nothing_else(verb: bytes) -> None:
    bare = parse_command(verb)
    assert parse_command(verb + b" ") == parse_command(verb + b"   ") == bare
    for line in (verb + b" 1", verb + b" X", verb + b"  x ", verb + b" \xff", verb + b" \t"):
        with pytest.raises(LocalProtocolError, match=f"{verb.decode()} takes no argument"):
            parse_command(line)


@pytest.mark.parametrize(
    "line",
    [b"APOP", b"DELE", b"PASS", b"RETR", b"RPOP", b"TOP", b"USER", b"user", b"ReTr"],
)
def test_a_missing_argument(line: bytes) -> None:
    with pytest.raises(LocalProtocolError, match="an argument is missing"):
        parse_command(line)


@pytest.mark.parametrize(
    "line", [b"APOP ", b"DELE ", b"DELE   ", b"RETR ", b"RPOP ", b"USER ", b"TOP ", b"TOP 1"]
)
def test_an_argument_of_nothing(line: bytes) -> None:
    with pytest.raises(LocalProtocolError):
        parse_command(line)


@pytest.mark.parametrize(
    ("line", "command"),
    [
        (b"RETR  5 ", Retr(5)),
        (b"RETR 2147483648", Retr("2147483648")),
        (b"RETR 007", Retr("007")),
        (b"RETR 0", Retr("0")),
        (b"RETR -1", Retr("-1")),
        (b"RETR 1 2", Retr("1 2")),
        (b"RETR +1", Retr("+1")),
        (b"RETR 1_0", Retr("1_0")),
        (b"DELE last", Dele("last")),
        (b"DELE X1X", Dele("X1X")),
        (b"LIST ", List()),
        (b"LIST  ", List()),
        (b"LIST  5", List(5)),
        (b"UIDL ", Uidl()),
        (b"UIDL 5 ", Uidl(5)),
        (b"LANG ", Lang()),
        (b"LANG  en ", Lang("en")),
        (b"LANG X-XX", Lang("X-XX")),
        (b"AUTH ", AuthList()),
        (b"AUTH  plain ", Auth("PLAIN")),
        (b"AUTH plain =", Auth("PLAIN", b"")),
        (b"AUTH PLAIN  AHRlc3QAdGVzdA==", Auth("PLAIN", b"\0test\0test")),
        (b"TOP  1   10 ", Top(1, 10)),
        (b"TOP 01 010", Top("01", 10)),
        (b"PASS  a ", Pass(" a ")),
        (b"PASS ", Pass("")),
        (b"USER  a ", User(" a ")),
        (b"RPOP a b", Rpop("a b")),
        (b"APOP mrose " + DIGEST.upper().encode(), Apop("mrose", DIGEST)),
        (b"APOP mrose " + DIGEST.encode() + b"  ", Apop("mrose", DIGEST)),
        (b"APOP j\xf6rg " + DIGEST.encode(), Apop(b"j\xf6rg", DIGEST)),
        (b"XTND", Extension("XTND")),
        (b"xtnd  a ", Extension("xtnd  a ")),
        (b"STATS", Extension("STATS")),
        (b"\xff\xfe", Extension(b"\xff\xfe")),
    ],
)
def test_blanks_and_spellings(line: bytes, command: Command[Any]) -> None:
    seen = parse_command(line)
    assert seen == command
    assert type(seen) is type(command)


@pytest.mark.parametrize("line", [b"RETR 1", b"TOP 1 0", b"DELE 1", b"LIST 1", b"UIDL 1"])
def test_a_plain_message_number_becomes_an_int(line: bytes) -> None:
    command: Any = parse_command(line)
    assert type(command.message) is int


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b" ",
        b" STAT",
        b"*",
        b"* x",
        b"STAT\r",
        b"ST\0AT",
        b"\tSTAT",
        b"X\x7f",
        b"USER a\x01b",
        b"USER a\xc2\x85b",
        b"PASS a\x1bb",
        b"RETR \x07",
        b"RETR 1\t",
        b"RETR \xff",
        b"RETR \xd9\xa3",
        b"TOP 1 x",
        b"TOP 1 -1",
        b"TOP 1 1 1",
        b"TOP 1 2147483648",
        b"TOP 1 " + b"9" * 400,
        b"TOP \xff 1",
        b"APOP mrose",
        b"APOP mrose digest",
        b"APOP mrose \xff",
        b"APOP " + DIGEST.encode(),
        b"APOP mrose " + DIGEST.encode() + b"X",
        b"APOP mrose " + DIGEST.encode() + b"\t",
        b"AUTH PLAIN not-base64",
        b"AUTH PLAIN AAAA AAAA",
        b"AUTH PLAIN AAA",
        b"AUTH \xff",
        b"AUTH BAD.NAME",
        b"AUTH \t",
        b"AUTH ABCDEFGHIJKLMNOPQRSTU",
        b"LANG \xff",
        b"LANG a\x00",
        b"LANG a\t",
    ],
)
def test_lines_that_are_no_command(line: bytes) -> None:
    with pytest.raises(LocalProtocolError) as caught:
        parse_command(line)
    assert str(caught.value)


LONG = b"x" * 8_000


@pytest.mark.parametrize(
    "line", [verb + b" " + LONG for verb in sorted(KNOWN_VERBS - {b"PASS"})] + [LONG + LONG]
)
def test_the_reason_of_a_refusal_fits_an_error_reply(line: bytes) -> None:
    with pytest.raises(LocalProtocolError) as caught:
        parse_command(line)
    assert ErrorReply(None, str(caught.value.args[0])).to_bytes().startswith(b"-ERR ")


@pytest.mark.parametrize(
    "line",
    [b"PASS tanstaaf\x01", b"AUTH PLAIN tanstaaf?", b"RPOP tanstaaf\x01", b"APOP x tanstaaf"],
)
def test_the_reason_of_a_refusal_holds_no_secret(line: bytes) -> None:
    with pytest.raises(LocalProtocolError) as caught:
        parse_command(line)
    assert "tanstaaf" not in str(caught.value)


@pytest.mark.parametrize(
    ("line", "data"),
    [(b"", b""), (b"AHRlc3QAdGVzdA==", b"\0test\0test"), (b"/+8=", b"\xff\xef")],
)
def test_auth_responses(line: bytes, data: bytes) -> None:
    assert parse_auth_response(line) == data


@pytest.mark.parametrize(
    "line",
    [
        b"=",
        b"*",
        b"A",
        b"AA",
        b"AAA",
        b"AAAA=",
        b"AAAA==",
        b"AA==AA==",
        b"AA AA",
        b"AAAA ",
        b"-_-_",
        b"\xff",
    ],
)
def test_no_auth_response(line: bytes) -> None:
    with pytest.raises(LocalProtocolError, match="not base64") as caught:
        parse_auth_response(line)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_a_command_without_argument_is_told_from_its_brother() -> None:
    assert parse_command(b"LIST").message is None  # type: ignore[attr-defined]
    assert parse_command(b"LIST 1").message == 1  # type: ignore[attr-defined]
    assert type(parse_command(b"STAT")) is Stat
