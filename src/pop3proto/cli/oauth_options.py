"""What the options about OAuth mean: who gives the tokens, and where they are kept."""

from __future__ import annotations

import argparse
import sys
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import LocalProtocolError
from ..model.secret import Secret
from .codes import UsageError
from .inputs import first_line
from .oauth import Keeper, Settings
from .oauth_http import Opener, checked_url
from .oauth_providers import PROVIDERS
from .oauth_store import FileStore, KeyringStore
from .state_folder import state_folder

if TYPE_CHECKING:
    from .oauth_store import Store

__all__ = ["keeper"]

_KEYRING = "keyring"
_AUTHORIZE = "--oauth-authorize-url"


def keeper(arguments: argparse.Namespace, user: str, opener: Opener | None) -> Keeper:
    """Return what keeps the access token of ``user`` as the options say.

    Raises ``LocalProtocolError`` for options that contradict each other, or are missing, and
    ``ImportError`` without oauthlib.
    """
    # Now, and not when a token is needed.
    import_module("oauthlib.oauth2")

    settings = _settings(arguments)
    # A cron job has no terminal, and neither has one of several accounts that run side by side.
    may_ask = sys.stderr is not None and sys.stderr.isatty()
    return Keeper(settings, _store(arguments, settings, user), opener=opener, may_ask=may_ask)


def _settings(arguments: argparse.Namespace) -> Settings:
    provider = PROVIDERS[arguments.oauth]
    own: bool = arguments.oauth_client_credentials
    if not arguments.oauth_client_id:
        raise UsageError(
            "--oauth needs --oauth-client-id",
            hint="you get one when you register your program with the provider",
        )
    token_url = arguments.oauth_token_url or provider.token_url
    if not token_url:
        raise UsageError("--oauth other needs --oauth-token-url", hint="")
    authorize_url = arguments.oauth_authorize_url or provider.authorize_url
    # Whoever names the one does not want the other.
    device_url = arguments.oauth_device_url or (
        "" if arguments.oauth_authorize_url else provider.device_url
    )
    # Users of any organisation, unless the program is one of an organisation itself.
    tenant = arguments.oauth_tenant or ("" if own else "common")
    if "{tenant}" in token_url and not tenant:
        raise UsageError("--oauth-client-credentials needs --oauth-tenant here", hint="")
    secret = _given(arguments, "client_secret")
    if own and not secret:
        raise UsageError("--oauth-client-credentials needs --oauth-client-secret-file", hint="")
    scope = provider.own_scope if own else provider.scope
    return Settings(
        checked_url(token_url.replace("{tenant}", tenant), "--oauth-token-url"),
        device_url and checked_url(device_url.replace("{tenant}", tenant), "--oauth-device-url"),
        arguments.oauth_client_id,
        secret,
        arguments.oauth_scope or scope,
        own,
        _given(arguments, "refresh_token"),
        authorize_url and checked_url(authorize_url.replace("{tenant}", tenant), _AUTHORIZE),
        provider.asked,
    )


def _given(arguments: argparse.Namespace, name: str) -> Secret:
    """Return a secret from its file, or from the file with accounts; empty if there is none."""
    path: Path | None = getattr(arguments, f"oauth_{name}_file")
    if path is not None:
        option = f"--oauth-{name.replace('_', '-')}-file"
        found = first_line(option, path)
        if found.kind is not str:
            raise LocalProtocolError(f"{option}: this is not text in UTF-8", hint="")
        return found
    return Secret(getattr(arguments, f"oauth_{name}") or "")


def _store(arguments: argparse.Namespace, settings: Settings, user: str) -> Store:
    # One account can have tokens of several programs, and for several purposes.
    parts = (settings.token_url, settings.client_id, settings.scope, str(settings.own), user)
    name = sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()[:32]
    if arguments.oauth_tokens == _KEYRING:
        # Now, and not when a token is there to be kept.
        import_module("keyring")

        return KeyringStore(name)
    if arguments.oauth_tokens is not None:
        return FileStore(Path(arguments.oauth_tokens), name)
    return FileStore(state_folder("--oauth-tokens FILE") / "oauth" / f"{name}.json", name)
