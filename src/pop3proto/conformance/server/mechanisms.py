"""Cases about the SASL mechanisms besides PLAIN: SCRAM, CRAM-MD5 and those of OAuth."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable
from typing import Any

from ...errors import LoginError, printable
from ...model.grammar import decode_base64
from ...sasl import CramMd5, OAuthBearer, ScramSha1, ScramSha256, XOAuth2
from ..case import CaseFailedError, NotOfferedError, Severity, demand
from ..wire import Status, Wire
from .auth import over
from .run import CASES, ServerRun

# RFC 2449 section 4, which holds for an initial response as well (RFC 5034 section 4).
_MOST_OCTETS = 255
# RFC 7677 section 4, and RFC 5802 section 5.1 for SHA-1.
_LEAST_ITERATIONS = 4096
# No exchange takes more steps.
_MOST_STEPS = 10
# RFC 822's msg-id, as in an APOP greeting.
_MESSAGE_ID = re.compile(rb"<[\x21-\x3b\x3d\x3f-\x7e]+@[\x21-\x3b\x3d\x3f-\x7e]+>")
_SCRAM = {"SCRAM-SHA-1": ScramSha1, "SCRAM-SHA-256": ScramSha256}
_TOKEN = "not-a-token"  # noqa: S105 - what is to be refused

Change = Callable[[bytes], bytes]


def offered(run: ServerRun, name: str) -> None:
    """Raise ``NotOfferedError`` unless a mechanism is announced before the login."""
    if name not in [each.upper() for each in run.need("SASL", before_login=True)]:
        raise NotOfferedError(f"the mechanism {name} is not announced")


def scram_names(run: ServerRun) -> list[str]:
    """Return the SCRAM mechanisms that are announced, of those that are tested."""
    announced = [each.upper() for each in run.need("SASL", before_login=True)]
    names = [name for name in _SCRAM if name in announced]
    if not names:
        raise NotOfferedError("no mechanism of SCRAM is announced")
    return names


def free(run: ServerRun) -> Wire:
    """Return a connection before the login, while nobody has the maildrop."""
    run.bye(run.logged_in("a session before, so that nobody else has the maildrop"))
    return run.secured()


class Exchange:
    """An AUTH that one of our own mechanisms goes through."""

    def __init__(self, run: ServerRun, wire: Wire, mechanism: Any) -> None:
        self.challenges: list[bytes] = []
        """What the server has sent, decoded."""
        self._patience = run.patience
        self._wire = wire
        self._mechanism = mechanism

    def drive(self, change: Change = bytes) -> Status:
        """Go on until the server ends it, and return that answer.

        ``change`` makes something else of each response but the first. Raises ``CaseFailedError``
        if a challenge is wrong.
        """
        name = self._mechanism.name.encode("ascii")
        first = self._mechanism.initial()
        line = b"AUTH " + name
        if first is not None and len(line) + len(b64encode(first)) + 3 <= _MOST_OCTETS:
            line, first = line + b" " + b64encode(first), None
        answer = self._ask(line)
        for _ in range(_MOST_STEPS):
            if not answer.content.startswith(b"+ ") and answer.content != b"+":
                return answer
            challenge = self._decoded(answer)
            if first is not None:
                response, first = first, None
            else:
                response = change(self._respond(challenge))
            answer = self._ask(b64encode(response))
        raise CaseFailedError(f"AUTH does not end: the last answer is {answer}")

    def _ask(self, line: bytes) -> Status:
        return self._wire.ask(line, timeout=self._patience)

    def _decoded(self, answer: Status) -> bytes:
        challenge = decode_base64(answer.content[2:])
        if challenge is None:
            raise CaseFailedError(f"a challenge is no base64: {answer}")
        self.challenges.append(challenge)
        return challenge

    def _respond(self, challenge: bytes) -> bytes:
        try:
            response: bytes = self._mechanism.respond(challenge)
        except LoginError as error:
            raise CaseFailedError(printable(str(error))) from error
        return response


def scram(run: ServerRun, name: str, password: bytes | None = None, **how: Any) -> Any:
    """Return our side of a SCRAM mechanism, which takes any number of iterations."""
    user, right = run.credentials()
    secret = right if password is None else password
    return _SCRAM[name](user, secret, min_iterations=1, **how)


def logs_in(run: ServerRun, name: str) -> None:
    """Demand that a SCRAM mechanism logs in, and that the server proves that it may do that."""
    offered(run, name)
    mechanism = scram(run, name)
    wire = free(run)
    run.demand_login(Exchange(run, wire, mechanism).drive(), "it is")
    demand(mechanism.complete, "the server has not proved that it knows the password")
    run.bye(wire)


@CASES.case(
    "S861",
    "RFC 5802 section 5",
    "SCRAM-SHA-1 logs in, and the server proves that it knows the password.",
)
def _(run: ServerRun) -> None:
    logs_in(run, "SCRAM-SHA-1")


@CASES.case(
    "S862",
    "RFC 7677 section 3",
    "SCRAM-SHA-256 logs in, and the server proves that it knows the password.",
)
def _(run: ServerRun) -> None:
    logs_in(run, "SCRAM-SHA-256")


@CASES.case(
    "S863",
    "RFC 7677 section 4",
    "SCRAM asks for 4,096 iterations or more.",
    severity=Severity.WARNING,
)
def _(run: ServerRun) -> None:
    for name in scram_names(run):
        mechanism = scram(run, name)
        wire = free(run)
        exchange = Exchange(run, wire, mechanism)
        run.demand_login(exchange.drive(), f"{name} is")
        asked = [part[2:] for part in exchange.challenges[0].split(b",") if part[:2] == b"i="]
        number = int(asked[0]) if asked else 0
        demand(number >= _LEAST_ITERATIONS, f"{name} asks for {number} iterations")
        run.bye(wire)


@CASES.case("S864", "RFC 5802 section 5", "SCRAM with the proof of a wrong password is refused.")
def _(run: ServerRun) -> None:
    run.credentials()
    for name in scram_names(run):
        refused(run, scram(run, name, b"not-the-password"))


@CASES.case(
    "S865",
    "RFC 5802 section 5.1",
    "SCRAM with another nonce than the server's in the second message is refused.",
)
def _(run: ServerRun) -> None:
    run.credentials()
    for name in scram_names(run):
        refused(run, scram(run, name), another_nonce)


def another_nonce(response: bytes) -> bytes:
    """Return the client's last message with another nonce; the proof is that of the right one."""
    return re.sub(rb",r=[^,]*", b",r=another", response)


