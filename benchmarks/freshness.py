"""``check``: whether the figures in ``docs`` are of the code that is there.

They are, if the files of the hot path do the same in the commit that the page names. A change of
comments, docstrings, annotations of functions or the layout changes nothing that is measured.
"""

from __future__ import annotations

import argparse
import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.measuring import ROOT

HELP = "whether the figures in docs are older than the code that they are of"

# What runs for each message or command, in patterns below src/pop3proto. A change to anything else
# can make a difference to a figure too, but not one that a reader would notice.
HOT_PATH = (
    "engine/wire.py",
    "engine/client.py",
    "engine/base.py",
    "engine/collectors.py",
    "engine/parsing.py",
    "client/turn.py",
    "client/exchange.py",
    "client/batch.py",
    "client/stream.py",
    "client/stepping.py",
    "client/tls.py",
    "client/_blocking*.py",
    "transports/sockets.py",
    "transports/blocking.py",
    "transports/asyncio.py",
    "transports/trio.py",
    "compat/conversation.py",
    "sync/delivery.py",
    "sync/file_system.py",
    "sync/fetching.py",
    "server/outbox.py",
    "server/session.py",
    "server/transaction.py",
)
_FOLDER = "src/pop3proto"
_COMMIT = re.compile(r"commit\s+`?([0-9a-f]{40})`?(, with changes)?")


class SkippedError(Exception):
    """Nothing can be said here; the reason is its text."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what ``run()`` takes."""
    parser.add_argument("--page", type=Path, default=ROOT / "docs" / "performance.md")
    parser.add_argument("--repository", type=Path, default=ROOT, help=argparse.SUPPRESS)


def run(args: argparse.Namespace) -> int:
    """Say what has changed since the figures; 1 if anything has, 0 also where git cannot tell."""
    try:
        problems = stale(args.page, args.repository)
    except SkippedError as reason:
        print(f"skipped: {reason}")
        return 0
    for problem in problems:
        print(problem, file=sys.stderr)
    if problems:
        print("Measure again: python -m benchmarks all, then document.", file=sys.stderr)
    return 1 if problems else 0


def stale(page: Path, repository: Path) -> list[str]:
    """What makes the figures of a page old: one line each. Raises ``SkippedError``."""
    found = _COMMIT.search(page.read_text("utf-8"))
    if found is None:
        return [f"{page.name} does not name the commit that its figures are of"]
    if found[2]:
        return [f"{page.name} is of code that was not committed"]
    if shutil.which("git") is None or not (repository / ".git").exists():
        raise SkippedError("this is no clone of the repository, or there is no git")
    measured = found[1]
    if not _succeeds(repository, "cat-file", "-e", f"{measured}^{{commit}}"):
        if _git(repository, "rev-parse", "--is-shallow-repository").strip() == "true":
            raise SkippedError(f"this clone is too shallow to have commit {measured}")
        return [f"{page.name} names commit {measured}, which is not in this repository"]
    return [
        f"{path} has changed since commit {measured}, which the figures are of"
        for path in _hot_files(repository, measured)
        if _code_then(repository, measured, path) != _code_now(repository / path)
    ]


def _hot_files(repository: Path, commit: str) -> list[str]:
    """The files of the hot path, those of then and those of now."""
    listed = _git(repository, "ls-tree", "-r", "--name-only", commit, "--", _FOLDER).splitlines()
    now = {
        path.relative_to(repository).as_posix()
        for pattern in HOT_PATH
        for path in (repository / _FOLDER).glob(pattern)
    }
    then = {
        path for path in listed if any(Path(path).match(f"{_FOLDER}/{one}") for one in HOT_PATH)
    }
    return sorted(now | then)


def _code_then(repository: Path, commit: str, path: str) -> str | None:
    if not _succeeds(repository, "cat-file", "-e", f"{commit}:{path}"):
        return None
    return code(_git(repository, "show", f"{commit}:{path}"))


def _code_now(path: Path) -> str | None:
    return code(path.read_text("utf-8")) if path.exists() else None


def code(source: str) -> str:
    """What a module does: without comments, docstrings, functions' annotations and layout."""
    return ast.dump(_Bare().visit(ast.parse(source)))


class _Bare(ast.NodeTransformer):
    """Leave out what does not run."""

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        if isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            return None
        return self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        return self.generic_visit(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        node.returns = None
        return self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.annotation = None
        return node


def _git(repository: Path, *arguments: str) -> str:
    command = ["git", "-C", str(repository), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def _succeeds(repository: Path, *arguments: str) -> bool:
    command = ["git", "-C", str(repository), *arguments]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0
