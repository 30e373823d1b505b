"""Whole sessions with a server that misbehaves, in memory."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pop3proto import (
    Capabilities,
    Fault,
    Leniency,
    Listings,
    StatReply,
)
from pop3proto._value import replace
from pop3proto.sasl.server import Passwords, password_mechanisms
from pop3proto.server import Close, MemoryMaildrops, NeedData, Send, ServerOptions, ServerSession
from pop3proto.testing import MemoryStream, Quirk, memory_stream
from pop3proto.transports import ClientOptions, QuitResult, ServerProfile
from pop3proto.transports.blocking import Client

MESSAGES = [b"Subject: one\r\n\r\nText.\r\n.x\r\n", b"Subject: two\r\n\r\nText.\r\n"]
USERS = {"user": "secret"}
OPTIONS = ClientOptions(allow_plaintext_auth=True)
SERVER = ServerOptions(allow_plaintext_auth=True, failed_login_delay=0.0)
# What a quirk puts at the end of a message.
ADDED = {
    Quirk.CR_IN_MAIL: b"one\rtwo\r\rthree\r\n",
    Quirk.NUL_IN_MAIL: b"one\0two\0\0\r\n",
    Quirk.LONG_LINE_IN_MAIL: b"x" * 120_000 + b"\r\n",
}


def stream_with(
    quirks: Iterable[Quirk], messages: list[bytes] = MESSAGES, **how: Any
) -> MemoryStream[ServerSession]:
    return memory_stream(
        MemoryMaildrops({"user": messages}),
        users=USERS,
        options=SERVER,
        mechanisms=password_mechanisms(Passwords(USERS), host=SERVER.host_name),
        quirks=quirks,
        **how,
    )


def sent(quirks: Iterable[Quirk], messages: list[bytes] = MESSAGES) -> list[bytes]:
    """The messages as a server with these quirks sends them, if it gets through."""
    chosen = frozenset(quirks)
    more = b"".join(line for quirk, line in ADDED.items() if quirk in chosen)
    end = b"\n" if Quirk.BARE_LF in chosen else b"\r\n"
    return [(message + more).replace(b"\r\n", end) for message in messages]


def start(
    quirks: Iterable[Quirk],
    leniency: Leniency = Leniency(),
    messages: list[bytes] = MESSAGES,
    **options: Any,
) -> Client:
    stream = stream_with(quirks, messages)
    options = {"leniency": leniency, **options}
    return Client.start(stream, security=stream.security, options=replace(OPTIONS, **options))


@dataclass
class Seen:
    """What a whole session has shown."""

    client: Client
    offered: Capabilities | None
    """Before the login."""
    capabilities: Capabilities | None
    """Behind it."""
    stat: StatReply | None
    sizes: Listings
    ids: Listings
    bodies: list[bytes]
    top: bytes
    noop: str
    result: QuitResult

    @property
    def faults(self) -> frozenset[Fault]:
        return ServerProfile.of(self.client.deviations).faults


def use(
    quirks: Iterable[Quirk],
    leniency: Leniency = Leniency(),
    messages: list[bytes] = MESSAGES,
    **login: Any,
) -> Seen:
    """What a whole session finds; raises what stops it."""
    chosen = frozenset(quirks)
    with start(chosen, leniency, messages) as client:
        offered = client.capabilities
        client.login("user", "secret", **{"mechanisms": ["USER"], **login})
        return Seen(
            client,
            offered,
            client.capabilities,
            None if Quirk.NO_STAT in chosen else client.stat(),
            client.list(),
            client.uidl(),
            [bytes(client.retr(number).content) for number in range(1, len(messages) + 1)],
            bytes(client.top(1, 1).content),
            client.noop().text,
            dele_and_quit(client),
        )


def dele_and_quit(client: Client) -> QuitResult:
    client.dele(1)
    client.noop()
    return client.quit()


def lines_of(quirk: Quirk | None, *commands: bytes) -> list[bytes]:
    """What the server answers, line by line, the greeting first.

    Each of ``commands`` is what comes at once, one line or more.
    """
    session = stream_with([] if quirk is None else [quirk]).session
    coming = [*commands, b"QUIT\r\n"]
    said = bytearray()
    while not isinstance(action := session.next_action(), Close):
        if isinstance(action, NeedData):
            session.receive_data(coming.pop(0))
        else:
            assert isinstance(action, Send)
            assert 0 < len(action.data) <= 65536
            said += action.data
    return bytes(said).split(b"\r\n")


class Counting:
    """A stream that notes the size of each chunk that is received."""

    def __init__(self, stream: MemoryStream[ServerSession]) -> None:
        self.inner = stream
        self.sizes: list[int] = []
        self.send, self.aclose, self.abort = stream.send, stream.aclose, stream.abort

    async def receive(self, timeout: float | None) -> bytes:
        data = await self.inner.receive(timeout)
        self.sizes.append(len(data))
        return data
