"""Quirks of capability lists, and of lists of mechanisms."""

from __future__ import annotations

from collections.abc import Callable

from ...model.commands import Capa
from ...model.login_commands import AuthList
from .row import Row, Situation

_EXTENSIONS = (b"TOP", b"UIDL", b"PIPELINING")


def _without(*names: bytes) -> Callable[[list[bytes], Situation], list[bytes]]:
    return lambda lines, _: [line for line in lines if line.partition(b" ")[0] not in names]


def _with(*more: bytes) -> Callable[[list[bytes], Situation], list[bytes]]:
    return lambda lines, _: [*lines, *more]


def _shuffled(lines: list[bytes], situation: Situation) -> list[bytes]:
    first = situation.connection % max(1, len(lines))
    return lines[first:] + lines[:first]


NO_CAPA = Row(
    "knows neither CAPA nor an AUTH that lists the mechanisms",
    "servers older than CAPA",
    "capa",
    refuses=lambda command, _: isinstance(command, Capa | AuthList),
)
MECHANISMS_BY_AUTH = Row(
    "knows no CAPA, but lists its mechanisms for a bare AUTH",
    "servers older than CAPA",
    "capa",
    refuses=lambda command, _: isinstance(command, Capa),
)
CLOSES_ON_CAPA = Row(
    "closes on CAPA", "old servers", "capa", hangs_up=lambda command: isinstance(command, Capa)
)
HIDDEN_UNTIL_LOGIN = Row(
    "does not list TOP, UIDL and PIPELINING before the login",
    "Exchange",
    "extensions",
    capabilities=lambda lines, situation: (
        lines if situation.logged_in else _without(*_EXTENSIONS)(lines, situation)
    ),
)
HIDDEN_CAPABILITIES = Row(
    "never lists TOP, UIDL and PIPELINING",
    "Gmail, Comcast",
    "extensions",
    capabilities=_without(*_EXTENSIONS),
)
HIDDEN_STLS = Row(
    "knows STLS, but does not advertise it", "several", capabilities=_without(b"STLS")
)
HIDDEN_MECHANISMS = Row(
    "knows mechanisms of AUTH, but does not advertise them",
    "several, for XOAUTH2",
    capabilities=_without(b"SASL"),
    mechanisms=lambda lines: [],
)
FORGOTTEN_CAPABILITIES = Row(
    "does not list USER, SASL and UTF8 after the login",
    "Dovecot",
    capabilities=lambda lines, situation: (
        _without(b"USER", b"SASL", b"UTF8")(lines, situation) if situation.logged_in else lines
    ),
)
MISSPELT_CAPABILITY = Row(
    "advertises PIPELINE and EXPIRENEVER: a misspelt name, and two words in one",
    "Twisted and others",
    capabilities=lambda lines, _: [
        *(b"PIPELINE" if line == b"PIPELINING" else line for line in lines),
        b"EXPIRENEVER",
    ],
)
REPEATED_CAPABILITIES = Row(
    "lists each capability twice",
    "Zimbra, for SASL",
    capabilities=lambda lines, _: [line for line in lines for _ in range(2)],
)
ODD_CAPABILITIES = Row(
    "adds EXPIRE and LOGIN-DELAY for each user, and an unknown capability",
    "Gmail, Zimbra",
    capabilities=lambda lines, situation: [
        *_without(b"EXPIRE")(lines, situation),
        *(b"EXPIRE 31 USER", b"LOGIN-DELAY 300 USER", b"X-UNKNOWN tag"),
    ],
)
BLANK_CAPABILITY = Row(
    "has a blank line among its capabilities", "several", capabilities=_with(b"")
)
NON_ASCII_CAPABILITY = Row(
    "has a capability of octets that are not ASCII", "several", capabilities=_with(b"X-\xe9")
)
LOWER_CASE_CAPABILITIES = Row(
    "writes its capabilities in lower case",
    "several",
    capabilities=lambda lines, _: [line.lower() for line in lines],
)
REVERSED_CAPABILITIES = Row(
    "lists its capabilities in another order",
    "several",
    "order",
    capabilities=lambda lines, _: lines[::-1],
)
SHUFFLED_CAPABILITIES = Row(
    "lists its capabilities in another order at each connection",
    "Twisted",
    "order",
    capabilities=_shuffled,
)
NO_CAPABILITIES = Row(
    "answers CAPA with an empty list", "old servers", "capa", capabilities=lambda lines, _: []
)
