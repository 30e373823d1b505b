"""The capabilities of a server (RFC 2449), typed, with every line as it was sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar, NamedTuple, cast

from .._value import value
from .grammar import parse_number


class Capability(NamedTuple):
    """One capability line: its name as the server spelt it, and its arguments."""

    name: str
    arguments: tuple[str, ...] = ()


class Expire(NamedTuple):
    """How long messages stay in the maildrop (RFC 2449 section 6.7)."""

    days: int | None
    """The least number of days that a message is kept; 0 means that no message may be left on the
    server, ``None`` means NEVER."""
    per_user: bool = False
    """The value can differ from user to user: ask again after the login."""


class LoginDelay(NamedTuple):
    """How long to wait between two logins (RFC 2449 section 6.5)."""

    seconds: int
    per_user: bool = False
    """The value can differ from user to user: ask again after the login."""


def _announced(name: str) -> bool:
    """Return a property, a ``bool`` for type checkers: whether a line is called ``name``."""
    return cast(bool, property(lambda capabilities: name in capabilities, doc=f"{name} is there."))


@value
class Capabilities(Mapping[str, tuple[Capability, ...]]):
    """The lines of a capability list, in order, as the server sent them.

    A mapping from a capability's name, in upper case, to every line of that name. Names are
    compared without regard to case. Octets that are not UTF-8 are kept as surrogate escapes.
    Servers answer differently before and after STLS and the login.
    """

    lines: tuple[str, ...] = ()

    pipelining: ClassVar[bool] = _announced("PIPELINING")
    """True if commands may be sent ahead of answers (RFC 2449 section 6.6)."""
    stls: ClassVar[bool] = _announced("STLS")
    """True if STLS can be sent now (RFC 2595 section 4)."""
    top: ClassVar[bool] = _announced("TOP")
    """True if the server has TOP (RFC 2449 section 6.1)."""
    uidl: ClassVar[bool] = _announced("UIDL")
    """True if the server has UIDL (RFC 2449 section 6.8)."""
    user: ClassVar[bool] = _announced("USER")
    """True if the server accepts USER and PASS now (RFC 2449 section 6.2)."""
    resp_codes: ClassVar[bool] = _announced("RESP-CODES")
    """True if ``-ERR`` carries response codes (RFC 2449 section 6.4)."""
    auth_resp_code: ClassVar[bool] = _announced("AUTH-RESP-CODE")
    """True if every refused login is marked AUTH, and no other error is (RFC 3206)."""
    utf8: ClassVar[bool] = _announced("UTF8")
    """True if the server has the UTF8 command (RFC 6856 section 2)."""
    lang: ClassVar[bool] = _announced("LANG")
    """True if the server has the LANG command (RFC 6856 section 3)."""

    @classmethod
    def of(cls, *lines: str) -> Capabilities:
        """Return a capability list from its lines: ``Capabilities.of("TOP", "SASL PLAIN")``."""
        return cls(lines)

    def _parsed(self) -> Iterator[Capability]:
        for line in self.lines:
            name, *arguments = line.split() or [""]
            yield Capability(name, tuple(arguments))

    def __getitem__(self, name: str) -> tuple[Capability, ...]:
        wanted = str(name).upper()
        found = tuple(c for c in self._parsed() if c.name.upper() == wanted)
        if not found:
            raise KeyError(name)
        return found

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.upper() in iter(self)

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(c.name.upper() for c in self._parsed()))

    def __len__(self) -> int:
        return len({c.name.upper() for c in self._parsed()})

    def arguments(self, name: str) -> tuple[str, ...] | None:
        """Return the arguments of every line called ``name``, joined; ``None`` if there is none."""
        # Servers repeat lines, SASL above all.
        found = self.get(name)
        return None if found is None else tuple(word for line in found for word in line.arguments)

    @property
    def sasl(self) -> tuple[str, ...]:
        """The SASL mechanisms offered, in upper case, in the server's order (RFC 5034)."""
        return tuple(dict.fromkeys(m.upper() for m in self.arguments("SASL") or ()))

    @property
    def expire(self) -> Expire | None:
        """The EXPIRE capability; ``None`` if it is absent or malformed."""
        days, *rest = self.arguments("EXPIRE") or ("",)
        per_user = [word.upper() for word in rest] == ["USER"]
        if days.upper() == "NEVER":
            return Expire(None, per_user)
        number = _number(days)
        return None if number is None else Expire(number, per_user)

    @property
    def login_delay(self) -> LoginDelay | None:
        """The LOGIN-DELAY capability; ``None`` if it is absent or malformed."""
        seconds, *rest = self.arguments("LOGIN-DELAY") or ("",)
        number, per_user = _number(seconds), [word.upper() for word in rest] == ["USER"]
        return None if number is None else LoginDelay(number, per_user)

    @property
    def implementation(self) -> str | None:
        """The server's name for itself (RFC 2449 section 6.9)."""
        words = self.arguments("IMPLEMENTATION")
        return None if words is None else " ".join(words)

    @property
    def utf8_user(self) -> bool:
        """True if user names and passwords may be UTF-8 (RFC 6856 section 2.2)."""
        return "USER" in (word.upper() for word in self.arguments("UTF8") or ())


def _number(word: str) -> int | None:
    # Ten digits are enough for seconds and days.
    return parse_number(word.encode("ascii"), 10) if word.isascii() else None
