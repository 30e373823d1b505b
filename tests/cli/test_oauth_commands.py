"""OAuth by options: from the token server to the login, and where the tokens are kept."""

from __future__ import annotations

import json
import os
import sys
import time
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from pop3proto.cli.main import main
from pop3proto.cli.oauth import Keeper
from pop3proto.cli.oauth_options import keeper
from pop3proto.cli.oauth_providers import PROVIDERS
from pop3proto.cli.oauth_store import FileStore, KeyringStore, Tokens
from pop3proto.cli.options.access import add_access
from pop3proto.errors import LocalProtocolError
from pop3proto.model.secret import Secret
from pop3proto.sasl.server import ServerOAuthBearer, ServerXOAuth2
from pop3proto.server import ServerOptions
from pop3proto.testing import LoopbackServer, serve
from tests.cli.token_server import Reply, TokenServer, running
from tests.examples.proxies import SocksProxy
from tests.examples.proxies import running as running_proxy

pytest.importorskip("oauthlib")
posix = pytest.mark.skipif(os.name != "posix", reason="access is not in the mode there")


class Valid:
    """The tokens that the mail server accepts."""

    tokens: tuple[str, ...] = ("hunter-a",)

    def check_token(self, user: str, token: str) -> bool:
        return user == "user@example.org" and token in self.tokens


class Setting:
    def __init__(self, mail: LoopbackServer, tokens: TokenServer, folder: Path) -> None:
        self.mail = mail
        self.tokens = tokens
        self.folder = folder
        self.valid = Valid()
        self.secret = folder / "client-secret"
        self.secret.write_text("hunter-s\n")
        self.secret.chmod(0o600)
        self.refresh = folder / "refresh"
        self.refresh.write_text("hunter-1\n")
        self.refresh.chmod(0o600)

    def run(self, command: str, *more: str, auth: str = "", refresh: bool = True) -> int:
        url = f"pop://user%40example.org{auth}@{self.mail.host}:{self.mail.port}"
        options = ["--no-tls", "--allow-plaintext-auth", "--oauth", "other"]
        options += ["--oauth-client-id", "client", "--oauth-token-url", self.tokens.url()]
        options += ["--oauth-client-secret-file", str(self.secret)]
        if refresh:
            options += ["--oauth-refresh-token-file", str(self.refresh)]
        return main([command, url, *more, *options])


@pytest.fixture(params=[ServerXOAuth2, ServerOAuthBearer], ids=lambda kind: kind.name)
def setting(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Setting]:
    with ExitStack() as stack:
        valid = Valid()
        mail = stack.enter_context(
            serve(
                {"user@example.org": [b"one\r\n"]},
                users={},
                security="plaintext",
                mechanisms=[request.param(valid)],
                options=ServerOptions(allow_plaintext_auth=True, failed_login_delay=0),
            )
        )
        made = Setting(mail, stack.enter_context(running()), tmp_path)
        made.valid = valid
        yield made


def gives(token: str, **more: Any) -> Reply:
    return Reply({"access_token": token, "token_type": "bearer", "expires_in": 3600, **more})


