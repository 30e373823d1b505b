from typing import Any
from unittest.mock import Mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pop3proto import LocalProtocolError
from pop3proto.errors import ServerVerificationError
from pop3proto.sasl import DigestMd5 as DigestMd5Client
from pop3proto.sasl import digest_md5 as _module
from pop3proto.sasl.digest_md5 import parse
from pop3proto.sasl.server import LoggedIn, Passwords, ServerDigestMd5, Verdict
from tests.property.effort import effort
from tests.sasl.logins import counted_calls

HOST = "mail.example.org"
PASSWORDS = {
    "user": "secret",
    "us\u00e9r": "p\u00e4ss",
    "euro": "\u20ac",
    "\u65e5": "x",
    "bidi": "\u0627a",
}
USERS = Passwords(PASSWORDS)


def digest(**options: Any) -> ServerDigestMd5:
    return ServerDigestMd5(USERS, **{"host": HOST, **options})


def test_it_says_what_it_is() -> None:
    assert (digest().name, digest().shows_password) == ("DIGEST-MD5", False)


@pytest.mark.parametrize("host", ["", "a b", "\u00e4", "a\n", None])
def test_a_server_has_a_name(host: Any) -> None:
    with pytest.raises(LocalProtocolError, match="printable ASCII"):
        digest(host=host)
    with pytest.raises(LocalProtocolError, match="printable ASCII"):
        digest(service=host)


@pytest.mark.parametrize("name", ["realm"])
def test_an_argument_of_a_wrong_type_is_named(name: str) -> None:
    with pytest.raises(LocalProtocolError, match=rf"^{name} "):
        digest(**{name: b"x"})


