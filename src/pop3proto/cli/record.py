"""``pop3proto record``: record the sessions of any client, as a relay between it and a server."""

from __future__ import annotations

import argparse
import socket
import ssl
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, suppress
from itertools import count
from pathlib import Path
from threading import Lock, Semaphore, Thread
from typing import TYPE_CHECKING, Any

from .._arguments import require_host
from ..errors import LocalProtocolError, Pop3Error, printable
from ..model.url import PopUrl
from ..testing.certificates import tls_for
from ..transcript import Recorder
from ..transports import Security
from ..transports.blocking import open_socket
from .access import proxy_of, trust_anything
from .codes import UsageError, code_for
from .inputs import client_context, load_certificate
from .output import problem
from .recording import RecordingFile, Several, Talk
from .relay import Relay, Route
from .waiting import wait_until_told

if TYPE_CHECKING:
    from .output import Output

__all__ = ["run"]

# Sessions at a time. Further clients wait.
_MOST_SESSIONS = 32
_CONNECT_SECONDS = 30.0


def run(output: Output, arguments: argparse.Namespace) -> int:
    """Relay and record until the process is told to end; return 0 if no session failed.

    Raises ``OSError`` and ``LocalProtocolError`` for what cannot be used.
    """
    output.ongoing = True
    output.reports(sessions=0)
    url = _url(arguments.server)
    route, authority = _route(arguments, url)
    folder: Path = arguments.folder
    folder.mkdir(parents=True, exist_ok=True)
    host, port = arguments.listen
    require_host("--listen", host)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with closing(socket.create_server((host, port), family=family)) as listener:
        if arguments.write_ca is not None:
            arguments.write_ca.write_text(authority, encoding="ascii")
        where = listener.getsockname()[:2]
        server = f"{url.host} port {url.effective_port}"

        def announce() -> None:
            output.summary(f"{where[0]} port {where[1]}, for {server}")
            output.summary(f"Recordings go to {printable(str(folder))}. Press Ctrl+C to stop.")
            output.event("listening", host=where[0], port=where[1], server=str(url))

        relays = _Relays(output, arguments, url, route)
        accepting = Thread(target=relays.accept, args=(listener,), daemon=True)
        accepting.start()
        try:
            wait_until_told(announce, lambda: relays.done)
        finally:
            relays.close(listener)
            accepting.join()
    problems = output.report["problems"]
    return code_for(problems) if problems else 0


def _url(text: str) -> PopUrl:
    url = PopUrl.parse(text if "://" in text else f"pops://{text}")
    if url.user is not None:
        raise LocalProtocolError("the URL names a user, but the client logs in by itself", hint="")
    return url


def _route(arguments: argparse.Namespace, url: PopUrl) -> tuple[Route, str]:
    """Return how both sides are secured, and the certificate that clients have to trust."""
    server = Security.TLS if url.implicit_tls else Security.STLS
    if arguments.no_tls:
        if url.implicit_tls:
            raise UsageError("--no-tls is for a pop:// URL, and pops:// is TLS", hint="")
        server = Security.PLAINTEXT
    name = arguments.server_name or url.host
    if arguments.security == "pass-through":
        if server is not Security.STLS:
            raise UsageError("--security pass-through is for a pop:// URL", hint="")
        return Route(Security.PLAINTEXT, server, through=True), ""
    client = server if arguments.security is None else Security.of(arguments.security)
    to_server = None if server is Security.PLAINTEXT else client_context(arguments.ca, None)
    if to_server is not None and arguments.fingerprint is not None and arguments.ca is None:
        trust_anything(to_server)
    if client is Security.PLAINTEXT:
        if arguments.cert is not None or arguments.write_ca is not None:
            raise UsageError("--cert and --write-ca are for TLS with the client", hint="")
        return Route(client, server, None, to_server, name, fingerprint=arguments.fingerprint), ""
    context: ssl.SSLContext | None = None
    if arguments.cert is not None:
        if arguments.write_ca is not None:
            raise UsageError("--write-ca cannot be used with --cert", hint="")
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        load_certificate(context, arguments.cert)
    authority, context = tls_for(client, context, arguments.listen[0])
    text = "" if authority is None else authority.cert_pem.bytes().decode("ascii")
    route = Route(client, server, context, to_server, name, fingerprint=arguments.fingerprint)
    return route, text


