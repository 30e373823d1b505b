"""A server that misbehaves on purpose, as real POP3 servers do, to test clients against."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from .._actions import Action, Close, Delay, NeedData, Send, StartTls
from ..commands import Quit
from ..maildrop import MaildropProvider
from ..serving import Authenticator
from ._quirk_names import Quirk, consistent
from ._quirks_sasl import QuirkyLogins

__all__ = ["Quirk", "QuirkyServer"]

_GREETINGS = {
    Quirk.ERROR_GREETING: b"-ERR too busy",
    Quirk.IMAP_GREETING: b"* OK IMAP4rev1 ready",
    Quirk.SMTP_GREETING: b"220 mail.example.org ESMTP ready",
    Quirk.MALFORMED_TIMESTAMP: b"+OK ready <no msg-id>",
}
_UNIQUE_IDS: dict[Quirk, Callable[[bytes], bytes]] = {
    Quirk.MISSING_UNIQUE_IDS: lambda _: b"",
    Quirk.DUPLICATE_UNIQUE_IDS: lambda _: b" same",
    Quirk.MALFORMED_UNIQUE_IDS: lambda unique_id: b" with space " + unique_id,
    Quirk.LONG_UNIQUE_IDS: lambda unique_id: b" " + b"long-" * 20 + unique_id,
    Quirk.NON_ASCII_UNIQUE_IDS: lambda unique_id: b" \xe9" + unique_id,
}
_SIZES: dict[Quirk, Callable[[bytes], bytes]] = {
    Quirk.NEGATIVE_SIZES: lambda _: b"-1",
    Quirk.HUGE_SIZES: lambda _: b"9" * 25,
    Quirk.WORDY_SIZES: lambda _: b"unknown",
    Quirk.SMALL_SIZES: lambda size: b"%d" % (int(size) // 2),
}
_EXTENSIONS = {b"TOP", b"UIDL", b"PIPELINING"}
_ODD_CAPABILITIES = (b"EXPIRE 31 USER", b"LOGIN-DELAY 300 USER", b"X-UNKNOWN tag")
_NO_UTF8 = (b"Subject: a message that cannot be shown", b"", b"Send UTF8 first.")
_LOGINS = (b"AUTH", b"APOP", b"PASS")


class QuirkyServer(QuirkyLogins):
    """A ``ServerSession`` whose answers have ``quirks``; ``settings`` are those of that class.

    Raises ``ValueError`` if two quirks contradict each other. Bodies pass line by line.
    """

    def __init__(
        self,
        maildrops: MaildropProvider,
        users: Authenticator | Mapping[str, str],
        *,
        quirks: Iterable[Quirk],
        **settings: Any,
    ) -> None:
        self.quirks = consistent(quirks)
        """What it does wrong."""
        self._rewritten: deque[Action] = deque()
        self._commands: deque[bytes] = deque([b"GREETING"])
        self._received = b""
        self._partial = b""
        self._verb = b""
        self._argument = b""
        self._within = False
        self._challenged = False
        self._refusing = False
        self._dropped = False
        self._utf8 = False
        self._lines = 0
        self._kept: list[bytes] = []
        self._retrieved: set[int] = set()
        super().__init__(maildrops, users, **settings)

    def receive_data(self, data: bytes | bytearray | memoryview) -> None:
        """Take octets that arrived; none at all says that the stream has ended."""
        if self.quirks:
            data = bytes(data)
            together = data.splitlines(keepends=True) if self.user is not None else []
            if len(together) > 1 and Quirk.CLOSES_ON_PIPELINING in self.quirks:
                self._rewritten.append(Close())
                return
            if not self._received and data.endswith(b"\n"):
                data = self._reordered(data, together)
            *lines, self._received = (self._received + data).split(b"\n")
            self._commands.extend(line.rstrip(b"\r") for line in lines)
        super().receive_data(data)

    def _reordered(self, data: bytes, together: list[bytes]) -> bytes:
        backwards = together and Quirk.PIPELINED_BACKWARDS in self.quirks
        return b"".join(reversed(together)) if backwards else data

    def tls_established(self) -> None:
        """Say that the TLS handshake has succeeded; see ``ServerSession``."""
        super().tls_established()
        self._received = b""

    def next_action(self) -> Action:
        """What is to be done next. Once it is ``Close``, it stays that."""
        while not self._rewritten:
            action = super().next_action()
            match action:
                case Send() if not self.quirks:
                    return action
                case Send(data):
                    *lines, self._partial = (self._partial + data).split(b"\r\n")
                    for line in lines:
                        self._line(line)
                case Close() if Quirk.SILENT_QUIT in self.quirks and self._verb == b"QUIT":
                    self._rewritten.append(NeedData() if not self._dropped else Close())
                    self._dropped = True
                case Close() | Delay() | NeedData() | StartTls():
                    return action
        action = self._rewritten.popleft()
        if isinstance(action, Close):
            self._rewritten.clear()
            self._rewritten.append(action)
            self.close()
        return action

    def _quit(self, command: Quit) -> None:
        if self._opened is not None and Quirk.RETR_DELETES in self.quirks:
            self._opened.marked.update(self._retrieved)
        super()._quit(command)

    def _put(self, line: bytes, newline: bool = True) -> None:
        end = (b"\n" if Quirk.BARE_LF in self.quirks else b"\r\n") if newline else b""
        data = line + end
        step = 1 if Quirk.SPLIT_PACKETS in self.quirks else max(len(data), 1)
        self._rewritten.extend(Send(data[i : i + step]) for i in range(0, len(data), step))

    def _line(self, line: bytes) -> None:
        if not self._within:
            self._status(line)
        elif line == b".":
            self._within = False
            self._end_of_reply()
        else:
            self._content(line)

    def _status(self, line: bytes) -> None:
        command = self._commands.popleft() if self._commands else b""
        if not self._challenged:
            verb, _, self._argument = command.partition(b" ")
            self._verb = verb.upper()
        self._challenged = line.startswith(b"+ ")
        self._within = line.startswith(b"+OK") and self._is_multi_line()
        self._refusing = self._refuses()
        self._lines = 0
        self._remember(line)
        if self._closes_unanswered():
            self._rewritten.append(Close())
            return
        if self._verb == b"QUIT" and Quirk.SILENT_QUIT in self.quirks:
            return
        if Quirk.BLANK_LINES in self.quirks and self._verb != b"GREETING":
            self._put(b"")
        self._put(self._changed_status(line))
        if self._verb == b"DELE" and Quirk.SECOND_REPLY in self.quirks:
            self._put(b"+OK once more")
        if self._closes_behind(line):
            self._rewritten.append(Close())

    def _remember(self, line: bytes) -> None:
        if line.startswith(b"+OK") and not self._refusing:
            self._utf8 = self._utf8 or self._verb == b"UTF8"
            if self._verb == b"RETR":
                self._retrieved.add(int(self._argument))

    def _is_multi_line(self) -> bool:
        if self._verb in (b"LIST", b"UIDL", b"AUTH", b"LANG"):
            return not self._argument
        return self._verb in (b"CAPA", b"RETR", b"TOP")

    def _refuses(self) -> bool:
        """Whether the command is refused, whatever the session says."""
        quirks, opened, maildrop = self.quirks, self._opened, self._maildrop
        match self._verb:
            case b"CAPA":
                return bool(quirks & {Quirk.NO_CAPA, Quirk.MECHANISMS_BY_AUTH})
            case b"AUTH":
                return not self._argument and Quirk.NO_CAPA in quirks
            case b"STAT":
                return Quirk.NO_STAT in quirks
            case b"RETR":
                return self._argument == b"1" and Quirk.REFUSED_MESSAGE in quirks
            case b"UIDL" if Quirk.NO_UIDL in quirks:
                return True
            case b"LIST" | b"UIDL" if opened is not None and maildrop is not None:
                empty = len(opened.marked) == len(maildrop.messages)
                return empty and Quirk.NO_EMPTY_LISTINGS in quirks
            case _:
                return False

    def _closes_unanswered(self) -> bool:
        return (self._verb, True) in (
            (b"CAPA", Quirk.CLOSES_ON_CAPA in self.quirks),
            (b"QUIT", Quirk.CLOSES_ON_QUIT in self.quirks),
            (b"NOOP", Quirk.CLOSES_WHEN_IDLE in self.quirks),
        )

    def _closes_behind(self, line: bytes) -> bool:
        refused = self._verb in _LOGINS and line.startswith(b"-")
        return (
            (refused and Quirk.CLOSES_ON_FAILED_LOGIN in self.quirks)
            or (self._verb == b"GREETING" and Quirk.ERROR_GREETING in self.quirks)
            or (self._verb == b"DELE" and Quirk.CLOSES_BEFORE_QUIT in self.quirks)
        )

    def _changed_status(self, line: bytes) -> bytes:
        quirks, verb = self.quirks, self._verb
        if verb == b"NOOP" and Quirk.NOT_A_STATUS in quirks:
            return b"done"
        if verb == b"NOOP" and Quirk.NUL_STATUS in quirks:
            return b"+OK \0"
        if self._challenged:
            line = self._changed_challenge(line)
        if verb == b"GREETING":
            line = self._greeting(line)
        if self._refusing:
            line = b"-ERR not now"
        if verb in (b"LIST", b"UIDL", b"STAT") and line.startswith(b"+OK ") and not self._within:
            line = b"+OK " + self._listing(line[4:])
        if Quirk.PLUS_ERR in quirks and line.startswith(b"-ERR"):
            line = b"+" + line[1:]
        indicator, space, text = line.partition(b" ")
        if Quirk.LOWER_CASE_STATUS in quirks:
            indicator = indicator.lower()
        if verb in (b"STAT", b"GREETING", b"LIST", b"UIDL") or self._challenged:
            return indicator + space + text
        if Quirk.BARE_STATUS in quirks or (
            verb == b"AUTH" and line.startswith(b"+") and Quirk.BARE_AUTH_SUCCESS in quirks
        ):
            return indicator
        trailing = b"  " if Quirk.TRAILING_SPACES in quirks else b""
        return indicator + space + text + trailing

    def _greeting(self, line: bytes) -> bytes:
        line = next((text for q, text in _GREETINGS.items() if q in self.quirks), line)
        if Quirk.SECOND_TIMESTAMP in self.quirks:
            line = line.replace(b"+OK ", b"+OK <stale@example.org> ", 1)
        return line

    def _listing(self, line: bytes) -> bytes:
        """What a listing says of one message, or STAT of all."""
        number, _, value = line.partition(b" ")
        if self._verb == b"STAT" and Quirk.WRONG_COUNT in self.quirks:
            number = b"%d" % (int(number) + 1)
        if self._verb == b"UIDL":
            ids = (change(value) for q, change in _UNIQUE_IDS.items() if q in self.quirks)
            value = next(ids, b" " + value)
        else:
            sizes = (change(value) for q, change in _SIZES.items() if q in self.quirks)
            value = b" " + next(sizes, value)
            if Quirk.LISTING_TEXT in self.quirks:
                value += b" octets"
        if Quirk.SPACED_LISTINGS in self.quirks and self._verb != b"STAT":
            value = value.replace(b" ", b"   ", 1)
        if Quirk.NUMBERS_FROM_ZERO in self.quirks and self._verb != b"STAT":
            number = b"%d" % (int(number) - 1)
        indented = Quirk.INDENTED_LISTINGS in self.quirks and self._verb != b"STAT"
        return b"  " * indented + number + value

    def _content(self, line: bytes) -> None:
        self._lines += 1
        if self._refusing:
            return
        if self._verb in (b"LIST", b"UIDL"):
            if Quirk.SKIPPED_NUMBERS not in self.quirks or not line.startswith(b"1 "):
                self._kept.append(self._listing(line))
        elif self._verb == b"CAPA":
            self._capability(line)
        elif self._verb in (b"RETR", b"TOP"):
            self._mail(line)
        else:
            self._put(line)

    def _capability(self, line: bytes) -> None:
        quirks, word = self.quirks, line.partition(b" ")[0]
        hidden = Quirk.NO_CAPABILITIES in quirks
        if Quirk.HIDDEN_CAPABILITIES in quirks or (
            Quirk.HIDDEN_UNTIL_LOGIN in quirks and self.user is None
        ):
            hidden |= word in _EXTENSIONS
        if Quirk.FORGOTTEN_CAPABILITIES in quirks and self.user is not None:
            hidden |= word in (b"USER", b"SASL", b"UTF8")
        hidden |= word == b"STLS" and Quirk.HIDDEN_STLS in quirks
        hidden |= word == b"SASL" and Quirk.HIDDEN_MECHANISMS in quirks
        hidden |= word == b"EXPIRE" and Quirk.ODD_CAPABILITIES in quirks
        if hidden:
            return
        if Quirk.MISSPELT_CAPABILITY in quirks and line == b"PIPELINING":
            line = b"PIPELINE"
        self._kept.extend([line] * (2 if Quirk.REPEATED_CAPABILITIES in quirks else 1))

    def _mail(self, line: bytes) -> None:
        if self._verb == b"TOP" and Quirk.TRUNCATED_TOP in self.quirks and self._lines > 1:
            return
        if Quirk.NO_DOT_STUFFING in self.quirks and line.startswith(b"."):
            line = line[1:]
        if Quirk.NEEDS_UTF8 in self.quirks and not self._utf8:
            # It takes the whole header to know.
            self._kept.append(line)
            return
        if Quirk.NO_FINAL_NEWLINE in self.quirks:
            kept, self._kept = self._kept, [line]
            for earlier in kept:
                self._put(earlier)
        else:
            self._put(line)

    def _end_of_reply(self) -> None:
        kept, self._kept = self._kept, []
        if self._refusing:
            return
        if self._verb == b"CAPA":
            self._end_of_capabilities(kept)
        elif self._verb in (b"RETR", b"TOP"):
            self._end_of_mail(kept)
        else:
            for line in reversed(kept) if Quirk.REVERSED_LISTINGS in self.quirks else kept:
                self._put(line)
        self._put(b".")
        if self._verb == b"TOP" and Quirk.SECOND_END in self.quirks:
            self._put(b".")

    def _end_of_capabilities(self, lines: list[bytes]) -> None:
        added = {
            Quirk.ODD_CAPABILITIES: _ODD_CAPABILITIES,
            Quirk.BLANK_CAPABILITY: (b"",),
            Quirk.NON_ASCII_CAPABILITY: (b"X-\xe9",),
            Quirk.MISSPELT_CAPABILITY: (b"EXPIRENEVER",),
        }
        for quirk, more in added.items():
            if quirk in self.quirks:
                lines.extend(more)
        for line in reversed(lines) if Quirk.REVERSED_CAPABILITIES in self.quirks else lines:
            self._put(line)

    def _end_of_mail(self, lines: list[bytes]) -> None:
        if Quirk.NEEDS_UTF8 in self.quirks and not self._utf8:
            header = lines[: lines.index(b"")] if b"" in lines else lines
            if not b"".join(header).isascii():
                lines = list(_NO_UTF8)
        *first, last = lines or [b""]
        for line in first:
            self._put(line)
        if lines:
            self._put(last, newline=Quirk.NO_FINAL_NEWLINE not in self.quirks)
