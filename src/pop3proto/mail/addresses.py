"""The addresses of a field such as To (RFC 5322 section 3.4), in one pass over it.

The parser of the standard library takes quadratic time, and raises exceptions of several classes
on addresses that are wrong.
"""

from __future__ import annotations

import re
from email.headerregistry import Address, Group

from .text import with_words_decoded

_QUOTED = r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?'
_TOKEN = re.compile(
    rf"(?P<space>\s+)|(?P<word>=\?[^?\s]+\?[BbQq]\?[^?\s]*\?=|{_QUOTED}|\[[^\]]*\]?"
    rf'|[^\s"()<>,:;\[]+)|<(?P<angle>(?:[^<>"]++|{_QUOTED})*+)>?|(?P<special>[,:;()>])',
    re.DOTALL,
)
_COMMENT = re.compile(r"\\.|[()]", re.DOTALL)
_ATOM = r'[^\s@<>()\[\],;:"\\]++'
_SPEC = re.compile(
    rf'(?:"(?P<quoted>[^"\\]*+(?:\\.[^"\\]*+)*+)"|(?P<local>{_ATOM}))\s*+@\s*+'
    rf"(?P<domain>{_ATOM}|\[[^\[\]\s]*\])",
    re.DOTALL,
)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def unquoted(text: str) -> str:
    """Return what stands between quotation marks, if they are there, without its backslashes."""
    if not text.startswith('"'):
        return text
    inner = text[1:-1] if text.endswith('"') and len(text) > 1 else text[1:]
    return _ESCAPED.sub(r"\1", inner)


class AddressReader:
    """The groups in a field, and what was wrong with it.

    As in the standard library, an address that is in no group has a group to itself.
    """

    def __init__(self, line: str) -> None:
        self.groups: list[Group] = []
        self.problems: list[str] = []
        self._members: list[Address] | None = None
        """The addresses of the group that is open."""
        self._group = ""
        self._words: list[str] = []
        self._angle: str | None = None
        self._comment = ""
        self._read(line)
        self._end_mailbox()
        if self._members is not None:
            self.problems.append("a group does not end")
            self._end_group()

    def _read(self, line: str) -> None:
        position = 0
        while (token := _TOKEN.match(line, position)) is not None:
            position = token.end()
            if token["special"] == "(":
                position = self._end_of_comment(line, position)
            elif token["special"]:
                self._special(token["special"])
            elif token["angle"] is None:
                self._words.append(token["word"] or " ")
            else:
                self._set_angle(token["angle"], complete=token[0].endswith(">"))

    def _set_angle(self, angle: str, *, complete: bool) -> None:
        if not complete:
            self.problems.append("an address does not end")
        if self._angle is None:
            self._angle = angle
        else:
            self.problems.append("two addresses without a comma between them")

    def _end_of_comment(self, line: str, position: int) -> int:
        depth = 1
        for found in _COMMENT.finditer(line, position):
            depth += {"(": 1, ")": -1}.get(found[0], 0)
            if not depth:
                self._comment = line[position : found.start()]
                return found.end()
        self.problems.append("a comment does not end")
        return len(line)

    def _special(self, character: str) -> None:
        if character == ",":
            self._end_mailbox()
        elif character == ";" and self._members is not None:
            self._end_mailbox()
            self._end_group()
        elif character == ":" and self._may_begin_group() and (name := self._phrase()):
            self._members, self._group, self._words, self._comment = [], name, [], ""
        else:
            self.problems.append(f"an unexpected {character!r}")
            self._end_mailbox()

    def _may_begin_group(self) -> bool:
        return self._members is None and self._angle is None

    def _end_group(self) -> None:
        self.groups.append(Group(self._group, self._members or []))
        self._members = None

    def _phrase(self) -> str:
        """Return the words so far as a display name."""
        return self._decoded("".join(map(unquoted, self._words)))

    def _decoded(self, words: str) -> str:
        text, problems = with_words_decoded(words)
        self.problems += problems
        return " ".join(text.split())

    def _end_mailbox(self) -> None:
        words, angle = "".join(self._words).strip(), self._angle
        # The old way to write a name: root@example.org (Cron Daemon).
        comment = _ESCAPED.sub(r"\1", self._comment)
        display = self._decoded(comment) if angle is None else self._phrase()
        self._words, self._angle, self._comment = [], None, ""
        if not words and angle is None:
            return
        spec = words if angle is None else angle.strip()
        if spec.startswith("@"):
            # An obsolete route (RFC 5322 section 4.4).
            spec = spec.rpartition(":")[2].strip()
        found = _SPEC.fullmatch(spec)
        if found is None:
            self.problems.append("not an address")
            return
        local = found["local"] or _ESCAPED.sub(r"\1", found["quoted"] or "")
        address = Address(display, local, found["domain"])
        if self._members is None:
            self.groups.append(Group(None, [address]))
        else:
            self._members.append(address)