@CASES.case(
    "S866",
    "RFC 5802 section 6",
    "SCRAM is refused if the client believes that there is no -PLUS, and there is.",
)
def _(run: ServerRun) -> None:
    announced = [each.upper() for each in run.need("SASL", before_login=True)]
    names = [name for name in scram_names(run) if f"{name}-PLUS" in announced]
    if not names:
        raise NotOfferedError("no mechanism with -PLUS is announced")
    for name in names:
        refused(run, scram(run, name, can_bind=True))


def refused(run: ServerRun, mechanism: Any, change: Change = bytes) -> None:
    """Demand that AUTH is refused, with or without a reason of the mechanism before that."""
    wire = free(run)
    try:
        answer = Exchange(run, wire, mechanism).drive(change)
    except CaseFailedError as error:
        # RFC 5802 section 7: the reason is a message of its own, to which nothing can be said.
        if not isinstance(error.__cause__, LoginError):
            raise
        answer = wire.ask(b"", timeout=run.patience)
    demand(answer.content.startswith(b"-"), f"{mechanism.name} is answered with {answer}")


@CASES.case(
    "S867",
    "RFC 2195 section 2",
    "The challenge of CRAM-MD5 is a msg-id, another one each time, and its digest logs in.",
)
def _(run: ServerRun) -> None:
    offered(run, "CRAM-MD5")
    user, password = run.credentials()
    seen: list[bytes] = []
    for _ in range(2):
        wire = free(run)
        exchange = Exchange(run, wire, CramMd5(user, password))
        run.demand_login(exchange.drive(), "it is")
        seen += exchange.challenges
        run.bye(wire)
    for each in seen:
        demand(_MESSAGE_ID.fullmatch(each), f"the challenge is {printable(each)}")
    demand(len({*seen}) == len(seen), "the challenge is the same again")


@CASES.case("S868", "RFC 2195 section 2", "CRAM-MD5 with a wrong digest is refused.")
def _(run: ServerRun) -> None:
    offered(run, "CRAM-MD5")
    user, _ = run.credentials()
    refused(run, CramMd5(user, b"not-the-password"))


@CASES.case(
    "S869",
    "RFC 5034 section 4",
    "An initial response is refused by a mechanism that has none, such as CRAM-MD5.",
)
def _(run: ServerRun) -> None:
    offered(run, "CRAM-MD5")
    over(run.secured().ask(b"AUTH CRAM-MD5 " + b64encode(b"user 0"), timeout=run.patience))


def explains(run: ServerRun, mechanism: Any) -> None:
    """Demand that a token that nobody has issued is refused, with a reason before that."""
    import json

    offered(run, mechanism.name)
    exchange = Exchange(run, run.secured(), mechanism)
    answer = exchange.drive()
    demand(answer.content.startswith(b"-"), f"a wrong token is answered with {answer}")
    reasons = [each for each in exchange.challenges if each]
    demand(reasons, "the token is refused without a reason")
    try:
        told: object = json.loads(reasons[0])
    except ValueError:
        told = None
    found = isinstance(told, dict) and "status" in told
    demand(found, f"the reason is no JSON with a status: {printable(reasons[0], 120)}")


@CASES.case(
    "S870",
    "RFC 7628 section 3.2.2",
    "OAUTHBEARER refuses a wrong token with JSON that has a status, and then with -ERR.",
)
def _(run: ServerRun) -> None:
    explains(run, OAuthBearer(run.target.user or "user", _TOKEN))


@CASES.case(
    "S871",
    # The description of XOAUTH2, which is no RFC, says that an error comes in this way.
    "RFC 4422 section 3.6",
    "XOAUTH2 refuses a wrong token with JSON that has a status, and then with -ERR.",
    severity=Severity.WARNING,
)
def _(run: ServerRun) -> None:
    explains(run, XOAuth2(run.target.user or "user", _TOKEN))
