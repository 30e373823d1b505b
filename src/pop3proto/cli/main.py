"""The command line, which fetches mail, checks servers, serves mail, and shows what was recorded.

It needs the extra ``cli``; without it, a message says so. This module knows only the names of the
commands: the options of a command and its own module are loaded when the command is used.
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from io import TextIOWrapper
from typing import TYPE_CHECKING, NoReturn

from .._version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .output import Output

__all__ = ["ending_signals", "main", "missing_package", "whole_parser"]

_COMMANDS = {
    "fetch": "put the messages of a maildrop into a folder",
    "check": "report what a server says, can do, and does wrong",
    "list": "print the numbers, sizes and unique-ids of the messages",
    "show": "write a message to the standard output",
    "delete": "delete messages from the server",
    "serve": "serve messages for testing mail programs",
    "conformance": "test a server, or a mail program, with every clause of the standards",
    "record": "record the sessions of any mail program",
    "replay": "put a recorded session through the engine",
    "demo": "run a server and a client on this machine",
    "completion": "print what a shell needs to complete this command line",
    "man": "print the manual page",
}
# As in codes.py, which needs more to be loaded than --help does.
_FAILED, _UNUSABLE, _INTERRUPTED = 1, 2, 130
# The signals, besides that of Ctrl+C, that ask a process to end. Windows has no SIGHUP, but one for
# Ctrl+Break and for a console that is closed.
_ENDING = ("SIGTERM", "SIGHUP", "SIGBREAK")
# Characters of an error's text that are shown: all of it, unless somebody made it long on purpose.
_LONGEST_COMPLAINT = 4000
# The packages that the user has to install, and the extras that they belong to.
_EXTRAS = {
    "rich": "cli",
    "shtab": "cli",
    "trustme": "demo",
    "keyring": "keyring",
    "oauthlib": "oauth",
    "python_socks": "proxy",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line ``argv``, by default that of the process, and return the exit code.

    0 means success, 1 a command that failed, 75 one that failed and may succeed later, 2 a command
    line or an installation that cannot be used, and 130 Ctrl+C. As always with ``argparse``,
    ``--help``, ``--version`` and usage errors raise ``SystemExit``; so does a signal that ends the
    process, with 128 and its number.
    """
    with ExitStack() as stack:
        for stream in (sys.stdout, sys.stderr):
            stack.enter_context(_escaping(stream))
        if threading.current_thread() is threading.main_thread():
            stack.enter_context(_ended_by_signals())
        return _main(sys.argv[1:] if argv is None else argv)


@contextmanager
def _escaping(stream: object) -> Generator[None]:
    """Write what the encoding of ``stream`` lacks as backslash escapes, instead of failing.

    Servers, file names and passwords have any characters, and cron's output may be ASCII.
    """
    if not isinstance(stream, TextIOWrapper):
        # A text in memory, or none: a process can start without them.
        yield
        return
    before = stream.errors
    stream.reconfigure(errors="backslashreplace")
    try:
        yield
    finally:
        # This flushes, too, which fails if nobody reads any more. That was reported before.
        with suppress(OSError, ValueError):
            stream.reconfigure(errors=before)


@contextmanager
def _ended_by_signals() -> Generator[None]:
    """Let the signals that end a process unwind it, as Ctrl+C does: files are cleaned up."""
    previous = {number: signal.signal(number, _end) for number in ending_signals()}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def ending_signals() -> list[int]:
    """Return the signals, besides that of Ctrl+C, that end this process."""
    numbers = [getattr(signal, name) for name in _ENDING if hasattr(signal, name)]
    # One that the parent has turned off, as nohup does, stays off. ``None`` means a handler in C.
    return [n for n in numbers if signal.getsignal(n) not in (signal.SIG_IGN, None)]


def _end(number: int, frame: object) -> NoReturn:
    # The same signal again must not interrupt the cleaning up.
    signal.signal(number, signal.SIG_IGN)
    raise SystemExit(128 + number)


def _main(given: Sequence[str]) -> int:
    try:
        parser = _parser(given)
        return _run(parser, parser.parse_args(given))
    except ImportError as error:
        missing = missing_package(error, demo=given[:1] == ["demo"])
        if missing is None:
            raise
        print(missing, file=sys.stderr)
        return _UNUSABLE
    except KeyboardInterrupt:
        return _INTERRUPTED


