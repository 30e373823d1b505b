"""Every mechanism of the library, by its name alone."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import spnego
import trustme
from spnego.exceptions import SpnegoError

from pop3proto.compat import poplib
from pop3proto.sasl import PASSWORD_MECHANISMS, SHOWS_SECRET, channel_bindings
from pop3proto.sasl.server import (
    Attempt,
    LoggedIn,
    Passwords,
    ServerAnonymous,
    ServerExternal,
    ServerMechanism,
    ServerOAuthBearer,
    ServerXOAuth2,
    Verdict,
    end_point,
    password_mechanisms,
)
from pop3proto.server import MemoryMaildrops, ServerOptions
from pop3proto.testing import LoopbackServer, serve
from pop3proto.transports import Security
from tests.tracebacks import shown

SECRET = "pa55word"
USERS = {"user": SECRET}
BOUND = sorted(name for name in PASSWORD_MECHANISMS if name.endswith("-PLUS"))
NAMES = sorted(PASSWORD_MECHANISMS | SHOWS_SECRET | {"EXTERNAL", "ANONYMOUS", "GSSAPI"})


class Tokens:
    def check_token(self, user: str, token: str) -> bool:
        return USERS.get(user) == token


class Ntlm:
    """pyspnego's own server."""

    name = "NTLM"
    shows_password = False

    def begin(self) -> Attempt:
        return NtlmExchange()


class NtlmExchange:
    def __init__(self) -> None:
        options = spnego.NegotiateOptions.use_ntlm
        self._context = spnego.server(protocol="ntlm", options=options)

    def respond(self, data: bytes | None) -> Verdict:
        try:
            challenge = self._context.step(data)
        except SpnegoError:
            return None
        return LoggedIn("user") if self._context.complete else challenge


class Gssapi:
    """Says what a server does whose client is a ``Ticket``."""

    name = "GSSAPI"
    shows_password = False

    def begin(self) -> Attempt:
        return GssapiExchange()


class GssapiExchange:
    def __init__(self) -> None:
        self._answers: dict[bytes | None, Verdict] = {
            b"ticket": b"mutual",
            b"": b"[\x01\0\x10\0]",
            b"[\x01\0\0\0]": LoggedIn("user"),
        }

    def respond(self, data: bytes | None) -> Verdict:
        return self._answers.pop(data, None)


class Wrapped:
    def __init__(self, data: bytes) -> None:
        self.data = data


class Ticket:
    """A Kerberos context without Kerberos; wraps by brackets."""

    def __init__(self, password: str | None) -> None:
        self._tokens = [b"ticket" if password == SECRET else b"another's", None]

    @property
    def complete(self) -> bool:
        return not self._tokens

    def step(self, token: bytes | None = None) -> bytes | None:
        return self._tokens.pop(0)

    def wrap(self, data: bytes, *, encrypt: bool) -> Wrapped:
        return Wrapped(b"[" + data + b"]")

    def unwrap(self, data: bytes) -> Wrapped:
        return Wrapped(data[1:-1])


@pytest.fixture
def others_libraries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What pyspnego's server takes for its users, and no need for Kerberos."""
    users = tmp_path / "users"
    users.write_text(f"EXAMPLE:user:{SECRET}\n")
    monkeypatch.setenv("NTLM_USER_FILE", str(users))
    original: Any = spnego.client

    def client(*, protocol: str, password: str | None, **how: Any) -> Any:
        if protocol == "kerberos":
            assert how["hostname"] == "localhost"
            return Ticket(password)
        return original(protocol=protocol, password=password, **how)

    monkeypatch.setattr(spnego, "client", client)


class Certified:
    """A server's certificate, one for each user, and what is offered to whom."""

    def __init__(self) -> None:
        self._authority = trustme.CA()
        issued = self._authority.issue_cert("localhost")
        self._binding = end_point(
            ssl.PEM_cert_to_DER_cert(issued.cert_chain_pems[0].bytes().decode())
        )
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._context.verify_mode = ssl.CERT_OPTIONAL
        self._authority.configure_trust(self._context)
        issued.configure_cert(self._context)

    def client_context(self, user: str) -> ssl.SSLContext:
        context = ssl.create_default_context()
        self._authority.configure_trust(context)
        self._authority.issue_cert(f"{user}@example.org", common_name=user).configure_cert(context)
        return context

    def mechanisms(self, tls: ssl.SSLObject | None) -> list[ServerMechanism]:
        named: Any = (tls and tls.getpeercert()) or {}
        identity = dict(pair for part in named.get("subject", ()) for pair in part)
        assert self._binding is not None
        return [
            *password_mechanisms(
                Passwords(USERS),
                host="localhost",
                channel_bindings=[self._binding] if tls is not None else [],
            ),
            ServerXOAuth2(Tokens()),
            ServerOAuthBearer(Tokens()),
            ServerExternal(identity.get("commonName", "")),
            ServerAnonymous("user"),
            Ntlm(),
            Gssapi(),
        ]

    @contextmanager
    def serving(self, security: Security) -> Iterator[LoopbackServer]:
        with serve(
            MemoryMaildrops({"user": [b"x\r\n"]}),
            users=USERS,
            mechanisms=self.mechanisms,
            options=ServerOptions(allow_plaintext_auth=True, failed_login_delay=0.0),
            security=security,
            tls_context=None if security is Security.PLAINTEXT else self._context,
        ) as server:
            yield server


