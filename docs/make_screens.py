"""Take pictures of the command line at work: docs/_static/screen-*.svg.

``python docs/make_screens.py`` runs the commands against a server on this machine. With
``--to FOLDER`` the pictures go there, as in CI, which only sees that they can be taken: they show
times and versions.
"""

from __future__ import annotations

import argparse
import io
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

from pop3proto.server import MemoryMaildrops, ServerOptions
from pop3proto.testing import LoopbackServer, serve

FOLDER = Path(__file__).with_name("_static")
COLUMNS = 96
USER = "user@example.org"
MAIL = [
    f"From: {name}@example.org\r\nSubject: {subject}\r\n\r\n{'Text. ' * n}\r\n".encode()
    for name, subject, n in (
        ("one", "Minutes of Monday", 30),
        ("list", "[announce] 2.0 is out", 400),
        ("two", "Re: Lunch?", 3),
    )
]


def run(folder: Path, server: LoopbackServer, *arguments: str) -> str:
    """Run a command; return what it wrote, as on a terminal with colours."""
    ended = subprocess.run(
        [sys.executable, "-m", "pop3proto", *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=True,
        text=True,
        env={
            **os.environ,
            "COLUMNS": str(COLUMNS),
            "FORCE_COLOR": "1",
            "POP3PROTO_PASSWORD": "secret",
            "SSL_CERT_FILE": str(folder / "authority.pem"),
            "XDG_STATE_HOME": str(folder),
        },
    )
    # As it would be with a server of the reader's.
    text = ended.stdout.replace(f"127.0.0.1:{server.port}", "pop.example.org")
    text = text.replace(f"port {server.port}", "port 995")
    return re.sub(r"\b127\.0\.0\.1\b", "pop.example.org", text)


def picture(command: str, output: str) -> str:
    """Return an SVG of a terminal in which ``command`` was typed."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    console.print(Text.assemble(("$ ", "bold green"), (command, "bold")))
    console.print(Text.from_ansi(output.rstrip("\n")))
    # A fixed id, so that the same output is the same picture.
    return console.export_svg(title="pop3proto", unique_id="screen")


def main() -> None:
    """Take all pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--to", type=Path, default=FOLDER, help="the folder for the pictures")
    to: Path = parser.parse_args().to
    to.mkdir(exist_ok=True)
    options = ServerOptions(failed_login_delay=0.0)
    with (
        tempfile.TemporaryDirectory() as name,
        serve(
            MemoryMaildrops({USER: MAIL}), password="secret", security="tls", options=options
        ) as server,
    ):
        folder = Path(name)
        assert server.certificate_authority is not None
        (folder / "authority.pem").write_bytes(server.certificate_authority.cert_pem.bytes())
        url = server.url
        shown = "pops://user%40example.org@pop.example.org"
        for screen, arguments, typed in (
            ("check", ("check", url), f"pop3proto check {shown}"),
            ("list", ("list", url), f"pop3proto list {shown}"),
            ("fetch", ("fetch", url, "mail"), f"pop3proto fetch {shown} mail"),
            ("demo", ("demo",), "pop3proto demo"),
        ):
            svg = picture(typed, run(folder, server, *arguments))
            (to / f"screen-{screen}.svg").write_text(svg, "utf-8")


if __name__ == "__main__":
    main()
