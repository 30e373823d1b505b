"""All that can be read of a message, and what has to be true of it whatever its octets are."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from copy import deepcopy
from email.message import EmailMessage
from types import FrameType
from typing import Any

from pop3proto.mail import MAX_PARTS, parse

SURROGATE = re.compile("[\ud800-\udfff]")
_ATTRIBUTES = (
    *("addresses", "groups", "datetime", "params", "content_type", "cte"),
    *("maintype", "subtype", "content_disposition", "defects"),
)


def read_all(octets: bytes) -> EmailMessage:
    """Read everything; raise ``AssertionError`` if something is not as it is promised."""
    email = parse(octets)
    parts = list(email.walk())
    assert len(parts) <= MAX_PARTS
    for part in parts:
        _read_fields(part)
        _read_part(part)
        if part is email or part.get_content_type() == "message/rfc822":
            _read_body(part)
    _write(email)
    return email


def _read_fields(part: Any) -> None:
    for name, text in part.items():
        assert len(text.splitlines()) <= 1
        assert text.isascii() or not SURROGATE.search(text)
        assert text.name == name
        for attribute in _ATTRIBUTES:
            getattr(text, attribute, None)
        for address in getattr(text, "addresses", ()):
            assert address.username
            assert address.domain
        for key, parameter in getattr(text, "params", {}).items():
            assert len(f"{key}{parameter}".splitlines()) <= 1


def _read_part(part: Any) -> None:
    assert re.fullmatch(r"[!-.0-~]+/[!-.0-~]+", part.get_content_type())
    for text in (
        *(part.get_filename(""), part.get_content_charset(""), part.get_boundary("")),
        *(part.get_content_disposition() or "", part.get_default_type()),
        *(part.get_param("charset", ""), part.get_param("name", ""), part.get_unixfrom() or ""),
    ):
        assert isinstance(text, str)
    assert isinstance(part.is_attachment(), bool)
    part.get_params()
    part.get_params(header="content-disposition", unquote=False)
    if part.is_multipart():
        assert part.get_payload(decode=True) is None
        assert part.get_payload()
        assert list(part.iter_parts())
    else:
        assert isinstance(part.get_payload(), str)
        assert isinstance(part.get_payload(decode=True), bytes)
        assert list(part.iter_parts()) == []
    if part.get_content_maintype() != "multipart" or not part.is_multipart():
        content = part.get_content()
        if part.get_content_maintype() == "text":
            assert isinstance(content, str)
            assert not SURROGATE.search(content)
    assert all(isinstance(str(defect), str) for defect in part.defects)


def _read_body(part: Any) -> None:
    for wanted in (("plain", "html"), ("related", "html", "plain")):
        part.get_body(wanted)
    list(part.iter_attachments())
    part.get_charsets()


def _write(email: EmailMessage) -> None:
    octets = email.as_bytes()
    # No field becomes two fields, and none becomes a part of the body.
    assert parse(octets).keys() == email.keys()
    for text in (email.as_string(), str(email), email.as_string(unixfrom=True)):
        assert not SURROGATE.search(text)
    assert deepcopy(email).as_bytes() == octets == bytes(email)
    reply = EmailMessage()
    for name in ("Subject", "To", "From", "Date", "X-Other"):
        if name in email:
            reply[name] = email[name]
    reply.as_bytes()
    reply.as_string()


def nested(depth: int, boundaries: Callable[[int], bytes] = lambda i: b"%d" % i) -> bytes:
    """So many multiparts within each other."""
    return b"".join(
        b"Content-Type: multipart/mixed; boundary=%b\r\n\r\n--%b\r\n" % (boundary, boundary)
        for boundary in map(boundaries, range(depth))
    )


def work(read: Callable[[bytes], Any], octets: bytes) -> int:
    """How many lines of Python run while ``octets`` are read."""
    lines = 0

    def count(frame: FrameType, event: str, arg: object) -> Any:
        nonlocal lines
        lines += event == "line"
        return count

    previous = sys.gettrace()
    sys.settrace(count)
    try:
        read(octets)
    finally:
        sys.settrace(previous)
    return lines


def kinds() -> Iterator[tuple[str, bytes, bytes, bytes]]:
    """What a hostile message can be full of: a name, and what stands before, many times, after."""
    units = [
        *(b"(", b"=?", b'"', b"a ", b"\x80", b"a:", b"<", b">", b"a@b.c, ", b")", b";", b"a:b@c;"),
        *(
            b"(a)",
            b",",
            b"=?utf-8?q?a?= ",
            b"=?a?q?",
            b"=?utf-8?b?YQ==?=",
            b" ",
            b"\\",
            b"[",
            b"a.",
        ),
        *(b"@", b"<@a,", b'"a" ', b"a\r\n ", b"\0", b"1:", b"<a@b>", b"1 ", b"a <b@c>, "),
    ]
    for name in ("To", "Subject", "Sender", "References", "Message-ID", "Date", "MIME-Version"):
        # Fields that are read in the same way need not be tried with everything.
        for unit in units if name in ("To", "Subject") else units[:6]:
            yield f"{name} {unit!r}", name.encode() + b": ", unit, b"\r\n\r\n"
    heads = (b"Content-Type: text/plain", b"Content-Disposition: attachment")
    for head in (*heads, b"Content-Transfer-Encoding: ", b"Content-Type: multipart/mixed"):
        for unit in (b";", b'"', b"; a=b", b"; a*0*=b", b'; a="b"', b"; a*=", b";=", b"(", b"\\"):
            yield f"{head!r} {unit!r}", head, unit, b"\r\n\r\ntext"
        for unit in (b"a", b" ", b"a/", b'";', b'\\"', b"'", b"%41"):
            yield f"{head!r} {unit!r}", head + b"; x*=", unit, b"\r\n\r\ntext"
    multipart = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
    for unit in (
        b"--b\r\n",
        b"\r\n--b\r\n\r\n",
        b"--",
        b"--b ",
        b"--b",
        b"--b--\r\n",
        b"\r\n--c\r\n",
    ):
        yield f"boundary {unit!r}", multipart, unit, b""
    yield "digest", multipart.replace(b"mixed", b"digest"), b"--b\r\n", b""
    yield "preamble", multipart, b"text\r\n", b"--b\r\n"
    message = b"Content-Type: message/rfc822\r\n\r\n"
    yield "messages", b"", message, b""
    yield "multiparts", b"", multipart + b"--b\r\n", b""
    status = b"Content-Type: message/delivery-status\r\n\r\n"
    for unit in (b"\r\n", b"a: b\r\n", b"a: b\r\n\r\n", b"a\r\n\r\n"):
        yield f"status {unit!r}", status, unit, b""
    for unit in (
        b"Received: a; b\r\n",
        b"To: a\r\n",
        b"a:\r\n",
        b" a\r\n",
        b"\r",
        b"a:\n \n",
        b"From \n",
    ):
        yield f"header {unit!r}", b"X: a\r\n", unit, b"\r\n"
    for encoding in (b"base64", b"quoted-printable", b"x-uuencode"):
        head = b"Content-Transfer-Encoding: " + encoding + b"\r\n\r\n"
        for unit in (b"=", b"A", b"= ", b"=\r\n", b"=4", b"YQ==\r\n", b"\x80", b" ", b"\r"):
            yield f"{encoding!r} {unit!r}", head, unit, b""
    for charset in (b"utf-7", b"punycode", b"idna", b"iso-2022-jp", b"hz", b"unknown", b"utf-16"):
        head = b"Content-Type: text/plain; charset=" + charset + b"\r\n\r\n"
        for unit in (b"a", b"\x80", b"+2AA-", b"-a", b".", b"\x1b$B"):
            yield f"{charset!r} {unit!r}", head, unit, b""
