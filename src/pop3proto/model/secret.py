"""``Secret``: a password, or anything else that must not show in a repr or a traceback."""

from __future__ import annotations

from ..errors import LocalProtocolError


class Secret:
    """Holds a password or a token, so that no repr, log or traceback shows it.

    Every public function that takes a password makes a ``Secret`` of it in its first line. Only
    ``reveal()`` and ``octets()`` give it back, to code that writes to the wire or computes a proof.

    >>> Secret("correct horse")
    <secret>
    """

    __slots__ = ("_value",)
    _value: str | bytes

    def __init__(self, value: str | bytes | Secret) -> None:
        # A value of a wrong type can hold a secret, too, so it is refused only when it is used. By
        # then no local variable holds it.
        self._value = value._value if isinstance(value, Secret) else value

    @property
    def kind(self) -> type[object]:
        """The type of the value; only ``str`` and ``bytes`` are useful."""
        return type(self._value)

    def reveal(self) -> str | bytes:
        """Return the secret as it was given.

        Raises ``LocalProtocolError`` for a value that is neither ``str`` nor ``bytes``.
        """
        if not issubclass(self.kind, str | bytes):
            raise LocalProtocolError(f"a secret is str or bytes, not {self.kind.__name__}")
        return self._value

    def octets(self) -> bytes:
        """Return the secret as octets, text as UTF-8 (RFC 6856).

        Raises ``LocalProtocolError`` for a lone surrogate, and for a value that is neither ``str``
        nor ``bytes``.
        """
        # Not in a local variable, which a traceback would show.
        if isinstance(self._value, bytes):
            return self._value
        try:
            return str(self.reveal()).encode("utf-8")
        except UnicodeEncodeError:
            pass  # Left before the next line, because the codec's error would show the text.
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
