"""A TOML file with many accounts: each has the options of ``fetch``, by the same names."""

from __future__ import annotations

import argparse
import os
import tomllib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast

from ..errors import LocalProtocolError, printable
from ..model.secret import Secret
from ..model.url import PopUrl
from .inputs import is_open_to_others
from .options import add_options, values

__all__ = ["RUN_OPTIONS", "AccountsFile", "NamedAccount", "options_of_fetch"]

# Octets of a file, at most: a wrong one may have no end.
_LONGEST_FILE = 16 * 1024 * 1024
RUN_OPTIONS = frozenset(
    {"accounts", "concurrency", "help", "json", "no-bodies", "per-host", "quiet", "record"}
    | {"verbose"}
)
"""The options of a whole run, which no account has."""
# Secrets that a command line cannot hold, and a file that only its owner can read can.
_SECRETS = {"password", "oauth-client-secret", "oauth-refresh-token"}
_SERVER = ("host", "port", "user", "security", "auth")
_SECURITY: dict[str, Literal["pop", "pops"]] = {"tls": "pops", "stls": "pop", "plaintext": "pop"}
# Of each of these, an account has one; that of the account replaces that of the defaults.
_PASSWORDS = ("command", "fd", "file", "variable")
_ALTERNATIVES: tuple[tuple[str, ...], ...] = (
    ("password", "keyring", "oauth", *(f"password-{source}" for source in _PASSWORDS)),
    ("delete", "delete-after"),
    ("oauth-client-secret", "oauth-client-secret-file"),
    ("oauth-refresh-token", "oauth-refresh-token-file"),
)
# What the values of options are; all others are texts.
_NUMBERS: dict[Callable[[str], object], str] = {
    values.number: "a whole number",
    values.descriptor: "a whole number",
    values.days: "a number",
    values.positive_seconds: "a number",
}
_FILES = {"ca", "cert", "oauth-tokens"}
_KINDS: dict[type, str] = {
    bool: "true or false",
    int: "a number",
    float: "a number",
    str: "a text",
    list: "a list",
    dict: "a table",
}


class NamedAccount(NamedTuple):
    """An account of the file."""

    name: str
    arguments: argparse.Namespace
    """As if they had been given to ``fetch``."""
    given: frozenset[str] = frozenset()
    """The names of those that the account has itself, and not from the defaults."""


def options_of_fetch() -> argparse.ArgumentParser:
    """Return a parser that has the options of ``fetch``."""
    parser = argparse.ArgumentParser(add_help=False)
    add_options("fetch", parser)
    return parser


