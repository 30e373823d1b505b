"""``pop3proto man``: the manual page, which is made of the options of all commands."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from .._version import __version__
from .main import whole_parser
from .tree import subcommands

if TYPE_CHECKING:
    from .output import Output

__all__ = ["EXIT_CODES", "lines", "run"]

EXIT_CODES = {
    "0": "Success.",
    "1": "The command failed, or only did a part of its work. The reason is on the standard error,"
    " or in the report.",
    "2": "The command line cannot be used, or a package is missing.",
    "75": "The command failed, or only did a part of its work, and all that was wrong may be right"
    " later (EX_TEMPFAIL): a network, a server or a mailbox could not be used. Run it again.",
    "130": "Ctrl+C.",
    "128 + N": "The signal N, for example 143 for SIGTERM.",
}
"""What the exit codes mean."""

_ENVIRONMENT = {
    "POP3PROTO_PASSWORD": "The password, or the access token, if no option says where it is.",
    "POP3PROTO_PROXY": "The proxy on the way to the server, if --proxy is not given.",
    "NO_COLOR": "If it is set, nothing is printed in colours.",
    "TERM": "If it is dumb, no progress is shown.",
    "XDG_STATE_HOME": "Where fetch keeps its records (default: ~/.local/state).",
}
_EXAMPLES = {
    "Fetch what is new into a Maildir:": "pop3proto fetch pops://user%40example.org@pop.example.org"
    " mail --format maildir",
    "Report what a server can do, and what is wrong with it:": "pop3proto check pop.example.org",
    "Record the sessions of a mail program:": "pop3proto record pop.example.org sessions --listen"
    " 127.0.0.1:1995 --write-ca relay.pem",
}


def run(output: Output, arguments: argparse.Namespace) -> int:
    """Print the page in the language of man(7); return the exit code."""
    output.write("\n".join(lines()))
    return 0


def lines() -> Iterator[str]:
    """Yield the page line by line."""
    parser = whole_parser()
    # Without a date: the same options always make the same page.
    yield f'.TH POP3PROTO 1 "" "pop3proto {__version__}" "User Commands"'
    yield from _section("NAME", "pop3proto - fetch mail with POP3, and look into it")
    yield ".SH SYNOPSIS"
    yield ".B pop3proto"
    yield ".I COMMAND"
    yield "[OPTIONS]"
    yield from _section(
        "DESCRIPTION",
        "Fetches mail from POP3 servers so that none is lost, and shows what servers say, can do"
        " and do wrong. Each command has options of its own.",
    )
    yield ".SH COMMANDS"
    yield from _commands("pop3proto", parser)
    yield from _table("EXIT STATUS", EXIT_CODES)
    yield from _table("ENVIRONMENT", _ENVIRONMENT)
    yield ".SH EXAMPLES"
    for number, (what, line) in enumerate(_EXAMPLES.items()):
        if number:
            yield ".PP"
        yield _text(what)
        yield ".PP"
        yield ".RS 4"
        yield ".nf"
        yield _text(line)
        yield ".fi"
        yield ".RE"


def _commands(name: str, parser: argparse.ArgumentParser) -> Iterator[str]:
    for sub, command in subcommands(parser).items():
        yield from _command(f"{name} {sub}", command)


def _command(name: str, parser: argparse.ArgumentParser) -> Iterator[str]:
    yield f".SS {_text(name)}"
    yield _text(parser.description or "")
    for group in parser._action_groups:
        actions = [a for a in group._group_actions if _shown(a)]
        if actions and group.title not in ("positional arguments", "options"):
            yield ".PP"
            yield _text(f"{group.title or ''}:")
            if group.description:
                yield _text(group.description)
        for action in actions:
            yield from _action(action)
    if parser.epilog:
        yield ".PP"
        yield _text(parser.epilog)
    yield from _commands(name, parser)


def _shown(action: argparse.Action) -> bool:
    hidden = isinstance(action.choices, dict) or "--help" in action.option_strings
    return not hidden and action.help is not argparse.SUPPRESS


def _action(action: argparse.Action) -> Iterator[str]:
    value = action.metavar or action.dest.upper()
    if isinstance(value, tuple):
        first, more = value
        value = f"{first} [{more} ...]"
    if action.choices is not None and action.metavar is None:
        value = "|".join(map(str, action.choices))
    yield ".TP"
    if action.option_strings:
        names = ", ".join(rf"\fB{_text(name)}\fR" for name in action.option_strings)
        yield names if action.nargs == 0 else rf"{names} \fI{_text(value)}\fR"
    else:
        yield rf"\fI{_text(value)}\fR{' ...' * (action.nargs in ('+', '*'))}"
    # As argparse itself puts values into the help.
    yield _text((action.help or "") % {**vars(action), "prog": "pop3proto"})


def _section(title: str, text: str) -> Iterator[str]:
    yield f".SH {title}"
    yield _text(text)


def _table(title: str, rows: dict[str, str]) -> Iterator[str]:
    yield f".SH {title}"
    for name, text in rows.items():
        yield ".TP"
        yield rf"\fB{_text(name)}\fR"
        yield _text(text)


def _text(text: str) -> str:
    """Return ``text`` so that nothing in it is a command of man(7)."""
    text = re.sub(r"\s+", " ", text).replace("\\", r"\e").replace("-", r"\-")
    # A line that begins with one of these would be a command. In options, "'" would be another.
    text = text.replace("'", r"\(aq").replace("~", r"\(ti").replace("^", r"\(ha")
    return rf"\&{text}" if text.startswith(".") else text
