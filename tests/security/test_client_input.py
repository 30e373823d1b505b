"""What a program may be made to send by its own input: nothing but what it means to."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from pop3proto import Extension, LocalProtocolError
from pop3proto.transports import Security
from tests.runtimes import Flow, runtime
from tests.security.hostile import HOST, hostile
from tests.tracebacks import shown

Connect = Callable[..., Awaitable[Any]]
On = Callable[[Flow], Any]
# Each would be a command of its own, or cut the argument short, or cannot be encoded.
BAD = ["user\r\nDELE 1", "user\nDELE 1", "user\rDELE 1", "a\0b", "a\x1bb", "a\x7fb", "a\udc80b"]
CALLS: dict[str, Callable[[Any, str], Awaitable[Any]]] = {
    "USER": lambda client, text: client.login(text, "secret", mechanisms=["USER"]),
    "PASS": lambda client, text: client.login("user", text, mechanisms=["USER"]),
    "APOP": lambda client, text: client.apop(text, "secret"),
    "RPOP": lambda client, text: client.rpop("user", text),
    "LANG": lambda client, text: client.lang(text),
    "LIST": lambda client, text: client.list(text),
    "UIDL": lambda client, text: client.uidl(text),
    "RETR": lambda client, text: client.retr(text),
    "TOP": lambda client, text: client.top(text, 1),
    "DELE": lambda client, text: client.dele(text),
    "an extension": lambda client, text: client.call(Extension.single(f"XTND {text}")),
    "many": lambda client, text: all_of(client.dele_many([1, text])),
}
LOGGED_IN = {"LIST", "UIDL", "RETR", "TOP", "DELE", "an extension", "many"}


async def all_of(batch: Any) -> None:
    async for _ in batch:
        pass


@runtime
@pytest.mark.parametrize("call", CALLS)
def test_no_argument_becomes_a_command(on: On, call: str) -> None:
    async def flow(connect: Connect) -> None:
        client = await connect(HOST, server.port, **server.how)
        if call in LOGGED_IN:
            await client.login("user", "secret", mechanisms=["USER"])
        for text in BAD:
            with pytest.raises(LocalProtocolError) as caught:
                await CALLS[call](client, text)
            assert caught.value.session_usable
            if call == "PASS":
                assert text not in shown(caught.value)
        await client.quit()

    greeting = b"+OK <1.2@example.org>\r\n"
    with hostile(Security.PLAINTEXT, greeting=greeting, capabilities=False) as server:
        on(flow)
    expected = [b"USER user", b"PASS secret"] if call in LOGGED_IN else []
    # Of the others, what came before the bad argument may have been sent.
    allowed = {"RPOP": b"USER user", "PASS": b"USER user", "many": b"DELE 1"}
    rest = [line for line in server.clear if line != allowed.get(call)]
    assert [line for line in rest if line != b"QUIT"] == [
        line for line in expected if line != allowed.get(call)
    ]
    assert not any(b"DELE 1" in line and line != b"DELE 1" for line in server.clear)
    assert b"DELE 1" not in server.clear or call == "many"


NOT_NUMBERS = [0, -1, 2**31, True, 1.0, None, "", " "]


@runtime
@pytest.mark.parametrize("number", NOT_NUMBERS, ids=repr)
def test_no_message_number(on: On, number: Any) -> None:
    async def flow(connect: Connect) -> None:
        client = await connect(HOST, server.port, **server.how)
        await client.login("user", "secret", mechanisms=["USER"])
        for call in (client.retr, client.dele, lambda n: client.top(n, 0)):
            with pytest.raises(LocalProtocolError):
                await call(number)
        await client.quit()

    with hostile(Security.PLAINTEXT, capabilities=False) as server:
        on(flow)
    assert server.clear == [b"USER user", b"PASS secret", b"QUIT"]
