"""The ways to log in, against an engine and a script: what is said, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import md5
from typing import Any

import pytest

from pop3proto import (
    Apop,
    Auth,
    AuthCancel,
    AuthList,
    AuthResponse,
    Capa,
    Limits,
    LocalProtocolError,
    Login,
)
from pop3proto.errors import (
    AuthenticationError,
    CredentialsError,
    MaildropInUseError,
    MechanismError,
    OAuthError,
    PlaintextAuthError,
    RemoteProtocolError,
    SaslError,
    ServerVerificationError,
)
from pop3proto.sasl import ChannelBinding, XOAuth2
from tests.sasl.logins import NO, OK, PLAIN, SECRET, Turn, b64, capa, connected, talk, told
from tests.tracebacks import shown

USER_PASS = [(b"USER user", OK), (b"PASS " + SECRET.encode(), OK)]
TOKEN = "vF9dft4qmT"
XOAUTH2 = b64(b"user=user\1auth=Bearer %s\1\1" % TOKEN.encode())
FAILURE = b"+ " + b64(b'{"status":"401","scope":"mail"}') + b"\r\n"


def by_password(*turns: Turn, engine: Any = None, **how: Any) -> Any:
    return talk(Login("user", SECRET, **how), *turns, engine=engine)


# What the server offers


@pytest.mark.parametrize(
    ("turns", "mechanism"),
    [
        ([capa("SASL LOGIN PLAIN"), (b"AUTH PLAIN " + PLAIN, OK)], "PLAIN"),
        ([capa("TOP"), *USER_PASS], "USER"),
        # As it was before CAPA.
        (
            [
                (b"CAPA", NO),
                (b"AUTH", b"+OK\r\nLOGIN\r\nPLAIN\r\n.\r\n"),
                (b"AUTH PLAIN " + PLAIN, OK),
            ],
            "PLAIN",
        ),
        ([(b"CAPA", NO), (b"AUTH", NO), *USER_PASS], "USER"),
    ],
)
def test_what_is_taken(turns: list[Turn], mechanism: str) -> None:
    assert by_password(*turns).mechanism == mechanism


def test_nothing_is_asked_of_who_is_not_to_be_asked() -> None:
    assert by_password(*USER_PASS, ask=()).mechanism == "USER"


# The names, what is known of them, and what is asked.
LIST = [capa("SASL PLAIN SCRAM-SHA-1")]
REFUSED_LIST = [(b"CAPA", NO), (b"AUTH", b"+OK\r\nPLAIN\r\nSCRAM-SHA-1\r\n.\r\n")]
SPECIAL = "p\xe4ss"


@pytest.mark.parametrize(
    ("names", "password", "bound", "asked"),
    [
        # It is used in any case.
        (["USER"], SECRET, True, False),
        (["plain"], SECRET, True, False),
        (["APOP"], SECRET, True, False),
        (["SCRAM-SHA-1"], SECRET, False, False),
        (["SCRAM-SHA-1-PLUS"], SECRET, True, False),
        (["user", "apop"], SECRET, True, False),
        # Without an offer of a -PLUS form, it says that it could have bound.
        (["SCRAM-SHA-1"], SECRET, True, True),
        # There is a choice.
        (["PLAIN", "USER"], SECRET, True, True),
        (None, SECRET, False, True),
    ],
)
@pytest.mark.parametrize("known", [True, False])
def test_nothing_is_asked_whose_answer_changes_nothing(
    names: list[str] | None, password: str, bound: bool, asked: bool, known: bool
) -> None:
    bindings = [ChannelBinding("tls-unique", b"x")] if bound else []
    login = Login("user", password, mechanisms=names, channel_binding=bindings)
    engine = connected()
    turns = (LIST if known else REFUSED_LIST) if asked else []
    command = login.feed(told(engine), engine)
    for expected, answer in turns:
        assert command is not None
        assert engine.send(command) == expected + b"\r\n"
        engine.receive_data(answer)
        command = login.feed(told(engine), engine)
    assert command is not None
    assert not isinstance(command, Capa | AuthList)


@pytest.mark.parametrize("names", [["USER"], ["APOP"], ["APOP", "USER"]])
@pytest.mark.parametrize(("user", "password"), [("user", SPECIAL), (SPECIAL, "x")])
def test_utf8_is_asked_for_where_it_is_needed(names: list[str], user: str, password: str) -> None:
    login, engine = Login(user, password, mechanisms=names), connected()
    command = login.feed(told(engine), engine)
    assert command == Capa()
    engine.send(command)
    engine.receive_data(NO)
    # AUTH does not say that.
    assert not isinstance(login.feed(told(engine), engine), AuthList)


def test_what_is_known_is_not_asked_for() -> None:
    engine = connected()
    turns = capa("SASL PLAIN"), (b"AUTH PLAIN " + PLAIN, NO), *USER_PASS
    assert by_password(*turns, engine=engine).mechanism == "USER"
    assert engine.capabilities.sasl == ("PLAIN",)


def test_what_a_mechanism_cannot_carry_is_left_to_the_next_one() -> None:
    odd = f"\u0627{SECRET}"
    turns = [capa("SASL PLAIN"), (b"USER user", OK), (b"PASS " + odd.encode(), OK)]
    assert talk(Login("user", odd), *turns).mechanism == "USER"
    with pytest.raises(LocalProtocolError, match="the password") as caught:
        talk(Login("user", odd, mechanisms=["PLAIN"]), capa("SASL PLAIN"))
    assert SECRET not in shown(caught.value)


def test_a_weaker_one_only_if_it_is_listed() -> None:
    cram = (b"AUTH CRAM-MD5", NO)
    with pytest.raises(AuthenticationError):
        by_password(capa("SASL CRAM-MD5 PLAIN"), cram)
    names = ["CRAM-MD5", "PLAIN"]
    turns = capa("SASL CRAM-MD5 PLAIN"), cram, (b"AUTH PLAIN " + PLAIN, OK)
    assert by_password(*turns, mechanisms=names).mechanism == "PLAIN"


def test_one_binding_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pop3proto.sasl.scram.fresh_nonce", lambda: b"nonce")
    bindings = [ChannelBinding(kind, b"x") for kind in ("tls-exporter", "tls-server-end-point")]
    turns = [
        (b"AUTH SCRAM-SHA-1-PLUS " + b64(b"p=%s,,n=user,r=nonce" % each.type.encode()), NO)
        for each in bindings
    ]
    with pytest.raises(AuthenticationError, match="tried: tls-exporter, tls-server-end-point"):
        by_password(
            *turns,
            channel_binding=bindings,
            mechanisms=["SCRAM-SHA-1-PLUS"],
        )


def test_another_mechanism_in_between_does_not_hide_that_the_binding_was_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("pop3proto.sasl.scram.fresh_nonce", lambda: b"nonce")
    names = ["SCRAM-SHA-1-PLUS", "CRAM-MD5", "SCRAM-SHA-1"]
    turns = [
        capa(f"SASL {' '.join(names)}"),
        (b"AUTH SCRAM-SHA-1-PLUS " + b64(b"p=tls-exporter,,n=user,r=nonce"), NO),
        (b"AUTH CRAM-MD5", NO),
        (b"AUTH SCRAM-SHA-1 " + b64(b"y,,n=user,r=nonce"), NO),
    ]
    binding = ChannelBinding("tls-exporter", b"x")
    with pytest.raises(AuthenticationError, match="channel bindings tried: tls-exporter"):
        by_password(*turns, channel_binding=binding, mechanisms=names)


FIRST = b"r=nonce%s,s=QSXCR+Q6sek8bf92,i=4096"


@pytest.mark.parametrize("reason", [b"", b"e=other-error"])
def test_what_follows_a_bound_login_that_leaves_it_open(
    reason: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pop3proto.sasl.scram.fresh_nonce", lambda: b"nonce")
    login = Login("user", SECRET, channel_binding=ChannelBinding("tls-server-end-point", b"x"))
    engine = connected()
    sent: list[bytes] = []
    refusal = b"-ERR [AUTH] authenticating: bad protocol / cancel\r\n"
    answers = [
        capa("SASL SCRAM-SHA-1-PLUS SCRAM-SHA-1 PLAIN")[1],
        b"+ " + b64(FIRST % b"1") + b"\r\n",
        *([b"+ " + b64(reason) + b"\r\n"] if reason else []),
        refusal,
        refusal,
    ]

    def run() -> None:
        while (command := login.feed(told(engine), engine)) is not None:
            sent.append(engine.send(command))
            engine.receive_data(answers.pop(0))

    with pytest.raises(CredentialsError) as caught:
        run()
    assert (
        sent[1]
        == b"AUTH SCRAM-SHA-1-PLUS " + b64(b"p=tls-server-end-point,,n=user,r=nonce") + b"\r\n"
    )
    # Never "n,,": that would let it be passed on by whoever is in between.
    assert sent[-1] == b"AUTH SCRAM-SHA-1 " + b64(b"y,,n=user,r=nonce") + b"\r\n"
    assert "bad protocol / cancel (channel bindings tried: tls-server-end-point)" in str(
        caught.value
    )
    assert 'mechanisms=["SCRAM-SHA-1"]' in caught.value.hint
    assert login.failure is caught.value
    assert login.session_usable
    assert SECRET not in shown(caught.value)


# In the clear


@pytest.mark.parametrize(
    "login",
    [
        lambda **how: Login("user", SECRET, ask=(), **how),
        lambda **how: Login.oauth("user", SECRET, mechanism="XOAUTH2", **how),
        lambda **how: Login.authenticate(XOAuth2("user", SECRET), **how),
        lambda **how: Login.authenticate(Talk(first=SECRET.encode()), **how),
    ],
)
def test_nothing_is_shown_in_the_clear(login: Callable[..., Login]) -> None:
    with pytest.raises(PlaintextAuthError) as caught:
        talk(login(), engine=connected(secure=False))
    assert SECRET not in shown(caught.value)
    command = login(allow_plaintext_auth=True)
    engine = connected(secure=False)
    engine.next_event()
    assert command.feed(None, engine) is not None


def test_the_hint_for_a_mechanism_that_nobody_knows() -> None:
    with pytest.raises(PlaintextAuthError) as caught:
        talk(Login.authenticate(Talk()), engine=connected(secure=False))
    assert "shows_secret = False" in caught.value.hint


@pytest.mark.parametrize("announced", ["STLS", "TOP"])
@pytest.mark.parametrize("secure", [True, False])
def test_a_refusal_in_the_clear_where_tls_is_announced(announced: str, secure: bool) -> None:
    engine = connected(secure=secure)
    with pytest.raises(AuthenticationError) as caught:
        by_password(capa(announced), (b"USER user", NO), engine=engine, allow_plaintext_auth=True)
    hinted = announced == "STLS" and not secure
    assert ("security=STLS" in caught.value.hint) is hinted


@pytest.mark.parametrize("announced", ["STLS", "TOP"])
def test_nothing_is_offered_in_the_clear(announced: str) -> None:
    engine = connected(secure=False)
    turns = capa(announced, "SASL X-OWN")
    with pytest.raises(MechanismError) as caught:
        by_password(turns, engine=engine, mechanisms=["CRAM-MD5", "SCRAM-SHA-1"])
    assert ("security=STLS" in caught.value.hint) is (announced == "STLS")


def test_the_way_out_after_cram_md5() -> None:
    with pytest.raises(AuthenticationError) as caught:
        by_password(
            capa("SASL CRAM-MD5 PLAIN LOGIN"),
            (b"AUTH CRAM-MD5", b"-ERR Invalid user name or password.\r\n"),
        )
    assert 'mechanisms=["PLAIN"]' in caught.value.hint


IN_TWO_STEPS = "initial_response=False"


@pytest.mark.parametrize(
    ("turns", "hinted"),
    [
        ([(b"AUTH PLAIN " + PLAIN, NO)], True),
        # It says why.
        ([(b"AUTH PLAIN " + PLAIN, b"-ERR [AUTH] no\r\n")], False),
        # It has taken the first message.
        ([(b"AUTH PLAIN " + PLAIN, b"+ \r\n"), (b"*", NO)], False),
    ],
)
def test_a_server_may_not_take_the_first_message_with_auth(turns: list[Turn], hinted: bool) -> None:
    with pytest.raises((AuthenticationError, SaslError)) as caught:
        by_password(*turns, mechanisms=["PLAIN"])
    assert (IN_TWO_STEPS in caught.value.hint) is hinted
    # And it did not come with AUTH.
    turns = [(b"AUTH PLAIN", b"+ \r\n"), (PLAIN, NO)]
    with pytest.raises(AuthenticationError) as caught:
        by_password(*turns, mechanisms=["PLAIN"], initial_response=False)
    assert IN_TWO_STEPS not in caught.value.hint


# Commands without SASL

NAME, ODD = "p\xf6st", "gehe\xefm"


@pytest.mark.parametrize(
    ("name", "password", "announced", "answer"),
    [
        (NAME, "x", "UTF8 USER", OK),
        ("user", ODD, "UTF8 USER", OK),
        # What is refused is not needed (RFC 6856 section 2.2).
        (NAME, ODD, "UTF8 USER", NO),
        (NAME, ODD, "UTF8", None),
        ("user", "x", "UTF8 USER", None),
    ],
)
def test_utf8_comes_before_what_needs_it(
    name: str, password: str, announced: str, answer: bytes | None
) -> None:
    turns = [] if answer is None else [(b"UTF8", answer)]
    turns += [(f"USER {name}".encode(), OK), (f"PASS {password}".encode(), OK)]
    assert talk(Login(name, password), capa(announced), *turns).mechanism == "USER"


def test_utf8_is_sent_once() -> None:
    engine = connected()
    turns = [capa("UTF8 USER"), (b"UTF8", OK), (f"USER {NAME}".encode(), NO)]
    with pytest.raises(AuthenticationError):
        talk(Login(NAME, "x"), *turns, engine=engine)
    # The engine knows that it was granted.
    login = Login(NAME, "x")
    command = login.feed(None, engine)
    assert command is not None
    assert engine.send(command) == f"USER {NAME}\r\n".encode()


def test_user_is_refused() -> None:
    with pytest.raises(MaildropInUseError) as caught:
        by_password(capa(), (b"USER user", b"-ERR [IN-USE] locked\r\n"))
    assert caught.value.command is not None


@pytest.mark.parametrize("names", [["APOP"], ["APOP", "USER"]])
def test_apop_among_others(names: list[str]) -> None:
    engine = connected(greeting=b"+OK ready\r\n")
    if len(names) > 1:
        assert by_password(*USER_PASS, engine=engine, mechanisms=names).mechanism == "USER"
        return
    with pytest.raises(LocalProtocolError, match="no timestamp") as caught:
        by_password(engine=engine, mechanisms=names)
    assert SECRET not in shown(caught.value)


@pytest.mark.parametrize("announced", ["UTF8 USER", "TOP"])
def test_apop_prepares_what_utf_8_can_write_in_two_ways(announced: str) -> None:
    # RFC 6856 section 2.2.
    prepared = announced == "UTF8 USER"
    given = "po\u0308st", "wo\u0308rt"
    name, password = ("p\xf6st", "w\xf6rt") if prepared else given
    digest = md5(b"<1.2@example.org>" + password.encode()).hexdigest().encode()
    turns = [capa(announced), *([(b"UTF8", OK)] if prepared else [])]
    turns.append((b"APOP %s %s" % (name.encode(), digest), OK))
    assert talk(Login(*given, mechanisms=["APOP"]), *turns).mechanism == "APOP"


def test_apop_in_ascii_needs_no_preparing() -> None:
    digest = md5(b"<1.2@example.org>" + SECRET.encode()).hexdigest().encode()
    login = Login("user", SECRET.encode(), mechanisms=["APOP"])
    with pytest.raises(AuthenticationError):
        talk(login, (b"APOP user " + digest, NO))
    # Even if it is known that UTF-8 is accepted.
    engine = connected()
    told(engine)
    engine.send(Capa())
    engine.receive_data(capa("UTF8 USER")[1])
    told(engine)
    again = Login("user", SECRET.encode(), mechanisms=["APOP"])
    assert again.feed(None, engine) == Apop("user", digest.decode())


def test_apop_and_nothing_else() -> None:
    with pytest.raises(LocalProtocolError, match="no timestamp"):
        talk(Login.apop("user", SECRET), engine=connected(greeting=b"+OK ready\r\n"))


def test_rpop() -> None:
    turns = [(b"USER user", OK), (b"RPOP remote", NO)]
    with pytest.raises(AuthenticationError):
        talk(Login.rpop("user", "remote"), *turns)


# SASL


class Talk:
    """A mechanism of one's own: four members and nothing else."""

    def __init__(
        self,
        respond: Callable[[bytes], Any] = lambda challenge: b"",
        *,
        first: Any = None,
        complete: bool = True,
    ) -> None:
        self.name = "X-OWN"
        self.complete = complete
        self._respond = respond
        self._first = first

    def respond(self, challenge: bytes) -> Any:
        return self._respond(challenge)

    def initial(self) -> Any:
        return self._first


