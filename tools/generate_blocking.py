"""Write src/pop3proto/client/_blocking.py, the blocking client, from the async one.

``python tools/generate_blocking.py`` writes it; with ``--check`` the exit code is 1 if it is not
current. Each public method of ``AsyncClient``, ``AsyncMessageStream`` and ``AsyncBatch`` becomes
one of the same signature, without ``async``, which runs the coroutine of the original over a
stream that never suspends.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

SOURCE = Path(__file__).resolve().parent.parent / "src" / "pop3proto" / "client"
TARGET = SOURCE / "_blocking.py"
WIDTH = 100

Function = ast.FunctionDef | ast.AsyncFunctionDef

HEAD = '''"""The client for blocking code.

Written by tools/generate_blocking.py from the async client: change that one, and run it again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from os import PathLike
from types import TracebackType
from typing import TYPE_CHECKING, Generic, Self, TypeVar, overload

from ..errors import CommandError
from ..model.capabilities import Capabilities
from ..model.commands import Command
from ..model.leniency import Deviation
from ..model.listings import Listing, Listings
from ..model.replies import Greeting, LangReply, Language, Message, Ok, StatReply
from ..model.secret import Secret
from ..model.states import State
from ..sasl import Mechanism
from .batch import AsyncBatch
from .client import AsyncClient
from .message import AsyncMessageStream, SupportsWrite
from .options import ClientOptions, LoginResult, QuitResult, Security, SecurityName
from .stepping import at_once, run
from .stream import Stream
from .turn import MAX_COLLECTED_OCTETS, Progress

if TYPE_CHECKING:
    from ssl import SSLContext, SSLObject

__all__ = ["Batch", "Client", "MessageStream"]

R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)
'''

CLIENT = '''

class Client:
    """A POP3 client over blocking sockets; ``connect()`` makes it.

    Every method does what the method of the same name of ``AsyncClient`` does, and raises what
    that one raises.
    """

    __slots__ = ("_client",)

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    def __enter__(self) -> Self:
        return self

    def __repr__(self) -> str:
        return repr(self._client).replace("AsyncClient", "Client", 1)
'''

STREAM = '''

class MessageStream:
    """``AsyncMessageStream`` for blocking code: ``for chunk in client.retr_stream(1): ...``."""

    __slots__ = ("_stream",)

    def __init__(self, stream: AsyncMessageStream) -> None:
        self._stream = stream

    def __enter__(self) -> Self:
        return self

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        """Return the next octets; raise what ``AsyncMessageStream.__anext__`` raises."""
        try:
            return run(self._stream.__anext__())
        except StopAsyncIteration:
            raise StopIteration from None
'''

BATCH = '''

class Batch(Generic[R_co]):
    """``AsyncBatch`` for blocking code: ``for message in client.retr_many(...): ...``."""

    __slots__ = ("_at_hand", "_batch")

    def __init__(self, batch: AsyncBatch[R_co]) -> None:
        self._batch = batch
        self._at_hand = batch._item_at_hand  # pyright: ignore[reportPrivateUsage]

    def __enter__(self) -> Self:
        return self

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> R_co:
        """Return the next result; raise what ``AsyncBatch.__anext__`` raises."""
        # Nearly every result of small messages is at hand, and needs no coroutine.
        item = self._at_hand()
        if item is None:
            try:
                item = run(self._batch._next_item())  # pyright: ignore[reportPrivateUsage]
            except StopAsyncIteration:
                raise StopIteration from None
        if isinstance(item, CommandError):
            raise item
        return item

    def outcomes(self) -> Iterator[R_co | CommandError]:
        """Iterate over the results, with a ``CommandError`` for each command that was refused.

        ``isinstance(outcome, CommandError)`` tells them apart. Raises what the batch raises, except
        for those.
        """
        while True:
            while (item := self._at_hand()) is not None:
                yield item
            try:
                item = run(self._batch._next_item())  # pyright: ignore[reportPrivateUsage]
            except StopAsyncIteration:
                return
            yield item