def test_what_stands_in_for_an_unknown_password_never_matches(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Even whoever guessed it is not let in.
    monkeypatch.setattr(_module, "NOBODYS", "guessed")
    exchange = digest().begin()
    challenge = exchange.respond(None)
    assert isinstance(challenge, bytes)
    client = DigestMd5Client("nobody", "guessed", host=HOST)
    assert exchange.respond(client.respond(challenge)) is None


@pytest.mark.parametrize("user", ["user", "nobody"])
def test_an_unknown_user_costs_as_much_as_a_wrong_password(
    monkeypatch: pytest.MonkeyPatch, user: str
) -> None:
    done = counted_calls(monkeypatch, _module, "_secret_hash", "_digests")
    client = DigestMd5Client(user, "wrong", host=HOST)
    assert exchanged(digest(), client) == [None]
    # The client and the server, each of them once.
    assert sorted(done) == 2 * ["_digests"] + 2 * ["_secret_hash"]


def exchanged(mechanism: ServerDigestMd5, client: DigestMd5Client) -> list[Verdict]:
    """Return what the server says after its challenge."""
    exchange = mechanism.begin()
    challenge, said = exchange.respond(None), list[Verdict]()
    while isinstance(challenge, bytes):
        challenge = exchange.respond(client.respond(challenge))
        said.append(challenge)
    return said


@pytest.mark.parametrize(
    ("service", "nonce", "cnonce", "response", "rspauth"),
    [
        (
            *("imap", "OA6MG9tEQGm2hh", "OA6MHXh6VqTrRk"),
            b"d388dad90d4bbd760a152321f2143af7",
            b"ea40f60335c427b5527b84dbabcdfffd",
        ),
        (
            *("acap", "OA9BSXrbuRhWay", "OA9BSuZWMSpW8m"),
            b"6084c6db3fede7352c551284490fd0fc",
            b"2f0b3d7c3c2e486600ef710726aa2eae",
        ),
    ],
)
def test_the_examples_of_rfc_2831(
    monkeypatch: pytest.MonkeyPatch,
    service: str,
    nonce: str,
    cnonce: str,
    response: bytes,
    rspauth: bytes,
) -> None:
    monkeypatch.setattr(_module, "urandom", lambda _: Mock(hex=lambda: nonce))
    mechanism = ServerDigestMd5(
        Passwords({"chris": "secret"}), host="elwood.innosoft.com", service=service
    )
    exchange = mechanism.begin()
    assert (
        exchange.respond(None)
        == (b'realm="elwood.innosoft.com",nonce="%b",qop="auth",algorithm=md5-sess,charset=utf-8')
        % nonce.encode()
    )
    assert exchange.respond(
        b'charset=utf-8,username="chris",realm="elwood.innosoft.com",nonce="%b",nc=00000001,'
        b'cnonce="%b",digest-uri="%b/elwood.innosoft.com",response=%b,qop=auth'
        % (nonce.encode(), cnonce.encode(), service.encode(), response)
    ) == (b"rspauth=" + rspauth)
    assert exchange.respond(b"") == LoggedIn("chris")


@pytest.mark.parametrize("user", PASSWORDS)
@pytest.mark.parametrize("realm", [None, "example.org", 'a"b\\c', "\u00e4", "\u65e5"])
def test_digest_with_the_client(user: str, realm: str | None) -> None:
    client = DigestMd5Client(user, PASSWORDS[user], host=HOST)
    proof, outcome = exchanged(digest(realm=realm), client)
    assert isinstance(proof, bytes)
    assert outcome == LoggedIn(user)
    assert client.complete


@pytest.mark.parametrize(
    ("user", "password", "options"),
    [
        ("user", "Secret", {}),
        ("user", "", {}),
        ("nobody", "secret", {}),
        (b"\xff", "secret", {}),
        ("user", "secret", {"host": "other.example.org"}),
        ("user", "secret", {"service": "imap"}),
        ("user", "secret", {"authorization_id": "other"}),
        ("user", "secret", {"authorization_id": b"\xff"}),
    ],
)
def test_digest_logins_that_are_refused(
    user: str | bytes, password: str, options: dict[str, Any]
) -> None:
    client = DigestMd5Client(user, password, **{"host": HOST, **options})
    assert exchanged(digest(), client) == [None]
    assert not client.complete


def test_a_user_may_act_as_itself_and_call_the_host_in_any_case() -> None:
    client = DigestMd5Client(
        "us\u00e9r", "p\u00e4ss", host="Mail.Example.ORG", authorization_id="us\u00e9r"
    )
    assert exchanged(digest(), client)[-1] == LoggedIn("us\u00e9r")


def test_a_server_that_does_not_know_the_password_is_found_out() -> None:
    client = DigestMd5Client("user", "secret", host=HOST)
    challenge = digest().begin().respond(None)
    assert isinstance(challenge, bytes)
    client.respond(challenge)
    with pytest.raises(ServerVerificationError):
        client.respond(b"rspauth=" + b"0" * 32)


class Digest:
    """A login that the server accepts, unless its response is changed."""

    def __init__(self, user: str = "user", password: str = "secret", *, ask: bytes = b"") -> None:
        self.exchange = digest(realm="r\u00ebalm" if ask else None).begin()
        challenge = self.exchange.respond(None)
        assert isinstance(challenge, bytes)
        # A client of ISO 8859-1 sees the same challenge in its own charset.
        challenge = challenge.replace(ask, b"").replace(b"\xc3\xab", b"\xeb") if ask else challenge
        self.response = DigestMd5Client(user, password, host=HOST, cnonce="c").respond(challenge)

    def change(self, old: bytes, new: bytes) -> Verdict:
        assert old in self.response
        return self.exchange.respond(self.response.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"charset=utf-8,", b"charset=utf-7,"),
        (b'username="user",', b""),
        (b'username="user",', b'username="",'),
        (b'username="user",', b'username="user",username="user",'),
        (b'username="user",', b'username="us\xffer",'),
        (b'realm="mail.example.org",', b""),
        (b'realm="mail.example.org",', b'realm="other.example.org",'),
        (b'realm="mail.example.org",', b'realm="\xff",'),
        (b"nonce=", b"nonce2="),
        (b'nonce="', b'nonce="x'),
        (b"nc=00000001,", b""),
        (b"nc=00000001,", b"nc=00000002,"),
        (b'cnonce="c",', b""),
        (b'cnonce="c",', b'cnonce="",'),
        (b'cnonce="c",', b'cnonce="d",'),
        (b"digest-uri=", b"digest-uri2="),
        (b'digest-uri="pop', b'digest-uri="imap'),
        (b"response=", b"response2="),
        (b"response=", b"response=0"),
        (b"qop=auth", b"qop=auth-int"),
        (b"qop=auth", b'qop=auth,authzid="other"'),
        (b"qop=auth", b'qop=auth,authzid="user"'),
        (b"qop=auth", b"qop=auth," + b"x" * 4096 + b"=1"),
        (b"qop=auth", b"qop=auth,,x"),
    ],
)
def test_a_response_that_is_changed(old: bytes, new: bytes) -> None:
    login = Digest()
    assert login.change(old, new) is None
    assert login.exchange.respond(login.response) is None
    assert login.exchange.respond(b"") is None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b",qop=auth", b""),
        (b"qop=auth", b"qop=AUTH,maxbuf=1024,x=y"),
        (b"charset=utf-8", b'charset="UTF-8"'),
        (b"charset=utf-8,", b""),
        (b"qop=auth", b'qop=auth,authzid=""'),
    ],
)
def test_a_response_that_says_the_same(old: bytes, new: bytes) -> None:
    login = Digest()
    assert isinstance(login.change(old, new), bytes)
    assert login.exchange.respond(b"") == LoggedIn("user")


