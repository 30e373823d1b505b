"""New messages one by one, on every runtime."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from pop3proto.conformance.client.hooks import CutOff
from pop3proto.errors import ConnectionLostError, LocalProtocolError
from pop3proto.server import Hooks, MemoryMaildrops, ServerOptions
from pop3proto.sync import (
    AsyncNewMessages,
    NewMessages,
    Policy,
    Record,
    Remember,
    Standing,
    State,
    fetch_new,
)
from pop3proto.testing import ChaosStream, Quirk, Turn, memory_stream, scripted, serve
from pop3proto.testing.sessions import Sessions
from pop3proto.transcript import EndOfStream, Entry
from pop3proto.transports import ClientOptions, Security
from pop3proto.transports.blocking import Client
from tests.runtimes import SMALL, Flow, runtime, serving

DELETE = Policy(delete_after=0)


class Memory:
    """Records of an account, in a dictionary."""

    def __init__(self) -> None:
        self.kept: dict[int, Record] = {}

    def records(self) -> list[Record]:
        return list(self.kept.values())

    def remember(self, action: Remember) -> None:
        self.kept.update((record.key, record) for record in action.records)
        for key in action.forgotten:
            del self.kept[key]


def client(maildrops: MemoryMaildrops, *quirks: Quirk, reset_after: int | None = None) -> Client:
    stream: Any = memory_stream(
        maildrops,
        password="secret",
        options=ServerOptions(allow_plaintext_auth=True),
        quirks=quirks,
    )
    if reset_after is not None:
        stream = ChaosStream(stream, chunks=100, reset_after=reset_after)
    options = ClientOptions(allow_plaintext_auth=True)
    made = Client.start(stream, security=Security.PLAINTEXT, options=options)
    made.login("user", "secret")
    return made


@pytest.fixture
def maildrops() -> MemoryMaildrops:
    return MemoryMaildrops({"user": SMALL})


@runtime
def test_every_message_once(on: Callable[[Flow], Any], tmp_path: Path) -> None:
    stored: list[bytes] = []

    async def flow(connect: Callable[..., Awaitable[Any]]) -> None:
        with State(tmp_path / "state") as state, state.account("user") as account:
            for policy in Policy(), DELETE:
                async with await connect(server.host, server.port, **how) as session:
                    await session.login("user", "secret")
                    inner = getattr(session, "_inner", session)
                    messages = fetch_new(inner, account, policy, now=0.0)
                    if isinstance(messages, NewMessages):
                        for message in messages:
                            stored.append(message.content)
                            message.confirm()
                    else:
                        assert isinstance(messages, AsyncNewMessages)
                        async for message in messages:
                            stored.append(message.content)
                            message.confirm()
                assert messages.confirmed
                assert messages.refused == messages.misfits == {}

    with serving(Security.PLAINTEXT) as (server, maildrops, how):
        on(flow)
        assert maildrops.contents("user") == []
    assert sorted(stored) == sorted(SMALL)


def test_a_message(maildrops: MemoryMaildrops) -> None:
    message = next(fetch_new(client(maildrops), Memory(), now=0.0))
    assert message.content == SMALL[0]
    assert message.unique_id == maildrops.unique_ids("user")[0]
    assert message.digest == sha256(SMALL[0]).digest()
    assert not message.header
    assert repr(message).startswith(f"<NewMessage: {len(SMALL[0])} octets, unique_id=b'message-")


def test_what_is_not_confirmed_stays_and_comes_again(maildrops: MemoryMaildrops) -> None:
    memory = Memory()
    messages = fetch_new(client(maildrops), memory, DELETE, now=0.0)
    for message in messages:
        if message.content == SMALL[1]:
            message.confirm()
    assert messages.deletions == 1
    assert maildrops.contents("user") == [SMALL[0], *SMALL[2:]]
    again = [m.content for m in fetch_new(client(maildrops), memory, now=0.0)]
    assert again == [SMALL[0], *SMALL[2:]]


def test_a_loop_that_is_left_deletes_nothing(maildrops: MemoryMaildrops) -> None:
    memory = Memory()
    with client(maildrops) as session:
        for message in fetch_new(session, memory, DELETE, now=0.0):
            message.confirm()
            break
    assert maildrops.contents("user") == SMALL
    assert [r.standing for r in memory.records()] == [Standing.KNOWN]
    new = fetch_new(client(maildrops), memory, DELETE, now=0.0)
    for message in new:
        assert message.content != SMALL[0]
        message.confirm()
    assert maildrops.contents("user") == []
    assert [*new] == []


def test_a_message_is_confirmed_once_and_in_time(maildrops: MemoryMaildrops) -> None:
    messages = fetch_new(client(maildrops), Memory(), now=0.0)
    first, second = next(messages), next(messages)
    with pytest.raises(LocalProtocolError, match="only the last"):
        first.confirm()
    second.confirm()
    with pytest.raises(LocalProtocolError, match="only once"):
        second.confirm()


class UnreliableMemory(Memory):
    """Records that fail once, when they are asked to keep a message of that key."""

    def __init__(self, failing: int) -> None:
        super().__init__()
        self.failing = failing

    def remember(self, action: Remember) -> None:
        if self.failing in {record.key for record in action.records}:
            self.failing = 0
            raise OSError("the database is locked")
        super().remember(action)


@pytest.mark.parametrize("again", [True, False])
def test_a_confirmation_that_fails(maildrops: MemoryMaildrops, again: bool) -> None:
    """It can be tried again; otherwise the message is not confirmed, and stays."""
    records = UnreliableMemory(2)
    messages = fetch_new(client(maildrops), records, DELETE, now=0.0)
    for message in messages:
        try:
            message.confirm()
        except OSError:
            if again:
                message.confirm()
    assert messages.confirmed
    assert len(records.kept) == (len(SMALL) if again else len(SMALL) - 1)
    assert maildrops.contents("user") == ([] if again else [SMALL[1]])


def test_an_error_ends_the_session(maildrops: MemoryMaildrops) -> None:
    """Or the messages would be deleted after what was to be recorded before that was not."""

    class Failing(Memory):
        def remember(self, action: Remember) -> None:
            if Standing.DOUBTED in {record.standing for record in action.records}:
                raise OSError("the database is gone")
            super().remember(action)

    messages = fetch_new(client(maildrops), Failing(), DELETE, now=0.0)
    for _ in SMALL:
        next(messages).confirm()
    with pytest.raises(OSError, match="gone"):
        next(messages)
    with pytest.raises(LocalProtocolError, match="ended"):
        next(messages)
    assert maildrops.contents("user") == SMALL


def test_the_program_ends_between_its_commit_and_the_confirmation(
    maildrops: MemoryMaildrops,
) -> None:
    memory = Memory()
    session = client(maildrops)
    first = next(fetch_new(session, memory, DELETE, now=0.0))
    session.abort()
    assert maildrops.contents("user") == SMALL
    assert next(fetch_new(client(maildrops), memory, DELETE, now=0.0)).digest == first.digest


def test_a_connection_that_is_lost_at_any_octet(maildrops: MemoryMaildrops) -> None:
    memory, stored, lost = Memory(), list[bytes](), 0
    maildrops = MemoryMaildrops({"user": [b"Subject: %d\r\n\r\n" % n for n in range(9)]})
    for octets in range(200, 1600, 40):
        try:
            for message in fetch_new(
                client(maildrops, reset_after=octets), memory, DELETE, now=0.0
            ):
                stored.append(message.content)
                message.confirm()
        except ConnectionLostError:
            lost += 1
    assert lost > 5
    assert sorted(stored) == [b"Subject: %d\r\n\r\n" % n for n in range(9)]
    assert maildrops.contents("user") == []


@runtime
@pytest.mark.parametrize("mode", [Security.PLAINTEXT, Security.STLS], ids=["plain", "stls"])
def test_what_came_before_a_connection_is_lost(
    on: Callable[[Flow], Any], mode: Security, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first is a group of its own; of the next group, two come whole."""
    texts = [b"Subject: %d\r\n\r\n" % n for n in range(5)]
    memory, stored = Memory(), list[bytes]()
    # The first ones are asked for when the server is made.
    hooks = iter([Hooks(), CutOff("within", 3)])
    monkeypatch.setattr(Sessions, "_hooks", lambda sessions: next(hooks, Hooks()))

    async def flow(connect: Callable[..., Awaitable[Any]]) -> None:
        async with await connect(server.host, server.port, **how) as session:
            await session.login("user", "secret")
            assert session.pipelining
            messages: Any = fetch_new(getattr(session, "_inner", session), memory, DELETE, now=0.0)
            try:
                if isinstance(messages, NewMessages):
                    for message in messages:
                        stored.append(message.content)
                        message.confirm()
                else:
                    async for message in messages:
                        stored.append(message.content)
                        message.confirm()
            except ConnectionLostError:
                lost.append(len(stored))

    lost: list[int] = []
    drops = MemoryMaildrops({"user": texts})
    options = ServerOptions(allow_plaintext_auth=True)
    with serve(drops, users={"user": "secret"}, security=mode, options=options) as server:
        how: dict[str, Any] = {
            "security": mode,
            "options": ClientOptions(allow_plaintext_auth=mode is Security.PLAINTEXT),
        }
        if mode is Security.STLS:
            how["ssl_context"] = server.client_context()
        on(flow)
        server.wait_until_idle()
        assert (lost, drops.contents("user")) == ([2], texts)
        on(flow)
    assert (lost, stored, drops.contents("user")) == ([2], texts, [])


