"""What the package promises about its own structure, read from its code."""

import ast
import importlib
import os
import re
import subprocess
import sys
from collections.abc import Collection, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

import pop3proto

PACKAGE = Path(pop3proto.__file__).parent
TESTS = Path(__file__).parent

# What all of the package may import: the errors, and the checks that raise them.
FLOOR = ("errors", "_arguments", "_lazy", "_value")
# What each folder may import besides, the imports for type checkers among them. "" is the package
# itself, which gathers the public names, and which no folder imports.
FOLDERS: dict[str, set[str]] = {
    "floor": set(),
    "mail": set(),
    "model": {"mail"},
    "engine": {"model"},
    "sasl": {"model", "engine"},
    "server": {"model", "engine", "sasl"},
    "transcript": {"model", "engine"},
    "client": {"model", "engine", "sasl", "transcript"},
    "transports": {"model", "client"},
    "sync": {"model", "engine", "client", "transports"},
    "testing": {"model", "engine", "sasl", "server", "transcript", "client", "transports"},
    "compat": {"model", "engine", "sasl", "transcript"},
}
FOLDERS["conformance"] = {*FOLDERS, ""} - {"floor", "compat"}  # a report has the version
FOLDERS["cli"] = {*FOLDERS, ""}
STRANGERS = [("engine.client", "engine.server"), ("engine.server", "engine.client")]

# They wait for nothing and open nothing. A maildrop may have files, and so may a place for mail;
# messages are handed to programs and servers, and many accounts are fetched at once.
SANS_IO = ("mail", "model", "engine", "sasl", "server", "transcript", "sync")
WITH_FILES = {
    "server.maildir",
    "server.maildrop",
    "sync.mda",
    "sync.delivery",
    "sync.file_system",
    "sync.folder",
    "sync.handover",
    "sync.lmtp",
    "sync.lmtp_session",
    "sync.maildir",
    "sync.many",
    "sync.mbox",
    "sync.state",
}
IO = {
    "anyio",
    "asyncio",
    "logging",
    "select",
    "selectors",
    "socket",
    "ssl",
    "subprocess",
    "threading",
    "time",
    "trio",
}
MOST_LINES = 450
# errors, model without url, and engine: what somebody reads who wants to know the protocol.
MOST_LINES_OF_THE_CORE = 3750


def modules() -> dict[str, Path]:
    """Every module of the package by its name within it."""
    found: dict[str, Path] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found[name or "(package)"] = path
    return found


MODULES = modules()


class Imports(ast.NodeVisitor):
    """What a module imports: names from the top, the package's own below ``own``.

    With ``typing=False``, only what is imported when it runs.
    """

    def __init__(self, path: Path, *, typing: bool = True) -> None:
        self.package = [PACKAGE.name, *path.relative_to(PACKAGE).parts[:-1]]
        self.typing = typing
        self.names: set[str] = set()
        self.visit(ast.parse(path.read_text("utf-8")))

    def visit_If(self, node: ast.If) -> None:
        if not self.typing and ast.unparse(node.test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}:
            for other in node.orelse:
                self.visit(other)
        else:
            self.generic_visit(node)

    def visit_Import(self, node: ast.Import) -> None:
        self.names.update(alias.name for alias in node.names)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        base = self.package[: len(self.package) - node.level + 1] if node.level else []
        module = ".".join([*base, *([node.module] if node.module else [])])
        self.names.update(f"{module}.{alias.name}" for alias in node.names)

    @property
    def own(self) -> set[str]:
        """The package's modules among them."""
        below = {name.removeprefix(f"{PACKAGE.name}.") for name in self.names if is_own(name)}
        return {name if name in MODULES else owner(name) for name in below}


def is_own(name: str) -> bool:
    return name.split(".", maxsplit=1)[0] == PACKAGE.name


def owner(name: str) -> str:
    """The module that a name is taken from."""
    module = name.rpartition(".")[0]
    return module if module and module != PACKAGE.name else "(package)"


def folder(name: str) -> str:
    """The folder that a module stands in."""
    if name in FLOOR:
        return "floor"
    return name.partition(".")[0] if (PACKAGE / name.partition(".")[0]).is_dir() else ""