def missing_package(error: ImportError, *, demo: bool = False) -> str | None:
    """Return what to install; ``None`` if an extra would not help. ``demo`` needs more."""
    extra = _EXTRAS.get((error.name or "").partition(".")[0])
    if extra is None:
        return None
    if extra == "cli" and demo:
        # Or the next complaint would be about the other package.
        extra = _EXTRAS["trustme"]
    return f'This needs the package {error.name}: pip install "pop3proto[{extra}]"'


def _parser(given: Sequence[str]) -> argparse.ArgumentParser:
    """Return a parser that knows the arguments of the commands that ``given`` may name."""
    parser = argparse.ArgumentParser(
        prog="pop3proto", description="POP3 as a sans-I/O protocol engine."
    )
    parser.add_argument("--version", action="version", version=f"pop3proto {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, summary in _COMMANDS.items():
        command = commands.add_parser(name, help=summary)
        if name in given:
            from .options import add_options

            add_options(name, command)
    return parser


def whole_parser() -> argparse.ArgumentParser:
    """Return a parser that knows the arguments of all commands."""
    return _parser([*_COMMANDS])


def _run(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> int:
    """Run the command and print its errors; return the exit code."""
    from importlib import import_module

    from ..errors import Pop3Error
    from .codes import code_of
    from .idle import given_options, refuse_idle
    from .output import Output, problem

    module = import_module(f"{__package__}.{arguments.command}")
    run: Callable[[Output, argparse.Namespace], int] = module.run
    output = Output(arguments)
    try:
        refuse_idle(arguments, given_options(parser, arguments))
        with _recorded(output, arguments):
            status = run(output, arguments)
        output.finish(ok=status == 0)
    except (OSError, Pop3Error) as error:
        if output.json:
            output.failed(problem(error))
            try:
                output.finish(ok=False)
            except OSError:
                # Which may be the error itself, if the disk is full. It has to be told somewhere.
                _complain(error)
        else:
            _complain(error)
        return code_of(error)
    except (KeyboardInterrupt, SystemExit) as ending:
        if not (isinstance(ending, SystemExit) and ending.code == _FAILED):
            _tell_interrupted(output)
        raise
    return status


@contextmanager
def _recorded(output: Output, arguments: argparse.Namespace) -> Generator[None]:
    """Write down the sessions of the block, if an option asks for it."""
    path: Path | None = getattr(arguments, "record", None)
    if path is None and not output.verbose:
        yield
        return
    from .recording import Recordings

    follow = output.detail if output.verbose else None
    bodies = not getattr(arguments, "no_bodies", False)
    arguments.recordings = Recordings(path, bodies=bodies, follow=follow)
    try:
        yield
    finally:
        arguments.recordings.close()


def _tell_interrupted(output: Output) -> None:
    """Say what was kept when a signal ended the command."""
    from .output import INTERRUPTED

    text = f"Interrupted{output.kept and ': '}{output.kept}"
    # The terminal may be gone, and nothing may keep the process from ending.
    with suppress(OSError):
        if output.json:
            output.failed({**INTERRUPTED, "text": text})
            output.finish(ok=False)
        elif sys.stderr is not None:
            print(text, file=sys.stderr)


def _complain(error: Exception) -> None:
    from rich.console import Console
    from rich.text import Text

    from ..errors import printable
    from .hints import hint_for_the_command_line

    errors = Console(stderr=True, markup=False, emoji=False)
    message = Text(f"{type(error).__name__}: ", style="bold red")
    # Not only the servers' part of it: a file's name can hold anything, too.
    text = printable(str(error), _LONGEST_COMPLAINT).encode("ascii", "backslashreplace")
    message.append(text.decode("ascii"), style="not bold")
    errors.print(message, soft_wrap=True)
    hint = printable(hint_for_the_command_line(getattr(error, "hint", "")), _LONGEST_COMPLAINT)
    if hint:
        errors.print(Text(f"Hint: {hint}"), soft_wrap=True)
