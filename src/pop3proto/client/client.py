"""The client: a typed method for every command."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from os import PathLike
from typing import TYPE_CHECKING, cast, overload

from .._arguments import require_path
from ..errors import CommandError, LocalProtocolError
from ..model.capabilities import Capabilities
from ..model.commands import Capa, Dele, Lang, Last, List, Noop, Retr, Rset, Stat, Top, Uidl, Utf8
from ..model.listings import (
    Listing,
    Listings,
)
from ..model.replies import LangReply, Language, Message, Ok, StatReply
from .authentication import AuthenticatingSession
from .batch import AsyncBatch
from .turn import MAX_COLLECTED_OCTETS, Progress

if TYPE_CHECKING:
    from .message import AsyncMessageStream, SupportsWrite

__all__ = ["AsyncClient"]


class AsyncClient(AuthenticatingSession):
    """A POP3 client over any ``Stream``; the adapters' ``connect()`` make it.

    Every method but ``abort()`` runs one exchange to its end; a second call while one is running
    raises ``BusyError``. A server's ``-ERR`` raises ``CommandError`` and the session goes on.
    Everything else that goes wrong (``ConnectionLostError``, ``DeadlineError``,
    ``RemoteProtocolError`` or a cancellation) closes the connection for good, and no message is
    deleted: only ``quit()`` deletes. Leaving ``async with`` without an error calls ``quit()``.

    Messages are numbered from 1 within a session. A message can also be given as text instead of a
    number, for servers that know other names for messages.
    """

    __slots__ = ()

    async def capa(self) -> Capabilities:
        """Ask for the server's capabilities (RFC 2449 section 5)."""
        return (await self.call(Capa())).capabilities

    async def utf8(self) -> Ok:
        """Allow UTF-8 in messages and texts; call it before the login (RFC 6856 section 2)."""
        return await self.call(Utf8())

    async def lang(self, tag: str) -> LangReply:
        """Choose the language of the server's texts (RFC 6856 section 3)."""
        return await self.call(Lang(tag))

    async def languages(self) -> tuple[Language, ...]:
        """Return the languages that the server speaks (RFC 6856 section 3)."""
        return (await self.call(Lang())).languages

    async def stat(self) -> StatReply:
        """Return the number of messages and their total octets (RFC 1939 section 5)."""
        return await self.call(Stat())

    @overload
    async def list(self, message: None = None) -> Listings: ...
    @overload
    async def list(self, message: int | str) -> Listing: ...
    async def list(self, message: int | str | None = None) -> Listings | Listing:
        """Return the number and size in octets of one message or all (RFC 1939 section 5)."""
        if message is None:
            self._listings = (await self.call(List())).listings
            return self._listings
        return (await self.call(List(message))).listings[0]

    @overload
    async def uidl(self, message: None = None) -> Listings: ...
    @overload
    async def uidl(self, message: int | str) -> Listing: ...
    async def uidl(self, message: int | str | None = None) -> Listings | Listing:
        """Return the number and unique-id of one message or all (RFC 1939 section 7)."""
        if message is None:
            return (await self.call(Uidl())).listings
        return (await self.call(Uidl(message))).listings[0]

    async def numbers(self) -> Sequence[int]:
        """Return the numbers of all messages, by STAT and LIST.

        There are gaps after ``dele()``. From this call on, ``progress`` and batches know the sizes.
        """
        if (await self.stat()).count == 0:
            # Some servers refuse LIST if there is nothing to list.
            return ()
        return (await self.list()).numbers

    async def messages(self) -> Listings:
        """Return the number, size and unique-id of every message: STAT, LIST and UIDL joined.

        On a server without UIDL every unique-id is ``None``. Raises ``CommandError`` if UIDL is
        refused although it is announced, or is refused with a response code: a temporary failure
        does not mean that the server has no UIDL.
        """
        if (await self.stat()).count == 0:
            return Listings()
        listings = await self.list()
        try:
            return listings.joined(await self.uidl())
        except CommandError as error:
            announced = self.capabilities is not None and self.capabilities.uidl
            if announced or error.code is not None:
                raise
            return listings

    async def retr(
        self,
        message: int | str,
        *,
        max_octets: int = MAX_COLLECTED_OCTETS,
        progress: Progress | None = None,
    ) -> Message:
        """Return a whole message, collected in memory (RFC 1939 section 5).

        ``progress`` is called as it arrives, with the octets so far and the octets expected (a
        hint, or ``None``). Raises ``LimitError`` beyond ``max_octets``.
        """
        return await self.call(Retr(message), max_octets=max_octets, progress=progress)

    async def top(
        self,
        message: int | str,
        lines: int = 0,
        *,
        max_octets: int = MAX_COLLECTED_OCTETS,
        progress: Progress | None = None,
    ) -> Message:
        """Return a message's header and the first ``lines`` lines of its body (RFC 1939 section 7).

        Some servers send less of it, or alter it: do not use it in place of ``retr()``.
        """
        return await self.call(Top(message, lines), max_octets=max_octets, progress=progress)

    def retr_stream(
        self,
        message: int | str,
        *,
        max_octets: int | None = None,
        progress: Progress | None = None,
    ) -> AsyncMessageStream:
        """Return a message as it arrives, in bounded memory.

        Its length is not limited, unless by ``max_octets``.
        """
        return self.stream(Retr(message), max_octets=max_octets, progress=progress)

    def top_stream(
        self,
        message: int | str,
        lines: int = 0,
        *,
        max_octets: int | None = None,
        progress: Progress | None = None,
    ) -> AsyncMessageStream:
        """Return the answer to TOP as it arrives; see ``top()`` and ``retr_stream()``."""
        return self.stream(Top(message, lines), max_octets=max_octets, progress=progress)

    async def save(
        self,
        message: int | str,
        file: SupportsWrite | PathLike[str] | PathLike[bytes] | str | bytes,
        *,
        max_octets: int | None = None,
        progress: Progress | None = None,
    ) -> int:
        """Write a message to a file object or to a path; return how many octets it has.

        The message is never in memory as a whole. If ``file`` is a path, the octets go into another
        file in the same folder, which replaces the one at the path when the message is complete.
        Also raises ``OSError``.
        """
        stream = self.retr_stream(message, max_octets=max_octets, progress=progress)
        async with stream:
            if not isinstance(file, PathLike | str | bytes):
                return await stream.save(file)
            require_path("file", os.fsdecode(file))
            from .files import replacing

            with replacing(file) as partial:
                return await stream.save(partial)

    async def dele(self, message: int | str) -> Ok:
        """Mark a message as deleted; ``quit()`` deletes it (RFC 1939 section 5)."""
        return await self.call(Dele(message))

    async def rset(self) -> Ok:
        """Unmark all messages marked as deleted (RFC 1939 section 5)."""
        return await self.call(Rset())

    async def noop(self) -> Ok:
        """Show the server that the client is still there (RFC 1939 section 5)."""
        return await self.call(Noop())

    async def last(self) -> int:
        """Return the highest message number accessed, or 0 (RFC 1460). Obsolete."""
        return (await self.call(Last())).number

    def retr_many(
        self,
        messages: Iterable[int | str],
        *,
        max_octets: int = MAX_COLLECTED_OCTETS,
        progress: Progress | None = None,
    ) -> AsyncBatch[Message]:
        """Get each of ``messages`` as a whole; ``progress`` is called as each arrives.

        Raises ``LocalProtocolError`` if ``messages`` is a single message.
        """
        return self.batch(map(Retr, _several(messages)), max_octets=max_octets, progress=progress)

    def top_many(
        self,
        messages: Iterable[int | str],
        lines: int = 0,
        *,
        max_octets: int = MAX_COLLECTED_OCTETS,
        progress: Progress | None = None,
    ) -> AsyncBatch[Message]:
        """Get the top of each of ``messages``; ``progress`` is called as each arrives."""
        commands = (Top(message, lines) for message in _several(messages))
        return self.batch(commands, max_octets=max_octets, progress=progress)

    def dele_many(self, messages: Iterable[int | str]) -> AsyncBatch[Ok]:
        """Mark each of ``messages`` as deleted."""
        return self.batch(map(Dele, _several(messages)))


def _several(messages: object) -> Iterable[int | str]:
    # The letters of a str would be mistaken for messages.
    if isinstance(messages, str | bytes) or not isinstance(messages, Iterable):
        raise LocalProtocolError(
            f"messages are a list or another iterable, not {type(messages).__name__}"
        )
    return cast("Iterable[int | str]", messages)
