"""Access tokens that are refused, in each way in which servers do, and where tokens come from."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import anyio
import pytest

from pop3proto import AuthenticationError, LocalProtocolError
from pop3proto.client.stepping import run
from pop3proto.errors import (
    CredentialsError,
    LoginDelayError,
    MaildropInUseError,
    OAuthError,
    PermanentServerError,
    TemporaryServerError,
)
from pop3proto.sasl import RefusedToken, XOAuth2
from pop3proto.sasl.server import ServerOAuthBearer
from pop3proto.server import MemoryMaildrops, ServerOptions
from pop3proto.testing import serve
from pop3proto.transports import ClientOptions, Security
from pop3proto.transports.blocking import Client
from tests.client.test_authentication import (
    FAILURE,
    NO,
    OK,
    TOKEN,
    XOAUTH2,
    Script,
    b64,
    capa,
    client,
)
from tests.runtimes import RUNTIMES, Flow
from tests.tracebacks import shown

USER = "user@example.org"
FRESH = b64(b"user=user@example.org\1auth=Bearer fresh\1\1")
PROSE = b"-ERR Authentication failure: unknown user name or bad password.\r\n"
DETAILS = {"status": "401", "schemes": "bearer", "scope": "mail"}


class Tokens:
    """A function that hands out tokens, and counts how often it is asked."""

    def __init__(self, *tokens: str) -> None:
        self._left = iter(tokens)
        self.asked = 0

    def __call__(self, refused: RefusedToken | None) -> str:
        assert (refused is None) is (self.asked == 0)
        self.asked += 1
        return next(self._left)


@pytest.mark.parametrize(
    ("turns", "details"),
    [
        # As Microsoft's servers refuse, in one step and in two, which they want.
        ([(b"AUTH XOAUTH2 " + XOAUTH2, PROSE)], {}),
        ([(b"AUTH XOAUTH2", b"+ \r\n"), (XOAUTH2, PROSE)], {}),
        ([(b"AUTH XOAUTH2 " + XOAUTH2, FAILURE), (b"", NO)], DETAILS),
        ([(b"AUTH XOAUTH2 " + XOAUTH2, FAILURE), (b"", b"-ERR [AUTH] no\r\n")], DETAILS),
        # What is no JSON explains nothing.
        ([(b"AUTH XOAUTH2 " + XOAUTH2, b"+ " + b64(b"expired") + b"\r\n"), (b"", NO)], {}),
        ([(b"AUTH XOAUTH2 " + XOAUTH2, b"+ expired!\r\n"), (b"", NO)], {}),
    ],
)
@pytest.mark.parametrize("fresh", [False, True])
def test_a_token_that_is_refused(
    turns: list[tuple[bytes, bytes]], details: dict[str, object], fresh: bool
) -> None:
    at_once = turns[0][0] != b"AUTH XOAUTH2"
    again = [(b"AUTH XOAUTH2 " + FRESH, OK)]
    if not at_once:
        again = [(b"AUTH XOAUTH2", b"+ \r\n"), (FRESH, OK)]
    made, _ = client(capa("AUTH-RESP-CODE"), *turns, *(again if fresh else ()), capa())
    if fresh:
        tokens = Tokens(TOKEN, "fresh")
        result = run(made.oauth(USER, tokens, initial_response=at_once))
        assert (result.mechanism, tokens.asked) == ("XOAUTH2", 2)
        return
    with pytest.raises(OAuthError) as caught:
        run(made.oauth(USER, TOKEN, initial_response=at_once))
    assert type(caught.value) is OAuthError
    assert caught.value.details == details
    assert TOKEN not in shown(caught.value)


@pytest.mark.parametrize(
    ("code", "cls"),
    [
        ("IN-USE", MaildropInUseError),
        ("LOGIN-DELAY", LoginDelayError),
        ("SYS/TEMP", TemporaryServerError),
        ("SYS/PERM", PermanentServerError),
    ],
)
@pytest.mark.parametrize("explained", [False, True])
def test_a_response_code_says_that_it_is_not_the_token(
    code: str, cls: type[AuthenticationError], explained: bool
) -> None:
    answer = b"-ERR [%s] no\r\n" % code.encode()
    turns = [(b"AUTH XOAUTH2 " + XOAUTH2, answer)]
    if explained:
        turns = [(b"AUTH XOAUTH2 " + XOAUTH2, FAILURE), (b"", answer)]
    made, script = client(capa(), *turns)
    tokens = Tokens(TOKEN, "fresh")
    with pytest.raises(cls) as caught:
        run(made.oauth(USER, tokens, initial_response=True))
    assert type(caught.value) is cls
    # Another token is of no use.
    assert tokens.asked == 1
    assert len(script.sent) == 1 + len(turns)


def test_a_code_without_an_explanation_leads_to_another_token() -> None:
    turns = [(b"AUTH XOAUTH2 " + token, b"-ERR [AUTH] no\r\n") for token in (XOAUTH2, FRESH)]
    made, _ = client(capa(), *turns)
    tokens = Tokens(TOKEN, "fresh")
    with pytest.raises(CredentialsError):
        run(made.oauth(USER, tokens, initial_response=True))
    assert tokens.asked == 2


def test_a_mechanism_that_is_refused_before_it_has_shown_its_token() -> None:
    made, script = client(capa(), (b"AUTH XOAUTH2", NO))
    tokens = Tokens(TOKEN, "fresh")
    with pytest.raises(AuthenticationError) as caught:
        run(made.oauth(USER, tokens, initial_response=False))
    assert type(caught.value) is AuthenticationError
    assert tokens.asked == 1
    assert len(script.sent) == 2


def test_the_samples_for_pop_that_microsoft_publishes() -> None:
    user, token = "test@contoso.onmicrosoft.com", "EwBAAl3BAAUFFpUAo7J3Ve0bjLBWZWCclRC3EoAA"
    sent = (
        b"dXNlcj10ZXN0QGNvbnRvc28ub25taWNyb3NvZnQuY29tAWF1dGg9QmVhcmVy"
        b"IEV3QkFBbDNCQUFVRkZwVUFvN0ozVmUwYmpMQldaV0NjbFJDM0VvQUEBAQ=="
    )
    made, _ = client(
        capa("SASL PLAIN XOAUTH2"),
        (b"AUTH XOAUTH2", b"+ \r\n"),
        (sent, PROSE),
        (b"AUTH XOAUTH2", b"+ \r\n"),
        (sent, b"+OK User successfully authenticated.\r\n"),
        capa(),
    )
    with pytest.raises(OAuthError, match="unknown user name or bad password"):
        run(made.oauth(user, token))
    result = run(made.authenticate(XOAuth2(user, token)))
    assert result.text == "User successfully authenticated."


@pytest.mark.parametrize("token", [TOKEN.encode(), None, 5, [TOKEN]])
def test_what_is_no_token_and_gives_none(token: Any) -> None:
    made, script = client(capa())
    with pytest.raises(LocalProtocolError, match="a token is a str or a function") as caught:
        run(made.oauth(USER, token))
    assert TOKEN not in shown(caught.value)
    with pytest.raises(LocalProtocolError, match="the access token"):
        run(made.oauth(USER, lambda refused: 5))  # type: ignore[arg-type, return-value]
    assert script.sent == [b"CAPA\r\n"]


# Functions that really wait


ASYNCHRONOUS = {name: on for name, on in RUNTIMES.items() if name != "blocking"}


class Source:
    """Knows one token."""

    def check_token(self, user: str, token: str) -> bool:
        return (user, token) == ("user", "fresh")


@pytest.mark.parametrize("on", ASYNCHRONOUS.values(), ids=ASYNCHRONOUS)
@pytest.mark.parametrize("mode", [Security.TLS, Security.STLS], ids=lambda mode: mode.value)
def test_a_function_that_waits_for_its_token(on: Callable[[Flow], Any], mode: Security) -> None:
    asked: list[str] = []
    left = iter(["expired", "fresh"])

    async def token(refused: RefusedToken | None) -> str:
        await anyio.sleep(0.01)
        assert (refused is None) is (not asked)
        asked.append(next(left))
        return asked[-1]

    mechanisms = [ServerOAuthBearer(Source())]
    with serve(
        MemoryMaildrops({"user": [b"one\r\n"]}),
        users={},
        mechanisms=mechanisms,
        security=mode,
        options=ServerOptions(failed_login_delay=0.0),
    ) as server:

        async def flow(connect: Callable[..., Awaitable[Any]]) -> None:
            context = server.client_context()
            where = server.host, server.port
            async with await connect(*where, security=mode, ssl_context=context) as made:
                assert (await made.oauth("user", token)).mechanism == "OAUTHBEARER"
                assert (await made.stat()).count == 1

        on(flow)
    assert asked == ["expired", "fresh"]


def test_blocking_code_cannot_wait() -> None:
    class Later:
        def __init__(self, refused: RefusedToken | None) -> None: ...

        def __await__(self) -> Iterator[None]:
            yield None

    async def token(refused: RefusedToken | None) -> str:
        await anyio.sleep(0.01)
        return TOKEN

    wrong: list[Any] = [token, Later]
    script = Script(capa())
    made = Client.start(
        script,
        security=Security.PLAINTEXT,
        options=ClientOptions(allow_plaintext_auth=True),
    )
    for get_token in wrong:
        with pytest.raises(LocalProtocolError, match="async"):
            made.oauth(USER, get_token)
    assert script.sent == [b"CAPA\r\n"]
    assert not made.closed
