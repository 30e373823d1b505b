"""OAuth, with a real HTTP server that gives tokens: refresh, client credentials, device flow."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import trustme

from pop3proto.cli import oauth_http
from pop3proto.cli.oauth import InvalidGrantError, Keeper, Settings
from pop3proto.cli.oauth_http import TokenError
from pop3proto.cli.oauth_http import TokenServer as Client
from pop3proto.cli.oauth_store import FileStore, Tokens
from pop3proto.errors import ConnectError, DeadlineError, LocalProtocolError, Pop3Error, TlsError
from pop3proto.model.secret import Secret
from tests.cli.token_server import Reply, TokenServer, running
from tests.tracebacks import shown

pytest.importorskip("oauthlib")

GOOD = {"access_token": "hunter-a", "token_type": "Bearer", "expires_in": 3600}
DEVICE = {
    "device_code": "hunter-d",
    "user_code": "ABCD-EFGH",
    "verification_uri": "https://login.example.org/device",
    "expires_in": 900,
    "interval": 7,
}


def refusal(code: str, status: int = 400, **more: str) -> Reply:
    return Reply({"error": code, **more}, status)


class Clock:
    """The time, and the pauses that were made."""

    def __init__(self) -> None:
        self.now = 1_000_000.0
        self.pauses: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


class Setting:
    def __init__(self, server: TokenServer, folder: Path) -> None:
        self.server = server
        self.clock = Clock()
        self.path = folder / "oauth" / "tokens.json"
        self.store = FileStore(self.path, "account")

    def keeper(self, *, may_ask: bool = False, **changes: Any) -> Keeper:
        settings = Settings(
            self.server.url(), "", "client", Secret("hunter-s"), "the scope"
        )._replace(**changes)
        return Keeper(settings, self.store, may_ask=may_ask, now=self.clock, sleep=self.clock.sleep)

    def device(self, **changes: Any) -> Keeper:
        return self.keeper(may_ask=True, device_url=self.server.url("/device"), **changes)


@pytest.fixture
def setting(tmp_path: Path) -> Iterator[Setting]:
    with running() as server:
        yield Setting(server, tmp_path)


def test_a_refresh_token_gives_access_tokens(setting: Setting) -> None:
    setting.server.replies = [Reply({**GOOD, "refresh_token": "hunter-2"})]
    assert setting.keeper(refresh=Secret("hunter-1"))(None) == "hunter-a"
    assert setting.server.forms == [
        (
            "/token",
            {
                "grant_type": "refresh_token",
                "refresh_token": "hunter-1",
                "scope": "the scope",
                "client_id": "client",
                "client_secret": "hunter-s",
            },
        )
    ]
    kept = setting.store.load()
    assert kept == Tokens(Secret("hunter-a"), setting.clock.now + 3600, Secret("hunter-2"))
    assert setting.path.stat().st_mode & 0o777 == 0o600
    assert setting.path.parent.stat().st_mode & 0o777 == 0o700
    assert [*setting.path.parent.iterdir()] == [setting.path]


def test_a_token_is_used_until_a_minute_before_its_end(setting: Setting) -> None:
    setting.server.replies = [Reply(GOOD), Reply({**GOOD, "access_token": "hunter-b"})]
    keeper = setting.keeper(refresh=Secret("hunter-1"))
    assert keeper(None) == "hunter-a"
    setting.clock.now += 3539
    # Also by another process.
    assert setting.keeper()(None) == "hunter-a"
    setting.clock.now += 1
    assert keeper(None) == "hunter-b"
    # The server gave no other refresh token, so the old one stays.
    assert [form["refresh_token"] for _, form in setting.server.forms] == ["hunter-1"] * 2


def test_a_refused_token_is_not_used_again(setting: Setting) -> None:
    setting.server.replies = [Reply(GOOD), Reply({**GOOD, "access_token": "hunter-b"})]
    keeper = setting.keeper(refresh=Secret("hunter-1"))
    keeper(None)
    assert keeper.token(Secret("hunter-a")) == Secret("hunter-b")
    # Another process was quicker.
    assert keeper.token(Secret("hunter-a")) == Secret("hunter-b")


def test_client_credentials(setting: Setting) -> None:
    setting.server.replies = [Reply(GOOD)]
    assert setting.keeper(own=True)(None) == "hunter-a"
    assert setting.server.forms[0][1] == {
        "grant_type": "client_credentials",
        "scope": "the scope",
        "client_id": "client",
        "client_secret": "hunter-s",
    }
    assert not setting.store.load().refresh


def test_another_process_has_a_newer_refresh_token(setting: Setting) -> None:
    def used(form: dict[str, str]) -> Reply:
        setting.store.save(Tokens(refresh=Secret("hunter-2")))
        return refusal("invalid_grant")

    setting.store.save(Tokens(refresh=Secret("hunter-1")))
    setting.server.replies = [used, Reply(GOOD)]
    assert setting.keeper()(None) == "hunter-a"
    assert [form["refresh_token"] for _, form in setting.server.forms] == ["hunter-1", "hunter-2"]
    assert setting.store.load().refresh == Secret("hunter-2")


def test_the_given_refresh_token_may_be_newer(setting: Setting) -> None:
    setting.store.save(Tokens(refresh=Secret("hunter-1")))
    setting.server.replies = [refusal("invalid_grant"), Reply(GOOD)]
    assert setting.keeper(refresh=Secret("hunter-2"))(None) == "hunter-a"
    assert setting.store.load().refresh == Secret("hunter-2")


def test_a_refresh_token_that_is_not_valid_any_more(setting: Setting) -> None:
    setting.server.replies = [refusal("invalid_grant", error_description="Revoked\x1b")]
    with pytest.raises(InvalidGrantError, match=r"invalid_grant \(Revoked\\x1b\)") as caught:
        setting.keeper(refresh=Secret("hunter-1"))(None)
    assert caught.value.hint == "a user has to agree again"
    assert not caught.value.transient


def test_there_is_no_refresh_token(setting: Setting) -> None:
    with pytest.raises(LocalProtocolError, match="no refresh token") as caught:
        setting.keeper()(None)
    assert "--oauth-refresh-token-file" in caught.value.hint
    with pytest.raises(LocalProtocolError, match="nobody can be asked without a terminal"):
        setting.keeper(device_url=setting.server.url("/device"))(None)
    with pytest.raises(LocalProtocolError) as caught:
        setting.keeper()(None)
    assert caught.value.hint == "give one with --oauth-refresh-token-file"
    assert not setting.server.forms


@pytest.mark.parametrize(
    ("reply", "problem", "transient"),
    [
        (refusal("invalid_client", 401), "invalid_client", False),
        (refusal("invalid_scope"), "invalid_scope", False),
        (refusal("made_up\x1b"), r"made_up\\x1b", False),
        (refusal("temporarily_unavailable"), "temporarily_unavailable", True),
        (refusal("server_error", 500), "server_error", True),
        (refusal("whatever", 429), "whatever", True),
        # A server that repeats what it was sent.
        (refusal("x", error_description="no hunter-1"), "no access token: x$", False),
        (refusal("x", error_description="no hunter-s"), "no access token: x$", False),
        (Reply({"error": 5}, 400), "something else than a text as error", False),
        (Reply({"error": "x", "error_description": ["hunter-1"]}, 400), ": x$", False),
        (Reply(b"<html>hunter-1</html>"), "status 200, and not in JSON", False),
        (Reply(b"", 503), "status 503, and not in JSON", True),
        (Reply(b"\xff"), "not in JSON", False),
        (Reply(b"[" * 100_000), "not in JSON", False),
        (Reply(["hunter-a"]), "not in JSON", False),
        (Reply(None), "not in JSON", False),
        (Reply({}), "missing_token", False),
        (Reply({**GOOD, "access_token": None}), "something else than a text as access_tok", False),
        (Reply({**GOOD, "access_token": ""}), "an empty access token", False),
        (Reply({**GOOD, "access_token": {"hunter-a": 1}}), "something else than a text", False),
        (Reply({**GOOD, "refresh_token": 7}), "something else than a text as refresh", False),
        (Reply({**GOOD, "token_type": "mac"}), "no bearer token", False),
        (Reply({**GOOD, "token_type": {}}), "^$", False),
        (Reply({**GOOD, "token_type": ["bearer"]}), "no bearer token", False),
        (Reply(b"x" * 200_000), "more than 131072 octets", False),
        (Reply(b"", 302), "status 302, and not in JSON", False),
    ],
)
def test_answers_without_a_token(
    reply: Reply, problem: str, transient: bool, setting: Setting
) -> None:
    setting.server.replies = [reply]
    keeper = setting.keeper(refresh=Secret("hunter-1"))
    if problem == "^$":
        assert keeper(None) == "hunter-a"
        return
    with pytest.raises(TokenError, match=problem) as caught:
        keeper(None)
    assert caught.value.transient == transient
    assert "hunter" not in f"{caught.value} {caught.value.hint}"
    if "error_description" not in str(reply.body):
        assert "hunter" not in shown(caught.value)
    assert len(setting.server.forms) == 1
    assert not setting.path.exists()


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        ("1200", 1200),
        (1200.5, 1200.5),
        (None, 300),
        ("soon", 300),
        (-5, 300),
        (0, 300),
        (True, 300),
        ([], 300),
        (float("nan"), 300),
        (float("inf"), 315360000),
        (10**400, 315360000),
        ("9" * 5000, 315360000),
    ],
)
def test_how_long_a_token_lives(given: object, seconds: float, setting: Setting) -> None:
    setting.server.replies = [Reply({**GOOD, "expires_in": given})]
    setting.keeper(own=True)(None)
    assert setting.store.load().expires == setting.clock.now + seconds


def test_a_token_without_a_type_or_a_scope_of_its_own(setting: Setting) -> None:
    setting.server.replies = [Reply({"access_token": "hunter-a", "scope": ["other"]})]
    assert setting.keeper(own=True)(None) == "hunter-a"


def test_the_device_flow(setting: Setting, capsys: pytest.CaptureFixture[str]) -> None:
    setting.server.replies = [
        Reply(DEVICE),
        refusal("authorization_pending"),
        refusal("slow_down"),
        refusal("authorization_pending"),
        # RFC 8628 section 3.5: after a failure of the network, too.
        Reply(b"", 502),
        Reply({**GOOD, "refresh_token": "hunter-2"}),
    ]
    assert setting.device()(None) == "hunter-a"
    assert setting.clock.pauses == [7, 7, 12, 12, 24]
    told = capsys.readouterr()
    assert told.err == "Open https://login.example.org/device and enter the code ABCD-EFGH\n"
    assert told.out == ""
    assert setting.server.forms[0] == (
        "/device",
        {"client_id": "client", "scope": "the scope", "client_secret": "hunter-s"},
    )
    assert setting.server.forms[1] == (
        "/token",
        {
            "grant_type": "urn:ietf:params:oauth:grant-type:device_code",
            "device_code": "hunter-d",
            "client_id": "client",
            "client_secret": "hunter-s",
        },
    )
    assert setting.store.load().refresh == Secret("hunter-2")


def test_the_device_flow_of_a_program_without_a_secret(setting: Setting) -> None:
    setting.server.replies = [Reply({**DEVICE, "interval": "2"}), Reply(GOOD)]
    assert setting.device(client_secret=Secret(""), scope="")(None) == "hunter-a"
    assert setting.server.forms[0] == ("/device", {"client_id": "client"})
    assert "client_secret" not in setting.server.forms[1][1]
    assert setting.clock.pauses == [2]


def test_a_user_agrees_again_when_the_refresh_token_has_expired(setting: Setting) -> None:
    setting.store.save(Tokens(refresh=Secret("hunter-1")))
    setting.server.replies = [refusal("invalid_grant"), Reply(DEVICE), Reply(GOOD)]
    assert setting.device()(None) == "hunter-a"
    setting.server.replies = [refusal("invalid_grant")]
    setting.store.save(Tokens(refresh=Secret("hunter-1")))
    with pytest.raises(InvalidGrantError):
        setting.keeper(device_url=setting.server.url("/device"))(None)


@pytest.mark.parametrize(
    ("replies", "problem"),
    [
        ([Reply(DEVICE), refusal("access_denied")], "the user has refused"),
        ([Reply(DEVICE), refusal("expired_token")], "the code has expired"),
        ([Reply(DEVICE), refusal("invalid_client")], "no access token: invalid_client"),
        ([Reply(DEVICE), refusal("x", error_description="hunter-d")], "no access token: x$"),
        ([Reply(DEVICE), Reply(b"<html>")], "not in JSON"),
        ([refusal("invalid_client", 401)], "gave no code: invalid_client"),
        ([Reply({"error": "x\x1b"})], r"gave no code: x\\x1b"),
        ([Reply({}, 404)], "gave no code: status 404"),
        ([Reply({**DEVICE, "device_code": 5})], "something else than a text as device_code"),
        ([Reply({**DEVICE, "user_code": None})], "no code for the user"),
        ([Reply({**DEVICE, "verification_uri": None})], "no code for the user, or no address"),
        ([Reply(b"hunter-d")], "not in JSON"),
    ],
)
def test_device_flows_that_fail(
    replies: list[Any], problem: str, setting: Setting, capsys: pytest.CaptureFixture[str]
) -> None:
    setting.server.replies = [*replies]
    with pytest.raises(TokenError, match=problem) as caught:
        setting.device()(None)
    assert not setting.server.replies
    assert "hunter" not in f"{caught.value} {caught.value.hint} {capsys.readouterr()}"


def test_a_user_who_does_nothing(setting: Setting) -> None:
    setting.server.replies = [
        Reply({**DEVICE, "expires_in": 30, "interval": 10}),
        refusal("authorization_pending"),
        refusal("authorization_pending"),
    ]
    with pytest.raises(TokenError, match="the code has expired before it was used"):
        setting.device()(None)
    assert setting.clock.pauses == [10, 10]


@pytest.mark.parametrize("interval", [None, "x", -1, 0, [], True])
def test_a_server_that_names_no_interval(interval: object, setting: Setting) -> None:
    setting.server.replies = [Reply({**DEVICE, "interval": interval}), Reply(GOOD)]
    setting.device()(None)
    assert setting.clock.pauses == [5]


def test_no_server_makes_anybody_wait_for_ever(setting: Setting) -> None:
    setting.server.replies = [Reply({**DEVICE, "interval": 1e9, "expires_in": 1e9})]
    setting.server.replies += [refusal("authorization_pending")] * 59
    with pytest.raises(TokenError, match="expired"):
        setting.device()(None)
    assert setting.clock.pauses == [60] * 59


def test_what_a_server_says_is_escaped(
    setting: Setting, capsys: pytest.CaptureFixture[str]
) -> None:
    codes = {"user_code": "\x1b]0;x\x07", "verification_uri": None}
    setting.server.replies = [
        Reply({**DEVICE, **codes, "verification_url": "https://a\r\nb"}),
        Reply(GOOD),
    ]
    setting.device()(None)
    assert capsys.readouterr().err == r"Open https://a\r\nb and enter the code \x1b]0;x\x07" + "\n"


def answering(octets: bytes) -> tuple[socket.socket, str]:
    """A server that answers with these octets, and then stays silent."""
    listener = socket.create_server(("127.0.0.1", 0))

    def answer() -> None:
        with listener.accept()[0] as sock:
            sock.recv(65536)
            sock.sendall(octets)
            # Until the client goes away.
            while sock.recv(65536):
                pass

    Thread(target=answer, daemon=True).start()
    return listener, f"http://127.0.0.1:{listener.getsockname()[1]}/token"


@pytest.mark.parametrize(
    "octets",
    [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n{}"],
)
def test_a_server_that_does_not_answer(octets: bytes) -> None:
    listener, url = answering(octets)
    with closing(listener), pytest.raises(DeadlineError, match=r"127\.0\.0\.1 did not answer wi"):
        Client(url).post(Secret("x=hunter"), 0.2)


@pytest.mark.parametrize(
    "octets",
    [b"* OK IMAP4 hunter\r\n", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\n"],
)
def test_a_server_that_speaks_something_else(octets: bytes) -> None:
    listener, url = answering(octets)
    with closing(listener), pytest.raises(TokenError, match="does not speak HTTP") as caught:
        Client(url).post(Secret("x=hunter"), 5.0)
    assert "hunter" not in str(caught.value)


def test_a_server_that_is_not_there() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/"
        with pytest.raises(ConnectError, match=r"127\.0\.0\.1 cannot be reached: ") as caught:
            Client(url).post(Secret("x=hunter"))
    assert caught.value.transient


def test_the_way_of_a_proxy_and_its_errors(setting: Setting) -> None:
    asked: list[tuple[str, int]] = []

    def opener(host: str, port: int, seconds: float) -> socket.socket:
        asked.append((host, port))
        if len(asked) > 1:
            raise ConnectError("the proxy refused")
        return socket.create_connection(("127.0.0.1", setting.server.server_port), seconds)

    client = Client("http://localhost/token", opener)
    setting.server.replies = [Reply(GOOD)]
    assert json.loads(client.post(Secret("x=y")).body.octets()) == GOOD
    with pytest.raises(ConnectError, match="the proxy refused"):
        client.post(Secret("x=y"))
    assert asked == [("localhost", 80)] * 2


def test_tls_is_verified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    with running(context) as server:
        client = Client(server.url(host="localhost"))
        with pytest.raises(TlsError, match="localhost: CERTIFICATE_VERIFY_FAILED"):
            client.post(Secret("x=y"))
        assert not server.forms
        authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        server.replies = [Reply(GOOD)]
        assert client.post(Secret("x=y")).status == 200


@pytest.mark.parametrize(
    "url",
    [
        "",
        "login.example.org",
        "http://login.example.org/token",
        "http://localhost.example.org/token",
        "ftp://localhost/",
        "https://",
        "https://u:hunter@login.example.org/",
        "https://login.example.org:0/",
        "https://login.example.org:99999/",
        "https://[::1",
        "https://login.example.org/\r\nX: y",
        "https://grüße.example.org/",
    ],
)
def test_urls_that_no_secret_is_sent_to(url: str) -> None:
    with pytest.raises(LocalProtocolError, match="--x: expected an https:// URL") as caught:
        oauth_http.checked_url(url, "--x")
    assert "hunter" not in str(caught.value)


def test_the_errors_are_those_of_the_library() -> None:
    assert issubclass(TokenError, Pop3Error)
    assert not TokenError("x").transient
