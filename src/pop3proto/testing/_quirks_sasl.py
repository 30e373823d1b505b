"""The quirks of a server's logins: how AUTH goes on, and what a login is refused with."""

from __future__ import annotations

from typing import Any

from .._actions import Delay
from .._logins import Exchange
from ..commands import Auth, Command
from ..replies import Challenge, ResponseCode
from ..serving import ServerSession
from ._quirk_names import Quirk

__all__ = ["QuirkyLogins"]

_REFUSALS: dict[Quirk, tuple[str, ResponseCode | None]] = {
    Quirk.LOCKED_IN_PROSE: ("the maildrop is locked, wait", None),
    Quirk.LOGIN_IN_USE: ("not now", ResponseCode.IN_USE),
    Quirk.LOGIN_DELAY: ("not now", ResponseCode.LOGIN_DELAY),
    Quirk.LOGIN_SYS_TEMP: ("not now", ResponseCode.SYS_TEMP),
    Quirk.LOGIN_SYS_PERM: ("not here", ResponseCode.SYS_PERM),
    Quirk.LOGIN_AUTH: ("no", ResponseCode.AUTH),
}
# What slow servers were seen to take.
_PATIENCE = 5.0


class QuirkyLogins(ServerSession):
    """A session that logs clients in as badly as its quirks say."""

    quirks: frozenset[Quirk]

    def _begin_login(self, command: Auth) -> None:
        if command.initial_response is not None and Quirk.NO_INITIAL_RESPONSE in self.quirks:
            self._bad_command(command, "no initial response, please")
        else:
            super()._begin_login(command)

    def _respond(self, auth: Auth, exchange: Exchange, data: bytes | None) -> None:
        if data is None and auth.mechanism == "PLAIN" and Quirk.LOGIN_PROMPTS in self.quirks:
            self._reply(Challenge(auth, b"Username:"))
        else:
            super()._respond(auth, exchange, data)

    def _refuse_login(self, command: Command[Any]) -> None:
        if Quirk.SLOW_REFUSALS in self.quirks:
            self._queue.append(Delay(_PATIENCE))
        super()._refuse_login(command)

    def _open(self, command: Command[Any], user: str) -> None:
        for quirk, (reason, code) in _REFUSALS.items():
            if quirk in self.quirks:
                self._bad_command(command, reason, code)
                return
        super()._open(command, user)

    def _changed_challenge(self, line: bytes) -> bytes:
        """How a line that begins with ``+`` and a space is sent."""
        quirks = self.quirks
        if line == b"+ " and Quirk.PROSE_CHALLENGES in quirks:
            line = b"+ Go on, please"
        elif line == b"+ " and Quirk.BARE_CHALLENGES in quirks:
            line = b"+"
        if Quirk.OK_CHALLENGES in quirks:
            line = b"+OK" + line[1:]
        return line
