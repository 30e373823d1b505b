"""The standard library's ``poplib``, name for name, on this package's wire layer.

    from pop3proto.compat import poplib

takes the place of ``import poplib``. Names, signatures, results, exceptions and the internals
that programs are known to use are poplib's; its faults are gone, and ``auth()``, ``lang()`` and
``retr_iter()`` are new. docs/migrating-from-poplib.md has the list.

Every answer of the server is ``bytes``, including ``+OK``; ``-ERR`` raises ``error_proto`` with the
status line as its argument. If an answer makes no sense, or the connection breaks in the middle of
one, that connection is never used again: every later call on it raises ``error_proto``, so that a
line of mail cannot be taken for an answer. If an ``OSError`` broke the connection, the exception is
an ``OSError`` as well, because poplib's callers catch that in this case.
"""

from __future__ import annotations

import errno as errno  # noqa: PLC0414 - poplib has this name, and programs use it
import re
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import cached_property
from os import PathLike
from typing import Any, BinaryIO, NoReturn, TypeAlias, cast

from ..errors import printable
from ..model.replies import TIMESTAMP
from ..model.secret import Secret
from ..sasl.mechanism import Mechanism
from .commands import OPEN, Commands, LongAnswer, MessageLines, encoded, text_of
from .conversation import Conversation, pending, reader, shut_down
from .errors import BrokenConnectionError, InjectedDataError, ServerError, standard, standard_error
from .texts import CRLF, LineReader, SteppingReader, TextReader

with suppress(ImportError):
    import ssl

__all__ = ["POP3", "error_proto"]

error_proto = standard_error
"""The standard library's own ``error_proto``."""
HAVE_SSL = "ssl" in globals()

POP3_PORT = 110
POP3_SSL_PORT = 995
CR = b"\r"
LF = b"\n"

# The most octets of a status line with its end. Programs set it to allow longer lines in texts,
# which have no limit here anyway; for status lines the setting has an effect.
_MAXLINE = 2048
# How many blank lines are skipped before an answer.
_BLANK_LINES = 2

_Path: TypeAlias = str | PathLike[str]
_DEFAULT_TIMEOUT: Any = socket._GLOBAL_DEFAULT_TIMEOUT  # type: ignore[attr-defined]
# As in poplib, everything from the first "<" to the last ">", if it is printable ASCII without
# blanks; if not, everything from the last msg-id on. An attack on APOP needs other octets
# (CVE-2007-1558).
_STAMP = re.compile(
    rb"\+OK(?:.[^<]*(?=<[!-~]+>[^>]*\Z)|.*(?=%b))(<[!-~]+>)" % TIMESTAMP.encode("ascii")
)


def __dir__() -> list[str]:
    # dir() and completion show only the names that poplib has; the others are for this package.
    return sorted(name for name in globals() if name.startswith("_") or hasattr(standard, name))


