"""What the documents name is there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
HOME = "https://github.com/pop3proto/pop3proto/blob/main/"
documents = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)


@documents
def test_the_test_files(document: Path) -> None:
    there = {path.name for path in (ROOT / "tests").rglob("test_*.py")}
    assert set(re.findall(r"\btest_\w+\.py\b", document.read_text("utf-8"))) <= there


def prose(text: str) -> str:
    """``text`` without its fenced blocks, in which ``#`` is a comment."""
    return re.sub(r"(?ms)^( *)(`{3,}|~{3,}).*?^\1\2[`~]*$", "", text)


def anchors(text: str) -> set[str]:
    """What GitHub calls the headings: in small letters, without punctuation, "-" for blanks."""
    found: dict[str, int] = {}
    for heading in re.findall(r"(?m)^#+ +(.*?)(?: +#+)?$", prose(text)):
        shown = re.sub(r"\[(.*?)\]\(.*?\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", shown.strip().lower()).replace(" ", "-")
        # The second one of a name gets -1, the third one -2.
        found[slug] = found.get(slug, -1) + 1
        if found[slug]:
            found[f"{slug}-{found[slug]}"] = 0
    return set(found)


def targets(text: str) -> list[str]:
    """Where the links of a Markdown text lead: ``[text](target)``, and ``[name]: target``."""
    shown = re.sub(r"`[^`\n]*`", "", prose(text))
    return re.findall(r"\]\(([^)\s]+)\)", shown) + re.findall(r"(?m)^\[[^\]]+\]: (\S+)$", shown)


def links(document: Path) -> Iterator[tuple[Path, str]]:
    """The files, and the anchors in them or "", that a document leads to."""
    for target in targets(document.read_text("utf-8")):
        if target.startswith(HOME):
            # As in the README, because a package index shows it somewhere else.
            yield ROOT / target.removeprefix(HOME).partition("#")[0], target.partition("#")[2]
        # Sphinx makes the folder api, and finds links to it that are dead.
        if not re.match(r"\w+:|api/", target):
            name, _, anchor = target.partition("#")
            yield (document.parent / name if name else document), anchor


@documents
def test_the_links(document: Path) -> None:
    for path, anchor in links(document):
        assert path.exists(), path
        assert not anchor or anchor in anchors(path.read_text("utf-8")), f"{path.name}#{anchor}"


def test_the_links_of_a_document_are_found(tmp_path: Path) -> None:
    document = tmp_path / "page.md"
    document.write_text(
        "# One\n[a](#one) ![b](b.png)\n```python\n# Two [c](c.md)\n```\n"
        "[d\ne](../e.md#f-g) [h](https://example.org/#i) `[j](k)` [`l`](m) [n][o]\n\n[o]: p.md#q\n"
    )
    assert list(links(document)) == [
        (document, "one"),
        (tmp_path / "b.png", ""),
        (tmp_path / "../e.md", "f-g"),
        (tmp_path / "m", ""),
        (tmp_path / "p.md", "q"),
    ]


def test_anchors_are_those_of_github() -> None:
    text = """\
# A page: `code`, and "more"
## Where the time goes, CPython 3.11.7
### The server's [side](x.md)
## Twice
~~~sh
# no heading
~~~
## Twice
## `pop3proto.sasl.server`
#no heading
"""
    assert anchors(text) == {
        "a-page-code-and-more",
        "where-the-time-goes-cpython-3117",
        "the-servers-side",
        "twice",
        "twice-1",
        "pop3protosaslserver",
    }


def test_each_document_is_found_from_the_readme() -> None:
    readme = targets((ROOT / "README.md").read_text("utf-8"))
    others = [
        path.relative_to(ROOT).as_posix()
        for path in DOCUMENTS
        if path.name not in ("README.md", "index.md")
    ]
    assert [name for name in others if f"{HOME}{name}" not in readme] == []


def test_no_link_of_the_readme_needs_the_place_where_it_is() -> None:
    readme = targets((ROOT / "README.md").read_text("utf-8"))
    assert len(readme) > 30
    assert [to for to in readme if not to.startswith("http")] == []


def test_every_name_of_a_link_in_the_readme_is_defined_and_used() -> None:
    readme = prose((ROOT / "README.md").read_text("utf-8"))
    used = re.findall(r"\]\[([^\]]+)\]", readme)
    defined = re.findall(r"(?m)^\[([^\]]+)\]: ", readme)
    assert sorted(set(used)) == defined


def test_the_readme_can_be_read_in_an_editor() -> None:
    lines = (ROOT / "README.md").read_text("utf-8").splitlines()
    assert [line for line in lines if len(line) > 120] == []


def test_each_document_is_found_from_the_index_of_the_site() -> None:
    index = (ROOT / "docs" / "index.md").read_text("utf-8")
    for path in (ROOT / "docs").glob("*.md"):
        assert path.stem == "index" or f"\n{path.stem}\n" in index, path.name


def test_the_security_tests_are_all_named() -> None:
    text = (ROOT / "docs" / "security.md").read_text("utf-8")
    for path in (ROOT / "tests" / "security").glob("test_*.py"):
        assert path.name in text


def test_the_examples_are_all_named() -> None:
    text = (ROOT / "docs" / "examples.md").read_text("utf-8")
    there = {path.name for path in (ROOT / "examples").glob("*.py")}
    assert set(re.findall(r"`(\w+\.py)`", text)) == there


def test_the_stand_ins_for_other_systems_are_all_named() -> None:
    text = (ROOT / "docs" / "platforms.md").read_text("utf-8")
    source = (ROOT / "tests" / "test_platforms.py").read_text("utf-8")
    assert set(re.findall(r"`(test_\w+)`", text)) == set(re.findall(r"def (test_\w+)\(", source))
