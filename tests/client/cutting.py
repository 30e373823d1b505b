"""A relay that ends a connection after some octets of the server, in order or with a reset."""

from __future__ import annotations

import select
import socket
import struct
import sys
import threading
from contextlib import suppress

RESET = struct.pack("ii", 1, 0)
"""For SO_LINGER: closing the socket resets the connection."""


class CuttingRelay:
    """Carries one connection at a time to the server at ``port``, in a thread."""

    def __init__(self, port: int) -> None:
        self.after = sys.maxsize
        self.reset = False
        self.octets = 0
        """How many octets of the server the last connection carried."""
        self._to = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._idle = threading.Event()
        self._idle.set()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> CuttingRelay:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def cut(self, after: int, *, reset: bool) -> None:
        """Cut the next connection; the last one has to be over."""
        self.wait()
        self.after, self.reset = after, reset

    def wait(self) -> None:
        """Wait until the last connection is over."""
        assert self._idle.wait(20)

    def _run(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._idle.clear()
            with client, socket.create_connection(("127.0.0.1", self._to)) as server:
                with suppress(ConnectionError):
                    self._carry(client, server)
                if self.reset:
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            self._idle.set()

    def _carry(self, client: socket.socket, server: socket.socket) -> None:
        self.octets = 0
        while self.octets < self.after:
            for source in select.select([client, server], [], [])[0]:
                data = source.recv(min(65536, self.after - self.octets))
                if not data:
                    return
                if source is server:
                    client.sendall(data)
                    self.octets += len(data)
                else:
                    server.sendall(data)
