from __future__ import annotations

from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

import pytest

from pop3proto.mail import MAX_DEPTH, MAX_PARTS, LimitDefect, parse, structure
from tests.mail.reading import nested, read_all

MULTIPART = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"


def shape(part: Any) -> Any:
    """The types and the contents of a message, and of what is within it."""
    if part.is_multipart():
        return part.get_content_type(), [shape(each) for each in part.get_payload()]
    return part.get_content_type(), part.get_payload(decode=True)


def defects(email: EmailMessage) -> list[str]:
    return [type(defect).__name__ for part in email.walk() for defect in part.defects]


def test_one_part() -> None:
    email = read_all(b"A: b\r\nC : d \r\n e\r\nF:\r\n\r\ntext\r\n")
    assert email.items() == [("A", "b"), ("C", "d  e"), ("F", "")]
    assert email.get_content() == "text\r\n"
    assert email.defects == []


@pytest.mark.parametrize(
    ("octets", "fields", "content", "expected"),
    [
        (b"", [], "", []),
        (b"\r\n", [], "", []),
        (b"\r\ntext", [], "text", []),
        (b"A: b", [("A", "b")], "", []),
        (b"A: b\ntext", [("A", "b")], "text", ["MissingHeaderBodySeparatorDefect"]),
        (b"text", [], "text", ["MissingHeaderBodySeparatorDefect"]),
        (b": b\r\n\r\n", [], ": b\r\n\r\n", ["MissingHeaderBodySeparatorDefect"]),
        (b" a\nA: b\n\n", [("A", "b")], "", ["FirstHeaderLineIsContinuationDefect"]),
        (b"From a\nA: b\n\n", [("A", "b")], "", []),
        (b"A: b\nFrom a\n\n", [("A", "b")], "From a\n\n", ["MissingHeaderBodySeparatorDefect"]),
        (b"--b: c\n\n", [("--b", "c")], "", []),
        (b"A: b\r\n \r\n c\r\n\r\n", [("A", "b  c")], "", []),
    ],
)
def test_headers(
    octets: bytes, fields: list[tuple[str, str]], content: str, expected: list[str]
) -> None:
    email = read_all(octets)
    assert (email.items(), email.get_content()) == (fields, content)
    assert defects(email) == expected


@pytest.mark.parametrize(
    ("body", "parts", "preamble", "epilogue", "expected"),
    [
        (b"--b\r\n\r\none\r\n--b--\r\n", ["one"], None, "", []),
        (b"\r\n--b\r\n\r\none\r\n--b--\r\n", ["one"], "", "", []),
        (
            b"pre\r\n--b\r\n\r\none\r\n--b\r\n\r\ntwo\r\n--b--\r\nepi",
            ["one", "two"],
            "pre",
            "epi",
            [],
        ),
        (b"--b\n\none\n\n--b \t\n\n--b--  \n", ["one\n", ""], None, "", []),
        (b"--b\r\n\r\n--b--", [""], None, "", []),
        (b"--b\r\n--b--", [""], None, "", []),
        (b"--b\r\nA: b\r\n--b--", [""], None, "", []),
        (b"--b\r\nA: b\r\n--b\r\n\r\none\r\n--b--", ["", "one"], None, "", []),
        (b"--b\r\n\r\n--c\r\n--b--x\r\n x--b\r\n--b--", ["--c\r\n--b--x\r\n x--b"], None, "", []),
        (b"--b\r\n\r\none", ["one"], None, None, ["CloseBoundaryNotFoundDefect"]),
        (b"--b", [""], None, None, ["CloseBoundaryNotFoundDefect"]),
        (b"--b\r\n\r\none\r\n--b--\r\n--b\r\n\r\ntwo", ["one"], None, "--b\r\n\r\ntwo", []),
    ],
)
def test_multiparts(
    body: bytes, parts: list[str], preamble: str | None, epilogue: str | None, expected: list[str]
) -> None:
    email = read_all(MULTIPART + body)
    assert [part.get_content() for part in email.iter_parts()] == parts
    assert (email.preamble, email.epilogue) == (preamble, epilogue)
    assert defects(email) == expected


