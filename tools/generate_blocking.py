"""Write the blocking client, src/pop3proto/client/_blocking*.py, from the async one.

``python tools/generate_blocking.py`` writes it; with ``--check`` the exit code is 1 if it is not
current. Each public class becomes one without ``Async`` in its name, and each of its public methods
becomes one of the same signature and docstring, without ``async``, which runs the coroutine of the
original over a stream that never suspends.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from textwrap import fill, indent
from typing import NamedTuple

SOURCE = Path(__file__).resolve().parent.parent / "src" / "pop3proto" / "client"
WIDTH = 100

Function = ast.FunctionDef | ast.AsyncFunctionDef


class Mirrored(NamedTuple):
    """A blocking class, the async ones whose methods it has, each with its module, and its base.

    The last of the async classes gives the docstring. With a base, there is nothing to construct.
    """

    name: str
    inner: str
    sources: tuple[tuple[str, str], ...]
    base: str = ""


SESSION = Mirrored(
    "BlockingSession",
    "AsyncClient",
    (("session", "Session"), ("authentication", "AuthenticatingSession")),
)
CLIENT = Mirrored("Client", "AsyncClient", (("client", "AsyncClient"),), base="BlockingSession")
BATCH = Mirrored("Batch", "AsyncBatch", (("batch", "AsyncBatch"),))
MESSAGE = Mirrored("MessageStream", "AsyncMessageStream", (("message", "AsyncMessageStream"),))
FILES: dict[str, tuple[str, tuple[Mirrored, ...]]] = {
    "_blocking.py": ("The client for blocking code.", (CLIENT,)),
    "_blocking_session.py": ("A session, with its logins, for blocking code.", (SESSION,)),
    "_blocking_turns.py": ("Batches and message streams for blocking code.", (BATCH, MESSAGE)),
}

RENAMED = {
    "aclose": "close",
    "__aenter__": "__enter__",
    "__aexit__": "__exit__",
    "__aiter__": "__iter__",
    "__anext__": "__next__",
}
# The classes that a blocking one stands for, where a value of the original is wrapped.
WRAPPED = {"AsyncBatch": "Batch", "AsyncMessageStream": "MessageStream"}
TYPES = {
    **WRAPPED,
    "AsyncClient": "Client",
    "AsyncIterator": "Iterator",
    "_GetToken": "Callable[[RefusedToken | None], str]",
}
WORDS = {
    "async with": "with",
    "async for": "for",
    "await ": "",
    "aclose()": "close()",
    "another task": "another thread",
    "a cancellation": "``KeyboardInterrupt``",
    **TYPES,
}
# Where the names come from that the async modules do not import.
FURTHER_IMPORTS = """
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING
from ..model.secret import Secret
from ._blocking_session import BlockingSession
from ._blocking_turns import Batch, MessageStream
from .client import AsyncClient
from .stepping import at_once, run
"""
# What does not follow from the original: attributes beside the original, and bodies.
SLOTS = {"Batch": {"_at_hand": "batch._item_at_hand"}}
NEXT_ITEM = "run(self._batch._next_item())  # pyright: ignore[reportPrivateUsage]"
BODIES = {
    "BlockingSession.__repr__": 'return repr(self._client).replace("AsyncClient", "Client", 1)',
    "MessageStream.__anext__": """
try:
    return run(self._stream.__anext__())
except StopAsyncIteration:
    raise StopIteration from None
""",
    "Batch.__anext__": f"""
# Nearly every result of small messages is at hand, and needs no coroutine.
item = self._at_hand()
if item is None:
    try:
        item = {NEXT_ITEM}
    except StopAsyncIteration:
        raise StopIteration from None
if isinstance(item, CommandError):
    raise item
return item
""",
    "Batch.outcomes": f"""
while True:
    while (item := self._at_hand()) is not None:
        yield item
    try:
        item = {NEXT_ITEM}
    except StopAsyncIteration:
        return
    yield item
