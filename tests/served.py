"""``pop3proto serve`` as a process of its own."""

from __future__ import annotations

import re
import signal
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pop3proto import PopUrl


@dataclass
class Served:
    """A running server, and in the end what it has said."""

    urls: list[PopUrl]
    passwords: list[str]
    authority: Path | None
    output: list[str] = field(default_factory=list[str])

    @property
    def host(self) -> str:
        return self.urls[0].host

    @property
    def port(self) -> int:
        return self.urls[0].effective_port

    def client_context(self) -> ssl.SSLContext | None:
        return None if self.authority is None else ssl.create_default_context(cafile=self.authority)


@contextmanager
def served(source: Path, *arguments: str, authority: Path | None = None) -> Iterator[Served]:
    """Serve ``source`` for as long as the block lasts; ``authority`` is where to put that."""
    command = [sys.executable, "-m", "pop3proto", "serve", str(source), *arguments]
    if authority is not None:
        command += ["--write-ca", str(authority)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True
    )
    assert process.stdout is not None
    assert process.stderr is not None
    with process:
        try:
            server = Served([], [], authority)
            for line in process.stdout:
                found = re.fullmatch(r"(pops?://\S+)  password: (\S+)\n", line)
                if found is None:
                    break
                server.urls.append(PopUrl.parse(found[1]))
                server.passwords.append(found[2])
            assert server.urls, process.stderr.read()
            yield server
            process.send_signal(signal.SIGINT)
            output, errors = process.communicate(timeout=30)
            assert (process.returncode, errors) == (0, ""), (process.returncode, errors)
            server.output = output.splitlines()
        finally:
            process.kill()
