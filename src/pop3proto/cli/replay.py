"""``pop3proto replay``: the events of a recorded session, as the engine of one role reads it."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.text import Text

from ..errors import ConnectionLostError, ProtocolError
from ..model.command import Command
from ..model.events import ClientEvent, InvalidCommand, ServerEvent
from ..model.leniency import Deviation
from ..model.listings import Listings
from ..model.replies import ErrorReply, MessageData
from ..model.value import field_names
from ..transcript import Replay, Transcript, replay

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

__all__ = ["run"]

# Octets of a message, and characters of any other field, that are shown.
_PREVIEW = 60
_LONGEST = 400
_CLASS = re.compile(r"<class 'pop3proto\.[\w.]+?\.(\w+)'>")


def run(console: Console, arguments: argparse.Namespace) -> int:
    """Replay the transcript and print its events; return the exit code.

    Raises ``OSError`` for a file that cannot be read, and ``Pop3Error`` if the engine does.
    """
    path: Path = arguments.file
    multiline: list[str] = arguments.multiline
    chunk_size: int | None = arguments.chunk_size
    # Editors on Windows put a mark at the beginning.
    with path.open(encoding="utf-8-sig") as file:
        transcript = Transcript.load(file)
    if arguments.role == "client":
        _show(console, replay(transcript, "client", chunk_size=chunk_size, multiline=multiline))
    else:
        _show(console, replay(transcript, "server", chunk_size=chunk_size, multiline=multiline))
    return 0


def _show(console: Console, events: Replay[ClientEvent] | Replay[ServerEvent]) -> None:
    deviations = count = 0
    try:
        for event in events:
            count += 1
            deviations += isinstance(event, Deviation)
            console.print(_line(event), soft_wrap=True)
    except (ProtocolError, ConnectionLostError) as error:
        # There is no connection that could be made again.
        error.hint = ""
        raise
    finally:
        # If the engine raises, this shows how far it got.
        ending = f"{count} events, {deviations} deviations; state: {events.state.value}"
        console.print(ending, style="bold", highlight=False, soft_wrap=True)


def _line(event: ClientEvent | ServerEvent) -> Text:
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
    """Yield the fields of ``event`` in ASCII, so that no terminal obeys what a peer wrote."""
    if isinstance(event, MessageData):
        preview = ascii(event.data[:_PREVIEW])
        yield f"  {len(event.data):,} octets: {preview}{'...' * (len(event.data) > _PREVIEW)}"
    elif isinstance(event, Deviation):
        yield f"  {_shortened(_escaped(str(event)))}"
    elif isinstance(event, Command | InvalidCommand):
        # Their own repr hides secrets. Of the class of an answer, the name is enough.
        shown = _CLASS.sub(r"\1", ascii(event).removeprefix(type(event).__name__))
        yield _shortened(shown)
    else:
        for name in field_names(event):
            yield f"  {name}={_shortened(_shown(getattr(event, name)))}"


def _shown(value: object) -> str:
    if isinstance(value, Listings):
        # Each row takes at least a dozen characters, so these are more than can be shown.
        return ascii([tuple(x for x in row if x is not None) for row in value[:_LONGEST]])
    return ascii(value)


def _escaped(text: str) -> str:
    return text.encode("ascii", "backslashreplace").decode("ascii")


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
