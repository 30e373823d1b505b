"""Command lines to typed commands, for the server's role."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

from ..errors import LocalProtocolError
from ..model.commands import (
    Apop,
    Auth,
    AuthList,
    Capa,
    Command,
    Dele,
    Extension,
    Lang,
    Last,
    List,
    Noop,
    Pass,
    Quit,
    Retr,
    Rpop,
    Rset,
    Stat,
    Stls,
    Top,
    Uidl,
    User,
    Utf8,
)
from ..model.grammar import decode_base64, parse_message_number, parse_number

C = TypeVar("C", bound=Command[Any])
# A parser gets the text after the verb and one blank, or None if there is no blank.
Parser: TypeAlias = Callable[[bytes | None], Command[Any]]


def parse_command(line: bytes) -> Command[Any]:
    """Return the command in ``line``, given without its line end (RFC 1939 section 3).

    Raises ``LocalProtocolError``, with a reason that can be sent with ``-ERR``, if there is none.
    """
    verb, blank, argument = line.partition(b" ")
    parser = _PARSERS.get(verb.upper())
    if parser is None:
        extension: Extension[Any] = Extension(_text(line))
        return extension
    return parser(argument if blank else None)


def parse_auth_response(line: bytes) -> bytes:
    """Return the octets that a client's line within AUTH encodes, or raise
    ``LocalProtocolError``."""
    data = decode_base64(line)
    if data is None:
        raise LocalProtocolError("not base64")
    return data


def _text(octets: bytes) -> str | bytes:
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError:
        return octets


def _required(argument: bytes | None) -> bytes:
    if argument is None:
        raise LocalProtocolError("an argument is missing")
    return argument


def _bare(command: type[C]) -> Callable[[bytes | None], C]:
    def parse(argument: bytes | None) -> C:
        if argument is not None and argument.strip(b" "):
            raise LocalProtocolError(f"{command.verb} takes no argument")
        return command()

    return parse


def _with_text(command: Callable[[str | bytes], C]) -> Callable[[bytes | None], C]:
    def parse(argument: bytes | None) -> C:
        return command(_text(_required(argument)))

    return parse


def _message(word: bytes) -> int | str:
    number = parse_message_number(word)
    # Only the plain spelling becomes a number, because the command has to be written as it was
    # read.
    if number is not None and not word.startswith(b"0"):
        return number
    if not word.isascii():
        raise LocalProtocolError("a message number is missing")
    return word.decode("ascii")


def _with_message(command: Callable[[int | str], Command[Any]]) -> Parser:
    def parse(argument: bytes | None) -> Command[Any]:
        return command(_message(_required(argument).strip(b" ")))

    return parse


def _either(bare: Parser, with_argument: Parser) -> Parser:
    def parse(argument: bytes | None) -> Command[Any]:
        chosen = with_argument if argument is not None and argument.strip(b" ") else bare
        return chosen(argument)

    return parse


def _top(argument: bytes | None) -> Top:
    words = _required(argument).split()
    lines = parse_number(words[1]) if len(words) == 2 else None
    if lines is None:
        raise LocalProtocolError("TOP takes a message number and a number of lines")
    return Top(_message(words[0]), lines)


def _apop(argument: bytes | None) -> Apop:
    name, _, digest = _required(argument).rstrip(b" ").rpartition(b" ")
    if not digest.isascii():
        raise LocalProtocolError("APOP takes a name and a digest")
    return Apop(_text(name), digest.decode("ascii").lower())


def _auth(argument: bytes | None) -> Auth:
    words = _required(argument).split()
    if len(words) > 2 or not words[0].isascii():
        raise LocalProtocolError("AUTH takes a mechanism and an initial response")
    mechanism = words[0].decode("ascii")
    if len(words) == 1:
        return Auth(mechanism)
    # RFC 5034 section 4: a single equals sign is an initial response of no octets.
    return Auth(mechanism, b"" if words[1] == b"=" else parse_auth_response(words[1]))


def _lang(argument: bytes | None) -> Lang:
    tag = _required(argument).strip(b" ")
    if not tag.isascii():
        raise LocalProtocolError("a language tag is ASCII")
    return Lang(tag.decode("ascii"))


_PARSERS: dict[bytes, Parser] = {
    b"APOP": _apop,
    b"AUTH": _either(_bare(AuthList), _auth),
    b"CAPA": _bare(Capa),
    b"DELE": _with_message(Dele),
    b"LANG": _either(_bare(Lang), _lang),
    b"LAST": _bare(Last),
    b"LIST": _either(_bare(List), _with_message(List)),
    b"NOOP": _bare(Noop),
    b"PASS": _with_text(Pass),
    b"QUIT": _bare(Quit),
    b"RETR": _with_message(Retr),
    b"RPOP": _with_text(Rpop),
    b"RSET": _bare(Rset),
    b"STAT": _bare(Stat),
    b"STLS": _bare(Stls),
    b"TOP": _top,
    b"UIDL": _either(_bare(Uidl), _with_message(Uidl)),
    b"USER": _with_text(User),
    b"UTF8": _bare(Utf8),
}
