"""The page for contributors names files, checks and names that are there."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
PACKAGE = ROOT / "src" / "pop3proto"
# Where checks are named.
PAGES = ("CONTRIBUTING.md", "docs/stability.md", ".github/pull_request_template.md")


def code() -> list[str]:
    """The texts between backquotes."""
    return re.findall(r"`([^`\n]+)`", re.sub(r"(?s)```.*?```", "", PAGE))


def test_the_paths_are_there() -> None:
    paths = [text for text in code() if re.fullmatch(r"[\w.]+(/[\w.]+)*/?", text) and "/" in text]
    assert len(paths) > 15
    for path in paths:
        if path.startswith((".venv/", "changelog.d/")):
            continue
        assert (ROOT / path).exists() or (PACKAGE / path).exists(), path


def test_the_checks_are_there() -> None:
    listed = subprocess.run(
        [sys.executable, ROOT / ".ci" / "steps.py", "--list"],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    there = listed.stdout.splitlines()
    for page in PAGES:
        for names in re.findall(r"\.ci/run (?!-)([^`\n]+)", (ROOT / page).read_text("utf-8")):
            for name in re.findall(r'"[^"]+"|[\w-]+', names):
                assert name.strip('"') in there, name


def test_the_hosted_workflow_runs_the_checks_by_their_names() -> None:
    workflow = (ROOT / ".github/workflows/ci.yml").read_text("utf-8")
    assert re.findall(r"run: bash \.ci/run *(.*)", workflow) == ["", '"README\'s tests"', "audit"]


def test_the_kinds_of_news_are_there() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["towncrier"]
    assert (ROOT / settings["directory"]).is_dir()
    assert settings["start_string"] in (ROOT / "CHANGELOG.md").read_text("utf-8")
    kinds = {kind["directory"] for kind in settings["type"]}
    named = re.search(r"`changelog\.d/\+short-name\.(\w+)\.md`, or (.*?)\.\n", PAGE)
    assert named is not None
    assert {named[1], *re.findall(r"`\.(\w+)`", named[2])} <= kinds
