import traceback
from base64 import b64encode
from typing import Any

import pytest

from pop3proto import Pop3Error
from pop3proto.compat import poplib
from pop3proto.errors import ServerVerificationError
from pop3proto.sasl import ChannelBinding, ScramSha1, XOAuth2
from tests.compat.conversations import Fragments, outcome, talk
from tests.tracebacks import shown

HELLO = b"+OK ready\r\n"


class Mechanism:
    """Says ``first``, then ``answers`` in their turn; exceptions among them are raised."""

    name = "TEST"

    def __init__(self, first: bytes | None, *answers: Any, complete: bool = True) -> None:
        self.first = first
        self.answers = list(answers)
        self.challenges: list[bytes] = []
        self.incomplete = not complete

    @property
    def complete(self) -> bool:
        return not self.answers and not self.incomplete

    def initial(self) -> bytes | None:
        return self.first

    def respond(self, challenge: bytes) -> bytes:
        self.challenges.append(challenge)
        answer = self.answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer  # type: ignore[no-any-return]


def b64(octets: bytes) -> bytes:
    return b64encode(octets)


def client_on(*replies: bytes) -> Any:
    return talk(poplib, HELLO, *replies)


def test_an_initial_response() -> None:
    with client_on(b"+OK in\r\n") as (client, server):
        assert client.auth(Mechanism(b"\0user\0secret")) == b"+OK in"
    assert server.received == [b"AUTH TEST " + b64(b"\0user\0secret") + b"\r\n"]


def test_an_initial_response_of_nothing() -> None:
    with client_on(b"+OK in\r\n") as (client, server):
        client.auth(Mechanism(b""))
    assert server.received == [b"AUTH TEST =\r\n"]


@pytest.mark.parametrize("octets", [180, 181])
def test_an_initial_response_that_does_not_fit(octets: int) -> None:
    first = b"x" * octets
    with client_on(b"+ \r\n", b"+OK in\r\n") as (client, server):
        outcome(lambda: client.auth(Mechanism(first, b"")))
    fits = octets == 180
    assert server.received[0] == b"AUTH TEST" + (b" " + b64(first) if fits else b"") + b"\r\n"
    assert len(server.received[0]) <= 255
    assert server.received[1] == (b"" if fits else b64(first)) + b"\r\n"


def test_an_initial_response_that_has_to_wait() -> None:
    with client_on(b"+\r\n", b"+OK in\r\n") as (client, server):
        client.auth(Mechanism(b"first"), initial_response_ok=False)
    assert server.received == [b"AUTH TEST\r\n", b64(b"first") + b"\r\n"]


def test_challenges() -> None:
    mechanism = Mechanism(None, b"one", b"", bytearray(b"three"))
    replies = b"+ " + b64(b"1") + b"\r\n", b"+\r\n", b"+ prose, no base64\r\n", b"+OK in\r\n"
    with client_on(*replies) as (client, server):
        assert client.auth(mechanism) == b"+OK in"
    assert mechanism.challenges == [b"1", b"", b""]
    assert server.received[1:] == [b64(b"one") + b"\r\n", b"\r\n", b64(b"three") + b"\r\n"]


def test_a_challenge_that_is_introduced_by_ok() -> None:
    mechanism = Mechanism(None, b"one")
    with client_on(b"+OK " + b64(b"123") + b"\r\n", b"+OK in\r\n") as (client, _):
        assert client.auth(mechanism) == b"+OK in"
    assert mechanism.challenges == [b"123"]


def test_a_challenge_longer_than_any_status_line() -> None:
    mechanism = Mechanism(None, b"one")
    with client_on(b"+ " + b64(b"x" * 60_000) + b"\r\n", b"+OK in\r\n") as (client, _):
        client.auth(mechanism)
        assert mechanism.challenges == [b"x" * 60_000]


def test_the_longer_limit_ends_with_the_exchange() -> None:
    with client_on(b"+OK in\r\n", b"+OK " + b"x" * 5000 + b"\r\n") as (client, _):
        client.auth(Mechanism(b"first"))
        assert outcome(client.noop) == ("error_proto", ("line too long",))