def own(*turns: Turn, engine: Any = None, **how: Any) -> Any:
    respond = how.pop("respond", lambda challenge: b"")
    login = Login.authenticate(Talk(respond, **how))
    return talk(login, *turns, engine=engine)


def raising(error: BaseException) -> Callable[[bytes], bytes]:
    def respond(challenge: bytes) -> bytes:
        raise error

    return respond


@pytest.mark.parametrize("octets", [180, 181])
def test_an_initial_response_that_does_not_fit_waits(octets: int) -> None:
    first = b"x" * octets
    if octets == 180:
        turns = [(b"AUTH X-OWN " + b64(first), OK)]
    else:
        turns = [(b"AUTH X-OWN", b"+ \r\n"), (b64(first), OK)]
    assert own(*turns, first=first).mechanism == "X-OWN"


@pytest.mark.parametrize("first", ["text", bytearray(b"x"), 5])
def test_what_a_mechanism_says_is_octets(first: Any) -> None:
    with pytest.raises(LocalProtocolError, match="is bytes, not"):
        own(first=first)


def test_challenges_that_begin_with_ok() -> None:
    """Some servers write them so; each message before the last one says that more will follow."""
    user, password = b64(b"+OK "), b64(SECRET.encode())
    prompts = [b"+OK " + b64(prompt) + b"\r\n" for prompt in (b"Username:", b"Password:")]
    turns = [(b"AUTH LOGIN", prompts[0]), (user, prompts[1]), (password, OK)]
    login = Login("+OK ", SECRET, mechanisms=["LOGIN"])
    assert talk(login, *turns).mechanism == "LOGIN"


