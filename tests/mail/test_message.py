from __future__ import annotations

import mailbox
from copy import copy
from email.errors import HeaderParseError
from email.generator import BytesGenerator, Generator
from email.message import EmailMessage
from email.policy import SMTP
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import pytest

from pop3proto.mail import parse
from tests.mail.reading import read_all
from tests.mail.samples import DIGEST, MAIL, ORDINARY, REPORT

CHARSET = "the text does not fit its charset, or it is not known"


def part(head: bytes, content: bytes = b"") -> Any:
    return read_all(head.replace(b"\n", b"\r\n") + b"\r\n\r\n" + content)


@pytest.mark.parametrize(
    "charset", [b"uft-8", b"iso-8859-8-i", b"windows-874", b"utf-8", b"cp1252"]
)
def test_charsets(charset: bytes) -> None:
    found = part(b"Content-Type: text/plain; charset=" + charset, b"text")
    assert (found.get_content(), found.defects) == ("text", [])


@pytest.mark.parametrize(
    "charset", [b"unknown", b"1", b'""', b"idna", b"punycode", b"x\0", b"\xff"]
)
def test_unknown_charsets(charset: bytes) -> None:
    found = part(b"Content-Type: text/plain; charset=" + charset, "é".encode() + b"\xff")
    assert found.get_content() == found.get_payload() == "é\ufffd"
    # It is noted once, although several methods came upon it.
    assert list(map(str, found.defects)) == [CHARSET]


def test_a_charset_that_does_not_fit() -> None:
    found = part(b"Content-Type: text/plain; charset=utf-8", b"\xff")
    assert found.get_content() == "\ufffd"
    with pytest.raises(UnicodeDecodeError):
        found.get_content(errors="strict")


@pytest.mark.parametrize(
    ("encoding", "content", "expected", "defects"),
    [
        (b"base64", b"YWJj\r\n", "abc", []),
        (b"BASE64", b"YW!Jj", "abc", ["the base64 is not valid"]),
        (b"base64", b"\xff", "", ["the base64 is not valid"]),
        (b"quoted-printable", b"a=3D=\r\nb=C3=A9=", "a=bé", []),
        (b"quoted-printable", b"a= \r\nb", "a= \r\nb", ["the quoted-printable is not valid"]),
        (b"quoted-printable", b"a=xy=\xff", "a=xy=\ufffd", [CHARSET]),
        (b"8bit", "é".encode(), "é", []),
        (b"x-uuencode", b"begin", "begin", ["the content is encoded in a way that is not known"]),
        (b"\xff", b"a", "a", []),
    ],
)
def test_encodings(encoding: bytes, content: bytes, expected: str, defects: list[str]) -> None:
    found = part(b"Content-Transfer-Encoding: " + encoding, content)
    assert found.get_content() == expected
    assert set(map(str, found.defects)) >= set(defects)
    assert bool(found.defects) == bool(defects)


def test_content_by_type() -> None:
    assert part(b"Content-Type: image/png", b"\0\xff").get_content() == b"\0\xff"
    assert part(b"Content-Type: multipart/mixed", b"a").get_content() == "a"
    multipart = part(b"Content-Type: multipart/mixed; boundary=b", b"--b\r\n\r\na\r\n--b--\r\n")
    with pytest.raises(KeyError, match="multipart/mixed"):
        multipart.get_content()
    assert multipart.get_payload(0).get_content() == "a"
    within = part(b"Content-Type: message/rfc822", b"Subject: within\r\n\r\na")
    assert within.get_content()["Subject"] == "within"
    report = part(b"Content-Type: message/feedback-report", "A: é\r\n\r\n".encode())
    assert report.get_content() == "A: é\n\n"


def test_a_message_that_is_encoded() -> None:
    head = b"Content-Type: message/rfc822\nContent-Transfer-Encoding: "
    found = part(head + b"base64", b"U3ViamVjdDogYQoKdGV4dA==")
    assert not found.is_multipart()
    assert found.get_content()["Subject"] == "a"
    # This one is not, although it says so.
    found = part(head + b"base64", b"\xff")
    assert found.get_content().get_content() == "\ufffd"


def test_a_field_may_be_missing() -> None:
    found = part(b"A: b", b"text")
    assert found["Subject"] is None
    assert found.get_params() is None
    assert found.get_param("charset") is None
    assert found.get_filename() is found.get_boundary() is found.get_content_charset() is None
    assert found.get_content_type() == "text/plain"


