"""Mail made of pieces that mean something to a reader, in any order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.mail.reading import read_all, work
from tests.property.effort import effort

NAMES = st.sampled_from(
    [
        *("To", "From", "Cc", "Sender", "Subject", "Date", "Message-ID", "References", "X"),
        *("Content-Type", "Content-Disposition", "Content-Transfer-Encoding", "MIME-Version"),
        *("content-id", "Received", "Resent-Date", "Reply-To", "List-Id", "Return-Path"),
    ]
)
PIECES = st.sampled_from(
    [
        *(
            b"(",
            b")",
            b'"',
            b"<",
            b">",
            b"@",
            b",",
            b":",
            b";",
            b"[",
            b"]",
            b"\\",
            b".",
            b"=",
            b"*",
        ),
        *(b" ", b"\t", b"\r\n ", b"\n\t", b"\r", b"\0", b"\x0b", b"\x85", b"\xff", b"\xc3\xa9"),
        *(b"a", b"a@b.example", b"<a@b>", b"(c)", b"Team:", b'"a b"', b"[192.0.2.1]", b"1", b"0"),
        *(b"=?", b"?=", b"=?utf-8?q?", b"=?utf-8?b?", b"=C3=A9", b"w6k=", b"=0D=0A", b"=?x?q?a?="),
        *(b"text/plain", b"text/html", b"multipart/mixed", b"multipart/related", b"message/rfc822"),
        *(b"multipart/alternative", b"multipart/digest", b"multipart/signed", b"message/partial"),
        *(b"message/delivery-status", b"message/global", b"image/png", b"text", b"multipart/"),
        *(
            b"; boundary=b",
            b'; boundary="c"',
            b"; boundary=b--",
            b"; charset=",
            b"; name*0*=utf-8''",
        ),
        *(b"; name*1=", b"; name*=", b"; filename=", b"; start=a", b"utf-8", b"us-ascii", b"utf-7"),
        *(b"unknown", b"idna", b"utf-16", b"iso-2022-jp", b"attachment", b"inline", b"base64"),
        *(
            b"quoted-printable",
            b"x-uuencode",
            b"7bit",
            b"Mon, 30 Nov 2026 11:00:00 +0000",
            b"9" * 30,
        ),
    ]
)
FIELDS = st.builds(
    lambda name, pieces: name.encode() + b": " + b"".join(pieces) + b"\r\n",
    NAMES,
    st.lists(PIECES, max_size=6),
)
TYPES = st.sampled_from(
    [
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n",
        b'Content-Type: multipart/alternative; boundary="c"\r\n\r\npreamble\r\n--c\r\n',
        b"Content-Type: multipart/digest; boundary=b--\r\n\r\n--b--\r\n",
        b"Content-Type: message/rfc822\r\n\r\n",
        b"Content-Type: message/delivery-status\r\n\r\n",
        b"Content-Type: multipart/related; boundary=b; start=a\r\n",
        b"Content-Transfer-Encoding: base64\r\n\r\n",
        b"Content-Transfer-Encoding: quoted-printable\r\n\r\n",
        b"Content-Type: text/html; charset=utf-16\r\n",
    ]
)
LINES = st.sampled_from(
    [
        *(b"\r\n", b"\n", b"\r", b"--b\r\n", b"--c\r\n", b"--b--\r\n", b"--c--\r\n", b"--b----\n"),
        *(
            b"--b",
            b"--",
            b" --b\r\n",
            b"text\r\n",
            b"\xff\xfe\r\n",
            b"=C3=A9=\r\n",
            b"w6k=\r\n",
            b"=x",
        ),
        *(b"From a\r\n", b": a\r\n", b" a\r\n", b"a", b"+2AA-", b"\x1b$B", b"\0"),
    ]
)
MAIL = st.lists(FIELDS | TYPES | LINES, max_size=30).map(b"".join)


@effort(400)
@given(MAIL)
def test_hostile_mail_can_be_read(octets: bytes) -> None:
    read_all(octets)


@effort(100)
@given(st.binary(max_size=200))
def test_any_octets_can_be_read(octets: bytes) -> None:
    read_all(octets)


@effort(25)
@given(st.lists(FIELDS | TYPES | LINES, min_size=1, max_size=5).map(b"".join))
def test_the_work_on_hostile_mail_is_linear(unit: bytes) -> None:
    small = work(read_all, unit * 25)
    assert work(read_all, unit * 100) <= 4 * small * 1.5 + 20_000