def test_a_refusal_before_a_connection_is_lost() -> None:
    """After it, nothing is certain: it is not among what was returned."""
    capa = (b"CAPA", b"+OK\r\nUIDL\r\nPIPELINING\r\n.\r\n")
    script: list[Turn | Entry] = [
        capa,
        (b"USER user", b"+OK\r\n"),
        (b"PASS <redacted>", b"+OK\r\n"),
        capa,
        (b"STAT", b"+OK 3 15\r\n"),
        (b"LIST", b"+OK\r\n1 5\r\n2 5\r\n3 5\r\n.\r\n"),
        (b"UIDL", b"+OK\r\n1 a\r\n2 b\r\n3 c\r\n.\r\n"),
        (b"RETR 1", b"+OK\r\n1..\r\n.\r\n"),
        (b"NOOP", b"+OK\r\n"),
        (b"RETR 2", b""),
        (b"RETR 3", b""),
        (b"NOOP", b"-ERR no\r\n+OK\r\n3..\r\n.\r\n"),
        EndOfStream("server"),
    ]
    stream: Any = scripted(script)
    options = ClientOptions(allow_plaintext_auth=True)
    stored: list[bytes] = []
    with Client.start(stream, security=Security.PLAINTEXT, options=options) as session:
        session.login("user", "secret")
        messages = fetch_new(session, Memory(), now=0.0)
        with pytest.raises(ConnectionLostError):
            stored.extend(message.content for message in messages)
    assert [*messages.refused] == [2]
    assert stored == [b"1..\r\n"]


