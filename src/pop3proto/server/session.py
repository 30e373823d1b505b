"""The server's session: it answers every command from a maildrop, without any input or output.

The code that reads and writes the connection hands the octets to ``receive_data()``, asks
``next_action()`` what to do next, and calls ``close()`` at the end, however the session ended.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from types import NoneType
from typing import Any, ClassVar

from .._arguments import as_bytes, require
from ..engine.server import ServerConnection
from ..errors import MaildropError, MaildropLockedError, Pop3Error, StlsInjectionError, printable
from ..model.command import Command
from ..model.commands import Capa, Lang, Quit, Retr, Stls, Top, Utf8
from ..model.events import ConnectionClosed, InvalidCommand
from ..model.leniency import Deviation, Fault, Leniency
from ..model.limits import Limits
from ..model.login_commands import Apop, Auth, AuthCancel, AuthList, AuthResponse, Pass, User
from ..model.replies import (
    CapaReply,
    ErrorReply,
    Greeting,
    LangReply,
    Language,
    Message,
    MessageData,
    MessageEnd,
    MessageStart,
    Ok,
    ResponseCode,
    ServerReply,
)
from ..model.states import Signal, State
from ..sasl.users import Authenticator, LoggedIn, ServerMechanism
from .actions import Action, Close, Delay, NeedData, StartTls
from .arguments import require_maildrops
from .hooks import Hooks, overridden
from .logins import LoginCommand, Logins
from .maildrop import Maildrop, MaildropProvider, UpdateError
from .options import ServerOptions, check_settings
from .outbox import Outbox
from .transaction import Body, OpenedMaildrop, no_such_message

__all__ = ["ServerSession"]

# Characters of a reason that an -ERR shows; a status line has 512 octets at most.
_MAX_REASON = 100
# Made once, because each use of "|" would make a new object.
_COMMANDS = (Command, InvalidCommand)
# RFC 6856 section 3.2: a server knows at least i-default.
_LANGUAGES = (Language("i-default", "English"), Language("en", "English"))


class ServerSession:
    """One client's session, from the greeting on.

    ``users`` says who may log in: an ``Authenticator``, or a mapping from users to passwords.
    ``offer_stls`` says that the caller can do what ``StartTls`` asks for. ``secure`` says that the
    stream is under TLS from the start. ``timestamp``, with its angle brackets, is for APOP; by
    default a new one is made, and only unguessable ones that are never used twice are safe.
    ``mechanisms`` are those that AUTH offers, by default PLAIN alone. ``hooks`` can watch the
    session, or change what it does.

    Raises ``LocalProtocolError`` for a wrong argument. Any thread can drive a session, but only one
    at a time.
    """

    def __init__(
        self,
        maildrops: MaildropProvider,
        users: Authenticator | Mapping[str, str],
        *,
        options: ServerOptions = ServerOptions(),
        secure: bool = False,
        offer_stls: bool = False,
        timestamp: str | None = None,
        mechanisms: Iterable[ServerMechanism] | None = None,
        limits: Limits = Limits(),
        leniency: Leniency = Leniency(),
        hooks: Hooks | None = None,
    ) -> None:
        require_maildrops(maildrops)
        check_settings(options, limits, leniency)
        for name, flag in (("secure", secure), ("offer_stls", offer_stls)):
            # Text such as "no" would count as true.
            require(name, flag, bool, "True or False")
        require("hooks", hooks, (Hooks, NoneType), "a Hooks")
        self.options = options
        self.hooks: Hooks = Hooks() if hooks is None else hooks
        """Called at the points where a server can differ."""
        # Most hooks change little, and each call costs as much as reading a command.
        self._arrived = overridden(self.hooks, "arrived")
        self._received = overridden(self.hooks, "received")
        self._sending = overridden(self.hooks, "sending")
        self._waiting = overridden(self.hooks, "waiting")
        self.user: str | None = None
        """The user who has logged in."""
        self.deleted: frozenset[int] = frozenset()
        """The numbers of the messages that QUIT has removed for good."""
        self.failed: frozenset[int] = frozenset()
        """The numbers of the messages that QUIT should have removed, but could not."""
        self.error: Exception | None = None
        """The error that ended the session early, or else the last one that opening, reading or
        updating the maildrop raised."""
        self.deviations: Counter[Fault] = Counter()
        """The faults that the client was forgiven, and how often."""
        self._maildrops = maildrops
        self._logins = Logins(users, options, timestamp, secure=secure)
        self._offer_stls = offer_stls
        self._connection = ServerConnection(secure=secure, limits=limits, leniency=leniency)
        self._outbox = Outbox()
        self._over = False
        self._failed_logins = 0
        self._bad_commands = 0
        self._maildrop: Maildrop | None = None
        self._opened: OpenedMaildrop | None = None
        self._body: Body | None = None
        self.offer(self._logins.default_mechanisms() if mechanisms is None else mechanisms)
        stamp = "" if self._logins.timestamp is None else f" {self._logins.timestamp}"
        self._reply(Greeting(f"{options.host_name} POP3 server ready{stamp}"))

    def __repr__(self) -> str:
        return f"<ServerSession: {self._connection!r}>"

    def offer(self, mechanisms: Iterable[ServerMechanism]) -> None:
        """Offer these mechanisms from now on, the best first.

        This is for mechanisms that depend on the TLS connection: with channel binding, or EXTERNAL
        with a client certificate.
        """
        self._logins.offer(self.hooks.offered(self, mechanisms))

    @property
    def users(self) -> Authenticator:
        """The authenticator, which checks passwords."""
        return self._logins.users

    @property
    def state(self) -> State:
        """The state of the session."""
        return self._connection.state

    @property
    def secure(self) -> bool:
        """True if the stream is under TLS."""
        return self._connection.secure

    def receive_data(self, data: bytes | bytearray | memoryview) -> None:
        """Take octets that arrived; ``b""`` is the end of the stream.

        Octets after the end of the session are ignored.
        """
        if self._over:
            return
        octets = as_bytes("data", data)
        taken = self._arrived(self, octets) if octets and self._arrived is not None else octets
        if taken is None:
            self._end()
            return
        self._connection.receive_data(taken)
        if octets and self.options.latency > 0:
            self._outbox.act(Delay(self.options.latency))

    def tls_established(self) -> None:
        """Report that the TLS handshake that ``StartTls`` asked for has succeeded.

        Raises ``LocalProtocolError`` if nothing asked for it, and ``StlsInjectionError`` if
        octets arrived in the clear before it.
        """
        try:
            self._connection.tls_established()
        except StlsInjectionError as error:
            self._fail(error)
            raise
        self._logins.secure = True

    def next_action(self) -> Action:
        """Return what to do next. After ``Close``, it is always ``Close``.

        Nothing that a client does raises an exception. If there is one, it comes from the code of
        the maildrop or of the authenticator: call ``close()`` and let it propagate.
        """
        actions = self._outbox.actions
        while not actions:
            self._advance()
        return actions.popleft()

    def close(self) -> None:
        """End the session: nothing more is deleted, and the maildrop is released.

        Call it however the connection ended, even after ``Close``. A second call does nothing.
        """
        self._outbox.clear()
        self._end()

    def _end(self) -> None:
        self._over = True
        self._end_body()
        self._opened = None
        maildrop, self._maildrop = self._maildrop, None
        if maildrop is not None:
            maildrop.close()

    def _fail(self, error: Exception) -> None:
        self.error = error
        self._end()

    def _advance(self) -> None:
        """Answer one command, go on with a message, or wait."""
        if self._over:
            self._wait(Close())
        elif self._body is not None:
            self._continue_body(self._body)
        else:
            try:
                event = self._connection.next_event()
            except Pop3Error as error:
                self._fail(error)
                return
            if isinstance(event, _COMMANDS):
                self._receive(event)
            else:
                self._take(event)

    def _take(self, event: ConnectionClosed | Deviation | Signal) -> None:
        if event is Signal.NEED_DATA:
            self._wait(NeedData())
        elif event is Signal.PAUSED:
            # Every command is answered at once, so the engine can only be waiting for TLS.
            self._outbox.act(StartTls())
        elif isinstance(event, Deviation):
            self.deviations[event.fault] += event.count
        else:
            self._end()

    def _wait(self, action: NeedData | Close) -> None:
        """Do ``action`` next: everything that was received is answered."""
        for more in () if self._waiting is None else self._waiting(self):
            self._outbox.act(more)
        self._outbox.act(action)

    def _receive(self, event: Command[Any] | InvalidCommand) -> None:
        answer = None if self._received is None else self._received(self, event)
        if isinstance(answer, Close):
            self._end()
        elif answer is not None:
            self._reply(answer)
        elif isinstance(event, InvalidCommand):
            # Within AUTH it is an answer that is not base64, which ends the login.
            reason = printable(event.reason, _MAX_REASON)
            self._refuse(ErrorReply(self._logins.auth, reason))
        elif self._connection.state not in event.legal_states:
            self._refuse(ErrorReply(event, f"not possible in the state {self.state.value!r}"))
        else:
            self._answer(event)

    def _answer(self, command: Command[Any]) -> None:
        if not isinstance(command, Pass):
            # RFC 1939 section 7: PASS comes immediately after USER.
            self._logins.named = None
        if (answer := self._methods.get(type(command))) is not None:
            answer(self, command)
            return
        reply = None if self._opened is None else self._opened.answer(command)
        if reply is None:
            self._not_offered(command)
        else:
            self._reply(reply)

    def _reply(self, reply: ServerReply | Message) -> None:
        octets = self._connection.send(reply)
        if self._sending is None:
            self._outbox.answer(octets, more=self._body is not None)
            return
        for action in self._sending(self, reply, octets):
            if isinstance(action, Close):
                self._end()
            else:
                self._outbox.act(action)

    def _refuse(self, reply: ErrorReply) -> None:
        """Refuse a line that should not have been sent at all."""
        self._logins.give_up()
        self._bad_commands += 1
        self._reply(reply)
        if self._bad_commands >= self.options.max_bad_commands:
            self._end()

    def _not_offered(self, command: Command[Any]) -> None:
        self._refuse(ErrorReply(command, "not offered"))

    # Commands of both states

    def _capa(self, command: Capa) -> None:
        capabilities = self.options.capabilities(
            stls=self._offer_stls and not self.secure,
            user=self._logins.may_show_password,
            mechanisms=self._logins.mechanisms,
            logged_in=self.state is State.TRANSACTION,
        )
        self._reply(CapaReply(command, capabilities))

    def _lang(self, command: Lang) -> None:
        if command.tag is None:
            self._reply(LangReply(command, _LANGUAGES))
            return
        # RFC 6856 section 3.2: "*" leaves the choice to the server; "en" also serves "en-GB".
        wanted = "i-default" if command.tag == "*" else command.tag.lower()
        for language in _LANGUAGES:
            if f"{wanted}-".startswith(f"{language.tag}-"):
                self._reply(LangReply(command, (), f"{language.tag} {language.description}"))
                return
        self._reply(ErrorReply(command, "this language is not available"))

    def _quit(self, command: Quit) -> None:
        reply: Ok | ErrorReply = Ok(command, "goodbye")
        if self._maildrop is not None and self._opened is not None:
            marked = self.hooks.deleting(self, frozenset(self._opened.marked))
            try:
                # If there is nothing to delete, nothing can fail.
                if marked:
                    self._maildrop.commit(sorted(marked))
                self.deleted = marked
            except (MaildropError, OSError) as error:
                self.error = error
                if isinstance(error, UpdateError):
                    self.deleted = error.deleted & marked
                # A message counts as still there unless the maildrop says that it is gone.
                self.failed = marked - self.deleted
                # The words of RFC 1939 section 6.
                reason = "some deleted messages not removed"
                reply = ErrorReply(command, reason, ResponseCode.SYS_TEMP)
        # Before the answer, so that a client that has read it can log in again at once.
        self._end()
        self._reply(reply)

    # AUTHORIZATION

    def _stls(self, command: Stls) -> None:
        if self._offer_stls and not self.secure:
            self._reply(Ok(command, "begin TLS now"))
        else:
            self._not_offered(command)

    def _utf8(self, command: Utf8) -> None:
        if self.options.utf8:
            self._reply(Ok(command))
        else:
            self._not_offered(command)

    def _log_in(self, command: LoginCommand) -> None:
        answer = self._logins.answer(command)
        # Within AUTH, every answer is one to the command that began it.
        answered = self._logins.auth or command
        match answer:
            case LoggedIn(user):
                self._open(answered, user)
            case None:
                self._refuse_login(answered)
            case ErrorReply():
                self._refuse(answer)
            case _:
                self._reply(answer)

    def _refuse_login(self, command: Command[Any]) -> None:
        self._logins.give_up()
        self._failed_logins += 1
        self.hooks.login(self, command, None)
        if self.options.failed_login_delay > 0:
            self._outbox.act(Delay(self.options.failed_login_delay))
        self._reply(ErrorReply(command, "the login failed", ResponseCode.AUTH))
        if self._failed_logins >= self.options.max_failed_logins:
            self._end()

    def _open(self, command: Command[Any], user: str) -> None:
        refusal = self.hooks.login(self, command, user)
        if refusal is not None:
            self._refuse(refusal)
            return
        try:
            self._maildrop = self._maildrops.open(user)
        except MaildropLockedError:
            reason = "another session has the maildrop"
            self._refuse(ErrorReply(command, reason, ResponseCode.IN_USE))
        except (MaildropError, OSError) as error:
            self.error = error
            reason = "the maildrop cannot be opened"
            self._refuse(ErrorReply(command, reason, ResponseCode.SYS_TEMP))
        else:
            self._logins.give_up()
            self._opened = OpenedMaildrop(self._maildrop)
            self.user = user
            self._reply(Ok(command, self._opened.summary))

    # TRANSACTION

    def _begin_body(self, command: Retr | Top) -> None:
        assert self._opened is not None  # noqa: S101 - RETR and TOP need a login
        # A hook sees the parts of a message one by one.
        read = self._opened.whole if self._sending is None else self._opened.read
        try:
            body = read(command)
        except (MaildropError, OSError) as error:
            self.error = error
            self._reply(ErrorReply(command, "the message cannot be read", ResponseCode.SYS_TEMP))
            return
        if body is None:
            self._reply(no_such_message(command))
        elif isinstance(body, Message):
            self._reply(body)
        else:
            self._body = body
            self._reply(MessageStart(command, body.text))
            self._continue_body(body)

    def _continue_body(self, body: Body) -> None:
        """Read the message until there is something to send."""
        while self._body is not None and not self._outbox.actions:
            try:
                chunk = body.next_chunk()
            except (MaildropError, OSError) as error:
                # Only closing the connection shows that the message is not complete.
                self._fail(error)
                return
            if chunk is None:
                self._end_body()
                self._reply(MessageEnd(body.command))
            else:
                self._reply(MessageData(chunk))

    def _end_body(self) -> None:
        body, self._body = self._body, None
        if body is not None:
            body.close()

    # The method that answers a command where it is legal; the maildrop answers all others.
    _methods: ClassVar[dict[type[Command[Any]], Callable[[ServerSession, Any], None]]] = {
        Capa: _capa,
        Lang: _lang,
        Quit: _quit,
        Stls: _stls,
        Utf8: _utf8,
        Retr: _begin_body,
        Top: _begin_body,
        **dict.fromkeys((User, Pass, Apop, Auth, AuthResponse, AuthCancel, AuthList), _log_in),
    }