@pytest.mark.parametrize("user", ["us\u00e9r", "user"])
def test_a_client_of_iso_8859_1(user: str) -> None:
    login = Digest(user, PASSWORDS[user], ask=b",charset=utf-8")
    assert b"charset" not in login.response
    assert isinstance(login.exchange.respond(login.response), bytes)
    assert login.exchange.respond(b"") == LoggedIn(user)


def test_a_client_of_iso_8859_1_cannot_know_every_password() -> None:
    login = Digest("euro", "E", ask=b",charset=utf-8")
    assert login.exchange.respond(login.response) is None


@pytest.mark.parametrize("last", [b"x", None])
def test_the_last_response_of_digest_is_empty(last: bytes | None) -> None:
    login = Digest()
    assert isinstance(login.exchange.respond(login.response), bytes)
    assert login.exchange.respond(last) is None
    assert login.exchange.respond(b"") is None


def test_a_digest_login_is_not_repeated() -> None:
    login = Digest()
    login.exchange.respond(login.response)
    assert login.exchange.respond(b"") == LoggedIn("user")
    assert login.exchange.respond(b"") is None
    assert login.exchange.respond(login.response) is None
    # Nor does it go through another exchange, which has another nonce.
    assert Digest().exchange.respond(login.response) is None


def test_digest_has_no_initial_response() -> None:
    login = Digest()
    exchange = digest().begin()
    assert exchange.respond(login.response) is None
    assert exchange.respond(None) is None


def test_nonces_are_never_the_same() -> None:
    nonces = []
    for _ in range(2):
        challenge = digest().begin().respond(None)
        assert isinstance(challenge, bytes)
        nonces += parse(challenge)["nonce"]
    assert nonces[0] != nonces[1]
    assert min(map(len, nonces)) >= 32


def test_a_realm_holds_no_control_characters() -> None:
    with pytest.raises(LocalProtocolError, match="realm"):
        digest(realm="a\n")


DIRECTIVES = st.sampled_from(
    [b"username=user", b'realm="mail.example.org"', b"nc=00000001", b"cnonce=c", b"charset=utf-8"]
)


@effort(100)
@given(
    st.lists(
        st.none() | st.binary() | st.lists(DIRECTIVES | st.binary(max_size=9)).map(b",".join),
        max_size=3,
    ),
)
def test_nothing_that_a_client_sends_is_an_error(responses: list[bytes | None]) -> None:
    exchange = digest().begin()
    assert isinstance(exchange.respond(None), bytes)
    for response in responses:
        assert exchange.respond(response) is None


@pytest.mark.parametrize("user", ["user", "tab\n"])
def test_a_name_holds_no_control_character_in_a_quoted_pair(user: str) -> None:
    exchange = ServerDigestMd5(Passwords({user: "secret"}), host=HOST).begin()
    challenge = exchange.respond(None)
    assert isinstance(challenge, bytes)
    client = DigestMd5Client("user", "secret", host=HOST)
    # As no client of this library does.
    client._user = user
    proof = exchange.respond(client.respond(challenge).replace(b"\n", b"\\\n"))
    assert (proof is not None) is (user == "user")
