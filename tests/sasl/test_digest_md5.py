from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pop3proto import LocalProtocolError
from pop3proto.errors import SaslError, ServerVerificationError
from pop3proto.sasl import DigestMd5
from pop3proto.sasl.digest_md5 import parse
from tests.property.effort import effort
from tests.sasl.logins import without_md5_for_security
from tests.tracebacks import shown

HOST = "elwood.innosoft.com"
IMAP = (
    b'realm="elwood.innosoft.com",nonce="OA6MG9tEQGm2hh",qop="auth",'
    b"algorithm=md5-sess,charset=utf-8"
)
SECRET = "tanstaaftanstaaf"
# What a challenge needs, with room for more.
NEEDED = b'nonce="n",algorithm=md5-sess'


def digest(user: str | bytes = "user", password: str | bytes = SECRET, **options: Any) -> DigestMd5:
    return DigestMd5(user, password, **{"host": "mail.example.org", "cnonce": "c", **options})


def answered(challenge: bytes, mechanism: DigestMd5 | None = None) -> dict[str, bytes]:
    answer = (mechanism or digest()).respond(challenge)
    return {name: values[0] for name, values in parse(answer).items()}


def test_the_imap_example_of_rfc_2831() -> None:
    mechanism = DigestMd5("chris", "secret", service="imap", host=HOST, cnonce="OA6MHXh6VqTrRk")
    assert (mechanism.name, mechanism.shows_secret) == ("DIGEST-MD5", False)
    assert mechanism.initial() is None
    assert mechanism.respond(IMAP) == (
        b'charset=utf-8,username="chris",realm="elwood.innosoft.com",nonce="OA6MG9tEQGm2hh",'
        b'nc=00000001,cnonce="OA6MHXh6VqTrRk",digest-uri="imap/elwood.innosoft.com",'
        b"response=d388dad90d4bbd760a152321f2143af7,qop=auth"
    )
    assert not mechanism.complete
    assert mechanism.respond(b"rspauth=ea40f60335c427b5527b84dbabcdfffd") == b""
    assert mechanism.complete


def test_the_acap_example_of_rfc_2831() -> None:
    mechanism = DigestMd5("chris", "secret", service="acap", host=HOST, cnonce="OA9BSuZWMSpW8m")
    challenge = (
        b'realm="elwood.innosoft.com",nonce="OA9BSXrbuRhWay",qop="auth",'
        b"algorithm=md5-sess,charset=utf-8"
    )
    assert mechanism.respond(challenge) == (
        b'charset=utf-8,username="chris",realm="elwood.innosoft.com",nonce="OA9BSXrbuRhWay",'
        b'nc=00000001,cnonce="OA9BSuZWMSpW8m",digest-uri="acap/elwood.innosoft.com",'
        b"response=6084c6db3fede7352c551284490fd0fc,qop=auth"
    )
    assert mechanism.respond(b"rspauth=2f0b3d7c3c2e486600ef710726aa2eae") == b""
    assert mechanism.complete


# What the lines of RFC 5034 section 6 hold in base64.
RFC_5034 = (
    b'charset=utf-8,username="chris",realm="elwood.innosoft.com",nonce="OA6MG9tEQGm2hh",'
    b'nc=00000001,cnonce="OA6MHXh6VqTrRk",digest-uri="pop/elwood.innosoft.com",'
    b"response=b0d56d2f054c24b62072322106468db9,qop=auth",
    b"rspauth=0b971462cef5e8f930db9a33b02fc9a0",
)


def test_the_example_of_rfc_5034() -> None:
    mechanism = DigestMd5("chris", "secret", host=HOST, cnonce="OA6MHXh6VqTrRk")
    assert mechanism.respond(IMAP) == RFC_5034[0]
    assert not mechanism.complete
    assert mechanism.respond(RFC_5034[1]) == b""
    assert mechanism.complete


def test_a_system_that_refuses_md5_for_security(monkeypatch: pytest.MonkeyPatch) -> None:
    """As FIPS 140 demands; the other side has chosen the hash, and there is TLS."""
    without_md5_for_security(monkeypatch)
    test_the_imap_example_of_rfc_2831()


@pytest.mark.parametrize(
    "proof",
    [
        b"rspauth=2f0b3d7c3c2e486600ef710726aa2eae",
        b'rspauth="EA40F60335C427B5527B84DBABCDFFFD"',
        b"rspauth=",
        b"realm=x",
        b"",
        b"rspauth=ea40f60335c427b5527b84dbabcdfffd,rspauth=ea40f60335c427b5527b84dbabcdfffd",
        IMAP,
    ],
)
def test_a_server_that_proves_nothing(proof: bytes) -> None:
    mechanism = DigestMd5("chris", "secret", service="imap", host=HOST, cnonce="OA6MHXh6VqTrRk")
    mechanism.respond(IMAP)
    with pytest.raises(ServerVerificationError):
        mechanism.respond(proof)
    assert not mechanism.complete


