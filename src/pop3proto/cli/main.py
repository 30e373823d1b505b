"""The command line: fetch mail, replay a transcript, see a demonstration.

It needs the extra ``cli``; without it, a message says so.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .._version import __version__
from ..errors import Pop3Error
from ..model.commands import Command
from ..model.events import ClientEvent, InvalidCommand, ServerEvent
from ..model.leniency import Deviation
from ..model.listings import ScanListings, UniqueIdListings
from ..model.replies import ErrorReply, MessageData
from ..model.value import field_names

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from ..testing import Quirk
    from ..transcript.recorder import Replay

__all__ = ["main"]

_OK, _FAILED, _UNUSABLE, _INTERRUPTED = 0, 1, 2, 130
_PREVIEW = 60
_LONGEST = 400
# The packages of the extras, whose absence is the user's to cure.
_EXTRAS = {"rich": "cli", "trustme": "demo"}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line ``argv``, by default the process's; returns the exit code.

    0 is success, 1 a failure of what was asked for, 2 a command line, or an installation, with
    which nothing can be done. As with all of ``argparse``, ``--help``, ``--version`` and errors
    of usage raise ``SystemExit``.
    """
    arguments = _parser().parse_args(argv)
    try:
        run: Callable[[argparse.Namespace], int] = arguments.run
        return run(arguments)
    except ImportError as error:
        extra = _EXTRAS.get((error.name or "").partition(".")[0])
        if extra is None:
            raise
        print(
            f'This needs the package {error.name}: pip install "pop3proto[{extra}]"',
            file=sys.stderr,
        )
        return _UNUSABLE
    except KeyboardInterrupt:
        return _INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="pop3proto", description="POP3 as a sans-I/O protocol engine."
    )
    parser.add_argument("--version", action="version", version=f"pop3proto {__version__}")
    commands = parser.add_subparsers(dest="what", required=True, metavar="COMMAND")
    fetch = commands.add_parser(
        "fetch",
        help="put the messages of a maildrop into a folder",
        description="Put the messages of a maildrop into a folder, each into a file of its own,"
        " octet for octet. Those that are there already are not fetched again.",
    )
    _fetch_arguments(fetch)
    fetch.set_defaults(run=_fetch)
    serve = commands.add_parser(
        "serve",
        help="serve messages, to test mail programs with",
        description="Serve the messages of a Maildir, an mbox or a folder of files, to test mail"
        " programs with. They are copied into memory, so that deletions change nothing.",
    )
    _serve_arguments(serve)
    serve.set_defaults(run=_serve)
    replay = commands.add_parser(
        "replay",
        help="put a recorded session through the engine",
        description="Put a recorded session through the engine and print its events.",
    )
    replay.add_argument("file", type=Path, metavar="FILE", help="a transcript as text")
    replay.add_argument(
        "--role",
        choices=("client", "server"),
        default="client",
        help="whose engine to use (default: client)",
    )
    replay.add_argument(
        "--chunk-size",
        type=_positive,
        metavar="N",
        help="feed the engine N octets at a time (default: all there are)",
    )
    replay.add_argument(
        "--multiline",
        action="append",
        default=[],
        metavar="VERB",
        help="an extension whose answer is a text, as 'XTND XLST'; may be repeated",
    )
    replay.set_defaults(run=_replay)
    demo = commands.add_parser(
        "demo",
        help="run a server and a client on this machine",
        description="Run a server and a client on this machine and show what they do.",
    )
    demo.add_argument(
        "--folder", type=Path, metavar="DIR", help="where the messages go (default: a new one)"
    )
    demo.set_defaults(run=_demo)
    return parser


def _fetch_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "url", metavar="URL", help="pop://user@host or pops://user@host, with ;AUTH=MECHANISM"
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="where the messages go")
    parser.add_argument(
        "--delete",
        action="store_true",
        help="delete from the server what is safely in the folder",
    )
    parser.add_argument(
        "--password-file",
        type=Path,
        metavar="FILE",
        help="whose first line is the password, or the access token"
        " (default: the variable POP3PROTO_PASSWORD, or a question)",
    )
    parser.add_argument("--ca", metavar="FILE", help="certificates to trust, instead of the usual")
    parser.add_argument("--cert", metavar="FILE", help="a client's certificate with its key")
    parser.add_argument(
        "--no-tls", action="store_true", help="do not ask for TLS (with pop:// only)"
    )
    parser.add_argument(
        "--allow-plaintext-auth",
        action="store_true",
        help="without TLS, show the password to the network",
    )
    parser.add_argument(
        "--no-pipelining", action="store_true", help="ask for one message at a time"
    )


