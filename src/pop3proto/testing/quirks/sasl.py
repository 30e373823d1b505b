"""The quirks of a server's logins: how AUTH goes on, and what a login is refused with."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ...model.commands import Auth, Command
from ...model.events import ServerReply
from ...model.replies import Challenge, ResponseCode
from ...sasl.users import Attempt, Authenticator, ServerMechanism
from ...server import ServerSession
from ...server.actions import Delay
from .names import Quirk

__all__ = ["QuirkyLogins"]

_REFUSALS: dict[Quirk, tuple[str, ResponseCode | None]] = {
    Quirk.LOCKED_IN_PROSE: ("the maildrop is locked, wait", None),
    Quirk.LOGIN_IN_USE: ("not now", ResponseCode.IN_USE),
    Quirk.LOGIN_DELAY: ("not now", ResponseCode.LOGIN_DELAY),
    Quirk.LOGIN_SYS_TEMP: ("not now", ResponseCode.SYS_TEMP),
    Quirk.LOGIN_SYS_PERM: ("not here", ResponseCode.SYS_PERM),
    Quirk.LOGIN_AUTH: ("no", ResponseCode.AUTH),
}
# What slow servers were seen to take: for a wrong password, and for a right one after it.
_REFUSAL, _LOGIN = 5.0, 8.0
# The mechanisms of access tokens, and what there is to be done wrong with them.
_OAUTH = ("XOAUTH2", "OAUTHBEARER")
_OF_TOKENS = {Quirk.TWO_STEP_XOAUTH2, Quirk.SHORT_TOKENS, Quirk.NO_TOKENS}
_LONGEST = 4096
_NO_TOKEN = b'{"status":"401","schemes":"bearer","scope":"https://mail.example.org/POP"}'
# How the last challenge of SCRAM (RFC 5802 section 7) and DIGEST-MD5 (RFC 2831 section 2.1.3)
# begins.
_LAST = (b"v=", b"rspauth=")


class _PasswordsAsTokens:
    """For a server that has to have OAuth: a user's password is the access token."""

    def __init__(self, users: Authenticator) -> None:
        self._users = users

    def check_token(self, user: str, token: str) -> bool:
        """Whether ``token`` is the password of ``user``."""
        return self._users.check(user, token)


class QuirkyLogins(ServerSession):
    """A session that logs clients in as badly as its quirks say."""

    quirks: frozenset[Quirk]
    _slow = False
    _explained = False
    _waiting: str | None = None

    def offer(self, mechanisms: Iterable[ServerMechanism]) -> None:
        """Offer these mechanisms from now on; those of access tokens, too, for their quirks."""
        super().offer(mechanisms)
        if self.quirks & _OF_TOKENS:
            from ...sasl.server import ServerOAuthBearer, ServerXOAuth2

            tokens = _PasswordsAsTokens(self._users)
            for mechanism in (ServerXOAuth2(tokens), ServerOAuthBearer(tokens)):
                self._mechanisms.setdefault(mechanism.name, mechanism)

    def _begin_login(self, command: Auth) -> None:
        self._explained, self._waiting = False, None
        refuses = Quirk.NO_INITIAL_RESPONSE in self.quirks or (
            command.mechanism == "XOAUTH2" and Quirk.TWO_STEP_XOAUTH2 in self.quirks
        )
        if command.initial_response is not None and refuses:
            self._bad_command(command, "no initial response, please")
        else:
            super()._begin_login(command)

    def _respond(self, auth: Auth, exchange: Attempt, data: bytes | None) -> None:
        if data is None and auth.mechanism == "PLAIN" and Quirk.LOGIN_PROMPTS in self.quirks:
            self._reply(Challenge(auth, b"Username:"))
        elif self._waiting is not None and not data:
            self._open(auth, self._waiting)
        elif self._waiting is not None or self._explained:
            self._refuse_login(auth)
        elif data is not None and auth.mechanism in _OAUTH and self._is_no_token(data):
            self._explained = True
            self._reply(Challenge(auth, _NO_TOKEN))
        else:
            super()._respond(auth, exchange, data)

    def _is_no_token(self, data: bytes) -> bool:
        token = data.rpartition(b" ")[2].rstrip(b"\x01")
        long = len(token) > _LONGEST and Quirk.SHORT_TOKENS in self.quirks
        return long or Quirk.NO_TOKENS in self.quirks

    def _refuse_login(self, command: Command[Any]) -> None:
        self._slow = Quirk.SLOW_LOGINS in self.quirks
        if Quirk.SLOW_REFUSALS in self.quirks:
            self._queue.append(Delay(_REFUSAL))
        super()._refuse_login(command)

    def _open(self, command: Command[Any], user: str) -> None:
        asks = Quirk.SUPERFLUOUS_CHALLENGE in self.quirks and self._waiting is None
        if asks and isinstance(command, Auth):
            self._waiting = user
            self._reply(Challenge(command, b""))
            return
        if self._slow:
            self._queue.append(Delay(_LOGIN))
        self._slow, self._waiting = False, None
        for quirk, (reason, code) in _REFUSALS.items():
            if quirk in self.quirks:
                self._bad_command(command, reason, code)
                return
        super()._open(command, user)

    def _go_on_alone(self, reply: ServerReply) -> None:
        """Take the client's last response for given, as soon as it has been asked for."""
        last = isinstance(reply, Challenge) and reply.data.startswith(_LAST)
        if last and Quirk.NO_LAST_RESPONSE in self.quirks:
            self._connection.receive_data(b"\r\n")
