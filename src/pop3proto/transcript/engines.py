"""Engines that send whatever was recorded, for a replay."""

from __future__ import annotations

from typing import Any

from ..engine.client import ClientConnection
from ..engine.server import ServerConnection
from ..model.command import Command
from ..model.commands import Extension
from ..model.events import ClientEvent
from ..model.leniency import Deviation
from ..model.login_commands import Auth, AuthResponse
from ..model.replies import Challenge, ErrorReply, Greeting, MessageData, MessageStart, Ok
from ..model.states import State
from .recorded import Verbs, auth_line, expects_more, offers_upload, recorded_command

__all__ = ["RecordedClient", "RecordedServer", "line_of", "offers_text"]

# The states in which a client sends commands, perhaps also one that the state table forbids.
_TALKING = frozenset({State.AUTHORIZATION, State.TRANSACTION})


class RecordedClient(ClientConnection):
    """A client that sends any recorded command, even one that is illegal in its state."""

    def send_recorded(self, command: Command[Any], following: bytes | None) -> None:
        """Send ``command``, after which the client's next line was ``following``."""
        if isinstance(command, Auth):
            command = _as_sent(command, following)
        elif isinstance(command, AuthResponse):
            command = AuthResponse(command.data, complete=not expects_more(following))
        before = self._projected
        forbidden = before in _TALKING and before not in command.legal_states
        if forbidden:
            self._projected = next(iter(command.legal_states))
        secure, utf8 = self.secure, self.utf8
        if command.next_state is State.TLS_NEGOTIATION:
            # Some clients ask for STLS under TLS, or after UTF8, and are refused.
            self.secure = self.utf8 = False
        self.send(command)
        self.secure: bool = secure
        self.utf8: bool = utf8
        if forbidden and command.next_state is None:
            self._projected = before

    def command_for(self, line: bytes, multiline: Verbs) -> Command[Any]:
        """Return the command that the client's ``line`` is in this state."""
        if self.state is State.AUTHENTICATING:
            return auth_line(line)
        return recorded_command(line, multiline)


def _as_sent(command: Auth, following: bytes | None) -> Auth:
    complete = not expects_more(following)
    sent = Auth(command.mechanism, command.initial_response, complete=complete)
    # The engine refuses to write a longer line than RFC 5034 allows. Other clients write one.
    return sent if sent.fits_line else Auth(command.mechanism, complete=complete)


class RecordedServer(ServerConnection):
    """A server that gives any recorded answer."""

    def take_as(self, command: Command[Any]) -> None:
        """Wait for the answer to a line that the engine refuses, as if it were ``command``.

        The recorded server accepted it, or somebody removed a secret from it by hand.
        """
        self._awaiting = command
        if isinstance(command, Auth):
            self._auth = command

    def answer(self, reply: ClientEvent) -> bool:
        """Take the step that the recorded ``reply`` led to; return True if it is complete.

        The text of the reply makes no difference to the client's next commands, and cannot always
        be written. So another reply is sent, which has the same effect on the state.
        """
        awaiting = self._awaiting
        if isinstance(reply, Deviation | MessageStart | MessageData):
            return False
        if not isinstance(awaiting, Command):
            self.send(ErrorReply(None) if isinstance(reply, ErrorReply) else Greeting())
            return True
        # All answers within an AUTH exchange are to the command that opened it.
        command = self._auth or awaiting
        if isinstance(reply, ErrorReply):
            self.send(ErrorReply(command))
        elif isinstance(reply, Challenge):
            self.send(Challenge(command))
        else:
            self.send(Ok(command))
            if offers_text(awaiting):
                self.expect_upload()
        return True

    def _check_fit(self, reply: object, command: Command[Any]) -> None:
        """Do nothing: any recorded answer is allowed."""


def line_of(command: Extension[Any]) -> bytes:
    """Return the line of ``command`` without its end."""
    return command.to_bytes()[:-2]


def offers_text(command: Command[Any] | None) -> bool:
    """Return True if ``command``, once accepted, lets the client send a dot-terminated text."""
    return isinstance(command, Extension) and offers_upload(line_of(command))
