"""What is installed: modules, the mark that they have types, and nothing else."""

from __future__ import annotations

import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "pop3proto"


def test_the_wheel_has_modules_alone() -> None:
    there = [path for path in PACKAGE.rglob("*") if path.is_file()]
    others = [path for path in there if path.suffix not in (".py", ".pyc")]
    assert others == [PACKAGE / "py.typed"]


def test_each_python_that_is_promised_is_tested_by_the_hosted_workflow() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    mark = "Programming Language :: Python :: 3."
    promised = {f"3.{c.removeprefix(mark)}" for c in project["classifiers"] if c.startswith(mark)}
    workflow = (ROOT / ".github/workflows/ci.yml").read_text("utf-8")
    assert promised
    assert {version for version in promised if version in workflow} == promised
    assert project["requires-python"] == f">={min(promised, key=lambda v: int(v[2:]))}"
