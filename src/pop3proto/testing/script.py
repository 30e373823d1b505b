"""Servers that expect certain commands, and fail the test if the client sends something else."""

from __future__ import annotations

import re
from base64 import b64encode
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Self, TypeAlias, cast

from .._arguments import require, require_items
from .._value import value
from ..errors import LocalProtocolError, printable
from ..server import ServerSession
from ..server.actions import Action, Close, NeedData, Send, StartTls
from ..transcript import REDACTED, EndOfStream, Entry, Line, Recorder, TlsEstablished, Transcript
from ..transports import Security
from .memory import MemoryStream

if TYPE_CHECKING:
    import ssl
    from types import TracebackType

    from .loopback import LoopbackServer

__all__ = [
    "Script",
    "ScriptError",
    "ScriptedSession",
    "ScriptedStream",
    "Turn",
    "scripted",
    "serve_script",
]

GREETING = b"+OK ready\r\n"

Turn: TypeAlias = tuple[bytes | re.Pattern[bytes], bytes | None]
"""A line that the client is to send, without its CRLF, and the octets that answer it.

The line can be a pattern, which has to match the whole line. With ``b""`` nothing is answered;
``None`` closes the connection.
"""
Script: TypeAlias = Iterable[Turn | Entry]
"""A conversation: turns, or the entries of a transcript, or some of each."""

# As in a recorder's transcripts: see pop3proto.transcript.
_REDACTIONS = {
    re.escape(b64encode(REDACTED)): rb"[A-Za-z0-9+/]*={0,2}",
    b"0" * 32: rb"[0-9a-fA-F]{32}",
}
_SHOWN = 10
_MOST_SHOWN = 10_000


class ScriptError(AssertionError):
    """The client did not follow the script.

    The message shows the expected and the actual line, and the conversation before it, without the
    secrets that a ``Recorder`` removes.
    """

    def __init__(self, problem: str, expected: str, transcript: Transcript) -> None:
        lines = transcript.dumps().splitlines()[1:]
        shown = ["(...)", *lines[-_SHOWN:]] if len(lines) > _SHOWN else lines
        said = "\n  ".join(["the conversation:", *shown])
        super().__init__(f"{problem}\nthe script goes on with: {expected}\n{said}")
        self.problem = problem
        """The mistake of the client."""
        self.expected = expected
        """The next step of the script, as in the text form of a transcript."""
        self.transcript = transcript
        """The conversation from the beginning; the deviation comes last."""


@value
class _Line:
    """A line that the client is to send, or the part of one that a transcript ends with."""

    pattern: re.Pattern[bytes]
    end: bytes
    shown: str
    octets: int | None = None
    """The number of octets, if there is no line end."""

    @classmethod
    def of(cls, data: bytes) -> _Line:
        end = next((end for end in (b"\r\n", b"\n") if data.endswith(end)), b"")
        pattern = re.escape(data.removesuffix(end))
        for redaction, anything in _REDACTIONS.items():
            pattern = pattern.replace(redaction, anything)
        first, *rest = pattern.split(re.escape(REDACTED))
        if rest:
            # Each piece matches where it comes first: a search that went back would take forever.
            between = b"".join(b"(?>.*?%b)" % piece for piece in rest[:-1])
            pattern = b"%b%b.*%b" % (first, between, rest[-1])
        octets = None if end else len(data)
        return cls(re.compile(pattern, re.DOTALL), end, _shown(Line("client", data)), octets)

    def next_in(self, heard: bytearray) -> bytes | None:
        """Return the octets to compare with it; ``None`` if more have to come."""
        octets = self.octets or heard.find(b"\n") + 1
        return bytes(heard[:octets]) if 0 < octets <= len(heard) else None

    def matches(self, said: bytes) -> bool:
        """Return ``True`` if the client has sent it."""
        content = said.removesuffix(self.end)
        return said.endswith(self.end) and self.pattern.fullmatch(content) is not None


_Step: TypeAlias = "_Line | Entry"


def _shown(entry: Entry) -> str:
    return Transcript([entry]).dumps().splitlines()[1]


def _steps(script: Script, greeting: bytes) -> Iterator[_Step]:
    require_items("script is a list of turns, or a Transcript, not", script)
    require("greeting", greeting, bytes, "bytes")
    # A transcript contains the greeting, unless it is empty.
    opening = not isinstance(script, Transcript)
    for item in script:
        if opening and isinstance(item, tuple) and greeting:
            yield Line("server", greeting)
        opening = False
        if isinstance(item, Line) and not item.data:
            continue
        if isinstance(item, tuple):
            if len(item) != 2:
                raise LocalProtocolError(f"a turn is a line and its answer, not {len(item)} items")
            yield from _turn(*item)
        else:
            kinds = (Line, TlsEstablished, EndOfStream)
            require("each item of script", item, kinds, "a turn or an entry of a transcript")
            yield _Line.of(item.data) if isinstance(item, Line) and item.who == "client" else item
    if opening and greeting:
        yield Line("server", greeting)


