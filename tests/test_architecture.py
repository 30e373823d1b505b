"""What the package promises about its own structure, read from its code."""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

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
    "transports._options transports._stream transports",
    "testing._mechanisms testing._tls testing._quirk_names testing._quirks_sasl testing.quirks",
    "testing._memory testing._channel testing._server",
    "testing._scripted testing._chaos testing testing._conversations testing.strategies",
    "testing.pytest_plugin",
    "transports._tls transports._sockets transports._connect",
    "transports._exchange transports._message transports._batch transports._saving",
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


@pytest.mark.parametrize("name", [name for name in MODULES if "." not in name and name[0] != "_"])
def test_a_public_module_says_what_it_exports(name: str) -> None:
    exported = declared(MODULES[name])
    assert exported is not None
    assert exported == sorted(set(exported), key=rank)


def test_no_test_refers_to_a_place_on_somebodys_machine() -> None:
    folders = "|".join(["home", "Users", "root", "work", "mnt", "opt"])
    place = re.compile(rf"(?<![\w.<])/({folders})/\w|[A-Z]:\\\\Users")
    for path in TESTS.rglob("*.py"):
        assert not place.search(path.read_text("utf-8")), path.relative_to(TESTS)


@pytest.mark.parametrize("name", MODULES)
def test_files_stay_short(name: str) -> None:
    assert len(MODULES[name].read_text("utf-8").splitlines()) <= 500
