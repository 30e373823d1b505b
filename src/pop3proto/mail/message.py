"""An ``EmailMessage`` whose methods for reading do not raise, and take linear time."""

from __future__ import annotations

import re
from binascii import a2b_qp
from email.contentmanager import ContentManager, raw_data_manager
from email.errors import (
    InvalidBase64CharactersDefect,
    MessageDefect,
    UndecodableBytesDefect,
)
from email.message import EmailMessage, Message
from email.policy import EmailPolicy, Policy, default
from email.utils import quote
from typing import Any

from .fields import Field, field, folded
from .parameters import read_parameters
from .text import as_octets, decoded, unfolded, without_base64

_NO_QUOTED_PRINTABLE = re.compile(rb"=(?![0-9A-Fa-f]{2}|\r?\n|\Z)")
_AS_THEY_ARE = frozenset({"7bit", "8bit", "binary"})
_MESSAGES = frozenset({"message/rfc822", "message/global", "message/external-body"})


class ReadingPolicy(EmailPolicy):
    """The policy of a message that was received.

    This package reads and writes the fields and contents of the message. For those that a program
    sets, the standard library does it, as with ``email.policy.default``.
    """

    def header_fetch_parse(self, name: str, value: str) -> Any:
        """Return the field as text."""
        return value if hasattr(value, "name") else field(name, value)

    def header_store_parse(self, name: str, value: Any) -> tuple[str, Any]:
        """Return the field that a program sets."""
        stored: tuple[str, Any] = default.header_store_parse(name, value)
        return stored

    def fold(self, name: str, value: str) -> str:
        """Return the field as lines of text."""
        if hasattr(value, "name"):
            return str(super().fold(name, value))
        return as_octets(folded(name, value, self.linesep)).decode("utf-8", "replace")

    def fold_binary(self, name: str, value: str) -> bytes:
        """Return the field as lines."""
        if hasattr(value, "name"):
            return super().fold_binary(name, value)
        return as_octets(folded(name, value, self.linesep))


class _Contents(ContentManager):
    """How content is read; it is set as in the standard library."""

    def get_content(self, msg: Any, *_: Any, errors: str = "replace", **__: Any) -> Any:
        """Return text, octets, or a message; raise ``KeyError`` for a multipart."""
        kind, main = msg.get_content_type(), msg.get_content_maintype()
        if not msg.is_multipart():
            octets = msg.get_payload(decode=True)
            if kind in _MESSAGES:
                # It is encoded, which RFC 2046 section 5.2.1 forbids.
                from .structure import parse

                return parse(octets)
            return text_of(msg, octets, errors) if main in ("text", "message") else octets
        if main == "multipart":
            raise KeyError(kind)
        parts = msg.get_payload()
        return parts[0] if kind in _MESSAGES else "".join(map(str, parts))

    def set_content(self, msg: Message, obj: Any, *args: Any, **kw: Any) -> None:
        """Set the content as the standard library does."""
        raw_data_manager.set_content(msg, obj, *args, **kw)


POLICY = ReadingPolicy(content_manager=_Contents(), refold_source="none")


class ReceivedMessage(EmailMessage):
    """A message, or a part of one, that may be hostile."""

    kind: str | None = None
    """The type that counts instead of the one that it names. A multipart without parts is text."""
    _payload: Any  # of the base class

    def __init__(self, policy: Policy = POLICY) -> None:
        super().__init__(policy)

    def note(self, defect: MessageDefect) -> None:
        """Add a defect, unless it is noted already."""
        if str(defect) not in map(str, self.defects):
            self.defects.append(defect)

    def get_content_type(self) -> str:
        """Return the type in lower case, such as ``text/plain``, which is also the default."""
        if self.kind is not None:
            return self.kind
        found = self.get("content-type")
        return str(found.content_type) if found is not None else self.get_default_type()

    def get_params(
        self, failobj: Any = None, header: str = "content-type", unquote: bool = True
    ) -> Any:
        """Return the parameters of a field as pairs, after what stands before them."""
        found = self.get(header)
        if found is None:
            return failobj
        line = unfolded(found.raw) if isinstance(found, Field) else str(found)
        head, parameters, _ = read_parameters(line)
        texts = parameters if unquote else {n: f'"{quote(t)}"' for n, t in parameters.items()}
        return [(head, ""), *texts.items()]

    def get_param(
        self, param: str, failobj: Any = None, header: str = "content-type", unquote: bool = True
    ) -> Any:
        """Return a parameter of a field as text; one that is encoded (RFC 2231) is decoded."""
        _, *pairs = self.get_params([("", "")], header, unquote)
        return dict(pairs).get(param.lower(), failobj)

    def get_payload(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, i: int | None = None, decode: bool = False
    ) -> Any:
        """Return the parts, or the content: as text, or, if ``decode`` is set, as octets."""
        payload = self._payload
        if not isinstance(payload, str) or i is not None:
            return None if decode else super().get_payload(i)
        if decode:
            return _decoded(self, as_octets(payload))
        return payload if payload.isascii() else text_of(self, as_octets(payload))

    def as_string(
        self, unixfrom: bool = False, maxheaderlen: int | None = None, policy: Any = None
    ) -> str:
        """Return ``as_bytes()`` read as UTF-8, with U+FFFD for what is not."""
        return self.as_bytes(unixfrom, policy).decode("utf-8", "replace")


def text_of(part: ReceivedMessage, octets: bytes, errors: str = "replace") -> str:
    """Return octets of a part as text, in the charset that the part names."""
    text, fits = decoded(octets, part.get_content_charset("us-ascii"), errors)
    if not fits:
        part.note(UndecodableBytesDefect("the text does not fit its charset, or it is not known"))
    return text


def _decoded(part: ReceivedMessage, octets: bytes) -> bytes:
    found = part.get("content-transfer-encoding")
    cte = "7bit" if found is None else str(found.cte)
    if cte == "base64":
        octets, valid = without_base64(octets)
        if not valid:
            part.note(InvalidBase64CharactersDefect("the base64 is not valid"))
        return octets
    if cte == "quoted-printable":
        if _NO_QUOTED_PRINTABLE.search(octets):
            part.note(MessageDefect("the quoted-printable is not valid"))
        return a2b_qp(octets)
    if cte not in _AS_THEY_ARE:
        part.note(MessageDefect("the content is encoded in a way that is not known"))
    return octets
