import pickle
import re
from collections.abc import Callable
from typing import Any

import pytest

import pop3proto
from pop3proto import (
    CapaReply,
    Challenge,
    Command,
    Dele,
    Extension,
    Lang,
    LangReply,
    LastReply,
    Limits,
    List,
    ListReply,
    LocalProtocolError,
    Message,
    Ok,
    Retr,
    State,
    StatReply,
    Top,
    Uidl,
    UidlReply,
    Upload,
)
from pop3proto._value import field_names
from pop3proto.model.commands import KNOWN_VERBS
from tests.samples import (
    ASCII_CONTROLS,
    COMMAND_CLASSES,
    COMMAND_LINES,
    CONTINUATIONS,
    OTHER_CONTROLS,
    with_control,
)

AUTHORIZATION, TRANSACTION = {State.AUTHORIZATION}, {State.TRANSACTION}
BOTH = AUTHORIZATION | TRANSACTION
ONE_EACH = {type(command): command for command, _ in (*COMMAND_LINES, *CONTINUATIONS)}
# The form of their answer depends on whether they have an argument.
WITH_OR_WITHOUT: dict[str, Command[Any]] = {
    "Lang": Lang(),
    "Lang with a tag": Lang("en"),
    "List": List(),
    "List of one": List(1),
    "Uidl": Uidl(),
    "Uidl of one": Uidl(1),
}

WITH_MESSAGE: dict[str, Callable[[Any], Command[Any]]] = {
    "RETR": Retr,
    "DELE": Dele,
    "LIST": List,
    "UIDL": Uidl,
    "TOP": lambda message: Top(message, 0),
}
WITH_TEXT: dict[str, Callable[[Any], Command[Any]]] = {
    "LANG": Lang,
    "extension": Extension,
    "extension's argument": lambda text: Extension(
        b"XNAME " + text if isinstance(text, bytes) else f"XNAME {text}"
    ),
    "single": Extension.single,
    "multi": Extension.multi,
}
MESSAGE = pytest.mark.parametrize("make", WITH_MESSAGE.values(), ids=WITH_MESSAGE)
TEXT = pytest.mark.parametrize(
    "make", [*WITH_MESSAGE.values(), *WITH_TEXT.values()], ids=[*WITH_MESSAGE, *WITH_TEXT]
)


def test_the_samples_leave_no_command_out() -> None:
    assert set(ONE_EACH) == COMMAND_CLASSES


@pytest.mark.parametrize(("command", "line"), COMMAND_LINES)
def test_wire_form(command: Command[Any], line: bytes) -> None:
    assert command.to_bytes() == line + b"\r\n"


@pytest.mark.parametrize(("command", "wire"), CONTINUATIONS)
def test_wire_form_of_what_is_no_command_line(command: Command[Any], wire: bytes) -> None:
    assert command.to_bytes() == wire


@pytest.mark.parametrize("command", ONE_EACH.values(), ids=lambda c: type(c).__name__)
def test_commands_are_immutable_values(command: Command[Any]) -> None:
    same = pickle.loads(pickle.dumps(command))
    assert same == command
    assert same is not command
    assert hash(same) == hash(command)
    assert not hasattr(command, "__dict__")
    values: Any = command
    for name in field_names(values):
        with pytest.raises(AttributeError):
            setattr(command, name, "x")


def test_commands_of_different_classes_differ() -> None:
    assert len({Retr(1), Retr(2), Dele(1), Retr("1")}) == 4
    assert len({*ONE_EACH.values()}) == len(ONE_EACH)