def test_the_hosts_name_is_in_the_proof_of_digest_md5() -> None:
    engine = connected()
    login = Login("user", SECRET, mechanisms=["DIGEST-MD5"], host="mail.example.org")
    command = login.feed(told(engine), engine)
    engine.send(command)
    engine.receive_data(b"+ " + b64(b'nonce="n",algorithm=md5-sess') + b"\r\n")
    answer = login.feed(told(engine), engine)
    assert isinstance(answer, AuthResponse)
    assert b'digest-uri="pop/mail.example.org"' in answer.data.octets()


def test_a_server_that_asks_for_something_else() -> None:
    prompt = b"+ " + b64(b"Username:") + b"\r\n"
    with pytest.raises(SaslError, match="does not ask for the first message of X-OWN"):
        own((b"AUTH X-OWN", prompt), (b"*", NO), first=b"x" * 200)


@pytest.mark.parametrize("error", [SaslError("odd"), ValueError("odd"), KeyError("odd")])
def test_what_a_mechanism_raises_cancels(error: Exception) -> None:
    with pytest.raises(type(error), match="odd") as caught:
        own((b"AUTH X-OWN", b"+ \r\n"), (b"*", NO), respond=raising(error))
    assert caught.value is error


@pytest.mark.parametrize("error", [SaslError(), CredentialsError("wrong"), SaslError("odd")])
def test_a_code_in_the_answer_to_the_cancelling(error: Exception) -> None:
    turns = [(b"AUTH X-OWN", b"+ \r\n"), (b"*", b"-ERR [IN-USE] no\r\n")]
    with pytest.raises(MaildropInUseError, match="; the server refused") as caught:
        own(*turns, respond=raising(error))
    assert caught.value.__cause__ is error


