"""The failures that are known, so that a run fails only for new ones."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from types import NoneType

from .._arguments import require, require_items
from ..errors import LocalProtocolError, printable

__all__ = ["Baseline"]

_NUMBER = re.compile(r"[A-Z][0-9]{3}")
_HEAD = "# Known failures of a conformance run: the number of a case, and why it fails.\n"
_LONGEST = 300


class Baseline(Mapping[str, str]):
    """Numbers of cases that are known to fail, with the reasons.

    As text it has a line for each, ``S101 the reason``. Empty lines, and lines that begin with
    ``#``, are ignored.
    """

    def __init__(self, known: Mapping[str, str] | None = None) -> None:
        require("known", known, (Mapping, NoneType), "a mapping of numbers to reasons")
        self._known = dict(known or {})

    def __getitem__(self, number: str) -> str:
        return self._known[number]

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)

    @classmethod
    def load(cls, lines: Iterable[str]) -> Baseline:
        """Return the baseline that ``lines`` describe, for example those of a file open for text.

        Raises ``LocalProtocolError``, which names the line, if one has no number of a case.
        """
        require_items("lines are a list of str, not", lines)
        known: dict[str, str] = {}
        for count, line in enumerate(lines, 1):
            require("a line", line, str, "a str")
            number, _, reason = line.strip().partition(" ")
            if not number or number.startswith("#"):
                continue
            if not _NUMBER.fullmatch(number):
                raise LocalProtocolError(
                    f"baseline, line {count}: not the number of a case, such as S101:"
                    f" {printable(number, 40)!r}",
                    hint="",
                )
            known[number] = reason.strip()
        return cls(known)

    def dumps(self) -> str:
        """Return the text form."""
        rows = [f"{n} {printable(self[n], _LONGEST)}".rstrip() + "\n" for n in sorted(self)]
        return _HEAD + "".join(rows)
