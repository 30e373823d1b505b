"""The methods of a client: which command each of them sends, and that it passes on its options."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest

from pop3proto import Dele, Retr, Top
from pop3proto.client.client import AsyncClient
from pop3proto.client.stepping import run
from pop3proto.client.turn import MAX_COLLECTED_OCTETS
from pop3proto.errors import LimitError
from tests.client.test_session import logged_in

TEXT = b"+OK 8 octets\r\n1\r\n2\r\n3\r\n.\r\n"
# Less than the text, and enough for it.
LESS, ENOUGH = 8, 9


def progress(octets: int, expected: int | None) -> None:
    """Do nothing: it only has to be passed on."""


@pytest.mark.parametrize(
    ("method", "arguments", "command"),
    [
        ("retr", (1,), Retr(1)),
        ("top", (1,), Top(1, 0)),
        ("top", (1, 5), Top(1, 5)),
        ("retr_stream", (1,), Retr(1)),
        ("top_stream", (1,), Top(1, 0)),
        ("top_stream", (1, 5), Top(1, 5)),
        ("retr_many", ([1, "2"],), [Retr(1), Retr("2")]),
        ("top_many", ([1, 2],), [Top(1, 0), Top(2, 0)]),
        ("top_many", ([1], 5), [Top(1, 5)]),
        ("dele_many", ([1, 2],), [Dele(1), Dele(2)]),
    ],
)
@pytest.mark.parametrize("options", [{}, {"max_octets": 5, "progress": progress}])
def test_what_a_method_asks_for(
    method: str,
    arguments: Any,
    command: Any,
    options: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[Any] = []

    async def call(self: object, command: Any, **how: Any) -> None:
        asked.append((command, how))

    def passed_on(self: object, command: Any, **how: Any) -> None:
        asked.append((command if method.endswith("stream") else list(command), how))

    monkeypatch.setattr(AsyncClient, "call", call)
    monkeypatch.setattr(AsyncClient, "stream", passed_on)
    monkeypatch.setattr(AsyncClient, "batch", passed_on)
    # It says nothing by itself.
    client = AsyncClient.__new__(AsyncClient)
    if method == "dele_many":
        options = expected = {}
    else:
        most = None if method.endswith("stream") else MAX_COLLECTED_OCTETS
        expected = {"max_octets": most, "progress": None, **options}
    result = getattr(client, method)(*arguments, **options)
    if method in ("retr", "top"):
        run(result)
    assert asked == [(command, expected)]


@pytest.mark.parametrize(
    "use",
    [
        lambda client, **how: client.retr(1, **how),
        lambda client, **how: client.top(1, 5, **how),
        lambda client, **how: client.retr_stream(1, **how).read(),
        lambda client, **how: client.retr_many([1], **how).__anext__(),
        lambda client, **how: client.save(1, BytesIO(), **how),
    ],
)
def test_the_most_octets_and_what_is_told_of_them(use: Callable[..., Any]) -> None:
    seen: list[tuple[int, int | None]] = []
    client, _ = logged_in(TEXT)
    assert run(use(client, max_octets=ENOUGH, progress=lambda *so_far: seen.append(so_far)))
    assert seen[-1] == (9, 8)
    client, _ = logged_in(TEXT)
    with pytest.raises(LimitError):
        run(use(client, max_octets=LESS))
