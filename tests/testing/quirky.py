"""Whole sessions with a server that misbehaves, in memory."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pop3proto import (
    LENIENT,
    Capabilities,
    Fault,
    Leniency,
    ScanListings,
    StatReply,
    UniqueIdListings,
)
from pop3proto.deviations import ServerProfile
from pop3proto.maildrop import MemoryMaildrops
from pop3proto.sasl.server import Passwords, password_mechanisms
from pop3proto.serving import Close, Send, ServerOptions, ServerSession
from pop3proto.testing import MemoryStream, Quirk, memory_stream
from pop3proto.transports.blocking import Client, ClientOptions, QuitResult

MESSAGES = [b"Subject: one\r\n\r\nText.\r\n.x\r\n", b"Subject: two\r\n\r\nText.\r\n"]
USERS = {"user": "secret"}
OPTIONS = ClientOptions(allow_plaintext_auth=True)
SERVER = ServerOptions(allow_plaintext_auth=True, failed_login_delay=0.0)


def stream_with(
    quirks: Iterable[Quirk], messages: list[bytes] = MESSAGES
) -> MemoryStream[ServerSession]:
    return memory_stream(
        MemoryMaildrops({"user": messages}),
        users=USERS,
        options=SERVER,
        mechanisms=password_mechanisms(Passwords(USERS), host=SERVER.host_name),
        quirks=quirks,
    )


def start(
    quirks: Iterable[Quirk],
    leniency: Leniency = LENIENT,
    messages: list[bytes] = MESSAGES,
    **options: Any,
) -> Client:
    stream = stream_with(quirks, messages)
    options = {"leniency": leniency, **options}
    return Client.start(
        stream, security=stream.security, options=dataclasses.replace(OPTIONS, **options)
    )


@dataclass
class Seen:
    """What a whole session has shown."""

    client: Client
    offered: Capabilities | None
    """Before the login."""
    capabilities: Capabilities | None
    """Behind it."""
    stat: StatReply | None
    sizes: ScanListings
    ids: UniqueIdListings
    bodies: list[bytes]
    top: bytes
    noop: str
    result: QuitResult

    @property
    def faults(self) -> frozenset[Fault]:
        return ServerProfile.of(self.client.deviations).faults


def use(
    quirks: Iterable[Quirk],
    leniency: Leniency = LENIENT,
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


def lines_of(quirk: Quirk | None, commands: bytes) -> list[bytes]:
    """What the server answers, line by line, the greeting first."""
    session = stream_with([] if quirk is None else [quirk]).session
    session.receive_data(commands + b"QUIT\r\n")
    sent = bytearray()
    while not isinstance(action := session.next_action(), Close):
        assert isinstance(action, Send)
        sent += action.data
    return bytes(sent).split(b"\r\n")
