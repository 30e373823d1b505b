"""The standard library's ``poplib``, name for name, on this package's wire layer.

    from pop3proto.compat import poplib

takes the place of ``import poplib``. Names, signatures, results, exceptions and what programs are
known to reach into are poplib's; its faults are gone, and ``auth()``, ``lang()`` and
``retr_iter()`` are new. docs/migrating-from-poplib.md has the list.

Every answer of the server's is ``bytes``, ``+OK`` included; ``-ERR`` raises ``error_proto`` with
the status line as its argument. When an answer cannot be made sense of, or the connection breaks
in the middle of one, that connection is never used again: whatever is called on it then raises
``error_proto``, so that a line of mail cannot be taken for an answer.
"""

from __future__ import annotations

import errno
import re
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import cached_property
from io import BufferedReader
from typing import TYPE_CHECKING, Any, BinaryIO, NoReturn, cast

from ..errors import printable
from ..sasl import Mechanism
from ._auth import CHALLENGE_LINE, Wire, authenticate, mechanism_of, named_mechanism
from ._commands import Commands, LongAnswer
from ._conversation import (
    Conversation,
    LineReader,
    MessageLines,
    SteppingReader,
    TextReader,
)
from ._errors import (
    BrokenConnection,
    InjectedData,
    ServerError,
    standard_error,
)
from ._secrets import encoded

with suppress(ImportError):
    import ssl

if TYPE_CHECKING:
    from _typeshed import StrPath

__all__ = ["POP3", "error_proto"]

error_proto = standard_error
HAVE_SSL = "ssl" in globals()

POP3_PORT = 110
POP3_SSL_PORT = 995
CR = b"\r"
LF = b"\n"
CRLF = CR + LF

# Octets of a status line with its end. Programs set it, and have to be heard; but the lines of
# texts, for which they do, have no limit here anyway.
_MAXLINE = 2048

# An eighth of the system calls that io's own default would take; twice as much is no faster.
_BUFFER = 64 * 1024
_DEFAULT_TIMEOUT: Any = socket._GLOBAL_DEFAULT_TIMEOUT  # type: ignore[attr-defined]
# The last RFC 822 msg-id of printable ASCII in the greeting; see Greeting.timestamp.
_ATOM = rb"[!#$%&'*+\-/0-9=?A-Z^_`a-z{|}~]+"
_DOTTED = rb"%s(?:\.%s)*" % (_ATOM, _ATOM)
_STAMP = re.compile(rb"\+OK.*(<%s@(?:%s|\[[!-Z^-~]+\])>)" % (_DOTTED, _DOTTED))


