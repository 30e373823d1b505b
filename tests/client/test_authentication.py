"""Logins against scripted servers: the flows are the same on every runtime, so one is enough."""

from __future__ import annotations

import hmac
from base64 import b64encode
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from hashlib import md5
from typing import Any

import pytest

from pop3proto import (
    AuthenticationError,
    CommandError,
    ConnectionLostError,
    Limits,
    LocalProtocolError,
    LoginResult,
    RemoteProtocolError,
    Secret,
    State,
)
from pop3proto.client.client import AsyncClient
from pop3proto.client.stepping import run
from pop3proto.errors import (
    CredentialsError,
    DeadConnectionError,
    LoginDelayError,
    MaildropInUseError,
    MechanismError,
    OAuthError,
    PermanentServerError,
    PlaintextAuthError,
    SaslError,
    ServerVerificationError,
    TemporaryServerError,
)
from pop3proto.sasl import RefusedToken, by_name
from pop3proto.transports import ClientOptions, Security
from tests.tracebacks import shown

OK = b"+OK\r\n"
NO = b"-ERR no\r\n"
SECRET = "pa55word"
TOKEN = "vF9dft4qmT"
PASS = b"PASS " + SECRET.encode()
PLAIN = b64encode(b"\0user\0" + SECRET.encode())


