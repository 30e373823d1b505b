"""Command lines to typed commands, for the server's role."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from ..errors import LocalProtocolError
from ..model import commands as c
from ..model import login_commands as login
from ..model.command import Command
from ..model.grammar import decode_base64, parse_message_number, parse_number

AnyCommand: TypeAlias = Command[Any]


def parse_command(line: bytes) -> AnyCommand:
    """Return the command in ``line``, given without its line end (RFC 1939 section 3).

    Raises ``LocalProtocolError``, with a reason that can be sent with ``-ERR``, if the line is not
    a command.
    """
    verb, blank, argument = line.partition(b" ")
    if (form := _FORMS.get(verb.upper())) is None:
        extension: AnyCommand = c.Extension(_text(line))
        return extension
    bare, read = form
    if bare is not None and not argument.strip(b" "):
        return bare()
    if read is None:
        raise LocalProtocolError(f"{verb.decode('ascii').upper()} takes no argument")
    if not blank:
        raise LocalProtocolError("an argument is missing")
    return read(argument)


def parse_auth_response(line: bytes) -> bytes:
    """Return the octets in a client's line within AUTH, or raise ``LocalProtocolError``."""
    if (data := decode_base64(line)) is None:
        raise LocalProtocolError("not base64")
    return data


def _ascii(word: bytes, problem: str) -> str:
    if not word.isascii():
        raise LocalProtocolError(problem)
    return word.decode("ascii")


def _text(octets: bytes) -> str | bytes:
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError:
        return octets


def _message(argument: bytes) -> int | str:
    word = argument.strip(b" ")
    number = parse_message_number(word)
    # Only the plain spelling becomes a number, because a command is written as it was read.
    if number is not None and not word.startswith(b"0"):
        return number
    return _ascii(word, "a message number is missing")


def _top(argument: bytes) -> c.Top:
    words = argument.split()
    if (lines := parse_number(words[1]) if len(words) == 2 else None) is None:
        raise LocalProtocolError("TOP takes a message number and a number of lines")
    return c.Top(_message(words[0]), lines)


def _apop(argument: bytes) -> login.Apop:
    name, _, digest = argument.rstrip(b" ").rpartition(b" ")
    return login.Apop(_text(name), _ascii(digest, "APOP takes a name and a digest").lower())


def _auth(argument: bytes) -> login.Auth:
    words = argument.split()
    if not 1 <= len(words) <= 2 or not words[0].isascii():
        raise LocalProtocolError("AUTH takes a mechanism and an initial response")
    mechanism = words[0].decode("ascii")
    if len(words) == 1:
        return login.Auth(mechanism)
    # RFC 5034 section 4: a single equals sign is an initial response of no octets.
    return login.Auth(mechanism, b"" if words[1] == b"=" else parse_auth_response(words[1]))


# For each verb, the command without an argument, or None if it needs one; and the function that
# reads the argument, or None if it takes none.
_FORMS: dict[bytes, tuple[type[AnyCommand] | None, Callable[[bytes], AnyCommand] | None]] = {
    b"APOP": (None, _apop),
    b"AUTH": (login.AuthList, _auth),
    b"CAPA": (c.Capa, None),
    b"DELE": (None, lambda argument: c.Dele(_message(argument))),
    b"LANG": (c.Lang, lambda tag: c.Lang(_ascii(tag.strip(b" "), "a language tag is ASCII"))),
    b"LAST": (c.Last, None),
    b"LIST": (c.List, lambda argument: c.List(_message(argument))),
    b"NOOP": (c.Noop, None),
    b"PASS": (None, lambda argument: login.Pass(_text(argument))),
    b"QUIT": (c.Quit, None),
    b"RETR": (None, lambda argument: c.Retr(_message(argument))),
    b"RPOP": (None, lambda argument: login.Rpop(_text(argument))),
    b"RSET": (c.Rset, None),
    b"STAT": (c.Stat, None),
    b"STLS": (c.Stls, None),
    b"TOP": (None, _top),
    b"UIDL": (c.Uidl, lambda argument: c.Uidl(_message(argument))),
    b"USER": (None, lambda argument: login.User(_text(argument))),
    b"UTF8": (c.Utf8, None),
}
