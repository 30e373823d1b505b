"""Completion in real shells, and the manual page, both made of the options."""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pop3proto.cli.main import _COMMANDS, main, whole_parser
from pop3proto.cli.man import EXIT_CODES
from pop3proto.cli.man import lines as manual

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "command-line.md").read_text("utf-8")
SHELLS = ("bash", "zsh", "fish")
BASH = """
source "$1"
COMP_WORDS=($2)
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
COMP_LINE="$2"
COMP_POINT=${#COMP_LINE}
_shtab_pop3proto
printf '%s\\n' "${COMPREPLY[@]}"
"""
FISH = """
source $argv[1]
complete -C $argv[2]
"""


@pytest.fixture(params=SHELLS)
def script(
    request: pytest.FixtureRequest, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Path:
    pytest.importorskip("shtab", reason="it is part of the extra cli")
    assert main(["completion", request.param]) == 0
    path = tmp_path / f"pop3proto.{request.param}"
    path.write_text(capsys.readouterr().out)
    return path


def shell_of(script: Path) -> str:
    found = shutil.which(script.suffix[1:])
    if found is None:
        pytest.skip(f"{script.suffix[1:]} is not installed")
    return found


def test_the_shell_accepts_the_script(script: Path) -> None:
    subprocess.run([shell_of(script), "-n", script], check=True, timeout=60)


def test_every_option_of_every_command_is_in_it(script: Path) -> None:
    text = script.read_text()
    for name, command in commands(whole_parser()):
        assert name in text
        for option in options(command):
            # In fish, without the hyphens; in zsh, with what is in brackets escaped.
            assert option.lstrip("-") in text


def completed(script: Path, line: str) -> set[str]:
    shell = shell_of(script)
    if script.suffix == ".bash":
        command = [shell, "--norc", "-c", BASH, "bash", str(script), line]
    else:
        command = [shell, "--no-config", "-c", FISH, str(script), line]
    done = subprocess.run(command, capture_output=True, check=True, timeout=60, text=True)
    return {row.partition("\t")[0].strip() for row in done.stdout.splitlines()}


def test_commands_and_options_are_completed(script: Path) -> None:
    if script.suffix == ".zsh":
        pytest.skip("zsh completes at a prompt only")
    assert completed(script, "pop3proto ch") == {"check"}
    assert completed(script, "pop3proto re") == {"record", "replay"}
    assert completed(script, "pop3proto fetch --head") == {"--headers-only"}
    assert completed(script, "pop3proto completion z") == {"zsh"}


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals")
def test_zsh_completes_at_its_prompt(tmp_path: Path) -> None:
    pytest.importorskip("shtab", reason="it is part of the extra cli")
    if shutil.which("zsh") is None:
        pytest.skip("zsh is not installed")
    from tests.cli.terminal import Terminal

    script = tmp_path / "_pop3proto"
    with script.open("w") as file:
        subprocess.run(
            [sys.executable, "-m", "pop3proto", "completion", "zsh"], stdout=file, check=True
        )
    environment = {**os.environ, "TERM": "xterm", "ZDOTDIR": str(tmp_path)}
    with Terminal(["zsh", "-f", "-i"], environment) as zsh:
        zsh.type(f"fpath=({tmp_path} $fpath); autoload -Uz compinit; compinit -u -D\n")
        # What is typed is echoed, too.
        zsh.type("echo rea''dy\n")
        zsh.wait_for("ready")
        zsh.type("pop3proto fetch --headers-o\t")
        zsh.wait_for("--headers-only")
        zsh.type("\x15exit\n")


def test_completion_without_its_package(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "shtab", None)
    monkeypatch.delitem(sys.modules, "pop3proto.cli.completion", raising=False)
    assert main(["completion", "bash"]) == 2
    assert 'pip install "pop3proto[cli]"' in capsys.readouterr().err


def commands(
    parser: argparse.ArgumentParser,
) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, command in action.choices.items():
                yield name, command
                yield from commands(command)


def options(parser: argparse.ArgumentParser) -> set[str]:
    return {o for action in parser._actions for o in action.option_strings} - {"-h", "--help"}


@pytest.fixture
def page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    assert main(["man"]) == 0
    path = tmp_path / "pop3proto.1"
    path.write_text(capsys.readouterr().out)
    assert path.read_text().isascii()
    return path


def test_the_manual_has_every_command_and_option(page: Path) -> None:
    text = page.read_text().replace(r"\-", "-")
    for name, command in commands(whole_parser()):
        assert re.search(rf"(?m)^\.SS pop3proto (\w+ )?{name}$", text)
        assert command.description, name
        for option in options(command):
            assert rf"\fB{option}\fR" in text
    assert {*_COMMANDS} == {*re.findall(r"(?m)^\.SS pop3proto (\w+)$", text)}


def test_an_option_with_several_values_has_all_of_their_names(page: Path) -> None:
    assert r"\fB\-\-accounts\fR \fIFILE [NAME ...]\fR" in page.read_text("utf-8")


def test_nothing_in_the_manual_is_taken_for_a_command() -> None:
    known = {".TH", ".SH", ".SS", ".TP", ".PP", ".RS", ".RE", ".nf", ".fi", ".B", ".I"}
    for line in manual():
        assert not line.startswith("'")
        assert line
        assert not line.startswith(".") or line.split()[0] in known


def test_mandoc_has_nothing_against_it(page: Path) -> None:
    if shutil.which("mandoc") is None:
        pytest.skip("mandoc is not installed")
    command = ["mandoc", "-T", "lint", "-W", "warning", str(page)]
    done = subprocess.run(command, capture_output=True, check=False, timeout=60, text=True)
    # A date would make another page each day.
    found = [line for line in done.stdout.splitlines() if "missing date" not in line]
    assert found == []


def test_man_shows_it(page: Path) -> None:
    if shutil.which("man") is None or shutil.which("groff") is None:
        pytest.skip("man is not installed")
    environment = {**os.environ, "MANWIDTH": "80", "LC_ALL": "C.UTF-8", "MANPAGER": "cat"}
    command = ["man", "--warnings", "-l", str(page)]
    done = subprocess.run(command, env=environment, capture_output=True, check=True, timeout=60)
    assert done.stderr == b""
    assert b"--password-file FILE" in re.sub(rb".\x08|\x1b\[\d*m", b"", done.stdout)


def test_the_exit_codes_are_those_of_the_documentation() -> None:
    section = PAGE.partition("### Exit codes")[2].partition("\n## ")[0]
    documented = dict(re.findall(r"(?m)^\| ([\d +N]+) \| (.*) \|$", section))
    assert [*documented] == [*EXIT_CODES]
