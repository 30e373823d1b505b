"""The sub-commands that are no contests, on little: that they run and hand back what they should.

How fast they say that anything is does not matter here.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from benchmarks import __main__, engine, imports, layers, peers, servers, sessions
from benchmarks import dovecot_server as dovecot
from benchmarks.measuring import Figure, turns
from benchmarks.reporting import Report


def quick(module: ModuleType, *options: str) -> Report:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--rounds", type=int, default=2)
    module.add_arguments(parser)
    report: Report = module.run(parser.parse_args(["--quick", *options]))
    assert report.failures == report.missed == []
    assert f"## {report.title}" in report.markdown()
    # JSON holds all of it.
    assert json.loads(json.dumps(report.as_json()))["parts"] == report.parts
    return report


def tables(report: Report) -> list[dict[str, Any]]:
    return [part for part in report.parts if "rows" in part]


def column(table: dict[str, Any], name: str) -> list[str]:
    at = table["header"].index(name)
    return [row[at] for row in table["rows"]]


def test_engine() -> None:
    report = quick(engine, "--corpus", "small")
    parsing, command, linearity = tables(report)
    assert column(parsing, "corpus") == ["small"]
    assert column(parsing, "met") == column(command, "met") == ["-"]
    assert len(column(linearity, "work an octet")) == 50
    small = report.data["small"]
    assert set(small["MB/s"]) == {"pop3proto", "poplib", "memchr"}
    assert [len(small[name]["rounds"]) for name in ("ratio to poplib", "percent of memchr")] == [
        1,
        1,
    ]
    assert [goal["met"] for goal in report.goals] == [None, None, None, True]


def test_sessions() -> None:
    report = quick(sessions)
    (table,) = tables(report)
    assert column(table, "connections") == ["plain", "TLS"]
    assert column(table, "sessions") == ["100", "100"]
    assert column(table, "met") == ["-", "-"]
    assert all(report.data[kind]["KiB of a session"]["median"] > 0 for kind in ("plain", "TLS"))


def test_layers() -> None:
    report = quick(layers)
    retr, noop = tables(report)
    assert len(retr["rows"]) == len(noop["rows"]) == 5
    for job in ("retr", "noop"):
        kept = report.data[job]
        assert list(kept) == ["scan", "engine", "commands", "client", "socket"]
        own = sum(layer["own"]["median"] for layer in kept.values())
        assert own == pytest.approx(kept["socket"]["up to here"]["median"])


def test_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    # The tests of real servers run it, where it can be run.
    monkeypatch.setattr(dovecot, "missing", lambda: "unpack it")
    report = quick(servers)
    assert "Dovecot is not installed: unpack it" in report.markdown()
    for table, manner in zip(tables(report), ("one at a time", "pipelined"), strict=True):
        assert column(table, "server")[:2] == ["from memory", "embedded, threads"]
        kept = report.data[manner]
        assert kept["embedded, threads"]["CPU"]["median"] > 0
        assert len(kept["embedded, threads"]["of the limit"]["rounds"]) == 1
    assert {goal["met"] for goal in report.goals} == {None}


def test_dovecot() -> None:
    if command := dovecot.missing():
        pytest.skip(command)
    report = quick(servers)
    kept = report.data["pipelined"]["Dovecot"]
    assert kept["messages/s"]["median"] > 0
    assert "CPU" not in kept


def test_servers_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dovecot, "missing", lambda: "unpack it")
    monkeypatch.setattr(peers, "missing", lambda name: "install it")
    played: list[str] = []

    def sample(name: str, *rest: object) -> dict[str, float]:
        played.append(name)
        return {"messages/s": 1.0}

    monkeypatch.setattr(servers, "_sample", sample)
    report = servers.run(argparse.Namespace(quick=False, rounds=2, other=["a friend=110"]))
    first = ["from memory", "embedded, threads", "a friend"]
    # Each does both jobs.
    assert played[::2] == played[1::2] == [*first, *first[1:], first[0]]
    assert "Twisted is not installed: install it" in report.markdown()
    assert {goal["measured"] for goal in report.goals} == {"not measured"}


def test_layers_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    played: list[str] = []

    def run_apart(contestant: Any) -> float:
        played.append(contestant.name)
        return 1.0

    monkeypatch.setattr(layers, "run_apart", run_apart)
    layers._measure(Report("layers", "Layers"), "noop", {}, 2)
    assert played[5:] == [*played[1:5], played[0]]


def test_turns() -> None:
    assert list(turns("abc", 2)) == [
        *(("round 1 of 2", one) for one in "abc"),
        *(("round 2 of 2", one) for one in "bca"),
    ]
    assert list(turns([], 2)) == []


def test_imports_are_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imports, "_IMPORTS", {"pop3proto": ("ssl",), "ssl": ("ssl",), "poplib": ()})
    report = Report("memory", "Memory", judge_goals=False)
    imports.measured(report, 1)
    (table,) = tables(report)
    assert column(table, "what") == ["pop3proto", "ssl", "poplib"]
    assert column(table, "goal") == ["without ssl", "without ssl", ""]
    assert column(table, "met") == ["yes", "NO", ""]
    assert report.failures == ["import ssl: with ssl where without ssl is required"]
    assert [goal["met"] for goal in report.goals] == [True, False]
    assert len(report.data["import pop3proto"]["to poplib"]["rounds"]) == 1


def test_imports_are_of_every_adapter() -> None:
    adapters = {name.rpartition(".")[2]: unwanted for name, unwanted in imports._IMPORTS.items()}
    assert {"ssl", "socket", "asyncio", "trio", "anyio"} == set(adapters["pop3proto"])
    for adapter in ("asyncio", "trio", "anyio"):
        own = imports._IMPORTS[f"pop3proto.transports.{adapter}"]
        assert {adapter, *own} == {"asyncio", "trio", "anyio"}


def test_a_spread_has_its_unit() -> None:
    assert Figure((1.0, 3.0, 2.0)).spread("x") == "2.00x (1.00 to 3.00)"
    assert Figure((1.0,)).spread(" %") == "1.00 %"


@pytest.fixture
def stubs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Sub-commands that only say who ran."""
    ran: list[str] = []

    def stub(name: str) -> Any:
        module: Any = ModuleType(name)
        module.HELP = name
        module.add_arguments = lambda parser: parser.add_argument("--of-its-own", default=name)

        def run(args: argparse.Namespace) -> Report:
            ran.append(args.of_its_own)
            return Report(name, name, failures=["broken"] * (name == "tls"))

        module.run = run
        return module

    monkeypatch.setattr(__main__, "_COMMANDS", {name: stub(name) for name in __main__._COMMANDS})
    return ran


def test_all_is_all_of_them(stubs: list[str], tmp_path: Path) -> None:
    path = tmp_path / "all.json"
    assert __main__.main(["all", "--quick", "--json", str(path)]) == 1  # tls failed
    everything = ["engine", "clients", "latency", "tls", "memory", "sessions", "servers", "layers"]
    assert stubs == everything == list(json.loads(path.read_text("utf-8")))
    assert __main__.main(["layers"]) == 0
