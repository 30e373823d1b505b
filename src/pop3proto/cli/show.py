"""``pop3proto show``: a message, or its header, on the standard output."""

from __future__ import annotations

import argparse
import codecs
import io
import sys
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING, TextIO

from ..errors import LocalProtocolError
from .access import Access
from .messages import find

if TYPE_CHECKING:
    from ..transports import SupportsWrite
    from .output import Output

__all__ = ["run"]

# What a terminal may get as it is, besides printable characters.
_HARMLESS = "\n\t"


def run(output: Output, arguments: argparse.Namespace) -> int:
    """Write the message, octet for octet unless to a terminal; return the exit code.

    Raises ``Pop3Error`` and ``OSError`` if it cannot go on. What has come by then is written.
    """
    report = output.reports(number=None, header=arguments.header, octets=None, base64=None)
    file = io.BytesIO() if output.json else _output(sys.stdout)
    with suppress(BrokenPipeError), Access(arguments).session() as client:
        (number,) = find(client, [arguments.message], by_id=arguments.unique_id)
        output.kept = "the message is not complete"
        # On one terminal, it would be drawn into the message.
        quiet = isinstance(file, Printable)
        with nullcontext() if quiet else output.progress(f"Message {number}") as progress:
            if arguments.header:
                stream = client.top_stream(number, progress=progress)
            else:
                stream = client.retr_stream(number, progress=progress)
            with stream:
                octets = stream.save(file)
        if isinstance(file, io.BytesIO):
            from base64 import b64encode

            text = b64encode(file.getvalue()).decode("ascii")
            report |= {"number": number, "octets": octets, "base64": text}
        elif sys.stdout is not None:
            sys.stdout.flush()
        return 0
    # Nobody reads any more, as with "| head", and nobody has to be told.
    return 1


def _output(stdout: TextIO | None) -> SupportsWrite:
    if stdout is None:
        # A process can start without one.
        raise LocalProtocolError("there is no standard output to write the message to", hint="")
    # A terminal obeys control characters, and anybody can write some into a mail.
    return Printable(stdout) if stdout.isatty() else stdout.buffer


class Printable:
    """A file of octets that writes them to a terminal, with control characters escaped."""

    def __init__(self, terminal: TextIO) -> None:
        self._terminal = terminal
        # A message ends with a line end, so that no half of a character is left over.
        self._decode = codecs.getincrementaldecoder("utf-8")("backslashreplace").decode

    def write(self, data: bytes) -> None:
        """Write a piece of a message."""
        text = self._decode(data).replace("\r", "")
        self._terminal.write("".join(map(_printable, text)))


def _printable(character: str) -> str:
    if character.isprintable() or character in _HARMLESS:
        return character
    return repr(character)[1:-1]