def _serve_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "source", type=Path, metavar="MAILDIR|MBOX|FOLDER", help="where the messages are"
    )
    parser.add_argument(
        "--user",
        action="append",
        metavar="NAME[:PASSWORD]",
        help="who may log in, each to a maildrop of the same messages; may be repeated"
        " (default: user, with a password that is printed)",
    )
    parser.add_argument(
        "--security",
        choices=("stls", "tls", "plaintext"),
        default="stls",
        help="how connections are secured (default: stls)",
    )
    parser.add_argument(
        "--allow-plaintext-auth",
        action="store_true",
        help="take passwords without TLS as well",
    )
    parser.add_argument(
        "--cert",
        type=Path,
        metavar="FILE",
        help="the server's certificate with its key (default: one is made)",
    )
    parser.add_argument(
        "--write-ca",
        type=Path,
        metavar="FILE",
        help="where to put the certificate that clients have to trust",
    )
    parser.add_argument("--host", default="127.0.0.1", help="default: 127.0.0.1")
    parser.add_argument("--port", type=_port, default=0, help="default: a free one")
    parser.add_argument(
        "--latency",
        type=_seconds,
        default=0.0,
        metavar="SECONDS",
        help="how long every answer takes",
    )
    parser.add_argument(
        "--write",
        action="store_true",
        help="serve the Maildir itself, for one user: what is deleted is gone",
    )
    parser.add_argument(
        "--quirk",
        action="append",
        type=_quirk,
        default=[],
        metavar="NAME",
        help="what to do wrong on purpose, as no-capa; may be repeated",
    )


def _quirk(text: str) -> Quirk:
    from ..testing import Quirk  # here, as the other commands need none

    try:
        return Quirk.named(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _positive(text: str) -> int:
    # What argparse makes of a ValueError names this function; see int() for what else passes.
    if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text)):
        raise argparse.ArgumentTypeError("a number of octets from 1 is wanted")
    return int(text)


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 6 and int(text) < 65536):
        raise argparse.ArgumentTypeError("a port from 0 to 65,535 is wanted")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < 3600:
        raise argparse.ArgumentTypeError("a number of seconds from 0 is wanted")
    return seconds


def _demo(arguments: argparse.Namespace) -> int:
    from .demo import run

    return _reported(lambda console, about: run(console, about.folder), arguments)


def _fetch(arguments: argparse.Namespace) -> int:
    from .fetch import run

    return _reported(run, arguments)


def _serve(arguments: argparse.Namespace) -> int:
    from .serve import run

    return _reported(run, arguments)


def _reported(run: Callable[[Console, argparse.Namespace], int], about: argparse.Namespace) -> int:
    """The exit code of ``run``, which may raise what is to be told."""
    from rich.console import Console

    try:
        return run(Console(), about)
    except (OSError, Pop3Error) as error:
        _complain(Console(stderr=True), error)
        return _FAILED


def _replay(arguments: argparse.Namespace) -> int:
    from rich.console import Console

    from ..transcript.recorder import Transcript, replay

    console, errors = Console(), Console(stderr=True)
    multiline: list[str] = arguments.multiline
    chunk_size: int | None = arguments.chunk_size
    try:
        with Path(arguments.file).open(encoding="utf-8") as file:
            transcript = Transcript.load(file)
        if arguments.role == "client":
            _show(console, replay(transcript, "client", chunk_size=chunk_size, multiline=multiline))
        else:
            _show(console, replay(transcript, "server", chunk_size=chunk_size, multiline=multiline))
    except (OSError, Pop3Error) as error:
        _complain(errors, error)
        return _FAILED
    return _OK


def _show(console: Console, events: Replay[ClientEvent] | Replay[ServerEvent]) -> None:
    deviations = count = 0
    try:
        for event in events:
            count += 1
            deviations += isinstance(event, Deviation)
            console.print(_line(event), soft_wrap=True)
    finally:
        # Where the engine raises, this tells how far it came.
        ending = f"{count} events, {deviations} deviations; state: {events.state.value}"
        console.print(ending, style="bold", highlight=False, soft_wrap=True)


def _line(event: ClientEvent | ServerEvent) -> Text:
    from rich.text import Text

    line = Text()
    line.append(type(event).__name__, style=_style(event))
    for field in _fields(event):
        line.append(field)
    return line


def _style(event: ClientEvent | ServerEvent) -> str:
    if isinstance(event, Deviation):
        return "bold yellow"
    return "bold red" if isinstance(event, ErrorReply | InvalidCommand) else "bold cyan"


def _fields(event: ClientEvent | ServerEvent) -> Iterator[str]:
    """What ``event`` carries, in ASCII: so no terminal acts upon what a peer wrote."""
    if isinstance(event, MessageData):
        preview = ascii(event.data[:_PREVIEW])
        yield f"  {len(event.data):,} octets: {preview}{'...' * (len(event.data) > _PREVIEW)}"
    elif isinstance(event, Deviation):
        yield f"  {_shortened(_escaped(str(event)))}"
    elif isinstance(event, Command | InvalidCommand):
        # Their own repr knows what is secret.
        yield _shortened(ascii(event).removeprefix(type(event).__name__))
    else:
        for name in field_names(event):
            yield f"  {name}={_shortened(_shown(getattr(event, name)))}"


def _shown(value: object) -> str:
    if isinstance(value, ScanListings | UniqueIdListings):
        # Each row takes a dozen characters at the least, so these are more than are shown.
        return ascii([tuple(row) for row in value[:_LONGEST]])
    return ascii(value)


def _escaped(text: str) -> str:
    return text.encode("ascii", "backslashreplace").decode("ascii")


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _complain(errors: Console, error: OSError | Pop3Error) -> None:
    from rich.text import Text

    message = Text(f"{type(error).__name__}: ", style="bold red")
    message.append(_escaped(str(error)), style="not bold")
    errors.print(message, soft_wrap=True)
    if isinstance(error, Pop3Error) and error.hint:
        errors.print(Text(f"Hint: {error.hint}"), soft_wrap=True)
