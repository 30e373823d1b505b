"""The examples in docstrings run."""

from __future__ import annotations

import doctest
from importlib import import_module
from pathlib import Path

import pytest

import pop3proto

PACKAGE = Path(pop3proto.__file__).parent
# Where an exception lives is not what matters about it.
FLAGS = doctest.ELLIPSIS | doctest.IGNORE_EXCEPTION_DETAIL


def modules_with_examples() -> list[str]:
    paths = [path for path in PACKAGE.rglob("*.py") if ">>> " in path.read_text("utf-8")]
    names = [path.relative_to(PACKAGE.parent).with_suffix("").parts for path in sorted(paths)]
    return [".".join(parts).removesuffix(".__init__") for parts in names]


@pytest.mark.parametrize("name", modules_with_examples())
def test_the_examples_run(name: str) -> None:
    tests = doctest.DocTestFinder().find(import_module(name))
    assert any(test.examples for test in tests)
    runner = doctest.DebugRunner(optionflags=FLAGS)
    for test in tests:
        runner.run(test)
