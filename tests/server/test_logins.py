"""Logins: USER and PASS, APOP, AUTH."""

import hashlib
from typing import Any

import pytest

from pop3proto import (
    Apop,
    Auth,
    AuthCancel,
    AuthList,
    AuthResponse,
    Capa,
    Challenge,
    Command,
    Fault,
    LocalProtocolError,
    MechanismsReply,
    Ok,
    Pass,
    Rpop,
    Stat,
    State,
    StatReply,
    User,
)
from pop3proto.sasl import apop_command
from pop3proto.server import (
    Delay,
    LoggedIn,
    MemoryMaildrops,
    NeedData,
    ServerOptions,
    ServerSession,
    Verdict,
)
from tests.server.talking import CLEARTEXT, ONE, TWO, USERS, WRONG, Talk, capabilities, refusal


def test_user_and_pass() -> None:
    talk = Talk()
    assert talk.ask(User("user")) == Ok(User("user"), "now the password")
    octets = len(ONE) + len(TWO) + 4
    assert talk.ask(Pass("secret")) == Ok(Pass("secret"), f"2 messages ({octets} octets)")


def test_names_and_passwords_in_utf_8() -> None:
    talk = Talk(users={"usér": "pässword"})
    assert isinstance(talk.ask(User("usér")), Ok)
    assert isinstance(talk.ask(Pass("pässword")), Ok)
    assert talk.session.deviations == {Fault.EIGHT_BIT_COMMAND: 2}


def test_names_and_passwords_in_other_octets_are_wrong() -> None:
    talk = Talk(options=CLEARTEXT)
    assert talk.raw(b"USER \xff\r\n").startswith(b"+OK")
    assert talk.raw(b"PASS \xff\r\n") == b"-ERR [AUTH] the login failed\r\n"


@pytest.mark.parametrize("between", [Capa(), Pass("wrong")])
def test_pass_comes_immediately_behind_user(between: Command[Any]) -> None:
    talk = Talk(options=CLEARTEXT)
    talk.ask(User("user"))
    talk.ask(between)
    assert talk.ask(Pass("secret")) == refusal(Pass("secret"), "USER comes first")


class Gatekeeper:
    """An authenticator that cannot show passwords."""

    def check(self, user: str, password: str) -> bool:
        return user == password


def test_an_authenticator_of_the_callers_own() -> None:
    talk = Talk(users=Gatekeeper())
    assert talk.greeting.timestamp is None
    assert talk.raw(Apop("user", "0" * 32).to_bytes()) == b"-ERR not offered\r\n"
    assert isinstance(talk.ask(User("other")), Ok)
    assert isinstance(talk.ask(Pass("other")), Ok)
    assert talk.session.user == "other"


def test_apop() -> None:
    talk = Talk(secure=False)
    timestamp = talk.greeting.timestamp
    assert timestamp is not None
    wrong = apop_command("user", timestamp, "wrong")
    assert talk.ask(wrong) == refusal(wrong, "the login failed", WRONG)
    assert talk.actions[0] == Delay(2.0)
    unknown = apop_command("nobody", timestamp, "secret")
    assert talk.ask(unknown) == refusal(unknown, "the login failed", WRONG)
    assert isinstance(talk.ask(apop_command("user", timestamp, "secret")), Ok)
    assert talk.session.user == "user"


def test_apop_takes_the_digest_of_this_sessions_timestamp_only() -> None:
    talk = Talk()
    digest = hashlib.md5(b"<1@example.org>secret").hexdigest()
    assert talk.raw(b"APOP user %s\r\n" % digest.encode()).startswith(b"-ERR [AUTH]")


def test_apop_can_be_switched_off() -> None:
    talk = Talk(options=ServerOptions(apop=False))
    assert talk.greeting.timestamp is None
    assert talk.raw(b"APOP user %s\r\n" % (b"0" * 32)) == b"-ERR not offered\r\n"


def test_rpop_is_refused() -> None:
    assert Talk().ask(Rpop("user")) == refusal(Rpop("user"), "not offered")


@pytest.mark.parametrize(
    "command", [User("user"), Pass("secret"), Auth("PLAIN", b"\0user\0secret")]
)
def test_passwords_are_only_taken_under_tls(command: Command[Any]) -> None:
    talk = Talk(secure=False, offer_stls=True)
    text = "a password is only taken under TLS"
    assert talk.ask(command) == refusal(command, text, WRONG)
    assert talk.session.user is None


