import json
from base64 import b64decode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pop3proto import LocalProtocolError
from pop3proto.errors import SaslError
from pop3proto.sasl import Mechanism, OAuthBearer, ReportsDetails, ShowsSecret, XOAuth2
from tests.property.effort import effort
from tests.tracebacks import shown

TOKEN = "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg=="
BOTH = pytest.mark.parametrize("make", [XOAuth2, OAuthBearer])
# What Google's documentation of XOAUTH2 and RFC 7628 section 4.3 show.
GOOGLES = (
    "eyJzdGF0dXMiOiI0MDEiLCJzY2hlbWVzIjoiYmVhcmVyIG1hYyIsInNjb3BlIjoiaHR0cHM6Ly9tYWlsLmdvb2dsZS5j"
    "b20vIn0K"
)
OF_RFC_7628 = (
    "eyJzdGF0dXMiOiJpbnZhbGlkX3Rva2VuIiwic2NvcGUiOiJleGFtcGxlX3Njb3BlIiwib3BlbmlkLWNvbmZpZ3VyYXRp"
    "b24iOiJodHRwczovL2V4YW1wbGUuY29tLy53ZWxsLWtub3duL29wZW5pZC1jb25maWd1cmF0aW9uIn0="
)


@BOTH
def test_a_mechanism_says_what_it_is(make: type[XOAuth2 | OAuthBearer]) -> None:
    mechanism = make("user@example.org", TOKEN)
    assert mechanism.name == make.__name__.upper()
    assert isinstance(mechanism, ShowsSecret)
    assert isinstance(mechanism, ReportsDetails)
    assert mechanism.shows_secret
    assert not mechanism.complete
    assert mechanism.details == {}
    assert repr(mechanism) == f"{make.__name__}(<secret>)"
    assert not hasattr(mechanism, "__dict__")


def test_xoauth2_as_google_documents_it() -> None:
    mechanism = XOAuth2("someuser@example.com", "ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg")
    assert mechanism.initial() == b64decode(
        "dXNlcj1zb21ldXNlckBleGFtcGxlLmNvbQFhdXRoPUJlYXJlciB5YTI5LnZGOWRmdDRxbVRjMk52YjNSbGNrQmhk"
        "SFJoZG1semRHRXVZMjl0Q2cBAQ=="
    )
    assert mechanism.complete
    assert mechanism.respond(b64decode(GOOGLES)) == b""
    assert mechanism.details == {
        "status": "401",
        "schemes": "bearer mac",
        "scope": "https://mail.google.com/",
    }


def test_xoauth2_as_microsoft_documents_it() -> None:
    # The sample for IMAP, POP and SMTP, and what its failure for POP shows.
    mechanism = XOAuth2("test@contoso.onmicrosoft.com", "EwBAAl3BAAUFFpUAo7J3Ve0bjLBWZWCclRC3EoAA")
    assert mechanism.initial() == b64decode(
        "dXNlcj10ZXN0QGNvbnRvc28ub25taWNyb3NvZnQuY29tAWF1dGg9QmVhcmVy"
        "IEV3QkFBbDNCQUFVRkZwVUFvN0ozVmUwYmpMQldaV0NjbFJDM0VvQUEBAQ=="
    )
    explained = (
        "eyJzdGF0dXMiOiI0MDAiLCJzY2hlbWVzIjoiQmVhcmVyIiwic2NvcGUiOiJodHRwczovL21haWwuZ29vZ2xlLmNv"
        "bS8ifQ=="
    )
    assert mechanism.respond(b64decode(explained)) == b""
    assert mechanism.details == {
        "status": "400",
        "schemes": "Bearer",
        "scope": "https://mail.google.com/",
    }


@pytest.mark.parametrize("port", [1, 65535])
def test_the_first_and_the_last_port(port: int) -> None:
    assert b"\x01port=%d\x01" % port in OAuthBearer("user", TOKEN, port=port).initial()


@pytest.mark.parametrize(
    ("port", "expected"),
    [
        (
            143,
            "bixhPXVzZXJAZXhhbXBsZS5jb20sAWhvc3Q9c2VydmVyLmV4YW1wbGUuY29tAXBvcnQ9MTQzAWF1dGg9QmVh"
            "cmVyIHZGOWRmdDRxbVRjMk52YjNSbGNrQmhiSFJoZG1semRHRXVZMjl0Q2c9PQEB",
        ),
        (
            587,
            "bixhPXVzZXJAZXhhbXBsZS5jb20sAWhvc3Q9c2VydmVyLmV4YW1wbGUuY29tAXBvcnQ9NTg3AWF1dGg9QmVh"
            "cmVyIHZGOWRmdDRxbVRjMk52YjNSbGNrQmhiSFJoZG1semRHRXVZMjl0Q2c9PQEB",
        ),
    ],
)
def test_oauthbearer_of_rfc_7628(port: int, expected: str) -> None:
    mechanism = OAuthBearer("user@example.com", TOKEN, host="server.example.com", port=port)
    assert mechanism.initial() == b64decode(expected)
    assert mechanism.complete
    assert mechanism.respond(b64decode(OF_RFC_7628)) == b64decode("AQ==")
    assert mechanism.details == {
        "status": "invalid_token",
        "scope": "example_scope",
        "openid-configuration": "https://example.com/.well-known/openid-configuration",
    }


