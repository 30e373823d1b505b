"""What a server says when a login fails, and what is made of it; secrets when sending fails."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from pop3proto import Auth, AuthenticationError, ConnectionLostError, State
from pop3proto.client.client import AsyncClient
from pop3proto.client.stepping import run
from pop3proto.errors import (
    CredentialsError,
    LoginDelayError,
    MaildropInUseError,
    PermanentServerError,
    PlaintextAuthError,
    SaslError,
    TemporaryServerError,
)
from pop3proto.sasl import DigestMd5, External, Mechanism, Plain
from pop3proto.transcript import Recorder
from pop3proto.transports import ClientOptions, Security
from tests.client.test_authentication import (
    NO,
    OK,
    PASS,
    PLAIN,
    SECRET,
    Script,
    Talk,
    b64,
    capa,
    client,
)
from tests.tracebacks import shown

CODES = [
    ("AUTH", CredentialsError),
    ("IN-USE", MaildropInUseError),
    ("LOGIN-DELAY", LoginDelayError),
    ("SYS/TEMP", TemporaryServerError),
    ("SYS/PERM", PermanentServerError),
]
codes = pytest.mark.parametrize(("code", "cls"), CODES)


def refusal(code: str) -> bytes:
    return b"-ERR [%s] no\r\n" % code.encode()


# The answer to the cancelling


@codes
def test_a_code_in_the_answer_to_the_cancelling(code: str, cls: type[AuthenticationError]) -> None:
    error = SaslError("odd challenge")

    def respond(challenge: bytes) -> bytes:
        raise error

    made, _ = client(capa(), (b"AUTH X-OWN", b"+ \r\n"), (b"*", refusal(code)), capa())
    with pytest.raises(cls, match="odd challenge; the server refused") as caught:
        run(made.authenticate(Talk(respond)))
    assert type(caught.value) is cls
    assert caught.value.__cause__ is error
    assert caught.value.text == "no"
    run(made.capa())


def test_an_error_without_a_text() -> None:
    def respond(challenge: bytes) -> bytes:
        raise SaslError

    made, _ = client(capa(), (b"AUTH X-OWN", b"+ \r\n"), (b"*", refusal("AUTH")))
    with pytest.raises(CredentialsError, match="SaslError; the server refused"):
        run(made.authenticate(Talk(respond)))


@codes
def test_it_ends_the_search(code: str, cls: type[AuthenticationError]) -> None:
    made, script = client(
        capa("SASL CRAM-MD5 PLAIN"), (b"AUTH CRAM-MD5", b"+ \r\n"), (b"*", refusal(code))
    )
    with pytest.raises(cls, match="CRAM-MD5 challenge is empty"):
        run(made.login("user", SECRET, mechanisms=["CRAM-MD5", "PLAIN", "USER"]))
    assert len(script.sent) == 3


def test_what_ones_own_mechanism_raises_is_raised_in_any_case() -> None:
    def respond(challenge: bytes) -> bytes:
        raise ValueError("odd")

    made, _ = client(capa(), (b"AUTH X-OWN", b"+ \r\n"), (b"*", refusal("AUTH")), (b"CAPA", b""))
    with pytest.raises(ValueError, match="odd"):
        run(made.authenticate(Talk(respond)))
    with pytest.raises(ConnectionLostError) as caught:
        run(made.capa())
    assert isinstance(caught.value.__cause__, CredentialsError)


# SCRAM's own errors (RFC 5802 section 7), with the exchange of RFC 7677 section 3

NONCE = "rOprNGfwEbeRWgbNEkqO"
CHALLENGE = b"r=%s%%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
FINAL = (
    b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
    b"p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
)


def scram(
    monkeypatch: pytest.MonkeyPatch, reason: bytes, *rest: tuple[bytes, bytes]
) -> tuple[AsyncClient, Script]:
    """A server that answers the proof with an error."""
    monkeypatch.setattr("pop3proto.sasl.scram.fresh_nonce", NONCE.encode)
    return client(
        capa("SASL SCRAM-SHA-256 SCRAM-SHA-1 PLAIN"),
        (
            b"AUTH SCRAM-SHA-256 " + b64(b"n,,n=user,r=" + NONCE.encode()),
            b"+ " + b64(CHALLENGE % NONCE.encode()) + b"\r\n",
        ),
        (b64(FINAL), b"+ " + b64(b"e=" + reason) + b"\r\n"),
        *rest,
    )


@pytest.mark.parametrize("answer", [NO, refusal("AUTH")])
@pytest.mark.parametrize("reason", [b"invalid-proof", b"unknown-user"])
@pytest.mark.parametrize("how", [{}, {"mechanisms": ["SCRAM-SHA-256", "PLAIN", "USER"]}])
def test_a_proof_that_is_wrong_ends_the_search(
    monkeypatch: pytest.MonkeyPatch, reason: bytes, answer: bytes, how: dict[str, Any]
) -> None:
    made, script = scram(monkeypatch, reason, (b"*", answer))
    with pytest.raises(CredentialsError, match=reason.decode()) as caught:
        run(made.login("user", "pencil", **how))
    assert caught.value.text == "no"
    assert caught.value.command == Auth("SCRAM-SHA-256", b"n,,n=user,r=" + NONCE.encode())
    assert caught.value.__cause__ is not None
    assert len(script.sent) == 4


def test_a_server_that_closes_upon_the_cancelling(monkeypatch: pytest.MonkeyPatch) -> None:
    made, _ = scram(monkeypatch, b"invalid-proof", (b"*", b""))
    with pytest.raises(ConnectionLostError) as caught:
        run(made.login("user", "pencil"))
    assert isinstance(caught.value.__cause__, CredentialsError)


def test_another_error_leads_to_the_next_mechanism(monkeypatch: pytest.MonkeyPatch) -> None:
    first = b"AUTH SCRAM-SHA-1 " + b64(b"n,,n=user,r=" + NONCE.encode())
    made, _ = scram(monkeypatch, b"no-resources", (b"*", NO), (first, NO))
    with pytest.raises(AuthenticationError):
        run(made.login("user", "pencil"))


# In the clear


class Own(Talk):
    """A mechanism that shows its secret, under a name that nobody knows."""

    def __init__(self, name: str = "PLAIN-CLIENTTOKEN") -> None:
        super().__init__(first=SECRET.encode())
        self.name = name


def test_a_mechanism_that_nobody_knows_is_not_used_in_the_clear() -> None:
    made, script = client(capa(), allow_plaintext_auth=False)
    with pytest.raises(PlaintextAuthError) as caught:
        run(made.authenticate(Own()))
    assert "shows_secret = False" in caught.value.hint
    assert SECRET not in shown(caught.value)
    for command in (Auth("X-OWN"), Auth("PLAIN-CLIENTTOKEN", SECRET.encode()), Auth("PLAIN")):
        with pytest.raises(PlaintextAuthError):
            run(made.call(command))
    assert script.sent == [b"CAPA\r\n"]


def test_unless_it_says_that_it_hides_its_secret_or_has_a_known_name() -> None:
    made, script = client(
        capa(),
        (b"AUTH X-OWN " + b64(SECRET.encode()), NO),
        (b"AUTH CRAM-MD5 " + b64(SECRET.encode()), NO),
        (b"AUTH CRAM-MD5", NO),
        allow_plaintext_auth=False,
    )
    mechanism: Any = Own("X-OWN")
    mechanism.shows_secret = False
    for attempt in (mechanism, Own("CRAM-MD5")):
        with pytest.raises(AuthenticationError):
            run(made.authenticate(attempt))
    with pytest.raises(AuthenticationError):
        run(made.call(Auth("CRAM-MD5")))
    assert len(script.sent) == 4


# Secrets, when sending fails


class Breaks(Script):
    """A stream that fails to send ``at``."""

    def __init__(self, *turns: tuple[bytes, bytes], at: bytes, error: BaseException) -> None:
        super().__init__(*turns)
        self._at = at
        self._error = error

    async def send(self, data: bytes, timeout: float | None) -> None:
        if data.startswith(self._at):
            raise self._error
        await super().send(data, timeout)


@pytest.mark.parametrize(
    "error",
    [
        BrokenPipeError(32, "gone"),
        TimeoutError(),
        KeyboardInterrupt(),
        asyncio.CancelledError(),
        RuntimeError("a bug"),
        SystemExit(),
    ],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize(
    ("at", "how", "before"),
    [
        (b"AUTH PLAIN " + PLAIN, {}, []),
        (PLAIN, {"initial_response": False}, [(b"AUTH PLAIN", b"+ \r\n")]),
        (PASS, {"mechanisms": ["USER"]}, [(b"USER user", OK)]),
    ],
)
def test_no_secret_is_in_the_frames_of_a_send_that_fails(
    error: BaseException, at: bytes, how: dict[str, Any], before: list[tuple[bytes, bytes]]
) -> None:
    # With a recorder there is a frame of the package's below.
    for recorder in (None, Recorder()):
        error.__traceback__ = None
        script = Breaks(capa("SASL PLAIN"), *before, at=at, error=error)
        options = ClientOptions(allow_plaintext_auth=True, recorder=recorder)
        made = run(AsyncClient.start(script, security=Security.PLAINTEXT, options=options))
        with pytest.raises(BaseException) as caught:  # noqa: PT011 - any of them
            run(made.login("user", SECRET, **how))
        assert isinstance(error, OSError) or caught.value is error
        assert not str(caught.traceback[-1].path).endswith("test_refused_logins.py")
        text = shown(caught.value)
        assert SECRET not in text
        assert PLAIN.decode() not in text
        assert made.closed


def test_other_errors_keep_their_frames() -> None:
    script = Breaks(at=b"CAPA", error=RuntimeError("a bug"))
    with pytest.raises(RuntimeError) as caught:
        run(AsyncClient.start(script, security=Security.PLAINTEXT))
    # Down to where it was raised.
    assert str(caught.traceback[-1].path).endswith("test_refused_logins.py")


# The exchanges of RFC 5034 section 6

WELCOME = b"+OK Maildrop locked and ready\r\n"
DIGEST = (
    b"cmVhbG09ImVsd29vZC5pbm5vc29mdC5jb20iLG5vbmNlPSJPQTZNRzl0RVFHbTJoaCIscW9wPSJhdXRoIixhbGdv"
    b"cml0aG09bWQ1LXNlc3MsY2hhcnNldD11dGYtOA==",
    b"Y2hhcnNldD11dGYtOCx1c2VybmFtZT0iY2hyaXMiLHJlYWxtPSJlbHdvb2QuaW5ub3NvZnQuY29tIixub25jZT0i"
    b"T0E2TUc5dEVRR20yaGgiLG5jPTAwMDAwMDAxLGNub25jZT0iT0E2TUhYaDZWcVRyUmsiLGRpZ2VzdC11cmk9InBv"
    b"cC9lbHdvb2QuaW5ub3NvZnQuY29tIixyZXNwb25zZT1iMGQ1NmQyZjA1NGMyNGI2MjA3MjMyMjEwNjQ2OGRiOSxx"
    b"b3A9YXV0aA==",
    b"cnNwYXV0aD0wYjk3MTQ2MmNlZjVlOGY5MzBkYjlhMzNiMDJmYzlhMA==",
)
PUBLISHED: list[tuple[Callable[[], Mechanism], bool, list[tuple[bytes, bytes]]]] = [
    (
        lambda: Plain("test", "test", authorization_id="test"),
        True,
        [(b"AUTH PLAIN dGVzdAB0ZXN0AHRlc3Q=", WELCOME)],
    ),
    (
        lambda: Plain("test", "test", authorization_id="test"),
        False,
        [(b"AUTH PLAIN", b"+ \r\n"), (b"dGVzdAB0ZXN0AHRlc3Q=", WELCOME)],
    ),
    (External, True, [(b"AUTH EXTERNAL =", WELCOME)]),
    (
        lambda: DigestMd5("chris", "secret", host="elwood.innosoft.com", cnonce="OA6MHXh6VqTrRk"),
        True,
        [
            (b"AUTH DIGEST-MD5", b"+ %s\r\n" % DIGEST[0]),
            (DIGEST[1], b"+ %s\r\n" % DIGEST[2]),
            (b"", WELCOME),
        ],
    ),
]


@pytest.mark.parametrize(("mechanism", "at_once", "turns"), PUBLISHED)
def test_the_exchanges_of_rfc_5034(
    mechanism: Callable[[], Mechanism], at_once: bool, turns: list[tuple[bytes, bytes]]
) -> None:
    made, _ = client(capa(), *turns, capa())
    result = run(made.authenticate(mechanism(), initial_response=at_once))
    assert result.text == "Maildrop locked and ready"
    assert made.state is State.TRANSACTION
