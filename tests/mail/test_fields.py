from __future__ import annotations

import pickle
from copy import copy, deepcopy
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Any

import pytest

from pop3proto.mail.fields import field, folded


def test_a_field_is_text() -> None:
    subject = field("sUbject", "=?utf-8?q?caf=C3=A9?=\r\n =?utf-8?q?s?=")
    assert subject == "cafés"
    assert (subject.name, subject.defects) == ("sUbject", ())
    assert subject.raw == "=?utf-8?q?caf=C3=A9?=\r\n =?utf-8?q?s?="


def test_a_field_is_copied() -> None:
    to: Any = field("To", "A <a@example.org>")
    for other in (copy(to), deepcopy(to), pickle.loads(pickle.dumps(to))):
        assert (other, other.name, other.raw) == (to, to.name, to.raw)
        assert other.addresses == to.addresses


@pytest.mark.parametrize("raw", ["\udcff", "a\rb", "\0", "=?x?q?a?=", "=?utf-8?b?YQ?="])
def test_defects_of_text(raw: str) -> None:
    found = field("Subject", raw)
    assert len(found.defects) == 1
    assert len(found.splitlines()) == 1


def test_a_defect_is_noted_once() -> None:
    assert len(field("Subject", "=?x?q?a?= " * 100).defects) == 1


def test_addresses() -> None:
    to: Any = field("To", "=?utf-8?q?a=2C?= <a@example.org>, Team: b@example.org;")
    assert str(to) == '"a," <a@example.org>, Team: b@example.org;'
    assert [address.addr_spec for address in to.addresses] == ["a@example.org", "b@example.org"]
    assert [group.display_name for group in to.groups] == [None, "Team"]
    wrong: Any = field("To", "=?utf-8?q?caf=C3=A9?= <a@example.org>, <")
    assert str(wrong) == "café <a@example.org>, <"
    assert (len(wrong.addresses), len(wrong.defects)) == (1, 2)
    empty: Any = field("To", "(nobody)")
    assert (empty, empty.addresses, empty.defects) == ("(nobody)", (), ())


@pytest.mark.parametrize("name", ["From", "SENDER", "reply-to", "Cc", "Bcc", "Resent-To"])
def test_fields_with_addresses(name: str) -> None:
    found: Any = field(name, "a@example.org")
    assert len(found.addresses) == 1


def test_a_date() -> None:
    date: Any = field("Date", "Mon, 30 Nov 2026 11:00:00 +0000 (UTC)")
    assert date.datetime == datetime(2026, 11, 30, 11, tzinfo=UTC)
    assert str(date) == "Mon, 30 Nov 2026 11:00:00 +0000 (UTC)"
    assert date.defects == ()


@pytest.mark.parametrize(
    "raw",
    [
        *("", "x", "Mon,", ":", ", , ,", "-", "0 0 0 0 0", "1-1-1 1.1.1", "9" * 5000),
        *("1 Jan 99999 00:00", "32 Jan 2020 00:00:00 +0000", "1 Jan 2020 99:00:00"),
        "1 Jan 2020 00:00:00 +" + "9" * 50,
        "1 Jan " + "1" * 100 + " 1:1:1 +0000",
        "Mon, 1 Jan 2020 00:00 " + "a" * 200,
    ],
)
def test_no_date(raw: str) -> None:
    date: Any = field("Date", raw)
    assert date == raw
    assert date.datetime is None
    assert len(date.defects) == 1


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("text/html", "text/html"),
        (" TEXT / Html ; a=b", "text/html"),
        ("text/html (a comment)", "text/html"),
        ("application/vnd.x+xml;charset=utf-8", "application/vnd.x+xml"),
    ],
)
def test_a_content_type(raw: str, expected: str) -> None:
    found: Any = field("Content-Type", raw)
    assert found.content_type == f"{found.maintype}/{found.subtype}" == expected
    assert found.defects == ()


@pytest.mark.parametrize("raw", ["", "text", "text/", "/plain", "a/b/c", "a b/c", "é/x", "a/\0"])
def test_no_content_type(raw: str) -> None:
    found: Any = field("Content-Type", raw)
    assert found.content_type == "text/plain"
    assert found.defects


def test_a_disposition() -> None:
    found: Any = field("Content-Disposition", 'Attachment; filename="a.txt"')
    assert (found.content_disposition, found.params) == ("attachment", {"filename": "a.txt"})
    wrong: Any = field("Content-Disposition", ";")
    assert wrong.content_disposition is None
    assert wrong.defects


def test_an_encoding() -> None:
    found: Any = field("Content-Transfer-Encoding", " Base64 (a comment)")
    assert (found.cte, found.defects) == ("base64", ())
    wrong: Any = field("Content-Transfer-Encoding", '"')
    assert wrong.cte == "7bit"
    assert wrong.defects


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("a", "X: a\n"),
        ("a\r\n b\r\n\tc", "X: a\n b\n\tc\n"),
        ("a\nb", "X: a\n b\n"),
        ("a\rBcc: b", "X: a\n Bcc: b\n"),
        ("a\r\n\r\n\r\nb", "X: a\n b\n"),
        ("a\r\n \t\r\n b", "X: a\n b\n"),
        ("", "X: \n"),
        ("a\x0bb\x85c\u2028d", "X: a\x0bb\x85c\u2028d\n"),
    ],
)
def test_a_field_stays_one_field(raw: str, expected: str) -> None:
    assert folded("X", raw, "\n") == expected


def test_a_field_in_another_message() -> None:
    other = EmailMessage()
    other["Subject"] = field("Subject", "=?utf-8?q?caf=C3=A9?=\r\n a")
    other["To"] = field("To", "J\udcc3\udcbcrgen <a@example.org>")
    assert other.as_bytes() == (
        b"Subject: =?utf-8?q?caf=C3=A9?=\n a\nTo: J?rgen <a@example.org>\n\n"
    )
