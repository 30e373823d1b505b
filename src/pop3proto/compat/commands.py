"""The commands of the drop-in: the line that each of them sends, and the form of its answer."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeAlias, overload

from ..errors import LocalProtocolError
from ..model.grammar import decode, has_control
from ..model.secret import Secret
from .conversation import Conversation
from .errors import InvalidArgumentError, ServerError, standard_error
from .texts import TextReader

__all__ = ["OPEN", "Commands", "LongAnswer", "MessageLines", "encoded", "text_of"]

# The numbers that int() accepts, but with no more digits than a size can have.
_DROP_LISTING = re.compile(rb"\S+\s+([-+]?[0-9]{1,19})\s+([-+]?[0-9]{1,19})(?:\s|\Z)")

# How the lines of commands without a secret begin, up to the fifth character. Nothing of them has
# to be hidden from a traceback, which would take a third of the time of a short command.
_OPEN = "CAPA", "DELE ", "LIST", "LIST ", "NOOP", "QUIT", "RETR ", "RSET", "STAT", "UIDL", "UIDL "
OPEN: frozenset[str | bytes] = frozenset([*_OPEN, *(verb.encode("ascii") for verb in _OPEN)])

_Words: TypeAlias = list[str]
LongAnswer: TypeAlias = tuple[bytes, list[bytes], int]
"""The status line, the lines of the text without their ends, and its octets."""


class Commands:
    """One method for each command; ``POP3`` adds the wire."""

    encoding = "UTF-8"
    timestamp: re.Pattern[bytes]
    welcome: bytes
    # Some subclasses do not call __init__, and set only the attributes that they know of.
    _debugging = 0

    if TYPE_CHECKING:

        def _shortcmd(self, line: str) -> bytes: ...
        def _longcmd(self, line: str) -> LongAnswer: ...
        @cached_property
        def _conversation(self) -> Conversation: ...

    def user(self, user: str) -> bytes:
        """Send USER: the name of the maildrop (RFC 1939 section 7)."""
        return self._shortcmd(f"USER {user}")

    def pass_(self, pswd: str | Secret) -> bytes:
        """Send PASS: the password (RFC 1939 section 7); the maildrop is locked from then on."""
        pswd = _secret(pswd)
        return self._shortcmd(f"PASS {text_of(pswd)}")

    def stat(self) -> tuple[int, int]:
        """Send STAT; return how many messages and how many octets (RFC 1939 section 5)."""
        response = self._shortcmd("STAT")
        if self._debugging:
            print("*stat*", repr(response.split()))
        numbers = _DROP_LISTING.match(response)
        if numbers is None:
            raise ServerError(response)
        return int(numbers[1]), int(numbers[2])

    @overload
    def list(self) -> LongAnswer: ...
    @overload
    def list(self, which: None) -> LongAnswer: ...
    @overload
    def list(self, which: int | str) -> bytes: ...
    def list(self, which: int | str | None = None) -> bytes | LongAnswer:
        """Send LIST: the sizes of all messages, or of one (RFC 1939 section 5).

        Without an argument, returns the status line, lines of ``number octets``, and how many
        octets these took; with one, the status line alone.
        """
        return self._longcmd("LIST") if which is None else self._shortcmd(f"LIST {which}")

    def retr(self, which: int | str) -> LongAnswer:
        """Send RETR: a whole message (RFC 1939 section 5).

        Returns the status line, the lines of the message without their ends, and its octets.
        """
        return self._longcmd(f"RETR {which}")

    def dele(self, which: int | str) -> bytes:
        """Send DELE: mark a message as deleted; ``quit()`` deletes it (RFC 1939 section 5)."""
        return self._shortcmd(f"DELE {which}")

    def noop(self) -> bytes:
        """Send NOOP, which does nothing (RFC 1939 section 5)."""
        return self._shortcmd("NOOP")

    def rset(self) -> bytes:
        """Send RSET: unmark every message marked as deleted (RFC 1939 section 5)."""
        return self._shortcmd("RSET")

    def rpop(self, user: str | Secret) -> bytes:
        """Send RPOP: a user trusted by host, instead of PASS (RFC 1460 section 7). Obsolete."""
        user = _secret(user)
        return self._shortcmd(f"RPOP {text_of(user)}")

    def apop(self, user: str, password: str | Secret) -> bytes:
        """Send APOP: a name, and a digest of the greeting's timestamp (RFC 1939 section 7).

        Raises ``error_proto`` if the greeting has no timestamp, or one with other characters than
        printable ASCII (CVE-2007-1558).
        """
        password = Secret(password)
        from hashlib import md5  # here, because it takes as long to load as all the rest

        secret = Secret(encoded(password, self.encoding))
        stamp = self.timestamp.match(self.welcome)
        if stamp is None:
            raise ServerError("-ERR APOP not supported by server")
        digest = Secret(md5(stamp[1] + secret.octets(), usedforsecurity=False).hexdigest())
        return self._shortcmd(f"APOP {user} {text_of(digest)}")

    def top(self, which: int | str, howmuch: int) -> LongAnswer:
        """Send TOP: the header and ``howmuch`` lines of the body (RFC 1939 section 7).

        Returns what ``retr()`` does.
        """
        return self._longcmd(f"TOP {which} {howmuch}")

    @overload
    def uidl(self) -> LongAnswer: ...
    @overload
    def uidl(self, which: None) -> LongAnswer: ...
    @overload
    def uidl(self, which: int | str) -> bytes: ...
    def uidl(self, which: int | str | None = None) -> bytes | LongAnswer:
        """Send UIDL: the unique-ids of all messages, or of one (RFC 1939 section 7).

        Without an argument, returns the status line, lines of ``number unique-id``, and how many
        octets these took; with one, the status line alone.
        """
        return self._longcmd("UIDL") if which is None else self._shortcmd(f"UIDL {which}")

    def utf8(self) -> bytes:
        """Send UTF8: messages and texts may be UTF-8 from now on (RFC 6856 section 2)."""
        return self._shortcmd("UTF8")

    @overload
    def lang(self) -> LongAnswer: ...
    @overload
    def lang(self, tag: None) -> LongAnswer: ...
    @overload
    def lang(self, tag: str) -> bytes: ...
    def lang(self, tag: str | None = None) -> bytes | LongAnswer:
        """Send LANG: list the server's languages, or choose one (RFC 6856 section 3).

        Not in poplib. Without an argument, returns the status line, lines of ``tag description``,
        and how many octets these took; with one, the status line alone.
        """
        return self._longcmd("LANG") if tag is None else self._shortcmd(f"LANG {tag}")

    def capa(self) -> dict[str, _Words]:
        """Send CAPA; return the server's capabilities, names to words (RFC 2449 section 5).

        A name that is listed twice gets the words of both lines. Octets that are not UTF-8 become
        surrogate escapes.
        """
        try:
            _, lines, _ = self._longcmd("CAPA")
        except standard_error as error:
            raise self._conversation.refusal("-ERR CAPA not supported by server") from error
        capabilities: dict[str, _Words] = {}
        for line in lines:
            name, *words = decode(line).split() or [""]
            if name in capabilities:
                known = capabilities[name]
                known += [word for word in words if word not in known]
            elif name:
                capabilities[name] = words
        return capabilities


class MessageLines:
    """The lines of a message as they arrive, without their ends; ``retr_iter()`` returns this.

    You can stop before the end: the next command, ``close()`` or the end of a ``with`` skips the
    rest. Iterating raises ``error_proto``, and what the socket raises.
    """

    def __init__(self, conversation: Conversation, text: TextReader, response: bytes) -> None:
        self.response = response
        """The status line."""
        self._conversation = conversation
        self._text = text
        self._lines: Iterator[bytes] = iter(())
        self._complete = False
        conversation.finish = self.close

    @property
    def octets(self) -> int:
        """The octets read so far; at the end, the third item that ``retr()`` returns."""
        return self._text.octets

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # After an error, nobody needs the rest of the message.
        if error is None:
            self.close()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        for line in self._lines:
            return line
        if self._complete:
            raise StopIteration
        self._lines = iter(self._more())
        return next(self._lines)

    def close(self) -> None:
        """Skip the rest of the message, unless the connection has failed."""
        self._lines = iter(())
        while not self._complete and not self._conversation.fault:
            self._more()

    def _more(self) -> list[bytes]:
        self._conversation.check()
        lines = self._conversation.next_lines(self._text)
        if not lines:
            self._complete = True
            self._conversation.finish = None
        return lines


def encoded(line: Secret | str, encoding: str) -> bytes:
    """Return ``line`` as octets.

    Raises ``InvalidArgumentError`` for a control character and for a secret of a wrong type, and
    ``UnicodeEncodeError``, which does not show the text.
    """
    problem: ValueError
    if type(line) is str and line.isascii() and line.isprintable() and encoding == "UTF-8":
        return line.encode("ascii")
    try:
        # Encoded twice, so that no local variable holds the octets.
        # CPython refuses them too (CVE-2025-15367). Octets from 0x80 on can belong to a character,
        # so they are allowed.
        if not has_control(bytes(text_of(line), encoding)):
            return bytes(text_of(line), encoding)
        problem = InvalidArgumentError("a command may not hold control characters")
    except LocalProtocolError as error:
        problem = InvalidArgumentError(str(error))
    except UnicodeEncodeError as error:
        unshown = "?" * len(text_of(line))
        problem = UnicodeEncodeError(encoding, unshown, error.start, error.end, error.reason)
    # Out of the except clause, so that the codec's error, which shows the text, is not its context.
    raise problem


def _secret(words: object) -> Secret:
    # poplib accepts any object, and writes it like this.
    return words if isinstance(words, Secret) else Secret(f"{words}")


def text_of(line: Secret | str) -> str:
    """Return the text of ``line``, assuming that it is not octets."""
    return line if isinstance(line, str) else line.reveal()  # type: ignore[return-value]
