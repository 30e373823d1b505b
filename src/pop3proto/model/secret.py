"""A password, or anything else that must not show, from the first public line to the wire."""

from __future__ import annotations

from ..errors import LocalProtocolError

__all__ = ["Secret"]


class Secret:
    """Hold a password or a token so that no repr, log or traceback shows it.

    Every public function turns what it was given into a ``Secret`` in its first line; from there on
    the text is in no local variable. ``reveal()`` is the one way out, for whoever writes the octets
    of the wire, or computes a proof. Raises ``LocalProtocolError`` for anything but ``str``,
    ``bytes`` or a ``Secret``, without showing it.

    >>> Secret("correct horse")
    <secret>
    """

    __slots__ = ("_value",)
    _value: str | bytes

    def __init__(self, value: str | bytes | Secret) -> None:
        if isinstance(value, Secret):
            value = value._value
        self._value = value
        kind = type(value)
        # The argument must not show in the traceback of the error either.
        del value
        if not issubclass(kind, str | bytes):
            raise LocalProtocolError(f"a secret is str or bytes, not {kind.__name__}")

    def reveal(self) -> str | bytes:
        """Return the secret as it was given."""
        return self._value

    def octets(self) -> bytes:
        """Return the secret as octets, text as UTF-8 (RFC 6856).

        Raises ``LocalProtocolError`` for a lone surrogate.
        """
        if isinstance(self._value, bytes):
            return self._value
        try:
            return self._value.encode("utf-8")
        except UnicodeEncodeError:
            # The error of the codec would show the text.
            pass
        raise LocalProtocolError("a secret holds a lone surrogate")

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __repr__(self) -> str:
        return "<secret>"
