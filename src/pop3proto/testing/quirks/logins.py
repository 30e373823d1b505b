"""Quirks of logins: how AUTH goes on, and what a login is refused with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...model.command import Command
from ...model.login_commands import Apop, Auth, Pass
from ...model.replies import Challenge, ErrorReply, ResponseCode, ServerReply
from ...sasl.users import Attempt, LoggedIn, ServerMechanism, Verdict
from .row import Row, Situation

# The seconds that slow servers took: for a wrong password, and for the right one after it.
_REFUSAL, _LOGIN = 5.0, 8.0
# The mechanisms of access tokens.
_OAUTH = ("XOAUTH2", "OAUTHBEARER")
_LONGEST = 4096
_NO_TOKEN = b'{"status":"401","schemes":"bearer","scope":"https://mail.example.org/POP"}'
# The beginning of the last challenge of SCRAM (RFC 5802 section 7) and DIGEST-MD5 (RFC 2831
# section 2.1.3).
_LAST = (b"v=", b"rspauth=")


class _Changed:
    """A mechanism whose attempts are changed."""

    def __init__(self, mechanism: ServerMechanism, change: Callable[[Attempt], Attempt]) -> None:
        self.name = mechanism.name
        self.shows_password = mechanism.shows_password
        self._begin = mechanism.begin
        self._change = change

    def begin(self) -> Attempt:
        return self._change(self._begin())


class _Prompting:
    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt

    def respond(self, data: bytes | None) -> Verdict:
        return b"Username:" if data is None else self._attempt.respond(data)


class _AskingAgain:
    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt
        self._success: LoggedIn | None = None

    def respond(self, data: bytes | None) -> Verdict:
        if self._success is not None:
            return None if data else self._success
        verdict = self._attempt.respond(data)
        if isinstance(verdict, LoggedIn):
            self._success = verdict
            return b""
        return verdict


class _RefusingTokens:
    def __init__(self, attempt: Attempt, longest: int) -> None:
        self._attempt = attempt
        self._longest = longest
        self._explained = False

    def respond(self, data: bytes | None) -> Verdict:
        if self._explained:
            return None
        if data is None or len(data.rpartition(b" ")[2].rstrip(b"\x01")) <= self._longest:
            return self._attempt.respond(data)
        self._explained = True
        return _NO_TOKEN


def _refusing_tokens(longest: int) -> Callable[[ServerMechanism], ServerMechanism]:
    def change(mechanism: ServerMechanism) -> ServerMechanism:
        if mechanism.name not in _OAUTH:
            return mechanism
        return _Changed(mechanism, lambda attempt: _RefusingTokens(attempt, longest))

    return change


def _refusal(
    reason: str, code: ResponseCode | None
) -> Callable[[Command[Any], str | None, Situation], ErrorReply | None]:
    """Return a function that refuses a login that has succeeded."""

    def refuse(command: Command[Any], user: str | None, situation: Situation) -> ErrorReply | None:
        return None if user is None else ErrorReply(command, reason, code)

    return refuse


def _slow_refusal(command: Command[Any], user: str | None, situation: Situation) -> None:
    situation.delay += _REFUSAL if user is None else 0.0


def _slow_login(command: Command[Any], user: str | None, situation: Situation) -> None:
    situation.delay += _LOGIN if situation.refused and user is not None else 0.0


def _challenge(text: bytes, *, only_empty: bool) -> Callable[[bytes, ServerReply], bytes]:
    def change(line: bytes, reply: ServerReply) -> bytes:
        changes = isinstance(reply, Challenge) and (line == b"+ " or not only_empty)
        return text if changes else line

    return change


def _no_initial_response(*mechanisms: str) -> Callable[[Command[Any], Situation], str]:
    """Return a function that refuses initial responses, of any mechanism if none is named."""

    def refuse(command: Command[Any], situation: Situation) -> str:
        refused = (
            isinstance(command, Auth)
            and command.initial_response is not None
            and (not mechanisms or command.mechanism in mechanisms)
        )
        return "no initial response, please" if refused else ""

    return refuse


PROSE_CHALLENGES = Row(
    "writes prose where an empty challenge belongs",
    "simulators, several servers",
    "empty-challenge",
    status=_challenge(b"+ Go on, please", only_empty=True),
)
ONLY_PROSE_CHALLENGES = Row(
    "writes prose in place of every challenge",
    "simulators",
    "empty-challenge",
    status=_challenge(b"+ Go on, please", only_empty=False),
)
BARE_CHALLENGES = Row(
    "sends an empty challenge as + without its space",
    "several",
    "empty-challenge challenge-indicator",
    status=_challenge(b"+", only_empty=True),
)
OK_CHALLENGES = Row(
    "writes +OK before its challenges",
    "Exchange 2003, NTLM",
    "challenge-indicator",
    status=lambda line, reply: b"+OK" + line[1:] if isinstance(reply, Challenge) else line,
)
LOGIN_PROMPTS = Row(
    "answers AUTH PLAIN with the first prompt of LOGIN",
    "Ipswitch IMail",
    mechanism=lambda mechanism: (
        _Changed(mechanism, _Prompting) if mechanism.name == "PLAIN" else mechanism
    ),
)
SUPERFLUOUS_CHALLENGE = Row(
    "wants an empty response when a login with AUTH is complete",
    "servers that treat all mechanisms alike",
    mechanism=lambda mechanism: _Changed(mechanism, _AskingAgain),
)
NO_LAST_RESPONSE = Row(
    "does not wait for the empty response that ends SCRAM and DIGEST-MD5",
    "servers that treat all mechanisms alike",
    goes_on=lambda reply: isinstance(reply, Challenge) and reply.data.startswith(_LAST),
)
NO_INITIAL_RESPONSE = Row(
    "refuses AUTH with an initial response",
    "several",
    refuses=_no_initial_response(),
)
TWO_STEP_XOAUTH2 = Row(
    "refuses XOAUTH2 with the access token on the line of AUTH",
    "Office 365",
    tokens=True,
    refuses=_no_initial_response("XOAUTH2"),
)
SHORT_TOKENS = Row(
    "refuses access tokens of more than 4,096 octets",
    "servers with small buffers",
    tokens=True,
    mechanism=_refusing_tokens(_LONGEST),
)
NO_TOKENS = Row(
    "refuses every access token, and says why in JSON",
    "Gmail, Office 365",
    tokens=True,
    mechanism=_refusing_tokens(-1),
)
LOCKED_IN_PROSE = Row(
    "refuses a login because the maildrop is locked, but says so only in prose, without a code",
    "qpopper, InterMail",
    "refusal",
    login=_refusal("the maildrop is locked, wait", None),
)
LOGIN_IN_USE = Row(
    "refuses a login with the code IN-USE",
    "servers that follow RFC 2449",
    "refusal",
    login=_refusal("not now", ResponseCode.IN_USE),
)
LOGIN_DELAY = Row(
    "refuses a login with the code LOGIN-DELAY",
    "servers that follow RFC 2449",
    "refusal",
    login=_refusal("not now", ResponseCode.LOGIN_DELAY),
)
LOGIN_SYS_TEMP = Row(
    "refuses a login with the code SYS/TEMP",
    "servers that follow RFC 3206",
    "refusal",
    login=_refusal("not now", ResponseCode.SYS_TEMP),
)
LOGIN_SYS_PERM = Row(
    "refuses a login with the code SYS/PERM",
    "servers that follow RFC 3206",
    "refusal",
    login=_refusal("not here", ResponseCode.SYS_PERM),
)
LOGIN_AUTH = Row(
    "refuses every login with the code AUTH",
    "servers that follow RFC 3206",
    "refusal",
    login=_refusal("no", ResponseCode.AUTH),
)
SLOW_REFUSALS = Row(
    "takes five seconds to refuse a password", "Courier, Dovecot", login=_slow_refusal
)
SLOW_LOGINS = Row(
    "takes eight seconds for a login that follows a refused one",
    "Courier, Dovecot",
    login=_slow_login,
)
CLOSES_ON_FAILED_LOGIN = Row(
    "closes after a refused AUTH, APOP or PASS",
    "several",
    closes=lambda reply: (
        isinstance(reply, ErrorReply) and isinstance(reply.command, Auth | Apop | Pass)
    ),
)
