"""APOP (RFC 1939 section 7): the digest of a greeting's timestamp and a password, on both ends."""

from __future__ import annotations

from .._arguments import require
from ..errors import LocalProtocolError
from ..model.grammar import MAX_SECRET_LINE, check_text
from ..model.login_commands import Apop
from ..model.secret import Secret

__all__ = ["apop_command", "apop_digest"]


def apop_command(name: str | bytes, timestamp: str, password: str | bytes | Secret) -> Apop:
    """Return the command that proves knowledge of ``password`` for a greeting's ``timestamp``.

    Raises ``LocalProtocolError`` for a name or a password that is not allowed, and for a timestamp
    that is not printable ASCII.
    """
    password = Secret(password)
    check_text("the password", password, MAX_SECRET_LINE, empty=True)
    require("a timestamp", timestamp, str, "printable ASCII")
    if not (timestamp.isascii() and timestamp.isprintable()):
        raise LocalProtocolError("a timestamp is printable ASCII")
    return Apop(name, apop_digest(timestamp, password))


def apop_digest(timestamp: str, password: Secret) -> str:
    """Return the digest in lower-case hexadecimal digits."""
    # Here, because few logins need it, and it loads OpenSSL's library.
    from hashlib import md5

    return md5(timestamp.encode("ascii") + password.octets(), usedforsecurity=False).hexdigest()
