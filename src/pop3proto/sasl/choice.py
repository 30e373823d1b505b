"""The choice of how to log in, without any input or output."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ..errors import (
    AuthenticationError,
    CredentialsError,
    LoginDelayError,
    MaildropInUseError,
    MechanismError,
    PermanentServerError,
    PlaintextAuthError,
    Pop3Error,
    TemporaryServerError,
)
from .mechanism import ChannelBinding
from .registry import PASSWORD_MECHANISMS, shows_secret

__all__ = ["APOP", "USER", "Choice", "is_final", "needs_offer"]

USER = "USER"
"""The name under which USER and PASS are chosen (RFC 1939 section 7)."""
APOP = "APOP"
"""The name under which APOP is chosen."""
_SCRAM, _PLUS = "SCRAM-", "-PLUS"

# Best first. DIGEST-MD5, NTLM and APOP have to be named: they are less safe than they seem.
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
_FINAL = (
    CredentialsError,
    MaildropInUseError,
    LoginDelayError,
    TemporaryServerError,
    PermanentServerError,
)


def is_final(error: Exception) -> bool:
    """Return whether it is useless to try another mechanism after ``error``."""
    return isinstance(error, _FINAL)


def needs_offer(named: Sequence[str], bindings: Sequence[ChannelBinding]) -> bool:
    """Return whether it matters what the server offers, if these mechanisms, in capitals, may be
    used."""
    if len(named) == 1:
        # It is used anyway. Without a -PLUS form on offer, SCRAM tells the server that it could
        # have bound.
        return bool(bindings) and named[0].startswith(_SCRAM) and not named[0].endswith(_PLUS)
    return not {USER, APOP}.issuperset(named)


class _Way(NamedTuple):
    """One attempt."""

    name: str
    binding: ChannelBinding | None


def _strength(name: str) -> int:
    """Return how well a mechanism guards the password, so that no weaker one is tried."""
    if name == USER or (name != APOP and shows_secret(name)):
        return 0
    if not name.startswith(_SCRAM):
        return 1
    return 3 if name.endswith(_PLUS) else 2


class Choice:
    """The mechanisms to try, one after the other, a ``-PLUS`` form once for each binding.

    ``named`` are the mechanisms that the caller allows, in order, or ``None``; ``offered`` are
    those that the server announces, in upper case, or ``None`` if it was not asked; ``bindings``
    are the channel bindings of the connection, best first; ``show_password`` is true if the network
    may see the password.
    """

    def __init__(
        self,
        named: Sequence[str] | None,
        *,
        offered: Sequence[str] | None,
        bindings: Sequence[ChannelBinding],
        show_password: bool,
    ) -> None:
        self._listed = named is not None
        wanted = list(_AUTOMATIC) if named is None else [name.upper() for name in named]
        for name in wanted:
            if name not in PASSWORD_MECHANISMS and name not in (USER, APOP):
                raise MechanismError(
                    f"{name!r} does not log in with a password: see authenticate() and oauth()"
                )
        there = {*(offered or ()), USER, *([APOP] if self._listed else [])}
        # Some servers do not announce everything that works; a caller who names a single mechanism
        # knows that it does.
        found = wanted if len(wanted) == 1 else [name for name in wanted if name in there]
        bindable = [name for name in found if bindings or not name.endswith(_PLUS)]
        allowed = [name for name in bindable if show_password or _strength(name) > 0]
        if not allowed:
            raise _unavailable(offered, found, bindable)
        self._left = [
            _Way(name, binding)
            for name in allowed
            for binding in (bindings if name.endswith(_PLUS) else (None,))
        ]
        self._current = _Way("", None)
        # The types of the bindings that were refused, and whether the last refusal was because of
        # one.
        self._refused: dict[str, None] = {}
        self._binding_refused = False
        offers_plus = offered is not None and any(name.endswith(_PLUS) for name in offered)
        # This is against an attacker who removes the offer. If the server was not asked, there was
        # no offer to remove.
        self.can_bind: bool = bool(bindings) and offered is not None and not offers_plus
        """True if this side could bind to the channel, but the server does not offer that."""

    @property
    def binding(self) -> ChannelBinding | None:
        """The channel binding for the mechanism that was named last."""
        return self._current.binding

    def next(self) -> str:
        """Return the mechanism to try."""
        self._current = self._left.pop(0)
        return self._current.name

    def go_on(self, error: Pop3Error, *, binding_refused: bool = False) -> bool:
        """Return whether there is another way to try after ``error`` at the last one.

        ``binding_refused`` says that the binding was, or may have been, the reason, and that the
        server has not checked the proof of the password. The same mechanism with another binding
        protects the password just as well.
        """
        name, binding = self._current
        self._binding_refused = binding is not None and binding_refused
        if binding is not None and binding_refused:
            self._refused[binding.type] = None
            left = self._without_binding(error, binding)
        else:
            left = [] if is_final(error) else [way for way in self._left if way.name != name]
        if not self._listed:
            # A weaker one would give away what the stronger one has protected.
            left = [way for way in left if _strength(way.name) >= _strength(name)]
            if name == "PLAIN" and isinstance(error, AuthenticationError):
                # LOGIN sends the same as PLAIN.
                left = [way for way in left if way.name != "LOGIN"]
        self._left = left if error.session_usable else []
        return bool(self._left)

    def _without_binding(self, error: Pop3Error, binding: ChannelBinding) -> list[_Way]:
        if isinstance(error, CredentialsError):
            # The user may be wrong after all, so nothing that shows the password is tried after it.
            return [w for w in self._left if w.name.startswith(_SCRAM) and w.binding != binding]
        if is_final(error):
            return []
        if isinstance(error, AuthenticationError):
            # The mechanism may be the reason as well.
            return self._left
        return [way for way in self._left if way.binding != binding]

    def explain(self, error: Pop3Error) -> None:
        """Add to ``error``, the last one, that the channel bindings may be the reason."""
        if self._binding_refused:
            types = ", ".join(self._refused)
            error.args = (f"{error.args[0]} (channel bindings tried: {types})", *error.args[1:])
            error.hint = (
                f"{error.hint}; if the server knows no such channel binding, "
                f'mechanisms=["{self._current.name.removesuffix(_PLUS)}"] logs in without one'
            )


def _unavailable(
    offered: Sequence[str] | None, found: Sequence[str], bindable: Sequence[str]
) -> Pop3Error:
    """Return why none of the mechanisms ``found`` can be used."""
    if bindable:
        return PlaintextAuthError(
            "every login that the server offers shows the password to the network"
        )
    if found:
        return MechanismError(
            f"{found[0]} binds to the TLS connection, but there is nothing to bind to here"
        )
    names = ", ".join(offered or ()) or "none"
    return MechanismError(f"none of the allowed mechanisms is offered; the server offers: {names}")
