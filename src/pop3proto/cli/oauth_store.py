"""Where tokens are kept: a file that only its owner can read, or the system's keyring."""

from __future__ import annotations

import json
import os
from pathlib import Path
from tempfile import mkstemp
from typing import Any, NamedTuple, Protocol, cast

from ..client.files import wait_for_disk
from ..errors import LocalProtocolError, printable
from ..model.secret import Secret
from .inputs import is_open_to_others, unusable

__all__ = ["FileStore", "KeyringStore", "Store", "Tokens"]

_SERVICE = "pop3proto-oauth"
# Octets of a file with tokens, at most.
_LONGEST_FILE = 256 * 1024
# Later than any token expires, in seconds since the epoch.
_FAR_AWAY = 2**40


class Tokens(NamedTuple):
    """An access token, and how to get the next one. Either can be empty."""

    access: Secret = Secret("")
    expires: float = 0.0
    """When the access token expires, in seconds since the epoch."""
    refresh: Secret = Secret("")


class Store(Protocol):
    """Keeps the tokens of one account."""

    def load(self) -> Tokens:
        """Return what is kept; nothing yet means empty tokens."""
        ...

    def save(self, tokens: Tokens) -> None:
        """Keep these instead."""
        ...


class FileStore:
    """A file with mode 600. It is replaced as a whole, so that no crash leaves a part of it.

    ``name`` stands for the account. The tokens of another one are not used: they could lead into
    the maildrop of another user.
    """

    def __init__(self, path: Path, name: str) -> None:
        self._path = path
        self._name = name

    def load(self) -> Tokens:
        """Return what the file holds; nothing if there is none.

        Raises ``LocalProtocolError`` for a file that others can read, or that holds no tokens.
        """
        try:
            with self._path.open("rb") as file:
                if is_open_to_others(file.fileno()):
                    raise self._unusable("other users can read it: chmod 600, or remove it")
                content = Secret(file.read(_LONGEST_FILE))
        except FileNotFoundError:
            return Tokens()
        except OSError as error:
            raise self._unusable(error.strerror or str(error)) from error
        kept = _members(content)
        found = None if kept is None else _tokens(kept)
        if kept is None or found is None:
            raise self._unusable("it holds no tokens of pop3proto; remove it to begin anew")
        if kept.get("account", self._name) != self._name:
            raise self._unusable("it holds the tokens of another account: each needs its own file")
        return found

    def save(self, tokens: Tokens) -> None:
        """Replace the file. Raises ``LocalProtocolError``, which names it."""
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            # It has mode 600 from the first moment on.
            descriptor, name = mkstemp(prefix=f".{self._path.name}.", dir=self._path.parent)
            try:
                with open(descriptor, "wb") as file:
                    file.write(_text(tokens, self._name).octets())
                    file.flush()
                    wait_for_disk(descriptor)
                os.replace(name, self._path)
            except BaseException:
                os.unlink(name)
                raise
        except OSError as error:
            raise self._unusable(error.strerror or str(error)) from error

    def _unusable(self, problem: str) -> LocalProtocolError:
        return unusable("--oauth-tokens", self._path, problem)


class KeyringStore:
    """The system's keyring, for the refresh token: some keyrings have no room for the other one."""

    def __init__(self, name: str) -> None:
        self._name = name

    def load(self) -> Tokens:
        """Return what the keyring holds. Raises ``LocalProtocolError`` if it cannot be used."""
        import keyring
        from keyring.errors import KeyringError

        try:
            found = keyring.get_password(_SERVICE, self._name)
        except KeyringError as error:
            raise self._unusable(error) from error
        return Tokens(refresh=Secret(found or ""))

    def save(self, tokens: Tokens) -> None:
        """Keep the refresh token. Raises ``LocalProtocolError`` if the keyring cannot be used."""
        import keyring
        from keyring.errors import KeyringError

        if not tokens.refresh:
            return
        try:
            keyring.set_password(_SERVICE, self._name, str(tokens.refresh.reveal()))
        except KeyringError as error:
            raise self._unusable(error) from error

    def _unusable(self, error: Exception) -> LocalProtocolError:
        problem = printable(str(error)) or type(error).__name__
        return LocalProtocolError(f"--oauth-tokens keyring: {problem}", hint="")


def _text(tokens: Tokens, name: str) -> Secret:
    return Secret(
        json.dumps(
            {
                "account": name,
                "access_token": tokens.access.reveal(),
                "expires": tokens.expires,
                "refresh_token": tokens.refresh.reveal(),
            }
        )
    )


def _members(content: Secret) -> dict[str, Any] | None:
    """Return what a file holds; ``None`` if it is not an object in JSON."""
    try:
        found: Any = json.loads(content.octets())
    except (ValueError, RecursionError):
        return None
    return cast("dict[str, Any]", found) if isinstance(found, dict) else None


def _tokens(kept: dict[str, Any]) -> Tokens | None:
    """Return the tokens in a file; ``None`` if it holds something else."""
    match kept:
        case {"access_token": str(), "refresh_token": str(), "expires": int() | float()}:
            # An int can be too large for a float.
            expires = float(min(kept["expires"], _FAR_AWAY))
            return Tokens(Secret(kept["access_token"]), expires, Secret(kept["refresh_token"]))
        case _:
            return None