class POP3(Commands):
    """A connection to the POP3 server at ``host``; making it reads the greeting.

    ``timeout`` is in seconds, ``None`` for none; the default is that of ``socket``. Messages are
    given as numbers from 1, or as these numbers in text. Every method raises ``error_proto`` if the
    server answers ``-ERR``, sends something that makes no sense or has gone, and ``OSError``, for
    instance ``TimeoutError``, if the connection fails. Text goes to the server in ``encoding``. An
    argument with a control character raises an exception that is both ``error_proto`` and
    ``ValueError``, and nothing is sent.

    Raises the audit events ``poplib.connect`` (``self``, ``host``, ``port``) and, for every line,
    ``poplib.putline`` (``self``, ``line``, with ``<secret>`` in place of secrets).
    """

    timestamp = _STAMP
    """Matches a greeting with an APOP timestamp, which is the first group."""

    host: str
    port: int
    sock: socket.socket
    """The socket, an ``ssl.SSLSocket`` under TLS; ``None`` once the connection is closed."""
    file: BinaryIO
    """The file to read from; ``None`` once the connection is closed. It can be replaced."""

    _tls_established = False

    def __init__(
        self, host: str, port: int = POP3_PORT, timeout: float | None = _DEFAULT_TIMEOUT
    ) -> None:
        self.host = host
        self.port = port
        self._conversation = Conversation()
        self._tls_established = False
        sys.audit("poplib.connect", self, host, port)
        self.sock = self._create_socket(timeout)
        try:
            self.file = reader(self.sock)
            self._debugging = 0
            self.welcome: bytes = self._getresp()
        except BaseException:
            # Nothing else can close them. A socket stays open as long as its file does.
            for name in ("file", "sock"):
                with suppress(AttributeError, OSError):
                    getattr(self, name).close()
            raise

    @cached_property
    def _conversation(self) -> Conversation:
        return Conversation()

    def _create_socket(self, timeout: float | None) -> socket.socket:  # overridden for proxies
        if timeout is not None and not timeout:
            raise ValueError("Non-blocking socket (timeout=0) is not supported")
        return socket.create_connection((self.host, self.port), timeout)

    # The next methods are not public, but programs call, override and patch them. So each of them
    # calls the others exactly where poplib's do. They take text (_putline takes octets) and hide it
    # in a Secret at once, because a traceback can show the locals of these frames.

    def _putline(self, line: Any) -> None:
        line = _ended(line)
        hidden = isinstance(line, Secret)
        conversation = self._conversation
        conversation.ready(self.sock, self.file)
        shown, answer = conversation.redactor.read((line.octets() if hidden else line)[:-2])
        if self._debugging > 1:
            print("*put*", repr(shown))
        sys.audit("poplib.putline", self, shown)
        send = self.sock.sendall
        conversation.sent(line, answer)
        try:
            send(line.octets() if hidden else line)
        except BaseException as error:
            conversation.failed(error)
            raise

    def _putcmd(self, line: Any) -> None:
        line = line if type(line) is str and line[:5] in OPEN else Secret(line)
        if self._debugging:
            print("*cmd*", repr(self._conversation.shown(text_of(line))))
        self._putline(encoded(line, self.encoding))

    def _getline(self) -> tuple[bytes, int]:
        # A status line, or after a positive one a line of the text, unchanged except for its line
        # end: a stuffed dot stays. The number of octets includes the line end.
        conversation, debugging = self._conversation, self._debugging > 1
        if conversation.fault:
            conversation.check()
        if conversation.form is not None:
            return conversation.text_line(self.file, debugging=debugging)
        limit = conversation.room if conversation.room > _MAXLINE else _MAXLINE
        return conversation.status_line(self.file, limit, debugging=debugging)

    def _getresp(self) -> bytes:
        conversation = self._conversation
        # The next line is a status line.
        conversation.form, conversation.status = None, b""
        try:
            response, _ = self._getline()
            skipped = 0
            while not response and skipped < _BLANK_LINES:
                # Some servers leave a blank line after their answers.
                response, _ = self._getline()
                skipped += 1
        except BaseException as error:
            conversation.interrupted(error)
            raise
        if self._debugging > 1:
            print("*resp*", repr(response))
        conversation.answered(response)
        if response.startswith(b"+"):
            conversation.form = conversation.newline
            return response
        if response.startswith(b"-"):
            conversation.settle()
            raise ServerError(response)
        conversation.fail(f"not an answer: {printable(response)}")
        raise BrokenConnectionError(response)

    def _getresp_of_text(self) -> bytes:
        try:
            return self._getresp()
        except BaseException as error:
            # An override can raise at a status line that is followed by a text, and then the text
            # is never read.
            self._conversation.missed(error)
            raise

    def _getlongresp(self) -> LongAnswer:
        response = self._getresp_of_text()
        text = self._text()
        lines: list[bytes] = []
        while more := self._conversation.next_lines(text):
            lines += more
        return response, lines, text.octets

    def _text(self, at_once: int = sys.maxsize) -> TextReader:
        newline = self._conversation.begin_text()
        ours = _is(self._getline, _GETLINE) and self._debugging < 2
        if not (ours and LineReader.suits(self.file)):
            return SteppingReader(self._getline, at_once)
        if at_once == sys.maxsize and _is(self._getresp, _GETRESP):
            return self._conversation.whole_text(self.file, newline)
        return LineReader(self.file, newline)

    def _shortcmd(self, line: Any) -> bytes:
        line = line if type(line) is str and line[:5] in OPEN else Secret(line)
        self._putcmd(text_of(line))
        conversation = self._conversation
        conversation.one_line = True
        try:
            response = self._getresp()
        finally:
            conversation.one_line = False
        conversation.settle()
        return response

    def _longcmd(self, line: Any) -> LongAnswer:
        line = line if type(line) is str and line[:5] in OPEN else Secret(line)
        self._putcmd(text_of(line))
        return self._getlongresp()

    def getwelcome(self) -> bytes:
        """Return the server's greeting."""
        return self.welcome

    def set_debuglevel(self, level: int) -> None:
        """Print nothing (0), the commands (1), or every line of both sides (2) on stdout.

        Secrets are shown as ``<secret>``.
        """
        self._debugging = level

    def quit(self) -> bytes:
        """Send QUIT: make the deletions, end the session and close (RFC 1939 section 6)."""
        response = self._shortcmd("QUIT")
        self.close()
        return response

    def close(self) -> None:
        """Close the connection, in any state; without QUIT nothing is deleted."""
        if self._conversation.finish is not None:
            self._conversation.fail("it was closed")
        try:
            file = cast("BinaryIO | None", self.file)
            self.file = None  # type: ignore[assignment]
            if file is not None:
                file.close()
        finally:
            sock = cast("socket.socket | None", self.sock)
            self.sock = None  # type: ignore[assignment]
            if sock is not None:
                shut_down(sock)

    def retr_iter(self, which: int | str) -> MessageLines:
        """Send RETR and return the lines one by one as they come; none of them is kept.

        Not in poplib. The status line is read at once; see ``MessageLines`` for the rest.
        """
        self._putcmd(f"RETR {which}")
        response = self._getresp_of_text()
        return MessageLines(self._conversation, self._text(at_once=1), response)

    def auth(
        self,
        mechanism: str | Mechanism,
        authobject: Callable[[bytes], bytes | str | None] | None = None,
        *,
        user: str | bytes | None = None,
        password: str | bytes | Secret = "",
        initial_response: bytes | Secret | None = None,
        initial_response_ok: bool | None = None,
    ) -> bytes:
        """Log in with AUTH and a SASL mechanism (RFC 5034); return the status line. Not in poplib.

        ``mechanism`` is a name, with ``user`` and ``password`` (the access token for OAUTHBEARER
        and XOAUTH2), or an object from ``pop3proto.sasl`` or of your own. With a name alone,
        ``initial_response`` is the client's first message, if it has one, and ``authobject`` is
        called with each challenge and returns the answer. Neither is in base64. ``None`` as an
        answer cancels. An initial response waits for the first challenge if it does not fit the 255
        octets of a line, or if ``initial_response_ok`` is false; with ``None``, only that of
        XOAUTH2 waits in any case, as Office 365 demands.

        An exception from a mechanism cancels the exchange and is raised here. The session can go
        on after a refusal, and after such an exception unless it is ``ServerVerificationError``.
        The session cannot go on if the server accepts a login before the mechanism is complete,
        because then an impostor may have answered. Raises an exception that is both ``error_proto``
        and ``ValueError`` if the arguments describe no mechanism, or one of them cannot be used;
        then nothing is sent.
        """
        password = Secret(password)
        initial_response = None if initial_response is None else Secret(initial_response)
        from .auth import CHALLENGE_LINE, Wire, authenticate, mechanism_of

        # True for an ssl.SSLSocket; the module ssl may be missing.
        secure = hasattr(self.sock, "get_channel_binding")
        sasl = mechanism_of(
            mechanism,
            authobject,
            initial_response,
            user,
            password,
            host=getattr(self, "host", ""),
            sock=cast("ssl.SSLSocket", self.sock) if secure else None,
        )
        self._conversation.room = CHALLENGE_LINE
        try:
            wire = Wire(self._putcmd, self._getresp, self._conversation)
            response = authenticate(wire, sasl, initial_response_ok=initial_response_ok)
        finally:
            self._conversation.room = 0
        self._conversation.redactor.auth_ended()
        return response

    def stls(self, context: ssl.SSLContext | None = None) -> bytes:
        """Send STLS and go on under TLS (RFC 2595 section 4).

        The server has to show a certificate for ``host`` if ``context`` checks host names, as
        ``ssl.create_default_context()`` does. As with poplib, nothing is checked without one. Also
        raises ``ssl.SSLError``; the connection cannot be used after it.
        """
        if not HAVE_SSL:
            raise ServerError("-ERR TLS support missing")
        if self._tls_established:
            raise self._conversation.refusal("-ERR TLS session already established")
        if "STLS" not in {name.upper() for name in self.capa()}:
            raise ServerError("-ERR STLS not supported by server")
        context = context or _unchecked()
        try:
            response = self._shortcmd("STLS")
        except BaseException as error:
            self._conversation.missed(error)
            raise
        try:
            if pending(self.sock, self.file):
                raise InjectedDataError(
                    "-ERR more octets came in the clear with the answer to STLS"
                )
            self.sock = context.wrap_socket(self.sock, server_hostname=self.host)
        except BaseException as error:
            self._conversation.failed(error)
            raise
        self.file = reader(self.sock)
        self._tls_established = True
        return response


