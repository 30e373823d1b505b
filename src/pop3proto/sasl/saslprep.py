"""SASLprep (RFC 4013): brings user names and passwords into one form, however they were typed."""

from __future__ import annotations

from ..errors import LocalProtocolError
from ..model.grammar import has_control
from ..model.secret import Secret

__all__ = ["is_controlling", "octets_of", "prepared", "saslprep"]


def saslprep(text: str, *, stored: bool = False) -> str:
    """Return ``text`` in the form in which it is compared (RFC 4013 section 2).

    ``stored`` is for text that a server stores, in which code points unknown to Unicode 3.2 are
    refused; a client's text may hold them (RFC 3454 section 7). Raises ``LocalProtocolError`` for
    text that is not allowed; the message shows no part of it, because it can be a password.
    """
    if text.isascii() and text.isprintable():
        return text
    # Here, because few names need these tables, and they take long to load.
    from unicodedata import ucd_3_2_0

    secret = Secret(ucd_3_2_0.normalize("NFKC", "".join(map(_mapped, text))))
    # A traceback shows the locals of this frame.
    del text
    problem = _problem(secret, stored=stored)
    if problem is not None:
        raise LocalProtocolError(problem)
    return str(secret.reveal())


def prepared(password: str) -> str:
    """Return ``password`` after SASLprep, or as it is if SASLprep does not allow it.

    A server compares passwords in this form if clients may have prepared them, as they have to for
    PLAIN (RFC 4616 section 2).
    """
    try:
        return saslprep(password)
    except LocalProtocolError:
        return password


def octets_of(
    what: str, text: str | bytes | Secret, *, prepare: bool = False, empty: bool = False
) -> bytes:
    """Return the octets of ``text``; with ``prepare``, a ``str`` goes through SASLprep first.

    Raises ``LocalProtocolError``, which names ``what`` and does not show ``text``, for anything
    that is neither text nor octets, for a control character, and, unless ``empty`` is allowed, for
    an empty text. The traceback shows ``text`` itself, unless it is a ``Secret``.
    """
    problem = _problem_with(text, prepare=prepare, empty=empty)
    if problem is not None:
        raise LocalProtocolError(f"{what}{problem}")
    return _encoded(text, prepare=prepare)


def is_controlling(character: str) -> bool:
    """Return whether a character of text is a control character, of ASCII or of C1."""
    return character < " " or "\x7f" <= character <= "\x9f"


def _problem_with(text: str | bytes | Secret, *, prepare: bool, empty: bool) -> str | None:
    # No exception leaves this function, because a traceback would show the octets in its frame.
    kind = text.kind if isinstance(text, Secret) else type(text)
    if not issubclass(kind, str | bytes):
        return f" must be str or bytes, not {kind.__name__}"
    try:
        octets = _encoded(text, prepare=prepare)
    except LocalProtocolError as error:
        return f": {error}"
    except UnicodeEncodeError:
        return " holds a lone surrogate"
    # No mechanism may carry what a command line cannot: such a password was never set on purpose,
    # and a program that puts one into a line of its own would send a second command.
    if has_control(octets) or _holds_c1(text):
        return " holds a control character"
    return None if octets or empty else " is empty"


def _holds_c1(text: str | bytes | Secret) -> bool:
    # In octets these are letters of ISO 8859-1 or parts of a character in UTF-8.
    value = text.reveal() if isinstance(text, Secret) else text
    return isinstance(value, str) and any(map(is_controlling, value))


def _encoded(text: str | bytes | Secret, *, prepare: bool) -> bytes:
    value = text.reveal() if isinstance(text, Secret) else text
    if isinstance(value, bytes):
        return value
    return (saslprep(value) if prepare else value).encode("utf-8")


def _mapped(character: str) -> str:
    from stringprep import in_table_b1, in_table_c12

    if in_table_c12(character):
        return " "
    return "" if in_table_b1(character) else character


def _problem(secret: Secret, *, stored: bool) -> str | None:
    import stringprep

    text = str(secret.reveal())
    prohibited = (
        stringprep.in_table_c12,
        stringprep.in_table_c21_c22,
        stringprep.in_table_c3,
        stringprep.in_table_c4,
        stringprep.in_table_c5,
        stringprep.in_table_c6,
        stringprep.in_table_c7,
        stringprep.in_table_c8,
        stringprep.in_table_c9,
    )
    if any(table(character) for character in text for table in prohibited):
        return "it holds a character that SASLprep prohibits (RFC 4013 section 2.3)"
    if stored and any(map(stringprep.in_table_a1, text)):
        return "it holds a character that SASLprep does not know (RFC 4013 section 2.5)"
    if any(map(stringprep.in_table_d1, text)):
        # RFC 3454 section 6.
        ends = stringprep.in_table_d1(text[0]) and stringprep.in_table_d1(text[-1])
        if not ends or any(map(stringprep.in_table_d2, text)):
            return "it mixes directions of writing (RFC 4013 section 2.4)"
    return None