def test_a_refusal() -> None:
    with client_on(b"-ERR [AUTH] no\r\n", b"+OK\r\n") as (client, _):
        raised = outcome(lambda: client.auth(Mechanism(b"first")))
        assert raised == ("error_proto", (b"-ERR [AUTH] no",))
        assert client.noop() == b"+OK"


@pytest.mark.parametrize(
    "error", [ValueError("bad server signature"), poplib.error_proto("no"), OSError("no")]
)
def test_a_mechanism_that_raises_cancels(error: Exception) -> None:
    with client_on(b"+ \r\n", b"-ERR cancelled\r\n", b"+OK\r\n") as (client, server):
        with pytest.raises(type(error)) as info:
            client.auth(Mechanism(None, error))
        assert info.value is error
        assert client.noop() == b"+OK"
    assert server.received[1:] == [b"*\r\n", b"NOOP\r\n"]


def test_an_answer_of_the_wrong_type_cancels() -> None:
    with client_on(b"+ \r\n", b"-ERR cancelled\r\n", b"+OK\r\n") as (client, server):
        assert outcome(lambda: client.auth(Mechanism(None, 7)))[0] == "TypeError"
        assert client.noop() == b"+OK"
    assert server.received[1] == b"*\r\n"


def test_an_interrupt_ends_the_connection() -> None:
    with client_on(b"+ \r\n", b"-ERR cancelled\r\n") as (client, server):
        with pytest.raises(KeyboardInterrupt):
            client.auth(Mechanism(None, KeyboardInterrupt()))
        assert outcome(client.noop)[0] == "error_proto"
    assert server.received == [b"AUTH TEST\r\n"]


@pytest.mark.parametrize("reply", [b"+OK in\r\n", b"+ \r\n"])
def test_a_server_that_goes_on_after_the_cancel(reply: bytes) -> None:
    with client_on(b"+ \r\n", reply, b"+OK\r\n") as (client, _):
        assert outcome(lambda: client.auth(Mechanism(None, ValueError())))[0] == "ValueError"
        assert outcome(client.noop)[0] == "error_proto"


def test_a_server_that_is_gone_at_the_cancel() -> None:
    with client_on(b"+ \r\n") as (client, _):
        assert outcome(lambda: client.auth(Mechanism(None, ValueError())))[0] == "ValueError"
        assert outcome(client.noop)[0] == "error_proto"


def test_endless_challenges() -> None:
    replies = [b"+ \r\n"] * 21 + [b"-ERR cancelled\r\n", b"+OK\r\n"]
    with client_on(*replies) as (client, server):
        raised = outcome(lambda: client.auth(Mechanism(None, *[b""] * 30)))
        assert raised == (
            "error_proto",
            ("-ERR AUTH was cancelled: there were more than 20 challenges",),
        )
        assert client.noop() == b"+OK"
    assert server.received[21:] == [b"*\r\n", b"NOOP\r\n"]


def test_a_server_that_accepts_without_having_proved_itself() -> None:
    with client_on(b"+OK in\r\n", b"+OK\r\n") as (client, _):
        raised = outcome(lambda: client.auth(Mechanism(b"first", complete=False)))
        assert raised == (
            "error_proto",
            ("-ERR the server ended TEST before it had proved itself",),
        )
        assert outcome(client.noop)[0] == "error_proto"


def test_a_server_that_accepts_before_it_was_told_anything() -> None:
    with client_on(b"+OK in\r\n", b"+OK\r\n") as (client, server):
        raised = outcome(lambda: client.auth(Mechanism(b"first"), initial_response_ok=False))
        assert raised == (
            "error_proto",
            ("-ERR the server ended TEST before it had proved itself",),
        )
        assert outcome(client.noop)[0] == "error_proto"
    assert server.received == [b"AUTH TEST\r\n"]


def test_a_server_that_asks_for_something_else_than_what_comes_first() -> None:
    prompt = b"+ " + b64(b"Username:") + b"\r\n"
    with client_on(prompt, b"-ERR cancelled\r\n", b"+OK\r\n") as (client, server):
        raised = outcome(lambda: client.auth(Mechanism(b"first"), initial_response_ok=False))
        assert raised[0] == "error_proto"
        assert "the server does not ask for the first message of TEST" in raised[1][0]
        assert client.noop() == b"+OK"
    assert server.received == [b"AUTH TEST\r\n", b"*\r\n", b"NOOP\r\n"]


