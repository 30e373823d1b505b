"""What holds for every test: see tests/README.md."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

from tests.property.effort import PROFILE
from tests.thinning import mark_the_rest_as_slow

# Their subject is other people's servers, or the speed of the machine.
SLOW = [Path(__file__).with_name(folder) for folder in ("benchmarks", "interop")]

settings.register_profile("pop3proto", PROFILE)
settings.load_profile("pop3proto")


@pytest.hookimpl(optionalhook=True)  # of pytest-xdist
def pytest_xdist_auto_num_workers() -> int:
    """Return one more than there are processors, because some tests wait."""
    processors = getattr(os, "sched_getaffinity", lambda _: range(os.cpu_count() or 1))(0)
    return len(processors) + 1


@pytest.hookimpl(tryfirst=True)  # before pytest looks at the marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    mark_the_rest_as_slow(items)
    for item in items:
        if any(folder in item.path.parents for folder in SLOW):
            item.add_marker(pytest.mark.slow)
