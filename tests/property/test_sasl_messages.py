"""SASL messages of any kind: only the documented errors, no login for nothing, and linear work."""

from __future__ import annotations

import sys
from base64 import b64encode
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pop3proto.errors import CredentialsError, SaslError, ServerVerificationError
from pop3proto.sasl import (
    ChannelBinding,
    CramMd5,
    DigestMd5,
    External,
    LoginMechanism,
    OAuthBearer,
    Plain,
    ScramSha1,
    ScramSha256,
    XOAuth2,
)
from pop3proto.sasl.server import (
    LoggedIn,
    Passwords,
    ServerAnonymous,
    ServerCramMd5,
    ServerDigestMd5,
    ServerExternal,
    ServerLogin,
    ServerOAuthBearer,
    ServerPlain,
    ServerScramSha1,
    ServerScramSha256,
    ServerXOAuth2,
)
from tests.property.effort import effort

SECRET = "pa55word"
NONCE = "rOprNGfwEbeRWgbNEkqO"
BINDING = ChannelBinding("tls-unique", b"binding")

CLIENTS: dict[str, Callable[[], Any]] = {
    "PLAIN": lambda: Plain("user", SECRET),
    "LOGIN": lambda: LoginMechanism("user", SECRET),
    "EXTERNAL": lambda: External("user"),
    "CRAM-MD5": lambda: CramMd5("user", SECRET),
    "DIGEST-MD5": lambda: DigestMd5("user", SECRET, host="example.org"),
    "SCRAM-SHA-1": lambda: ScramSha1("user", SECRET, nonce=NONCE),
    "SCRAM-SHA-256-PLUS": lambda: ScramSha256("user", SECRET, nonce=NONCE, channel_binding=BINDING),
    "XOAUTH2": lambda: XOAuth2("user", SECRET),
    "OAUTHBEARER": lambda: OAuthBearer("user", SECRET),
}


class Tokens:
    def check_token(self, user: str, token: str) -> bool:
        return False


USERS = Passwords({"user": SECRET})
SERVERS: dict[str, Callable[[], Any]] = {
    "PLAIN": lambda: ServerPlain(USERS),
    "LOGIN": lambda: ServerLogin(USERS),
    "EXTERNAL": lambda: ServerExternal("user"),
    "ANONYMOUS": ServerAnonymous,
    "CRAM-MD5": lambda: ServerCramMd5(USERS, host="example.org"),
    "DIGEST-MD5": lambda: ServerDigestMd5(USERS, host="example.org"),
    "SCRAM-SHA-1": lambda: ServerScramSha1(USERS, iterations=1),
    "SCRAM-SHA-256-PLUS": lambda: ServerScramSha256(
        USERS, iterations=1, channel_bindings=[BINDING]
    ),
    "XOAUTH2": lambda: ServerXOAuth2(Tokens()),
    "OAUTHBEARER": lambda: ServerOAuthBearer(Tokens()),
}
# Those with which anybody may log in.
OPEN = {"EXTERNAL", "ANONYMOUS"}

PIECES = [
    *(b"r=", NONCE.encode(), b"s=", b"i=", b"4096", b"1000001", b"v=", b"e=", b"m=", b"=", b","),
    *(b"e=invalid-proof", b"e=other-error", b"QUJD", b"n,,", b"y,,", b"p=tls-unique,,", b"n=user"),
    *(b"c=biws", b"p=", b"=2C", b"=3D", b"=2c", b"a=user", b"\0", b"user", b"\x01", b"\x01\x01"),
    *(b'realm="a",', b'nonce="x",', b'qop="auth",', b"algorithm=md5-sess,", b"charset=utf-8,"),
    *(b'"', b"\\", b"rspauth=", b"username=", b"response=", b"nc=00000001", b'cnonce="c",'),
    *(b"{", b"[", b"]", b"}", b'"status":"401"', b":", b"null", b"1e999", b"9" * 5000, b"NaN"),
    *(b"auth=Bearer ", b"user=user\x01", b"host=h\x01", b" ", b"<1@example.org>", b"\xff", b"\x1b"),
    *("\u202e".encode(), b"\xed\xa0\x80", b"0" * 32, b"\r\n"),
]
messages = st.lists(st.sampled_from(PIECES) | st.binary(max_size=8), max_size=12).map(b"".join)
conversations = st.lists(messages, min_size=1, max_size=5)


def check(error: Exception) -> None:
    assert str(error).isprintable()
    assert len(str(error)) < 500
    assert SECRET not in str(error)
    # The library's own helpers raise other errors, which show nothing here.
    assert error.__context__ is None


@given(st.sampled_from(sorted(CLIENTS)), conversations)
@effort(400)
def test_a_client_raises_only_what_is_documented(name: str, challenges: list[bytes]) -> None:
    client = CLIENTS[name]()
    client.initial()
    for challenge in challenges:
        try:
            assert isinstance(client.respond(challenge), bytes)
        except (SaslError, CredentialsError, ServerVerificationError) as error:
            check(error)