class Script:
    """A stream to a server that knows what the client will say: lines and their answers."""

    def __init__(self, *turns: tuple[bytes, bytes], greeting: bytes = b"+OK ready\r\n") -> None:
        self._turns = iter(turns)
        self._answers = [greeting]
        self.sent: list[bytes] = []
        self.closed = False

    async def send(self, data: bytes, timeout: float | None) -> None:
        self.sent.append(data)
        expected, answer = next(self._turns, (b"", b""))
        assert data == expected + b"\r\n"
        self._answers.append(answer)

    async def receive(self, timeout: float | None) -> bytes:
        return self._answers.pop(0) if self._answers else b""

    async def aclose(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = True


def capa(*lines: str) -> tuple[bytes, bytes]:
    return b"CAPA", b"".join([b"+OK\r\n", *(f"{line}\r\n".encode() for line in lines), b".\r\n"])


def client(
    *turns: tuple[bytes, bytes], greeting: bytes = b"+OK ready\r\n", **options: Any
) -> tuple[AsyncClient, Script]:
    options.setdefault("allow_plaintext_auth", True)
    script = Script(*turns, greeting=greeting)
    made = AsyncClient.start(
        script,
        security=Security.PLAINTEXT,
        server_hostname="pop.example.org",
        options=ClientOptions(**options),
    )
    return run(made), script


def login(*turns: tuple[bytes, bytes], how: dict[str, Any] | None = None, **options: Any) -> Any:
    """What logging in comes to: a result, or the error and what the client is afterwards."""
    made, _ = client(*turns, **options)
    return run(made.login("user", SECRET, **(how or {})))


def b64(text: bytes) -> bytes:
    return b64encode(text)


def test_the_best_way_is_taken_and_the_capabilities_asked_again() -> None:
    result = login(
        capa("SASL LOGIN PLAIN", "USER"), (b"AUTH PLAIN " + PLAIN, b"+OK welcome\r\n"), capa("TOP")
    )
    assert result == LoginResult("PLAIN", False, "welcome")


def test_without_sasl_it_is_user_and_pass() -> None:
    result = login(capa("TOP"), (b"USER user", OK), (PASS, b"+OK in\r\n"), capa("TOP"))
    assert result == LoginResult("USER", False, "in")


def test_an_initial_response_can_wait_to_be_asked_for() -> None:
    turns = capa("SASL PLAIN"), (b"AUTH PLAIN", b"+ \r\n"), (PLAIN, OK), capa()
    assert login(*turns, how={"initial_response": False}).mechanism == "PLAIN"


def test_prose_is_an_invitation_to_go_on() -> None:
    turns = capa("SASL PLAIN"), (b"AUTH PLAIN", b"+ Go on, please\r\n"), (PLAIN, OK), capa()
    assert login(*turns, how={"initial_response": False}).mechanism == "PLAIN"


def test_an_initial_response_that_does_not_fit_waits() -> None:
    password = "x" * 200
    response = b64(b"\0user\0" + password.encode())
    made, _ = client(capa("SASL PLAIN"), (b"AUTH PLAIN", b"+ \r\n"), (response, OK), capa())
    assert run(made.login("user", password)).mechanism == "PLAIN"


def test_a_server_that_asks_what_login_asks() -> None:
    # Some answer AUTH PLAIN with the prompt of LOGIN.
    result = login(
        capa("SASL PLAIN LOGIN"),
        (b"AUTH PLAIN", b"+ " + b64(b"Username:") + b"\r\n"),
        (b"*", NO),
        (b"AUTH LOGIN", b"+ " + b64(b"Username:") + b"\r\n"),
        (b64(b"user"), b"+ " + b64(b"Password:") + b"\r\n"),
        (b64(SECRET.encode()), OK),
        capa(),
        how={"initial_response": False, "mechanisms": ["PLAIN", "LOGIN"]},
    )
    assert result.mechanism == "LOGIN"


def test_a_refusal_without_a_code_leads_to_what_is_no_weaker() -> None:
    result = login(
        capa("SASL PLAIN"), (b"AUTH PLAIN " + PLAIN, NO), (b"USER user", OK), (PASS, OK), capa()
    )
    assert result.mechanism == "USER"


def test_no_weaker_one_is_tried_by_itself() -> None:
    digest = hmac.digest(SECRET.encode(), b"<1@example.org>", "md5").hex()
    made, script = client(
        capa("SASL CRAM-MD5 PLAIN"),
        (b"AUTH CRAM-MD5", b"+ " + b64(b"<1@example.org>") + b"\r\n"),
        (b64(b"user " + digest.encode()), NO),
    )
    with pytest.raises(AuthenticationError):
        run(made.login("user", SECRET))
    assert len(script.sent) == 3


@pytest.mark.parametrize(
    ("answer", "cls"),
    [
        (b"-ERR [AUTH] no\r\n", CredentialsError),
        (b"-ERR [IN-USE] no\r\n", MaildropInUseError),
        (b"-ERR [LOGIN-DELAY] no\r\n", LoginDelayError),
        (b"-ERR [SYS/TEMP] no\r\n", TemporaryServerError),
        (b"-ERR [SYS/PERM/DISK] no\r\n", PermanentServerError),
    ],
)
@pytest.mark.parametrize("how", [{}, {"mechanisms": ["PLAIN", "USER"]}])
def test_a_response_code_says_why_and_ends_it(
    answer: bytes, cls: type[AuthenticationError], how: dict[str, Any]
) -> None:
    made, script = client(
        capa("SASL PLAIN", "LOGIN-DELAY 300"), (b"AUTH PLAIN " + PLAIN, answer), (b"NOOP", OK)
    )
    with pytest.raises(cls) as caught:
        run(made.login("user", SECRET, **how))
    assert type(caught.value) is cls
    assert caught.value.text == "no"
    assert getattr(caught.value, "seconds", 300) == 300
    assert caught.value.session_usable
    assert len(script.sent) == 2
    assert SECRET not in shown(caught.value)


def test_a_delay_that_the_server_does_not_announce() -> None:
    turns = capa("SASL PLAIN"), (b"AUTH PLAIN " + PLAIN, b"-ERR [LOGIN-DELAY] wait\r\n")
    with pytest.raises(LoginDelayError) as caught:
        login(*turns)
    assert caught.value.seconds is None


def test_pass_is_refused_by_the_same_names() -> None:
    turns = capa("TOP"), (b"USER user", OK), (PASS, b"-ERR [IN-USE] locked\r\n")
    with pytest.raises(MaildropInUseError):
        login(*turns)


def test_a_server_that_closes_upon_a_refusal() -> None:
    made, _ = client(capa("SASL PLAIN"), (b"AUTH PLAIN " + PLAIN, NO), (b"USER user", b""))
    with pytest.raises(ConnectionLostError) as caught:
        run(made.login("user", SECRET))
    assert isinstance(caught.value.__cause__, AuthenticationError)


def test_mechanisms_of_the_time_before_capa() -> None:
    turns = (
        (b"CAPA", NO),
        (b"AUTH", b"+OK\r\nLOGIN\r\nPLAIN\r\n.\r\n"),
        (b"AUTH PLAIN " + PLAIN, OK),
    )
    assert login(*turns).mechanism == "PLAIN"


def test_a_server_without_either_list() -> None:
    turns = (b"CAPA", NO), (b"AUTH", NO), (b"USER user", OK), (PASS, OK)
    assert login(*turns).mechanism == "USER"


def test_nothing_is_asked_if_the_caller_says_so() -> None:
    turns = (b"USER user", OK), (PASS, OK)
    assert login(*turns, capabilities=False).mechanism == "USER"


def test_utf8_comes_before_a_name_that_needs_it() -> None:
    turns = (
        capa("UTF8 USER"),
        (b"UTF8", OK),
        ("USER p\u00f6st".encode(), OK),
        ("PASS gehe\u00efm".encode(), OK),
        capa(),
    )
    made, _ = client(*turns)
    assert run(made.login("p\u00f6st", "gehe\u00efm")).mechanism == "USER"


def test_utf8_is_not_sent_where_nobody_knows_it_or_needs_it() -> None:
    made, _ = client(capa("TOP"), ("USER p\u00f6st".encode(), OK), (b"PASS x", OK), capa())
    assert run(made.login("p\u00f6st", "x")).mechanism == "USER"
    made, _ = client(
        capa("UTF8"), ("USER p\u00f6st".encode("latin-1"), OK), (b"PASS x", OK), capa()
    )
    assert run(made.login("p\u00f6st".encode("latin-1"), "x")).mechanism == "USER"


def test_apop_only_when_asked() -> None:
    digest = md5(b"<1.2@example.org>" + SECRET.encode()).hexdigest().encode()
    turns = capa("SASL X"), (b"APOP user " + digest, OK), capa()
    made, _ = client(*turns, greeting=b"+OK <1.2@example.org>\r\n")
    assert run(made.login("user", SECRET, mechanisms=["APOP"])).mechanism == "APOP"
    made, _ = client(capa("TOP"), (b"USER user", OK), (PASS, OK), capa())
    with pytest.raises(LocalProtocolError, match="timestamp"):
        run(made.apop("user", SECRET))


def test_nothing_is_sent_in_the_clear() -> None:
    made, script = client(capa("SASL PLAIN LOGIN"), allow_plaintext_auth=False)
    attempts: list[Callable[[], Coroutine[Any, Any, LoginResult]]] = [
        lambda: made.login("user", SECRET),
        lambda: made.login("user", SECRET, mechanisms=["PLAIN"]),
        lambda: made.oauth("user", SECRET),
        lambda: made.authenticate(by_name("PLAIN", "user", SECRET)),
    ]
    for attempt in attempts:
        with pytest.raises(PlaintextAuthError) as caught:
            run(attempt())
        assert SECRET not in shown(caught.value)
    assert script.sent == [b"CAPA\r\n"]


def test_nothing_that_is_allowed_is_there() -> None:
    made, script = client(capa("SASL PLAIN"))
    with pytest.raises(MechanismError):
        run(made.login("user", SECRET, mechanisms=["SCRAM-SHA-1", "CRAM-MD5"]))
    assert not made.closed
    assert script.sent == [b"CAPA\r\n"]


class Talk:
    """A mechanism of one's own: four members and nothing else."""

    def __init__(
        self,
        respond: Callable[[bytes], bytes] = lambda challenge: b"",
        *,
        first: bytes | None = None,
        complete: bool = True,
    ) -> None:
        self.name = "X-OWN"
        self.complete = complete
        self._respond = respond
        self._first = first

    def initial(self) -> bytes | None:
        return self._first

    def respond(self, challenge: bytes) -> bytes:
        return self._respond(challenge)


def test_a_mechanism_of_ones_own() -> None:
    challenges: list[bytes] = []

    def respond(challenge: bytes) -> bytes:
        challenges.append(challenge)
        return b"answer"

    turns = (
        capa(),
        (b"AUTH X-OWN =", b"+ " + b64(b"one") + b"\r\n"),
        (b64(b"answer"), b"+ \r\n"),
        (b64(b"answer"), OK),
        capa(),
    )
    made, _ = client(*turns)
    assert run(made.authenticate(Talk(respond, first=b""))).mechanism == "X-OWN"
    assert challenges == [b"one", b""]


@pytest.mark.parametrize("error", [SaslError("odd"), ValueError("odd"), KeyError("odd")])
def test_what_a_mechanism_raises_cancels_and_the_session_goes_on(error: Exception) -> None:
    def respond(challenge: bytes) -> bytes:
        raise error

    made, _ = client(capa(), (b"AUTH X-OWN", b"+ \r\n"), (b"*", NO), (b"NOOP", OK))
    with pytest.raises(type(error), match="odd"):
        run(made.authenticate(Talk(respond)))
    assert made.state is State.AUTHORIZATION
    with pytest.raises(LocalProtocolError):
        run(made.noop())


def test_an_interruption_closes() -> None:
    def respond(challenge: bytes) -> bytes:
        raise KeyboardInterrupt

    made, script = client(capa(), (b"AUTH X-OWN", b"+ \r\n"))
    with pytest.raises(KeyboardInterrupt):
        run(made.authenticate(Talk(respond)))
    assert script.closed
    with pytest.raises(DeadConnectionError):
        run(made.capa())


@pytest.mark.parametrize("answer", [OK, b"+ \r\n"])
def test_a_server_that_ignores_the_cancelling(answer: bytes) -> None:
    def respond(challenge: bytes) -> bytes:
        raise SaslError("odd")

    made, script = client(capa(), (b"AUTH X-OWN", b"+ \r\n"), (b"*", answer))
    with pytest.raises(RemoteProtocolError, match="cancelled"):
        run(made.authenticate(Talk(respond)))
    assert script.closed


def test_challenges_without_end() -> None:
    asked: Iterator[int] = iter(range(100))

    def respond(challenge: bytes) -> bytes:
        next(asked)
        return b"x"

    again = [(b64(b"x"), b"+ \r\n")] * 20
    made, _ = client(capa(), (b"AUTH X-OWN", b"+ \r\n"), *again, (b"*", NO))
    with pytest.raises(SaslError, match="more than 20 challenges"):
        run(made.authenticate(Talk(respond)))
    assert next(asked) == 20


def test_a_challenge_that_is_too_long() -> None:
    challenge = b"+ " + b64(b"x" * 101) + b"\r\n"
    made, _ = client(capa(), (b"AUTH X-OWN", challenge), (b"*", NO), limits=Limits(challenge=100))
    with pytest.raises(SaslError, match="101 octets, the limit challenge is 100"):
        run(made.authenticate(Talk()))
    assert not made.closed


@pytest.mark.parametrize(
    ("mechanism", "turns"),
    [
        (lambda: Talk(complete=False), [(b"AUTH X-OWN", OK)]),
        (lambda: Talk(complete=False), [(b"AUTH X-OWN", b"+ \r\n"), (b"", OK)]),
        # Nobody has asked for the password, and yet it was right.
        (lambda: by_name("PLAIN", "user", "x" * 250), [(b"AUTH PLAIN", OK)]),
    ],
)
def test_a_server_that_has_not_proved_itself(
    mechanism: Callable[[], Any], turns: list[tuple[bytes, bytes]]
) -> None:
    made, script = client(capa(), *turns)
    with pytest.raises(ServerVerificationError) as caught:
        run(made.authenticate(mechanism()))
    assert script.closed
    assert not caught.value.session_usable
    with pytest.raises(DeadConnectionError):
        run(made.capa())


XOAUTH2 = b64(b"user=user@example.org\1auth=Bearer %s\1\1" % TOKEN.encode())
FAILURE = b"+ " + b64(b'{"status":"401","schemes":"bearer","scope":"mail"}') + b"\r\n"


def test_xoauth2_is_the_default_and_needs_no_announcement() -> None:
    # In two steps, as Office 365 demands.
    made, _ = client(capa(), (b"AUTH XOAUTH2", b"+ \r\n"), (XOAUTH2, OK), capa())
    assert run(made.oauth("user@example.org", TOKEN)).mechanism == "XOAUTH2"


def test_what_was_refused_is_not_asked_again_for_a_token() -> None:
    made, _ = client((b"CAPA", NO), (b"AUTH", NO), (b"AUTH XOAUTH2", b"+ \r\n"), (XOAUTH2, OK))
    assert run(made.oauth("user@example.org", TOKEN)).mechanism == "XOAUTH2"


def test_oauthbearer_where_it_is_offered() -> None:
    response = by_name("OAUTHBEARER", "user@example.org", TOKEN, host="pop.example.org").initial()
    turns = capa("SASL XOAUTH2 OAUTHBEARER"), (b"AUTH OAUTHBEARER " + b64(response or b""), OK)
    made, _ = client(*turns, capa())
    assert run(made.oauth("user@example.org", TOKEN)).mechanism == "OAUTHBEARER"


@pytest.mark.parametrize("mechanism", ["XOAUTH2", "OAUTHBEARER"])
@pytest.mark.parametrize("at_once", [True, False, None])
@pytest.mark.parametrize("by_object", [True, False])
def test_one_step_and_two_on_request(mechanism: str, at_once: bool | None, by_object: bool) -> None:
    first = by_name(mechanism, "user@example.org", TOKEN, host="pop.example.org").initial()
    verb, response = f"AUTH {mechanism}".encode(), b64(first or b"")
    one_step = mechanism == "OAUTHBEARER" if at_once is None else at_once
    steps = [(verb + b" " + response, OK)] if one_step else [(verb, b"+ \r\n"), (response, OK)]
    made, _ = client(capa(), *steps, capa())
    if by_object:
        made_by_name = by_name(mechanism, "user@example.org", TOKEN, host="pop.example.org")
        run(made.authenticate(made_by_name, initial_response=at_once))
    else:
        how: dict[str, Any] = {"mechanism": mechanism, "initial_response": at_once}
        run(made.oauth("user@example.org", TOKEN, **how))


def test_the_reason_of_the_refusal_is_decoded() -> None:
    made, _ = client(
        capa("AUTH-RESP-CODE"),
        (b"AUTH XOAUTH2 " + XOAUTH2, FAILURE),
        (b"", b"-ERR [AUTH] invalid\r\n"),
    )
    with pytest.raises(OAuthError) as caught:
        run(made.oauth("user@example.org", TOKEN, initial_response=True))
    assert caught.value.details == {"status": "401", "schemes": "bearer", "scope": "mail"}
    assert caught.value.text == "invalid"
    assert TOKEN not in shown(caught.value)


def asked(*tokens: str, wait: bool) -> Callable[[RefusedToken | None], str | Awaitable[str]]:
    left, given = iter(tokens), [""]

    def another(refused: RefusedToken | None) -> str:
        # It is told which one was refused, and why.
        assert (given == [""]) is (refused is None)
        if refused is not None:
            assert refused.token == Secret(given[-1])
            assert isinstance(refused.error, OAuthError)
            assert refused.error.details["status"] == "401"
            assert given[-1] not in repr(refused)
        given.append(next(left))
        return given[-1]

    async def later(refused: RefusedToken | None) -> str:
        return another(refused)

    return later if wait else another


@pytest.mark.parametrize("wait", [False, True])
def test_an_expired_token_is_asked_for_once_more(wait: bool) -> None:
    fresh = b64(b"user=user@example.org\1auth=Bearer fresh\1\1")
    turns = (b"AUTH XOAUTH2 " + XOAUTH2, FAILURE), (b"", NO)
    made, _ = client(capa(), *turns, (b"AUTH XOAUTH2 " + fresh, OK), capa())
    get_token = asked(TOKEN, "fresh", wait=wait)
    result = run(made.oauth("user@example.org", get_token, initial_response=True))
    assert result.mechanism == "XOAUTH2"


@pytest.mark.parametrize("tokens", [(TOKEN, TOKEN), (TOKEN, "other")])
def test_but_not_for_ever(tokens: tuple[str, ...]) -> None:
    other = b64(b"user=user@example.org\1auth=Bearer other\1\1")
    made, script = client(
        capa(),
        (b"AUTH XOAUTH2 " + XOAUTH2, FAILURE),
        (b"", NO),
        (b"AUTH XOAUTH2 " + other, b"-ERR [AUTH] no\r\n"),
    )
    get_token = asked(*tokens, wait=False)
    with pytest.raises(AuthenticationError) as caught:
        run(made.oauth("user@example.org", get_token, initial_response=True))
    assert len(script.sent) == (3 if tokens[1] == TOKEN else 4)
    assert TOKEN not in shown(caught.value)


def test_a_token_that_is_no_callable_is_not_asked_for() -> None:
    turns = (b"AUTH XOAUTH2", b"+ \r\n"), (XOAUTH2, b"-ERR [AUTH] no\r\n")
    made, _ = client(capa(), *turns)
    with pytest.raises(CredentialsError):
        run(made.oauth("user@example.org", TOKEN))


def test_another_mechanism_takes_no_token() -> None:
    made, _ = client(capa())
    with pytest.raises(LocalProtocolError, match="PLAIN takes no access token"):
        run(made.oauth("user", TOKEN, mechanism="PLAIN"))


def test_other_commands_wait_for_the_end_of_auth() -> None:
    made, _ = client(capa(), (b"AUTH X-OWN", b"+ \r\n"), (b"*", NO))

    def respond(challenge: bytes) -> bytes:
        run(made.noop())
        return b""

    with pytest.raises(LocalProtocolError, match="authenticating"):
        run(made.authenticate(Talk(respond)))


def test_an_error_of_another_command_is_no_login_failure() -> None:
    made, _ = client(capa(), (b"UTF8", NO))
    with pytest.raises(CommandError) as caught:
        run(made.utf8())
    assert not isinstance(caught.value, AuthenticationError)
