"""The commands that a plan needs, written once for all runtimes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from .._arguments import require
from ..errors import CommandError, ConnectionLostError, DeadlineError, Pop3Error
from ..model.commands import Noop, Retr, Top
from ..model.listings import Listings
from .planner import Planner
from .values import FIRST_GROUP, LARGEST_GROUP, Ended, Policy, Record, Refused, Retrieved, Wanted

if TYPE_CHECKING:
    from ..client.client import AsyncClient
    from ..model.command import Command
    from ..transports.blocking import Client

__all__ = ["Conversation", "async_client"]


class Conversation:
    """The commands of a session, and their results."""

    def __init__(self, client: AsyncClient) -> None:
        self.client = client
        self.refused: dict[int, CommandError] = {}
        self.deletions: int = 0
        self.confirmed: bool = False
        self.planner: Planner | None = None

    async def plan(
        self, policy: Policy, records: list[Record], now: float, largest_group: int = LARGEST_GROUP
    ) -> Planner:
        """Return the planner of this session, which asks the server for its listings first."""
        sizes, unique_ids = await self.listings()
        self.planner = Planner(
            policy,
            records,
            sizes,
            unique_ids,
            now=now,
            # Of messages that are requested ahead, all or none are kept, unless the sizes are
            # exact. A server can hang up after any number of them.
            first_group=1 if self.client.pipelining else FIRST_GROUP,
            largest_group=largest_group,
        )
        return self.planner

    def refuse(self, number: int, error: CommandError) -> Refused:
        """Take note that a message was refused; return it as an outcome."""
        self.refused[number] = error
        return Refused(number)

    async def listings(self) -> tuple[Listings, Listings | None]:
        """Return the answers to LIST and to UIDL; the latter is ``None`` on a server without UIDL.

        Raises ``CommandError`` if UIDL is refused although it is announced, or with a response
        code.
        """
        client = self.client
        if (await client.stat()).count == 0:
            # Some servers refuse LIST and UIDL if there is nothing to list.
            return Listings(), Listings()
        sizes = await client.list()
        try:
            return sizes, await client.uidl()
        except CommandError as error:
            announced = client.capabilities is not None and client.capabilities.uidl
            if announced or error.code is not None:
                raise
            return sizes, None

    async def retrieve(
        self,
        messages: tuple[Wanted, ...],
        take: Callable[[int, bytes], object],
        refuse: Callable[[int, CommandError], object],
    ) -> None:
        """Retrieve messages into memory, one after the other, and read one more status line.

        ``take`` is called with number and content of each, ``refuse`` with number and error.
        """
        commands: list[Command[Any]] = [
            Top(wanted.number, 0) if wanted.header else Retr(wanted.number) for wanted in messages
        ]
        numbers = [wanted.number for wanted in messages]
        commands.append(Noop())
        answers = self.client.batch(commands).outcomes()
        for number in numbers:
            answer = await anext(answers)
            if isinstance(answer, CommandError):
                refuse(number, answer)
            else:
                take(number, answer.content)
        # The answer to NOOP: even a refusal shows that the last message was whole.
        await anext(answers)

    def certain(
        self,
        messages: tuple[Wanted, ...],
        arrived: Sequence[Retrieved | Refused],
        error: BaseException,
    ) -> int:
        """Return how many of ``arrived`` are right, though ``error`` has ended the session.

        One after the other, the status line of a message shows that the one before it was whole.
        If messages were requested ahead, a line that ends one of them too early gives its rest to
        the next one, and a protocol error shows it too late. But if nothing was wrong until the
        connection was lost, a message with the very size that the server lists is whole, and so is
        what came before it.
        """
        if not isinstance(error, Pop3Error):
            return 0
        certain = 0 if self.client.pipelining else max(0, len(arrived) - 1)
        if isinstance(error, (ConnectionLostError, DeadlineError)):
            pairs = zip(messages, arrived, strict=False)
            exact = takewhile(lambda pair: _is_exact(*pair), pairs)
            certain = max(certain, sum(1 for _ in exact))
        return certain

    async def delete(self, planner: Planner, numbers: tuple[int, ...]) -> None:
        """Send DELE for messages."""
        answers = self.client.dele_many(numbers).outcomes()
        for number in numbers:
            answer = await anext(answers)
            if isinstance(answer, CommandError):
                planner.report(self.refuse(number, answer))
            else:
                self.deletions += 1

    async def quit(self, planner: Planner) -> None:
        """Send QUIT."""
        self.confirmed = (await self.client.quit()).confirmed
        planner.report(Ended(self.confirmed))


def _is_exact(wanted: Wanted, outcome: Retrieved | Refused) -> bool:
    """Return whether an outcome is that of ``wanted``, and has the size that is listed."""
    if wanted.number != outcome.number:
        return False
    return isinstance(outcome, Refused) or (not wanted.header and wanted.octets == outcome.octets)


def async_client(client: Client) -> AsyncClient:
    """Return the client that a blocking one drives; its coroutines never suspend."""
    from ..client._blocking import Client  # here, because a program has no need of both

    require("client", client, Client, "a blocking client")
    return client._client  # pyright: ignore[reportPrivateUsage]