def test_oauthbearer_escapes_the_name() -> None:
    assert OAuthBearer("a,b=c", "t").initial() == b"n,a=a=2Cb=3Dc,\x01auth=Bearer t\x01\x01"
    assert OAuthBearer("", b"t").initial() == b"n,,\x01auth=Bearer t\x01\x01"
    assert OAuthBearer("=2C", "t").initial().startswith(b"n,a==3D2C,\x01")
    assert OAuthBearer(b"\xff", "t").initial().startswith(b"n,a=\xff,\x01")


def test_xoauth2_escapes_nothing() -> None:
    assert XOAuth2("us\u00e9r,=", "t").initial() == b"user=us\xc3\xa9r,=\x01auth=Bearer t\x01\x01"


@BOTH
@pytest.mark.parametrize(
    ("challenge", "details"),
    [
        (b'{"status":"400","scope":["a",{"b":1}]}', {"status": "400", "scope": ["a", {"b": 1}]}),
        (b" {} ", {}),
        (b"", {}),
        (b"[1]", {}),
        (b'"text"', {}),
        (b"null", {}),
        (b"{", {}),
        (b'{"status":"\xff"}', {}),
        ('{"a":"b"}'.encode("utf-16"), {}),
        (b'{"a":%s}' % (b"9" * 5000), {}),
        (b'{"a":%s%s}' % (b"[" * 31, b"]" * 31), {"a": json.loads("[" * 31 + "]" * 31)}),
        (b'{"a":%s%s}' % (b"[" * 32, b"]" * 32), {}),
        (b"[" * 8000, {}),
        (b'{"a":"%s"}' % (b"x" * 8184), {"a": "x" * 8184}),
        (b'{"a":"%s"}' % (b"x" * 8185), {}),
    ],
)
def test_what_a_server_explains(
    make: type[XOAuth2 | OAuthBearer], challenge: bytes, details: object
) -> None:
    mechanism = make("user", TOKEN)
    mechanism.initial()
    assert mechanism.respond(challenge) in (b"", b"\x01")
    assert mechanism.details == details
    with pytest.raises(SaslError, match="a second challenge") as caught:
        mechanism.respond(challenge)
    assert TOKEN not in shown(caught.value)


@effort(100)
@given(st.sampled_from([XOAuth2, OAuthBearer]), st.binary() | st.text().map(str.encode))
def test_any_challenge_is_answered(make: type[XOAuth2 | OAuthBearer], challenge: bytes) -> None:
    mechanism: Mechanism = make("user", TOKEN)
    assert mechanism.respond(challenge) in (b"", b"\x01")


@BOTH
@pytest.mark.parametrize(
    ("user", "token", "problem"),
    [
        ("a\x01", TOKEN, "the user name holds a control character"),
        ("a\0", TOKEN, "the user name holds a control character"),
        (b"a\x7f", TOKEN, "the user name holds a control character"),
        ("a\ud800", TOKEN, "the user name holds a lone surrogate"),
        (None, TOKEN, "the user name must be str or bytes"),
        ("user", "", "the access token is empty"),
        ("user", f"{TOKEN}\x01", "the access token holds a control character"),
        ("user", f"{TOKEN}\n", "the access token holds a control character"),
        ("user", f"{TOKEN}\u00eb", "an access token is printable ASCII"),
        ("user", f"{TOKEN}\0", "the access token holds a control character"),
        ("user", [TOKEN], "the access token must be str or bytes"),
    ],
)
def test_what_cannot_be_sent(
    make: type[XOAuth2 | OAuthBearer], user: Any, token: Any, problem: str
) -> None:
    with pytest.raises(LocalProtocolError, match=problem) as caught:
        make(user, token)
    assert TOKEN not in shown(caught.value)


def test_xoauth2_needs_a_name() -> None:
    with pytest.raises(LocalProtocolError, match="the user name is empty"):
        XOAuth2("", TOKEN)


@pytest.mark.parametrize(
    ("where", "problem"),
    [
        ({"host": ""}, "the host is empty"),
        ({"host": "a\x01"}, "the host holds a control"),
        ({"port": 0}, "a port is a number from 1 to 65535"),
        ({"port": 65536}, "a port is a number"),
        ({"port": True}, "a port is a number"),
        ({"port": "110"}, "a port is a number"),
    ],
)
def test_where_oauthbearer_cannot_go(where: dict[str, Any], problem: str) -> None:
    with pytest.raises(LocalProtocolError, match=problem) as caught:
        OAuthBearer("user", TOKEN, **where)
    assert TOKEN not in shown(caught.value)
