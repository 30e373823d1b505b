"""SASLprep (RFC 4013): brings user names and passwords into one form, however they were typed."""

from __future__ import annotations

from ..errors import LocalProtocolError
from ..model.grammar import has_control
from ..model.secret import Secret

__all__ = ["is_controlling", "octets_of", "prepared", "saslprep"]

_HOLDS_CONTROL = " holds a control character"


def saslprep(text: str, *, stored: bool = False) -> str:
    """Return ``text`` in the form in which it is compared (RFC 4013 section 2).

    ``stored`` is for text that a server stores, in which code points unknown to Unicode 3.2 are
    refused; a client's text may hold them (RFC 3454 section 7). Raises ``LocalProtocolError`` for
    text that is not allowed; the message shows no part of it, because it can be a password.
    """
    secret = Secret(text)
    del text
    return _text_of(_prepared(secret, stored=stored))


def _prepared(secret: Secret, *, stored: bool = False) -> Secret:
    # Neither this function nor those that it calls have the text in a local variable, where a
    # traceback would show it.
    if _text_of(secret).isascii() and _text_of(secret).isprintable():
        return secret
    # Here, because few names need these tables, and they take long to load.
    from unicodedata import ucd_3_2_0

    secret = Secret(ucd_3_2_0.normalize("NFKC", "".join(map(_mapped, _text_of(secret)))))
    problem = _problem(secret, stored=stored)
    if problem is not None:
        raise LocalProtocolError(problem)
    return secret


def _text_of(secret: Secret) -> str:
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
    problem, octets = _octets(Secret(text), prepare=prepare)
    if problem is None and not octets and not empty:
        problem = " is empty"
    if problem is not None:
        raise LocalProtocolError(f"{what}{problem}")
    return octets.octets()


def is_controlling(character: str) -> bool:
    """Return whether a character of text is a control character, of ASCII or of C1."""
    return character < " " or "\x7f" <= character <= "\x9f"


def _octets(secret: Secret, *, prepare: bool) -> tuple[str | None, Secret]:
    """Return the problem with a text, if there is one, and its octets."""
    # No exception leaves this function, because the codec's would show the text.
    if not issubclass(secret.kind, str | bytes):
        return f" must be str or bytes, not {secret.kind.__name__}", secret
    # No mechanism may carry what a command line cannot: such a password was never set on purpose,
    # and a program that puts one into a line of its own would send a second command.
    if issubclass(secret.kind, bytes):
        # From 0x80 on, these are letters of ISO 8859-1 or parts of a character in UTF-8.
        return _HOLDS_CONTROL if has_control(secret.octets()) else None, secret
    try:
        if prepare:
            secret = _prepared(secret)
        return (
            _HOLDS_CONTROL if any(map(is_controlling, _text_of(secret))) else None,
            Secret(_text_of(secret).encode("utf-8")),
        )
    except LocalProtocolError as error:
        return f": {error}", secret
    except UnicodeEncodeError:
        return " holds a lone surrogate", secret


def _mapped(character: str) -> str:
    from stringprep import in_table_b1, in_table_c12

    if in_table_c12(character):
        return " "
    return "" if in_table_b1(character) else character


def _problem(secret: Secret, *, stored: bool) -> str | None:
    import stringprep

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
    if any(table(character) for character in _text_of(secret) for table in prohibited):
        return "it holds a character that SASLprep prohibits (RFC 4013 section 2.3)"
    if stored and any(map(stringprep.in_table_a1, _text_of(secret))):
        return "it holds a character that SASLprep does not know (RFC 4013 section 2.5)"
    if any(map(stringprep.in_table_d1, _text_of(secret))):
        # RFC 3454 section 6.
        ends = _text_of(secret)[:1] + _text_of(secret)[-1:]
        if not all(map(stringprep.in_table_d1, ends)) or any(
            map(stringprep.in_table_d2, _text_of(secret))
        ):
            return "it mixes directions of writing (RFC 4013 section 2.4)"
    return None
