"""A server that misbehaves on purpose, as real POP3 servers do, to test clients against."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import chain, zip_longest
from typing import Any

from ...model.commands import (
    Apop,
    Auth,
    AuthList,
    Capa,
    Command,
    Dele,
    List,
    Noop,
    Pass,
    Quit,
    Retr,
    Stat,
    Top,
    Uidl,
)
from ...model.events import ServerReply
from ...model.replies import (
    CapaReply,
    ErrorReply,
    Greeting,
    ListReply,
    MechanismsReply,
    MessageData,
    MessageEnd,
    MessageStart,
    Ok,
    UidlReply,
)
from ...server import Authenticator, MaildropProvider
from ...server.actions import NeedData, Send
from ...server.maildrop import CHUNK
from ..packets import Packet
from .lines import capabilities, listing, mail, next_connection, status
from .names import Quirk, consistent
from .sasl import QuirkyLogins

__all__ = ["Quirk", "QuirkyServer"]


class QuirkyServer(QuirkyLogins):
    """A ``ServerSession`` whose answers have ``quirks``; ``settings`` are those of that class.

    A quirk can be given as its name as well, ``"NO_CAPA"`` or ``"no-capa"``. Raises ``ValueError``
    if two quirks contradict each other, or there is none of that name, and ``TypeError`` for a
    single name. With quirks, a message is read as a whole before any of it is sent.
    """

    def __init__(
        self,
        maildrops: MaildropProvider,
        users: Authenticator | Mapping[str, str],
        *,
        quirks: Iterable[Quirk | str],
        **settings: Any,
    ) -> None:
        self.quirks = consistent(quirks)
        """What it does wrong."""
        self._number = next_connection() if self.quirks else 0
        self._partial = False
        # The answers to commands that came together, where their lines are to be mixed.
        self._mixing = False
        self._held: list[list[bytes]] = []
        self._opening: list[bytes] = []
        self._mail = bytearray()
        self._retrieved: set[int] = set()
        super().__init__(maildrops, users, **settings)

    def receive_data(self, data: bytes | bytearray | memoryview) -> None:
        """Take octets that arrived; none at all says that the stream has ended."""
        if self.quirks and data:
            data = bytes(data)
            commands = data.count(b"\n")
            pieces = self._partial or not data.endswith(b"\n")
            self._partial = not data.endswith(b"\n")
            self._mixing = False
            if (commands > 1 and Quirk.CLOSES_ON_PIPELINING in self.quirks) or (
                pieces and Quirk.NO_SPLIT_COMMANDS in self.quirks
            ):
                self._end()
            elif commands > 1 and not pieces and self.user is not None:
                self._mixing = Quirk.PIPELINED_MIXED in self.quirks
                if Quirk.PIPELINED_BACKWARDS in self.quirks:
                    data = b"".join(line + b"\n" for line in reversed(data.split(b"\n")[:-1]))
        super().receive_data(data)

    def tls_established(self) -> None:
        """Say that the TLS handshake has succeeded; see ``ServerSession``."""
        super().tls_established()
        self._partial = False

    def _advance(self) -> None:
        super()._advance()
        if self._queue and self._held:
            # All that came together is answered by now.
            action, held = self._queue.pop(), self._held
            self._mixing, self._held = False, []
            self._emit([line for line in chain(*zip_longest(*held)) if line is not None])
            self._queue.append(action)

    def _answer(self, command: Command[Any]) -> None:
        if self._closes_upon(command):
            self._end()
        elif self.state in command.legal_states and self._refuses(command):
            self._reply(ErrorReply(command, "not now"))
        else:
            super()._answer(command)

    def _closes_upon(self, command: Command[Any]) -> bool:
        capa = isinstance(command, Capa) and Quirk.CLOSES_ON_CAPA in self.quirks
        return capa or (isinstance(command, Noop) and Quirk.CLOSES_WHEN_IDLE in self.quirks)

    def _refuses(self, command: Command[Any]) -> bool:
        quirks = self.quirks
        match command:
            case Capa():
                return bool(quirks & {Quirk.NO_CAPA, Quirk.MECHANISMS_BY_AUTH})
            case AuthList():
                return Quirk.NO_CAPA in quirks
            case Stat():
                return Quirk.NO_STAT in quirks
            case Retr(message=1):
                return Quirk.REFUSED_MESSAGE in quirks
            case Uidl() if Quirk.NO_UIDL in quirks:
                return True
            case List(message=None) | Uidl(message=None):
                return Quirk.NO_EMPTY_LISTINGS in quirks and self._is_empty
            case List(message=number) | Uidl(message=number):
                return Quirk.RETR_HIDES in quirks and number in self._retrieved
            case _:
                return False

    @property
    def _is_empty(self) -> bool:
        opened, maildrop = self._opened, self._maildrop
        return (
            opened is not None
            and maildrop is not None
            and len(opened.marked) == len(maildrop.messages)
        )

    def _quit(self, command: Quit) -> None:
        if self._opened is not None and Quirk.RETR_DELETES in self.quirks:
            self._opened.marked.update(self._retrieved)
        super()._quit(command)

    def _reply(self, reply: ServerReply) -> None:
        if not self.quirks:
            super()._reply(reply)
            return
        data = self._connection.send(reply)
        match reply:
            case MessageStart():
                self._opening, self._mail = self._lines(reply, data), bytearray()
            case MessageData():
                self._mail += data
            case MessageEnd():
                self._mail += data
                self._emit(self._opening + self._end_of_mail(reply))
            case Ok(command=Quit()) | ErrorReply(command=Quit()) if self._says_nothing_to_quit():
                pass
            case _:
                self._emit(self._lines(reply, data))
                self._go_on_alone(reply)
                if self._closes_behind(reply):
                    self._end()

    def _says_nothing_to_quit(self) -> bool:
        if Quirk.SILENT_QUIT in self.quirks:
            # It does not close before the client does, either.
            self._queue.append(NeedData())
        return bool(self.quirks & {Quirk.SILENT_QUIT, Quirk.CLOSES_ON_QUIT})

    def _closes_behind(self, reply: ServerReply) -> bool:
        match reply:
            case Greeting():
                return Quirk.ERROR_GREETING in self.quirks
            case Ok(command=Dele()):
                return Quirk.CLOSES_BEFORE_QUIT in self.quirks
            case ErrorReply(command=Auth() | Apop() | Pass()):
                return Quirk.CLOSES_ON_FAILED_LOGIN in self.quirks
            case _:
                return False

    def _lines(self, reply: ServerReply, data: bytes) -> list[bytes]:
        """The lines of a reply, but for those of mail, as they are sent."""
        line, *rows = data.removesuffix(b"\r\n").split(b"\r\n")
        lines = [status(self.quirks, line, reply)]
        if Quirk.BLANK_LINES in self.quirks and not isinstance(reply, Greeting):
            lines.insert(0, b"")
        if rows:
            lines += [*self._rows(rows[:-1], reply), b"."]
        if Quirk.SECOND_REPLY in self.quirks and isinstance(reply, Ok):
            lines += [b"+OK once more"] * isinstance(reply.command, Dele)
        return [line + self._newline for line in lines]

    def _rows(self, rows: list[bytes], reply: ServerReply) -> list[bytes]:
        """The lines between the status line and the dot."""
        quirks = self.quirks
        match reply:
            case CapaReply():
                logged_in, number = self.user is not None, self._number
                return capabilities(quirks, rows, logged_in=logged_in, connection=number)
            case MechanismsReply():
                return [] if Quirk.HIDDEN_MECHANISMS in quirks else rows
            case ListReply() | UidlReply():
                numbers = self._retrieved if Quirk.RETR_HIDES in quirks else set[int]()
                hidden = {b"%d" % number for number in numbers}
                hidden |= {b"1"} if Quirk.SKIPPED_NUMBERS in quirks else set()
                shown = [row for row in rows if row.partition(b" ")[0] not in hidden]
                changed = [listing(quirks, row, reply) for row in shown]
                return changed[::-1] if Quirk.REVERSED_LISTINGS in quirks else changed
            case _:
                return rows

    def _end_of_mail(self, reply: MessageEnd) -> list[bytes]:
        """The lines of mail that were collected, and the dot, as they are sent."""
        command = reply.command
        number = command.message if isinstance(command, Retr) else 0
        lines = mail(
            self.quirks,
            bytes(self._mail).split(b"\r\n")[:-2],
            top=isinstance(command, Top),
            utf8=self._connection.utf8,
            retrieved=number in self._retrieved,
        )
        if isinstance(number, int) and number:
            self._retrieved.add(number)
        ended = [line + self._newline for line in lines]
        if Quirk.NO_FINAL_NEWLINE in self.quirks:
            ended[-1:] = lines[-1:]
        twice = Quirk.SECOND_END in self.quirks and isinstance(command, Top)
        return ended + [b"." + self._newline] * (1 + twice)

    @property
    def _newline(self) -> bytes:
        return b"\n" if Quirk.BARE_LF in self.quirks else b"\r\n"

    def _emit(self, lines: list[bytes]) -> None:
        """Send a whole answer, or keep it to be mixed with others."""
        if self._mixing:
            self._held.append(lines)
            return
        data = b"".join(lines)
        kind, size = (Packet, 1) if Quirk.SPLIT_PACKETS in self.quirks else (Send, CHUNK)
        self._queue.extend(kind(data[i : i + size]) for i in range(0, len(data), size))