def test_a_refusal_of_the_mechanism_gets_the_answer_to_the_cancelling() -> None:
    login = Login.authenticate(Talk(raising(CredentialsError("wrong"))))
    with pytest.raises(CredentialsError, match="wrong; the server refused: no") as caught:
        talk(login, (b"AUTH X-OWN", b"+ \r\n"), (b"*", NO))
    assert caught.value.text == "no"
    assert login.failure is caught.value


def test_a_refusal_of_the_mechanism_is_the_reason_if_nothing_answers_the_cancelling() -> None:
    error = CredentialsError("wrong")
    login, engine = Login.authenticate(Talk(raising(error))), connected()
    command = login.feed(told(engine), engine)
    engine.send(command)
    engine.receive_data(b"+ \r\n")
    assert isinstance(login.feed(told(engine), engine), AuthCancel)
    assert login.failure is error


def test_a_server_that_goes_on_after_the_cancelling() -> None:
    login = Login.authenticate(Talk(raising(ValueError())))
    with pytest.raises(RemoteProtocolError, match="goes on with a login that was cancelled"):
        talk(login, (b"AUTH X-OWN", b"+ \r\n"), (b"*", b"+ \r\n"))
    assert not login.session_usable


@pytest.mark.parametrize("error", [ServerVerificationError("no proof"), KeyboardInterrupt()])
def test_what_leaves_nothing_to_be_said(error: BaseException) -> None:
    login = Login.authenticate(Talk(raising(error)))
    with pytest.raises(type(error)) as caught:
        talk(login, (b"AUTH X-OWN", b"+ \r\n"))
    assert caught.value is error
    assert not login.session_usable


