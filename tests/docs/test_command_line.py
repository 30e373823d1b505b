"""The page on the command line names every command, every option in common, every key of JSON."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import pytest

from pop3proto.cli.access import Access
from pop3proto.cli.check import Check
from pop3proto.cli.main import _COMMANDS, main
from pop3proto.cli.options import add_options

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "command-line.md").read_text("utf-8")
COMMON = {"command", "version", "ok", "problems"}
CLIENTS = ["fetch", "check", "list", "show", "delete"]


def options(command: str) -> set[str]:
    parser = argparse.ArgumentParser(add_help=False)
    add_options(command, parser)
    return {option for action in parser._actions for option in action.option_strings}


def test_every_command_is_named() -> None:
    assert {*re.findall(r"(?m)^\| `pop3proto (\w+)", PAGE)} == {*_COMMANDS}


@pytest.mark.parametrize("command", _COMMANDS)
def test_every_command_has_a_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([command, "--help"])
    assert caught.value.code == 0
    assert f"usage: pop3proto {command}" in capsys.readouterr().out


def test_the_options_in_common_are_named() -> None:
    section = PAGE.partition("## Options in common")[2].partition("\n## ")[0]
    shared = set.intersection(*map(options, CLIENTS))
    long = {option for option in shared if option.startswith("--")}
    assert {*re.findall(r"--[a-z][a-z-]+", section)} == long


def test_the_keys_of_the_report_are_named() -> None:
    parser = argparse.ArgumentParser()
    add_options("check", parser)
    access = Access(parser.parse_args(["pops://pop.example.org"]), without_login=True)
    section = PAGE.partition("### The report for programs")[2].partition("\n## ")[0]
    named = {key for row in re.findall(r"(?m)^\| (`.*?) \|", section) for key in row.split(", ")}
    own = {*Check(access, None).report} - COMMON
    assert named == {f"`{key}`" for key in own}
