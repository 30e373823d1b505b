"""Options that would be passed over, because of another one: each is an error that names it."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Collection, Iterator
from typing import Any, Protocol

from ..errors import LocalProtocolError
from ..model.url import PopUrl
from .codes import UsageError
from .tree import subcommands

__all__ = ["given_options", "refuse_idle"]

# The mechanisms that take no secret at all, and the logins that are no AUTH.
_NO_SECRET = ("ANONYMOUS", "EXTERNAL", "GSSAPI")
_NO_AUTH = ("USER", "APOP", "+APOP")
_PASSWORDS = ("password_file", "password_command", "password_fd", "password_variable", "keyring")


class _Given(Protocol):
    """The values of options: those that the command has."""

    def __getattr__(self, name: str, /) -> Any: ...


class _Rule:
    """Options of some commands that have no effect without a condition.

    ``options`` are the names of their values. ``works`` returns true if they have an effect, and
    ``told`` follows the option's name in the error.
    """

    def __init__(
        self,
        options: str,
        works: Callable[[_Given], object],
        told: str,
        commands: str = "fetch check list show delete",
    ) -> None:
        self.options, self.works, self.told, self.commands = options, works, told, commands


def _url(arguments: _Given) -> PopUrl | None:
    """Return the URL; ``None`` if there is none, or one that is refused later."""
    text: str = getattr(arguments, "url", None) or ""
    try:
        return PopUrl.parse(text if "://" in text else f"pops://{text}")
    except LocalProtocolError:
        return None


def _has_user(arguments: _Given) -> bool:
    url = _url(arguments)
    return url is None or url.user is not None


def _mechanism(arguments: _Given) -> str | None:
    url = _url(arguments)
    return None if url is None or url.auth is None else url.auth.upper()


def _deletes(arguments: _Given) -> bool:
    return bool(arguments.delete or arguments.delete_after is not None) or (
        arguments.keep_newest is not None
    )


def _by_tenant(arguments: _Given) -> bool:
    given = arguments.oauth_token_url
    return arguments.oauth == "microsoft" if given is None else "{tenant}" in given


_OAUTH = (
    "oauth_client_id oauth_client_secret_file oauth_refresh_token_file oauth_client_credentials"
    " oauth_tokens oauth_tenant oauth_scope oauth_token_url oauth_device_url oauth_authorize_url"
)
_RULES = (
    _Rule("concurrency per_host", lambda a: a.accounts is not None, "needs --accounts"),
    _Rule("no_bodies", lambda a: a.record is not None, "needs --record"),
    _Rule(_OAUTH, lambda a: a.oauth is not None, "needs --oauth"),
    _Rule("oauth_tenant", _by_tenant, "is for --oauth microsoft"),
    _Rule(
        "oauth_device_url oauth_authorize_url oauth_refresh_token_file",
        lambda a: not a.oauth_client_credentials,
        "and --oauth-client-credentials exclude each other",
    ),
    _Rule(
        "oauth_authorize_url",
        lambda a: a.oauth_device_url is None,
        "and --oauth-device-url exclude each other",
    ),
    _Rule(
        "delivery_timeout",
        lambda a: a.format in ("command", "lmtp"),
        "is for --format command and lmtp alone",
    ),
    _Rule(
        "delete delete_after keep_newest",
        lambda a: not a.headers_only,
        "and --headers-only exclude each other: a message that is not fetched is not deleted",
    ),
    _Rule("ignore_sizes", _deletes, "needs --delete, --delete-after or --keep-newest"),
    _Rule("ca cert server_name", lambda a: not a.no_tls, "needs TLS: leave out --no-tls"),
    _Rule(
        "allow_plaintext_auth",
        lambda a: a.no_tls,
        "needs --no-tls: under TLS, nobody can read a password",
    ),
    _Rule(
        " ".join((*_PASSWORDS, "oauth", "initial_response")),
        _has_user,
        "needs a user in the URL: without one, there is no login",
    ),
    _Rule(
        " ".join(_PASSWORDS),
        lambda a: _mechanism(a) not in _NO_SECRET,
        "is for a login with a password or a token, which ;AUTH= in the URL rules out",
    ),
    _Rule(
        "initial_response",
        lambda a: _mechanism(a) not in _NO_AUTH,
        "is for AUTH, which ;AUTH= in the URL rules out",
    ),
    _Rule(
        "allow_plaintext_auth",
        lambda a: a.security != "tls",
        "is for --security stls or plaintext",
        "serve",
    ),
    _Rule(
        "ca server_name fingerprint",
        lambda a: not a.no_tls and a.security != "pass-through",
        "is for TLS between the relay and the server",
        "record",
    ),
    _Rule(
        "cert write_ca",
        lambda a: a.security != "pass-through",
        "is for TLS with the client: --security pass-through leaves it to the two ends",
        "record",
    ),
)


def given_options(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> set[str]:
    """Return the names of the values that a command line has given, and that are no default."""
    command = subcommands(parser).get(arguments.command, parser)
    given = vars(arguments)
    return {a.dest for a in command._actions if given.get(a.dest, a.default) != a.default}  # pyright: ignore[reportPrivateUsage]


def refuse_idle(arguments: argparse.Namespace, given: Collection[str]) -> None:
    """Raise ``UsageError`` for an option among ``given`` that has no effect."""
    for problem in _problems(arguments, given):
        raise UsageError(problem, hint="")


def _problems(arguments: argparse.Namespace, given: Collection[str]) -> Iterator[str]:
    for rule in _RULES:
        if arguments.command not in rule.commands.split():
            continue
        found = [name for name in rule.options.split() if name in given]
        if found and not rule.works(arguments):
            name = found[0].replace("_", "-")
            negated = found[0] == "initial_response" and not arguments.initial_response
            yield f"--{'no-' * negated}{name} {rule.told}"
