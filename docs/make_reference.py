"""Write docs/reference.md: every public name, with the first sentence of its docstring.

``python docs/make_reference.py`` writes it; with ``--check`` the exit code is 1 if it is not
current.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

PAGE = Path(__file__).with_name("reference.md")
MODULES = {
    "pop3proto": "the engines of both roles, commands, replies, events, values",
    "pop3proto.errors": "every exception",
    "pop3proto.transports": "what the clients of all runtimes share",
    "pop3proto.transports.blocking": "the client for blocking code",
    "pop3proto.transports.asyncio": "the client for asyncio",
    "pop3proto.transports.trio": "the client for Trio",
    "pop3proto.transports.anyio": "the client for AnyIO",
    "pop3proto.sasl": "logging in: SASL mechanisms, the client's side",
    "pop3proto.sasl.server": "SASL mechanisms, the server's side",
    "pop3proto.transcript": "sessions recorded and replayed",
    "pop3proto.server": "a server's session, and maildrops",
    "pop3proto.testing": "servers for tests, scripts, bad networks",
    "pop3proto.testing.strategies": "strategies for Hypothesis",
    "pop3proto.testing.plugin": "fixtures for pytest",
    "pop3proto.compat": "how to put the drop-in into the place of poplib",
    "pop3proto.compat.poplib": "the drop-in itself",
}
HEAD = """# Reference

Every public name, with the first sentence of its docstring. The docstrings have the rest: units,
results, exceptions and the sections of the RFCs. `python -m pydoc pop3proto.Retr` shows one. A name
that is not on this page can change at any time. `python docs/make_reference.py` writes the page.
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


def docstring(module: ModuleType, name: str) -> str:
    """Return the docstring of ``name``, or the string that stands after its assignment."""
    tree, name = origin(module, name)
    body = tree.body
    for node, after in zip(body, [*body[1:], None], strict=True):
        match node:
            case ast.ClassDef(name=found) | ast.FunctionDef(name=found):
                text = ast.get_docstring(node) if found == name else None
            case ast.AsyncFunctionDef(name=found):
                text = ast.get_docstring(node) if found == name else None
            case ast.Assign(targets=[ast.Name(found)]) | ast.AnnAssign(target=ast.Name(found)):
                text = None
                if found == name:
                    match after:
                        case ast.Expr(ast.Constant(str(said))):
                            text = inspect.cleandoc(said)
            case _:
                continue
        if text:
            return text
    return ""


def sentence(text: str) -> str:
    """Return the first sentence of a docstring, as a cell of a table."""
    first = " ".join(text.split("\n\n", maxsplit=1)[0].split())
    found = re.match(r".*?(?<!e\.g)(?<!i\.e)\.(?= [A-Z`]|$)", first)
    # A vertical line would end the cell.
    return (found[0] if found else first).replace("``", "`").replace("|", "\\|")


def page() -> Iterator[str]:
    """Yield the lines of the page."""
    yield HEAD
    yield "| where | what |\n|---|---|"
    for module, what in MODULES.items():
        yield f"| [`{module}`](#{module.replace('.', '')}) | {what} |"
    for name in MODULES:
        module = import_module(name)
        yield f"\n## `{name}`\n\n| name | |\n|---|---|"
        for each in module.__all__:
            yield f"| `{each}` | {sentence(docstring(module, each))} |"


def main() -> int:
    """Write the page, or compare it."""
    text = "\n".join(page()) + "\n"
    if "--check" in sys.argv[1:]:
        return int(text != PAGE.read_text("utf-8"))
    PAGE.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
