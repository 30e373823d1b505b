"""Which way to log in comes next: a choice without any input or output."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import (
    AuthenticationError,
    AuthenticationFailed,
    LoginDelayed,
    MaildropBusy,
    MechanismUnavailable,
    PermanentFailure,
    PlaintextAuthRefused,
    TemporaryFailure,
    WrongCredentials,
)
from ..sasl import PASSWORD_MECHANISMS, SHOWS_SECRET, ChannelBinding

__all__ = ["APOP", "USER", "Choice", "is_final"]

USER = "USER"
"""The name under which USER and PASS are chosen (RFC 1939 section 7)."""
APOP = "APOP"
"""The name under which APOP is chosen."""
_PLUS = "-PLUS"

# Best first. DIGEST-MD5, NTLM and APOP have to be named: they promise more than they keep.
_AUTOMATIC = (
    "SCRAM-SHA-512-PLUS",
    "SCRAM-SHA-256-PLUS",
    "SCRAM-SHA-1-PLUS",
    "SCRAM-SHA-512",
    "SCRAM-SHA-256",
    "SCRAM-SHA-1",
    "CRAM-MD5",
    "PLAIN",
    "LOGIN",
    USER,
)
# Answers after which no other mechanism helps (RFC 3206, RFC 2449 section 8.1.1).
_FINAL = (WrongCredentials, MaildropBusy, LoginDelayed, TemporaryFailure, PermanentFailure)


def is_final(error: Exception) -> bool:
    """Whether trying another mechanism is of no use after ``error``."""
    return isinstance(error, _FINAL)


def _strength(name: str) -> int:
    """How well a mechanism guards the password, so that none weaker is tried with it."""
    if name == USER or name in SHOWS_SECRET:
        return 0
    if not name.startswith("SCRAM-"):
        return 1
    return 3 if name.endswith(_PLUS) else 2


class Choice:
    """Names one mechanism after the other.

    ``named`` are those that the caller allows, in order, or ``None``; ``offered`` those that the
    server announces, in upper case; ``bindings`` the channel bindings of the connection, best
    first; ``show_password`` says whether the network may see the password.
    """

    def __init__(
        self,
        named: Sequence[str] | None,
        *,
        offered: Sequence[str],
        bindings: Sequence[ChannelBinding],
        show_password: bool,
    ) -> None:
        self._bindings = bindings
        self._listed = named is not None
        wanted = [name.upper() for name in _AUTOMATIC if named is None] or [
            name.upper() for name in named or ()
        ]
        for name in wanted:
            if name not in PASSWORD_MECHANISMS and name not in (USER, APOP):
                raise MechanismUnavailable(
                    f"{name!r} does not log in with a password: see authenticate() and oauth()"
                )
        # Servers hide what works, and who names one mechanism knows that it does.
        if len(wanted) > 1:
            there = {*offered, USER, *([APOP] if self._listed else [])}
            wanted = [name for name in wanted if name in there]
        bindable = [n for n in wanted if not n.endswith(_PLUS) or bindings]
        allowed = [n for n in bindable if show_password or _strength(n) > 0]
        if not allowed:
            self._refuse(offered, bindable)
        self._left = allowed
        self._current = ""
        # Whether the server could bind if it wanted to: an answer to who strips the offer.
        self.can_bind = bool(bindings) and not any(n.endswith(_PLUS) for n in offered)
        """Whether this side could bind to the channel, and the server does not offer to."""

    def _refuse(self, offered: Sequence[str], hidden: Sequence[str]) -> None:
        if hidden:
            raise PlaintextAuthRefused(
                "every login that the server offers shows the password to the network"
            )
        names = ", ".join(offered) or "none"
        raise MechanismUnavailable(
            f"none of the allowed mechanisms is offered; those that are: {names}"
        )

    def binding(self, name: str) -> ChannelBinding | None:
        """The channel binding for the mechanism called ``name``."""
        return self._bindings[0] if name.endswith(_PLUS) and self._bindings else None

    def next(self) -> str:
        """The mechanism to try."""
        self._current = self._left.pop(0)
        return self._current

    def go_on(self, error: AuthenticationError) -> bool:
        """Whether there is another mechanism to try after ``error`` at the last one."""
        if is_final(error) or not error.session_usable:
            return False
        if not self._listed:
            # A weaker one would give away what the stronger one has guarded.
            strength = _strength(self._current)
            self._left = [name for name in self._left if _strength(name) >= strength]
            if self._current == "PLAIN" and isinstance(error, AuthenticationFailed):
                # LOGIN says nothing that PLAIN has not said.
                self._left = [name for name in self._left if name != "LOGIN"]
        return bool(self._left)
