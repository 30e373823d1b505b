"""GSSAPI and NTLM: with contexts of our own, and NTLM against pyspnego's own server."""

import builtins
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import spnego
from spnego.exceptions import InvalidTokenError

from pop3proto import LocalProtocolError
from pop3proto.errors import SaslError
from pop3proto.sasl import Gssapi, Ntlm
from pop3proto.sasl import spnego as _spnego
from tests.tracebacks import shown

# Its metaclass makes type checkers doubt that it is an exception.
INVALID: Any = InvalidTokenError


class Data:
    def __init__(self, data: bytes) -> None:
        self.data = data


class Context:
    """A Kerberos context without Kerberos: says its tokens, wraps by brackets."""

    def __init__(self, *tokens: bytes | None) -> None:
        self._tokens = list(tokens)
        self.seen: list[bytes | None] = []

    @property
    def complete(self) -> bool:
        return not self._tokens

    def step(self, token: bytes | None = None) -> bytes | None:
        self.seen.append(token)
        if token == b"bad":
            raise INVALID(context_msg="bad token")
        return self._tokens.pop(0)

    def wrap(self, data: bytes, *, encrypt: bool) -> Data:
        assert not encrypt
        return Data(b"[" + data + b"]")

    def unwrap(self, data: bytes) -> Data:
        if data[:1] != b"[":
            raise INVALID(context_msg="not wrapped")
        return Data(data[1:-1])


def gssapi(monkeypatch: pytest.MonkeyPatch, context: Context, **options: Any) -> Gssapi:
    def client(**how: Any) -> Context:
        assert how == {
            "username": options.get("user"),
            "password": options.get("password"),
            "hostname": "pop.example.org",
            "service": "pop",
            "protocol": "kerberos",
        }
        return context

    monkeypatch.setattr(spnego, "client", client)
    return Gssapi("pop.example.org", **options)


def test_the_exchange_of_rfc_4752(monkeypatch: pytest.MonkeyPatch) -> None:
    context = Context(b"one", None)
    mechanism = gssapi(monkeypatch, context, user="user", password="pa55", authorization_id="other")
    assert mechanism.initial() == b"one"
    assert mechanism.respond(b"two") == b""
    assert not mechanism.complete
    assert mechanism.respond(b"[\x01\0\x10\0]") == b"[\x01\0\0\0other]"
    assert mechanism.complete
    assert context.seen == [None, b"two"]
    assert not mechanism.shows_secret
    assert "pa55" not in repr(mechanism)
    with pytest.raises(SaslError, match="is complete, but"):
        mechanism.respond(b"")


@pytest.mark.parametrize(
    ("challenge", "problem"),
    [(b"[\x06\0\0\0]", "layer"), (b"[\x01\0\0]", "layer"), (b"[]", "layer"), (b"x", "failed")],
)
def test_offers_that_are_not_taken(
    monkeypatch: pytest.MonkeyPatch, challenge: bytes, problem: str
) -> None:
    mechanism = gssapi(monkeypatch, Context(b"one"))
    mechanism.initial()
    with pytest.raises(SaslError, match=problem):
        mechanism.respond(challenge)
    assert not mechanism.complete


def test_a_token_that_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    mechanism = gssapi(monkeypatch, Context(b"one", b"two"))
    mechanism.initial()
    with pytest.raises(SaslError, match="GSSAPI failed"):
        mechanism.respond(b"bad")


@pytest.mark.parametrize("error", [InvalidTokenError(context_msg="x\x1b"), ImportError("no krb5")])
def test_what_makes_it_impossible(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def client(**how: Any) -> Any:
        raise error

    monkeypatch.setattr(spnego, "client", client)
    with pytest.raises(LocalProtocolError, match="not possible here") as caught:
        Gssapi("pop.example.org", user="user", password="pa55word")
    assert "pa55word" not in shown(caught.value)
    assert "\x1b" not in str(caught.value)


def test_an_error_is_told_by_its_first_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def client(**how: Any) -> Any:
        raise ValueError("first\nsecond")

    monkeypatch.setattr(spnego, "client", client)
    with pytest.raises(LocalProtocolError, match=r"^kerberos is not possible here: first$"):
        Gssapi("pop.example.org")


@pytest.mark.parametrize(
    ("options", "host"), [({}, "unspecified"), ({"host": "pop.example.org"}, "pop.example.org")]
)
def test_what_ntlm_asks_the_library_for(
    options: dict[str, str], host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, Any]] = []
    monkeypatch.setattr(spnego, "client", lambda **how: asked.append(how))
    assert repr(Ntlm("user", "pa55word", **options)) == "Ntlm(<secret>)"
    wanted = {"username": "user", "password": "pa55word", "hostname": host, "service": "pop"}
    assert asked == [{**wanted, "protocol": "ntlm"}]