class POP3(Commands):
    """A connection to the POP3 server at ``host``; its greeting is read.

    ``timeout`` is in seconds, ``None`` for none; by default it is that of ``socket``. Messages
    are numbers from 1, or their text. Every method raises ``error_proto`` when the server says
    ``-ERR``, when it is not to be understood and when it has gone, and ``OSError``,
    ``TimeoutError`` among it, when the connection fails. Text goes to the server as ``encoding``
    says; with a control character in it, it raises an exception that is both ``error_proto`` and
    ``ValueError``, and nothing is sent.

    Raises the audit events ``poplib.connect`` (``self``, ``host``, ``port``) and, for every line,
    ``poplib.putline`` (``self``, ``line``, with ``<secret>`` in place of secrets).
    """

    timestamp = _STAMP
    """Matches a greeting with an APOP timestamp, which is its first group."""

    host: str
    port: int
    sock: socket.socket
    """The socket, an ``ssl.SSLSocket`` under TLS; ``None`` once the connection is closed."""
    file: BinaryIO
    """What is read from; ``None`` once the connection is closed. It can be replaced."""

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
            self.file = _reader(self.sock)
            self._debugging = 0
            self.welcome = self._getresp()
            self._conversation.settle()
        except BaseException:
            # Nobody else can close them. A socket stays open for as long as its file does.
            with suppress(AttributeError, OSError):
                self.file.close()
            self.sock.close()
            raise

    @cached_property
    def _conversation(self) -> Conversation:
        return Conversation()

    def _create_socket(self, timeout: float | None) -> socket.socket:
        # Programs override this to go through a proxy.
        if timeout is not None and not timeout:
            raise ValueError("timeout=0 would make the socket non-blocking, which does not work")
        return socket.create_connection((self.host, self.port), timeout)

    # What follows is not public and yet known: programs call it, override it and patch it. So
    # each of these calls the others just where poplib's do.

    def _putline(self, line: bytes) -> None:
        conversation = self._conversation
        try:
            if conversation.iterator is not None:
                conversation.iterator.close()
            conversation.check()
            shown = conversation.shown.octets(line)
            if self._debugging > 1:
                print("*put*", repr(shown))
            sys.audit("poplib.putline", self, shown)
            send = self.sock.sendall
            conversation.sent(line)
            try:
                send(line + CRLF)
            except BaseException as error:
                conversation.failed(error)
                raise
        finally:
            # A traceback shows the locals of this frame; the same in all that follow.
            del line

    def _putcmd(self, line: str) -> None:
        try:
            if self._debugging:
                print("*cmd*", repr(self._conversation.shown.text(line)))
            self._putline(encoded(line, self.encoding))
        finally:
            del line

    def _getline(self) -> tuple[bytes, int]:
        # A status line, or behind a positive one a line of the text, as it came: with its
        # stuffed dot, without its end. Returns how many octets it took, too.
        conversation = self._conversation
        conversation.check()
        limit = -1 if conversation.form else max(_MAXLINE, conversation.room) + 1
        try:
            line = conversation.read_line(self.file, limit)
            if len(line) == limit:
                raise BrokenConnection("line too long")
            if self._debugging > 1:
                print("*get*", repr(line))
            if not line.endswith(LF):
                raise BrokenConnection("-ERR EOF")
        except BaseException as error:
            conversation.failed(error)
            raise
        content = line[: -len(conversation.newline)]
        if conversation.form is None:
            return content, len(line)
        return conversation.body_line(content, len(line))

    def _getresp(self) -> bytes:
        conversation = self._conversation
        conversation.form = None
        response, _ = self._getline()
        while not response:
            # Some servers leave a blank line behind their answers.
            response, _ = self._getline()
        if self._debugging > 1:
            print("*resp*", repr(response))
        conversation.answered(response)
        if response.startswith(b"+"):
            conversation.form = conversation.newline
            return response
        if response.startswith(b"-"):
            conversation.settle()
            raise ServerError(response)
        conversation.fail(f"an answer that is none: {printable(response)}")
        raise BrokenConnection(response)

    def _getlongresp(self) -> LongAnswer:
        response = self._getresp()
        text = self._text()
        lines: list[bytes] = []
        while more := self._conversation.next_lines(text):
            lines += more
        return response, lines, text.octets

    def _text(self) -> TextReader:
        newline = self._conversation.begin_text()
        ours = getattr(self._getline, "__func__", None) is _GETLINE and self._debugging < 2
        if ours and LineReader.suits(self.file):
            return LineReader(self.file, newline)
        return SteppingReader(self._getline)

    def _shortcmd(self, line: str) -> bytes:
        try:
            self._putcmd(line)
        finally:
            del line
        response = self._getresp()
        self._conversation.settle()
        return response

    def _longcmd(self, line: str) -> LongAnswer:
        try:
            self._putcmd(line)
        finally:
            del line
        return self._getlongresp()

    def getwelcome(self) -> bytes:
        """The server's greeting."""
        return self.welcome

    def set_debuglevel(self, level: int) -> None:
        """Print nothing (0), the commands (1), or every line of both sides (2), on stdout.

        Secrets are shown as ``<secret>``.
        """
        self._debugging = level

    def quit(self) -> bytes:
        """QUIT: make the deletions, end the session and close (RFC 1939 section 6)."""
        response = self._shortcmd("QUIT")
        self.close()
        return response

    def close(self) -> None:
        """Close the connection, whatever its state; without QUIT nothing gets deleted."""
        if self._conversation.iterator is not None:
            self._conversation.fail("it was closed")
        file = cast("BinaryIO | None", self.file)
        sock = cast("socket.socket | None", self.sock)
        self.file = self.sock = None  # type: ignore[assignment]
        try:
            if file is not None:
                file.close()
        finally:
            if sock is not None:
                _close(sock)

    def retr_iter(self, which: int | str) -> MessageLines:
        """RETR, with the lines handed out as they come, and none of them kept.

        Not in poplib. The status line is read at once; see ``MessageLines`` for the rest.
        """
        self._putcmd(f"RETR {which}")
        response = self._getresp()
        return MessageLines(self._conversation, self._text(), response)

    def auth(
        self,
        mechanism: str | Mechanism,
        authobject: Callable[[bytes], bytes | str | None] | None = None,
        *,
        user: str | bytes | None = None,
        password: str | bytes = "",
        initial_response: bytes | None = None,
        initial_response_ok: bool = True,
    ) -> bytes:
        """AUTH: log in with a SASL mechanism (RFC 5034). Not in poplib. Returns the status line.

        ``mechanism`` is the name of one, to go with ``user`` and ``password`` (the access token
        for OAUTHBEARER and XOAUTH2), or an object of ``pop3proto.sasl`` or of one's own. With a
        name alone, ``initial_response`` is what the client says first, if anything, and
        ``authobject`` is called with each challenge and returns the answer, neither in base64;
        ``None`` cancels. An initial response that does not fit the 255 octets that a line may
        have, or one for which ``initial_response_ok`` is not set, waits for the first challenge.

        Whatever a mechanism raises cancels the exchange and comes out of here; the session goes
        on, but for ``ServerNotVerified``. So it does when the server refuses. Neither is the case
        when the server accepts a mechanism that is not complete: then somebody else may have
        answered in its place.
        """
        try:
            if user is None:
                sasl = mechanism_of(mechanism, authobject, initial_response)
            else:
                # An ssl.SSLSocket, as far as can be told where there may be no ssl.
                secure = hasattr(self.sock, "get_channel_binding")
                sock = cast("ssl.SSLSocket", self.sock) if secure else None
                sasl = named_mechanism(mechanism, user, password, host=self.host, sock=sock)
        finally:
            del initial_response, password
        self._conversation.room = CHALLENGE_LINE
        try:
            wire = Wire(self._putcmd, self._getresp, self._conversation)
            return authenticate(wire, sasl, initial_response_ok=initial_response_ok)
        finally:
            self._conversation.room = 0

    def stls(self, context: ssl.SSLContext | None = None) -> bytes:
        """STLS: go on under TLS (RFC 2595 section 4).

        The server has to show a certificate for ``host`` if ``context`` checks host names, as
        ``ssl.create_default_context()`` does. As with poplib, nothing is checked without one.
        Raises ``ssl.SSLError`` too; the connection cannot be used after it.
        """
        if not HAVE_SSL:
            raise ServerError("-ERR TLS support missing")
        if self._tls_established:
            raise ServerError("-ERR TLS session already established")
        if "STLS" not in {name.upper() for name in self.capa()}:
            raise ServerError("-ERR STLS not supported by server")
        if context is None:
            context = _unchecked()
        response = self._shortcmd("STLS")
        try:
            if _pending(self.sock, self.file):
                raise InjectedData("-ERR the server's answer to STLS came with more in the clear")
            self.sock = context.wrap_socket(self.sock, server_hostname=self.host)
        except BaseException as error:
            self._conversation.failed(error)
            raise
        self.file = _reader(self.sock)
        self._tls_established = True
        return response


