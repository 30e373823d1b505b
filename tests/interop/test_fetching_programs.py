"""``pop3proto fetch`` stores the same octets as mpop, getmail6 and fetchmail, as whole programs."""

from __future__ import annotations

import shutil

import pytest

from benchmarks.fetching import PROGRAMS, run
from benchmarks.server import Maildrop, serving
from tests.interop.packages import REQUIRED


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_same_octets(name: str) -> None:
    needs = PROGRAMS[name].needs
    if shutil.which(needs) is None:
        problem = f"{needs} is not installed"
        pytest.fail(problem) if REQUIRED else pytest.skip(problem)
    maildrop = Maildrop(20, 500, 2000)
    with serving(maildrop) as address:
        took = run(name, maildrop, address.port)
    assert took.stored
    assert took.cpu > 0
