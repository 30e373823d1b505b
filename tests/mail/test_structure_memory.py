"""The memory of a parsed message, as the page on reading mail has it."""

import tracemalloc
from collections.abc import Callable
from email.message import EmailMessage

import pytest

from pop3proto.mail import parse

PARTS = 5000


def most_memory(work: Callable[[], object]) -> int:
    """The most octets that were allocated at a time."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("octets", "times"),
    [
        pytest.param(b"Subject: x\r\n\r\n" + b"A line of a text.\r\n" * 40_000, 2.1, id="text"),
        pytest.param(b"A: b\r\n" * 40_000 + b"\r\n", 12, id="short fields"),
    ],
)
def test_a_message_takes_a_multiple_of_its_octets(octets: bytes, times: float) -> None:
    assert most_memory(lambda: parse(octets)) < times * len(octets)


def test_a_part_takes_little() -> None:
    octets = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nx\r\n" * PARTS

    def read() -> EmailMessage:
        email = parse(octets)
        for part in email.iter_parts():
            part.items()
            part.get_content()
        return email

    assert most_memory(read) < 1024 * PARTS
