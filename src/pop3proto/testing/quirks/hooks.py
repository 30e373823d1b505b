"""Quirks at work: the hooks of a session that misbehaves."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain, count, zip_longest
from types import NoneType
from typing import Any

from ..._arguments import require
from ...model.command import Command
from ...model.commands import Quit, Retr, Utf8
from ...model.events import InvalidCommand
from ...model.replies import (
    CapaReply,
    ErrorReply,
    ListReply,
    MechanismsReply,
    MessageData,
    MessageEnd,
    MessageStart,
    Ok,
    ServerReply,
    StatReply,
    UidlReply,
)
from ...sasl.users import Authenticator, ServerMechanism
from ...server import ServerSession
from ...server.actions import Action, Close, Delay, Send
from ...server.hooks import Hooks
from ..packets import Packet
from .names import Quirk, consistent
from .row import Situation

__all__ = ["Quirks"]

_next_connection = count().__next__


class Quirks(Hooks):
    """Hooks for one ``ServerSession`` that make it misbehave in these ways.

    A quirk can be given as its name as well, ``"NO_CAPA"`` or ``"no-capa"``. Raises
    ``LocalProtocolError`` if two quirks contradict each other, if a name is unknown, and for a
    single name. A message is read as a whole before any of it is sent. ``beside`` are other hooks,
    whose ``received()`` is called too.

    >>> from pop3proto.server import MemoryMaildrops, ServerSession
    >>> session = ServerSession(MemoryMaildrops(), {}, hooks=Quirks(["imap-greeting"]))
    >>> session.next_action().data
    b'* OK IMAP4rev1 ready\\r\\n'
    """

    def __init__(self, quirks: Iterable[Quirk | str], *, beside: Hooks | None = None) -> None:
        self.quirks: frozenset[Quirk] = consistent(quirks)
        """The quirks of the session."""
        require("beside", beside, (Hooks, NoneType), "a Hooks")
        self._beside = Hooks() if beside is None else beside
        self._stages: dict[str, list[Any]] = {}
        for quirk in Quirk:
            for stage, function in quirk.row.stages.items() if quirk in self.quirks else ():
                self._stages.setdefault(stage, []).append(function)
        self._newline: bytes = self._last("newline", b"\r\n")
        self._situation = Situation(_next_connection())
        self._partial = False
        # The answers to commands that came together, where their lines are to be mixed.
        self._held: list[list[bytes]] = []
        self._opening: list[bytes] = []
        self._mail = bytearray()

    def _last(self, stage: str, otherwise: Any) -> Any:
        return self._stages.get(stage, [otherwise])[-1]

    def _changed(self, stage: str, value: Any, *more: object) -> Any:
        for function in self._stages.get(stage, ()):
            value = function(value, *more)
        return value

    def _any(self, stage: str, *values: object) -> bool:
        return any(function(*values) for function in self._stages.get(stage, ()))

    def offered(
        self, session: ServerSession, mechanisms: Iterable[ServerMechanism]
    ) -> Iterable[ServerMechanism]:
        """Change the mechanisms, and add those that quirks of access tokens need."""
        found = {mechanism.name: mechanism for mechanism in mechanisms}
        if "tokens" in self._stages:
            from ...sasl.server import ServerOAuthBearer, ServerXOAuth2

            tokens = _PasswordsAsTokens(session.users)
            for mechanism in (ServerXOAuth2(tokens), ServerOAuthBearer(tokens)):
                found.setdefault(mechanism.name, mechanism)
        return [self._changed("mechanism", mechanism) for mechanism in found.values()]

    def arrived(self, session: ServerSession, data: bytes) -> bytes | None:
        """Change the octets that have come, or close the connection."""
        situation = self._situation
        situation.pieces = self._partial or not data.endswith(b"\n")
        self._partial = not data.endswith(b"\n")
        situation.mixing = False
        situation.logged_in = session.user is not None
        changed: bytes | None = data
        for function in self._stages.get("arrives", ()):
            changed = None if changed is None else function(changed, situation)
        return changed

    def received(
        self, session: ServerSession, event: Command[Any] | InvalidCommand
    ) -> ErrorReply | Close | None:
        """Close the connection or refuse the command, if that is the quirk."""
        self._beside.received(session, event)
        if isinstance(event, InvalidCommand):
            return None
        if self._any("hangs_up", event):
            return Close()
        if session.state not in event.legal_states:
            return None
        answers = [refuses(event, self._situation) for refuses in self._stages.get("refuses", ())]
        reason = next((answer for answer in answers if answer), None)
        if reason is None:
            return None
        return ErrorReply(event, reason if isinstance(reason, str) else "not now")

    def login(
        self, session: ServerSession, command: Command[Any], user: str | None
    ) -> ErrorReply | None:
        """Refuse a login that has succeeded, or take time for it."""
        refusal: ErrorReply | None = None
        for function in self._stages.get("login", ()):
            refusal = function(command, user, self._situation) or refusal
        self._situation.refused = user is None
        return refusal

    def deleting(self, session: ServerSession, numbers: frozenset[int]) -> frozenset[int]:
        """Change what QUIT deletes."""
        changed: frozenset[int] = self._changed("deletes", numbers, self._situation)
        return changed

    def sending(self, session: ServerSession, reply: ServerReply, data: bytes) -> Iterable[Action]:
        """Return the actions that send the reply, with all its faults."""
        self._situation.logged_in = session.user is not None
        match reply:
            case MessageStart():
                self._opening, self._mail = self._lines(reply, data), bytearray()
            case MessageData():
                self._mail += data
            case MessageEnd():
                self._mail += data
                yield from self._sent(self._opening + self._end_of_mail(reply.command))
            case Ok(command=Quit()) | ErrorReply(command=Quit()) if "quits" in self._stages:
                yield from self._last("quits", ())
            case _:
                lines = self._lines(reply, self._changed("replaces", data, reply))
                yield from self._delay()
                yield from self._sent(lines)
                yield from self._after(session, reply)

    def waiting(self, session: ServerSession) -> Iterable[Action]:
        """Send the answers that were held back, mixed, now that all commands are answered."""
        self._situation.mixing = False
        held, self._held = self._held, []
        lines = [line for line in chain(*zip_longest(*held)) if line is not None]
        return self._sent(lines) if lines else ()

    def _delay(self) -> Iterable[Action]:
        seconds, self._situation.delay = self._situation.delay, 0.0
        return (Delay(seconds),) if seconds else ()

    def _after(self, session: ServerSession, reply: ServerReply) -> Iterable[Action]:
        if isinstance(reply, Ok) and isinstance(reply.command, Utf8):
            self._situation.utf8 = True
        if self._any("goes_on", reply):
            session.receive_data(b"\r\n")
        return (Close(),) if self._any("closes", reply) else ()

    def _lines(self, reply: ServerReply, octets: bytes) -> list[bytes]:
        """Return the lines of a reply as they are sent, except for those of mail."""
        line, *rows = octets.removesuffix(b"\r\n").split(b"\r\n")
        if rows:
            rows = [*self._rows(rows[:-1], reply), b"."]
        elif line.startswith(b"+OK "):
            line = self._of_one(line, reply)
        lines = [self._changed("status", line, reply), *rows]
        return [each + self._newline for each in self._changed("answer", lines, reply)]

    def _rows(self, rows: list[bytes], reply: ServerReply) -> list[bytes]:
        """Return the lines between the status line and the dot."""
        changed = rows
        match reply:
            case CapaReply():
                changed = self._changed("capabilities", rows, self._situation)
            case MechanismsReply():
                changed = self._changed("mechanisms", rows)
            case ListReply() | UidlReply():
                shown = self._changed("listed", rows, self._situation)
                changed = [self._row(row, reply) for row in shown]
            case _:
                pass
        return changed

    def _of_one(self, line: bytes, reply: ServerReply) -> bytes:
        """Return a status line with numbers."""
        fields = line.removeprefix(b"+OK ")
        if isinstance(reply, ListReply | UidlReply):
            return b"+OK " + self._row(fields, reply)
        if isinstance(reply, StatReply):
            count, _, size = fields.partition(b" ")
            number, changed = self._changed("count", int(count)), self._changed("size", size)
            return b"+OK %d %s" % (number, changed)
        return line

    def _row(self, row: bytes, reply: ListReply | UidlReply) -> bytes:
        """Return the row of one message."""
        shown, _, value = row.partition(b" ")
        number: int = self._changed("number", int(shown))
        stage = "size" if isinstance(reply, ListReply) else "unique_id"
        fields = b"%d " % number + self._changed(stage, value)
        changed: bytes = self._changed("row", fields.rstrip(b" "))
        return changed

    def _end_of_mail(self, command: Command[Any]) -> list[bytes]:
        """Return the lines of mail that were collected, and the dot, as they are sent."""
        situation = self._situation
        lines: list[bytes] = bytes(self._mail).split(b"\r\n")[:-2]
        lines = self._changed("mail", lines, command, situation)
        if isinstance(command, Retr) and isinstance(command.message, int):
            situation.retrieved.add(command.message)
        ended = [line + self._newline for line in lines]
        end: list[bytes] = [*(ended[-1:] or [b""]), b"." + self._newline]
        return [*ended[:-1], *self._changed("after_mail", end, command)]

    def _sent(self, lines: list[bytes]) -> Iterable[Action]:
        """Send a whole answer, or keep it to be mixed with others."""
        if self._situation.mixing:
            self._held.append(lines)
            return ()
        data = b"".join(lines)
        size: int = self._last("packet", 0)
        if not size:
            return (Send(data),)
        return (Packet(data[i : i + size]) for i in range(0, len(data), size))


class _PasswordsAsTokens:
    """For a server that has to have OAuth: a user's password is the access token."""

    def __init__(self, users: Authenticator) -> None:
        self._users = users

    def check_token(self, user: str, token: str) -> bool:
        """Return ``True`` if ``token`` is the password of ``user``."""
        return self._users.check(user, token)
