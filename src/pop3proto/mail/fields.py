"""The fields of a header, as text that knows its name, its defects and what it says."""

from __future__ import annotations

import re
from abc import abstractmethod
from datetime import datetime
from email.errors import InvalidHeaderDefect, MessageDefect
from email.headerregistry import Address, Group
from email.policy import Policy
from email.utils import parsedate_to_datetime

from .addresses import AddressReader
from .parameters import read_parameters
from .text import unfolded, with_words_decoded

_LINE_END = re.compile(r"\r\n|\r|\n")
_WORD = r"[!#$%&'*+\-.0-9A-Z^_`a-z{|}~]++"
_TYPE = re.compile(rf"\s*+({_WORD})\s*+/\s*+({_WORD})\s*+(?:\(|$)")
_FIRST_WORD = re.compile(rf"\s*+({_WORD})")
# Longer than any date, with its comment.
_MAX_DATE = 200


class Field(str):
    """The text of a field, unfolded, with its encoded words decoded.

    What cannot be decoded, control characters and surrogates are replaced by U+FFFD.
    """

    name: str
    """As it is spelt in the message."""
    raw: str
    """As it stands in the message, with surrogate escapes for 8-bit octets."""
    defects: tuple[MessageDefect, ...]
    """What was wrong with it."""

    def __new__(cls, name: str, raw: str) -> Field:
        """Read the field ``name`` from what stands after the colon."""
        line = unfolded(raw)
        problems = ["control characters, or octets that are not UTF-8"] if "\ufffd" in line else []
        text, wrong, attributes = cls._read(line)
        self = super().__new__(cls, text)
        vars(self).update(attributes)
        self.name, self.raw = name, raw
        self.defects = tuple(InvalidHeaderDefect(p) for p in dict.fromkeys(problems + wrong))
        return self

    def __getnewargs__(self) -> tuple[str, ...]:  # type: ignore[override]
        return (self.name, self.raw)

    @classmethod
    def _read(cls, line: str) -> tuple[str, list[str], dict[str, object]]:
        """Return the text, what is wrong, and the attributes of the class."""
        return *with_words_decoded(line), {}

    def fold(self, *, policy: Policy) -> str:
        """Return the field as it is written into another message: as it stands in this one."""
        # That message's policy may not be able to write 8-bit octets.
        line = self.raw if self.raw.isascii() else unfolded(self.raw).encode("ascii", "replace")
        text = line if isinstance(line, str) else line.decode("ascii")
        return folded(self.name, text, policy.linesep)


class AddressField(Field):
    """From, To and other fields with addresses."""

    groups: tuple[Group, ...]
    """Each address that is in no group has a group without a name to itself."""

    @property
    def addresses(self) -> tuple[Address, ...]:
        """The addresses that could be read, those of groups among them."""
        return tuple(address for group in self.groups for address in group.addresses)

    @classmethod
    def _read(cls, line: str) -> tuple[str, list[str], dict[str, object]]:
        found = AddressReader(line)
        attributes: dict[str, object] = {"groups": tuple(found.groups)}
        if found.problems or not found.groups:
            return with_words_decoded(line)[0], found.problems, attributes
        # Names are quoted again: the comma of an encoded word does not separate addresses.
        return ", ".join(map(str, found.groups)), [], attributes


class DateField(Field):
    """Date and other fields with a date."""

    datetime: datetime | None
    """The date, or ``None`` if there is none that can be read."""

    @classmethod
    def _read(cls, line: str) -> tuple[str, list[str], dict[str, object]]:
        text, problems = with_words_decoded(line)
        try:
            date = parsedate_to_datetime(text) if len(text) <= _MAX_DATE else None
        except (ArithmeticError, LookupError, TypeError, ValueError):
            date = None
        return text, problems if date else [*problems, "not a date"], {"datetime": date}


class ParametersField(Field):
    """A field with parameters."""

    params: dict[str, str]
    """The parameters, by their names in lower case."""

    @classmethod
    def _read(cls, line: str) -> tuple[str, list[str], dict[str, object]]:
        head, parameters, problems = read_parameters(line)
        attributes, wrong = cls._read_head(head)
        attributes["params"] = parameters
        return with_words_decoded(line)[0], wrong + problems, attributes

    @classmethod
    @abstractmethod
    def _read_head(cls, head: str) -> tuple[dict[str, object], list[str]]:
        """Return the attributes for what stands before the parameters, and what is wrong."""


class ContentTypeField(ParametersField):
    """Content-Type. What cannot be read counts as ``text/plain`` (RFC 2045 section 5.2)."""

    content_type: str
    maintype: str
    subtype: str

    @classmethod
    def _read_head(cls, head: str) -> tuple[dict[str, object], list[str]]:
        found = _TYPE.match(head)
        main, sub = (found[1].lower(), found[2].lower()) if found else ("text", "plain")
        attributes = {"content_type": f"{main}/{sub}", "maintype": main, "subtype": sub}
        return {**attributes}, [] if found else ["not a content type"]


class DispositionField(ParametersField):
    """Content-Disposition."""

    content_disposition: str | None
    """``inline``, ``attachment`` or another word in lower case."""

    @classmethod
    def _read_head(cls, head: str) -> tuple[dict[str, object], list[str]]:
        found = _FIRST_WORD.match(head)
        word = found[1].lower() if found else None
        return {"content_disposition": word}, [] if found else ["not a disposition"]


class EncodingField(Field):
    """Content-Transfer-Encoding."""

    cte: str
    """The encoding in lower case; ``7bit`` if there is none."""

    @classmethod
    def _read(cls, line: str) -> tuple[str, list[str], dict[str, object]]:
        found = _FIRST_WORD.match(line)
        cte = found[1].lower() if found else "7bit"
        return line, [] if found else ["not an encoding"], {"cte": cte}


_CLASSES: dict[str, type[Field]] = {
    "content-disposition": DispositionField,
    "content-transfer-encoding": EncodingField,
    "content-type": ContentTypeField,
    **dict.fromkeys(("date", "orig-date", "resent-date"), DateField),
    **dict.fromkeys(("from", "sender", "reply-to", "to", "cc", "bcc"), AddressField),
    **dict.fromkeys(
        ("resent-from", "resent-sender", "resent-to", "resent-cc", "resent-bcc"), AddressField
    ),
}


def field(name: str, raw: str) -> Field:
    """Return a field, of the class that its name asks for."""
    return _CLASSES.get(name.lower(), Field)(name, raw)


def folded(name: str, raw: str, line_end: str) -> str:
    """Return a field as lines of a message. None of them can be taken for another field.

    The lines are those of ``raw``. A line of a field goes on with white space.
    """
    first, *others = _LINE_END.split(raw)
    lines = [line if line[:1] in (" ", "\t") else f" {line}" for line in others if line.strip()]
    return line_end.join([f"{name}: {first}", *lines, ""])
