"""Baselines: the failures that are known."""

from __future__ import annotations

import pytest

from pop3proto import LocalProtocolError
from pop3proto.conformance import Baseline


def test_a_baseline_is_lines_of_numbers_and_reasons() -> None:
    lines = ["# a comment\n", "\n", "S102 why not\n", "  S101\n"]
    baseline = Baseline.load(lines)
    assert {**baseline} == {"S102": "why not", "S101": ""}
    text = baseline.dumps()
    assert text.endswith("\nS101\nS102 why not\n")
    assert Baseline.load(text.splitlines()) == baseline


def test_a_reason_stays_on_its_line() -> None:
    text = Baseline({"S101": "one\ntwo\x1b[2J"}).dumps()
    assert text.splitlines()[1:] == ["S101 one\\ntwo\\x1b[2J"]


@pytest.mark.parametrize("line", ["S1", "101 x", "nonsense", "S1011", "s101"])
def test_a_malformed_line_is_named(line: str) -> None:
    with pytest.raises(LocalProtocolError, match="line 2"):
        Baseline.load(["S101", line])