def test_messages_that_the_server_refuses(maildrops: MemoryMaildrops) -> None:
    messages = fetch_new(client(maildrops, Quirk.REFUSED_MESSAGE), Memory(), now=0.0)
    assert len([*messages]) == len(SMALL) - 1
    assert [*messages.refused] == [1]


def test_a_server_without_uidl(maildrops: MemoryMaildrops) -> None:
    memory = Memory()
    for count in len(SMALL), 0:
        messages = fetch_new(client(maildrops, Quirk.NO_UIDL), memory, now=0.0)
        assert sum(message.confirm() is None for message in messages) == count


def test_headers(maildrops: MemoryMaildrops) -> None:
    messages = fetch_new(client(maildrops), Memory(), Policy(headers_only=True), now=0.0)
    assert {message.header for message in messages} == {True}


def test_records_of_another_way_to_fetch(maildrops: MemoryMaildrops) -> None:
    memory = Memory()
    record = Record(1, 1, b"", None, None, 0.0, 0.0, Standing.STORING, draft="draft")
    memory.remember(Remember((record,)))
    with pytest.raises(LocalProtocolError, match="another way"):
        next(fetch_new(client(maildrops), memory, now=0.0))


def test_a_server_that_lists_wrong_sizes_does_not_fill_the_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("pop3proto.sync.confirming._MOST_HELD", 100)
    contents = [b"%02d" % n + b"x" * 38 + b"\r\n" for n in range(12)]
    messages = fetch_new(client(MemoryMaildrops({"user": contents})), Memory(), DELETE, now=0.0)
    most, stored = 0, list[bytes]()
    for message in messages:
        stored.append(message.content)
        message.confirm()
        held = messages._inner._contents  # what is in memory at the moment
        most = max(most, sum(map(len, held.values())))
    # Each of them comes, and those that there was no room for come once more, at the end.
    assert sorted(stored) == contents
    assert stored != contents
    assert most <= 100
    assert messages.deletions == 12


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"client": 5}, "client is a blocking client, not int"),
        ({"records": []}, "records are an Account, or have its methods, unlike list"),
        ({"policy": 5}, "policy is a Policy, not int"),
        ({"now": None}, "now is a time in seconds, not NoneType"),
    ],
)
def test_an_argument_of_another_type(wrong: dict[str, Any], told: str) -> None:
    right: dict[str, Any] = {
        "client": client(MemoryMaildrops({"user": []})),
        "records": Memory(),
        "now": 0.0,
    }
    fetch_new(**right)
    with pytest.raises(LocalProtocolError, match=f"^{told}$"):
        fetch_new(**right | wrong)
