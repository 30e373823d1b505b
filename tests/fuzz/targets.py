"""What is fuzzed: one function for each role, which raises only if something is wrong.

The first octet of an input says how the rest is cut into chunks, the second which commands are
in flight (the client's role). Each input is run in one piece and in chunks: the events have to be
the same, and the only exceptions are those that the documents name.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pop3proto import (
    Auth,
    Capa,
    Command,
    ConnectionLost,
    Dele,
    Extension,
    Greeting,
    Languages,
    List,
    ListOne,
    Noop,
    Quit,
    RemoteProtocolError,
    Retr,
    ServerConnection,
    Stat,
    State,
    Top,
    Uidl,
    UidlOne,
)
from tests.property.engines import client, fed

IN_FLIGHT: tuple[tuple[Command[Any], ...], ...] = (
    (),
    (Noop(),),
    (Retr(1),),
    (List(),),
    (Uidl(),),
    (Capa(),),
    (Stat(), ListOne(1), UidlOne(1)),
    (Retr(1), Top(2, 0), Dele(1), Quit()),
    (Languages(), Extension.multi("XTND XLST"), Extension.single("XSENDER 1")),
)
_DOCUMENTED = (RemoteProtocolError, ConnectionLost)


def cut(data: bytes, size: int) -> Iterable[bytes]:
    """``data`` in chunks of ``size`` octets."""
    return [data[i : i + size] for i in range(0, len(data), size)]


def fuzz_client(data: bytes) -> None:
    """Feed a client's engine with what a server may send."""
    if len(data) < 2:
        return
    size, choice, wire = 1 + data[0] % 64, data[1], data[2:]
    states = (State.GREETING, State.AUTHORIZATION, State.TRANSACTION)

    def run(chunks: Iterable[bytes]) -> list[Any]:
        if choice >= 200:
            state = states[choice % 2]
            auth = (Auth("PLAIN"),) if state is State.AUTHORIZATION else ()
            return fed(client(*auth, state=state), chunks)
        return fed(client(*IN_FLIGHT[choice % len(IN_FLIGHT)]), chunks)

    _compare(run, wire, size)


def fuzz_server(data: bytes) -> None:
    """Feed a server's engine with what a client may send."""
    if not data:
        return

    def run(chunks: Iterable[bytes]) -> list[Any]:
        server = ServerConnection()
        server.send(Greeting("ready"))
        return fed(server, chunks)

    _compare(run, data[1:], 1 + data[0] % 64)


def _compare(run: Any, wire: bytes, size: int) -> None:
    whole = run([wire] if wire else [])
    pieces = run(cut(wire, size))
    if whole != pieces:
        raise AssertionError(f"chunks of {size} octets change the events: {whole} != {pieces}")
    errors = [event for event in whole if isinstance(event, tuple)]
    if not all(issubclass(error[0], _DOCUMENTED) for error in errors):
        raise AssertionError(f"an exception that is not documented: {errors}")


TARGETS = {"client": fuzz_client, "server": fuzz_server}
