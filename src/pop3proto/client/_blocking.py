"""The client for blocking code.

Written by tools/generate_blocking.py from the async client: change that one, and run it again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, overload

from ._blocking_session import BlockingSession
from ._blocking_turns import Batch, MessageStream
from .stepping import run
from .turn import MAX_COLLECTED_OCTETS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from os import PathLike

    from ..model.capabilities import Capabilities
    from ..model.listings import Listing, Listings
    from ..model.replies import LangReply, Language, Message, Ok, StatReply
    from .message import SupportsWrite
    from .turn import Progress

__all__ = ["Client"]


class Client(BlockingSession):
    """A POP3 client over any ``Stream``; the adapters' ``connect()`` make it.

    Every method but ``abort()`` runs one exchange to its end; a second call while one is running
    raises ``BusyError``. A server's ``-ERR`` raises ``CommandError`` and the session goes on.
    Everything else that goes wrong (``ConnectionLostError``, ``DeadlineError``,
    ``RemoteProtocolError`` or ``KeyboardInterrupt``) closes the connection for good, and no message
    is deleted: only ``quit()`` deletes. Leaving ``with`` without an error calls ``quit()``.

    Messages are numbered from 1 within a session. A message can also be given as text instead of a
    number, for servers that know other names for messages.
    """

    __slots__ = ()

    def capa(self) -> Capabilities:
        """Ask for the server's capabilities (RFC 2449 section 5)."""
        return run(self._client.capa())

    def utf8(self) -> Ok:
        """Allow UTF-8 in messages and texts; call it before the login (RFC 6856 section 2)."""
        return run(self._client.utf8())

    def lang(self, tag: str) -> LangReply:
        """Choose the language of the server's texts (RFC 6856 section 3)."""
        return run(self._client.lang(tag))

    def languages(self) -> tuple[Language, ...]:
        """Return the languages that the server speaks (RFC 6856 section 3)."""
        return run(self._client.languages())

    def stat(self) -> StatReply:
        """Return the number of messages and their total octets (RFC 1939 section 5)."""
        return run(self._client.stat())

    @overload
    def list(self, message: None = None) -> Listings: ...
    @overload
    def list(self, message: int | str) -> Listing: ...
    def list(self, message: int | str | None = None) -> Listings | Listing:
        """Return the number and size in octets of one message or all (RFC 1939 section 5)."""
        if message is None:
            return run(self._client.list())
        return run(self._client.list(message))

    @overload
    def uidl(self, message: None = None) -> Listings: ...
    @overload
    def uidl(self, message: int | str) -> Listing: ...
    def uidl(self, message: int | str | None = None) -> Listings | Listing:
        """Return the number and unique-id of one message or all (RFC 1939 section 7)."""
        if message is None:
            return run(self._client.uidl())
        return run(self._client.uidl(message))

    def numbers(self) -> Sequence[int]:
        """Return the numbers of all messages, by STAT and LIST.

        There are gaps after ``dele()``. From this call on, ``progress`` and batches know the sizes.
        """
        return run(self._client.numbers())

    def messages(self) -> Listings:
        """Return the number, size and unique-id of every message: STAT, LIST and UIDL joined.

        On a server without UIDL every unique-id is ``None``. Raises ``CommandError`` if UIDL is
        refused although it is announced, or is refused with a response code: a temporary failure
        does not mean that the server has no UIDL.
        """
        return run(self._client.messages())

    def retr(
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
        return run(self._client.retr(message, max_octets=max_octets, progress=progress))

    def top(
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
        return run(self._client.top(message, lines, max_octets=max_octets, progress=progress))

    def retr_stream(
        self, message: int | str, *, max_octets: int | None = None, progress: Progress | None = None
    ) -> MessageStream:
        """Return a message as it arrives, in bounded memory.

        Its length is not limited, unless by ``max_octets``.
        """
        return MessageStream(
            self._client.retr_stream(message, max_octets=max_octets, progress=progress)
        )

    def top_stream(
        self,
        message: int | str,
        lines: int = 0,
        *,
        max_octets: int | None = None,
        progress: Progress | None = None,
    ) -> MessageStream:
        """Return the answer to TOP as it arrives; see ``top()`` and ``retr_stream()``."""
        return MessageStream(
            self._client.top_stream(message, lines, max_octets=max_octets, progress=progress)
        )

    def save(
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
        return run(self._client.save(message, file, max_octets=max_octets, progress=progress))

    def dele(self, message: int | str) -> Ok:
        """Mark a message as deleted; ``quit()`` deletes it (RFC 1939 section 5)."""
        return run(self._client.dele(message))

    def rset(self) -> Ok:
        """Unmark all messages marked as deleted (RFC 1939 section 5)."""
        return run(self._client.rset())

    def noop(self) -> Ok:
        """Show the server that the client is still there (RFC 1939 section 5)."""
        return run(self._client.noop())

    def last(self) -> int:
        """Return the highest message number accessed, or 0 (RFC 1460). Obsolete."""
        return run(self._client.last())

    def retr_many(
        self,
        messages: Iterable[int | str],
        *,
        max_octets: int = MAX_COLLECTED_OCTETS,
        progress: Progress | None = None,
    ) -> Batch[Message]:
        """Get each of ``messages`` as a whole; ``progress`` is called as each arrives.

        Raises ``LocalProtocolError`` if ``messages`` is a single message.
        """
        return Batch(self._client.retr_many(messages, max_octets=max_octets, progress=progress))

    def top_many(
        self,
        messages: Iterable[int | str],
        lines: int = 0,
        *,
        max_octets: int = MAX_COLLECTED_OCTETS,
        progress: Progress | None = None,
    ) -> Batch[Message]:
        """Get the top of each of ``messages``; ``progress`` is called as each arrives."""
        return Batch(
            self._client.top_many(messages, lines, max_octets=max_octets, progress=progress)
        )

    def dele_many(self, messages: Iterable[int | str]) -> Batch[Ok]:
        """Mark each of ``messages`` as deleted."""
        return Batch(self._client.dele_many(messages))
