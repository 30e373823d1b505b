"""``pop3proto demo``: a server, a client, and a maildrop full of difficult messages."""

from __future__ import annotations

import argparse
import random
import tempfile
from base64 import encodebytes
from collections.abc import Mapping
from errno import EEXIST
from pathlib import Path
from secrets import token_urlsafe

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TransferSpeedColumn,
)
from rich.table import Table
from rich.text import Text

from ..model.capabilities import Capabilities
from ..model.listings import Listings
from ..server import MemoryMaildrops
from ..testing import LoopbackServer, serve
from ..transports import Security
from ..transports.blocking import Client, connect

__all__ = ["demonstrate", "difficult_messages", "run"]

_USER = "demo"
_ATTACHMENT_OCTETS = 20 * 1024 * 1024


def _header(subject: str, extra: str = "") -> bytes:
    lines = f"From: sender@example.org\r\nTo: demo@example.org\r\nSubject: {subject}\r\n{extra}\r\n"
    return lines.encode("utf-8")


def _attachment() -> bytes:
    """Return a message of about 20 MiB: random octets, the same each time, in base64."""
    octets = random.Random(1939).randbytes(_ATTACHMENT_OCTETS * 57 // 78)  # noqa: S311
    text = encodebytes(octets).replace(b"\n", b"\r\n")
    extra = "Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n"
    return _header("20 MiB attachment", extra) + text


def difficult_messages() -> Mapping[str, bytes]:
    """Return messages that have broken POP3 clients, keyed by what is difficult about them.

    Their lines end with CRLF, as a server sends them.
    """
    torture = b"\r\n".join(
        [b".", b"..", b"...", b". ", b".leading", b"", b"trailing.", b"+OK", b"-ERR no", b".", b""]
    )
    eight_bit = "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n"
    return {
        "plain text": _header("plain text") + b"Hello,\r\n\r\nthis is a plain message.\r\n",
        "8-bit text": _header("Grüße, 日本語", eight_bit) + "Füße ☃ — naïve\r\n".encode(),
        "octets of no charset": _header("octets") + bytes(range(1, 10)) + b"\x80\xfe\xff\r\n",
        "dots and false replies": _header("dots") + torture * 50,
        "a line of 120,000 octets": _header("long line") + b"x" * 120_000 + b"\r\n",
        "a bare CR, a lone dot": _header("bare CR") + b"one\rtwo\r\n.\r\nthree\r\n",
        "empty body": _header("empty body"),
        "nothing at all": b"",
        "20 MiB attachment": _attachment(),
    }


def run(console: Console, arguments: argparse.Namespace) -> int:
    """Run the demonstration of the command line; see ``demonstrate()``."""
    folder: Path | None = arguments.folder
    return demonstrate(console, folder)


def demonstrate(console: Console, folder: Path | None) -> int:
    """Run the demonstration; the messages go into ``folder``, or into a new temporary one.

    Returns the exit code: 0 if every octet was right, and 1 otherwise. Raises ``OSError`` for a
    folder that cannot be used, or that already holds one of the files, and ``Pop3Error`` for a
    session that fails.
    """
    messages = difficult_messages()
    folder = folder or Path(tempfile.mkdtemp(prefix="pop3proto-demo-"))
    files = _new_files(folder, len(messages))
    maildrops = MemoryMaildrops({_USER: messages.values()})
    password = token_urlsafe()
    with serve(maildrops, users={_USER: password}, security=Security.STLS) as server:
        console.print(f"A server listens on {server.host}, port {server.port}.")
        with _connected(server, password) as client:
            console.print(f"Connected with STLS ({_tls_version(client)}) and logged in.\n")
            listings = client.messages()
            console.print(_capability_table(client.capabilities or Capabilities()))
            console.print(_message_table(listings, list(messages)))
            _download(console, client, listings, files)
            intact = _compare(console, files, maildrops.contents(_USER))
            console.print("\nDeleting message 1, and quitting ... ", end="")
            client.dele(1)
            confirmed = client.quit().confirmed
            console.print("the server has confirmed it." if confirmed else "NOT confirmed.")
        with _connected(server, password) as client:
            deleted = _compare_rest(console, listings, client.messages())
    console.print(f"The messages are in {folder}. The server has stopped.")
    return 0 if intact and confirmed and deleted else 1


def _new_files(folder: Path, count: int) -> list[Path]:
    """Return the files for the messages, none of which exists."""
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / f"{number:03}.eml" for number in range(1, count + 1)]
    for file in files:
        if file.exists():
            raise FileExistsError(EEXIST, "the demonstration overwrites nothing", str(file))
    return files


def _connected(server: LoopbackServer, password: str) -> Client:
    client = connect(
        server.host,
        server.port,
        security=Security.STLS,
        ssl_context=server.client_context(),
    )
    client.login(_USER, password)
    return client


def _tls_version(client: Client) -> str:
    tls = client.tls
    return (tls.version() if tls is not None else None) or "no TLS"


def _capability_table(capabilities: Capabilities) -> Table:
    table = Table("Capability", "Arguments", title="Capabilities of the server")
    for line in capabilities.lines:
        name, _, arguments = line.partition(" ")
        table.add_row(Text(name), Text(arguments))
    return table


def _message_table(listings: Listings, names: list[str]) -> Table:
    table = Table("No.", "Octets", "Unique-id", "Difficulty", title="Messages in the maildrop")
    for (number, octets, unique_id), name in zip(listings, names, strict=True):
        identifier = Text((unique_id or b"").decode("ascii", "backslashreplace"))
        table.add_row(str(number), f"{octets:,}", identifier, Text(name))
    return table


def _download(console: Console, client: Client, listings: Listings, files: list[Path]) -> None:
    """Fetch each message into its file; the commands are sent ahead."""
    total = sum(octets or 0 for _, octets, _ in listings)
    columns = (TextColumn("Downloading"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    done = 0
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("", total=total)

        def progress(octets: int, expected: int | None) -> None:
            bar.update(task, completed=done + octets)

        numbers = listings.numbers
        messages = client.retr_many(numbers, progress=progress)
        for path, message in zip(files, messages, strict=True):
            done += len(message.content)
            with path.open("xb") as file:
                file.write(message.content)
        bar.update(task, completed=done)


def _compare(console: Console, files: list[Path], held: list[bytes]) -> bool:
    """Say if the files equal the server's messages, octet for octet."""
    wrong = [
        path.name for path, content in zip(files, held, strict=True) if path.read_bytes() != content
    ]
    if wrong:
        console.print(f"NOT as the server holds them: {', '.join(wrong)}.")
    else:
        console.print(f"All {len(files)} files are, octet for octet, what the server holds.")
    return not wrong


def _compare_rest(console: Console, before: Listings, after: Listings) -> bool:
    """Say if all messages but the first are still there, by their unique-ids."""
    _, *expected = (unique_id for _, _, unique_id in before)
    as_expected = [unique_id for _, _, unique_id in after] == expected
    which = "all but the one that was deleted" if as_expected else "NOT those that should be left"
    console.print(f"A second session finds {len(after)} of {len(before)} messages: {which}.")
    return as_expected
