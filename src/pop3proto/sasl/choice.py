"""The choice of how to log in, without any input or output."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .._value import value
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
    printable,
)
from . import advice
from .registry import PASSWORD_MECHANISMS, shows_secret

if TYPE_CHECKING:
    from .mechanism import ChannelBinding

__all__ = ["APOP", "USER", "Choice", "is_final", "needs_offer"]

USER = "USER"
"""The name under which USER and PASS are chosen (RFC 1939 section 7)."""
APOP = "APOP"
"""The name under which APOP is chosen."""
_SCRAM, _PLUS = "SCRAM-", "-PLUS"
# The strength of SCRAM without a binding.
_UNBOUND = 2

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
    """Return whether the server's offer makes a difference if these mechanisms may be used.

    Their names are in capitals.
    """
    if len(named) == 1:
        # It is used anyway. Without a -PLUS form on offer, SCRAM tells the server that it could
        # have bound.
        return bool(bindings) and named[0].startswith(_SCRAM) and not named[0].endswith(_PLUS)
    return not {USER, APOP}.issuperset(named)


@value
class _Way:
    """One attempt."""

    name: str
    binding: ChannelBinding | None = None
    could_bind: bool = False
    """True if SCRAM says that this side could have bound (RFC 5802 section 6: ``y``)."""

    @property
    def base(self) -> str:
        """The name without ``-PLUS``."""
        return self.name.removesuffix(_PLUS)


def _strength(name: str) -> int:
    """Return how well a mechanism guards the password, so that no weaker one is tried."""
    if name == USER or (name != APOP and shows_secret(name)):
        return 0
    if not name.startswith(_SCRAM):
        return 1
    return 3 if name.endswith(_PLUS) else _UNBOUND


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
        self._named = None if named is None else [name.upper() for name in named]
        wanted = list(_AUTOMATIC) if self._named is None else self._named
        for name in wanted:
            if name not in PASSWORD_MECHANISMS and name not in (USER, APOP):
                raise MechanismError(
                    f"{printable(name)} is not a mechanism that takes a password",
                    hint="authenticate() and oauth() take other mechanisms",
                )
        there = {*(offered or ()), USER, *([] if self._named is None else [APOP])}
        # Some servers do not announce everything that works; a caller who names a single mechanism
        # knows that it does.
        found = wanted if len(wanted) == 1 else [name for name in wanted if name in there]
        bindable = [name for name in found if bindings or not name.endswith(_PLUS)]
        allowed = [name for name in bindable if show_password or _strength(name) > 0]
        if not allowed:
            raise _unavailable(offered, found, bindable)
        offers_plus = offered is not None and any(name.endswith(_PLUS) for name in offered)
        # This is against an attacker who removes the offer. If the server was not asked, there was
        # no offer to remove.
        stripped = bool(bindings) and offered is not None and not offers_plus
        if self._named is None and any(name.endswith(_PLUS) for name in allowed):
            # One attempt without a binding is enough: see go_on().
            unbound = [name for name in allowed if _strength(name) == _UNBOUND]
            allowed = [name for name in allowed if name not in unbound[1:]]
        self._left = _ways(allowed, bindings, could_bind=stripped)
        self._current = _Way("")
        self._offered = tuple(offered or ())
        self._show_password = show_password
        # The types of the bindings that were refused, or may have been; the error that says so; and
        # whether the server had seen the proof of the password by then.
        self._refused: dict[str, None] = {}
        self._reason: Pop3Error | None = None
        self._doubted = False

    @property
    def binding(self) -> ChannelBinding | None:
        """The channel binding for the mechanism that was named last."""
        return self._current.binding

    @property
    def can_bind(self) -> bool:
        """True if the mechanism that was named last says that it could have bound.

        It says so if the server does not offer binding, and after a bound login was refused. A
        server that does offer binding refuses such a login, because somebody in between may have
        removed the offer.
        """
        return self._current.could_bind

    def next(self) -> str:
        """Return the mechanism to try."""
        self._current = self._left.pop(0)
        return self._current.name

    def go_on(
        self, error: Pop3Error, *, binding_refused: bool = False, binding_doubted: bool = False
    ) -> bool:
        """Return whether there is another way to try after ``error`` at the last one.

        ``binding_refused`` says that the binding was the reason, or that the server has not seen
        the proof of the password, so that the binding may have been the reason. The same mechanism
        with another binding protects the password just as well. ``binding_doubted`` says that the
        server has seen the proof, and that either can be the reason: then one more binding is
        tried, and no more than one, because some servers lock an account after a few wrong
        passwords.
        """
        current = self._current
        floor = _strength(current.name)
        # After [AUTH] it was open whether the password was wrong, and this was the one more try.
        spent = self._doubted and isinstance(self._reason, CredentialsError)
        if binding_doubted and self._refused and not self._doubted:
            # The server has refused another binding outright, so it knows this one, and the
            # password is wrong.
            binding_doubted, self._reason = False, None
        if current.binding is None or not (binding_refused or binding_doubted):
            left = [] if is_final(error) else self._others(current.name)
        else:
            again, self._doubted = not self._doubted, self._doubted or not binding_refused
            self._refused[current.binding.type] = None
            if again:
                self._reason = error
                # The unbound form says that it could have bound. So it is of no use to somebody in
                # between, who could as well have removed the offer of a -PLUS form.
                floor = _strength(current.base)
            left = self._without_binding(error, current, doubted=binding_doubted, again=again)
        if self._named is None:
            # A weaker one would give away what the stronger one has protected.
            left = [way for way in left if _strength(way.name) >= floor]
            if current.name == "PLAIN" and isinstance(error, AuthenticationError):
                # LOGIN sends the same as PLAIN.
                left = [way for way in left if way.name != "LOGIN"]
        self._left = left if error.session_usable and not spent else []
        return bool(self._left)

    def _others(self, name: str) -> list[_Way]:
        return [way for way in self._left if way.name != name]

    def _without_binding(
        self, error: Pop3Error, current: _Way, *, doubted: bool, again: bool
    ) -> list[_Way]:
        """Return the ways that are left after a bound login was refused, perhaps for its binding.

        ``doubted`` says that the password may be the reason as well. In that case, ``again`` says
        if the mechanism may be tried once more with another binding.
        """
        others = [way for way in self._left if way.binding != current.binding]
        if is_final(error) and not isinstance(error, CredentialsError):
            return []
        if doubted and isinstance(error, CredentialsError):
            return [way for way in others if way.base == current.base]
        if doubted:
            same = [way for way in others if way.name == current.name and again]
            return [*same, *self._others(current.name)]
        if isinstance(error, CredentialsError):
            # The user name may be wrong too, so nothing that shows the password is tried next.
            return [way for way in others if way.name.startswith(_SCRAM)]
        if isinstance(error, AuthenticationError):
            # The mechanism may be the reason as well.
            return self._left
        return others

    def explained(self, error: Pop3Error) -> Pop3Error:
        """Return the exception to raise if nothing helped, with a hint; ``error`` is the last one.

        It is the refusal of a bound login, if there was one.
        """
        current = self._current
        if is_final(error) and not isinstance(error, CredentialsError):
            return error
        if self._reason and (current.binding is not None or current.could_bind):
            error = self._reason
            types = ", ".join(self._refused)
            error.args = (f"{error.args[0]} (channel bindings tried: {types})",)
            error.hint = advice.joined(error.hint, advice.unbound(current.base))
        elif (
            type(error) in (AuthenticationError, CredentialsError)
            and _strength(current.name)
            and self._show_password
        ):
            more = advice.instead_of_proof(current.name, self._offered, self._named)
            error.hint = advice.joined(error.hint, more)
        return error


def _ways(
    names: Sequence[str], bindings: Sequence[ChannelBinding], *, could_bind: bool
) -> list[_Way]:
    """Return the attempts at the mechanisms ``names``, in order."""
    ways: list[_Way] = []
    for name in names:
        if name.endswith(_PLUS):
            ways += [_Way(name, binding) for binding in bindings]
            # From here on, "n" would let somebody in between make a bound login fail, and pass on
            # the unbound one (RFC 5802 section 6).
            could_bind = True
        else:
            ways.append(_Way(name, None, could_bind and name.startswith(_SCRAM)))
    return ways


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
    names = printable(", ".join(offered or ())) or "none"
    return MechanismError(f"none of the allowed mechanisms is offered; the server offers: {names}")