class KerberosError(Exception):
    pass


@pytest.mark.parametrize(
    ("library", "name"), [("krb5", "Krb5Error"), ("gssapi.exceptions", "GSSError")]
)
def test_errors_of_the_libraries_below(
    monkeypatch: pytest.MonkeyPatch, library: str, name: str
) -> None:
    # pyspnego lets them through; here they need not be installed.
    module: Any = ModuleType(library)
    setattr(module, name, KerberosError)
    for above, present in (("krb5", None), ("gssapi", ModuleType("gssapi"))):
        monkeypatch.setitem(sys.modules, above, present)
    monkeypatch.setitem(sys.modules, library, module)

    def client(**how: Any) -> Any:
        raise KerberosError("no such ticket")

    monkeypatch.setattr(spnego, "client", client)
    with pytest.raises(LocalProtocolError, match="no such ticket"):
        Gssapi("pop.example.org", user="user", password="pa55word")


def test_without_the_libraries_below(monkeypatch: pytest.MonkeyPatch) -> None:
    for library in ("krb5", "gssapi", "gssapi.exceptions"):
        monkeypatch.setitem(sys.modules, library, None)
    mechanism = gssapi(monkeypatch, Context(b"one", b"two"))
    mechanism.initial()
    with pytest.raises(SaslError, match="GSSAPI failed"):
        mechanism.respond(b"bad")


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def missing(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.startswith("spnego"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    for name in [name for name in sys.modules if name.split(".")[0] == "spnego"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(LocalProtocolError, match="pip install"):
        Ntlm("user", "pa55word")


@pytest.mark.parametrize("authorization", ["a\0", "\ud800"])
def test_who_cannot_be_named(authorization: str) -> None:
    with pytest.raises(LocalProtocolError) as caught:
        Gssapi("pop.example.org", user="user", password="pa55word", authorization_id=authorization)
    assert "pa55word" not in shown(caught.value)
    for password in ("pa55word", b"pa55word"):
        with pytest.raises(LocalProtocolError) as caught:
            Ntlm(authorization, password)
        assert "pa55word" not in shown(caught.value)


@pytest.mark.parametrize("password", ["pa55word\0", b"pa55word\0", ["pa55word"]])
def test_passwords_that_ntlm_cannot_carry(password: Any) -> None:
    with pytest.raises(LocalProtocolError, match="the password") as caught:
        Ntlm("user", password)
    assert "pa55word" not in shown(caught.value)


@pytest.fixture
def ntlm_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Write down what pyspnego's server takes for its users."""
    users = tmp_path / "users"
    users.write_text("EXAMPLE:user:pa55word\n")
    monkeypatch.setenv("NTLM_USER_FILE", str(users))


@pytest.mark.usefixtures("ntlm_users")
@pytest.mark.parametrize("password", ["pa55word", b"pa55word", "wr0ng"])
def test_ntlm_against_a_server(password: str | bytes) -> None:
    client = Ntlm("EXAMPLE\\user", password, host="pop.example.org")
    server = spnego.server(protocol="ntlm", options=spnego.NegotiateOptions.use_ntlm)
    assert not client.complete
    challenge = server.step(client.initial())
    assert challenge is not None
    answer = client.respond(challenge)
    assert client.complete
    if password == "wr0ng":
        with pytest.raises(Exception, match=r"."):
            server.step(answer)
        assert not server.complete
    else:
        server.step(answer)
        assert server.complete
    with pytest.raises(SaslError, match="is complete, but"):
        client.respond(b"")
    assert "word" not in repr(client)


def test_an_ntlm_challenge_that_is_none() -> None:
    client = Ntlm("user", "pa55word")
    assert client.initial()
    with pytest.raises(SaslError, match="NTLM failed") as caught:
        client.respond(b"no challenge")
    assert "pa55word" not in shown(caught.value)


def test_an_ntlm_context_that_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    context = Context(b"one", None)
    monkeypatch.setattr(_spnego, "_context", lambda *args: context)
    client = Ntlm("user", "secret")
    assert client.initial() == b"one"
    assert client.respond(b"two") == b""
