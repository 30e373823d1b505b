"""docs/reference.md has every public name, and docs/client.md every method of the clients."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from typing import NamedTuple

import pytest

import pop3proto
from pop3proto import Fault, errors
from pop3proto.transports import Batch, ClientOptions, MessageStream, QuitResult, Timeouts
from pop3proto.transports.asyncio import AsyncClient
from pop3proto.transports.blocking import Client, ClientBatch, ClientMessageStream

DOCS = Path(__file__).resolve().parents[2] / "docs"


class Section(NamedTuple):
    """What the page says about a module."""

    module: str
    chapter: str
    """The heading of the second level above it, or itself."""
    names: dict[str, str]
    """Each name, and what stands beside it."""


def sections(text: str) -> Iterator[Section]:
    chapter, section = "", Section("", "", {})
    for line in text.splitlines():
        if heading := re.fullmatch(r"(##+) `(.+)`", line):
            chapter = heading[2] if heading[1] == "##" else chapter
            section = Section(heading[2], chapter, {})
            yield section
        elif row := re.fullmatch(r"\| (`.+?`) \| (.+) \|", line):
            for name in re.findall(r"`(\w+)`", row[1]):
                assert name not in section.names, name
                section.names[name] = row[2]


SECTIONS = list(sections((DOCS / "reference.md").read_text("utf-8")))


def test_every_public_module_has_its_section() -> None:
    modules = walk_packages(pop3proto.__path__, "pop3proto.")
    public = [module.name for module in modules if not re.search(r"\._", module.name)]
    assert sorted(section.module for section in SECTIONS) == sorted(["pop3proto", *public])


@pytest.mark.parametrize(
    "section",
    [pytest.param(each, id=each.module) for each in SECTIONS if each.module != "pop3proto"],
)
def test_a_section_has_every_name_and_no_other(section: Section) -> None:
    assert set(section.names) == set(import_module(section.module).__all__)


def test_the_chapter_of_the_core_says_what_is_only_in_its_modules() -> None:
    core = [section for section in SECTIONS if section.chapter == "pop3proto"]
    gathered = [
        name
        for section in core
        for name, meaning in section.names.items()
        if not meaning.startswith("only here: ")
    ]
    assert sorted(gathered) == sorted(pop3proto.__all__)


def public_members(cls: type) -> set[str]:
    # Attributes that __init__ sets are in no class; the page of the client names them as well.
    return {name for name in dir(cls) if not name.startswith("_")}


@pytest.mark.parametrize(
    "cls", [Client, AsyncClient, MessageStream, ClientMessageStream, Batch, ClientBatch]
)
def test_the_page_of_the_client_names_every_member(cls: type) -> None:
    text = (DOCS / "client.md").read_text("utf-8")
    named = set(re.findall(r"`(?:\w+\.)?(\w+)(?:\(.*?\))?`", text))
    assert public_members(cls) - named == set()


def first_cells(page: str) -> set[str]:
    """The names in the first column of the tables of a page."""
    rows = re.findall(r"(?m)^\| (`.+?`[^|]*) \|", (DOCS / page).read_text("utf-8"))
    return {name for row in rows for name in re.findall(r"`(\w+)`", row)}


def test_the_page_of_deviations_has_every_fault() -> None:
    assert first_cells("deviations.md") == set(Fault.__members__)


def test_the_page_of_errors_has_every_exception() -> None:
    # Those that a row names beside its subject stand in another column.
    text = (DOCS / "errors.md").read_text("utf-8")
    assert set(errors.__all__) - {"printable"} <= set(re.findall(r"`(\w+)`", text))


@pytest.mark.parametrize(
    ("page", "cls"),
    [("client.md", ClientOptions), ("client.md", QuitResult), ("connecting.md", Timeouts)],
)
def test_a_page_has_every_field(page: str, cls: type) -> None:
    assert {field.name for field in fields(cls)} <= first_cells(page)
