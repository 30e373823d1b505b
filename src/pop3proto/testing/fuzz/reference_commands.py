"""The reference for a client's command lines, and the numbers and base64 in lines of both roles."""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Callable
from typing import Any

from ...errors import LocalProtocolError, Pop3Error
from ...model import commands as c
from ...model import login_commands as login
from ...model.command import Command

__all__ = ["base64_in", "command_in", "message_number", "number_in"]

_BASE64 = re.compile(rb"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")
_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")


def base64_in(text: bytes) -> bytes | None:
    """Return the octets that ``text`` encodes, or ``None``."""
    return b64decode(text) if _BASE64.fullmatch(text) else None


def number_in(word: bytes, digits: int = 19, most: int = 2**63 - 1) -> int | None:
    """Return the number in ``word``, or ``None``."""
    plain = re.fullmatch(rb"[0-9]{1,%d}" % digits, word)
    return int(word) if plain and int(word) <= most else None


def message_number(word: bytes) -> int | None:
    """Return the message number in ``word``, from 1, or ``None``."""
    return number_in(word, 10, 2**31 - 1) or None


# Commands that may come without an argument, and those that have to.
_BARE: dict[bytes, Callable[[], Command[Any]]] = {
    **{kind.verb.encode(): kind for kind in (c.Capa, c.Last, c.List, c.Lang, c.Noop, c.Quit)},
    **{kind.verb.encode(): kind for kind in (c.Rset, c.Stat, c.Stls, c.Uidl, c.Utf8)},
    b"AUTH": login.AuthList,
}
_WITH_MESSAGE = {b"DELE": c.Dele, b"LIST": c.List, b"RETR": c.Retr, b"UIDL": c.Uidl}
_WITH_TEXT = {b"PASS": login.Pass, b"RPOP": login.Rpop, b"USER": login.User}


def command_in(line: bytes, *, in_auth: bool, eight_bit: bool) -> Command[Any] | None:
    """Return the command in a client's line, or ``None`` if it is not one."""
    if _CONTROL.search(line) or not (eight_bit or line.isascii()):
        return None
    try:
        return _response(line) if in_auth else _command(line)
    except Pop3Error:
        return None


def _response(line: bytes) -> Command[Any] | None:
    if line == b"*":
        return login.AuthCancel()
    data = base64_in(line)
    return None if data is None else login.AuthResponse(data)


def _command(line: bytes) -> Command[Any] | None:
    word, blank, argument = line.partition(b" ")
    verb, bare = word.upper(), not argument.strip(b" ")
    if verb in _BARE and bare:
        return _BARE[verb]()
    if verb not in _TAKING:
        # The class refuses the verbs that the other tables have.
        return c.Extension(_either(line)) if verb not in _BARE else None
    return _TAKING[verb](verb, argument) if blank else None


def _either(octets: bytes) -> str | bytes:
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError:
        return octets


def _ascii(octets: bytes) -> str:
    try:
        return octets.decode("ascii")
    except UnicodeDecodeError:
        raise LocalProtocolError("not ASCII") from None


def _message(argument: bytes) -> int | str:
    word = argument.strip(b" ")
    number = None if word.startswith(b"0") else message_number(word)
    return _ascii(word) if number is None else number


def _top(_: bytes, argument: bytes) -> Command[Any] | None:
    words = argument.split()
    lines = number_in(words[1]) if len(words) == 2 else None
    return None if lines is None else c.Top(_message(words[0]), lines)


def _apop(_: bytes, argument: bytes) -> Command[Any] | None:
    found = re.fullmatch(rb"(.*) ([^ ]+) *", argument, re.DOTALL)
    return found and login.Apop(_either(found[1]), _ascii(found[2]).lower())


def _auth(_: bytes, argument: bytes) -> Command[Any] | None:
    match [_ascii(word) for word in argument.split()]:
        case [mechanism]:
            return login.Auth(mechanism)
        case [mechanism, "="]:
            return login.Auth(mechanism, b"")
        case [mechanism, text]:
            data = base64_in(text.encode())
            return None if data is None else login.Auth(mechanism, data)
        case _:
            return None


_TAKING: dict[bytes, Callable[[bytes, bytes], Command[Any] | None]] = {
    b"APOP": _apop,
    b"AUTH": _auth,
    b"LANG": lambda _, argument: c.Lang(_ascii(argument.strip(b" "))),
    b"TOP": _top,
    **dict.fromkeys(_WITH_MESSAGE, lambda verb, text: _WITH_MESSAGE[verb](_message(text))),
    **dict.fromkeys(_WITH_TEXT, lambda verb, text: _WITH_TEXT[verb](_either(text))),
}
