"""What is no host at all: its text can hold a password, and is shown to nobody."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from pop3proto.errors import LocalProtocolError
from pop3proto.transports import Security
from pop3proto.transports.connecting import target, unix_hostname
from tests.runtimes import Flow, runtime


@pytest.fixture(autouse=True)
def no_resolver(monkeypatch: pytest.MonkeyPatch) -> None:
    def getaddrinfo(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError("the resolver was asked")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


def shows_nothing(error: LocalProtocolError) -> None:
    told = f"{error!s}{error!r}{error.hint}{error.__cause__!r}{error.__context__!r}"
    assert "hunter" not in told


@pytest.mark.parametrize(
    "host",
    [
        "pop3s://user:hunter2@h",
        " pops://user:hunter2@h",
        "\npops://user:hunter2@h",
        "https://user:hunter2@h",
        "https:user:hunter2",
        "user:hunter2@h",
        "user@hunter2",
        "h/hunter2",
        "h hunter2",
        "h\u3000hunter2",
        "h\uff0fhunter2",
        "h\uff20hunter2",
        "h\thunter2",
        "h\x85hunter2",
        "hunter2\0",
        "h:hunter2",
        "[::1]:hunter2",
        "fe80::1%eth0/hunter2",
        b"hunter2",
        ["hunter2"],
    ],
)
def test_what_is_no_host(host: Any) -> None:
    attempts: list[Callable[[], Any]] = [
        lambda: target(host, None, None),
        lambda: target("h", None, None, host),
        lambda: unix_hostname(Security.TLS, host),
    ]
    for attempt in attempts:
        with pytest.raises(LocalProtocolError, match="host") as caught:
            attempt()
        shows_nothing(caught.value)


@runtime
@pytest.mark.parametrize("url", ["pop3s://user:hunter2@h", " pops://user:hunter2@h", "u@hunter2"])
def test_a_url_of_another_kind(on: Callable[[Flow], Any], url: str) -> None:
    async def flow(connect: Callable[..., Awaitable[Any]]) -> None:
        with pytest.raises(LocalProtocolError, match="a name nor an address") as caught:
            await connect(url)
        shows_nothing(caught.value)
        assert "pops://" in caught.value.hint

    on(flow)