# They show if a program has replaced these methods.
_GETLINE = vars(POP3)["_getline"]
_GETRESP = vars(POP3)["_getresp"]


def _ended(line: Any) -> bytes | Secret:
    # One line: a traceback shows the variables of each line.
    return line + CRLF if type(line) is bytes and line[:5] in OPEN else Secret(bytes(line + CRLF))


def _is(method: object, function: object) -> bool:
    return getattr(method, "__func__", None) is function


if HAVE_SSL:

    def _unchecked(**certificate: _Path | None) -> ssl.SSLContext:
        # Looked up here, not at import, because programs replace it so that certificates are
        # checked everywhere.
        make: Any = vars(ssl)["_create_stdlib_context"]  # pyright: ignore[reportPossiblyUnboundVariable]
        context: ssl.SSLContext = make(**certificate)
        return context

    class POP3_SSL(POP3):
        """A connection to the POP3 server at ``host`` that is under TLS from the start.

        The server has to show a certificate for ``host`` if ``context`` checks host names, as
        ``ssl.create_default_context()`` does. As with poplib, nothing is checked without one.
        Raises ``ssl.SSLError`` too. On Python 3.11 ``keyfile`` and ``certfile`` are paths of a
        client's own certificate, in place of ``context``, and deprecated.
        """

        if sys.version_info >= (3, 12):  # pragma: no cover - each Python has one of the two

            def __init__(
                self,
                host: str,
                port: int = POP3_SSL_PORT,
                *,
                timeout: float | None = _DEFAULT_TIMEOUT,
                context: ssl.SSLContext | None = None,
            ) -> None:
                self.context = _unchecked() if context is None else context
                POP3.__init__(self, host, port, timeout)

            def stls(self, context: object = None) -> NoReturn:
                """Raise ``error_proto``: the connection is under TLS already."""
                raise self._conversation.refusal("-ERR TLS session already established")

        else:  # pragma: no cover

            def __init__(
                self,
                host: str,
                port: int = POP3_SSL_PORT,
                keyfile: _Path | None = None,
                certfile: _Path | None = None,
                timeout: float | None = _DEFAULT_TIMEOUT,
                context: ssl.SSLContext | None = None,
            ) -> None:
                for name, path in (("keyfile", keyfile), ("certfile", certfile)):
                    if context is not None and path is not None:
                        raise ValueError(f"context and {name} arguments are mutually exclusive")
                if keyfile is not None or certfile is not None:
                    import warnings

                    message = "keyfile and certfile are deprecated, use a custom context instead"
                    warnings.warn(message, DeprecationWarning, 2)
                self.keyfile = keyfile
                self.certfile = certfile
                if context is None:
                    context = _unchecked(certfile=certfile, keyfile=keyfile)
                self.context = context
                POP3.__init__(self, host, port, timeout)

            def stls(  # type: ignore[override]
                self, keyfile: object = None, certfile: object = None, context: object = None
            ) -> NoReturn:
                """Raise ``error_proto``: the connection is under TLS already."""
                raise self._conversation.refusal("-ERR TLS session already established")

        def _create_socket(self, timeout: float | None) -> socket.socket:
            sock = POP3._create_socket(self, timeout)
            try:
                return self.context.wrap_socket(sock, server_hostname=self.host)
            except BaseException:
                sock.close()
                raise

    __all__ += ["POP3_SSL"]
