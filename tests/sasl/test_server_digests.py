import hmac
from hashlib import md5
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pop3proto import LocalProtocolError, ServerVerificationError
from pop3proto.sasl import server_digests as _server_digests
from pop3proto.sasl.cram_md5 import CramMd5 as CramMd5Client
from pop3proto.sasl.digest_md5 import DigestMd5 as DigestMd5Client
from pop3proto.sasl.digest_md5 import parse
from pop3proto.sasl.server_digests import ServerCramMd5, ServerDigestMd5
from pop3proto.sasl.users import LoggedIn, Passwords, Verdict
from tests.property.effort import effort

HOST = "mail.example.org"
PASSWORDS = {
    "user": "secret",
    "us\u00e9r": "p\u00e4ss",
    "euro": "\u20ac",
    "\u65e5": "x",
    "ctl": "\x07",
}
USERS = Passwords(PASSWORDS)


def cram() -> ServerCramMd5:
    return ServerCramMd5(USERS, host=HOST)


def digest(**options: Any) -> ServerDigestMd5:
    return ServerDigestMd5(USERS, **{"host": HOST, **options})


def test_mechanisms_say_what_they_are() -> None:
    assert (cram().name, cram().shows_password) == ("CRAM-MD5", False)
    assert (digest().name, digest().shows_password) == ("DIGEST-MD5", False)


@pytest.mark.parametrize("host", ["", "a b", "\u00e4", "a\n", None])
def test_a_server_has_a_name(host: Any) -> None:
    with pytest.raises(LocalProtocolError, match="printable ASCII"):
        ServerCramMd5(USERS, host=host)
    with pytest.raises(LocalProtocolError, match="printable ASCII"):
        digest(host=host)
    with pytest.raises(LocalProtocolError, match="printable ASCII"):
        digest(service=host)


