"""Options that another one makes useless are errors, which name them."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from pop3proto.cli import idle
from pop3proto.cli.codes import UsageError
from pop3proto.cli.idle import refuse_idle
from pop3proto.cli.main import main, whole_parser
from pop3proto.cli.tree import subcommands

URL = "pops://user@pop.example.org"
CLEAR = "pop://user@pop.example.org"
OTHER = ["--oauth", "other", "--oauth-client-id", "x"]

IDLE = [
    ("fetch", [URL, "mail", "--concurrency", "8"], "--concurrency needs --accounts"),
    ("fetch", [URL, "mail", "--per-host", "3"], "--per-host needs --accounts"),
    ("fetch", [URL, "mail", "--delivery-timeout", "5"], "--delivery-timeout is for --format comm"),
    ("fetch", [URL, "mail", "--headers-only", "--delete"], "--delete and --headers-only exclude"),
    ("fetch", [URL, "mail", "--headers-only", "--delete-after", "1"], "--delete-after and --head"),
    ("fetch", [URL, "mail", "--headers-only", "--keep-newest", "1"], "--keep-newest and --head"),
    ("fetch", [URL, "mail", "--ignore-sizes"], "--ignore-sizes needs --delete"),
    ("fetch", [URL, "mail", "--crlf"], "--crlf is for --format command alone"),
    ("fetch", [URL, "mail", "--sender", "a@b"], "--sender is for --format lmtp alone"),
    ("fetch", [URL, "mail", "--recipient", "a@b"], "--format lmtp needs --recipient"),
    ("list", [URL, "--no-bodies"], "--no-bodies needs --record"),
    ("list", [URL, "--oauth-client-id", "x"], "--oauth-client-id needs --oauth"),
    ("list", [URL, "--oauth-scope", "x"], "--oauth-scope needs --oauth"),
    ("list", [URL, "--oauth-tokens", "x"], "--oauth-tokens needs --oauth"),
    ("list", [URL, *OTHER, "--oauth-tenant", "x"], "--oauth-tenant is for --oauth microsoft"),
    (
        "list",
        [URL, *OTHER, "--oauth-client-credentials", "--oauth-device-url", "https://example.org"],
        "--oauth-device-url and --oauth-client-credentials exclude each other",
    ),
    ("list", [CLEAR, "--no-tls", "--ca", "x"], "--ca needs TLS"),
    ("list", [CLEAR, "--no-tls", "--cert", "x"], "--cert needs TLS"),
    ("list", [CLEAR, "--no-tls", "--server-name", "x"], "--server-name needs TLS"),
    ("list", [CLEAR, "--no-tls", "--fingerprint", "0" * 64], "--fingerprint needs TLS"),
    ("list", [URL, "--allow-plaintext-auth"], "--allow-plaintext-auth needs --no-tls"),
    ("check", ["pop.example.org", "--password-file", "x"], "--password-file needs a user"),
    ("check", ["pop.example.org", "--keyring", "x"], "--keyring needs a user in the URL"),
    ("check", ["pop.example.org", "--oauth", "google"], "--oauth needs a user in the URL"),
    ("check", ["pop.example.org", "--initial-response"], "--initial-response needs a user"),
    (
        "show",
        ["pops://user;AUTH=EXTERNAL@pop.example.org", "1", "--password-command", "x"],
        "--password-command is for a login with a password or a token",
    ),
    (
        "delete",
        ["pops://user;AUTH=+APOP@pop.example.org", "1", "--no-initial-response"],
        "--no-initial-response is for AUTH",
    ),
    ("serve", ["x", "--security", "tls", "--allow-plaintext-auth"], "--allow-plaintext-auth is"),
    ("record", [CLEAR[:6] + "pop.example.org", "x", "--no-tls", "--ca", "y"], "--ca is for TLS"),
    (
        "record",
        ["pop://pop.example.org", "x", "--security", "pass-through", "--write-ca", "y"],
        "--write-ca is for TLS with the client",
    ),
    (
        "record",
        ["pop://pop.example.org", "x", "--security", "pass-through", "--fingerprint", "0" * 64],
        "--fingerprint is for TLS between the relay and the server",
    ),
]


@pytest.mark.parametrize(("command", "arguments", "told"), IDLE)
def test_it_is_an_error(
    command: str,
    arguments: list[str],
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([command, *arguments]) == 2
    assert f"UsageError: {told}" in " ".join(capsys.readouterr().err.split())


def test_each_rule_is_of_options_that_there_are() -> None:
    parsers = subcommands(whole_parser())
    for rule in idle._RULES:
        commands = [parsers[command] for command in rule.commands.split()]
        assert {a.dest for each in commands for a in each._actions} >= {*rule.options.split()}


def test_defaults_of_a_file_may_be_for_other_accounts() -> None:
    """Only what an account says itself has to have an effect."""
    arguments = argparse.Namespace(command="fetch", accounts=None, concurrency=5)
    refuse_idle(arguments, set())
    with pytest.raises(UsageError):
        refuse_idle(arguments, {"concurrency"})