'''


class Mirrored(NamedTuple):
    """A class of the blocking client, and the classes from which its methods come."""

    head: str
    inner: str
    sources: tuple[tuple[str, str], ...]


CLASSES = (
    Mirrored(
        CLIENT,
        "self._client",
        (
            ("session", "Session"),
            ("authentication", "AuthenticatingSession"),
            ("client", "AsyncClient"),
        ),
    ),
    Mirrored(STREAM, "self._stream", (("message", "AsyncMessageStream"),)),
    Mirrored(BATCH, "self._batch", (("batch", "AsyncBatch"),)),
)
OTHER_NAMES = {"aclose": "close", "__aexit__": "__exit__"}
# The classes that a blocking one stands for, where a value of the original is wrapped.
WRAPPED = {"AsyncBatch": "Batch", "AsyncMessageStream": "MessageStream"}
TYPES = {**WRAPPED, "AsyncClient": "Client", "_GetToken": "Callable[[], str]"}
WORDS = {"async with": "with", "async for": "for", "await ": "", "aclose()": "close()", **TYPES}
# They are part of the heads, because they are not like the originals.
BY_HAND = {
    "_item_at_hand",
    "_next_item",
    "outcomes",
    "__aenter__",
    "__aiter__",
    "__anext__",
    "__init__",
    "__repr__",
}


def translated(text: str, words: dict[str, str]) -> str:
    """Return the text with the words of blocking code."""
    for theirs, ours in words.items():
        text = re.sub(rf"(?<!\w){re.escape(theirs)}", ours, text)
    return text


def methods(module: str, name: str) -> Iterator[Function]:
    """Find the methods of a class that are mirrored."""
    tree = ast.parse((SOURCE / f"{module}.py").read_text("utf-8"))
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            for member in node.body:
                if isinstance(member, Function):
                    public = not member.name.startswith("_") or member.name == "__aexit__"
                    if public and member.name not in BY_HAND:
                        yield member


def attributes(module: str, name: str) -> Iterator[tuple[str, str, str]]:
    """Find what ``__init__()`` sets and describes: name, type and description."""
    tree = ast.parse((SOURCE / f"{module}.py").read_text("utf-8"))
    for node in tree.body:
        members = node.body if isinstance(node, ast.ClassDef) and node.name == name else []
        for init in members:
            steps = init.body if isinstance(init, Function) and init.name == "__init__" else []
            for first, second in pairwise(steps):
                match first, second:
                    case (
                        ast.AnnAssign(target=ast.Attribute(attr=attribute), annotation=kind),
                        ast.Expr(value=ast.Constant(value=str(text))),
                    ):
                        yield attribute, ast.unparse(kind), text


def called(function: str, arguments: list[str], indent: int, before: str, after: str) -> list[str]:
    """Lay out a call, or a signature, as ruff does."""
    pad = " " * indent
    flat = f"{pad}{before}{function}({', '.join(arguments)}){after}"
    if len(flat) <= WIDTH:
        return [flat]
    inside = f"{pad}    {', '.join(arguments)}"
    if len(inside) <= WIDTH:
        lines = [inside]
    else:
        lines = [f"{pad}    {argument}," for argument in arguments]
    return [f"{pad}{before}{function}(", *lines, f"{pad}){after}"]


def parameters(function: Function) -> list[str]:
    """Return the parameters as they are written."""
    taken = function.args
    defaults = [None] * (len(taken.args) - len(taken.defaults)) + list(taken.defaults)
    written = [
        *zip(taken.args, defaults, strict=True),
        *zip(taken.kwonlyargs, taken.kw_defaults, strict=True),
    ]
    found: list[str] = []
    for argument, default in written:
        text = argument.arg
        if argument.annotation is not None:
            text += f": {ast.unparse(argument.annotation)}"
        if default is not None:
            equals = " = " if argument.annotation is not None else "="
            text += f"{equals}{ast.unparse(default)}"
        found.append(translated(text, TYPES))
    if taken.kwonlyargs:
        found.insert(len(taken.args), "*")
    return found


def body(function: Function, inner: str) -> list[str]:
    """Return the lines that call the original."""
    lines: list[str] = []
    taken = function.args
    for argument in [*taken.args, *taken.kwonlyargs]:
        kind = "" if argument.annotation is None else ast.unparse(argument.annotation)
        if "_GetToken" in kind:
            lines.append(f"        {argument.arg} = at_once({argument.arg})")
        elif "Secret" in kind:
            lines.append(f"        {argument.arg} = Secret({argument.arg})")
    arguments = [argument.arg for argument in taken.args[1:]]
    arguments += [f"{argument.arg}={argument.arg}" for argument in taken.kwonlyargs]
    returned = "" if function.returns is None else ast.unparse(function.returns)
    if function.name == "start":
        inner, wrapper = "AsyncClient", "cls"
        call = called("AsyncClient.start", arguments, 16, "", "")
        return [
            *lines,
            "        return cls(",
            "            run(",
            *call,
            "            )",
            "        )",
        ]
    wrapper = ""
    if isinstance(function, ast.AsyncFunctionDef):
        wrapper = "run"
    elif (kind := returned.split("[")[0]) in WRAPPED:
        wrapper = WRAPPED[kind]
    name = f"{inner}.{function.name}"
    before = "" if returned == "None" else "return "
    flat = f"{name}({', '.join(arguments)})"
    if not wrapper:
        return [*lines, *called(name, arguments, 8, before, "")]
    if len(line := f"        {before}{wrapper}({flat})") <= WIDTH:
        return [*lines, line]
    call = called(name, arguments, 12, "", "")
    return [*lines, f"        {before}{wrapper}(", *call, "        )"]


def method(function: Function, inner: str, overloaded: set[str]) -> list[str]:
    """Return the lines of a method that mirrors ``function``."""
    name = OTHER_NAMES.get(function.name, function.name)
    decorators = [ast.unparse(decorator) for decorator in function.decorator_list]
    returns = "" if function.returns is None else translated(ast.unparse(function.returns), TYPES)
    lines = [f"    @{decorator}" for decorator in decorators]
    if "overload" in decorators:
        return [*lines, *called(name, parameters(function), 4, "def ", f" -> {returns}: ...")]
    lines += called(name, parameters(function), 4, "def ", f" -> {returns}:")
    if (doc := ast.get_docstring(function, clean=False)) is not None:
        lines += f'        """{translated(doc, WORDS)}"""'.split("\n")
    if "property" in decorators:
        return [*lines, f"        return {inner}.{function.name}", ""]
    if name in overloaded:
        argument = function.args.args[1].arg
        lines += [f"        if {argument} is None:", f"            return run({inner}.{name}())"]
    return [*lines, *body(function, inner), ""]


def generated() -> str:
    """Return the module."""
    lines = [HEAD]
    for mirrored in CLASSES:
        lines.append(mirrored.head)
        for source in mirrored.sources:
            for attribute, kind, text in attributes(*source):
                lines += ["    @property", f"    def {attribute}(self) -> {kind}:"]
                lines += [f'        """{text}"""', f"        return {mirrored.inner}.{attribute}"]
                lines.append("")
            found = list(methods(*source))
            overloaded = {f.name for f in found if any(is_overload(d) for d in f.decorator_list)}
            for function in found:
                lines += method(function, mirrored.inner, overloaded)
        while not lines[-1]:
            lines.pop()
        lines[-1] += "\n"
    return "\n".join(lines).rstrip().replace("\n\n\n\n", "\n\n\n") + "\n"


def is_overload(decorator: ast.expr) -> bool:
    """Return True for ``@overload``."""
    return ast.unparse(decorator) == "overload"


def main() -> int:
    """Write the module, or check that it is current."""
    code = generated()
    if "--check" in sys.argv[1:]:
        current = TARGET.read_text("utf-8") == code
        print("" if current else "_blocking.py is not current", end="" if current else "\n")
        return 0 if current else 1
    TARGET.write_text(code, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
