"""The short run keeps enough of a product, and the rest of it is not lost."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tests.thinning import kept

TESTS = Path(__file__).parent
RUNTIMES, MODES, CASES = "abcdef", "xyz", [object() for _ in range(10)]


class Item:
    def __init__(self, joint: bool, **values: Any) -> None:
        self.callspec = SimpleNamespace(params=values)
        self.joint = joint

    def iter_markers(self, name: str) -> list[Any]:
        names = ["name", "mode, case"] if self.joint else ["name", "mode", "case"]
        return [SimpleNamespace(args=(name, [])) for name in names]


def shown(items: Any, *names: str) -> set[Any]:
    return {tuple(item.callspec.params[name] for name in names) for item in items}


def test_each_case_and_each_runtime_once_and_both_with_every_mode() -> None:
    values = product(RUNTIMES, MODES, CASES)
    items = [Item(False, name=name, mode=mode, case=case) for name, mode, case in values]
    some = list(kept(items))
    assert shown(some, "name", "mode") == {*product(RUNTIMES, MODES)}
    assert shown(some, "mode", "case") == {*product(MODES, CASES)}
    assert len(some) < len(items) / 4
    assert some == list(kept(items))


def test_what_is_parametrized_together_is_one_case() -> None:
    values = [
        (name, "xyz"[number % 3], case) for name in RUNTIMES for number, case in enumerate(CASES)
    ]
    items = [Item(True, name=name, mode=mode, case=case) for name, mode, case in values]
    some = list(kept(items))
    assert shown(some, "case", "mode") == shown(items, "case", "mode")
    assert shown(some, "name", "mode") == {*product(RUNTIMES, MODES)}


def test_no_runtime_has_much_more_to_do_than_another() -> None:
    items = [Item(False, name=name, mode="x", case=case) for name in RUNTIMES for case in CASES]
    counts = [
        sum(item.callspec.params["name"] == name for item in kept(items)) for name in RUNTIMES
    ]
    assert sum(counts) == len(CASES)
    assert max(counts) - min(counts) <= 1


def test_the_readme_names_every_thinned_test() -> None:
    readme = (TESTS / "README.md").read_text(encoding="utf-8")
    thinned = {
        f"`{path.relative_to(TESTS).as_posix()}::{name}`"
        for path in TESTS.glob("*/test_*.py")
        for name in re.findall(
            r"^@pytest\.mark\.thinned\n(?:@.*\n)*def (test_\w+)", path.read_text("utf-8"), re.M
        )
    }
    assert thinned
    assert set(re.findall(r"^\| (`\S+::test_\w+`) ", readme, re.M)) == thinned
