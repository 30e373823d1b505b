"""Sending a password goes wrong, alone or in a batch, and no traceback shows it."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pop3proto import Command, Pass, User
from pop3proto.errors import ConnectionLostError, DeadlineError
from pop3proto.transcript import Recorder
from pop3proto.transports import ClientOptions
from pop3proto.transports.blocking import Client
from tests.tracebacks import shown

SECRET = "pa55word"
ENCODED = b64encode(f"\0user\0{SECRET}".encode()).decode()
OK = b"+OK\r\n"


class Failing:
    """A stream that raises ``error`` when a password is sent, as far as there is one."""

    def __init__(self, error: BaseException | None) -> None:
        self._answers = [OK, b"+OK\r\nPIPELINING\r\n.\r\n", OK, OK]
        self._error = error

    async def send(self, data: bytes, timeout: float | None) -> None:
        if self._error is not None and any(x.encode() in data for x in (SECRET, ENCODED)):
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


errors = pytest.mark.parametrize(
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


@errors
def test_sending_fails(error: BaseException) -> None:
    client = started(error)
    with pytest.raises(BaseException) as caught:  # noqa: PT011, PT012 - each of them
        for _ in client.batch(commands(None)):
            pass
        client.noop()
    assert SECRET not in shown(caught.value)
    assert client.closed


@errors
@pytest.mark.parametrize(
    "log_in",
    [
        lambda client: client.call(Pass(SECRET)),
        lambda client: client.login("user", SECRET, mechanisms=["USER"]),
        lambda client: client.login("user", SECRET, mechanisms=["PLAIN"]),
    ],
    ids=["call", "USER", "PLAIN"],
)
def test_sending_one_command_fails(error: BaseException, log_in: Callable[[Client], Any]) -> None:
    client = started(error)
    client.call(User("user"))
    with pytest.raises(BaseException) as caught:  # noqa: PT011 - each of them
        log_in(client)
    assert type(caught.value) in (type(error), ConnectionLostError, DeadlineError)
    assert SECRET not in shown(caught.value)
    assert ENCODED not in shown(caught.value)
    assert client.closed


@pytest.mark.parametrize("then", [User("again"), "no command", ValueError("mine")], ids=repr)
def test_a_later_command_is_wrong(then: Any) -> None:
    client = started(None)
    with pytest.raises(Exception) as caught:  # noqa: PT011 - each of them
        list(client.batch(commands(then)))
    assert SECRET not in shown(caught.value)