def test_parameters() -> None:
    found = part(
        b'Content-Type: Text/Plain; charset="utf-8"; NAME*0*=utf-8\'\'%C3%A9; name*1="\\""'
    )
    assert found.get_params() == [("Text/Plain", ""), ("charset", "utf-8"), ("name", 'é"')]
    assert found.get_params(unquote=False)[1:] == [("charset", '"utf-8"'), ("name", '"é\\""')]
    assert found.get_param("Name") == 'é"'
    assert found.get_filename() == 'é"'
    assert found.get_content_charset() == "utf-8"


def test_what_a_program_sets_is_the_standard_librarys() -> None:
    found = part(b"Subject: a\nContent-Type: text/html; charset=utf-8", b"a")
    del found["Subject"]
    found["Subject"] = "é"
    found["To"] = "Jürgen <a@example.org>"
    assert found["To"].addresses[0].display_name == "Jürgen"
    found.replace_header("Content-Type", "text/plain; a=b")
    assert found.get_param("a") == "b"
    assert found.get_content_type() == "text/plain"
    assert b"Subject: =?utf-8?q?=C3=A9?=" in found.as_bytes()
    assert "To: Jürgen <a@example.org>" in str(found)
    found.set_content("other")
    assert found.get_content() == "other\n"
    found.add_attachment(b"x", maintype="a", subtype="b")
    assert [each.get_content() for each in found.iter_attachments()] == [b"x"]
    with pytest.raises(HeaderParseError):
        part(b"A: b").set_boundary("x")


def test_no_field_is_injected() -> None:
    found = part(b"Subject: =?utf-8?q?a=0D=0ABcc:_b?=\nX: a\rBcc: b\nY: a\x0bBcc: b\x85", b"text")
    assert "Bcc" not in found
    reply = EmailMessage(policy=SMTP)
    reply["Subject"] = str(found["Subject"])
    reply["X"] = found["X"]
    for written in (found.as_bytes(), found.as_string().encode(), reply.as_bytes()):
        assert "Bcc" not in parse(written)


def test_octets_are_written_as_they_are() -> None:
    octets = (
        b"Subject: caf\xe9\nTo: a@example.org,\n b@example.org\nContent-Type: multipart/mixed;"
        b" boundary=b\n\npreamble\xff\n--b\nContent-Type: text/plain; charset=unknown\n\n\xff\xfe\n"
        b"--b\nContent-Type: message/rfc822\n\nSubject: \xff\n\n\xff\n--b--\nepilogue\xff\n"
    )
    assert parse(octets).as_bytes() == octets
    crlf = octets.replace(b"\n", b"\r\n")
    out = BytesIO()
    BytesGenerator(out).flatten(parse(crlf), linesep="\r\n")
    assert out.getvalue() == crlf
    assert parse(octets).as_string() == octets.decode("utf-8", "replace")


def test_a_generator_of_text() -> None:
    email = parse("Subject: é\nX: \n a\n\ntext".encode())
    email["To"] = "a@example.org"
    out = StringIO()
    Generator(out).flatten(email)
    assert out.getvalue() == "Subject: é\nX: \n a\nTo: a@example.org\n\ntext"


@pytest.mark.parametrize("octets", MAIL)
def test_other_programs_of_the_standard_library_can_write_it(octets: bytes, tmp_path: Path) -> None:
    email: Any = parse(octets)
    crlf = email.as_bytes(policy=email.policy.clone(linesep="\r\n"))
    assert crlf.count(b"\n") == crlf.count(b"\r\n")
    mailbox.Maildir(tmp_path / "maildir").add(email)
    # As smtplib does.
    sent = copy(email)
    del sent["Bcc"]
    for policy in (email.policy, email.policy.clone(utf8=True)):
        BytesGenerator(BytesIO(), policy=policy).flatten(sent, linesep="\r\n")


@pytest.mark.parametrize("octets", [ORDINARY, REPORT, DIGEST])
def test_a_message_that_is_right_is_written_octet_for_octet(octets: bytes) -> None:
    email = parse(octets)
    assert email.as_bytes(policy=email.policy.clone(linesep="\r\n")) == octets


def test_a_mailbox_line() -> None:
    found = parse(b"From a@example.org Mon\nSubject: a\n\ntext")
    assert found.get_unixfrom() == "From a@example.org Mon"
    assert found.as_bytes(unixfrom=True) == b"From a@example.org Mon\nSubject: a\n\ntext"
