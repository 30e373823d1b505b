"""What the commands print: text for people, or JSON for programs; more of it, or less."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

from rich.console import Console

from .._version import __version__
from .hints import hint_for_the_command_line

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["INTERRUPTED", "Output", "problem"]

INTERRUPTED: dict[str, Any] = {
    "at": None,
    "error": "Interrupted",
    "text": "Interrupted",
    "hint": "",
    "transient": True,
}
"""What stands in a report after a signal."""


class Output(Console):
    """The standard output, in the form that the options of a command ask for.

    With ``--json``, nothing but JSON is printed: either ``report``, at the end, or ``event()`` by
    ``event()``, each on a line of its own.
    """

    def __init__(self, arguments: argparse.Namespace) -> None:
        # File names, passwords and servers' texts may look like rich's markup, or like ":name:".
        super().__init__(markup=False, emoji=False, highlight=False)
        self.json: bool = getattr(arguments, "json", False)
        """True if the output is for programs."""
        self.brief: bool = getattr(arguments, "quiet", False)
        """True if only results and problems are wanted."""
        self.verbose: bool = getattr(arguments, "verbose", False)
        """True if details are wanted."""
        self.report: dict[str, Any] = {
            "command": arguments.command,
            "version": __version__,
            "ok": True,
            "problems": [],
        }
        """What ``--json`` prints; the command adds its own keys to it."""
        self.ongoing = False
        """True for a command that prints events until it ends."""
        self.kept = ""
        """What is told when a signal ends the command: what it has kept, or done."""
        self._reports = False

    def reports(self, **keys: object) -> dict[str, Any]:
        """Add ``keys`` to the report, all that there will be, and return it.

        A command that does not call this prints JSON of its own, except for its errors.
        """
        self._reports = True
        self.report |= keys
        return self.report

    def result(self, text: str) -> None:
        """Print a line that the command is there for, unless JSON is wanted."""
        if not self.json:
            self.print(text, soft_wrap=True)

    def summary(self, text: str) -> None:
        """Print a line that ``--quiet`` leaves out."""
        if not self.brief:
            self.result(text)

    def detail(self, text: str) -> None:
        """Write a line to the standard error that only ``--verbose`` asks for."""
        if self.verbose and sys.stderr is not None:
            sys.stderr.write(f"{text}\n")
            sys.stderr.flush()

    def complain(self, text: str) -> None:
        """Write a line to the standard error, unless JSON is wanted, which has it in the report."""
        if not self.json and sys.stderr is not None:
            sys.stderr.write(f"{text}\n")
            sys.stderr.flush()

    def event(self, name: str, **fields: object) -> None:
        """Print what has happened as a line of JSON, if that is wanted."""
        if self.json:
            self.write(json.dumps({"event": name, **fields}))

    def failed(self, found: dict[str, Any]) -> None:
        """Add a problem to the report; see ``problem()``."""
        self.report["ok"] = False
        self.report["problems"].append(found)

    def finish(self, *, ok: bool) -> None:
        """Print the report, if JSON is wanted."""
        self.report["ok"] = ok and self.report["ok"]
        if not self.json or not (self._reports or self.report["problems"]):
            return
        if self.ongoing:
            self.event("end", **self.report)
        else:
            self.write(json.dumps(self.report, indent=2))

    def write(self, text: str) -> None:
        """Write ``text`` and a line end as they are, unlike rich, which changes tabs and lines."""
        if sys.stdout is None:
            return
        try:
            sys.stdout.write(f"{text}\n")
            sys.stdout.flush()
        except BrokenPipeError:
            self.on_broken_pipe()

    def on_broken_pipe(self) -> NoReturn:
        """End the process without a word: nobody reads any more, as with ``| head``."""
        # Python flushes at the end, and would complain.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        raise SystemExit(1)

    @contextmanager
    def progress(self, what: str) -> Generator[Callable[[int, int | None], object] | None]:
        """Show how many octets have come, and a time to go, on a terminal for the block's length.

        Yields the function to call with the octets so far, and those that are expected; ``None`` if
        there is nothing to show it on. It goes to the standard error, as the output may be mail.
        """
        if self.brief or self.verbose or not _can_show(sys.stderr):
            yield None
            return
        from rich import progress as parts

        columns = (
            parts.TextColumn("{task.description}"),
            parts.BarColumn(),
            parts.DownloadColumn(binary_units=True),
            parts.TimeRemainingColumn(),
        )
        console = Console(stderr=True, markup=False, emoji=False, highlight=False)
        # Nothing is left of it at the end.
        with parts.Progress(*columns, console=console, transient=True) as bar:
            task = bar.add_task(what, total=None)
            yield lambda octets, total: bar.update(task, completed=octets, total=total)


def problem(error: BaseException, at: str | None = None) -> dict[str, Any]:
    """Return ``error`` as it stands in a report; ``at`` is the step that it happened in."""
    return {
        "at": at,
        "error": type(error).__name__,
        "text": str(error),
        "hint": hint_for_the_command_line(getattr(error, "hint", "")),
        "transient": bool(getattr(error, "transient", False)),
    }


def _can_show(stream: TextIO | None) -> bool:
    """Return True if ``stream`` is a terminal that a line can be drawn again on."""
    dumb = os.environ.get("TERM", "") in ("", "dumb") and sys.platform != "win32"
    return stream is not None and stream.isatty() and not dumb