""",
}


def translated(text: str, words: dict[str, str]) -> str:
    """Return the text with the words of blocking code."""
    for theirs, ours in words.items():
        text = re.sub(rf"(?<!\w){re.escape(theirs)}", ours, text)
    return text


def parsed(module: str) -> ast.Module:
    """Return the code of a module of the client."""
    return ast.parse((SOURCE / f"{module}.py").read_text("utf-8"))


def class_of(module: str, name: str) -> ast.ClassDef:
    """Find a class."""
    found = [n for n in parsed(module).body if isinstance(n, ast.ClassDef) and n.name == name]
    return found[0]


def methods(node: ast.ClassDef) -> Iterator[Function]:
    """Find the methods of a class that are mirrored."""
    for member in node.body:
        if isinstance(member, Function):
            name = member.name
            if not name.startswith("_") or name in RENAMED or name == "__repr__":
                yield member


def attributes(node: ast.ClassDef) -> Iterator[tuple[str, str, str]]:
    """Find what ``__init__()`` sets and describes: name, type and description."""
    for init in node.body:
        steps = init.body if isinstance(init, Function) and init.name == "__init__" else []
        for first, second in pairwise(steps):
            match first, second:
                case (
                    ast.AnnAssign(target=ast.Attribute(attr=attribute), annotation=kind),
                    ast.Expr(value=ast.Constant(value=str(text))),
                ):
                    yield attribute, ast.unparse(kind), text


def documented(node: ast.ClassDef | Function, pad: str) -> list[str]:
    """Return the docstring, in the words of blocking code."""
    if (doc := ast.get_docstring(node, clean=False)) is None:
        return []
    # The quotes at the end stand in a line of their own, or after the last word.
    text, newline, rest = f'{pad}"""{doc}"""'.rpartition(f'\n{pad}"')
    paragraphs = (text if newline else rest).split("\n\n")
    filled_in = "\n\n".join(filled(paragraph, pad) for paragraph in paragraphs)
    return (f"{filled_in}{newline}{rest}" if newline else filled_in).split("\n")


def filled(paragraph: str, pad: str) -> str:
    """Translate a paragraph; break its lines anew, if words have changed and it is no program."""
    text = translated(paragraph, WORDS)
    if text == paragraph or any(line.startswith(f"{pad} ") for line in text.split("\n")):
        return text
    return fill(" ".join(text.split()), WIDTH, initial_indent=pad, subsequent_indent=pad)


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


def body(function: Function, mirrored: Mirrored, inner: str) -> list[str]:
    """Return the lines that call the original."""
    if (by_hand := BODIES.get(f"{mirrored.name}.{function.name}")) is not None:
        return indent(by_hand.strip(), " " * 8).split("\n")
    if [ast.unparse(step) for step in function.body] == ["return self"]:
        return ["        return self"]
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
    if taken.args[0].arg == "cls":
        call = called(f"{mirrored.inner}.{function.name}", arguments, 16, "", "")
        call = ["            run(", *call, "            )"]
        return [*lines, "        return cls(", *call, "        )"]
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


def method(function: Function, mirrored: Mirrored, inner: str, overloaded: set[str]) -> list[str]:
    """Return the lines of a method that mirrors ``function``."""
    name = RENAMED.get(function.name, function.name)
    decorators = [ast.unparse(decorator) for decorator in function.decorator_list]
    returns = "" if function.returns is None else translated(ast.unparse(function.returns), TYPES)
    lines = [f"    @{decorator}" for decorator in decorators]
    if "overload" in decorators:
        return [*lines, *called(name, parameters(function), 4, "def ", f" -> {returns}: ...")]
    lines += called(name, parameters(function), 4, "def ", f" -> {returns}:")
    lines += documented(function, " " * 8)
    if "property" in decorators:
        return [*lines, f"        return {inner}.{function.name}", ""]
    if name in overloaded:
        argument = function.args.args[1].arg
        lines += [f"        if {argument} is None:", f"            return run({inner}.{name}())"]
    return [*lines, *body(function, mirrored, inner), ""]


def mirror(mirrored: Mirrored) -> list[str]:
    """Return the lines of a blocking class."""
    nodes = [class_of(*source) for source in mirrored.sources]
    short = re.findall("[A-Z][a-z]+", mirrored.inner)[-1].lower()
    inner = f"self._{short}"
    generic = [text for base in nodes[-1].bases if "Generic" in (text := ast.unparse(base))]
    bases = [mirrored.base] if mirrored.base else generic
    lines = [f"class {mirrored.name}({', '.join(bases)}):".replace("()", "")]
    lines += [*documented(nodes[-1], " " * 4), ""]
    if mirrored.base:
        lines += ["    __slots__ = ()", ""]
    else:
        taken = mirrored.inner + "".join(base.removeprefix("Generic") for base in generic)
        lines += construction(short, taken, SLOTS.get(mirrored.name, {}))
    for node in nodes:
        for attribute, kind, text in attributes(node):
            lines += ["    @property", f"    def {attribute}(self) -> {kind}:"]
            lines += [f'        """{text}"""', f"        return {inner}.{attribute}", ""]
        found = list(methods(node))
        overloaded = {f.name for f in found if any(is_overload(d) for d in f.decorator_list)}
        for function in found:
            lines += method(function, mirrored, inner, overloaded)
    return lines


def construction(short: str, kind: str, further: dict[str, str]) -> list[str]:
    """Return the lines by which an object is made from the async one."""
    slots = ", ".join(f'"{slot}"' for slot in sorted([*further, f"_{short}"]))
    private = "  # pyright: ignore[reportPrivateUsage]"
    return [
        f"    __slots__ = ({slots}{'' if further else ','})",
        "",
        f"    def __init__(self, {short}: {kind}) -> None:",
        f"        self._{short} = {short}",
        *(f"        self.{slot} = {found}{private}" for slot, found in further.items()),
        "",
    ]


def is_overload(decorator: ast.expr) -> bool:
    """Return True for ``@overload``."""
    return ast.unparse(decorator) == "overload"


class Names:
    """Where each name of some modules comes from: an import, or the statement that makes it."""

    def __init__(self, modules: Iterable[str]) -> None:
        self.imports: dict[str, str] = {}
        self.variables: dict[str, str] = {}
        self._take(ast.parse(FURTHER_IMPORTS).body, "")
        for module in modules:
            self._take(parsed(module).body, module)

    def _take(self, statements: list[ast.stmt], module: str) -> None:
        for node in statements:
            match node:
                case ast.ImportFrom():
                    place = "." * node.level + (node.module or "")
                    for alias in node.names:
                        self.imports.setdefault(alias.name, place)
                case ast.ClassDef(name=name):
                    self.imports.setdefault(name, f".{module}")
                case ast.If(test=ast.Name(id="TYPE_CHECKING")):
                    self._take(node.body, module)
                case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call(func=made)):
                    if ast.unparse(made) == "TypeVar":
                        self.variables[name] = ast.unparse(node).replace("'", '"')
                case _:
                    pass


def rank(name: str) -> tuple[int, str]:
    """Constants, then classes, then everything else, as the tools sort them."""
    return (0 if name.isupper() else 1 if name[:1].isupper() else 2, name)


def names_in(tree: ast.AST) -> tuple[set[str], set[str]]:
    """Return the names that the code needs to run, and all names, with those of annotations."""
    every = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    for node in ast.walk(tree):
        match node:
            case ast.arg() | ast.AnnAssign():
                node.annotation = ast.Constant(None)
            case ast.FunctionDef():
                node.returns = None
            case _:
                pass
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}, every


def imports(names: Iterable[str], known: Names) -> list[str]:
    """Return the lines that import ``names``, as ruff sorts them."""
    places: dict[str, list[str]] = {}
    for name in names:
        if place := known.imports.get(name, ""):
            places.setdefault(place, []).append(name)
    lines: list[str] = []
    # The standard library first, and then the packages further up.
    dots = {place: len(place) - len(place.lstrip(".")) for place in places}
    for place in sorted(places, key=lambda place: (dots[place] > 0, -dots[place], place)):
        if lines and dots[place] and not lines[-1].startswith("from ."):
            lines.append("")
        found = sorted(places[place], key=rank)
        line = f"from {place} import {', '.join(found)}"
        if len(line) > WIDTH:
            lines += [f"from {place} import (", *(f"    {name}," for name in found), ")"]
        else:
            lines.append(line)
    return lines


def generated(title: str, classes: tuple[Mirrored, ...]) -> str:
    """Return a module."""
    bodies = ["\n".join(mirror(mirrored)).rstrip() for mirrored in classes]
    known = Names(module for mirrored in classes for module, _ in mirrored.sources)
    own = {mirrored.name for mirrored in classes}
    tree = ast.parse("\n".join(bodies))
    needed, used = names_in(tree)
    needed, used = needed - own, used - own
    variables = [known.variables[name] for name in sorted(used & set(known.variables))]
    needed |= {"TypeVar"} if variables else set()
    exported = ", ".join(f'"{name}"' for name in sorted(own))
    for_typing = imports(used - needed, known)
    needed |= {"TYPE_CHECKING"} if for_typing else set()
    lines = [
        f'"""{title}',
        "",
        "Written by tools/generate_blocking.py from the async client: change that one, and run it "
        'again.\n"""',
        "",
        "from __future__ import annotations",
        "",
        *imports(needed, known),
        "",
        *(
            ["if TYPE_CHECKING:", *(f"    {line}".rstrip() for line in for_typing), ""]
            if for_typing
            else []
        ),
        f"__all__ = [{exported}]",
        *(["", *variables] if variables else []),
    ]
    return "\n\n\n".join(["\n".join(lines), *bodies]) + "\n"


def main() -> int:
    """Write the modules, or check that they are current."""
    stale = 0
    for name, (title, classes) in FILES.items():
        code, path = generated(title, classes), SOURCE / name
        if "--check" not in sys.argv[1:]:
            path.write_text(code, "utf-8")
        elif not path.exists() or path.read_text("utf-8") != code:
            print(f"{name} is not current")
            stale = 1
    return stale


if __name__ == "__main__":
    sys.exit(main())