# To know whether somebody has put another one in its place.
_GETLINE = vars(POP3)["_getline"]


def _reader(sock: socket.socket) -> BinaryIO:
    return cast(BinaryIO, sock.makefile("rb", _BUFFER))


def _close(sock: socket.socket) -> None:
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError as error:
        # The server may have closed the connection before, which Windows calls WSAEINVAL, and a
        # handshake that failed has closed the socket.
        harmless = error.errno in (errno.ENOTCONN, errno.EBADF)
        if not harmless and getattr(error, "winerror", 0) != 10022:
            raise
    finally:
        sock.close()


def _pending(sock: socket.socket, file: BinaryIO) -> bool:
    """Whether there is anything to be read now, in the buffer or on the wire."""
    if not isinstance(file, BufferedReader):
        return False
    timeout = sock.gettimeout()
    sock.setblocking(False)
    try:
        return bool(file.peek(1))
    finally:
        sock.settimeout(timeout)


if HAVE_SSL:

    def _unchecked(**certificate: StrPath | None) -> ssl.SSLContext:
        # Looked up late, because programs replace it to have certificates checked everywhere.
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
                """Not under TLS: raises ``error_proto``."""
                raise ServerError("-ERR TLS session already established")

        else:  # pragma: no cover

            def __init__(
                self,
                host: str,
                port: int = POP3_SSL_PORT,
                keyfile: StrPath | None = None,
                certfile: StrPath | None = None,
                timeout: float | None = _DEFAULT_TIMEOUT,
                context: ssl.SSLContext | None = None,
            ) -> None:
                if keyfile is not None or certfile is not None:
                    if context is not None:
                        raise ValueError("context excludes keyfile and certfile")
                    import warnings

                    message = "keyfile and certfile are deprecated, use a context instead"
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
                """Not under TLS: raises ``error_proto``."""
                raise ServerError("-ERR TLS session already established")

        def _create_socket(self, timeout: float | None) -> socket.socket:
            sock = POP3._create_socket(self, timeout)
            try:
                return self.context.wrap_socket(sock, server_hostname=self.host)
            except BaseException:
                sock.close()
                raise

    __all__ += ["POP3_SSL"]