@pytest.mark.parametrize("line", [b"+OKAY in", b"+OK \0in", b"+ERR no"])
def test_an_answer_that_could_be_anything_is_no_login(line: bytes) -> None:
    with client_on(line + b"\r\n", b"+OK\r\n") as (client, _):
        raised = outcome(lambda: client.auth(Mechanism(b"first")))
        assert raised == ("error_proto", (line,))
        assert outcome(client.noop)[0] == "error_proto"


def test_a_getresp_of_ones_own() -> None:
    class Lower(poplib.POP3):
        def _create_socket(self, timeout: float | None) -> Any:
            return sock

        def _getresp(self) -> bytes:
            return self._getline()[0].lower()

    sock = Fragments([HELLO, b"-ERR No\r\n", b"+ \r\n", b"+OK In\r\n"])
    client: Any = Lower("pop.example.org")
    assert outcome(lambda: client.auth(Mechanism(b"first"))) == ("error_proto", (b"-err no",))
    assert client.auth(Mechanism(None, b"first")) == b"+ok in"


def test_a_server_that_does_not_know_the_password() -> None:
    wrong = ServerVerificationError("the server's signature is wrong")
    with client_on(b"+ \r\n", b"+OK\r\n") as (client, server):
        with pytest.raises(ServerVerificationError) as caught:
            client.auth(Mechanism(None, wrong))
        assert caught.value is wrong
        assert outcome(client.noop)[0] == "error_proto"
    assert server.received == [b"AUTH TEST\r\n"]


def test_a_name_and_a_function() -> None:
    seen = []

    def answer(challenge: bytes) -> bytes | str | None:
        seen.append(challenge)
        return ["user", b"secret", None][len(seen) - 1]

    names = b"+ " + b64(b"Username:") + b"\r\n", b"+ " + b64(b"Password:") + b"\r\n"
    with client_on(*names, b"+ \r\n", b"-ERR cancelled\r\n", b"+OK\r\n") as (client, server):
        raised = outcome(lambda: client.auth("login", answer))
        assert raised == ("error_proto", ("-ERR AUTH was cancelled",))
        assert client.noop() == b"+OK"
    assert seen == [b"Username:", b"Password:", b""]
    assert server.received[:4] == [
        b"AUTH LOGIN\r\n",
        b64(b"user") + b"\r\n",
        b64(b"secret") + b"\r\n",
        b"*\r\n",
    ]


def test_a_name_and_an_initial_response() -> None:
    # The server puts its reason into a challenge, which wants an empty answer.
    reason = b"+ " + b64(b'{"status":"400"}') + b"\r\n"
    with client_on(reason, b"-ERR no\r\n") as (client, server):
        how = {"initial_response": b"token", "initial_response_ok": True}
        raised = outcome(lambda: client.auth("XOAUTH2", **how))
        assert raised == ("error_proto", (b"-ERR no",))
    assert server.received == [b"AUTH XOAUTH2 " + b64(b"token") + b"\r\n", b"\r\n"]


NONCE = "rOprNGfwEbeRWgbNEkqO"
FIRST = b"+ " + b64(f"r={NONCE}x,s=QSXCR+Q6sek8bf92,i=4096".encode()) + b"\r\n"


@pytest.mark.parametrize("bound", [True, False])
@pytest.mark.parametrize("challenges", [[], [FIRST]])
def test_a_refusal_that_may_be_due_to_the_channel_binding(
    bound: bool, challenges: list[bytes]
) -> None:
    binding = ChannelBinding("tls-server-end-point", b"x") if bound else None
    mechanism = ScramSha1("user", "secret", nonce=NONCE, channel_binding=binding)
    with client_on(*challenges, b"-ERR [AUTH] bad protocol\r\n") as (client, _):
        with pytest.raises(poplib.error_proto) as caught:
            client.auth(mechanism)
        assert caught.value.args == (b"-ERR [AUTH] bad protocol",)
        assert ("channel binding" in caught.value.hint) is bound  # type: ignore[attr-defined]


