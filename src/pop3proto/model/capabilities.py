"""The capabilities of a server (RFC 2449), typed, with every line as it was sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from .grammar import parse_number
from .value import value


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


@value
class Capabilities(Mapping[str, tuple[Capability, ...]]):
    """The lines of a capability list, in order, as the server sent them.

    A mapping from a capability's name, in upper case, to every line of that name. Names are
    compared without regard to case. Octets that are not UTF-8 are kept as surrogate escapes.
    Servers answer differently before and after STLS and the login.
    """

    lines: tuple[str, ...] = ()

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
    def pipelining(self) -> bool:
        """True if commands may be sent ahead of answers (RFC 2449 section 6.6)."""
        return "PIPELINING" in self

    @property
    def stls(self) -> bool:
        """True if STLS can be sent now (RFC 2595 section 4)."""
        return "STLS" in self

    @property
    def top(self) -> bool:
        """True if the server has TOP (RFC 2449 section 6.1)."""
        return "TOP" in self

    @property
    def uidl(self) -> bool:
        """True if the server has UIDL (RFC 2449 section 6.8)."""
        return "UIDL" in self

    @property
    def user(self) -> bool:
        """True if the server accepts USER and PASS now (RFC 2449 section 6.2)."""
        return "USER" in self

    @property
    def resp_codes(self) -> bool:
        """True if ``-ERR`` carries response codes (RFC 2449 section 6.4)."""
        return "RESP-CODES" in self

    @property
    def auth_resp_code(self) -> bool:
        """True if every refused login is marked AUTH, and no other error is (RFC 3206)."""
        return "AUTH-RESP-CODE" in self

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
    def utf8(self) -> bool:
        """True if the server has the UTF8 command (RFC 6856 section 2)."""
        return "UTF8" in self

    @property
    def utf8_user(self) -> bool:
        """True if user names and passwords may be UTF-8 (RFC 6856 section 2.2)."""
        return "USER" in (word.upper() for word in self.arguments("UTF8") or ())

    @property
    def lang(self) -> bool:
        """True if the server has the LANG command (RFC 6856 section 3)."""
        return "LANG" in self


def _number(word: str) -> int | None:
    # Ten digits are enough for seconds and days.
    return parse_number(word.encode("ascii"), 10) if word.isascii() else None
