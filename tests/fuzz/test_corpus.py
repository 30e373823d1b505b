"""The seeds of the fuzzers, without Atheris."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz.targets import TARGETS

CORPUS = Path(__file__).parent / "corpus"
SEEDS = sorted(CORPUS.glob("*/*"))


def test_there_are_seeds_for_both_roles() -> None:
    assert {seed.parent.name for seed in SEEDS} == {"client", "server"}


@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: f"{seed.parent.name}-{seed.name}")
def test_a_seed(seed: Path) -> None:
    TARGETS[seed.parent.name](seed.read_bytes())
