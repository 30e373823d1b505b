"""The blocks of the documents pass a type checker, each document as one module.

They are not all annotated, as most programs of a reader are not; functions without annotations are
checked, too.
"""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from .test_code_blocks import ROOT, documents, python_blocks

# What the program of a document finds besides its own names: see test_code_blocks.py.
GIVEN = (
    "from ssl import SSLContext as _SSLContext; host: str; port: int; tls_port: int; "
    "ssl_context: _SSLContext; user: str; password: str; socks_url: str; http_url: str"
)
PATHS = ("src", "examples")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("mypy") is None, reason="needs mypy"),
]


def module(document: Path) -> str:
    """All blocks of ``document``, each at the lines that it has there."""
    lines = [GIVEN]
    for block in python_blocks(document):
        lines += [""] * (block.line - 1 - len(lines)) + block.code.splitlines()
    return "\n".join(lines) + "\n"


def checked(folder: Path) -> subprocess.CompletedProcess[str]:
    options = ["--config-file=", "--ignore-missing-imports", "--check-untyped-defs"]
    # A later block may use a name for something else, as in an interpreter.
    options += ["--allow-redefinition-new", "--local-partial-types"]
    return subprocess.run(
        [sys.executable, "-m", "mypy", *options, "."],
        cwd=folder,
        env={**os.environ, "MYPYPATH": os.pathsep.join(f"{ROOT / name}" for name in PATHS)},
        check=False,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_the_blocks_have_no_type_errors(tmp_path: Path) -> None:
    for document in documents():
        if python_blocks(document):
            name = f"document_{document.stem.replace('-', '_')}.py"
            (tmp_path / name).write_text(module(document), "utf-8")
    done = checked(tmp_path)
    assert done.returncode == 0, done.stdout


def test_a_type_error_is_found_at_its_line(tmp_path: Path) -> None:
    document = tmp_path / "page.md"
    document.write_text("# Page\n\n```python\ncount = 'x'\n```\n\n```python\ncount + 1\n```\n")
    (tmp_path / "page.py").write_text(module(document))
    done = checked(tmp_path)
    assert "page.py:8: error: Unsupported operand types" in done.stdout
