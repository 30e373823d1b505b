"""A batch that holds a password goes wrong, and no traceback shows it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from pop3proto import Command, Pass, User
from pop3proto.transcript import Recorder
from pop3proto.transports import ClientOptions
from pop3proto.transports.blocking import Client
from tests.tracebacks import shown

SECRET = "pa55word"
OK = b"+OK\r\n"


class Failing:
    """A stream that raises ``error`` when a password is sent, as far as there is one."""

    def __init__(self, error: BaseException | None) -> None:
        self._answers = [OK, b"+OK\r\nPIPELINING\r\n.\r\n", OK, OK]
        self._error = error

    async def send(self, data: bytes, timeout: float | None) -> None:
        if self._error is not None and SECRET.encode() in data:
            del data
            raise self._error

    async def receive(self, timeout: float | None) -> bytes:
        return self._answers.pop(0) if self._answers else b""

    async def aclose(self) -> None:
        pass

    def abort(self) -> None:
        pass


def started(error: BaseException | None) -> Client:
    # The recorder's stream, which is the library's own, takes part in sending.
    options = ClientOptions(allow_plaintext_auth=True, recorder=Recorder())
    return Client.start(Failing(error), security="plaintext", options=options)


def commands(then: Any) -> Iterator[Command[Any]]:
    yield User("user")
    yield Pass(SECRET)
    if isinstance(then, Exception):
        raise then
    if then is not None:
        yield then


@pytest.mark.parametrize(
    "error",
    [
        ConnectionResetError("gone"),
        TimeoutError(),
        RuntimeError("a bug"),
        KeyboardInterrupt(),
        asyncio.CancelledError(),
    ],
    ids=repr,
)
def test_sending_fails(error: BaseException) -> None:
    client = started(error)
    with pytest.raises(BaseException) as caught:  # noqa: PT011, PT012 - each of them
        for _ in client.batch(commands(None)):
            pass
        client.noop()
    assert SECRET not in shown(caught.value)
    assert client.closed


@pytest.mark.parametrize("then", [User("again"), "no command", ValueError("mine")], ids=repr)
def test_a_later_command_is_wrong(then: Any) -> None:
    client = started(None)
    with pytest.raises(Exception) as caught:  # noqa: PT011 - each of them
        list(client.batch(commands(then)))
    assert SECRET not in shown(caught.value)
