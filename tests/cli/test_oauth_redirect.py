"""OAuth with a browser on this machine, against a provider on the loopback interface."""

from __future__ import annotations

import socket
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.error import HTTPError
from urllib.parse import parse_qs, urlencode, urlsplit
from urllib.request import urlopen

import pytest

pytest.importorskip("oauthlib")

from pop3proto.cli import oauth_redirect
from pop3proto.cli.oauth import Keeper, Settings
from pop3proto.cli.oauth_http import TokenError
from pop3proto.cli.oauth_store import FileStore
from pop3proto.model.secret import Secret
from tests.cli.token_server import Form, Reply, TokenServer, running

GOOD = {
    "access_token": "hunter-a",
    "token_type": "Bearer",
    "expires_in": 3600,
    "refresh_token": "hunter-r",
}
CODE = "hunter-c"
Asked = dict[str, str]


class Provider:
    """It shows a page to a user, and sends the browser back; ``answer`` is what it adds then."""

    def __init__(self, server: TokenServer, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.server = server
        self.store = FileStore(folder / "tokens.json", "account")
        self.path = folder / "tokens.json"
        self.asked: Asked = {}
        self.answer: Callable[[Asked], Asked] = lambda asked: {
            "code": CODE,
            "state": asked["state"],
        }
        # What else comes before that, each a request to a path.
        self.before: list[str] = []
        self.statuses: list[int] = []
        self._browsers: list[Thread] = []
        monkeypatch.setattr(oauth_redirect, "_tell", self._open)

    def _open(self, url: str) -> None:
        parts = urlsplit(url)
        assert url.startswith(self.server.url("/authorize"))
        self.asked = {name: text for name, (text,) in parse_qs(parts.query).items()}
        self._browsers.append(Thread(target=self._browse))
        self._browsers[-1].start()

    def _browse(self) -> None:
        where = self.asked["redirect_uri"]
        answer = urlencode(self.answer(self.asked))
        for path in [*self.before, f"?{answer}"]:
            with suppress(OSError):
                try:
                    with urlopen(where + path) as page:
                        self.statuses.append(page.status)
                except HTTPError as error:
                    self.statuses.append(error.code)
                    error.close()

    def keeper(self, **changes: Any) -> Keeper:
        settings = Settings(
            self.server.url(),
            "",
            "client",
            Secret("hunter-s"),
            "the scope",
            authorize_url=self.server.url("/authorize"),
            asked=(("access_type", "offline"),),
        )._replace(**changes)
        return Keeper(settings, self.store, may_ask=True)

    def join(self) -> None:
        for browser in self._browsers:
            browser.join()


@pytest.fixture
def provider(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    with running() as server:
        made = Provider(server, tmp_path, monkeypatch)
        yield made
        made.join()


def test_a_user_agrees_in_a_browser(provider: Provider) -> None:
    def proven(form: Form) -> Reply:
        # RFC 7636 section 4.6.
        digest = sha256(form["code_verifier"].encode()).digest()
        challenge = urlsafe_b64encode(digest).rstrip(b"=").decode()
        assert challenge == provider.asked["code_challenge"]
        return Reply(GOOD)

    provider.server.replies = [proven]
    keeper = provider.keeper()
    assert keeper.may_ask
    assert keeper(None) == "hunter-a"
    asked = provider.asked
    assert asked["redirect_uri"].startswith("http://127.0.0.1:")
    assert {name: asked[name] for name in ("client_id", "scope", "access_type")} == {
        "client_id": "client",
        "scope": "the scope",
        "access_type": "offline",
    }
    assert (asked["response_type"], asked["code_challenge_method"]) == ("code", "S256")
    ((path, form),) = provider.server.forms
    assert path == "/token"
    assert form.pop("code_verifier")
    assert form == {
        "grant_type": "authorization_code",
        "code": CODE,
        "redirect_uri": asked["redirect_uri"],
        "client_id": "client",
        "client_secret": "hunter-s",
    }
    assert provider.store.load().refresh == Secret("hunter-r")
    assert provider.path.stat().st_mode & 0o777 == 0o600
    provider.join()
    assert provider.statuses == [200]
    # Nobody listens there any more.
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", urlsplit(asked["redirect_uri"]).port or 0), 60)


def test_the_next_time_nobody_is_asked(provider: Provider) -> None:
    provider.server.replies = [Reply(GOOD), Reply({**GOOD, "access_token": "hunter-b"})]
    provider.keeper()(None)
    tokens = provider.store.load()
    provider.store.save(tokens._replace(expires=0.0))
    assert provider.keeper()(None) == "hunter-b"
    assert provider.server.grants == ["authorization_code", "refresh_token"]


def test_a_program_without_a_secret(provider: Provider) -> None:
    provider.server.replies = [Reply(GOOD)]
    assert provider.keeper(client_secret=Secret(""), scope="")(None) == "hunter-a"
    assert "client_secret" not in provider.server.forms[0][1]
    assert "scope" not in provider.asked


def test_requests_of_others_are_passed_over(provider: Provider) -> None:
    """A code that is not the answer to this question would log in to another account."""
    provider.server.replies = [Reply(GOOD)]
    provider.before = ["favicon.ico", "?code=x", "?code=x&state=y", "?code=x&state=y&state=z"]
    assert provider.keeper()(None) == "hunter-a"
    assert provider.server.forms[0][1]["code"] == CODE
    provider.join()
    assert provider.statuses == [404, 404, 404, 404, 200]


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ({"error": "access_denied"}, "the user has refused"),
        ({"error": "invalid_scope\x1b"}, r"the provider gave no code: invalid_scope\\x1b"),
        ({}, "the provider gave no code: missing_code"),
    ],
)
def test_no_code(provider: Provider, answer: Asked, told: str) -> None:
    provider.answer = lambda asked: {**answer, "state": asked["state"]}
    with pytest.raises(TokenError, match=told):
        provider.keeper()(None)
    assert provider.server.forms == []


def test_a_code_that_is_refused(provider: Provider) -> None:
    told = {"error": "invalid_grant", "error_description": f"not {CODE}"}
    provider.server.replies = [Reply(told, 400)]
    with pytest.raises(TokenError, match="invalid_grant") as caught:
        provider.keeper()(None)
    assert CODE not in str(caught.value)


def test_nobody_agrees(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oauth_redirect, "_PATIENCE", 0.01)
    monkeypatch.setattr(oauth_redirect, "_tell", lambda url: None)
    with pytest.raises(TokenError, match="in time"):
        provider.keeper()(None)


def test_the_user_is_told_where_to_go(capsys: pytest.CaptureFixture[str]) -> None:
    oauth_redirect._tell("https://login.example.org/?x=\x1b")
    assert capsys.readouterr().err == (
        "Open this address in a browser on this machine:\nhttps://login.example.org/?x=\\x1b\n"
    )