@given(st.sampled_from(sorted(SERVERS)), st.none() | messages, conversations)
@effort(400)
def test_a_server_raises_nothing_and_lets_nobody_in(
    name: str, first: bytes | None, responses: list[bytes]
) -> None:
    attempt = SERVERS[name]().begin()
    for response in (first, *responses):
        verdict = attempt.respond(response)
        assert verdict is None or isinstance(verdict, bytes | LoggedIn)
        # To guess the password is possible, but not with these pieces.
        assert not isinstance(verdict, LoggedIn) or name in OPEN


def work(respond: Callable[[bytes], object], message: bytes) -> int:
    """How many lines of Python run for ``message``."""
    lines = 0

    def count(frame: FrameType, event: str, argument: object) -> Any:
        nonlocal lines
        lines += event == "line"
        return count

    before = sys.gettrace()
    sys.settrace(count)
    try:
        respond(message)
    except (SaslError, CredentialsError, ServerVerificationError):
        pass
    finally:
        sys.settrace(before)
    return lines


def repeated(unit: bytes, octets: int) -> bytes:
    return unit * (octets // len(unit))


UNITS = [
    *(b",", b"=", b"a=b,", b"m=,", b"r=" + NONCE.encode() + b",", b"e=,", b"=2C", b"=3D"),
    *(b'a="b",', b'realm="r",', b"a=b,", b" ", b'"', b"\\", b'\\"', b"\t\r\n "),
    *(b"[", b"{", b'{"a":', b"9", b'"', b"\x01", b"a=b\x01", b"\0", b"a\0", b"0 ", b"\xcc\x81"),
]
BEFORE = [
    b"",
    b"r=" + NONCE.encode(),
    b"v=",
    b'nonce="',
    b"n,,n=",
    b"n,a=user,\x01",
    b"user=",
    b"{",
]


@pytest.mark.parametrize("name", CLIENTS)
def test_the_work_of_a_client_is_linear(name: str) -> None:
    for before in BEFORE:
        for unit in UNITS:
            small, large = (
                work(CLIENTS[name]().respond, before + repeated(unit, octets))
                for octets in (8_000, 32_000)
            )
            assert large <= 4 * small * 1.3 + 100, (before, unit)


@pytest.mark.parametrize("name", SERVERS)
@pytest.mark.parametrize("second", [False, True])
def test_the_work_of_a_server_is_linear(name: str, second: bool) -> None:
    def begun() -> Any:
        attempt = SERVERS[name]().begin()
        if second:
            attempt.respond(b"n,,n=user,r=x" if name == "SCRAM-SHA-1" else None)
        return attempt.respond

    for before in BEFORE:
        for unit in UNITS:
            small, large = (
                work(begun(), before + repeated(unit, octets)) for octets in (8_000, 32_000)
            )
            assert large <= 4 * small * 1.3 + 100, (before, unit)


# What one library or another does in C, where lines cannot be counted, is bounded by a length that
# is looked at first.


@pytest.mark.parametrize("octets", [8192, 8193])
def test_an_explanation_has_a_length(octets: int, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    def loads(text: str) -> dict[str, str]:
        read.append(text)
        return {"status": "401"}

    monkeypatch.setattr("json.loads", loads)
    client = XOAuth2("user", SECRET)
    client.initial()
    client.respond(b'"' + b"x" * (octets - 2) + b'"')
    assert bool(read) is (octets == 8192)
    assert client.details == ({"status": "401"} if read else {})


@pytest.mark.parametrize(("brackets", "read"), [(32, True), (33, False)])
@pytest.mark.parametrize("bracket", [b"[", b"{"])
def test_an_explanation_has_a_depth(
    brackets: int, read: bool, bracket: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("json.loads", lambda text: {"status": "401"})
    client = XOAuth2("user", SECRET)
    client.initial()
    client.respond(bracket * brackets)
    assert bool(client.details) is read


@pytest.mark.parametrize("octets", [2047, 2048])
def test_a_challenge_of_digest_md5_has_a_length(
    octets: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = b'nonce="x",algorithm=md5-sess,realm="'
    challenge = head + b"r" * (octets - len(head) - 1) + b'"'
    assert len(challenge) == octets
    client = DigestMd5("user", SECRET, host="example.org")
    if octets < 2048:
        assert client.respond(challenge).startswith(b"username=")
    else:
        with pytest.raises(SaslError, match="2048 octets or more"):
            client.respond(challenge)


@pytest.mark.parametrize("digits", [7, 9, 10, 5000])
def test_a_count_of_iterations_is_looked_at_before_it_is_a_number(digits: int) -> None:
    client = ScramSha1("user", SECRET, nonce=NONCE)
    salt = b64encode(b"salt")
    with pytest.raises(SaslError, match="iterations, where 4096 to 1000000 are safe") as caught:
        client.respond(b"r=%bx,s=%b,i=%b" % (NONCE.encode(), salt, b"9" * digits))
    assert len(str(caught.value)) < 200
