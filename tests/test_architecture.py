"""What the package promises about its own structure, read from its code."""

import ast
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

# Ground floor first: a module may import what stands above it, never what stands below. "" is the
# package itself, which gathers the core; a package is named where its __init__ belongs.
FLOORS = (
    "_version errors limits states deviations numbers _base64 _slots capabilities listings replies",
    "_wire",
    "_command _login_commands commands events _parsing _collectors _requests _engine",
    "_client_state client server url",
    "(package)",
    "sasl._saslprep _logins sasl._mechanism sasl._plain sasl._cram_md5 sasl._digest_md5",
    "sasl._oauth sasl._channel_binding sasl._scram_messages sasl._scram sasl._spnego",
    "sasl._by_name sasl",
    "sasl._server_simple sasl._server_digests sasl._server_oauth sasl._server_scram sasl.server",
    "_recorded _redact _replay transcript",
    "_maildir maildrop _actions _opened _server_options serving",
    "transports._options transports._stream transports._tls transports._exchange",
    "transports._message transports._batch transports",
    "testing._clock testing._packets testing._mechanisms testing._tls",
    "testing._quirk_names testing._quirks_lines testing._quirks_sasl testing.quirks",
    "testing._memory testing._channel testing._server",
    "testing._scripted testing._chaos testing testing._conversations testing.strategies",
    "testing.pytest_plugin",
    "transports._sockets transports._connect transports._saving",
    "transports._session transports._choice transports._authentication transports._client",
    "transports._stepping transports._facade",
    "transports.blocking transports.asyncio transports.trio transports.anyio",
    "compat._errors compat._secrets compat._conversation compat._commands compat._auth",
    "compat.poplib compat",
    "_demo _fetch _serve cli __main__",
)
ROOMS = [room for floor in FLOORS for room in floor.split()]
STRANGERS = [("client", "server"), ("server", "client")]

# They wait for nothing and open nothing. A maildrop may have files.
SANS_IO = {*ROOMS[: ROOMS.index("serving") + 1]} - {"_maildir", "maildrop"}
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
    """What a module imports when it runs: names from the top, the package's own below ``own``."""

    def __init__(self, path: Path) -> None:
        self.package = [PACKAGE.name, *path.relative_to(PACKAGE).parts[:-1]]
        self.names: set[str] = set()
        self.visit(ast.parse(path.read_text("utf-8")))

    def visit_If(self, node: ast.If) -> None:
        if ast.unparse(node.test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}:
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


def test_every_module_has_its_place() -> None:
    assert set(MODULES) - set(ROOMS) == set()
    assert len(set(ROOMS)) == len(ROOMS)


@pytest.mark.parametrize("name", MODULES)
def test_a_module_imports_only_what_stands_above_it(name: str) -> None:
    above = ROOMS[: ROOMS.index(name)] if name in ROOMS else []
    assert Imports(MODULES[name]).own - set(above) == set()


@pytest.mark.parametrize(("name", "stranger"), STRANGERS)
def test_the_two_roles_do_not_know_each_other(name: str, stranger: str) -> None:
    assert stranger not in Imports(MODULES[name]).own


def test_the_reading_of_imports_misses_none(tmp_path: Path) -> None:
    (path := PACKAGE / "transports" / "_nothing.py").exists()
    source = tmp_path / "x.py"
    source.write_text(
        "import socket, os.path as p\nfrom . import _tls\nfrom .. import errors\n"
        "from ..client import X\nfrom .. import Retr\nimport pop3proto.server\n"
        "if TYPE_CHECKING:\n    import ssl\nelse:\n    import time\n"
        "def f():\n    from pop3proto.limits import Limits\n"
    )
    imports = Imports.__new__(Imports)
    imports.package, imports.names = [PACKAGE.name, *path.relative_to(PACKAGE).parts[:-1]], set()
    imports.visit(ast.parse(source.read_text()))
    assert imports.own == {"transports._tls", "errors", "client", "(package)", "server", "limits"}
    assert {name for name in imports.names if not is_own(name)} == {"socket", "os.path", "time"}


def calls(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func)


@pytest.mark.parametrize("name", sorted(SANS_IO & set(MODULES)))
def test_the_core_waits_for_nothing_and_opens_nothing(name: str) -> None:
    tops = {imported.split(".")[0] for imported in Imports(MODULES[name]).names}
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
        *(f"pop3proto.{name}" for name in ("transcript", "sasl", "url") if name in MODULES),
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
    if module != "pop3proto.sasl":
        # OpenSSL's library takes as long to load as all of the core.
        assert "_hashlib" not in loaded


def rank(name: str) -> tuple[int, str]:
    """Constants, then classes, then everything else, as the tools sort them."""
    return (0 if name.isupper() else 1 if name[:1].isupper() else 2, name)


def bound_in(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.ImportFrom):
            names.update(alias.asname or alias.name for alias in node.names)
    return names


def test_the_package_exports_all_it_gathers_and_nothing_else() -> None:
    exported = pop3proto.__all__
    assert set(exported) == bound_in(PACKAGE / "__init__.py")
    assert exported == sorted(set(exported), key=rank)
    assert all(hasattr(pop3proto, name) for name in exported)


def declared(path: Path) -> list[str] | None:
    """What a module says it exports."""
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return list(ast.literal_eval(node.value))
    return None


PUBLIC = [name for name in MODULES if not re.search(r"(?:^|\.)_", name)]


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
        "Mechanisms",  # what serve() takes and returns: for a with statement, at once
        "Serving",
    }


def test_no_test_refers_to_a_place_on_somebodys_machine() -> None:
    folders = "|".join(["home", "Users", "root", "work", "mnt", "opt"])
    place = re.compile(rf"(?<![\w.<])/({folders})/\w|[A-Z]:\\\\Users")
    for path in TESTS.rglob("*.py"):
        assert not place.search(path.read_text("utf-8")), path.relative_to(TESTS)


@pytest.mark.parametrize("name", MODULES)
def test_files_stay_short(name: str) -> None:
    assert len(MODULES[name].read_text("utf-8").splitlines()) <= 500