@cache
def arrows(name: str) -> set[str]:
    """The folders that a module depends on."""
    # An error holds the command at which it happened, and only the type checker has to know how.
    imports = Imports(MODULES[name], typing=name != "errors")
    return {folder(other) for other in imports.own} - {folder(name)}


def test_every_folder_has_its_place() -> None:
    assert {folder(name) for name in MODULES} == {*FOLDERS, ""}
    assert {name for name in MODULES if not folder(name)} == {"(package)", "__main__", "_version"}


@pytest.mark.parametrize("name", [name for name in MODULES if folder(name)])
def test_a_module_imports_only_from_folders_below_its_own(name: str) -> None:
    assert arrows(name) - {"floor"} - FOLDERS[folder(name)] == set()


def test_no_two_folders_import_each_other() -> None:
    every = {(folder(name), other) for name in MODULES for other in arrows(name)}
    assert every & {(other, one) for one, other in every if "" not in (one, other)} == set()


@pytest.mark.parametrize(("name", "stranger"), STRANGERS)
def test_the_two_roles_do_not_know_each_other(name: str, stranger: str) -> None:
    assert stranger not in Imports(MODULES[name]).own


def test_the_reading_of_imports_misses_none(tmp_path: Path) -> None:
    source = tmp_path / "x.py"
    source.write_text(
        "import socket, os.path as p\nfrom . import tls\nfrom .. import errors\n"
        "from ..engine.client import X\nfrom .. import Retr\nimport pop3proto.engine.server\n"
        "if TYPE_CHECKING:\n    import ssl\nelse:\n    import time\n"
        "def f():\n    from pop3proto.model.limits import Limits\n"
    )
    tree = ast.parse(source.read_text())
    imports = Imports.__new__(Imports)
    imports.package, imports.names = [PACKAGE.name, "client"], set()
    imports.typing = False
    imports.visit(tree)
    assert imports.own == {
        "client.tls",
        "errors",
        "engine.client",
        "(package)",
        "engine.server",
        "model.limits",
    }
    assert {name for name in imports.names if not is_own(name)} == {"socket", "os.path", "time"}
    imports.typing = True
    imports.visit(tree)
    assert "ssl" in imports.names


def calls(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func)


@pytest.mark.parametrize(
    "name", [name for name in MODULES if folder(name) in SANS_IO and name not in WITH_FILES]
)
def test_what_is_sans_io_waits_for_nothing_and_opens_nothing(name: str) -> None:
    tops = {imported.split(".")[0] for imported in Imports(MODULES[name], typing=False).names}
    assert tops & IO == set()
    assert {"open", "io.open", "os.open", "input", "print", "exec", "eval"}.isdisjoint(
        calls(MODULES[name])
    )


LOADED = """
import sys
before = set(sys.modules)
import {module}
print(*sorted(set(sys.modules) - before))
"""


