"""One stream, one engine, one turn at a time: every flow of a client is built from it."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from ..engine.client import ClientConnection
from ..errors import (
    BusyError,
    CommandError,
    ConnectionLostError,
    DeadConnectionError,
    DeadlineError,
    LocalProtocolError,
    Pop3Error,
    printable,
)
from ..model.command import Command
from ..model.commands import Quit, Stls
from ..model.events import ClientEvent
from ..model.leniency import Deviation, Fault
from ..model.replies import Message, MessageStart
from ..model.states import Signal, State
from .advice import about_deletions
from .options import QuitResult, Timeouts
from .stream import RecordingStream, Stream

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from ssl import SSLContext

    from ..transcript.recorder import Recorder
    from .tls import TlsStream
    from .turn import Turn

__all__ = ["CALL", "Exchange", "check_command"]

CALL: Final = "a call"
"""Stands for the turn of a call, which is a single step."""

# A body makes progress while this many octets arrive within the deadline: otherwise a server that
# sends one octet at a time could keep a client waiting forever.
_PROGRESS = 1024
# Deviations are kept for the user to look at. If a server deviates in every reply, the first
# thousand, and the first of each fault, say enough about it.
_KEPT_DEVIATIONS = 1000
# Every empty set takes 216 octets, a twenty-fifth of a session.
_NO_FAULTS: frozenset[Fault] = frozenset()
# Looked up once: see the engine.
_NEED_DATA = Signal.NEED_DATA
# Commands that are only part of what has to be done.
_METHODS: dict[type, str] = {
    Stls: "TLS begins with start_tls()",
    Quit: "the session ends with quit()",
}


class Exchange:
    """Drives a ``ClientConnection`` over a ``Stream``, for one ``Turn`` after the other.

    A turn that ends with any error except a refused command closes the stream for good, because
    after that it is uncertain which answer belongs to which command.
    """

    # Thousands of sessions can be open in one process: see the benchmarks.
    __slots__ = (
        "_allow_plaintext_auth",
        "_cause_of_death",
        "_deadline",
        "_known_faults",
        "_octets",
        "_outgoing",
        "_quiet",
        "_recorder",
        "_stream",
        "_transport",
        "_waited",
        "closed",
        "deviations",
        "engine",
        "login_failure",
        "quit_result",
        "timeouts",
        "tls",
        "turn",
    )

    def __init__(
        self,
        stream: Stream,
        engine: ClientConnection,
        timeouts: Timeouts,
        *,
        allow_plaintext_auth: bool = False,
        recorder: Recorder | None = None,
    ) -> None:
        self.engine: ClientConnection = engine
        self.timeouts: Timeouts = timeouts
        self.deviations: list[Deviation] = []
        # The faults among these deviations, set once no more of them are kept.
        self._known_faults = _NO_FAULTS
        self.login_failure: CommandError | None = None
        # The octets of the commands that are sent next.
        self._outgoing: list[bytes] = []
        self.quit_result: QuitResult | None = None
        """How the session has ended, if ``quit()`` has ended it."""
        self.turn: Turn | str | None = None
        """The turn that has not ended, or ``CALL``, if there is one."""
        self.tls: TlsStream | None = None
        self._allow_plaintext_auth = allow_plaintext_auth
        self._recorder = recorder
        self._use(stream)
        self._cause_of_death: BaseException | None = None
        self.closed: bool = False
        # The time on the clock by which the awaited line has to arrive; ``None`` before the first
        # wait for it.
        self._deadline: float | None = None
        # Within a body, the seconds of waiting for the peer since the last progress, and the octets
        # that have arrived since then. The caller's own time between two receives does not count.
        self._waited = 0.0
        self._octets = 0

    def refusal(self) -> DeadConnectionError | BusyError:
        """Return the reason why no turn can begin now."""
        if not self.closed:
            return BusyError("another call is still running, or a stream or batch was left open")
        cause, fate = self._cause_of_death, self.engine.fate_of_deletions
        message, hint = "the connection is closed", None
        if cause is not None:
            # A cancellation has no text.
            message = f"the connection was given up: {str(cause) or type(cause).__name__}"
        elif self.quit_result is not None and self.quit_result.confirmed:
            message, hint = "the session has ended with QUIT", "open a new connection"
            if self.quit_result.deletions:
                hint += "; the messages that were marked as deleted are gone"
        error = DeadConnectionError(message, hint=hint)
        about_deletions(error, fate)
        error.__cause__ = cause
        return error

    def release(self, error: BaseException | None) -> None:
        """End the turn; with an ``error`` that the session does not survive, close the stream."""
        self.turn = None
        if error is not None and not self._in_step(error):
            self.abort(error)

    def _in_step(self, error: BaseException) -> bool:
        """Return True if client and server still agree on what comes next after ``error``.

        The type of the error is not enough to decide: the caller's own code can raise a
        ``CommandError`` too, for example that of another command in the middle of a batch.
        """
        in_step = isinstance(error, CommandError | LocalProtocolError) and error.session_usable
        return in_step and not self.engine.in_flight

    def check(self, command: Command[Any]) -> None:
        """Raise ``LocalProtocolError`` for a command that the caller may not send.

        That is STLS, which is useless without a handshake; QUIT, after which only the connection
        is left to close; with ``PlaintextAuthError``, a command that shows a password to the
        network; and an object that is not a command at all.
        """
        if not isinstance(command, Command):  # pyright: ignore[reportUnnecessaryIsInstance]
            check_command(command)
        if command.barrier and (method := _METHODS.get(type(command))) is not None:
            raise LocalProtocolError(method, command=command)
        if command.secret:
            # Here, because only a login needs it.
            from ..sasl.plaintext_rule import refuse_plaintext

            refuse_plaintext(command, self.engine, allowed=self._allow_plaintext_auth)

    async def ask(
        self, command: Command[Any], phase: str = "reply", *, whole: bool = False
    ) -> ClientEvent | Message:
        """Send ``command``, and return the first event of its answer; ``phase`` is its deadline.

        ``whole`` is as for ``event_at_hand()``.
        """
        await self.begin(command)
        self._deadline = None
        return await self.complete(phase, command, whole)

    async def begin(self, command: Command[Any]) -> None:
        """Send ``command``; raise instead if something has arrived that answers no command."""
        if not self._quiet() and not self.engine.in_flight:
            await self.look(command)
        self.put(command)
        seconds = self.timeouts.reply
        try:
            await self._stream.send(self._outgoing.pop(), seconds)
        except BaseException as error:
            self._unsent(error, seconds, command)
            raise

    async def look(self, command: Command[Any]) -> None:
        """Take what has arrived before ``command`` is sent, while no other command is unanswered.

        A reply answers a command that was sent before it arrived. Without this look, which does not
        wait, a reply that nobody asked for would be taken for the answer to ``command``.
        """
        at_hand: Callable[[], Awaitable[bytes | None]] | None
        at_hand = getattr(self._stream, "receive_at_hand", None)
        if at_hand is None:
            return
        try:
            while (data := await at_hand()) is not None:
                self.engine.receive_data(data)
                if data.strip(b"\r\n") or not data:
                    # The engine refuses to send after that.
                    return
                # A blank line is tolerated, and more can come after it.
                self.event_at_hand()
        except Pop3Error:
            raise
        except OSError as error:
            # The last words of the server, which came with the answer before, say more.
            self.event_at_hand()
            raise self._failed(error, "reply", None, command) from error

    def put(self, command: Command[Any]) -> int:
        """Leave ``command`` to the next ``flush()``; return its length in octets.

        Its octets can hold a password, so none of the session's functions has them in a local
        variable, which a traceback would show. They pass from the engine to the stream through
        an attribute.
        """
        try:
            self._outgoing.append(self.engine.send(command))
        except ConnectionLostError as error:
            raise error from self.login_failure
        except LocalProtocolError as error:
            legal = command.legal_states
            if self.engine.state is State.AUTHORIZATION and State.AUTHORIZATION not in legal:
                error.hint = "log in first"
            raise
        return len(self._outgoing[-1])

    def _drained(self) -> bytes:
        data = b"".join(self._outgoing)
        self._outgoing.clear()
        return data

    async def flush(self, command: Command[Any]) -> None:
        """Send the octets that have been put, which begin with ``command``, over the stream."""
        seconds = self.timeouts.reply
        try:
            await self._stream.send(self._drained(), seconds)
        except BaseException as error:
            self._unsent(error, seconds, command)
            raise

    def _unsent(self, error: BaseException, seconds: float | None, command: Command[Any]) -> None:
        """Raise what the session raises if ``error`` has kept the stream from sending."""
        # The frames of the stream hold the octets.
        if isinstance(error, OSError) or any(sent.secret for sent in self.engine.in_flight):
            error.__traceback__ = None
        if isinstance(error, OSError) and not isinstance(error, Pop3Error):
            raise self._failed(error, "reply", seconds, command) from error

    async def next_event(
        self,
        phase: str,
        command: Command[Any] | None,
        *,
        missing: bool = False,
        whole: bool = False,
    ) -> ClientEvent | Message:
        """Return the next event that is not a deviation.

        ``phase`` names the timeout for completing the event. Within a body, the timeout is that of
        the body, during which 1,024 octets have to arrive. With ``missing=True`` more octets are
        needed in any case, so the engine is not asked first. ``whole`` is as for
        ``event_at_hand()``.
        """
        if self.engine.in_body:
            phase = "body"
        else:
            self._deadline = None
        # Never PAUSED: STLS is completed within its own turn.
        event: Any = _NEED_DATA if missing else self.event_at_hand(whole)
        return await self.complete(phase, command, whole) if event is _NEED_DATA else event

    async def complete(
        self, phase: str, command: Command[Any] | None, whole: bool = False
    ) -> ClientEvent | Message:
        """Receive until the next event, which needs more octets, is complete; return it."""
        engine = self.engine
        while True:
            seconds: float | None = getattr(self.timeouts, phase)
            left = seconds
            started = monotonic()
            if seconds is None:
                pass
            elif phase == "body":
                left = max(seconds - self._waited, 0.0)
            elif self._deadline is None:
                # A line has one deadline on the clock, however it arrives.
                self._deadline = started + seconds
            else:
                left = max(self._deadline - started, 0.0)
            try:
                data = await self._stream.receive(left)
            except Pop3Error:
                raise
            except OSError as error:
                raise self._failed(error, phase, seconds, command) from error
            engine.receive_data(data)
            if phase == "body":
                self._waited += monotonic() - started
                self._octets += len(data)
                if self._octets >= _PROGRESS:
                    self._restart()
            event: Any = self.event_at_hand(whole)
            if event is not _NEED_DATA:
                found: ClientEvent | Message = event
                return found
            if phase != "body" and engine.in_body:
                # The status line is complete. The rest may take longer, but has to make progress.
                phase = "body"

    def event_at_hand(self, whole: bool = False) -> ClientEvent | Message | Signal:
        """Return the next event if no more octets are needed for it, or ``NEED_DATA``.

        With ``whole``, a message that has arrived is one ``Message`` instead of its events.
        """
        step = self.engine.next_whole if whole else self.engine.next_event
        inside = self.engine.in_body
        try:
            event = step()
            while type(event) is Deviation:
                self._keep(event)
                event = step()
        except ConnectionLostError as error:
            # If a server closes the connection after a failed login, the failed login is the
            # reason.
            raise error from self.login_failure
        if type(event) is MessageStart or (
            event is _NEED_DATA and not inside and self.engine.in_body
        ):
            # The deadlines of a body begin. That of a listing has no event at its beginning.
            self._waited = 0.0
            self._octets = 0
        return event

    def _keep(self, deviation: Deviation) -> None:
        if len(self.deviations) >= _KEPT_DEVIATIONS:
            # From here on only new faults are kept, so that the server's profile is complete.
            if not self._known_faults:
                self._known_faults = frozenset(kept.fault for kept in self.deviations)
            if deviation.fault in self._known_faults:
                return
            self._known_faults |= {deviation.fault}
        self.deviations.append(deviation)

    def _restart(self) -> None:
        self._waited = 0.0
        self._octets = 0

    def _failed(
        self,
        error: OSError,
        phase: str,
        seconds: float | None,
        command: Command[Any] | None,
    ) -> Pop3Error:
        """Return the exception that the session raises for an error of the stream."""
        fate = self.engine.fate_of_deletions
        # The kernel's own ETIMEDOUT is a TimeoutError too, but not one of our deadlines.
        if isinstance(error, TimeoutError) and error.errno is None and seconds is not None:
            return DeadlineError(
                f"nothing, or too little, arrived for {seconds:g} s ({phase}){fate}",
                command=command,
                phase=phase,
                seconds=seconds,
            )
        message = f"the connection broke: {printable(str(error))}{fate}"
        return ConnectionLostError(
            message, command=command, pending_deletions=self.engine.pending_deletions
        )

    async def start_tls(self, context: SSLContext, server_hostname: str | None) -> None:
        """Start TLS on the stream; the caller tells the engine. Raises ``TlsError``."""
        # Imported here so that a session without TLS does not load OpenSSL.
        from .tls import TlsStream

        seconds = self.timeouts.tls
        self.tls = TlsStream(self._transport, context, server_hostname)
        try:
            await self.tls.handshake(seconds)
        except Pop3Error:
            raise
        except OSError as error:
            raise self._failed(error, "tls", seconds, None) from error
        self._use(self.tls)
        if self._recorder is not None:
            self._recorder.tls_established()

    def _use(self, transport: Stream) -> None:
        self._transport = self._stream = transport
        if self._recorder is not None:
            self._stream = RecordingStream(transport, self._recorder)
        # Nearly always nothing is there. The streams of this package can tell without the two
        # coroutines of a look, which take a twentieth of a NOOP; for others, bool() returns False.
        self._quiet: Callable[[], bool] = getattr(transport, "is_quiet", bool)

    async def aclose(self) -> None:
        """Close the stream in an orderly way. Errors of the network are ignored."""
        if self.closed:
            return
        self.closed = True
        try:
            await self._stream.aclose()
        except OSError:
            # The connection is gone already, as it should be.
            self._stream.abort()
        except BaseException:
            self._stream.abort()
            raise

    def abort(self, cause: BaseException | None = None) -> None:
        """Close the stream at once, for ``cause``."""
        if not self.closed:
            self.closed = True
            self._cause_of_death = cause
            about_deletions(cause, self.engine.fate_of_deletions)
        self._stream.abort()


def check_command(given: object) -> None:
    """Raise ``LocalProtocolError`` unless ``given`` is a command."""
    if not isinstance(given, Command):
        # Not shown itself: it may be a line with a password.
        kind = f"the class {given.__name__}" if isinstance(given, type) else type(given).__name__
        raise LocalProtocolError(f"a command is an object such as Stat(), not {kind}")
