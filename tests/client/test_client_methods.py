"""What the client's methods make of answers, whatever the runtime."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from pop3proto import CommandError, ResponseCode
from pop3proto.testing import Turn, scripted
from pop3proto.transports import ClientOptions, Security
from pop3proto.transports.blocking import Client

OPTIONS = ClientOptions(allow_plaintext_auth=True)


@contextmanager
def logged_in(announced: bytes, *turns: Turn) -> Iterator[Client]:
    """A client of a server that announces ``announced`` and keeps to the script."""
    capa: Turn = (b"CAPA", b"+OK\r\n" + announced + b".\r\n")
    login: list[Turn] = [capa, (b"USER user", b"+OK\r\n"), (b"PASS <redacted>", b"+OK\r\n"), capa]
    with (
        scripted([*login, *turns, (b"QUIT", b"+OK\r\n")]) as stream,
        Client.start(stream, security=Security.PLAINTEXT, options=OPTIONS) as client,
    ):
        client.login("user", "secret", mechanisms=["USER"])
        yield client


LISTED: list[Turn] = [(b"STAT", b"+OK 1 10\r\n"), (b"LIST", b"+OK\r\n1 10\r\n.\r\n")]


def test_without_uidl_there_are_no_unique_ids() -> None:
    with logged_in(b"", *LISTED, (b"UIDL", b"-ERR unknown command\r\n")) as client:
        assert [tuple(row) for row in client.messages()] == [(1, 10, None)]


@pytest.mark.parametrize(
    ("announced", "refusal"),
    [(b"", b"-ERR [SYS/TEMP] not now\r\n"), (b"UIDL\r\n", b"-ERR not now\r\n")],
)
def test_unique_ids_that_are_refused_are_not_taken_for_missing(
    announced: bytes, refusal: bytes
) -> None:
    with logged_in(announced, *LISTED, (b"UIDL", refusal)) as client:
        with pytest.raises(CommandError, match="not now") as caught:
            client.messages()
        assert caught.value.session_usable
    code = ResponseCode.SYS_TEMP if b"SYS" in refusal else None
    assert caught.value.code == code


@pytest.mark.parametrize(
    "use",
    [
        lambda client, **options: client.top(1, 0, **options),
        lambda client, **options: list(client.top_stream(1, 0, **options)),
        lambda client, **options: list(client.top_many([1], 0, **options)),
    ],
    ids=["top", "top_stream", "top_many"],
)
def test_the_progress_of_top(use: Callable[..., Any]) -> None:
    seen: list[tuple[int, int | None]] = []
    with logged_in(b"", (b"TOP 1 0", b"+OK\r\nSubject: x\r\n\r\n.\r\n")) as client:
        use(client, progress=lambda octets, expected: seen.append((octets, expected)))
    assert seen == [(14, None)]


def test_a_path_in_octets(tmp_path: Any) -> None:
    path = tmp_path / "one.eml"
    with logged_in(b"", (b"RETR 1", b"+OK\r\none\r\n.\r\n")) as client:
        assert client.save(1, bytes(path)) == 5
    assert path.read_bytes() == b"one\r\n"
