"""What the tests know of a real server, and how its process is watched."""

from __future__ import annotations

import socket
import ssl
import subprocess
import tempfile
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trustme

from pop3proto.transports import Security

HOST = "127.0.0.1"
USER = "user"
PASSWORD = "pa55word"
_SECONDS_TO_START = 30.0


@dataclass(frozen=True)
class RealServer:
    """A running server with one user's maildrop."""

    name: str
    ports: Mapping[Security, int]
    """The port for each way of securing the connection that it offers."""
    authority: trustme.CA | None
    """Who issued its certificate."""
    messages: tuple[bytes, ...]
    """What it sends for each message, in order: as stored, after what it does to messages."""
    refill: Callable[[], None]
    """Puts all messages back."""
    server_hostname: str = "localhost"
    log: Path | None = None
    knows: frozenset[str] = frozenset()
    """Which it has of the commands that are not for everybody: AUTH without an argument, UTF8,
    LANG, LAST. The others it refuses."""
    pipelines: bool = True
    """Whether it announces PIPELINING, behind the login at the latest."""
    refuses_wrong_deletions: bool = True
    """Whether it says no to DELE of a message that is not there, and does not close."""
    numbers_unique_ids: bool = True
    """Whether the answer to UIDL with a number repeats that (RFC 1939 section 7)."""
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What else ``ClientOptions`` have to say, to get messages as they are stored."""

    def client_context(self) -> ssl.SSLContext | None:
        """A context that trusts this server alone."""
        if self.authority is None:
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.authority.configure_trust(context)
        return context


def free_ports(count: int) -> list[int]:
    """Ports of the loopback interface that nobody listened on a moment ago."""
    sockets = [socket.create_server((HOST, 0)) for _ in range(count)]
    ports: list[int] = [sock.getsockname()[1] for sock in sockets]
    for sock in sockets:
        sock.close()
    return ports


@contextmanager
def open_folder() -> Generator[Path, None, None]:
    """A new folder that every user can look into, as those do that a server becomes.

    pytest's own folders are for one user only.
    """
    with tempfile.TemporaryDirectory(prefix="pop3proto-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@contextmanager
def watched(process: subprocess.Popen[bytes], port: int, log: Path) -> Generator[None, None, None]:
    """Wait until ``port`` takes connections; in the end, end the process."""
    try:
        deadline = time.monotonic() + _SECONDS_TO_START
        while True:
            if process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(
                    f"the server has not started:\n{log.read_text('utf-8', 'replace')}"
                )
            try:
                socket.create_connection((HOST, port), 1.0).close()
            except OSError:
                # Not listening yet; look again in a moment.
                time.sleep(0.05)
            else:
                break
        yield
    finally:
        # The first process of a namespace takes all others with it.
        process.kill()
        process.wait(10)