class AccountsFile:
    """The accounts in the file at ``path``.

    Raises ``LocalProtocolError``, which names the file, the account and the key.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._parser = options_of_fetch()
        self._actions = dict(_by_key(self._parser))
        content, open_to_others = self._content()
        for key in content.keys() - {"defaults", "accounts"}:
            raise self._wrong(f"there is no key {printable(key)}; see [defaults] and [accounts.x]")
        defaults = self._table(content.get("defaults", {}), "defaults")
        tables = self._table(content.get("accounts", {}), "accounts")
        if not tables:
            raise self._wrong("it has no accounts: [accounts.NAME]")
        self._check("defaults", defaults)
        if open_to_others and _has_secret(defaults):
            raise self._open_to_others("defaults")
        self.accounts: dict[str, NamedAccount] = {}
        """All of them by name, in the order of the file."""
        for name, given in tables.items():
            where = f"account {printable(name)}"
            table = self._table(given, where)
            self._check(where, table)
            if open_to_others and _has_secret(table):
                raise self._open_to_others(where)
            arguments = self._arguments(where, _merged(defaults, table))
            own = frozenset(self._actions[key].dest for key in table if key in self._actions)
            self.accounts[name] = NamedAccount(name, arguments, own)

    def chosen(self, names: Iterable[str]) -> list[NamedAccount]:
        """Return the accounts with these names, each once; all of them if there are no names."""
        wanted = dict.fromkeys(names)
        for name in wanted:
            if name not in self.accounts:
                raise self._wrong(f"there is no account {printable(name)}")
        return [self.accounts[name] for name in wanted or self.accounts]

    def _content(self) -> tuple[dict[str, Any], bool]:
        try:
            with self._path.open("rb") as file:
                octets = file.read(_LONGEST_FILE)
                open_to_others = is_open_to_others(file.fileno())
        except OSError as error:
            raise self._wrong(error.strerror or str(error)) from error
        problem = ""
        try:
            return tomllib.loads(octets.decode("utf-8-sig")), open_to_others
        except UnicodeDecodeError:
            problem = "it is not text in UTF-8"
        except tomllib.TOMLDecodeError as error:
            problem = f"it is not TOML: {printable(str(error))}"
        except RecursionError:
            problem = "it is not TOML: it has too many levels"
        except ValueError:
            # int() has a limit of its own.
            problem = "it has a number with too many digits"
        # Left before this line, because the error holds all of the text.
        raise self._wrong(problem)

    def _table(self, found: object, where: str) -> dict[str, Any]:
        if not isinstance(found, dict):
            raise self._wrong(f"{where}: expected a table, not {_kind(found)}")
        return cast("dict[str, Any]", found)

    def _wrong(self, problem: str, hint: str = "") -> LocalProtocolError:
        return LocalProtocolError(f"--accounts {printable(str(self._path))}: {problem}", hint=hint)

    def _open_to_others(self, where: str) -> LocalProtocolError:
        return self._wrong(
            f"{where} has a secret, and other users can read the file",
            hint="chmod 600 keeps them out; or name a file or a command for the secret",
        )

    def _check(self, where: str, table: Mapping[str, object]) -> None:
        """Raise ``LocalProtocolError`` for keys that are unknown, or exclude each other."""
        known = {*self._actions, *_SECRETS, *_SERVER, "url"}
        for key in table:
            if key not in known:
                raise self._wrong(
                    f"{where}: there is no key {printable(key)}", _similar(key, known)
                )
        for keys in _ALTERNATIVES:
            both = [key for key in keys if key in table]
            if len(both) > 1:
                raise self._wrong(f"{where}: {both[0]} and {both[1]} exclude each other")
        if "url" in table and (also := [key for key in _SERVER if key in table]):
            raise self._wrong(f"{where}: url and {also[0]} exclude each other")

    def _arguments(self, where: str, table: dict[str, Any]) -> argparse.Namespace:
        arguments = self._parser.parse_args(["", ""])
        arguments.command = "fetch"
        # That of the whole process would be sent to every server.
        arguments.password_variable = None
        for key, given in table.items():
            if key in self._actions:
                setattr(arguments, self._actions[key].dest, self._value(where, key, given))
            elif key in _SECRETS:
                self._text(where, key, given)
                setattr(arguments, key.replace("-", "_"), Secret(given))
        if "place" not in table:
            raise self._wrong(f"{where}: there is no place for the messages")
        arguments.url = self._url(where, table)
        arguments.place = self._place(arguments.format, table["place"])
        if table.get("security") == "plaintext":
            arguments.no_tls = True
        return arguments

    def _value(self, where: str, key: str, given: object) -> object:
        """Return the value of an option, as the command line would have it."""
        action = self._actions[key]
        if isinstance(action, argparse._AppendAction):  # pyright: ignore[reportPrivateUsage]
            # An option that may be repeated, and here a text or a list of texts.
            texts = cast("list[object]", given) if isinstance(given, list) else [given]
            for text in texts:
                self._text(where, key, text)
            return texts
        if action.nargs == 0:
            if not isinstance(given, bool):
                raise self._type(where, key, "true or false", given)
            return given
        convert = cast("Callable[[str], object] | None", action.type)
        number = _NUMBERS.get(convert) if convert is not None else None
        if number is None:
            self._text(where, key, given)
        elif isinstance(given, bool) or not isinstance(given, int | float):
            raise self._type(where, key, number, given)
        if convert is Path or key in _FILES:
            text = str(given)
            return (
                text if key == "oauth-tokens" and text == "keyring" else self._file(text, convert)
            )
        try:
            found = str(given) if convert is None else convert(str(given))
        except argparse.ArgumentTypeError as error:
            raise self._wrong(f"{where}: {key}: {error}") from None
        except ValueError:
            # In hexadecimal, TOML can have a number that str() refuses.
            raise self._wrong(f"{where}: {key}: the number has too many digits") from None
        if action.choices is not None and found not in action.choices:
            allowed = ", ".join(map(str, action.choices))
            raise self._wrong(f"{where}: {key}: expected one of {allowed}")
        return found

    def _text(self, where: str, key: str, given: object) -> None:
        if not isinstance(given, str):
            raise self._type(where, key, "a text", given)
        if not given or "\0" in given:
            raise self._wrong(f"{where}: {key}: the text is empty, or holds a NUL")

    def _type(self, where: str, key: str, expected: str, given: object) -> LocalProtocolError:
        return self._wrong(f"{where}: {key}: expected {expected}, not {_kind(given)}")

    def _file(self, text: str, convert: object = None) -> object:
        """Return a path: ``~`` is this user's, and others begin where the file with accounts is."""
        # Unlike Path.expanduser(), this leaves "~name" as it is if there is no such user.
        path = self._path.absolute().parent / os.path.expanduser(text)
        return path if convert is Path else str(path)

    def _place(self, kind: str, given: str) -> str:
        # A command, and the address of a server, are no paths.
        if kind == "command" or (kind == "lmtp" and "/" not in given):
            return given
        return str(self._file(given))

    def _url(self, where: str, table: dict[str, Any]) -> str:
        """Return the URL of the maildrop. It has its checks, and needs a user."""
        try:
            if "url" in table:
                self._text(where, "url", table["url"])
                return str(PopUrl.parse(table["url"]))
            if "host" not in table:
                raise self._wrong(f"{where}: there is no url, and no host")
            for key in _SERVER:
                if key != "port" and key in table:
                    self._text(where, key, table[key])
            security = table.get("security", "tls")
            if security not in _SECURITY:
                raise self._wrong(f"{where}: security: expected one of {', '.join(_SECURITY)}")
            port = table.get("port")
            if port is not None and (isinstance(port, bool) or not isinstance(port, int)):
                raise self._type(where, "port", "a whole number", port)
            user, auth = table.get("user"), table.get("auth")
            return str(PopUrl(table["host"], port, user, auth, _SECURITY[security]))
        except LocalProtocolError as error:
            if str(error).startswith("--accounts"):
                raise
            raise self._wrong(f"{where}: {error}") from None