def test_the_example_of_rfc_2195(monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = iter(["1896", "697170952"])
    monkeypatch.setattr(_server_digests, "token_hex", lambda *_: next(tokens))
    mechanism = ServerCramMd5(
        Passwords({"tim": "tanstaaftanstaaf"}), host="postoffice.reston.mci.net"
    )
    exchange = mechanism.begin()
    assert exchange.respond(None) == b"<1896.697170952@postoffice.reston.mci.net>"
    assert exchange.respond(b"tim b913a602c7eda7a495b4e6e7334d3890") == LoggedIn("tim")


def cram_answer(challenge: Verdict, user: bytes = b"user", password: bytes = b"secret") -> bytes:
    assert isinstance(challenge, bytes)
    return user + b" " + hmac.new(password, challenge, md5).hexdigest().encode()


def test_cram_challenges_are_never_the_same() -> None:
    challenges = [cram().begin().respond(None) for _ in range(2)]
    assert challenges[0] != challenges[1]
    for challenge in challenges:
        assert isinstance(challenge, bytes)
        assert len(challenge) > 64
        assert challenge.endswith(b"@mail.example.org>")


@pytest.mark.parametrize(
    ("user", "password", "outcome"),
    [
        (b"user", b"secret", LoggedIn("user")),
        ("us\u00e9r".encode(), "p\u00e4ss".encode(), LoggedIn("us\u00e9r")),
        # A password that SASLprep forbids is taken as it is.
        (b"ctl", b"\x07", LoggedIn("ctl")),
        (b"user", b"Secret", None),
        (b"nobody", b"secret", None),
        (b"\xff", b"secret", None),
        (b" user", b"secret", None),
    ],
)
def test_cram_passwords(user: bytes, password: bytes, outcome: Verdict) -> None:
    exchange = cram().begin()
    assert exchange.respond(cram_answer(exchange.respond(None), user, password)) == outcome


# A soft hyphen is nothing to SASLprep, beside what Unicode 3.2 knows and what it does not.
@pytest.mark.parametrize("stored", ["I\u00adX", "\U0001f600\u00ad"])
def test_cram_passwords_count_as_stored_and_as_prepared(stored: str) -> None:
    prepared = stored.replace("\u00ad", "")
    for password in (stored, prepared, stored.encode(), prepared.encode()):
        exchange = ServerCramMd5(Passwords({"user": stored}), host=HOST).begin()
        challenge = exchange.respond(None)
        assert isinstance(challenge, bytes)
        client = CramMd5Client("user", password)
        assert exchange.respond(client.respond(challenge)) == LoggedIn("user")


@pytest.mark.parametrize("first", [b"", b"user 00", b"user " + b"0" * 32, None])
def test_a_cram_challenge_is_used_once(first: bytes | None) -> None:
    exchange = cram().begin()
    answer = cram_answer(exchange.respond(None))
    assert exchange.respond(first) is None
    assert exchange.respond(answer) is None


def test_a_cram_login_is_not_repeated() -> None:
    exchange = cram().begin()
    answer = cram_answer(exchange.respond(None))
    assert exchange.respond(answer) == LoggedIn("user")
    assert exchange.respond(answer) is None


def test_an_answer_to_another_cram_challenge() -> None:
    mechanism = cram()
    one, other = mechanism.begin(), mechanism.begin()
    answer = cram_answer(one.respond(None))
    other.respond(None)
    assert other.respond(answer) is None
    assert one.respond(answer) == LoggedIn("user")


def test_cram_has_no_initial_response() -> None:
    exchange = cram().begin()
    assert exchange.respond(b"user " + b"0" * 32) is None
    assert exchange.respond(None) is None


def test_what_stands_in_for_an_unknown_password_never_matches(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Even whoever guessed it is not let in.
    monkeypatch.setattr(_server_digests, "_NOBODYS", "guessed")
    exchange = cram().begin()
    assert exchange.respond(cram_answer(exchange.respond(None), b"nobody", b"guessed")) is None
    exchange = digest().begin()
    challenge = exchange.respond(None)
    assert isinstance(challenge, bytes)
    client = DigestMd5Client("nobody", "guessed", host=HOST)
    assert exchange.respond(client.respond(challenge)) is None


@pytest.mark.parametrize("user", ["user", "nobody"])
def test_an_unknown_user_costs_as_much_as_a_wrong_password(
    monkeypatch: pytest.MonkeyPatch, user: str
) -> None:
    done: list[str] = []
    for name in ("cram_md5", "saslprep", "secret_hash", "digests"):
        original = getattr(_server_digests, name)

        def counted(*args: Any, name: str = name, original: Any = original, **more: Any) -> Any:
            done.append(name)
            return original(*args, **more)

        monkeypatch.setattr(_server_digests, name, counted)
    exchange = cram().begin()
    assert exchange.respond(cram_answer(exchange.respond(None), user.encode(), b"wrong")) is None
    assert exchanged(digest(), DigestMd5Client(user, "wrong", host=HOST)) == [None]
    assert sorted(done) == ["cram_md5", "cram_md5", "digests", "saslprep", "secret_hash"]


def exchanged(mechanism: ServerDigestMd5, client: DigestMd5Client) -> list[Verdict]:
    """What the server says after its challenge."""
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
    monkeypatch.setattr(_server_digests, "token_urlsafe", lambda: nonce)
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
    st.sampled_from([cram(), digest()]),
    st.lists(
        st.none()
        | st.binary()
        | st.lists(DIRECTIVES | st.binary(max_size=9)).map(b",".join)
        | st.binary(max_size=9).map(lambda user: user + b" " + b"0" * 32),
        max_size=3,
    ),
)
def test_nothing_that_a_client_sends_is_an_error(
    mechanism: ServerCramMd5 | ServerDigestMd5, responses: list[bytes | None]
) -> None:
    exchange = mechanism.begin()
    assert isinstance(exchange.respond(None), bytes)
    for response in responses:
        assert exchange.respond(response) is None