@pytest.mark.parametrize("by_name", [True, False])
def test_xoauth2_takes_two_steps(by_name: bool) -> None:
    # Office 365 takes no token on the line of AUTH.
    message = b64(b"user=user\1auth=Bearer token\1\1")
    with client_on(b"+ \r\n", b"+OK in\r\n") as (client, server):
        if by_name:
            assert client.auth("XOAUTH2", user="user", password="token") == b"+OK in"
        else:
            assert client.auth(XOAuth2("user", "token")) == b"+OK in"
    assert server.received == [b"AUTH XOAUTH2\r\n", message + b"\r\n"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("PLAIN",), "the name 'PLAIN' alone is not enough for a SASL mechanism"),
        (("NO\r\nSUCH", lambda challenge: b""), "a SASL mechanism"),
        (("", lambda challenge: b""), "a SASL mechanism"),
        ((Mechanism(b""), lambda challenge: b""), "brings its own responses"),
        (("PLAIN", lambda challenge: b"", "user"), "authobject and initial_response have no use"),
        (
            ("PLAIN", None, "user", b"\0user\0pa55word"),
            "authobject and initial_response have no use",
        ),
        (("PLAIN", None, None, b"\0user\0pa55word", "pa55word"), "needs a user"),
        ((Mechanism(b""), None, None, None, "pa55word"), "needs a user"),
        ((Mechanism(b""), None, "user"), "brings its own user"),
        ((Mechanism,), "not the class Mechanism"),
        ((5,), "mechanism is an object such as .*, not int"),
        (("PLAIN", b""), "authobject is a function, not bytes"),
        (("PLAIN", None, None, 5), "a secret is str or bytes, not int"),
    ],
)
@pytest.mark.parametrize("expected", [poplib.error_proto, ValueError, Pop3Error])
def test_what_makes_no_sense(
    arguments: tuple[Any, ...], message: str, expected: type[Exception]
) -> None:
    names = ("mechanism", "authobject", "user", "initial_response", "password")
    given = dict(zip(names, arguments, strict=False))
    with client_on(b"+OK\r\n") as (client, server):
        with pytest.raises(expected, match=message) as caught:
            client.auth(**given)
        assert "pa55word" not in shown(caught.value)
        assert client.noop() == b"+OK"
    assert server.received == [b"NOOP\r\n"]


def test_a_mechanism_that_cannot_begin() -> None:
    class Helpless(Mechanism):
        def initial(self) -> bytes | None:
            raise ValueError("no token")

    with client_on(b"+OK\r\n") as (client, _):
        assert outcome(lambda: client.auth(Helpless(None))) == ("ValueError", ("no token",))
        assert client.noop() == b"+OK"


@pytest.mark.parametrize(
    ("replies", "mechanism"),
    [
        ((b"-ERR no\r\n",), Mechanism(b"hush-hush")),
        ((b"+ \r\n", b"-ERR no\r\n"), Mechanism(b"hush-hush" * 30)),
        ((b"+ \r\n", b"-ERR no\r\n"), Mechanism(None, b"hush-hush")),
        ((b"+ \r\n",), Mechanism(None, b"hush-hush")),
    ],
)
def test_no_secret_in_the_tracebacks_locals(
    replies: tuple[bytes, ...], mechanism: Mechanism
) -> None:
    with client_on(*replies) as (client, _), pytest.raises(poplib.error_proto) as info:
        client.auth(mechanism)
    report = traceback.TracebackException.from_exception(info.value, capture_locals=True)
    frames = [frame for frame in report.stack if "compat/" in frame.filename]
    shown = "".join(str(frame.locals) for frame in frames if "src" in frame.filename)
    assert "self" in shown
    assert "hush-hush" not in shown
    assert b64(b"hush-hush").decode() not in shown


@pytest.mark.parametrize(
    ("mechanism", "message"),
    [
        ("NO-SUCH", "no mechanism is known"),
        ("SCRAM-SHA-1-PLUS", "bind"),
        ("PLAIN", "prohibits"),
        ("LOGIN", "control character"),
    ],
)
def test_names_that_cannot_be_used(mechanism: Any, message: str) -> None:
    with client_on(b"+OK\r\n") as (client, server):
        with pytest.raises(poplib.error_proto, match=message) as caught:
            client.auth(mechanism, user="user", password="pa55\0word")
        assert "pa55" not in shown(caught.value)
        assert client.noop() == b"+OK"
    assert server.received == [b"NOOP\r\n"]
