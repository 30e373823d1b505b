from typing import Any

import pytest

from pop3proto import (
    Auth,
    AuthCancel,
    AuthResponse,
    Capa,
    CapaReply,
    Command,
    Extension,
    Lang,
    LocalProtocolError,
    Message,
    Ok,
    Retr,
    User,
)
from pop3proto.transcript import RecordedLine
from pop3proto.transcript.recorded import (
    auth_line,
    expects_more,
    is_plain_command,
    offers_upload,
    recorded_command,
    verbs,
)


@pytest.mark.parametrize(
    ("line", "command"),
    [
        (b"USER user", User("user")),
        (b"capa", Capa()),
        (b"RETR 3", Retr(3)),
        (b"LANG de", Lang("de")),
        (b"STAT extra", RecordedLine(b"STAT extra")),
        (b"", RecordedLine(b"")),
        (b"AUTH PLAIN ***", Auth("PLAIN", b"***")),
        (b"AUTH P**** ***", RecordedLine(b"AUTH P**** ***")),
        (b"AUTH PLAIN", Auth("PLAIN")),
    ],
)
def test_lines_become_commands(line: bytes, command: Command[object]) -> None:
    assert recorded_command(line, ()) == command


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        (b"CAPA extra", CapaReply),
        (b"retr", Message),
        (b"TOP 1", Message),
        (b"STAT extra", Ok),
        (b"ST\0AT", Ok),
    ],
)
def test_what_is_no_command_has_the_answer_of_its_name(line: bytes, answer: type[Any]) -> None:
    command = recorded_command(line, ())
    assert isinstance(command, RecordedLine)
    assert command.answer is answer
    assert command.to_bytes() == line + b"\r\n"


def test_a_recorded_line_shows_how_it_began() -> None:
    assert repr(RecordedLine(b"STAT\x1b secret")) == "RecordedLine('STAT\\\\x1b'...)"


@pytest.mark.parametrize("names", ["XTND XLST", ["X-OTHER", "xtnd xlst"]])
def test_answers_of_extensions_can_be_texts(names: str | list[str]) -> None:
    known = verbs(names)
    command = recorded_command(b"Xtnd Xlst Subject", known)
    assert isinstance(command, Extension)
    assert command.answer is Message
    assert recorded_command(b"XTND XLSTS", known).answer is Ok
    assert recorded_command(b"XTND", known).answer is Ok


def test_lines_within_auth() -> None:
    assert auth_line(b"*") == AuthCancel()
    assert auth_line(b"dXNlcg==") == AuthResponse(b"user")
    assert auth_line(b"***") == AuthResponse(b"***")


def test_uploads() -> None:
    assert offers_upload(b"xtnd xmit")
    assert not offers_upload(b"XTND XLST")


@pytest.mark.parametrize("line", [b"stat", b"LIST", b"LIST 1", b"TOP 1 0", b"QUIT", b"DELE 12"])
def test_plain_commands(line: bytes) -> None:
    assert is_plain_command(line)
    assert not expects_more(line)


@pytest.mark.parametrize("line", [b"UTF8", b"RETR", b"TOP 1", b"RETR x", b"STAT ", b"cGFzcw=="])
def test_what_may_be_something_else(line: bytes) -> None:
    assert not is_plain_command(line)


@pytest.mark.parametrize("line", [b"*", b"", b"cGFzcw=="])
def test_a_client_that_answers_took_it_for_a_challenge(line: bytes) -> None:
    assert expects_more(line)


@pytest.mark.parametrize("line", [None, b"USER user"])
def test_a_client_that_goes_on_did_not(line: bytes | None) -> None:
    assert not expects_more(line)


def test_the_name_of_a_command_is_text() -> None:
    wrong: Any = ["XTND", 5]
    with pytest.raises(
        LocalProtocolError, match=r"^multiline is a list of str, and int is not one$"
    ):
        verbs(wrong)


def test_names_of_another_type() -> None:
    wrong: Any = 5
    with pytest.raises(LocalProtocolError, match="multiline is a list of str, not a single int"):
        verbs(wrong)
    assert verbs(["x\udcff"]) == ((b"X\xed\xb3\xbf",),)
