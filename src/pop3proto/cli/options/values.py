"""The values of options, from the text that was given."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ...testing import Quirk
    from ..proxies import Proxy

__all__ = [
    "address",
    "count",
    "days",
    "descriptor",
    "fingerprint",
    "number",
    "port",
    "positive",
    "positive_seconds",
    "proxy",
    "quirk",
    "seconds",
]


def quirk(text: str) -> Quirk:
    """Return the quirk with the name ``text``."""
    from ...errors import LocalProtocolError
    from ...testing import Quirk  # here, because only this option needs it

    try:
        return Quirk.named(text)
    except LocalProtocolError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def positive(text: str) -> int:
    """Return a number of octets from 1."""
    # argparse would print the name of this function for a ValueError, and int() accepts too much.
    if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text)):
        raise argparse.ArgumentTypeError("expected a number of octets from 1")
    return int(text)


def number(text: str) -> int:
    """Return a number from 0."""
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise argparse.ArgumentTypeError("expected a number, 0 or more")
    return int(text)


def days(text: str) -> float:
    """Return a number of days from 0."""
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number < 100_000:
        raise argparse.ArgumentTypeError("expected a number of days, 0 or more")
    return number


def fingerprint(text: str) -> str:
    """Return 64 hexadecimal digits, in lower case and without colons."""
    digits = text.replace(":", "").lower()
    if len(digits) != 64 or not {*digits} <= {*"0123456789abcdef"}:
        raise argparse.ArgumentTypeError("expected 64 hexadecimal digits, with or without colons")
    return digits


def port(text: str) -> int:
    """Return a port from 0."""
    if not (text.isascii() and text.isdigit() and len(text) < 6 and int(text) < 65536):
        raise argparse.ArgumentTypeError("expected a port from 0 to 65,535")
    return int(text)


def seconds(text: str) -> float:
    """Return a number of seconds from 0 to an hour."""
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number < 3600:
        raise argparse.ArgumentTypeError("expected a number of seconds from 0")
    return number


def positive_seconds(text: str) -> float:
    """Return a number of seconds above 0."""
    number = seconds(text)
    if not number:
        raise argparse.ArgumentTypeError("expected a number of seconds above 0")
    return number


def descriptor(text: str) -> int:
    """Return the number of an open file, from 0."""
    if not (text.isascii() and text.isdigit() and len(text) < 7):
        raise argparse.ArgumentTypeError("expected the number of an open file, from 0")
    return int(text)


def proxy(text: str) -> Proxy:
    """Return the proxy that a URL describes."""
    from ...errors import LocalProtocolError
    from ..proxies import Proxy  # here, because only this option needs it

    try:
        return Proxy(text)
    except LocalProtocolError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def count(text: str) -> int:
    """Return a number from 1."""
    if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text)):
        raise argparse.ArgumentTypeError("expected a number from 1")
    return int(text)


def address(text: str) -> tuple[str, int]:
    """Return the address and the port of ``ADDRESS:PORT``; an IPv6 address is in brackets."""
    host, mark, number = text.rpartition(":")
    if not (mark and host) or (":" in host and not (host[0] == "[" and host[-1] == "]")):
        raise argparse.ArgumentTypeError("expected an address and a port, such as 127.0.0.1:1110")
    return host.strip("[]"), port(number)
