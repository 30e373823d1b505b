"""Stand-ins for the libraries of providers of access tokens, which the documents import.

They have the names, the parameters and the results of msal and google-auth-oauthlib, as far as the
documents use them. The first token that they give has expired, and the next one has not.
"""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any


class SerializableTokenCache:
    def __init__(self) -> None:
        self.tokens: list[str] = []

    def serialize(self) -> str:
        return json.dumps(self.tokens)

    def deserialize(self, state: str) -> None:
        self.tokens = json.loads(state)


class PublicClientApplication:
    def __init__(
        self, client_id: str, *, authority: str, token_cache: SerializableTokenCache
    ) -> None:
        assert authority.startswith("https://login.microsoftonline.com/")
        self._cache = token_cache

    def get_accounts(self, username: str | None = None) -> list[dict[str, Any]]:
        return [{"username": username}] if self._cache.tokens else []

    def acquire_token_silent(
        self, scopes: list[str], account: dict[str, Any], *, force_refresh: bool = False
    ) -> dict[str, Any] | None:
        assert self._cache.tokens
        if force_refresh:
            self._cache.tokens.append("fresh")
        return {"access_token": self._cache.tokens[-1]}

    def initiate_device_flow(self, scopes: list[str]) -> dict[str, Any]:
        # msal refuses the scopes that it adds by itself.
        assert "offline_access" not in scopes
        return {"user_code": "ABCD", "message": "To sign in, enter the code ABCD."}

    def acquire_token_by_device_flow(self, flow: dict[str, Any]) -> dict[str, Any]:
        assert flow["user_code"] == "ABCD"
        self._cache.tokens.append("expired")
        return {"access_token": "expired"}


class Request:
    pass


class Credentials:
    def __init__(self, token: str) -> None:
        self.token, self.valid = token, True

    @classmethod
    def from_authorized_user_file(cls, filename: str, scopes: list[str]) -> Credentials:
        return cls(json.loads(Path(filename).read_text("utf-8"))["token"])

    def to_json(self) -> str:
        return json.dumps({"token": self.token})

    def refresh(self, request: Request) -> None:
        assert isinstance(request, Request)
        self.token = "fresh"


class InstalledAppFlow:
    @classmethod
    def from_client_secrets_file(cls, path: str, scopes: list[str]) -> InstalledAppFlow:
        assert scopes == ["https://mail.google.com/"]
        return cls()

    def run_local_server(self, port: int) -> Credentials:
        return Credentials("expired")


def _module(name: str, *classes: type) -> ModuleType:
    module = ModuleType(name)
    for each in classes:
        setattr(module, each.__name__, each)
    return module


MODULES = {
    "msal": _module("msal", SerializableTokenCache, PublicClientApplication),
    **{name: _module(name) for name in ("google", "google.auth", "google.auth.transport")},
    "google.auth.transport.requests": _module("requests", Request),
    "google.oauth2": _module("google.oauth2"),
    "google.oauth2.credentials": _module("credentials", Credentials),
    "google_auth_oauthlib": _module("google_auth_oauthlib"),
    "google_auth_oauthlib.flow": _module("flow", InstalledAppFlow),
}
"""The modules by their names."""
