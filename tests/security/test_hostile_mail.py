"""Whatever a message is made of, it can be read, in time that grows as its length does."""

from __future__ import annotations

from email.message import EmailMessage
from typing import Any

import pytest

from pop3proto import Message, Retr
from pop3proto.mail import MAX_DEPTH, parse
from tests.mail.reading import kinds, nested, read_all, work
from tests.mail.samples import MAIL as SAMPLES

KINDS = {name: (before, unit, after) for name, before, unit, after in kinds()}


def of_length(kind: str, octets: int) -> bytes:
    before, unit, after = KINDS[kind]
    return before + unit * (octets // len(unit)) + after


def email_of(octets: bytes) -> EmailMessage:
    return Message(Retr(1), octets).as_email()


def test_a_content_type_with_an_empty_extended_parameter() -> None:
    email: Any = email_of(b"Content-Type: text/plain; name*\r\n\r\ntext")
    assert email["Content-Type"] == "text/plain; name*"
    assert len(email["Content-Type"].defects) == 1
    assert email.get_content() == "text"


def test_a_message_id_in_brackets() -> None:
    email = email_of(b"Message-ID: <[0123abcd=@mailer.example]>\r\n\r\n")
    assert email["Message-ID"] == "<[0123abcd=@mailer.example]>"
    assert email.items() == [("Message-ID", "<[0123abcd=@mailer.example]>")]


@pytest.mark.parametrize("text", ["(c):", '"', "<", "a@", "a@[", "(" * 3000])
@pytest.mark.parametrize("name", ["To", "From", "Sender", "Reply-To", "Cc", "Resent-Bcc"])
def test_what_is_not_an_address(name: str, text: str) -> None:
    email: Any = email_of(f"{name}: {text}\r\n\r\n".encode())
    assert email[name] == text
    assert email[name].addresses == ()
    assert email[name].defects


def test_a_thousand_multiparts_within_each_other() -> None:
    email = email_of(nested(1000))
    assert len(list(email.walk())) == MAX_DEPTH + 1


@pytest.mark.parametrize("charset", ["uft-8", "unknown", "1", "iso-8859-8-i", "windows-874", '""'])
def test_a_charset_that_python_does_not_know(charset: str) -> None:
    email = email_of(f"Content-Type: text/plain; charset={charset}\r\n\r\ntext".encode())
    assert email.get_content() == "text"


@pytest.mark.parametrize("octets", SAMPLES)
def test_samples(octets: bytes) -> None:
    read_all(octets)


def test_the_octets_stay_what_they_are() -> None:
    message = Message(Retr(1), b"Content-Type: text/plain; charset=x\r\n\r\n\xff\r\n")
    message.as_email().as_bytes()
    assert bytes(message) == b"Content-Type: text/plain; charset=x\r\n\r\n\xff\r\n"


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_the_work_is_linear(kind: str) -> None:
    # Once, so that what is imported and compiled is there.
    read_all(of_length(kind, 500))
    small = work(read_all, of_length(kind, 1_000))
    large = work(read_all, of_length(kind, 4_000))
    assert large <= 4 * small * 1.1 + 200


def test_the_work_on_many_parts_is_linear() -> None:
    def many(fields: int, parts: int) -> bytes:
        head = b"Content-Type: multipart/digest; boundary=b" + b";" * fields + b"\r\n\r\n"
        return head + b"--b\r\n" * parts

    small, large = work(parse, many(100, 100)), work(parse, many(400, 400))
    assert large <= 4 * small * 1.1


def test_quadratic_work_is_found_out() -> None:
    def quadratic(octets: bytes) -> None:
        for _ in octets:
            for _ in octets:
                pass

    assert work(quadratic, b"x" * 40) > 10 * work(quadratic, b"x" * 10)