def test_there_is_no_third_challenge() -> None:
    mechanism = DigestMd5("chris", "secret", service="imap", host=HOST, cnonce="OA6MHXh6VqTrRk")
    mechanism.respond(IMAP)
    mechanism.respond(b"rspauth=ea40f60335c427b5527b84dbabcdfffd")
    with pytest.raises(SaslError, match="third"):
        mechanism.respond(b"")


@pytest.mark.parametrize(
    ("challenge", "problem"),
    [
        (b"", "has no nonce"),
        (b'nonce="",algorithm=md5-sess', "has no nonce"),
        (b'nonce="n"', "algorithm"),
        (b'nonce="n",algorithm=md5', "algorithm"),
        (NEEDED + b",qop=auth-int", "qop"),
        (NEEDED + b',qop="auth-conf,auth-int"', "qop"),
        (NEEDED + b',qop=""', "qop"),
        (NEEDED + b",charset=iso-8859-1", "charset"),
        (NEEDED + b',charset=utf-8,realm="\xff"', "a realm that is not UTF-8"),
        (NEEDED + b',nonce="n"', "repeats a directive"),
        (NEEDED + b",Algorithm=md5-sess", "repeats a directive"),
        (NEEDED + b",stale=true,stale=true", "repeats a directive"),
        (NEEDED + b",x=1,x=1", "repeats a directive"),
        (b'nonce="n', "grammar at octet 0"),
        (b'nonce="n""', "grammar"),
        (b'nonce="n" x', "grammar"),
        (b'nonce="\x00"', "grammar"),
        (b'nonce="n\\"', "grammar"),
        (b"nonce", "grammar"),
        (b"nonce=", "grammar"),
        (b"=n", "grammar"),
        (b"n\xf6=n", "grammar"),
        (NEEDED + b" realm=x", "grammar"),
        (NEEDED + b",realm=a@b", "grammar at octet 29"),
        (NEEDED + b",x=" + b"x" * 2017, "2048 octets or more"),
    ],
)
def test_a_challenge_that_is_refused(challenge: bytes, problem: str) -> None:
    mechanism = digest()
    with pytest.raises(SaslError, match=problem) as caught:
        mechanism.respond(challenge)
    assert not mechanism.complete
    assert SECRET not in shown(caught.value)


@pytest.mark.parametrize(
    "challenge",
    [
        b' ,\t, NONCE = "n" ,, Algorithm=MD5-SESS , \r\n',
        b'algorithm="md5-sess",nonce=n',
        NEEDED + b',qop="auth-int, AUTH",maxbuf=1024,cipher="3des",stale=false,x="\\"\\\\,="',
        NEEDED + b',qop="auth-int,auth"',
        NEEDED + b',nonce2="n",qop=auth,',
        NEEDED + b",x=" + b"x" * 2016,
    ],
)
def test_a_challenge_that_is_well_formed(challenge: bytes) -> None:
    assert answered(challenge) == {
        "username": b"user",
        "nonce": b"n",
        "nc": b"00000001",
        "cnonce": b"c",
        "digest-uri": b"pop/mail.example.org",
        "response": b"a747554d9319702e7b3e5d7eb6c393a7",
        "qop": b"auth",
    }


def test_quoted_strings_have_backslashes() -> None:
    challenge = b'nonce="a\\"b\\\\c\\d",algorithm=md5-sess,realm="\\\\r\\""'
    mechanism = digest('us"er\\')
    answer = mechanism.respond(challenge)
    assert b'username="us\\"er\\\\",realm="\\\\r\\"",nonce="a\\"b\\\\cd",' in answer
    assert parse(answer)["realm"] == [b'\\r"']


@pytest.mark.parametrize(
    ("offered", "wanted", "chosen"),
    [
        (b"", None, None),
        (b"", "own", b"own"),
        (b',realm="one"', None, b"one"),
        (b',realm="one",realm="two"', None, b"one"),
        (b',realm="one",realm="two"', "two", b"two"),
        (b',realm="one",realm="two"', b"two", b"two"),
        (b',realm="one",realm="Mail.example.org"', None, b"Mail.example.org"),
        (b',realm=""', None, b""),
        (b',realm="\xff"', None, b"\xff"),
        (b',realm="\xff"', "\u00ff", b"\xff"),
        (b',charset=utf-8,realm="\xc3\xbf"', "\u00ff", b"\xc3\xbf"),
    ],
)
def test_the_choice_of_a_realm(offered: bytes, wanted: str | None, chosen: bytes | None) -> None:
    assert answered(NEEDED + offered, digest(realm=wanted)).get("realm") == chosen


def test_a_realm_that_is_not_offered() -> None:
    with pytest.raises(SaslError, match="does not offer the realm"):
        digest(realm="three").respond(NEEDED + b',realm="one",realm="two"')


