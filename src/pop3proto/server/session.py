"""The server's session: it answers every command from a maildrop, without any input or output.

Whatever moves the octets hands them to ``receive_data()``, asks ``next_action()`` what to do
next, and calls ``close()`` in the end, however the end came.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping
from secrets import token_hex
from typing import Any

from ..engine.server import ServerConnection
from ..errors import MaildropError, MaildropLockedError, Pop3Error, StlsInjectionError, printable
from ..model.capabilities import Capabilities
from ..model.commands import (
    Apop,
    Auth,
    AuthList,
    AuthResponse,
    Capa,
    Command,
    Lang,
    Pass,
    Quit,
    Retr,
    Stls,
    Top,
    User,
    Utf8,
)
from ..model.events import ConnectionClosed, InvalidCommand, ServerReply
from ..model.leniency import Deviation, Fault, Leniency
from ..model.limits import Limits
from ..model.replies import (
    CapaReply,
    Challenge,
    ErrorReply,
    Greeting,
    LangReply,
    Language,
    MechanismsReply,
    MessageData,
    MessageEnd,
    MessageStart,
    Ok,
    ResponseCode,
)
from ..model.states import Signal, State
from ..sasl.plain import ServerPlain
from ..sasl.users import (
    Attempt,
    Authenticator,
    LoggedIn,
    Passwords,
    PasswordSource,
    ServerMechanism,
    apop_digest_matches,
    as_text,
)
from .actions import Action, Close, Delay, NeedData, Send, StartTls
from .hooks import Hooks
from .mailbox import Body, OpenedMaildrop, no_such_message
from .maildrop import CHUNK, Maildrop, MaildropProvider, UpdateError
from .options import ServerOptions

__all__ = ["ServerSession"]

# Characters of a reason that an -ERR shows; a status line has 512 octets at most.
_MAX_REASON = 100
# RFC 6856 section 3.2: a server has i-default at the least.
_LANGUAGES = (Language("i-default", "English"), Language("en", "English"))


class ServerSession:
    """One client's session, from the greeting on.

    ``users`` says who may log in: an ``Authenticator``, or a mapping from users to passwords.
    ``offer_stls`` says that the caller can do what ``StartTls`` asks for, ``secure`` that the
    stream is under TLS from the start. ``timestamp``, with its angle brackets, is for APOP; one
    is made if none is given, and only unguessable ones that are never used twice are safe.
    ``mechanisms`` are those of AUTH; without them it is PLAIN. ``hooks`` look on, or interfere.

    A session can be driven from any thread, but by one at a time.
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
        self.options = options
        self.user: str | None = None
        """Who has logged in."""
        self.deleted: frozenset[int] = frozenset()
        """The numbers of the messages that QUIT has removed for good."""
        self.failed: frozenset[int] = frozenset()
        """The numbers of the messages that QUIT should have removed, and has not."""
        self.error: Exception | None = None
        """What ended the session early, or else kept the maildrop last from being opened, read
        or updated."""
        self.deviations: Counter[Fault] = Counter()
        """What was forgiven the client, and how often."""
        self._hooks = hooks or Hooks()
        self._maildrops = maildrops
        self._users = Passwords(users) if isinstance(users, Mapping) else users
        self.offer((ServerPlain(self._users),) if mechanisms is None else mechanisms)
        self._offer_stls = offer_stls
        self._connection = ServerConnection(secure=secure, limits=limits, leniency=leniency)
        self._queue: deque[Action] = deque()
        self._over = False
        self._named: str | None = None
        self._login: tuple[Auth, Attempt] | None = None
        self._rounds = 0
        self._failed_logins = 0
        self._bad_commands = 0
        self._maildrop: Maildrop | None = None
        self._opened: OpenedMaildrop | None = None
        self._body: Body | None = None
        self._timestamp = self._chosen_timestamp(timestamp)
        greeting = f"{options.host_name} POP3 server ready"
        if self._timestamp is not None:
            greeting += f" {self._timestamp}"
        self._reply(Greeting(greeting))

    def __repr__(self) -> str:
        return f"<ServerSession: {self._connection!r}>"

    def _chosen_timestamp(self, timestamp: str | None) -> str | None:
        if not self.options.apop or not isinstance(self._users, PasswordSource):
            return None
        # RFC 1939 section 7: different each time; whoever can guess it can collect digests.
        chosen = timestamp or f"<{token_hex(16)}@{self.options.host_name}>"
        if Greeting(chosen).timestamp != chosen:
            raise ValueError(f"no msg-id, so no timestamp: {chosen!r}")
        return chosen

    def offer(self, mechanisms: Iterable[ServerMechanism]) -> None:
        """Offer these mechanisms from now on, the best first.

        For those that know the TLS connection: channel binding, EXTERNAL by a certificate.
        """
        self._mechanisms = {mechanism.name: mechanism for mechanism in mechanisms}

    @property
    def state(self) -> State:
        """Where the session stands."""
        return self._connection.state

    @property
    def secure(self) -> bool:
        """Whether the stream is under TLS."""
        return self._connection.secure

    def receive_data(self, data: bytes | bytearray | memoryview) -> None:
        """Take octets that arrived; none at all says that the stream has ended.

        What comes behind the end of the session is ignored.
        """
        if not self._over:
            self._connection.receive_data(data)
            if data and self.options.latency > 0:
                self._queue.append(Delay(self.options.latency))

    def tls_established(self) -> None:
        """Say that the TLS handshake that ``StartTls`` asked for has succeeded.

        Raises ``LocalProtocolError`` if nothing asked for it, and ``StlsInjectionError`` if
        octets came in the clear meanwhile.
        """
        try:
            self._connection.tls_established()
        except StlsInjectionError as error:
            self._fail(error)
            raise

    def next_action(self) -> Action:
        """What is to be done next. Once it is ``Close``, it stays that.

        Whatever a client does ends in an action. An exception is a fault of the maildrop's or
        the authenticator's code: call ``close()`` and let it out.
        """
        while not self._queue:
            self._advance()
        return self._queue.popleft()

    def close(self) -> None:
        """End the session where it stands: nothing is deleted, the maildrop is released.

        To be called however the connection ended, also behind ``Close``; again does nothing.
        """
        self._queue.clear()
        self._end()

    def _end(self) -> None:
        self._over = True
        self._end_body()
        self._opened = None
        maildrop, self._maildrop = self._maildrop, None
        if maildrop is not None:
            maildrop.close()

    def _advance(self) -> None:
        """Put the next actions, if any follow yet, into the queue."""
        if self._over:
            self._queue.append(Close())
        elif self._body is not None:
            self._continue_body(self._body)
        else:
            self._next_event()

    def _next_event(self) -> None:
        try:
            event = self._connection.next_event()
        except Pop3Error as error:
            self._fail(error)
            return
        match event:
            case Signal.NEED_DATA:
                self._queue.append(NeedData())
            case Signal.PAUSED:
                # Every command is answered at once, so it can only be TLS that is waited for.
                self._queue.append(StartTls())
            case ConnectionClosed():
                self._end()
            case Deviation():
                self.deviations[event.fault] += event.count
            case InvalidCommand():
                self._hooks.received(self, event)
                # An answer within AUTH that is no base64 ends the exchange.
                auth = None if self._login is None else self._login[0]
                self._bad_command(auth, printable(event.reason, _MAX_REASON))
            case _:
                self._hooks.received(self, event)
                self._answer(event)

    def _fail(self, error: Exception) -> None:
        self.error = error
        self._end()

    def _reply(self, reply: ServerReply) -> None:
        data = self._connection.send(reply)
        self._queue.extend(Send(data[i : i + CHUNK]) for i in range(0, len(data), CHUNK))

    def _bad_command(
        self, command: Command[Any] | None, reason: str, code: ResponseCode | None = None
    ) -> None:
        self._login = None
        self._bad_commands += 1
        self._reply(ErrorReply(command, reason, code))
        if self._bad_commands >= self.options.max_bad_commands:
            self._end()

    def _answer(self, command: Command[Any]) -> None:
        # RFC 1939 section 7: PASS comes immediately behind USER.
        named, self._named = self._named, None
        if self.state not in command.legal_states:
            self._bad_command(command, f"not possible in the state {self.state.value!r}")
            return
        match command:
            case Capa():
                self._reply(CapaReply(command, self._capabilities()))
            case Lang(tag=None):
                self._reply(LangReply(command, _LANGUAGES))
            case Lang(tag=str(tag)):
                self._choose_language(command, tag)
            case Quit():
                self._quit(command)
            case _ if self._login is not None:
                self._continue_login(*self._login, command)
            case _ if self._opened is not None:
                self._transact(self._opened, command)
            case _:
                self._authorize(command, named)

    def _authorize(self, command: Command[Any], named: str | None) -> None:
        match command:
            case User():
                self._name(command)
            case Pass():
                self._check_password(command, named)
            case Apop():
                self._check_digest(command)
            case Auth():
                self._begin_login(command)
            case AuthList():
                self._reply(MechanismsReply(command, self._allowed_mechanisms()))
            case Stls() if self._offer_stls and not self.secure:
                self._reply(Ok(command, "begin TLS now"))
            case Utf8() if self.options.utf8:
                self._reply(Ok(command))
            case _:
                self._bad_command(command, "not offered")

    def _transact(self, opened: OpenedMaildrop, command: Command[Any]) -> None:
        if isinstance(command, Retr | Top):
            self._begin_body(opened, command)
        elif (reply := opened.answer(command)) is not None:
            self._reply(reply)
        else:
            self._bad_command(command, "not offered")

    def _capabilities(self) -> Capabilities:
        return self.options.capabilities(
            stls=self._offer_stls and not self.secure,
            user=self._may_show_password,
            mechanisms=self._allowed_mechanisms(),
            logged_in=self.state is State.TRANSACTION,
        )

    def _choose_language(self, command: Lang, tag: str) -> None:
        # RFC 6856 section 3.2: "*" is whatever the server likes; "en-GB" is served by "en".
        wanted = "i-default" if tag == "*" else tag.lower()
        for language in _LANGUAGES:
            if f"{wanted}-".startswith(f"{language.tag}-"):
                self._reply(LangReply(command, (), f"{language.tag} {language.description}"))
                return
        self._reply(ErrorReply(command, "this language is not spoken here"))

    @property
    def _may_show_password(self) -> bool:
        return self.secure or self.options.allow_plaintext_auth

    def _allowed_mechanisms(self) -> tuple[str, ...]:
        allowed = self._may_show_password
        return tuple(m.name for m in self._mechanisms.values() if allowed or not m.shows_password)

    def _refuse_plaintext(self, command: Command[Any]) -> None:
        # RFC 3206 section 4: too little encryption is a problem with the credentials, too.
        reason = "a password is only taken under TLS"
        self._bad_command(command, reason, ResponseCode.AUTH)

    def _name(self, command: User) -> None:
        if not self._may_show_password:
            self._refuse_plaintext(command)
            return
        # RFC 1939 section 7 lets it tell whether there is such a user; better not.
        self._named = as_text(command.name)
        self._reply(Ok(command, "now the password"))

    def _check_password(self, command: Pass, user: str | None) -> None:
        if not self._may_show_password:
            self._refuse_plaintext(command)
        elif user is None:
            self._bad_command(command, "USER comes first")
        elif self._users.check(user, as_text(command.password)):
            self._open(command, user)
        else:
            self._refuse_login(command)

    def _check_digest(self, command: Apop) -> None:
        timestamp, users = self._timestamp, self._users
        if timestamp is None or not isinstance(users, PasswordSource):
            self._bad_command(command, "not offered")
            return
        user = as_text(command.name)
        if apop_digest_matches(command.digest, timestamp, users.password_for(user)):
            self._open(command, user)
        else:
            self._refuse_login(command)

    def _begin_login(self, command: Auth) -> None:
        mechanism = self._mechanisms.get(command.mechanism)
        if mechanism is None:
            self._bad_command(command, "this mechanism is not offered")
        elif mechanism.shows_password and not self._may_show_password:
            self._refuse_plaintext(command)
        else:
            exchange = mechanism.begin()
            self._login, self._rounds = (command, exchange), 0
            self._respond(command, exchange, command.initial_response)

    def _continue_login(self, auth: Auth, exchange: Attempt, command: Command[Any]) -> None:
        if isinstance(command, AuthResponse):
            self._respond(auth, exchange, command.data)
        else:
            # RFC 5034 section 4: the client cancels with an asterisk.
            self._bad_command(auth, "the login was cancelled")

    def _respond(self, auth: Auth, exchange: Attempt, data: bytes | None) -> None:
        outcome = exchange.respond(data)
        if isinstance(outcome, LoggedIn):
            self._open(auth, outcome.user)
        elif outcome is None or self._rounds >= self.options.max_auth_rounds:
            self._refuse_login(auth)
        else:
            self._rounds += 1
            self._reply(Challenge(auth, outcome))

    def _refuse_login(self, command: Command[Any]) -> None:
        self._login = None
        self._failed_logins += 1
        if self.options.failed_login_delay > 0:
            self._queue.append(Delay(self.options.failed_login_delay))
        self._reply(ErrorReply(command, "the login failed", ResponseCode.AUTH))
        if self._failed_logins >= self.options.max_failed_logins:
            self._end()

    def _open(self, command: Command[Any], user: str) -> None:
        try:
            self._maildrop = self._maildrops.open(user)
        except MaildropLockedError:
            reason = "another session has the maildrop"
            self._bad_command(command, reason, ResponseCode.IN_USE)
        except (MaildropError, OSError) as error:
            self.error = error
            self._bad_command(command, "the maildrop cannot be opened", ResponseCode.SYS_TEMP)
        else:
            self._login = None
            self._opened = OpenedMaildrop(self._maildrop)
            self.user = user
            self._reply(Ok(command, self._opened.summary))

    def _begin_body(self, opened: OpenedMaildrop, command: Retr | Top) -> None:
        try:
            body = opened.read(command)
        except (MaildropError, OSError) as error:
            self.error = error
            reason = "the message cannot be read"
            self._reply(ErrorReply(command, reason, ResponseCode.SYS_TEMP))
            return
        if body is None:
            self._reply(no_such_message(command))
        else:
            self._body = body
            self._reply(MessageStart(command, body.text))

    def _continue_body(self, body: Body) -> None:
        try:
            chunk = body.next_chunk()
        except (MaildropError, OSError) as error:
            # Only a connection that breaks off says that there should be more.
            self._fail(error)
            return
        if chunk is None:
            self._reply(MessageEnd(body.command))
            self._end_body()
        else:
            self._reply(MessageData(chunk))

    def _end_body(self) -> None:
        body, self._body = self._body, None
        if body is not None:
            body.close()

    def _quit(self, command: Quit) -> None:
        reply: Ok | ErrorReply = Ok(command, "goodbye")
        if self._maildrop is not None and self._opened is not None:
            marked = frozenset(self._opened.marked)
            try:
                self._maildrop.commit(sorted(marked))
                self.deleted = marked
            except UpdateError as error:
                self.error, self.deleted, self.failed = error, error.deleted, error.failed
                reply = _not_removed(command)
            except (MaildropError, OSError) as error:
                self.error, self.failed = error, marked
                reply = _not_removed(command)
        # Before the answer, so that who reads it can log in again at once.
        self._end()
        self._reply(reply)


def _not_removed(command: Quit) -> ErrorReply:
    # The words of RFC 1939 section 6.
    return ErrorReply(command, "some deleted messages not removed", ResponseCode.SYS_TEMP)