@pytest.mark.parametrize(
    ("how", "turns"),
    [
        ({"complete": False}, [(b"AUTH X-OWN", OK)]),
        ({"complete": False}, [(b"AUTH X-OWN", b"+ \r\n"), (b"", OK)]),
        # Nobody has asked for the password, and yet it was right.
        ({"first": b"x" * 200}, [(b"AUTH X-OWN", OK)]),
    ],
)
def test_a_server_that_has_not_proved_itself(how: dict[str, Any], turns: list[Turn]) -> None:
    with pytest.raises(ServerVerificationError, match="before it had proved itself") as caught:
        own(*turns, **how)
    assert isinstance(caught.value.command, Auth)


def test_challenges_without_end() -> None:
    again = [(b"", b"+ \r\n")] * 20
    with pytest.raises(SaslError, match="more than 20 challenges"):
        own((b"AUTH X-OWN", b"+ \r\n"), *again, (b"*", NO))


def test_a_challenge_that_is_too_long() -> None:
    challenge = b"+ " + b64(b"x" * 101) + b"\r\n"
    engine = connected(limits=Limits(challenge=100))
    with pytest.raises(SaslError, match="101 octets, the limit challenge is 100"):
        own((b"AUTH X-OWN", challenge), (b"*", NO), engine=engine)