def _by_key(parser: argparse.ArgumentParser) -> Iterable[tuple[str, argparse.Action]]:
    # argparse has no public list of what it knows.
    for action in parser._actions:  # pyright: ignore[reportPrivateUsage]
        for option in action.option_strings or [action.dest]:
            key = option.removeprefix("--")
            opposite = key.removeprefix("no-") != key and action.dest != key.replace("-", "_")
            # Nor does it have the short form of an option.
            named = not key.startswith("-") and key not in RUN_OPTIONS and key != "url"
            if named and not opposite:
                yield key, action


def _merged(defaults: Mapping[str, Any], table: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an account has; what it says itself replaces the defaults."""
    replaced: set[str] = set()
    for keys in _ALTERNATIVES:
        if any(key in table for key in keys):
            replaced.update(keys)
    # A host of the defaults goes with a user of the account. A URL says all of it.
    if "url" in table:
        replaced.update(_SERVER)
    elif any(key in table for key in _SERVER):
        replaced.add("url")
    return {key: given for key, given in defaults.items() if key not in replaced} | dict(table)


def _has_secret(table: Mapping[str, object]) -> bool:
    proxy = table.get("proxy")
    # Whatever stands before the host.
    return any(key in table for key in _SECRETS) or (isinstance(proxy, str) and "@" in proxy)


def _similar(key: str, known: Iterable[str]) -> str:
    from difflib import get_close_matches

    found = get_close_matches(key.replace("_", "-"), known, n=1)
    return f"there is {found[0]}" if found else ""


def _kind(given: object) -> str:
    return _KINDS.get(type(given), "a date or a time")