@pytest.mark.parametrize(
    "command", [["check"], ["list"], ["show", "1"], ["fetch", "mail"], ["delete", "1"]]
)
def test_every_command_logs_in_with_a_token(
    command: list[str], setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(setting.folder)
    setting.tokens.replies = [gives("hunter-a")]
    assert setting.run(*command) == 0
    # The next one uses the same token.
    assert setting.run("list") == 0
    assert setting.tokens.grants == ["refresh_token"]


def test_the_report_names_the_mechanism(
    setting: Setting, capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest
) -> None:
    setting.tokens.replies = [gives("hunter-a")]
    assert setting.run("check", "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["mechanisms"]["chosen"] == request.node.callspec.params["setting"].name
    assert report["login"]["mechanism"] == report["mechanisms"]["chosen"]


def test_a_refused_token_is_replaced_once(
    setting: Setting, capsys: pytest.CaptureFixture[str]
) -> None:
    setting.tokens.replies = [gives("hunter-x"), gives("hunter-a")]
    assert setting.run("list") == 0
    assert setting.tokens.grants == ["refresh_token"] * 2
    setting.valid.tokens = ("hunter-z",)
    setting.tokens.replies = [gives("hunter-y")]
    assert setting.run("list") == 1
    assert not setting.tokens.replies
    assert len(setting.tokens.forms) == 3
    told = capsys.readouterr()
    assert told.err.startswith("OAuthError: ")
    assert "hunter" not in told.err + told.out


def test_client_credentials(setting: Setting) -> None:
    setting.tokens.replies = [gives("hunter-a")]
    assert setting.run("list", "--oauth-client-credentials", refresh=False) == 0
    assert setting.tokens.grants == ["client_credentials"]


def test_a_device(
    setting: Setting, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    device = ["--oauth-device-url", setting.tokens.url("/device")]
    assert setting.run("list", *device, refresh=False) == 1
    assert "in a terminal, with the same options" in capsys.readouterr().err
    # The code is shown before the server is connected to: it would not wait for so long.
    assert not setting.mail.sessions
    codes = {"device_code": "hunter-d", "user_code": "ABCD", "verification_uri": "https://a.b"}
    setting.tokens.replies = [
        Reply(codes),
        Reply({"error": "authorization_pending"}, 400),
        gives("hunter-a", refresh_token="hunter-2"),
    ]
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    pauses: list[float] = []
    defaults: dict[str, Any] = Keeper.__init__.__kwdefaults__ or {}
    monkeypatch.setitem(defaults, "sleep", pauses.append)
    assert setting.run("list", *device, refresh=False) == 0
    assert pauses == [5, 5]
    assert "Open https://a.b and enter the code ABCD" in capsys.readouterr().err
    # From now on without anybody.
    monkeypatch.setattr("sys.stderr.isatty", lambda: False)
    assert setting.run("list", *device, refresh=False) == 0


def test_what_the_token_server_says_is_told_and_no_secret(
    setting: Setting, capsys: pytest.CaptureFixture[str]
) -> None:
    setting.tokens.replies = [
        Reply({"error": "invalid_client", "error_description": "Unknown \x1b[31m"}, 401)
    ]
    assert setting.run("list") == 1
    error = capsys.readouterr().err
    assert r"gave no access token: invalid_client (Unknown \x1b[31m)" in error
    assert "check the client's id and its secret" in error
    assert "hunter" not in error
    assert not setting.mail.sessions


def test_the_token_server_is_behind_the_proxy_too(setting: Setting) -> None:
    setting.tokens.replies = [gives("hunter-a")]
    names = {"127.0.0.1": "127.0.0.1"}
    with running_proxy(SocksProxy(names=names)) as proxy:
        assert setting.run("list", "--proxy", proxy.url()) == 0
    assert proxy.asked_for == [
        ("127.0.0.1", setting.tokens.server_port),
        ("127.0.0.1", setting.mail.port),
    ]


def test_a_mechanism_without_tokens(setting: Setting, capsys: pytest.CaptureFixture[str]) -> None:
    assert setting.run("list", auth=";AUTH=PLAIN") == 2
    assert "--oauth is for XOAUTH2 and OAUTHBEARER, not PLAIN" in capsys.readouterr().err


def test_a_mechanism_with_tokens(setting: Setting, request: pytest.FixtureRequest) -> None:
    setting.tokens.replies = [gives("hunter-a")]
    name = request.node.callspec.params["setting"].name
    assert setting.run("list", auth=f";AUTH={name}") == 0


def options(*given: str) -> Any:
    parser = ArgumentParser()
    add_access(parser)
    return parser.parse_args(given)


def made(*given: str) -> Keeper:
    return keeper(options(*given), "user", None)


ID = ("--oauth-client-id", "client")
OTHER = ("--oauth", "other", *ID)


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (["--oauth", "google"], "--oauth needs --oauth-client-id"),
        ([*OTHER], "--oauth other needs --oauth-token-url"),
        ([*OTHER, "--oauth-token-url", "http://a.b/"], "--oauth-token-url: expected an https://"),
        (
            [*OTHER, "--oauth-token-url", "https://a.b/", "--oauth-device-url", "x"],
            "--oauth-device-url: expected an https://",
        ),
        (["--oauth", "google", *ID, "--oauth-client-credentials"], "needs --oauth-client-secret"),
        (["--oauth", "microsoft", *ID, "--oauth-client-credentials"], "needs --oauth-tenant"),
        (["--oauth", "google", *ID, "--oauth-client-secret-file", "/gone"], "file /gone: No such"),
    ],
)
def test_options_that_do_not_fit(given: list[str], problem: str) -> None:
    with pytest.raises(LocalProtocolError, match=problem):
        made(*given)


def test_a_secret_is_text(tmp_path: Path) -> None:
    (tmp_path / "token").write_bytes(b"hunter\xff\n")
    with pytest.raises(LocalProtocolError, match="--oauth-refresh-token-file: this is not text"):
        made("--oauth", "google", *ID, "--oauth-refresh-token-file", str(tmp_path / "token"))


def test_the_providers() -> None:
    google = made("--oauth", "google", *ID)._settings
    assert google.token_url == "https://oauth2.googleapis.com/token"
    assert (google.device_url, google.scope) == ("", "https://mail.google.com/")
    microsoft = made("--oauth", "microsoft", *ID)._settings
    base = "https://login.microsoftonline.com/common/oauth2/v2.0"
    assert microsoft.token_url == f"{base}/token"
    assert microsoft.device_url == f"{base}/devicecode"
    assert "offline_access" in microsoft.scope.split()
    own = options("--oauth", "microsoft", *ID, "--oauth-client-credentials")
    own.oauth_tenant, own.oauth_client_secret = "example.org", "hunter"
    settings = keeper(own, "user", None)._settings
    assert settings.token_url == base.replace("common", "example.org") + "/token"
    assert settings.scope == "https://outlook.office365.com/.default"
    assert settings.own
    given = made("--oauth", "google", *ID, "--oauth-scope", "x y")._settings
    assert given.scope == "x y"
    for provider in PROVIDERS.values():
        assert provider.device_url or provider.authorize_url or not provider.token_url


def test_google_has_no_codes_for_mail_and_a_browser_instead() -> None:
    google = made("--oauth", "google", *ID)
    assert google._settings.authorize_url == "https://accounts.google.com/o/oauth2/v2/auth"
    with pytest.raises(LocalProtocolError, match="without a terminal"):
        google.token()


def test_a_browser_in_place_of_codes() -> None:
    url = "https://login.microsoftonline.com/{tenant}/oauth2/v2.0/authorize"
    given = made("--oauth", "microsoft", *ID, "--oauth-authorize-url", url)._settings
    assert given.device_url == ""
    assert given.authorize_url == url.replace("{tenant}", "common")


def test_each_purpose_has_a_file_of_its_own(state_folder: Path) -> None:
    def path(user: str, *more: str) -> Path:
        store = keeper(options("--oauth", "google", *ID, *more), user, None)._store
        assert isinstance(store, FileStore)
        return store._path

    assert path("user").parent == state_folder / "pop3proto" / "oauth"
    assert len({path("user"), path("other"), path("user", "--oauth-scope", "x")}) == 3
    assert path("user", "--oauth-tokens", "/tmp/x") == Path("/tmp/x")


def test_the_package_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in [name for name in sys.modules if name.startswith("oauthlib")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "oauthlib", None)
    assert main(["list", "pops://user@pop.example.org", "--oauth", "google", *ID]) == 2
    assert 'pip install "pop3proto[oauth]"' in capsys.readouterr().err


TOKENS = Tokens(Secret("hunter-a"), 5.0, Secret("hunter-2"))


@posix
def test_a_file_that_others_can_read_is_not_used(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "tokens", "account")
    store.save(TOKENS)
    (tmp_path / "tokens").chmod(0o644)
    with pytest.raises(LocalProtocolError, match=r"--oauth-tokens .*tokens: other users can read"):
        store.load()
    # Saving makes a new one.
    store.save(TOKENS)
    assert store.load() == TOKENS


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"hunter",
        b"\xff",
        b"[]",
        b"[" * 100_000,
        b"{}",
        b'{"access_token": 1, "refresh_token": "", "expires": 0}',
        b'{"access_token": "hunter", "refresh_token": "hunter", "expires": "0"}',
    ],
)
def test_a_file_that_holds_something_else(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "tokens"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(LocalProtocolError, match="it holds no tokens of pop3proto") as caught:
        FileStore(path, "account").load()
    assert "hunter" not in str(caught.value)


def test_files_that_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(LocalProtocolError, match=f"--oauth-tokens {tmp_path}: "):
        FileStore(tmp_path, "account").load()
    (tmp_path / "file").touch()
    with pytest.raises(LocalProtocolError, match=r"--oauth-tokens .*file/tokens: "):
        FileStore(tmp_path / "file" / "tokens", "account").save(TOKENS)


def test_a_crash_leaves_the_old_tokens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    store = FileStore(tmp_path / "tokens", "account")
    store.save(TOKENS)
    monkeypatch.setattr(os, "fsync", crash)
    with pytest.raises(LocalProtocolError, match="No space left on device"):
        store.save(Tokens())
    assert store.load() == TOKENS
    assert [*tmp_path.iterdir()] == [tmp_path / "tokens"]


class Ring(ModuleType):
    kept: dict[tuple[str, str], str]
    broken = False

    def get_password(self, service: str, name: str) -> str | None:
        if self.broken:
            raise self.Error("locked\x1b")
        return self.kept.get((service, name))

    def set_password(self, service: str, name: str, secret: str) -> None:
        if self.broken:
            raise self.Error
        self.kept[service, name] = secret

    class Error(Exception):
        pass


@pytest.fixture
def ring(monkeypatch: pytest.MonkeyPatch) -> Ring:
    ring, errors = Ring("keyring"), ModuleType("keyring.errors")
    ring.kept = {}
    monkeypatch.setattr(errors, "KeyringError", Ring.Error, raising=False)
    monkeypatch.setitem(sys.modules, "keyring", ring)
    monkeypatch.setitem(sys.modules, "keyring.errors", errors)
    return ring


def test_the_keyring_keeps_the_refresh_token(setting: Setting, ring: Ring) -> None:
    setting.tokens.replies = [gives("hunter-a", refresh_token="hunter-2"), gives("hunter-a")]
    assert setting.run("list", "--oauth-tokens", "keyring") == 0
    assert [*ring.kept.values()] == ["hunter-2"]
    assert setting.run("list", "--oauth-tokens", "keyring", refresh=False) == 0
    assert [form["refresh_token"] for _, form in setting.tokens.forms] == ["hunter-1", "hunter-2"]


def test_a_keyring_that_is_locked(ring: Ring) -> None:
    store = KeyringStore("name")
    store.save(Tokens())
    assert ring.kept == {}
    assert store.load() == Tokens()
    ring.broken = True
    with pytest.raises(LocalProtocolError, match=r"--oauth-tokens keyring: locked\\x1b"):
        store.load()
    with pytest.raises(LocalProtocolError, match="--oauth-tokens keyring: Error"):
        store.save(TOKENS)


def test_the_clock_is_that_of_the_system(state_folder: Path) -> None:
    made("--oauth", "google", *ID)._store.save(Tokens(Secret("hunter-a"), time.time() + 3600))
    assert made("--oauth", "google", *ID)(None) == "hunter-a"
    made("--oauth", "google", *ID)._store.save(Tokens(Secret("hunter-a"), time.time() + 30))
    with pytest.raises(LocalProtocolError, match="there is no refresh token"):
        made("--oauth", "google", *ID)(None)


def test_tokens_of_another_account_are_not_used(tmp_path: Path) -> None:
    FileStore(tmp_path / "tokens", "one").save(TOKENS)
    assert FileStore(tmp_path / "tokens", "one").load() == TOKENS
    with pytest.raises(LocalProtocolError, match="it holds the tokens of another account"):
        FileStore(tmp_path / "tokens", "two").load()


def test_a_time_without_an_end(tmp_path: Path) -> None:
    path = tmp_path / "tokens"
    path.write_text(f'{{"access_token": "a", "refresh_token": "", "expires": {"9" * 400}}}')
    path.chmod(0o600)
    assert FileStore(path, "account").load().access == Secret("a")


def test_a_password_besides_tokens(capsys: pytest.CaptureFixture[str]) -> None:
    where = ["list", "pops://user@pop.example.org", "--oauth", "google", *ID]
    assert main([*where, "--password-file", "f"]) == 2
    assert "--oauth and --password-file exclude each other" in capsys.readouterr().err


@pytest.mark.parametrize("host", ["a..b", "x" * 64])
def test_a_name_that_no_host_has(host: str, capsys: pytest.CaptureFixture[str]) -> None:
    other = ["--oauth", "other", *ID, "--oauth-token-url", f"https://{host}/"]
    assert main(["list", "pops://user@pop.example.org", *other]) == 1
    assert "--oauth-token-url: this is not the name of a host" in capsys.readouterr().err