# Verb, legal states, next state, barrier, alone, secret, answer, multiline: RFC 1939, 2449, 2595,
# 5034, 6856.
NO, YES = False, True
STATE_TABLE = [
    ("Apop", "APOP", AUTHORIZATION, State.TRANSACTION, NO, NO, YES, Ok, NO),
    ("Capa", "CAPA", BOTH, None, NO, NO, NO, CapaReply, YES),
    ("Dele", "DELE", TRANSACTION, None, NO, NO, NO, Ok, NO),
    ("Lang with a tag", "LANG", BOTH, None, NO, NO, NO, LangReply, NO),
    ("Lang", "LANG", BOTH, None, NO, NO, NO, LangReply, YES),
    ("Last", "LAST", TRANSACTION, None, NO, NO, NO, LastReply, NO),
    ("List", "LIST", TRANSACTION, None, NO, NO, NO, ListReply, YES),
    ("List of one", "LIST", TRANSACTION, None, NO, NO, NO, ListReply, NO),
    ("Noop", "NOOP", TRANSACTION, None, NO, NO, NO, Ok, NO),
    ("Pass", "PASS", AUTHORIZATION, State.TRANSACTION, NO, NO, YES, Ok, NO),
    ("Quit", "QUIT", BOTH, None, YES, NO, NO, Ok, NO),
    ("Retr", "RETR", TRANSACTION, None, NO, NO, NO, Message, YES),
    ("Rset", "RSET", TRANSACTION, None, NO, NO, NO, Ok, NO),
    ("Stat", "STAT", TRANSACTION, None, NO, NO, NO, StatReply, NO),
    ("Stls", "STLS", AUTHORIZATION, State.TLS_NEGOTIATION, YES, YES, NO, Ok, NO),
    ("Top", "TOP", TRANSACTION, None, NO, NO, NO, Message, YES),
    ("Uidl", "UIDL", TRANSACTION, None, NO, NO, NO, UidlReply, YES),
    ("Uidl of one", "UIDL", TRANSACTION, None, NO, NO, NO, UidlReply, NO),
    ("Upload", "", TRANSACTION, None, YES, YES, NO, Ok, NO),
    ("User", "USER", AUTHORIZATION, None, NO, NO, NO, Ok, NO),
    ("Utf8", "UTF8", AUTHORIZATION, None, NO, NO, NO, Ok, NO),
]


@pytest.mark.parametrize("row", STATE_TABLE, ids=lambda row: str(row[0]))
def test_state_table(row: tuple[Any, ...]) -> None:
    command = WITH_OR_WITHOUT.get(row[0]) or ONE_EACH[getattr(pop3proto, row[0])]
    assert row[1:] == (
        command.verb,
        command.legal_states,
        command.next_state,
        command.barrier,
        command.alone,
        command.secret,
        command.answer,
        command.multiline,
    )


@TEXT
@pytest.mark.parametrize("control", [*ASCII_CONTROLS, *OTHER_CONTROLS])
def test_no_control_reaches_the_wire(make: Callable[[Any], Command[Any]], control: str) -> None:
    for text in with_control(control):
        with pytest.raises(LocalProtocolError, match="control character"):
            make(text)
        if control in ASCII_CONTROLS:
            with pytest.raises(LocalProtocolError):
                make(text.encode())


@pytest.mark.parametrize("make", [*WITH_MESSAGE.values(), Lang, Extension.single, Extension.multi])
@pytest.mark.parametrize("argument", ["", b"", None, 1.5, ["x"], bytearray(b"x"), object()])
def test_neither_nothing_nor_another_type_is_taken(
    make: Callable[[Any], Command[Any]], argument: object
) -> None:
    if argument is None and make in (Lang, List, Uidl):
        # As if it had not been given.
        assert make(None).to_bytes() == b"%s\r\n" % make(None).verb.encode()
        return
    with pytest.raises(LocalProtocolError):
        make(argument)


@MESSAGE
@pytest.mark.parametrize(
    "number",
    [0, -1, 2**31, 2**63, True, False, 1.0, b"1", pytest.param(10**5_000, id="5001 digits")],
)
def test_no_message_number(make: Callable[[Any], Command[Any]], number: object) -> None:
    with pytest.raises(LocalProtocolError):
        make(number)


@MESSAGE
@pytest.mark.parametrize("number", [1, 2**31 - 1])
def test_message_numbers(make: Callable[[Any], Command[Any]], number: int) -> None:
    assert b" %d" % number in make(number).to_bytes()


@pytest.mark.parametrize("make", [List, Uidl, Lang])
@pytest.mark.parametrize("blanks", [" ", "   "])
def test_an_argument_of_blanks_alone_would_be_none(
    make: Callable[[Any], Command[Any]], blanks: str
) -> None:
    # LIST and a blank is LIST without an argument: its answer would have another shape.
    with pytest.raises(LocalProtocolError):
        make(blanks)


@pytest.mark.parametrize("make", [*WITH_MESSAGE.values(), Lang])
def test_the_longest_argument_fits_a_line_that_the_server_takes(
    make: Callable[[Any], Command[Any]],
) -> None:
    assert len(make("x" * 480).to_bytes()) <= Limits().command_line
    with pytest.raises(LocalProtocolError, match="too long"):
        make("x" * 481)
    with pytest.raises(LocalProtocolError, match="too long"):
        make("ä" * 241)


@pytest.mark.parametrize("lines", [0, 1, 2**31 - 1])
def test_top_takes_lines_from_0(lines: int) -> None:
    assert Top(1, lines).to_bytes() == b"TOP 1 %d\r\n" % lines


