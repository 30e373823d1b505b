"""How much work a piece of code does, counted and not timed: the same number on every machine.

Counted are the lines of the package that run, the characters of each new text that has a name, and
the steps of each regular expression, which backtracks here as the real one does.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from functools import cache, lru_cache
from pathlib import Path
from types import FrameType
from typing import Any

import pop3proto

PACKAGE = str(Path(pop3proto.__file__).parent)
# Far more than a linear parser needs for 32 thousand characters.
MOST_STEPS = 50_000_000
_PARSER: Any = re._parser  # type: ignore[attr-defined]
_CATEGORIES = {"DIGIT": r"\d", "SPACE": r"\s", "WORD": r"\w"}

Text = str | bytes
Test = Callable[[int], bool]
Code = list[tuple[Any, ...]]


class TooMuchWorkError(AssertionError):
    """The work has no end that is worth waiting for."""


class Work:
    """A context in which the package's work is counted."""

    def __init__(self, most: int = MOST_STEPS) -> None:
        self.steps = 0
        self.most = most
        self._known: dict[int, Text] = {}
        self._undo: list[Callable[[], None]] = []

    def add(self, steps: int) -> None:
        self.steps += steps
        if self.steps > self.most:
            raise TooMuchWorkError(f"more than {self.most} steps")

    def __enter__(self) -> Work:
        for name, module in [*sys.modules.items()]:
            if name.partition(".")[0] == "pop3proto":
                for attribute, content in [*vars(module).items()]:
                    if isinstance(content, re.Pattern):
                        self._put(module, attribute, Counting(content, self))
        for method in ("match", "fullmatch", "search", "findall", "finditer", "sub"):
            self._put(re, method, self._function(method))
        self._traced = sys.gettrace()
        sys.settrace(self._trace)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(self._traced)
        for undo in self._undo:
            undo()

    def _put(self, place: Any, name: str, content: object) -> None:
        old = getattr(place, name)
        self._undo.append(lambda: setattr(place, name, old))
        setattr(place, name, content)

    def _function(self, method: str) -> Callable[..., Any]:
        def function(pattern: Any, *arguments: Any, flags: int = 0) -> Any:
            if method != "sub" and len(arguments) > 1:
                *arguments, flags = arguments  # type: ignore[assignment]
            compiled = pattern if isinstance(pattern, Counting) else re.compile(pattern, flags)
            counting = compiled if isinstance(compiled, Counting) else Counting(compiled, self)
            return getattr(counting, method)(*arguments)

        return function

    def _trace(self, frame: FrameType, event: str, _: object) -> Any:
        if not frame.f_code.co_filename.startswith(PACKAGE):
            return None
        return self._line

    def _line(self, frame: FrameType, event: str, _: object) -> Any:
        self.add(1)
        for content in frame.f_locals.values():
            if isinstance(content, str | bytes) and id(content) not in self._known:
                # Kept, so that no other text gets its identity.
                self._known[id(content)] = content
                self.add(len(content))
        return self._line


class Counting:
    """A compiled pattern that counts its steps."""

    def __init__(self, pattern: re.Pattern[Any], work: Work) -> None:
        self._pattern = pattern
        self._work = work

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pattern, name)

    def match(self, text: Text) -> Any:
        self._run(text, 0, full=False)
        return self._pattern.match(text)

    def fullmatch(self, text: Text) -> Any:
        end = self._run(text, 0, full=True)
        found = self._pattern.fullmatch(text)
        assert (end is None) is (found is None)
        return found

    def search(self, text: Text, start: int = 0) -> Any:
        self._search(text, start)
        return self._pattern.search(text, start)

    def findall(self, text: Text) -> Any:
        self._all(text)
        return self._pattern.findall(text)

    def finditer(self, text: Text) -> Iterator[Any]:
        self._all(text)
        return self._pattern.finditer(text)

    def sub(self, put: Any, text: Text) -> Any:
        self._all(text)
        return self._pattern.sub(put, text)

    def _all(self, text: Text) -> None:
        position: int | None = 0
        while position is not None and position <= len(text):
            position = self._search(text, position)

    def _search(self, text: Text, start: int) -> int | None:
        """Return where to go on after the next match."""
        for position in range(start, len(text) + 1):
            end = self._run(text, position, full=False)
            if end is not None:
                return max(end, position + 1)
        return None

    def _run(self, text: Text, start: int, *, full: bool) -> int | None:
        """Return the end of the match at ``start``, as a backtracking matcher finds it."""
        characters = text if isinstance(text, bytes) else _characters(text)
        code, size = program(self._pattern), len(text)
        # Where to go on, and the first and the last position to do so from: the last one first.
        stack = [(0, start, start)]
        steps = 1
        while stack:
            at, low, position = stack.pop()
            if low < position:
                stack.append((at, low, position - 1))
            while True:
                steps += 1
                operation, *more = code[at]
                if operation == "match":
                    if not full or position == size:
                        self._work.add(steps)
                        return position
                    break
                if operation == "one":
                    if position >= size or not more[0](characters[position]):
                        break
                    position += 1
                elif operation == "repeat":
                    test, least, most = more
                    end = position
                    while end < size and end - position < most and test(characters[end]):
                        end += 1
                    steps += end - position
                    if end - position < least:
                        break
                    if end > position + least:
                        stack.append((at + 1, position + least, end - 1))
                    position = end
                elif operation == "split":
                    stack.append((more[1], position, position))
                    at = more[0]
                    continue
                elif operation == "jump":
                    at = more[0]
                    continue
                elif not (position == 0 if operation == "begin" else position == size):
                    break
                at += 1
            if steps > self._work.most:
                self._work.add(steps)
        self._work.add(steps)
        return None


