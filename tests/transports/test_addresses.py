"""A host with several addresses, some of which do not answer, on every runtime."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest
import trio

from pop3proto import DeadlineError, LocalProtocolError
from pop3proto._value import replace
from pop3proto.transports import Security, Timeouts
from tests.runtimes import RUNTIMES, Flow, home, resolve_to, runtime, serving, silent_address

Connect = Callable[..., Awaitable[Any]]
On = Callable[[Flow], Any]
PLAIN = Security.PLAINTEXT
HOST = "two.example.org"


def refusing_address() -> tuple[str, int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        host, port = listener.getsockname()
    return host, port


@pytest.mark.thinned
@runtime
@pytest.mark.parametrize("silent", [1, 3])
def test_an_address_that_does_not_answer_leaves_time_for_the_next(
    on: On, silent: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the same time where the runtime can do that, and else within its share of the time."""

    async def flow(connect: Connect) -> None:
        # Without a share the first one would take all of it.
        options = replace(how["options"], timeouts=Timeouts(connect=2.0))
        client = await connect(HOST, **{**how, "options": options})
        await client.login("user", "secret")
        await client.quit()

    with silent_address() as nobody, serving(PLAIN) as (server, _, how):
        resolve_to(monkeypatch, [*[nobody] * silent, ("127.0.0.1", server.port)])
        on(flow)
        server.wait_until_idle()


@runtime
def test_addresses_of_which_none_answers(on: On, monkeypatch: pytest.MonkeyPatch) -> None:
    async def flow(connect: Connect) -> None:
        options = replace(how["options"], timeouts=Timeouts(connect=0.3))
        with pytest.raises(DeadlineError) as caught:
            await connect(HOST, **{**how, "options": options})
        assert (caught.value.phase, caught.value.seconds) == ("connect", 0.3)

    with silent_address() as nobody, serving(PLAIN) as (_, _maildrops, how):
        resolve_to(monkeypatch, [nobody, nobody])
        on(flow)


@runtime
def test_the_next_address_is_tried_when_one_refuses(
    on: On, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def flow(connect: Connect) -> None:
        client = await connect(HOST, **how)
        await client.quit()

    with serving(PLAIN) as (server, _, how):
        resolve_to(monkeypatch, [refusing_address(), ("127.0.0.1", server.port)])
        on(flow)


# asyncio and anyio try the addresses at the same time, which one port is no good for.
@pytest.mark.parametrize("name", ["blocking", "trio"])
def test_with_a_port_to_connect_from_each_address_gets_its_share(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def flow(connect: Connect) -> None:
        options = replace(how["options"], timeouts=Timeouts(connect=1.0))
        source = refusing_address()
        client = await connect(HOST, **{**how, "options": options}, source_address=source)
        await client.quit()

    with silent_address() as nobody, serving(PLAIN) as (server, _, how):
        resolve_to(monkeypatch, [nobody, ("127.0.0.1", server.port)])
        RUNTIMES[name](flow)


@runtime
@pytest.mark.parametrize(
    "source",
    [
        ("127.0.0.1", 70_000),
        ("127.0.0.1", -1),
        ("127.0.0.1", "0"),
        ("127.0.0.1",),
        ("::1", 0, 0, 0),
        (),
        (None, 0),
        (5, 0),
        "127.0.0.1",
    ],
)
def test_an_address_to_connect_from_that_there_is_not(on: On, source: Any) -> None:
    async def flow(connect: Connect) -> None:
        with pytest.raises(LocalProtocolError, match="source_address") as caught:
            await connect("127.0.0.1", 1, security=PLAIN, source_address=source)
        assert type(caught.value) is LocalProtocolError

    on(flow)


@pytest.mark.parametrize("name", [name for name in RUNTIMES if name != "blocking"])
def test_what_goes_wrong_in_an_attempt_is_no_group(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever it is: a bug of the caller's address, of a library, of ours."""

    def broken(*args: Any, **kwargs: Any) -> Any:
        raise ZeroDivisionError

    class Factory(trio.abc.SocketFactory):
        socket = broken

    async def flow(connect: Connect) -> None:
        if name == "trio":
            trio.socket.set_custom_socket_factory(Factory())
        else:
            monkeypatch.setattr(f"{home(connect)}.socket_for", broken)
        with pytest.raises(ZeroDivisionError):
            await connect("127.0.0.1", 1, security=PLAIN)

    RUNTIMES[name](flow)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_cancelled_attempt_is_no_group(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def flow() -> None:
        from pop3proto.transports.anyio import connect

        with anyio.move_on_after(0.1) as scope:
            await connect(HOST, security=PLAIN)
        assert scope.cancelled_caught

    with silent_address() as nobody:
        resolve_to(monkeypatch, [nobody, nobody])
        anyio.run(flow, backend=backend)