def test_a_login_that_is_bound_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    class Bound(Talk):
        channel_bound = True

    result = talk(Login.authenticate(Bound(first=b"")), (b"AUTH X-OWN =", OK))
    assert result.channel_bound


def test_all_answers_belong_to_the_command_that_opened_it() -> None:
    with pytest.raises(AuthenticationError) as caught:
        own((b"AUTH X-OWN", b"+ \r\n"), (b"", NO))
    assert caught.value.command == Auth("X-OWN")


# OAuth


def oauth(*turns: Turn, token: Any = TOKEN, tokens: tuple[str, ...] = (), **how: Any) -> Any:
    how = {"initial_response": True, **how}
    return talk(Login.oauth("user", token, **how), *turns, tokens=tokens)


def test_oauthbearer_where_it_is_offered() -> None:
    said = b64(b"n,a=user,\1host=pop.example.org\1auth=Bearer %s\1\1" % TOKEN.encode())
    turns = capa("SASL XOAUTH2 OAUTHBEARER"), (b"AUTH OAUTHBEARER " + said, OK)
    assert oauth(*turns, host="pop.example.org").mechanism == "OAUTHBEARER"
    for before in (capa(), capa("SASL PLAIN")):
        assert oauth(before, (b"AUTH XOAUTH2 " + XOAUTH2, OK)).mechanism == "XOAUTH2"


