"""A short soak, and that it would notice."""

from __future__ import annotations

import pytest

from benchmarks import sessions, soak

LITTLE = ["--commands", "3000", "--connections", "60"]


def test_memory_is_flat_and_nothing_is_left(capsys: pytest.CaptureFixture[str]) -> None:
    assert soak.main(LITTLE) == 0
    commands, connections = capsys.readouterr().out.splitlines()
    assert commands.startswith("3000 commands: ")
    assert connections.startswith("60 TLS connections: ")
    assert commands.endswith("left: 0")
    assert connections.endswith("left: 0")


def test_growth_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    held = iter(range(0, 100 * 2**20, 10 * 2**20))
    monkeypatch.setattr(sessions, "resident", lambda: next(held))
    assert soak.main(LITTLE) == 1
