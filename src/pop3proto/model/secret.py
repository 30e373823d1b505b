"""A password, or anything else that must not show, from the first public line to the wire."""

from __future__ import annotations

from ..errors import LocalProtocolError


class Secret:
    """Holds a password or a token, so that no repr, log or traceback shows it.

    Every public function turns what it was given into a ``Secret`` in its first line; from there on
    the text is in no local variable. ``reveal()`` is the one way out, for whoever writes the octets
    of the wire, or computes a proof.

    >>> Secret("correct horse")
    <secret>
    """

    __slots__ = ("_value",)
    _value: str | bytes

    def __init__(self, value: str | bytes | Secret) -> None:
        # A value of a wrong type can hold a secret, too, so it is refused only when it is used: by
        # then no frame knows it.
        self._value = value._value if isinstance(value, Secret) else value

    @property
    def kind(self) -> type[object]:
        """The type of the value; only ``str`` and ``bytes`` are useful."""
        return type(self._value)

    def reveal(self) -> str | bytes:
        """Return the secret as it was given.

        Raises ``LocalProtocolError`` for what is neither ``str`` nor ``bytes``.
        """
        if not issubclass(self.kind, str | bytes):
            raise LocalProtocolError(f"a secret is str or bytes, not {self.kind.__name__}")
        return self._value

    def octets(self) -> bytes:
        """Return the secret as octets, text as UTF-8 (RFC 6856).

        Raises ``LocalProtocolError`` for a lone surrogate, and for what is neither ``str`` nor
        ``bytes``.
        """
        value = self.reveal()
        if isinstance(value, bytes):
            return value
        try:
            return value.encode("utf-8")
        except UnicodeEncodeError:
            # The error of the codec would show the text, and so would this frame.
            del value
        raise LocalProtocolError("a secret holds a lone surrogate")

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __reduce__(self) -> tuple[type[Secret], tuple[str | bytes]]:
        # The oldest protocols of pickle cannot do this for a class with slots.
        return type(self), (self._value,)

    def __repr__(self) -> str:
        return "<secret>"
