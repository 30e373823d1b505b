"""Logins of a server's session: the answers to USER, PASS, APOP and AUTH."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from .._arguments import require
from ..errors import LocalProtocolError
from ..model.command import Command
from ..model.login_commands import Apop, Auth, AuthCancel, AuthList, AuthResponse, Pass, User
from ..model.replies import (
    Challenge,
    ErrorReply,
    Greeting,
    MechanismsReply,
    Ok,
    ResponseCode,
)
from ..model.secret import Secret
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
from .arguments import require_mechanisms, require_users
from .options import ServerOptions

__all__ = ["LoginAnswer", "LoginCommand", "Logins"]

LoginCommand: TypeAlias = User | Pass | Apop | Auth | AuthResponse | AuthCancel | AuthList
LoginAnswer: TypeAlias = LoggedIn | Challenge | Ok | MechanismsReply | ErrorReply | None
"""A login, or an answer on the way to one; an ``ErrorReply`` to a command that could never have
logged in; ``None`` for a wrong password, and for anything that is refused like one."""


class Logins:
    """The ways to log in, and the steps of a login so far."""

    def __init__(
        self,
        users: Authenticator | Mapping[str, str],
        options: ServerOptions,
        timestamp: str | None,
        *,
        secure: bool,
    ) -> None:
        require_users(users)
        self.users: Passwords | Authenticator = (
            Passwords(users) if isinstance(users, Mapping) else users
        )
        self.secure = secure
        self.timestamp: str | None = self._chosen(timestamp, options)
        """The timestamp for APOP, or ``None`` if APOP is not offered."""
        self.auth: Auth | None = None
        """The AUTH command that is not over yet."""
        self.named: str | None = None
        """The user that USER has named, until the next command."""
        self._options = options
        self._mechanisms: dict[str, ServerMechanism] = {}
        self._attempt: Attempt | None = None
        self._rounds = 0

    def _chosen(self, timestamp: str | None, options: ServerOptions) -> str | None:
        if not options.apop or not isinstance(self.users, PasswordSource):
            return None
        if timestamp is None:
            # Imported here, because few servers need it.
            from secrets import token_hex

            # RFC 1939 section 7: a different one each time. If one could be guessed, somebody could
            # make a client compute its digest beforehand.
            timestamp = f"<{token_hex(16)}@{options.host_name}>"
        require("timestamp", timestamp, str, "a str")
        if Greeting(timestamp).timestamp != timestamp:
            raise LocalProtocolError(
                f"a timestamp is a msg-id in angle brackets, not {timestamp!r}"
            )
        return timestamp

    def default_mechanisms(self) -> Iterable[ServerMechanism]:
        """Return the mechanisms to offer where the caller names none."""
        return (ServerPlain(self.users),)

    def offer(self, mechanisms: Iterable[ServerMechanism]) -> None:
        """Offer these mechanisms from now on, the best first.

        Raises ``LocalProtocolError`` if one of them is not a mechanism.
        """
        self._mechanisms = {each.name: each for each in require_mechanisms(mechanisms)}

    @property
    def may_show_password(self) -> bool:
        """True if logins that show the password are accepted now."""
        return self.secure or self._options.allow_plaintext_auth

    @property
    def mechanisms(self) -> tuple[str, ...]:
        """The names of the mechanisms that can be used now."""
        mechanisms = self._mechanisms.values()
        allowed = self.may_show_password
        return tuple(m.name for m in mechanisms if allowed or not m.shows_password)

    def give_up(self) -> None:
        """End AUTH, if it is not over yet."""
        self.auth = self._attempt = None

    def answer(self, command: LoginCommand) -> LoginAnswer:
        """Return the result of a command that is legal now."""
        match command:
            case User():
                return self._name(command)
            case Pass():
                return self._check_password(command)
            case Apop():
                return self._check_digest(command)
            case Auth():
                return self._begin(command)
            case AuthResponse(data):
                return self._respond(self.auth or command, data)
            case AuthCancel():
                # RFC 5034 section 4: the client cancels with an asterisk.
                return ErrorReply(self.auth, "the login was cancelled")
            case _:
                return MechanismsReply(command, self.mechanisms)

    def _name(self, command: User) -> Ok | ErrorReply:
        if not self.may_show_password:
            return _needs_tls(command)
        # RFC 1939 section 7 allows the server to reveal if there is such a user; it is safer not
        # to.
        self.named = as_text(command.name)
        return Ok(command, "now the password")

    def _check_password(self, command: Pass) -> LoginAnswer:
        user, self.named = self.named, None
        if not self.may_show_password:
            return _needs_tls(command)
        if user is None:
            return ErrorReply(command, "USER comes first")
        password = as_text(command.password.reveal())
        return LoggedIn(user) if self.users.check(user, password) else None

    def _check_digest(self, command: Apop) -> LoginAnswer:
        users = self.users
        if self.timestamp is None or not isinstance(users, PasswordSource):
            return ErrorReply(command, "not offered")
        user = as_text(command.name)
        password = users.password_for(user)
        matches = apop_digest_matches(str(command.digest.reveal()), self.timestamp, password)
        return LoggedIn(user) if matches else None

    def _begin(self, command: Auth) -> LoginAnswer:
        mechanism = self._mechanisms.get(command.mechanism)
        if mechanism is None:
            return ErrorReply(command, "this mechanism is not offered")
        if mechanism.shows_password and not self.may_show_password:
            return _needs_tls(command)
        self.auth, self._attempt, self._rounds = command, mechanism.begin(), 0
        return self._respond(command, command.initial_response)

    def _respond(self, auth: Auth | AuthResponse, response: Secret | None) -> LoginAnswer:
        data = None if response is None else response.octets()
        verdict = None if self._attempt is None else self._attempt.respond(data)
        if isinstance(verdict, LoggedIn):
            return verdict
        if verdict is None or self._rounds >= self._options.max_auth_rounds:
            return None
        self._rounds += 1
        return Challenge(auth, verdict)


def _needs_tls(command: Command[Any]) -> ErrorReply:
    # RFC 3206 section 4: too little encryption is a problem with the credentials, too.
    return ErrorReply(command, "a password is only taken under TLS", ResponseCode.AUTH)
