"""Checks of the arguments that only servers and maildrops have: an error names the argument."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, cast

from .._arguments import listed, require
from ..errors import LocalProtocolError

if TYPE_CHECKING:
    from ..sasl.users import ServerMechanism

__all__ = ["require_maildrops", "require_mechanisms", "require_users", "require_word"]

# A greeting and a line of a capability list have 512 octets at most (RFC 2449 section 4), and hold
# other things, too.
_MAX_WORD = 255


def require_word(name: str, given: Any, forbidden: str = "") -> None:
    """Raise ``LocalProtocolError`` unless ``given`` is 1 to 255 printable ASCII characters.

    None of them may be ``forbidden``.
    """
    require(name, given, str, "a str")
    right = given.isascii() and given.isprintable() and 1 <= len(given) <= _MAX_WORD
    if not right or not given.strip() or any(character in given for character in forbidden):
        unless = f", without any of {forbidden!r}" if forbidden else ""
        raise LocalProtocolError(
            f"{name} has 1 to {_MAX_WORD} printable ASCII characters{unless}; not {given[:80]!r}"
        )


def require_maildrops(given: object) -> None:
    """Raise ``LocalProtocolError`` if ``given`` cannot open maildrops."""
    # A path has open(), too.
    is_path = hasattr(given, "__fspath__")
    if is_path or not callable(getattr(given, "open", None)):
        kind = type(given).__name__
        raise LocalProtocolError(f"maildrops is a provider, such as MemoryMaildrops, not {kind}")


def require_users(given: object) -> None:
    """Raise ``LocalProtocolError`` if ``given`` cannot say who may log in."""
    if not isinstance(given, Mapping) and not callable(getattr(given, "check", None)):
        kind = type(given).__name__
        raise LocalProtocolError(f"users maps users to passwords, or has check(), unlike {kind}")


def require_mechanisms(given: Iterable[ServerMechanism]) -> tuple[ServerMechanism, ...]:
    """Return the mechanisms; raise ``LocalProtocolError`` unless all are ``ServerMechanism``."""
    mechanisms = listed("mechanisms is a list of mechanisms", given, object)
    for each in mechanisms:
        named = isinstance(getattr(each, "name", None), str)
        begins = callable(getattr(each, "begin", None))
        # The class of a mechanism has both, too.
        if not (named and begins) or isinstance(each, type):
            kind = type(each).__name__
            raise LocalProtocolError(
                f"mechanisms is a list of mechanisms, such as ServerPlain, not of {kind}"
            )
    return tuple(cast("list[ServerMechanism]", mechanisms))
