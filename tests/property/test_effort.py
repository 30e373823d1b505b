import runpy
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from tests.property.effort import EFFORT

MODULE = Path(__file__).with_name("effort.py")


def settings(monkeypatch: pytest.MonkeyPatch, value: str | None) -> Any:
    if value is None:
        monkeypatch.delenv("POP3PROTO_EFFORT", raising=False)
    else:
        monkeypatch.setenv("POP3PROTO_EFFORT", value)
    return runpy.run_path(str(MODULE))["effort"](10, stateful_step_count=7)


def test_by_default_a_run_is_like_the_one_before(monkeypatch: pytest.MonkeyPatch) -> None:
    default = settings(monkeypatch, None)
    assert (default.max_examples, default.derandomize) == (10, True)
    assert default.stateful_step_count == 7


@pytest.mark.parametrize("effort", [1, 20])
def test_when_asked_for_each_run_is_another_one(
    monkeypatch: pytest.MonkeyPatch, effort: int
) -> None:
    # Hypothesis has other defaults there: the same examples each time, among them.
    monkeypatch.setenv("CI", "true")
    asked = settings(monkeypatch, str(effort))
    assert (asked.max_examples, asked.derandomize) == (10 * effort, False)
    assert asked.print_blob


@given(st.integers())
def test_what_asks_for_nothing_is_not_hurried_either(number: int) -> None:
    inherited = hypothesis.settings()
    assert inherited.deadline is None
    assert HealthCheck.too_slow in inherited.suppress_health_check
    assert inherited.max_examples == 100 * EFFORT
