"""The page of the benchmarks' results: made of the JSON of any runs, whole or not."""

from __future__ import annotations

import argparse
import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks import document, reporting
from benchmarks.__main__ import main
from benchmarks.measuring import Figure, Goal
from benchmarks.reporting import NOT_ASKED, Report

PARTS = ["engine", "clients", "layers"]
MACHINE = {
    "Date": "2026-01-02",
    "Processors": "2, fast",
    "Python": "CPython 3.11.7",
    "Compiler of Python": "GCC",
    "Profile-guided optimisation": NOT_ASKED,
    "Link-time optimisation": NOT_ASKED,
}


def result(name: str, *rounds: float, **machine: str) -> dict[str, Any]:
    """A report with a goal of at least 2, some text and a table."""
    report = Report(name, f"Of {name}")
    report.add(f"Text of {name}.")
    report.table(["column"], [["cell"]], "A table")
    report.verdict(Goal(2, unit="x"), Figure(rounds), f"{name}, to poplib")
    report.data["10 messages of 4 KiB"] = {
        "poplib": {"who": "poplib (5 of them)", "speed": Figure(rounds).as_json()}
    }
    return {**report.as_json(), "machine": {**MACHINE, **machine}}


def page(tmp_path: Path, *files: dict[str, Any]) -> str:
    paths = [tmp_path / f"{number}.json" for number in range(len(files))]
    for path, content in zip(paths, files, strict=True):
        path.write_text(json.dumps(content), "utf-8")
    document.write(argparse.Namespace(files=paths, to=tmp_path), PARTS)
    return (tmp_path / "performance.md").read_text("utf-8")


