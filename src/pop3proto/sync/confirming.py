"""New messages one by one, for programs that store them themselves."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Protocol, cast, overload

from .._arguments import require
from ..client.stepping import run
from ..errors import LocalProtocolError, Pop3Error
from .conversation import Conversation, async_client
from .planner import Planner
from .results import Results
from .values import (
    Delete,
    Policy,
    Quit,
    Record,
    Refused,
    Remember,
    Retrieve,
    Retrieved,
    Store,
    Wanted,
)

if TYPE_CHECKING:
    from typing import Self

    from ..client.client import AsyncClient
    from ..transports.blocking import Client

__all__ = ["AsyncNewMessages", "NewMessage", "NewMessages", "Records", "fetch_new"]


# How much of a group is held in memory, in octets, however large the messages are said to be.
_MOST_HELD = 32 * 1024 * 1024


class Records(Protocol):
    """Whatever keeps the records of one account, such as an ``Account`` of a ``State``.

    A program can keep them in its own database, beside the messages.
    """

    def records(self) -> list[Record]:
        """Return all records."""
        ...

    def remember(self, action: Remember, /) -> None:
        """Carry out ``action``; when this returns, it must be on the disk, all of it."""
        ...


class NewMessage:
    """A message that is not stored yet."""

    def __init__(self, record: Record, content: bytes, source: AsyncNewMessages) -> None:
        self.content: bytes = content
        """The message, octet for octet."""
        self.unique_id: bytes | None = record.unique_id
        """The unique-id; ``None`` if it has none of its own."""
        self.digest: bytes = record.digest
        """The SHA-256 of the message."""
        self.header: bool = record.header
        """True if this is only the header."""
        self._source = source

    def __repr__(self) -> str:
        return f"<NewMessage: {len(self.content)} octets, unique_id={self.unique_id!r}>"

    def confirm(self) -> None:
        """Take note that the message is stored: from now on it is not new, and may be deleted.

        Call it after the commit of your own database, and before the next message. If the program
        ends between the two, the message comes once more, with the same ``digest``. Raises what
        ``remember()`` of the records raises, and can be tried again then; ``LocalProtocolError`` if
        it is too late.
        """
        self._source.confirm(self)


class AsyncNewMessages(Results):
    """The new messages of a maildrop, one by one; ``fetch_new()`` makes it.

    After the last one, messages are deleted as the policy says, and the session ends with QUIT.
    Leaving the loop earlier deletes nothing. A message that is not confirmed stays on the server,
    and comes again in the next session. A group of messages is held in memory: at most 32 MiB, or
    one larger message, whatever sizes the server lists.
    """

    def __init__(self, client: AsyncClient, records: Records, policy: Policy, now: float) -> None:
        if not (hasattr(records, "records") and hasattr(records, "remember")):
            kind = type(records).__name__
            raise LocalProtocolError(f"records are an Account, or have its methods, unlike {kind}")
        require("policy", policy, Policy, "a Policy")
        require("now", now, (int, float), "a time in seconds")
        super().__init__(Conversation(client))
        self._records = records
        self._policy = policy
        self._now = now
        self._contents: dict[bytes, bytes] = {}
        # The message that was returned last, until it is confirmed.
        self._waiting: NewMessage | None = None
        self._key = 0
        # What records it, from the first attempt to confirm it.
        self._recording: Remember | None = None
        self._under_way = False
        # What has ended the session, until the messages that came before it are returned.
        self._failed: Pop3Error | None = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> NewMessage:
        """Return the next new message.

        Raises what the client raises, after the messages that came whole before that, and what the
        records raise. After an error, it raises
        ``LocalProtocolError``.
        """
        if self._under_way:
            # A step that was not finished may not be followed by the next one, such as DELE.
            raise LocalProtocolError("an error has ended this session, or another task uses it")
        self._under_way = True
        message = await self._next()
        self._under_way = False
        if message is None:
            raise StopAsyncIteration
        return message

    async def _next(self) -> NewMessage | None:
        planner = self._session.planner or await self._session.plan(
            self._policy, self._records.records(), self._now
        )
        if self._waiting is not None:
            self._waiting = self._recording = None
            planner.leave_out([self._key])
        while (action := planner.next_action()) is not None:
            match action:
                case Retrieve(messages):
                    await self._retrieve(planner, messages)
                case Store((record,)) if not record.draft:
                    content = self._contents[record.digest]
                    self._waiting, self._key = NewMessage(record, content, self), record.key
                    return self._waiting
                case Delete(numbers):
                    await self._session.delete(planner, numbers)
                case Quit():
                    await self._session.quit(planner)
                case Remember():
                    self._records.remember(action)
                case _:
                    raise LocalProtocolError("these records belong to another way to fetch")
        if self._failed is not None:
            raise self._failed
        return None

    def confirm(self, message: NewMessage) -> None:
        """Confirm the message that was returned last; see ``NewMessage.confirm()``."""
        planner = self._session.planner
        if planner is None or message is not self._waiting:
            raise LocalProtocolError("only the last message can be confirmed, and only once")
        if self._recording is None:
            # A planner has a message recorded at once after it was stored.
            self._recording = cast(Remember, planner.next_action())
        self._records.remember(self._recording)
        self._waiting = self._recording = None

    async def _retrieve(self, planner: Planner, messages: tuple[Wanted, ...]) -> None:
        arrived: list[Retrieved | Refused] = []
        held = 0
        self._contents.clear()

        def take(number: int, content: bytes) -> None:
            nonlocal held
            if arrived and held + len(content) > _MOST_HELD:
                # The server lists wrong sizes. It comes once more, alone.
                return
            held += len(content)
            digest = sha256(content).digest()
            self._contents[digest] = content
            arrived.append(Retrieved(number, len(content), content.count(b"\n"), digest))

        try:
            await self._session.retrieve(messages, take, self._session.refuse)
        except Pop3Error as error:
            del arrived[self._session.certain(messages, arrived, error) :]
            if not arrived:
                raise
            # It is raised after them.
            self._failed = error
            planner.give_up()
        for outcome in arrived:
            planner.report(outcome)


class NewMessages(Results):
    """The new messages of a maildrop, for blocking code; see ``AsyncNewMessages``."""

    def __init__(self, inner: AsyncNewMessages) -> None:
        super().__init__(inner._session)
        self._inner = inner

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> NewMessage:
        """Return the next new message.

        Raises what the client raises, after the messages that came whole before that, and what the
        records raise. After an error, it raises
        ``LocalProtocolError``.
        """
        try:
            return run(self._inner.__anext__())
        except StopAsyncIteration:
            raise StopIteration from None


@overload
def fetch_new(
    client: Client, records: Records, policy: Policy = ..., *, now: float
) -> NewMessages: ...
@overload
def fetch_new(
    client: AsyncClient, records: Records, policy: Policy = ..., *, now: float
) -> AsyncNewMessages: ...
def fetch_new(
    client: Client | AsyncClient, records: Records, policy: Policy = Policy(), *, now: float
) -> NewMessages | AsyncNewMessages:
    """Return the new messages of a maildrop, to be confirmed one by one.

    ``client`` has logged in, and can be of any runtime; ``now`` is the time in seconds since the
    epoch. The records are read and written between messages, without waiting for an event loop.
    Raises ``LocalProtocolError`` for an argument of another type.
    """
    from ..client.client import AsyncClient

    if isinstance(client, AsyncClient):
        return AsyncNewMessages(client, records, policy, now)
    return NewMessages(AsyncNewMessages(async_client(client), records, policy, now))
