"""Write docs/reference.md: every public name, with the first sentence of its docstring.

``python docs/make_reference.py`` writes the page. With ``--check`` it writes nothing, and exits
with 1 if the page is out of date.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from textwrap import dedent
from types import ModuleType
from typing import cast

PAGE = Path(__file__).with_name("reference.md")
MODULES = {
    "pop3proto": "the engines for both ends, commands, replies, events, values",
    "pop3proto.errors": "all exceptions",
    "pop3proto.mail": "reading messages that may be hostile",
    "pop3proto.model": "the less common values",
    "pop3proto.transports": "names that the clients of all runtimes share",
    "pop3proto.transports.blocking": "the client for blocking code",
    "pop3proto.transports.asyncio": "the client for asyncio",
    "pop3proto.transports.trio": "the client for Trio",
    "pop3proto.transports.anyio": "the client for AnyIO",
    "pop3proto.sasl": "logging in: SASL mechanisms for clients",
    "pop3proto.sasl.server": "SASL mechanisms for servers",
    "pop3proto.transcript": "recording and replaying sessions",
    "pop3proto.server": "a session for the server's end, and maildrops",
    "pop3proto.sync": "fetching mail: a planner without I/O, records, places for messages",
    "pop3proto.testing": "test servers, scripts, bad networks",
    "pop3proto.testing.fuzz": "a fuzzer for both engines, on your own transcripts",
    "pop3proto.testing.strategies": "strategies for Hypothesis",
    "pop3proto.testing.plugin": "fixtures for pytest",
    "pop3proto.conformance": "testing servers with every clause of the standards",
    "pop3proto.compat": "putting the drop-in in place of poplib",
    "pop3proto.compat.poplib": "the drop-in for poplib",
}
HEAD = """# Reference

This page lists every public name with the first sentence of its docstring. The full docstrings give
units, results, exceptions and sections of the RFCs: see `python -m pydoc pop3proto.Retr`, for
example. A name that is not on this page can change at any time. `python docs/make_reference.py`
writes the page.
"""


def origin(module: ModuleType, name: str) -> tuple[ast.Module, str]:
    """Return the parsed module in which ``name`` is made, and its name there."""
    tree = ast.parse(inspect.getsource(module))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    source = "." * node.level + (node.module or "")
                    package = module.__package__ or ""
                    return origin(import_module(source, package), alias.name)
    return tree, name


def definition(module: ModuleType, name: str) -> tuple[str, str]:
    """Return ``name``, with its parameters if it is a function, and its docstring."""
    tree, made_as = origin(module, name)
    # Some names are made only under a condition, such as a Python with TLS.
    made = [
        *tree.body,
        *(each for node in tree.body if isinstance(node, ast.If) for each in node.body),
    ]
    for node, after in zip(made, [*made[1:], None], strict=True):
        match node:
            case ast.ClassDef(name=found) if found == made_as:
                return name, ast.get_docstring(node) or ""
            case ast.FunctionDef(name=found) | ast.AsyncFunctionDef(name=found):
                # Overloads have no docstring; the function itself comes after them.
                if found == made_as and (text := ast.get_docstring(node)):
                    return name + parameters(node), text
            case ast.AnnAssign(target=ast.Name(found), value=ast.Attribute()) if found == made_as:
                # A method of an object that the module makes.
                method = getattr(module, made_as)
                tree = ast.parse(dedent(inspect.getsource(method)))
                function = cast(ast.FunctionDef, tree.body[0])
                del function.args.args[0]
                return name + parameters(function), ast.get_docstring(function) or ""
            case ast.Assign(targets=[ast.Name(found)]) | ast.AnnAssign(target=ast.Name(found)):
                if found == made_as and isinstance(after, ast.Expr):
                    # A variable is described by the string after it.
                    return name, inspect.cleandoc(ast.literal_eval(after.value))
    return name, ""


def exported(module: ModuleType) -> list[str]:
    """Return the public names of a module: those it lists, or else those that it defines."""
    if hasattr(module, "__all__"):
        return list(module.__all__)
    defined = [
        name
        for name, each in vars(module).items()
        if not name.startswith("_") and getattr(each, "__module__", "") == module.__name__
    ]
    return sorted(defined, key=lambda name: (name[0].islower(), name))


def parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    """Return the parameters of a function as a caller sees them, without annotations."""
    decorators = [ast.unparse(decorator) for decorator in function.decorator_list]
    if any("fixture" in decorator for decorator in decorators):
        # Nobody calls it.
        return ""
    arguments = function.args
    if any("composite" in decorator for decorator in decorators):
        # Hypothesis passes the first one.
        del arguments.args[0]
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    for argument in [*every, arguments.vararg, arguments.kwarg]:
        if argument is not None:
            argument.annotation = None
    return f"({ast.unparse(arguments)})"


def sentence(text: str) -> str:
    """Return the first sentence of a docstring, as a cell of a table."""
    first = " ".join(text.split("\n\n", maxsplit=1)[0].split())
    found = re.match(r".*?(?<!e\.g)(?<!i\.e)\.(?= [A-Z`]|$)", first)
    # A vertical line would end the cell.
    return (found[0] if found else first).replace("``", "`").replace("|", "\\|")


def page() -> Iterator[str]:
    """Yield the lines of the page."""
    yield HEAD
    yield "| module | contents |\n|---|---|"
    for module, what in MODULES.items():
        yield f"| [`{module}`](#{module.replace('.', '')}) | {what} |"
    for name in MODULES:
        module = import_module(name)
        yield f"\n## `{name}`\n\n| name | |\n|---|---|"
        for each in exported(module):
            shown, text = definition(module, each)
            yield f"| `{shown}` | {sentence(text)} |"


def main() -> int:
    """Write the page, or check it; return the exit code."""
    text = "\n".join(page()) + "\n"
    if "--check" in sys.argv[1:]:
        return int(text != PAGE.read_text("utf-8"))
    PAGE.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
