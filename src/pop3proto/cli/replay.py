"""``pop3proto replay``: the events of a recorded session, as the engine of one role reads it."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.text import Text

from .._value import field_names
from ..errors import ConnectionLostError, ProtocolError
from ..model.command import Command
from ..model.events import ClientEvent, InvalidCommand, ServerEvent
from ..model.leniency import Deviation
from ..model.listings import Listings
from ..model.replies import ErrorReply, MessageData
from ..transcript import Replay, Transcript, replay

if TYPE_CHECKING:
    from pathlib import Path

    from .output import Output

__all__ = ["run"]

# Octets of a message, and characters of any other field, that are shown.
_PREVIEW = 60
_LONGEST = 400
_NO_LIMIT = 2**63 - 1
_CLASS = re.compile(r"<class 'pop3proto\.[\w.]+?\.(\w+)'>")


def run(output: Output, arguments: argparse.Namespace) -> int:
    """Replay the transcript and print its events; return the exit code.

    Raises ``OSError`` for a file that cannot be read, and ``Pop3Error`` if the engine does.
    """
    output.ongoing = True
    output.reports(events=0, deviations=0, state=None)
    path: Path = arguments.file
    multiline: list[str] = arguments.multiline
    chunk_size: int | None = arguments.chunk_size
    # Editors on Windows put a mark at the beginning.
    with path.open(encoding="utf-8-sig") as file:
        transcript = Transcript.load(file)
    if arguments.role == "client":
        _show(output, replay(transcript, "client", chunk_size=chunk_size, multiline=multiline))
    else:
        _show(output, replay(transcript, "server", chunk_size=chunk_size, multiline=multiline))
    return 0


def _show(output: Output, events: Replay[ClientEvent] | Replay[ServerEvent]) -> None:
    report = output.report
    try:
        for event in events:
            report["events"] += 1
            report["deviations"] += isinstance(event, Deviation)
            output.event(type(event).__name__, fields=dict(_fields(event, full=True)))
            if not (output.json or output.brief):
                output.print(_line(event, full=output.verbose), soft_wrap=True)
    except (ProtocolError, ConnectionLostError) as error:
        # There is no connection that could be made again.
        error.hint = ""
        raise
    finally:
        # If the engine raises, this shows how far it got.
        report["state"] = events.state.value
        numbers = f"{report['events']} events, {report['deviations']} deviations"
        output.result(f"{numbers}; state: {events.state.value}")


def _line(event: ClientEvent | ServerEvent, *, full: bool) -> Text:
    line = Text()
    line.append(type(event).__name__, style=_style(event))
    fields = dict(_fields(event, full=full))
    if isinstance(event, MessageData):
        line.append(f"  {len(event.data):,} octets: {fields['data']}")
    elif isinstance(event, Deviation):
        line.append(f"  {fields['text']}")
    elif isinstance(event, Command | InvalidCommand):
        line.append(fields["arguments"])
    else:
        for name, text in fields.items():
            line.append(f"  {name}={text}")
    return line


def _style(event: ClientEvent | ServerEvent) -> str:
    if isinstance(event, Deviation):
        return "bold yellow"
    return "bold red" if isinstance(event, ErrorReply | InvalidCommand) else "bold cyan"


def _fields(event: ClientEvent | ServerEvent, *, full: bool) -> Iterator[tuple[str, str]]:
    """Yield the fields of ``event`` in ASCII, so that no terminal obeys what a peer wrote.

    Long ones are shortened, unless they are wanted in ``full``.
    """
    most = _NO_LIMIT if full else _LONGEST
    if isinstance(event, MessageData):
        preview = ascii(event.data if full else event.data[:_PREVIEW])
        yield "data", preview + "..." * (not full and len(event.data) > _PREVIEW)
    elif isinstance(event, Deviation):
        yield "text", _shortened(_escaped(str(event)), most)
    elif isinstance(event, Command | InvalidCommand):
        # Their own repr hides secrets. Of the class of an answer, the name is enough.
        shown = _CLASS.sub(r"\1", ascii(event).removeprefix(type(event).__name__))
        yield "arguments", _shortened(shown, most)
    else:
        for name in field_names(event):
            yield name, _shortened(_shown(getattr(event, name), most), most)


def _shown(value: object, most: int) -> str:
    if isinstance(value, Listings):
        # Each row takes at least a dozen characters, so these are more than can be shown.
        return ascii([tuple(x for x in row if x is not None) for row in value[:most]])
    return ascii(value)


def _escaped(text: str) -> str:
    return text.encode("ascii", "backslashreplace").decode("ascii")


def _shortened(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]}..."