@pytest.mark.parametrize(
    ("octets", "content", "defect"),
    [
        (MULTIPART + b"text", "text", "StartBoundaryNotFoundDefect"),
        (MULTIPART, "", "StartBoundaryNotFoundDefect"),
        (MULTIPART + b"text\r\n--b--\r\nepi", "text", "StartBoundaryNotFoundDefect"),
        (b"Content-Type: multipart/mixed\r\n\r\ntext", "text", "NoBoundaryInMultipartDefect"),
        (MULTIPART.replace(b"=b", b'=""') + b"text", "text", "NoBoundaryInMultipartDefect"),
        (MULTIPART.replace(b"=b", b"=\xff") + b"text", "text", "NoBoundaryInMultipartDefect"),
        (MULTIPART.replace(b"=b", "=é".encode()), "", "NoBoundaryInMultipartDefect"),
    ],
)
def test_multiparts_without_parts(octets: bytes, content: str, defect: str) -> None:
    email = read_all(octets)
    assert not email.is_multipart()
    assert email.get_payload() == email.get_content() == content
    assert email.get_body() is email
    assert defects(email) == [defect]


def test_a_part_ends_where_the_multipart_around_it_ends() -> None:
    inner = MULTIPART.replace(b"=b", b"=c")
    email = read_all(MULTIPART + b"--b\r\n" + inner + b"--c\r\n\r\none\r\n--b\r\n\r\ntwo\r\n--b--")
    assert shape(email) == (
        "multipart/mixed",
        [("multipart/mixed", [("text/plain", b"one")]), ("text/plain", b"two")],
    )
    assert defects(email) == ["CloseBoundaryNotFoundDefect"]
    email = read_all(MULTIPART + b"--b\r\n" + inner + b"pre\r\n--b--")
    assert shape(email) == ("multipart/mixed", [("text/plain", b"pre")])
    assert defects(email) == ["StartBoundaryNotFoundDefect"]


def test_a_boundary_ends_with_its_multipart() -> None:
    inner = MULTIPART.replace(b"=b", b"=c")
    email = read_all(MULTIPART + b"--b\r\n" + inner + b"--c\r\n\r\n1\r\n--b\r\n\r\n2\r\n--c\r\n")
    assert shape(email)[1][1] == ("text/plain", b"2\r\n--c\r\n")


def test_a_boundary_belongs_to_the_outer_multipart() -> None:
    email = read_all(MULTIPART + b"--b\r\n" + MULTIPART + b"--b\r\n\r\none\r\n--b--")
    assert shape(email) == ("multipart/mixed", [("text/plain", b""), ("text/plain", b"one")])
    assert defects(email) == ["NoBoundaryInMultipartDefect"]


def test_boundaries_that_begin_alike() -> None:
    inner = MULTIPART.replace(b"=b", b"=b--")
    email = read_all(MULTIPART + b"--b\r\n" + inner + b"--b--\r\n\r\none\r\n--b----\r\n--b\r\n\r\n")
    assert shape(email) == (
        "multipart/mixed",
        [("multipart/mixed", [("text/plain", b"one")]), ("text/plain", b"")],
    )


def test_messages_within() -> None:
    email = read_all(
        MULTIPART.replace(b"mixed", b"digest")
        + b"--b\r\n\r\nSubject: one\r\n\r\ntext\r\n"
        + b"--b\r\nContent-Type: text/plain\r\n\r\na\r\n--b--"
    )
    message = ("message/rfc822", [("text/plain", b"text")])
    assert shape(email) == ("multipart/digest", [message, ("text/plain", b"a")])
    assert defects(email) == []


def test_messages_that_are_encoded() -> None:
    head = b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    assert shape(read_all(head + b"QQ==")) == ("message/rfc822", b"A")
    assert shape(read_all(head + b"\xff")) == ("message/rfc822", [("text/plain", b"\xff")])