def test_another_mechanism_takes_no_token() -> None:
    with pytest.raises(LocalProtocolError, match="plain takes no access token"):
        oauth(mechanism="plain")


@pytest.mark.parametrize(
    ("answers", "details", "kind"),
    [
        ([NO], {}, OAuthError),
        ([FAILURE, NO], {"status": "401", "scope": "mail"}, OAuthError),
        ([FAILURE, b"-ERR [AUTH] no\r\n"], {"status": "401", "scope": "mail"}, OAuthError),
        ([b"-ERR [AUTH] no\r\n"], None, CredentialsError),
        ([FAILURE, b"-ERR [IN-USE] no\r\n"], None, MaildropInUseError),
    ],
)
def test_a_token_that_is_refused(
    answers: list[bytes], details: Any, kind: type[AuthenticationError]
) -> None:
    turns = list(zip([b"AUTH XOAUTH2 " + XOAUTH2, b""], answers, strict=False))
    login = Login.oauth("user", TOKEN, mechanism="xoauth2", initial_response=True)
    with pytest.raises(kind) as caught:
        talk(login, *turns)
    assert type(caught.value) is kind
    assert getattr(caught.value, "details", None) == details
    assert login.failure is caught.value
    # It has taken the token if it has answered it with a challenge.
    assert (IN_TWO_STEPS in caught.value.hint) is (answers == [NO])
    assert TOKEN not in shown(caught.value)


def test_a_mechanism_that_is_refused_before_it_has_shown_its_token() -> None:
    with pytest.raises(AuthenticationError) as caught:
        oauth((b"AUTH XOAUTH2", NO), mechanism="XOAUTH2", initial_response=False)
    assert type(caught.value) is AuthenticationError


@pytest.mark.parametrize("outside", [False, True])
def test_a_token_is_asked_for_once_more(outside: bool) -> None:
    fresh = b64(b"user=user\1auth=Bearer fresh\1\1")
    turns = (b"AUTH XOAUTH2 " + XOAUTH2, NO), (b"AUTH XOAUTH2 " + fresh, OK)
    left = iter([TOKEN, "fresh"])
    token = None if outside else lambda refused: next(left)
    tokens = (TOKEN, "fresh") if outside else ()
    result = oauth(*turns, token=token, tokens=tokens, mechanism="XOAUTH2")
    assert result.mechanism == "XOAUTH2"


def test_the_same_token_is_not_sent_twice() -> None:
    with pytest.raises(OAuthError):
        oauth((b"AUTH XOAUTH2 " + XOAUTH2, NO), token=lambda refused: TOKEN, mechanism="XOAUTH2")


def test_none_of_the_allowed_is_offered() -> None:
    with pytest.raises(MechanismError, match="the server offers: PLAIN"):
        by_password(capa("SASL PLAIN"), mechanisms=["SCRAM-SHA-1", "CRAM-MD5"])
