"""docs/reference.md has every public name, and docs/client.md every method of the clients."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from pop3proto import Fault, errors
from pop3proto._value import field_names
from pop3proto.transports import (
    AsyncBatch,
    AsyncMessageStream,
    Batch,
    ClientOptions,
    MessageStream,
    QuitResult,
    Timeouts,
)
from pop3proto.transports.asyncio import AsyncClient
from pop3proto.transports.blocking import Client
from tests.test_architecture import PUBLIC

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_the_reference_is_current() -> None:
    command = [sys.executable, str(DOCS / "make_reference.py"), "--check"]
    assert subprocess.run(command, check=False).returncode == 0


def test_the_reference_has_every_public_module() -> None:
    headings = re.findall(
        r"(?m)^## `pop3proto\.?(.*)`$", (DOCS / "reference.md").read_text("utf-8")
    )
    assert sorted(name or "(package)" for name in headings) == sorted(PUBLIC)


def test_every_public_name_says_what_it_is() -> None:
    text = (DOCS / "reference.md").read_text("utf-8")
    rows = re.findall(r"(?m)^\| `(\w+)(?:\(.*?\))?` \| (.*) \|$", text)
    assert len(rows) > 200
    assert [
        name for name, meaning in rows if not meaning and name not in ("__version__", "POP3_SSL")
    ] == []


def public_members(cls: type) -> set[str]:
    # Attributes that __init__ sets are in no class; the page of the client names them as well.
    return {name for name in dir(cls) if not name.startswith("_")}


@pytest.mark.parametrize(
    "cls", [Client, AsyncClient, AsyncMessageStream, MessageStream, AsyncBatch, Batch]
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
    exceptions = {name for name in vars(errors) if name.endswith("Error")}
    assert exceptions <= set(re.findall(r"`(\w+)`", text))


def test_the_page_of_errors_says_what_an_error_does() -> None:
    text = (DOCS / "errors.md").read_text("utf-8")
    rows = re.findall(r"(?m)^\|\W+`(\w+Error)` \|[^|]*\| ([^|]*) \| ([^|]*) \|", text)
    assert len(rows) > 20
    for name, session, later in rows:
        cls = getattr(errors, name)
        if session != "as above":
            assert session.startswith("on" if cls.session_usable else "over"), name
        assert (later == "yes") is cls.transient, name


@pytest.mark.parametrize(
    ("page", "cls"),
    [("client.md", ClientOptions), ("client.md", QuitResult), ("connecting.md", Timeouts)],
)
def test_a_page_has_every_field(page: str, cls: type) -> None:
    assert set(field_names(cls)) <= first_cells(page)