@pytest.mark.parametrize(
    "lines", [-1, 2**31, True, 1.0, "1", None, pytest.param(10**5_000, id="5001 digits")]
)
def test_no_number_of_lines(lines: Any) -> None:
    with pytest.raises(LocalProtocolError, match="TOP takes 0 to 2147483647 lines"):
        Top(1, lines)


def test_extensions() -> None:
    single, multi = Extension.single("XTND XMIT"), Extension.multi(b"XTND XLST Subject")
    assert (single.answer, multi.answer) == (Ok, Message)
    assert (single.multiline, multi.multiline) == (False, True)
    assert single.legal_states == BOTH
    assert not single.verb
    assert not single.barrier
    assert Extension("XTND XMIT") == Extension[Ok]("XTND XMIT") == single
    # A server cannot see the answer, and its commands have to be equal to the client's.
    other: Extension[Any] = Extension[Message]("XTND XMIT", Message)
    assert other == single
    assert hash(Extension.multi("XTND XMIT")) == hash(single)
    assert single != Extension.single("xtnd xmit")


@pytest.mark.parametrize(
    "answer",
    [StatReply, ListReply, UidlReply, LastReply, CapaReply, LangReply, Challenge, str, "Ok", None],
)
def test_an_extension_has_an_answer_that_can_be_framed_without_knowing_it(
    answer: Any,
) -> None:
    with pytest.raises(LocalProtocolError, match="Ok or Message"):
        Extension("XTND", answer)


@pytest.mark.parametrize(
    "verb",
    [cls.verb for cls in ONE_EACH if cls.verb],
)
def test_a_known_command_is_no_extension(verb: str) -> None:
    assert verb.encode() in KNOWN_VERBS
    message = rf"^{re.escape(verb)} has a class of its own$"
    for line in (verb, verb.lower(), verb.title(), f"{verb} ", f"{verb} 1", verb.encode()):
        with pytest.raises(LocalProtocolError, match=message):
            Extension(line)


def test_known_verbs() -> None:
    assert {cls.verb.encode() for cls in ONE_EACH if cls.verb} == KNOWN_VERBS
    assert b"" not in KNOWN_VERBS


@pytest.mark.parametrize("line", [" RETR 1", "  ", " ", b" QUIT"])
def test_an_extension_begins_with_its_name(line: str | bytes) -> None:
    with pytest.raises(LocalProtocolError, match="begins with the command's name"):
        Extension(line)


@pytest.mark.parametrize("line", ["RETRX 1", "XRETR 1", "RETR-1", "STATS", "Q", b"\xff"])
def test_what_merely_resembles_a_known_command_is_an_extension(line: str | bytes) -> None:
    assert Extension(line).line == line


def test_the_longest_extension() -> None:
    assert len(Extension("x" * 8_190).to_bytes()) == Limits().auth_line
    with pytest.raises(LocalProtocolError, match="too long"):
        Extension("x" * 8_191)


@pytest.mark.parametrize(
    ("content", "wire"),
    [
        (b"", b".\r\n"),
        (b"a", b"a\r\n.\r\n"),
        (b"a\r\n", b"a\r\n.\r\n"),
        (b"a\nb\r\nc", b"a\r\nb\r\nc\r\n.\r\n"),
        (b".", b"..\r\n.\r\n"),
        (b".\r\n..\n.x", b"..\r\n...\r\n..x\r\n.\r\n"),
        (b"a\r", b"a\r\r\n.\r\n"),
        (b"\xff\x00", b"\xff\x00\r\n.\r\n"),
    ],
)
def test_an_upload_is_stuffed_and_ends(content: bytes, wire: bytes) -> None:
    assert Upload(content).to_bytes() == wire


def test_an_upload_does_not_show_its_content() -> None:
    assert repr(Upload(b"private")) == "Upload()"


@pytest.mark.parametrize("content", ["text", None, 5, [b"x"]])
def test_an_upload_is_octets(content: Any) -> None:
    with pytest.raises(LocalProtocolError):
        Upload(content)


def test_bidi_text_is_escaped_where_a_command_is_shown() -> None:
    assert repr(Retr("\u202egpj")) == r"Retr(message='\u202egpj')"
    error = LocalProtocolError("x", command=Extension("X \u202e"))
    assert str(error).isprintable()


@pytest.mark.parametrize("command", WITH_OR_WITHOUT.values(), ids=WITH_OR_WITHOUT)
def test_the_repr_makes_the_same_command_again(command: Command[Any]) -> None:
    names = {"Lang": Lang, "List": List, "Uidl": Uidl}
    assert eval(repr(command), names) == command
    assert ("None" in repr(command)) is False