@pytest.mark.parametrize(
    "module",
    [
        "pop3proto",
        *(f"pop3proto.{name}" for name in ("model.url", "transcript", "sasl", "sasl.server")),
    ],
)
def test_what_is_loaded_in_a_fresh_interpreter(module: str) -> None:
    # Compared with what the interpreter, and what is installed beside the package, load anyway.
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE.parent)}
    done = subprocess.run(
        [sys.executable, "-S", "-c", LOADED.format(module=module)],
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    loaded = {name.split(".")[0] for name in done.stdout.split()}
    assert loaded & (IO - {"time"}) == set()
    assert loaded - set(sys.stdlib_module_names) == {PACKAGE.name}
    heavy = {"email", "http", "urllib", "tempfile", "uuid", "decimal", "json"}
    assert loaded & heavy == set()
    # What few logins need waits until one needs it. OpenSSL's library takes as long to load as all
    # of the core.
    late = {"_hashlib", "hashlib", "hmac", "secrets", "stringprep", "unicodedata"}
    late |= {"dataclasses", "inspect"}
    assert loaded & late == set()


def rank(name: str) -> tuple[int, str]:
    """Constants, then classes, then everything else, as the tools sort them."""
    return (0 if name.isupper() else 1 if name[:1].isupper() else 2, name)


def bound_in(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.parse(path.read_text("utf-8")).body:
        # Type checkers see there what is loaded when it is asked for.
        inside = node.body if isinstance(node, ast.If) else []
        for some in [node, *inside]:
            if isinstance(some, ast.ImportFrom) and some.module != "typing":
                names.update(alias.asname or alias.name for alias in some.names)
    return names


def test_the_package_exports_all_it_gathers_and_nothing_else() -> None:
    exported = pop3proto.__all__
    assert set(exported) == bound_in(PACKAGE / "__init__.py") - {"loads_when_asked"}
    assert exported == sorted(set(exported), key=rank)
    assert all(hasattr(pop3proto, name) for name in exported)


# It gathers no names from other modules, so it exports what it defines under a public name.
WITHOUT_A_LIST = "errors"


def declared(path: Path) -> list[str] | None:
    """What a module says it exports."""
    body = ast.parse(path.read_text("utf-8")).body
    for node in body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return list(ast.literal_eval(node.value))
    if path != MODULES[WITHOUT_A_LIST]:
        return None
    names = [n.name for n in body if isinstance(n, ast.ClassDef | ast.FunctionDef)]
    return sorted((name for name in names if not name.startswith("_")), key=rank)


# The places that names are to be imported from; all others are the package's own.
PUBLIC = (
    "(package)",
    "compat",
    "compat.poplib",
    "conformance",
    "errors",
    "mail",
    "model",
    "sasl",
    "sasl.server",
    "server",
    "sync",
    "testing",
    "testing.fuzz",
    "testing.plugin",
    "testing.strategies",
    "transcript",
    "transports",
    "transports.anyio",
    "transports.asyncio",
    "transports.blocking",
    "transports.trio",
)


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_module_says_what_it_exports(name: str) -> None:
    exported = declared(MODULES[name])
    assert exported is not None
    assert exported == sorted(set(exported), key=rank)


TREES = {name: ast.parse(path.read_text("utf-8")) for name, path in MODULES.items()}


class Definition(NamedTuple):
    """A class, a function or an alias of the package, where it is made."""

    module: str
    name: str
    node: ast.stmt


@cache
def definition_of(module: str, name: str) -> Definition | None:
    """What ``name`` is in ``module``, if it is something of the package's."""
    for node in TREES[module].body:
        match node:
            case ast.ClassDef(name=found):
                pass
            case ast.FunctionDef(name=found) | ast.AsyncFunctionDef(name=found):
                pass
            case ast.AnnAssign(target=ast.Name(found), annotation=ast.Name("TypeAlias")):
                pass
            case ast.AnnAssign(target=ast.Name(found), value=ast.Attribute()) if found == name:
                return bound_method(module, name)
            case _:
                continue
        if found == name:
            return Definition(module, name, node)
    for some in ast.walk(TREES[module]):
        if isinstance(some, ast.ImportFrom):
            source = imported_from(module, some)
            for alias in some.names if source in MODULES else ():
                if (alias.asname or alias.name) == name:
                    return definition_of(source, alias.name)
    return None


def bound_method(module: str, name: str) -> Definition | None:
    """The method of an object of the package that is ``name`` in a module."""
    method = getattr(importlib.import_module(f"{PACKAGE.name}.{module}"), name)
    home = method.__module__.removeprefix(f"{PACKAGE.name}.")
    maker = definition_of(home, method.__qualname__.partition(".")[0])
    for member in maker.node.body if maker and isinstance(maker.node, ast.ClassDef) else ():
        if isinstance(member, ast.FunctionDef) and member.name == method.__name__:
            return Definition(home, name, member)
    return None


def imported_from(module: str, node: ast.ImportFrom) -> str:
    package = [PACKAGE.name, *MODULES[module].relative_to(PACKAGE).parts[:-1]]
    base = package[: len(package) - node.level + 1] if node.level else []
    names = [*base, *([node.module] if node.module else [])]
    return ".".join(names[1:] if names[:1] == [PACKAGE.name] else names) or "(package)"


def names_in(annotation: ast.AST | None) -> Iterator[str]:
    for node in ast.walk(annotation) if annotation is not None else ():
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from re.findall(r"\w+", node.value)


def annotations(node: ast.stmt) -> Iterator[ast.AST | None]:
    """Those of what a caller sees: what a function takes and gives, what a class has."""
    match node:
        case ast.ClassDef():
            for member in node.body:
                if not getattr(member, "name", "").startswith("_"):
                    yield from annotations(member)
        case ast.FunctionDef(args=taken) | ast.AsyncFunctionDef(args=taken):
            every = (*taken.posonlyargs, *taken.args, *taken.kwonlyargs)
            yield from (argument.annotation for argument in every)
            yield node.returns
        case ast.AnnAssign(target=ast.Name(id=name)) if not name.startswith("_"):
            yield node.annotation


def types_shown_by(shown: Definition, public: Collection[Definition]) -> Iterator[Definition]:
    """The types of the package in what a caller sees of ``shown``."""
    for annotation in annotations(shown.node):
        for name in names_in(annotation):
            if (found := definition_of(shown.module, name)) is not None:
                yield found
    for base in shown.node.bases if isinstance(shown.node, ast.ClassDef) else ():
        for name in names_in(base):
            found = definition_of(shown.module, name)
            # The methods of a base that has no public name are the public class's own.
            if found is not None and found not in public:
                yield from types_shown_by(found, public)


def test_the_types_in_public_signatures_have_a_public_name() -> None:
    public = {
        found
        for module in PUBLIC
        for name in declared(MODULES[module]) or ()
        if (found := definition_of(module, name)) is not None
    }
    assert len(public) > 200
    shown = {found for each in public for found in types_shown_by(each, public)}
    assert {found.name for found in shown - public if not found.name.startswith("_")} == {
        "LongAnswer",  # what the drop-in for poplib adds to it, or has no name for there either
        "MessageLines",
        "TlsConnection",  # an SSLObject or an SSLSocket
        "Row",  # how a quirk is written down
        "Mail",  # what serve() takes and returns: for a with statement, at once
        "Mechanisms",
        "Users",
        "Serving",
        "Connecting",  # what connect() returns: for await or async with, at once
        "SecurityName",  # the texts for Security, and what a path may be: aliases that are spelled
        "UnixPath",  # out in the documents
    }


def test_no_test_refers_to_a_place_on_somebodys_machine() -> None:
    folders = "|".join(["home", "Users", "root", "work", "mnt", "opt"])
    place = re.compile(rf"(?<![\w.<])/({folders})/\w|[A-Z]:\\\\Users")
    for path in TESTS.rglob("*.py"):
        assert not place.search(path.read_text("utf-8")), path.relative_to(TESTS)


def lines(name: str) -> int:
    return len(MODULES[name].read_text("utf-8").splitlines())


def test_files_stay_short() -> None:
    assert {name: lines(name) for name in MODULES if lines(name) > MOST_LINES} == {}


def test_the_blocking_client_is_generated_from_the_async_one() -> None:
    command = [sys.executable, str(TESTS.parent / "tools" / "generate_blocking.py"), "--check"]
    assert subprocess.run(command, check=False).returncode == 0


def test_the_core_stays_small() -> None:
    core = [m for m in MODULES if folder(m) in ("model", "engine") and m != "model.url"]
    core.append("errors")
    assert sum(map(lines, core)) <= MOST_LINES_OF_THE_CORE


NAMES = """
import importlib, sys
package = importlib.import_module(sys.argv[1])
listed = set(dir(package))
for module in sys.argv[2:]:
    importlib.import_module(module)
kinds = {name: type(getattr(package, name)).__name__ for name in package.__all__}
print([name for name, kind in kinds.items() if name not in listed or kind == "module"])
"""


@pytest.mark.parametrize(
    "package",
    ["", ".compat", ".sasl", ".sasl.server", ".server", ".testing", ".transcript", ".transports"],
)
def test_what_a_package_exports_is_listed_and_not_hidden_by_a_module(package: str) -> None:
    """A module, once it is loaded, is an attribute of its package: it hides what has its name."""
    folder = PACKAGE.joinpath(*package.split(".")[1:])
    modules = [f"pop3proto{package}.{path.stem}" for path in sorted(folder.glob("[a-z]*.py"))]
    done = subprocess.run(
        [sys.executable, "-c", NAMES, f"pop3proto{package}", *modules],
        env={**os.environ, "PYTHONPATH": str(PACKAGE.parent)},
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout == "[]\n"
