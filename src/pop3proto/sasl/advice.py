"""Hints about refused logins: what the caller can do next.

The command line replaces the arguments in them by its options.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["STLS", "TWO_STEPS", "instead_of_proof", "joined", "unbound"]

STLS = "the server announces STLS, and may take logins only under TLS: security=STLS"
TWO_STEPS = (
    "some servers, such as Office 365, do not take the first message on the line of AUTH: "
    "initial_response=False"
)


def joined(hint: str, more: str) -> str:
    """Return ``hint`` with ``more``, if there is more."""
    return f"{hint}; {more}" if more else hint


def unbound(mechanism: str) -> str:
    """Return how to log in with ``mechanism``, without ``-PLUS``, if no binding was accepted."""
    return (
        "if the server knows no such channel binding, "
        f'mechanisms=["{mechanism}"] logs in without one'
    )


def instead_of_proof(mechanism: str, offered: Sequence[str], named: Sequence[str] | None) -> str:
    """Return advice for a server that cannot check the proof that ``mechanism`` sends.

    Many servers announce CRAM-MD5, but store only hashes of passwords. With a hash they can check a
    password, but not a proof of it. ``offered`` are the mechanisms that the server announces, and
    ``named`` those that the caller allows, or ``None``.
    """
    simple = next((name for name in ("PLAIN", "LOGIN") if name in offered), "USER")
    if named is None:
        return (
            f"a server may announce {mechanism} without the stored passwords that it needs: "
            f'mechanisms=["{simple}"] sends the password itself'
        )
    if simple in offered and simple not in named:
        return f"the server also offers {simple}, which was not allowed here"
    return ""