def test_an_initial_response_logs_in() -> None:
    talk = Talk()
    auth = Auth("PLAIN", b"\0user\0secret")
    assert isinstance(talk.ask(auth), Ok)
    assert talk.session.user == "user"
    assert isinstance(talk.ask(Stat()), StatReply)


def test_a_response_to_a_challenge_logs_in() -> None:
    talk = Talk()
    assert talk.ask(Auth("PLAIN")) == Challenge(Auth("PLAIN"), b"")
    assert talk.session.state is State.AUTHENTICATING
    assert isinstance(talk.ask(AuthResponse(b"\0other\0geheim")), Ok)
    assert talk.session.user == "other"


def test_a_wrong_response_is_answered_late() -> None:
    talk = Talk()
    talk.ask(Auth("PLAIN"))
    reply = talk.ask(AuthResponse(b"\0user\0wrong"))
    assert reply == refusal(Auth("PLAIN"), "the login failed", WRONG)
    assert talk.actions == [Delay(2.0), NeedData()]
    assert talk.session.state is State.AUTHORIZATION
    talk.log_in()


def test_a_login_can_be_cancelled() -> None:
    talk = Talk()
    talk.ask(Auth("PLAIN"))
    assert talk.ask(AuthCancel()) == refusal(Auth("PLAIN"), "the login was cancelled")
    assert talk.actions == [NeedData()]
    talk.log_in()


def test_a_response_that_is_no_base64_ends_the_exchange() -> None:
    talk = Talk()
    assert talk.raw(b"AUTH PLAIN\r\n") == b"+ \r\n"
    assert talk.raw(b"?\r\n") == b"-ERR not base64\r\n"
    assert talk.session.state is State.AUTHORIZATION
    assert talk.raw(b"USER user\r\n").startswith(b"+OK")


def test_an_unknown_mechanism() -> None:
    talk = Talk()
    assert talk.ask(Auth("X-NONE")) == refusal(Auth("X-NONE"), "this mechanism is not offered")


class Endless:
    """A mechanism that is never content, and needs no TLS."""

    name = "X-ENDLESS"
    shows_password = False

    def begin(self) -> "Endless":
        self.seen: list[bytes | None] = []
        return self

    def respond(self, data: bytes | None) -> Verdict:
        self.seen.append(data)
        return LoggedIn("user") if data == b"open" else b"round %d" % len(self.seen)


def test_mechanisms_of_the_callers_own() -> None:
    mechanism = Endless()
    talk = Talk(secure=False, mechanisms=[mechanism])
    assert capabilities(talk).sasl == ("X-ENDLESS",)
    assert talk.ask(AuthList()) == MechanismsReply(AuthList(), ("X-ENDLESS",))
    assert talk.ask(Auth("X-ENDLESS")) == Challenge(Auth("X-ENDLESS"), b"round 1")
    assert talk.ask(AuthResponse(b"x")) == Challenge(Auth("X-ENDLESS"), b"round 2")
    assert isinstance(talk.ask(AuthResponse(b"open")), Ok)
    assert mechanism.seen == [None, b"x", b"open"]
    assert talk.session.user == "user"


def test_an_exchange_has_a_limit() -> None:
    talk = Talk(mechanisms=[Endless()])
    auth = Auth("X-ENDLESS")
    for number in range(1, 21):
        answer = talk.ask(auth if number == 1 else AuthResponse(b"x"))
        assert answer == Challenge(auth, b"round %d" % number)
    assert talk.ask(AuthResponse(b"x")) == refusal(auth, "the login failed", WRONG)
    # Each exchange has rounds of its own.
    assert talk.ask(auth) == Challenge(auth, b"round 1")


def test_a_timestamp_can_be_given() -> None:
    talk = Talk(timestamp="<1@example.org>")
    assert talk.greeting.text == "localhost POP3 server ready <1@example.org>"


@pytest.mark.parametrize("timestamp", ["1@example.org", "<1>", "<1@example.org> ", "<a b@c>"])
def test_a_timestamp_is_a_msg_id(timestamp: str) -> None:
    with pytest.raises(LocalProtocolError, match="msg-id"):
        ServerSession(MemoryMaildrops(), USERS, timestamp=timestamp)
