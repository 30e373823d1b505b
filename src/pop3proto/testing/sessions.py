"""The sessions of a test server: their maildrops, and the commands that they have received."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from .._arguments import listed, require
from ..errors import LocalProtocolError, printable
from ..model.command import Command
from ..model.commands import (
    Capa,
    Dele,
    Extension,
    Lang,
    Last,
    List,
    Noop,
    Quit,
    Retr,
    Rset,
    Stat,
    Stls,
    Top,
    Uidl,
    Utf8,
)
from ..model.events import InvalidCommand
from ..model.leniency import Leniency
from ..model.limits import Limits
from ..model.login_commands import Auth
from ..model.secret import Secret
from ..model.states import State
from ..sasl.users import as_text
from ..server import (
    Authenticator,
    MaildropProvider,
    MemoryMaildrops,
    ServerMechanism,
    ServerOptions,
)
from ..server.arguments import require_maildrops, require_mechanisms, require_users
from ..server.hooks import Hooks
from ..server.options import check_settings
from ..server.session import ServerSession
from ..transcript.redact import LineRedactor
from ..transports import Security

if TYPE_CHECKING:
    import ssl

    from .quirks.names import Quirk

__all__ = ["Mail", "Mechanisms", "Sessions", "Users"]

Mail: TypeAlias = MaildropProvider | Mapping[str, Iterable[bytes]]
"""Maildrops for a server to answer from, or the messages of each user."""
Users: TypeAlias = Authenticator | Mapping[str, str]
"""An authenticator, which says who may log in, or the password of each user."""
Mechanisms: TypeAlias = (
    "Iterable[ServerMechanism] | Callable[[ssl.SSLObject | None], Iterable[ServerMechanism]] | None"
)
"""The mechanisms of all connections, or a function that returns those of a TLS connection; ``None``
means PLAIN alone."""

_MOST_SHOWN = 10_000
# Commands without a secret and without free text: the lines that a client has sent show nothing
# that has to be hidden, and no control characters.
_SHOWN = frozenset(
    {Capa, Dele, Lang, Last, List, Noop, Quit, Retr, Rset, Stat, Stls, Top, Uidl, Utf8}
)


class Sessions:
    """Makes the sessions of one server, and keeps the commands of their clients.

    Raises ``LocalProtocolError`` for arguments that do not say who may log in, and for arguments of
    another type.
    """

    def __init__(
        self,
        mail: Mail,
        *,
        password: Secret | None,
        users: Users | None,
        security: Security,
        options: ServerOptions,
        mechanisms: Mechanisms = None,
        limits: Limits = Limits(),
        leniency: Leniency = Leniency(),
        quirks: Iterable[Quirk | str] = (),
    ) -> None:
        check_settings(options, limits, leniency)
        self.maildrops: MaildropProvider = _maildrops(mail)
        """The maildrops that the sessions answer from."""
        self.users: Users = _who_may_log_in(self.maildrops, password, users)
        """The authenticator, or the password of each user."""
        self.commands: list[str] = []
        """The commands that clients have sent so far, without secrets."""
        self._security = security
        # An iterator would be used up by the first session.
        self._mechanisms = (
            mechanisms
            if mechanisms is None or callable(mechanisms)
            else require_mechanisms(mechanisms)
        )
        self._settings: dict[str, Any] = {
            "options": options,
            "limits": limits,
            "leniency": leniency,
            "secure": security is Security.TLS,
            "offer_stls": security is Security.STLS,
        }
        given: list[Any] = listed("quirks are a set or a list", quirks, (Enum, str))
        self._quirks: frozenset[Quirk | str] = frozenset(given)
        # Quirks that contradict each other are refused here, not at the first connection.
        self._hooks()

    def _hooks(self) -> Hooks:
        listening = _Listening(self.commands)
        if self._quirks == frozenset():
            return listening
        # Imported here, because a server without quirks does not need them.
        from .quirks.hooks import Quirks

        return Quirks(self._quirks, beside=listening)

    def new(self) -> ServerSession:
        """Return the session of a new connection."""
        mechanisms = self._mechanisms(None) if callable(self._mechanisms) else self._mechanisms
        return ServerSession(
            self.maildrops,
            self.users,
            mechanisms=mechanisms,
            hooks=self._hooks(),
            **self._settings,
        )

    def under_tls(self, session: ServerSession, tls: ssl.SSLObject) -> None:
        """Make ``session`` offer the mechanisms that belong to its TLS connection."""
        if callable(self._mechanisms):
            session.offer(self._mechanisms(tls))

    @property
    def only_user(self) -> str | None:
        """The one user who may log in; ``None`` if there are several, or if this is not known."""
        names = [*self.users] if isinstance(self.users, Mapping) else []
        return names[0] if len(names) == 1 else None

    def messages(self, user: str) -> list[bytes]:
        """Return the messages that ``user`` has now.

        Raises ``LocalProtocolError`` if there is no such user. Unless the maildrops are in memory,
        also raises what opening a maildrop raises, for example ``MaildropLockedError``.
        """
        require("user", user, str, "a str")
        maildrops = self.maildrops
        known = isinstance(maildrops, MemoryMaildrops) and user in maildrops.users
        if isinstance(maildrops, MemoryMaildrops) and known:
            return maildrops.contents(user)
        if isinstance(self.users, Mapping) and user not in self.users:
            raise LocalProtocolError(
                f"no user is called {user!r}; the users are: {', '.join(self.users) or 'none'}"
            )
        maildrop = maildrops.open(user)
        try:
            numbers = range(1, len(maildrop.messages) + 1)
            return [b"".join(maildrop.open(number)) for number in numbers]
        finally:
            maildrop.close()


def _maildrops(mail: Mail) -> MaildropProvider:
    if isinstance(mail, Mapping):
        return MemoryMaildrops(mail)
    require_maildrops(mail)
    return mail


def _who_may_log_in(
    maildrops: MaildropProvider, password: Secret | None, users: Users | None
) -> Users:
    if users is not None and password is None:
        _check_users(users)
        return users
    if users is not None or password is None:
        raise LocalProtocolError("give either password= or users=, to say who may log in")
    if not isinstance(maildrops, MemoryMaildrops):
        raise LocalProtocolError(
            "password= is for a mapping of users to their messages; here it is users="
        )
    if not issubclass(password.kind, str | bytes):
        raise LocalProtocolError(f"password is a str, not {password.kind.__name__}")
    return dict.fromkeys(maildrops.users, as_text(password.octets()))


def _check_users(users: object) -> None:
    require_users(users)
    if not isinstance(users, Mapping):
        return
    for user, password in cast("Mapping[object, object]", users).items():
        if not (isinstance(user, str) and isinstance(password, str)):
            # Neither is shown: one of them is a password.
            kinds = f"{type(user).__name__} to {type(password).__name__}"
            raise LocalProtocolError(f"users maps names to passwords, both str, not {kinds}")


class _Listening(Hooks):
    def __init__(self, commands: list[str]) -> None:
        self._commands = commands
        # True if the last line belonged to AUTH, at least in the eyes of the client.
        self._auth = False

    def received(self, session: ServerSession, event: Command[Any] | InvalidCommand) -> None:
        """Note the line that was sent, without its secrets."""
        if type(event) in _SHOWN and not isinstance(event, InvalidCommand):
            # Looking for secrets takes as long as answering the command.
            self._commands.append(event.to_bytes()[:-2].decode("ascii"))
            self._auth = False
            return
        within_auth = session.state is State.AUTHENTICATING
        if self._auth and session.state is State.AUTHORIZATION:
            # AUTH was refused, but a client that did not wait, or did not care, goes on with it:
            # a single word that is not a command can be base64.
            unknown = isinstance(event, InvalidCommand | Extension)
            within_auth = unknown and b" " not in _line(event)
        self._commands.append(_shown(event, within_auth=within_auth))
        self._auth = within_auth or isinstance(event, Auth)


def _shown(event: Command[Any] | InvalidCommand, *, within_auth: bool) -> str:
    redactor = LineRedactor()
    if within_auth:
        redactor.sent(b"AUTH X")
    return printable(redactor.shown(_line(event)), _MOST_SHOWN)


def _line(event: Command[Any] | InvalidCommand) -> bytes:
    if isinstance(event, InvalidCommand):
        return event.line
    if isinstance(event, Auth) and event.initial_response is not None:
        # A server accepts a longer line than a client may send.
        event = Auth(event.mechanism, b"\0")
    return event.to_bytes().removesuffix(b"\r\n")
