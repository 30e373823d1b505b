"""A few kills for each way of delivery; ``killing.py`` is the program for hundreds of them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.property.effort import EFFORT
from tests.sync.killing import WAYS, kill_at_random

KILLS = 20


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="needs signals")
@pytest.mark.parametrize("attempt", range(EFFORT))
@pytest.mark.parametrize("way", WAYS)
def test_killed_at_random(way: str, attempt: int, tmp_path: Path) -> None:
    done = kill_at_random(way, tmp_path, KILLS, attempt)
    assert done.kills > 0
    assert done.twice <= (done.kills if way == "lmtp" else 0)