def test_a_delivery_status() -> None:
    head = b"Content-Type: message/delivery-status\r\n\r\n"
    email = read_all(head + b"A: b\r\n\r\nC: d\r\nE: f\r\n\r\nContent-Type: multipart/x\r\ntext")
    assert [block.items() for block in email.iter_parts()][:2] == [
        [("A", "b")],
        [("C", "d"), ("E", "f")],
    ]
    assert shape(email)[1][2] == ("text/plain", b"text")
    assert email.get_content().startswith("A: b\n\nC: d\nE: f\n\n")
    assert shape(read_all(head)) == ("message/delivery-status", [("text/plain", b"")])


@pytest.mark.parametrize("depth", [MAX_DEPTH, MAX_DEPTH + 1, 1000])
def test_depth(depth: int) -> None:
    email = read_all(nested(depth))
    chain = [part.get_content_type() for part in email.walk()]
    assert chain[:-1] == ["multipart/mixed"] * MAX_DEPTH
    opened = depth == MAX_DEPTH
    assert chain[-1] == ("text/plain" if opened else "application/octet-stream")
    assert defects(email).count("LimitDefect") == (not opened)
    rest = nested(depth).split(b"\r\n\r\n", MAX_DEPTH + 1)[-1]
    assert opened or [*email.walk()][-1].get_content() == rest


def test_depth_of_messages() -> None:
    email = read_all(b"Content-Type: message/rfc822\r\n\r\n" * 1000)
    assert len([*email.walk()]) == MAX_DEPTH + 1
    assert isinstance([*email.walk()][-1].defects[0], LimitDefect)


@pytest.mark.parametrize(
    "octets",
    [
        MULTIPART + b"--b\r\n\r\n" * 20,
        MULTIPART + (b"--b\r\nContent-Type: message/rfc822\r\n\r\n\r\n") * 20,
        b"Content-Type: message/delivery-status\r\n\r\n" + b"A: b\r\n\r\n" * 20,
        MULTIPART + b"--b\r\nContent-Type: message/delivery-status\r\n\r\n" + b"A: b\r\n\r\n" * 20,
        nested(20),
    ],
)
@pytest.mark.parametrize("limit", range(2, 8))
def test_the_number_of_parts(octets: bytes, limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(structure, "MAX_PARTS", limit)
    email = read_all(octets)
    assert limit - 1 <= len([*email.walk()]) <= limit
    # Nothing is lost.
    assert b"".join(email.as_bytes().split()).startswith(b"".join(octets.split()))


def test_the_number_of_parts_by_default() -> None:
    email = parse(MULTIPART + b"--b\r\n" * (MAX_PARTS + 10))
    assert len([*email.walk()]) == MAX_PARTS
    assert [*email.walk()][-1].get_payload() == "--b\r\n" * 11
    assert [type(defect) for defect in email.defects[:1]] == [LimitDefect]


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_octets_of_any_kind(kind: Any) -> None:
    assert parse(kind(b"A: b\r\n\r\n"))["A"] == "b"


SAMPLES = [
    b"Subject: a\r\n\r\ntext\r\n",
    MULTIPART + b"--b\r\n\r\none\r\n--b\r\nContent-Type: text/html\r\n\r\n<b>\r\n--b--\r\n",
    MULTIPART + b"--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: a\r\n\r\nb\r\n--b--\r\n",
    MULTIPART
    + b"--b\r\nContent-Type: multipart/alternative; boundary=c\r\n\r\n"
    + b"--c\r\n\r\none\r\n--c--\r\n\r\n--b\r\nContent-Type: image/png\r\n"
    + b"Content-Transfer-Encoding: base64\r\n\r\nAAEC\r\n--b--\r\n",
    b"Content-Type: message/delivery-status\r\n\r\nA: b\r\n\r\nC: d\r\n",
]


@pytest.mark.parametrize("octets", SAMPLES)
def test_it_parses_as_the_standard_library_does(octets: bytes) -> None:
    expected = message_from_bytes(octets, policy=default)
    assert shape(read_all(octets)) == shape(expected)
    assert read_all(octets).as_bytes() == expected.as_bytes()