# RFC 2831 section 2.1.2.1: what ISO 8859-1 can hold is hashed in it, whatever it is sent in.
@pytest.mark.parametrize("user", ["us\u00e9r", "\u65e5", b"us\xe9r"])
@pytest.mark.parametrize("password", ["p\u00e4ss", "p\u20acss", b"p\xe4ss"])
def test_names_in_utf_8(user: str | bytes, password: str | bytes) -> None:
    given = answered(NEEDED + b",charset=utf-8", digest(user, password))
    assert given["charset"] == b"utf-8"
    assert given["username"] == (user if isinstance(user, bytes) else user.encode())
    hashed = [
        # Characters of ISO 8859-1 in their octets, all others in those of UTF-8.
        {"us\u00e9r": b"us\xe9r", "\u65e5": b"\xe6\x97\xa5", b"us\xe9r": b"us\xe9r"}[user],
        {"p\u00e4ss": b"p\xe4ss", "p\u20acss": b"p\xe2\x82\xacss", b"p\xe4ss": b"p\xe4ss"}[
            password
        ],
    ]
    alike = answered(NEEDED, digest(*hashed))
    assert given["response"] == alike["response"]


def test_names_in_iso_8859_1() -> None:
    given = answered(NEEDED, digest("us\u00e9r", "p\u00e4ss"))
    assert "charset" not in given
    assert given["username"] == b"us\xe9r"
    assert given["response"] == answered(NEEDED, digest(b"us\xe9r", b"p\xe4ss"))["response"]


@pytest.mark.parametrize(
    "options", [{"user": "\u65e5"}, {"password": f"{SECRET}\u20ac"}, {"realm": "\u65e5"}]
)
def test_names_that_iso_8859_1_does_not_have(options: dict[str, str]) -> None:
    with pytest.raises(SaslError, match="only ISO 8859-1") as caught:
        digest(**options).respond(NEEDED)
    text = shown(caught.value)
    assert SECRET not in text
    assert "\\u20ac" not in text


def test_whom_to_act_as() -> None:
    given = answered(NEEDED, digest(authorization_id="\u00e4"))
    assert given["authzid"] == b"\xc3\xa4"
    assert given["response"] != answered(NEEDED)["response"]


def test_each_has_a_cnonce_of_its_own() -> None:
    answers = [answered(NEEDED, digest(cnonce=None)) for _ in range(2)]
    assert answers[0]["cnonce"] != answers[1]["cnonce"]
    assert answers[0]["response"] != answers[1]["response"]


def test_an_answer_has_its_bounds() -> None:
    mechanism = digest("\\" * 2000)
    with pytest.raises(SaslError, match="too long"):
        mechanism.respond(NEEDED)
    assert len(digest("x" * 3900).respond(NEEDED)) < 4096


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"user": ""}, "the user name is empty"),
        ({"user": "a\nb"}, "the user name holds a control"),
        ({"user": b"a\x7fb"}, "the user name holds a control"),
        ({"user": "a\0"}, "the user name holds a control character"),
        ({"password": f"{SECRET}\0"}, "the password holds a control character"),
        ({"password": f"{SECRET}\ud800"}, "the password holds a lone surrogate"),
        ({"password": [SECRET]}, "the password must be str or bytes"),
        ({"realm": "a\r"}, "the realm holds a control"),
        ({"authorization_id": "a\t"}, "the authorization identity holds a control"),
        ({"host": ""}, "the host is printable ASCII"),
        ({"host": "mail example"}, "the host is printable ASCII"),
        ({"host": "\u00e4"}, "the host is printable ASCII"),
        ({"host": None}, "the host is printable ASCII"),
        ({"service": ""}, "the service is printable ASCII"),
        ({"cnonce": ""}, "the cnonce is printable ASCII"),
    ],
)
def test_what_cannot_be_sent(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(LocalProtocolError, match=problem) as caught:
        digest(**options)
    assert SECRET not in shown(caught.value)


def test_the_secret_is_not_shown() -> None:
    mechanism = digest()
    assert repr(mechanism) == "DigestMd5(<secret>)"
    assert not hasattr(mechanism, "__dict__")
    mechanism.respond(NEEDED)
    with pytest.raises(ServerVerificationError) as caught:
        mechanism.respond(b"")
    assert SECRET not in shown(caught.value)


DIRECTIVES = st.sampled_from(
    [b"nonce=n", b"algorithm=md5-sess", b"qop=auth", b"charset=utf-8", b'realm="\xff"', b"realm=r"]
)


@effort(100)
@given(st.binary() | st.lists(DIRECTIVES | st.binary(max_size=9)).map(b",".join), st.binary())
def test_any_challenges_are_answered_or_refused(challenge: bytes, proof: bytes) -> None:
    mechanism = digest()
    try:
        assert b"response=" in mechanism.respond(challenge)
    except SaslError:
        return
    with pytest.raises(ServerVerificationError):
        mechanism.respond(proof)


@effort(100)
@given(st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=99))
def test_what_is_quoted_is_parsed_again(name: str) -> None:
    assert answered(NEEDED + b",charset=utf-8", digest(name))["username"] == name.encode()