@lru_cache(4)
def _characters(text: str) -> list[int]:
    return [ord(character) for character in text]


@cache
def program(pattern: re.Pattern[Any]) -> Code:
    """Return a pattern as instructions for a backtracking matcher."""
    fold = bool(pattern.flags & re.IGNORECASE)
    code: Code = []
    _sequence(_PARSER.parse(pattern.pattern, pattern.flags), fold, code)
    return [*code, ("match",)]


def _sequence(nodes: Any, fold: bool, code: Code) -> None:
    for operation, argument in nodes:
        _node(str(operation), argument, fold, code)


def _node(operation: str, argument: Any, fold: bool, code: Code) -> None:
    if (test := _test(operation, argument, fold)) is not None:
        code.append(("one", test))
    elif operation == "SUBPATTERN":
        _sequence(argument[3], fold, code)
    elif operation == "BRANCH":
        jumps: list[int] = []
        for number, branch in enumerate(argument[1]):
            split = len(code)
            last = number == len(argument[1]) - 1
            if not last:
                code.append(())
            _sequence(branch, fold, code)
            jumps.append(len(code))
            code.append(())
            if not last:
                code[split] = ("split", split + 1, len(code))
        for jump in jumps:
            code[jump] = ("jump", len(code))
    elif operation == "MAX_REPEAT":
        least, most, inner = argument
        single = _test(str(inner[0][0]), inner[0][1], fold) if len(inner) == 1 else None
        if single is not None:
            code.append(("repeat", single, least, sys.maxsize if most > 65535 else most))
            return
        for _ in range(least):
            _sequence(inner, fold, code)
        if most > 65535:
            start = len(code)
            code.append(())
            _sequence(inner, fold, code)
            code.append(("jump", start))
            code[start] = ("split", start + 1, len(code))
            return
        splits: list[int] = []
        for _ in range(most - least):
            splits.append(len(code))
            code.append(())
            _sequence(inner, fold, code)
        for split in splits:
            code[split] = ("split", split + 1, len(code))
    elif operation == "AT":
        code.append(("begin" if "BEGINNING" in str(argument) else "end",))
    else:
        raise NotImplementedError(operation)


def _test(operation: str, argument: Any, fold: bool) -> Test | None:
    if operation == "ANY":
        return lambda character: character != 10
    if operation in ("LITERAL", "NOT_LITERAL"):
        items = [("LITERAL", argument)]
        return _set(items, fold, negated=operation == "NOT_LITERAL")
    if operation == "IN":
        items = [(str(kind), content) for kind, content in argument]
        return _set(items, fold, negated=("NEGATE", None) in items)
    return None


def _set(items: list[tuple[str, Any]], fold: bool, *, negated: bool) -> Test:
    def inside(character: int) -> bool:
        for kind, content in items:
            if kind == "LITERAL" and content == character:
                return True
            if kind == "RANGE" and content[0] <= character <= content[1]:
                return True
            if kind == "CATEGORY":
                name = str(content).removeprefix("CATEGORY_")
                here = re.compile(_CATEGORIES[name.removeprefix("NOT_")]).match(chr(character))
                if (here is None) is name.startswith("NOT_"):
                    return True
        return False

    @cache
    def test(character: int) -> bool:
        forms = {character}
        if fold:
            forms |= {
                ord(form)
                for form in (chr(character).lower(), chr(character).upper())
                if len(form) == 1
            }
        return any(map(inside, forms)) is not negated

    return test