def rows(text: str, begin: str) -> list[list[str]]:
    lines = [line for line in text.splitlines() if line.startswith(f"| {begin}")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_the_page(tmp_path: Path) -> None:
    text = page(tmp_path, {"clients": result("clients", 1, 3, 2), "layers": result("layers", 1.0)})
    assert rows(text, "part") == [["part", "what", "goal", "CPython 3.11.7"]]
    assert rows(text, "clients") == [
        ["clients", "clients, to poplib", "≥ 2.00x", "2.00x (1.00 to 3.00): yes"]
    ]
    assert rows(text, "layers")[0][-1] == "1.00x: NO"
    assert (
        "CPython 3.11.7: 1 of 2 goals are met. This Python's configure was not asked for"
        " profile-guided optimisation or link-time optimisation." in text
    )
    assert rows(text, "Link-time") == [["Link-time optimisation", NOT_ASKED]]
    # The summary is above all figures, and what is measured in the order of the parts.
    headings = [line for line in text.splitlines() if line.startswith("## ")]
    assert headings[0] == "## Every goal"
    assert "explains why some are not met" in text
    assert "since it was measured.\n\n| part" in text
    assert headings[-2:] == ["## Of clients", "## Of layers"]
    assert "Text of layers.\n\n### A table\n\n| column |" in text
    assert "Goals not met:\n\n- layers, to poplib: 1.00x where ≥ 2.00x is the goal" in text


def test_the_plot(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="python -m pip install -e '.[benchmark]'")
    text = page(tmp_path, {"clients": result("clients", 1, 3, 2)})
    assert "(performance.png)" in text
    assert (tmp_path / "performance.png").exists()


def test_the_page_without_matplotlib(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    text = page(tmp_path, {"clients": result("clients", 2.0)})
    assert "performance.png" not in text
    assert "pip install -e '.[benchmark]'" in capsys.readouterr().err
    assert rows(text, "clients")[0][3:] == ["2.00x: yes"]


def test_every_part_is_named(tmp_path: Path) -> None:
    text = page(tmp_path, {"layers": result("layers", 2.0)})
    assert "`python -m benchmarks engine` measures one part; the other parts are `clients`" in text
    assert "the results of one run." in text


def test_a_run_without_the_clients_has_no_plot(tmp_path: Path) -> None:
    text = page(tmp_path, {"layers": result("layers", 2.0)})
    assert "performance.png" not in text
    assert not (tmp_path / "performance.png").exists()
    assert "1 of 1 goals are met" in text


def test_several_pythons_are_side_by_side(tmp_path: Path) -> None:
    other = {"Python": "CPython 3.13.0", "Link-time optimisation": "yes"}
    text = page(
        tmp_path,
        {"layers": result("layers", 2.0)},
        {"engine": result("engine", 4.0, **other), "layers": result("layers", 1.5, **other)},
    )
    assert rows(text, "part")[0][3:] == ["CPython 3.11.7", "CPython 3.13.0"]
    assert rows(text, "layers")[0][2:] == ["≥ 2.00x", "2.00x: yes", "1.50x: NO"]
    assert rows(text, "engine")[0][2:] == ["≥ 2.00x", "", "4.00x: yes"]
    assert rows(text, "Link-time") == [["Link-time optimisation", NOT_ASKED, "yes"]]
    assert text.count("## Of layers") == 2
    assert "the results of 2 runs." in text


def test_the_same_version_built_twice_is_two_runs(tmp_path: Path) -> None:
    better = result("layers", 3.0, **{"Profile-guided optimisation": "yes"})
    text = page(tmp_path, {"layers": result("layers", 2.0)}, {"layers": better})
    assert rows(text, "part")[0][3:] == ["CPython 3.11.7, 1", "CPython 3.11.7, 2"]


def test_files_of_one_python_are_one_run(tmp_path: Path) -> None:
    again = result("layers", 3.0, Date="2026-01-03")
    text = page(
        tmp_path,
        {"engine": result("engine", 2.0), "layers": result("layers", 1.0)},
        {"layers": again},
    )
    assert rows(text, "layers")[0][3:] == ["3.00x: yes"]
    assert rows(text, "engine")[0][3:] == ["2.00x: yes"]
    assert rows(text, "Date") == [["Date", "2026-01-02 to 2026-01-03"]]


def test_what_failed_and_what_was_not_judged_is_told(tmp_path: Path) -> None:
    report = Report("engine", "Of the engine", judge_goals=False)
    report.require(False, "it is linear", "twice", "four times")
    report.verdict(Goal(2), Figure((1.0,)), "fast")
    report.not_measured(Goal(3, unit="x"), "beside who is absent")
    text = page(tmp_path, {"engine": {**report.as_json(), "machine": MACHINE}})
    assert "Failures:\n\n- it is linear: four times where twice is required" in text
    assert [row[1:] for row in rows(text, "engine")] == [
        ["it is linear", "twice", "four times: NO"],
        ["fast", "≥ 2.00", "1.00: -"],
        ["beside who is absent", "≥ 3.00x", "not measured: -"],
    ]
    assert "0 of 3 goals are met, 2 were not judged." in text


def test_from_the_command_line(tmp_path: Path) -> None:
    for name in ("clients", "layers"):
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps({name: result(name, 2.0)}), "utf-8")
    files = [str(tmp_path / name) for name in ("clients.json", "layers.json")]
    assert main(["document", *files, "--to", str(tmp_path)]) == 0
    text = (tmp_path / "performance.md").read_text("utf-8")
    assert "`servers` and `layers`. `--quick`" in " ".join(text.split())


@pytest.mark.parametrize(
    ("arguments", "pgo", "lto"),
    [
        (None, "unknown", "unknown"),
        ("'--prefix=/usr' 'LDFLAGS=-L/lib -flto'", NOT_ASKED, NOT_ASKED),
        ("'--enable-optimizations' '--with-lto'", "yes", "yes"),
        ("'--with-lto=thin'", NOT_ASKED, "yes"),
        ("'--with-lto' '--without-lto'", NOT_ASKED, NOT_ASKED),
        ("'--with-lto=no'", NOT_ASKED, NOT_ASKED),
    ],
)
def test_how_python_was_built(arguments: str | None, pgo: str, lto: str) -> None:
    told = reporting.build(arguments)
    assert told["Profile-guided optimisation"] == pgo
    assert told["Link-time optimisation"] == lto
    assert told["Compiler of Python"]
    assert told.keys() <= reporting.machine().keys()
