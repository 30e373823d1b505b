"""Names and passwords with control characters go out by no way of logging in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pop3proto import LocalProtocolError, Login
from pop3proto.compat import poplib
from pop3proto.sasl import (
    CramMd5,
    DigestMd5,
    External,
    LoginMechanism,
    OAuthBearer,
    Plain,
    ScramSha1,
    ScramSha256,
    ScramSha512,
    XOAuth2,
    by_name,
)
from pop3proto.sasl.server import (
    LoggedIn,
    Passwords,
    ServerCramMd5,
    ServerDigestMd5,
    ServerLogin,
    ServerPlain,
    ServerScramSha256,
)
from tests.compat.conversations import talk as poplib_talk
from tests.sasl.logins import GREETING, capa, connected, talk
from tests.tracebacks import shown

SECRET = "pa55word"
CONTROLS = ["\r", "\n", "\0", "\r\nDELE 1", "\t", "\x7f"]
controls = pytest.mark.parametrize("control", CONTROLS, ids=ascii)
octets = pytest.mark.parametrize("octets", [False, True])

# With a user and a secret.
MECHANISMS: dict[str, Callable[[Any, Any], Any]] = {
    "PLAIN": Plain,
    "LOGIN": LoginMechanism,
    "CRAM-MD5": CramMd5,
    "DIGEST-MD5": lambda user, secret: DigestMd5(user, secret, host="pop.example.org"),
    "SCRAM-SHA-1": ScramSha1,
    "SCRAM-SHA-256": ScramSha256,
    "SCRAM-SHA-512": ScramSha512,
    "XOAUTH2": XOAuth2,
    "OAUTHBEARER": OAuthBearer,
}


def by_object(name: str) -> Callable[[Any, Any], Login]:
    return lambda user, secret: Login.authenticate(MECHANISMS[name](user, secret))


def named(name: str) -> Callable[[Any, Any], Login]:
    return lambda user, secret: Login(user, secret, mechanisms=[name])


WAYS: dict[str, Callable[[Any, Any], Login]] = {
    **{f"an object: {name}": by_object(name) for name in MECHANISMS},
    **{name: named(name) for name in ("USER", "APOP", "PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1")},
    "the best": Login,
    "apop()": Login.apop,
    "rpop()": Login.rpop,
}


def given(text: str, octets: bool) -> str | bytes:
    return text.encode() if octets else text


@controls
@octets
@pytest.mark.parametrize("way", WAYS)
def test_a_client_sends_none(way: str, control: str, octets: bool) -> None:
    for user, secret in ((f"user{control}", SECRET), ("user", f"{SECRET}{control}")):
        engine = connected()
        turns = [capa("SASL PLAIN LOGIN CRAM-MD5 SCRAM-SHA-256")] if way == "the best" else []
        with pytest.raises(LocalProtocolError) as caught:
            talk(WAYS[way](given(user, octets), given(secret, octets)), *turns, engine=engine)
        assert SECRET not in str(caught.value)
        assert "0 in flight" in repr(engine)


@controls
@pytest.mark.parametrize("octets", [False, True])
@pytest.mark.parametrize(
    "make",
    [
        lambda identity: Plain("user", SECRET, authorization_id=identity),
        lambda identity: ScramSha256("user", SECRET, authorization_id=identity),
        lambda identity: DigestMd5("user", SECRET, host="example.org", authorization_id=identity),
        External,
    ],
)
def test_no_identity_holds_one(make: Callable[[Any], Any], octets: bool, control: str) -> None:
    with pytest.raises(LocalProtocolError, match="the authorization identity") as caught:
        make(given(f"user{control}", octets))
    assert SECRET not in str(caught.value)


def log_in(client: Any, mechanism: str, user: str, secret: str) -> None:
    match mechanism:
        case "USER":
            client.user(user)
            client.pass_(secret)
        case "APOP":
            client.apop(user, secret)
        case "RPOP":
            client.rpop(user if user != "user" else secret)
        case _:
            client.auth(mechanism, user=user, password=secret)


@controls
@pytest.mark.parametrize(
    "mechanism", ["USER", "APOP", "RPOP", *(name for name in MECHANISMS if "OAUTH" not in name)]
)
def test_the_drop_in_sends_none(mechanism: str, control: str) -> None:
    for user, secret in ((f"user{control}", SECRET), ("user", f"{SECRET}{control}")):
        with poplib_talk(poplib, GREETING, b"+OK\r\n", b"+OK\r\n") as (client, server):
            with pytest.raises(poplib.error_proto) as caught:
                log_in(client, mechanism, user, secret)
            assert isinstance(caught.value, ValueError)
            assert SECRET not in str(caught.value)
            assert client.noop() == b"+OK"
        assert server.received[-1] == b"NOOP\r\n"
        assert not any(SECRET.encode() in line for line in server.received)


@controls
def test_a_server_takes_none(control: str) -> None:
    """Not even of a user who is called like that: no log and no file name meets such a name."""
    user, secret = f"user{control}", SECRET
    passwords = Passwords({user: secret, "user": secret + control})
    name = user.encode()
    plain = ServerPlain(passwords).begin()
    assert plain.respond(b"\0%b\0%b" % (name, secret.encode())) is None
    assert plain.respond(b"\0user\0%b" % (secret + control).encode()) is None
    for first, second in ((name, secret.encode()), (b"user", (secret + control).encode())):
        attempt = ServerLogin(passwords).begin()
        attempt.respond(None)
        assert attempt.respond(first) == b"Password:"
        assert attempt.respond(second) is None
    attempt = ServerCramMd5(passwords, host="example.org").begin()
    challenge = attempt.respond(None)
    assert isinstance(challenge, bytes)
    answer = CramMd5("user", secret).respond(challenge)
    assert attempt.respond(name + answer.removeprefix(b"user")) is None
    scram = ServerScramSha256(passwords).begin()
    assert scram.respond(b"n,,n=%b,r=nonce" % name) is None


@pytest.mark.parametrize("user", ["user\n", "user"])
def test_a_server_takes_none_as_a_quoted_pair(user: str) -> None:
    server = ServerDigestMd5(Passwords({user: SECRET}), host="example.org", realm="")
    attempt = server.begin()
    challenge = attempt.respond(None)
    assert isinstance(challenge, bytes)
    client = DigestMd5("user", SECRET, host="example.org", realm="")
    # As no client of this library does.
    client._user = user
    answer = client.respond(challenge).replace(b"\n", b"\\\n")
    proved = attempt.respond(answer)
    assert (proved is not None) is (user == "user")
    outcome = attempt.respond(b"")
    assert outcome == (LoggedIn("user") if user == "user" else None)


@controls
@pytest.mark.parametrize("name", ["GSSAPI", "NTLM"])
def test_windows_and_kerberos_get_none_either(name: str, control: str) -> None:
    pytest.importorskip("spnego")
    for user, secret in ((f"user{control}", SECRET), ("user", f"{SECRET}{control}")):
        with pytest.raises(LocalProtocolError, match="control character") as caught:
            by_name(name, user, secret, host="pop.example.org")
        assert SECRET not in shown(caught.value)
