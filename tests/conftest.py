"""What holds for every test: see tests/README.md."""

from pathlib import Path

import pytest
from hypothesis import settings

from tests.property.effort import PROFILE
from tests.thinning import mark_the_rest_as_slow

# Their subject is other people's servers, or the speed of the machine.
SLOW = [Path(__file__).with_name(folder) for folder in ("benchmarks", "interop")]

settings.register_profile("pop3proto", PROFILE)
settings.load_profile("pop3proto")


@pytest.hookimpl(tryfirst=True)  # before pytest looks at the marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    mark_the_rest_as_slow(items)
    for item in items:
        if any(folder in item.path.parents for folder in SLOW):
            item.add_marker(pytest.mark.slow)
