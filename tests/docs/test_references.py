"""What the documents name is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
documents = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)


@documents
def test_the_test_files(document: Path) -> None:
    there = {path.name for path in (ROOT / "tests").rglob("test_*.py")}
    assert set(re.findall(r"\btest_\w+\.py\b", document.read_text("utf-8"))) <= there


@documents
def test_the_links(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", document.read_text("utf-8")):
        assert (document.parent / target).exists(), target


def test_each_document_is_found_from_the_readme() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    assert [path.name for path in DOCUMENTS[1:] if f"(docs/{path.name})" not in readme] == []


def test_the_security_tests_are_all_named() -> None:
    text = (ROOT / "docs" / "security.md").read_text("utf-8")
    for path in (ROOT / "tests" / "security").glob("test_*.py"):
        assert path.name in text