def _turn(line: bytes | re.Pattern[bytes], answer: bytes | None) -> Iterator[_Step]:
    _check_octets(line.pattern if isinstance(line, re.Pattern) else line)
    _check_octets(b"" if answer is None else answer)
    if isinstance(line, re.Pattern):
        yield _Line(line, b"\r\n", f"C: a line that matches {line.pattern!r}")
    else:
        yield _Line.of(line + b"\r\n")
    if answer is None:
        yield EndOfStream("server")
    elif answer:
        yield Line("server", answer)


def _check_octets(part: object) -> None:
    if not isinstance(part, bytes):
        raise LocalProtocolError(f"a turn is made of octets, such as b'CAPA', not of {part!r}")


class ScriptedSession:
    """The server's side of a script, without any input or output.

    It is driven like a ``ServerSession``. ``next_action()`` raises ``ScriptError`` if the client
    does not follow the script.
    """

    def __init__(self, script: Script, *, greeting: bytes = GREETING) -> None:
        self._steps = deque(_steps(script, greeting))
        self.security: Security = _security(self._steps)
        """The security that the client has to use."""
        if self.security is Security.TLS:
            self._steps.popleft()
        self._recorder = Recorder("server")
        if self.security is Security.TLS:
            self._recorder.tls_established()
        self._heard = bytearray()
        self._ended = False

    def __repr__(self) -> str:
        return f"<ScriptedSession: {len(self._steps)} steps to go>"

    @property
    def finished(self) -> bool:
        """True if nothing of the script is left but the end of the stream."""
        return all(isinstance(step, EndOfStream) for step in self._steps)

    @property
    def transcript(self) -> Transcript:
        """The conversation so far, without secrets."""
        return self._recorder.transcript

    def check_finished(self) -> None:
        """Raise ``ScriptError`` if the client has not reached the end of the script."""
        if not self.finished:
            raise self._deviation("the client stopped before the end of the script")

    def receive_data(self, data: bytes) -> None:
        """Take octets that arrived; ``b""`` is the end of the stream."""
        self._heard += data
        self._ended = self._ended or not data

    def tls_established(self) -> None:
        """Take note that the TLS handshake that ``StartTls`` asked for has succeeded."""
        self._recorder.tls_established()

    def close(self) -> None:
        """Take note that the connection is gone. ``finished`` says if the script was played."""
        self._ended = True

    def next_action(self) -> Action:
        """Return what to do next. After ``Close``, it is always ``Close``."""
        while self._steps:
            step = self._steps[0]
            if isinstance(step, _Line) and not self._hear(step):
                return NeedData()
            if step == EndOfStream("server"):
                return Close()
            if step == EndOfStream("client"):
                self._refuse_what_came("the client went on where it should have closed")
                if not self._ended:
                    return NeedData()
            if isinstance(step, TlsEstablished):
                self._refuse_what_came("the client sent something before TLS")
                self._steps.popleft()
                return StartTls()
            self._steps.popleft()
            if isinstance(step, Line) and step.data:
                self._recorder.sent(step.data)
                return Send(step.data)
        self._refuse_what_came("the client went on after the end of the script")
        return Close() if self._ended else NeedData()

    def second_connection(self) -> ScriptError:
        """Return the error for a client that connects again."""
        return self._deviation("the client connected a second time")

    def _refuse_what_came(self, problem: str) -> None:
        if self._heard:
            self._recorder.received(bytes(self._heard))
            raise self._deviation(problem)

    def _hear(self, line: _Line) -> bool:
        """Return ``True`` if the client has sent ``line``, ``False`` if it has sent nothing yet."""
        said = line.next_in(self._heard)
        if said is not None:
            self._recorder.received(said)
            if not line.matches(said):
                raise self._deviation("the client sent something else")
            del self._heard[: len(said)]
        elif self._ended:
            self._refuse_what_came("the client closed in the middle of a line")
            raise self._deviation("the client closed the connection")
        return said is not None

    def _deviation(self, problem: str) -> ScriptError:
        step = self._steps[0] if self._steps else EndOfStream("client")
        expected = step.shown if isinstance(step, _Line) else _shown(step)
        return ScriptError(problem, expected, self.transcript)