CERTIFIED = Certified()


@contextmanager
def connected(how: str, certificate: str) -> Iterator[Any]:
    if how == "clear":
        with CERTIFIED.serving(Security.PLAINTEXT) as server:
            yield poplib.POP3("localhost", server.port, timeout=30)
        return
    context = CERTIFIED.client_context(certificate)
    if how == "tls":
        with CERTIFIED.serving(Security.TLS) as server:
            yield poplib.POP3_SSL("localhost", server.port, timeout=30, context=context)
        return
    with CERTIFIED.serving(Security.STLS) as server:
        client = poplib.POP3("localhost", server.port, timeout=30)
        client.stls(context)
        yield client


def user_for(name: str) -> str:
    return "EXAMPLE\\user" if name == "NTLM" else "user"


def needs_tls(name: str) -> bool:
    return name in {*BOUND, "EXTERNAL"}


LOGINS = [
    (name, how)
    for name in [*NAMES, "plain", "Scram-Sha-256-Plus"]
    for how in ("clear", "tls", "stls")
    if how != "clear" or not needs_tls(name.upper())
]


@pytest.mark.usefixtures("others_libraries")
@pytest.mark.parametrize(("name", "how"), LOGINS)
def test_a_login(name: str, how: str) -> None:
    with connected(how, certificate="user") as pop:
        response = pop.auth(name, user=user_for(name), password=SECRET)
        assert response.startswith(b"+OK")
        assert pop.stat() == (1, 3)
        pop.quit()


@pytest.mark.usefixtures("others_libraries")
@pytest.mark.parametrize("name", sorted({*NAMES} - {"ANONYMOUS"}))
def test_a_refusal(name: str) -> None:
    # For who shows the certificate of somebody else, or does not know the password.
    with connected("tls", certificate="other") as pop:
        with pytest.raises(poplib.error_proto) as caught:
            pop.auth(name, user=user_for(name), password="wr0ng")
        assert "wr0ng" not in shown(caught.value)
        # The session goes on.
        assert pop.auth("PLAIN", user="user", password=SECRET).startswith(b"+OK")
        pop.quit()


@pytest.mark.parametrize(("password", "accepted"), [(SECRET, True), ("wr0ng", False)])
def test_another_channel_binding_is_tried(password: str, accepted: bool) -> None:
    context = CERTIFIED.client_context("user")
    # With TLS 1.3 some versions of Python know one binding only.
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with CERTIFIED.serving(Security.TLS) as server:
        pop = poplib.POP3_SSL("localhost", server.port, timeout=30, context=context)
        sock: Any = pop.sock
        assert channel_bindings(sock)[0].type == "tls-unique"
        # The server knows only that of its certificate.
        if accepted:
            response = pop.auth("SCRAM-SHA-256-PLUS", user="user", password=password)
            assert response.startswith(b"+OK")
        else:
            with pytest.raises(poplib.error_proto, match="AUTH") as caught:
                pop.auth("SCRAM-SHA-256-PLUS", user="user", password=password)
            assert "wr0ng" not in shown(caught.value)
        begun = [line for line in server.commands if line.startswith("AUTH")]
        assert len(begun) == 2
        pop.quit()


def test_kerberos_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    def client(**how: Any) -> Any:
        raise ImportError("no krb5")

    monkeypatch.setattr(spnego, "client", client)
    with connected("clear", certificate="user") as pop:
        with pytest.raises(poplib.error_proto, match="not possible here") as caught:
            pop.auth("GSSAPI", user="user", password=SECRET)
        assert isinstance(caught.value, ValueError)
        assert SECRET not in shown(caught.value)
        assert pop.auth("PLAIN", user="user", password=SECRET).startswith(b"+OK")
        pop.quit()