class _Relays:
    """The sessions of one run, each in a thread of its own."""

    def __init__(
        self, output: Output, arguments: argparse.Namespace, url: PopUrl, route: Route
    ) -> None:
        self._output, self._arguments, self._url, self._route = output, arguments, url, route
        self._proxy = proxy_of(arguments)
        self._numbers = count(1)
        # Guards what follows, and the output.
        self._lock = Lock()
        self._closing = False
        self._unusable = False
        self._running: set[Relay] = set()
        self._slots = Semaphore(_MOST_SESSIONS)
        self._threads = ThreadPoolExecutor(_MOST_SESSIONS, "pop3-relay")

    @property
    def done(self) -> bool:
        """True if there were as many sessions as were asked for, or there can be no more."""
        most = self._arguments.sessions
        enough = most is not None and self._output.report["sessions"] >= most
        return self._unusable or enough

    def accept(self, listener: socket.socket) -> None:
        """Begin a session for each client, until ``close()``."""
        while True:
            self._slots.acquire()
            try:
                client, _ = listener.accept()
            except ConnectionAbortedError:
                # The client has gone already. The others have not.
                self._slots.release()
                continue
            except OSError as error:
                # Closed. Any other error of this socket would come again and again.
                self._broken(error)
                return
            self._threads.submit(self._session, client).add_done_callback(self._ended)

    def _broken(self, error: OSError) -> None:
        """Let the run end because no further client can be accepted."""
        with self._lock:
            if not self._closing:
                self._unusable = True
                self._output.failed(problem(error))
                self._output.complain(printable(f"{type(error).__name__}: {error}"))

    def close(self, listener: socket.socket) -> None:
        """End all sessions, and wait for their threads."""
        with self._lock:
            self._closing = True
            running = [*self._running]
        # It wakes up accept(), which closing alone does not on every system.
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        self._slots.release()
        for relay in running:
            relay.stop()
        self._threads.shutdown()

    def _session(self, client: socket.socket) -> None:
        failed: BaseException | None = None
        relay: Relay | None = None
        path: Path | None = None
        try:
            with closing(client), closing(self._file()) as file:
                path = file.path
                server = self._connect(client)
                recorder = self._recorder(file)
                relay = Relay(client, server, self._route, recorder, self._arguments.timeout)
                with closing(relay):
                    self._run(relay)
        except (OSError, Pop3Error) as error:
            failed = error
        self._tell(path, relay, failed)

    def _recorder(self, file: RecordingFile) -> Recorder:
        recorder = Recorder(bodies=not self._arguments.no_bodies, sink=file.write)
        if not self._output.verbose:
            return recorder

        def follow(text: str) -> None:
            with self._lock:
                self._output.detail(f"{file.path.stem}: {text}")

        return Several([recorder, Recorder(bodies=False, sink=Talk(follow).take)])

    def _run(self, relay: Relay) -> None:
        with self._lock:
            if self._closing:
                return
            self._running.add(relay)
        try:
            relay.run()
        finally:
            with self._lock:
                self._running.discard(relay)

    def _connect(self, client: socket.socket) -> socket.socket:
        connect = open_socket if self._proxy is None else self._proxy.connect
        try:
            return connect(self._url.host, self._url.effective_port, _CONNECT_SECONDS)
        except (OSError, Pop3Error):
            if self._route.client is not Security.TLS:
                client.sendall(b"-ERR the relay cannot reach the server\r\n")
            raise

    def _file(self) -> RecordingFile:
        while True:
            try:
                return RecordingFile(self._arguments.folder / f"{next(self._numbers):04}.txt")
            except FileExistsError:
                # Of an earlier run.
                pass

    def _tell(self, path: Path | None, relay: Relay | None, failed: BaseException | None) -> None:
        with self._lock:
            output = self._output
            output.report["sessions"] += 1
            sent = received = 0
            if relay is not None:
                sent, received = relay.sent, relay.received
            # A full disk, for example, leaves no recording.
            name = printable(str(path or self._arguments.folder))
            # A session that this program ends itself has not failed.
            found: dict[str, Any] | None = None
            if failed is not None and not self._closing:
                found = problem(failed, None if path is None else path.name)
                output.failed(found)
                text = printable(f"{type(failed).__name__}: {failed}")
                output.complain(f"{name}: {text}")
            output.summary(f"{name}: {sent} octets of the client, {received} of the server")
            output.event(
                "session", file=path and str(path), sent=sent, received=received, problem=found
            )

    def _ended(self, session: Future[None]) -> None:
        self._slots.release()
        error = session.exception()
        if error is not None:
            with self._lock:
                self._output.failed(problem(error))
                print(f"{type(error).__name__}: {error}", file=sys.stderr)