def _security(steps: Iterable[_Step]) -> Security:
    for number, step in enumerate(steps):
        if isinstance(step, TlsEstablished):
            return Security.STLS if number else Security.TLS
    return Security.PLAINTEXT


class ScriptedStream(MemoryStream[ScriptedSession]):
    """A ``Stream`` to a server that follows a script; ``scripted()`` makes it.

    Leaving it as a context manager without an error checks that the script was played to its end,
    and raises ``ScriptError`` if it was not.
    """

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None:
            self.session.check_finished()

    async def receive(self, timeout: float | None) -> bytes:
        """Return what the script says next, ``b""`` at the end.

        Raises ``ScriptError`` where client and script would wait for each other.
        """
        try:
            return await super().receive(timeout)
        except TimeoutError:
            self.session.check_finished()
            raise


def scripted(
    script: Script,
    *,
    greeting: bytes = GREETING,
    tls_context: ssl.SSLContext | None = None,
) -> ScriptedStream:
    """Return a stream to a server that answers as ``script`` says, if the client follows it.

    ``script`` is a list of turns, such as ``(b"STAT", b"+OK 0 0\\r\\n")``, after ``greeting``, and
    may be empty; or a ``Transcript``, which has a greeting of its own. In place of what a
    ``Recorder`` has redacted, the client can send anything: ``PASS <redacted>`` matches any
    password. Where a transcript says that TLS was established, there is a handshake, with
    ``tls_context`` or a new certificate; leave these entries out to have the rest in the clear.

    If the client does not follow the script, the client's own call raises ``ScriptError``. A turn
    that is text instead of octets raises ``LocalProtocolError`` at once.

    >>> from pop3proto.transports import ClientOptions
    >>> from pop3proto.transports.blocking import Client
    >>> turns = [(b"NOOP", b"+OK\\r\\n"), (b"QUIT", b"+OK bye\\r\\n")]
    >>> with scripted(turns) as stream:
    ...     options = ClientOptions(capabilities=False)
    ...     client = Client.start(stream, security=stream.security, options=options)
    ...     client.quit().text
    Traceback (most recent call last):
    pop3proto.testing.script.ScriptError: the client sent something else
    the script goes on with: C: NOOP\\r\\n
    ...
    """
    from .certificates import tls_for

    session = ScriptedSession(script, greeting=greeting)
    authority, context = tls_for(session.security, tls_context)
    return ScriptedStream(
        session,
        security=session.security,
        tls_context=context,
        certificate_authority=authority,
    )


class _OneConnection:
    """Makes the one session of a script for a ``LoopbackServer``."""

    only_user: str | None = None

    def __init__(self, session: ScriptedSession) -> None:
        self._session = session
        self._connected = False

    def new(self) -> ServerSession:
        if self._connected:
            raise self._session.second_connection()
        self._connected = True
        # A LoopbackServer uses only what an AnsweringSession has.
        return cast(ServerSession, self._session)

    def under_tls(self, session: ServerSession, tls: ssl.SSLObject) -> None:
        pass

    @property
    def commands(self) -> list[str]:
        octets = self._session.transcript.sent_by("client")
        return [printable(line, _MOST_SHOWN) for line in octets.splitlines()]

    def messages(self, user: str) -> list[bytes]:
        raise LocalProtocolError("a script has no maildrops")


@contextmanager
def serve_script(
    script: Script,
    *,
    greeting: bytes = GREETING,
    tls_context: ssl.SSLContext | None = None,
) -> Generator[LoopbackServer, None, None]:
    """Run a server that follows a script on a free port of 127.0.0.1, for one connection.

    The arguments are those of ``scripted()``. If the client does not follow the script, the
    connection is closed; when the ``with`` block ends, ``ScriptError`` is raised, or noted in the
    exception that ended the block. The same happens if the script was not played to its end, or if
    a second connection was made.
    """
    # Imported here, because scripts in memory also run where there are no sockets.
    from .certificates import tls_for
    from .loopback import LoopbackServer

    session = ScriptedSession(script, greeting=greeting)
    authority, context = tls_for(session.security, tls_context)
    server = LoopbackServer(
        _OneConnection(session),
        security=session.security,
        tls_context=context,
        certificate_authority=authority,
        idle_timeout=600.0,
    )
    try:
        yield server
    except BaseException as error:
        server.close()
        for fault in server.errors:
            error.add_note(f"The server failed too: {fault}")
        raise
    if not session.finished:
        # The client's last commands may still be on their way.
        with suppress(TimeoutError):
            server.wait_until_idle(5.0)
    server.close()
    if server.errors:
        # The first deviation led to the others.
        raise server.errors[0]
    session.check_finished()
