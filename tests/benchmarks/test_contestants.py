"""The contestants: that they do the work that they are timed for, and say so if they do not."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from benchmarks import clients, programs, servers
from benchmarks.measuring import environment
from benchmarks.meter import process_cpu
from benchmarks.server import LINE, Address, Maildrop, serving

MAILDROP = Maildrop(count=20, least=3_000, most=9_000, text=True)
OURS = [name for name in clients.CLIENTS if name.startswith("pop3proto, ")]
JOBS = [
    *((name, job) for name in OURS for job in ("retr", "retr_many", "stream", "noop")),
    *((name, "noop") for name in ("raw loop", "poplib")),
    *((name, "retr") for name in ("raw loop", "poplib", "pop3proto.compat.poplib")),
    *((name, job) for name in ("poplib", "pop3proto, blocking") for job in ("whole", "listings")),
    *(("raw loop", job) for job in ("retr_many", "stream")),
]


@pytest.fixture(scope="module", params=["plain", "tls"])
def scene(request: pytest.FixtureRequest) -> Iterator[dict[str, Any]]:
    with serving(MAILDROP, tls=request.param == "tls") as address:
        yield {"address": address.arguments(), "maildrop": asdict(MAILDROP)}


def count_of(job: str) -> int:
    return 20 if job == "listings" else 10


@pytest.mark.parametrize(("name", "job"), JOBS, ids=", ".join)
def test_jobs(scene: dict[str, Any], name: str, job: str) -> None:
    for module in ("uvloop", "trio"):
        if module in name:
            pytest.importorskip(module)
    result = clients.run(name, job, count_of(job), **scene)
    assert result["seconds"] > 0
    assert result["growth"] >= 0


def test_who_gets_other_octets_fails() -> None:
    with serving(MAILDROP) as address:
        other = asdict(Maildrop(20, 2_000, 2_000))
        with pytest.raises(AssertionError, match="poplib got "):
            clients.run("poplib", "retr", 10, address.arguments(), other)
        with pytest.raises(AssertionError, match="raw loop got"):
            clients.run("raw loop", "retr", 10, address.arguments(), other)


@pytest.mark.parametrize("who", programs.PROGRAMS)
def test_programs(who: str) -> None:
    if command := programs.missing(who):
        pytest.skip(command)
    with serving(MAILDROP) as address:
        about = (address.arguments(), asdict(MAILDROP))
        # All of them, because not every program can be told how many.
        result = programs.run(who, 20, *about, on_disk=bool(programs.PROGRAMS[who].durability))
    assert result.keys() == {"seconds", "cpu"}


@pytest.mark.parametrize(
    "who", [who for who in programs.PROGRAMS if who.startswith(("raw", "pop", "mpop"))]
)
def test_programs_over_tls(who: str) -> None:
    if command := programs.missing(who):
        pytest.skip(command)
    if programs.PROGRAMS[who].durability:
        pytest.skip("it is measured without TLS")
    with serving(MAILDROP, tls=True) as address:
        assert programs.run(who, 20, address.arguments(), asdict(MAILDROP))["cpu"] > 0


@pytest.mark.parametrize("who", ["pop3proto, to an mbox", "poplib, to an mbox"])
def test_scripts_write_the_same_mbox(
    who: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Every line is one that an mbox has to quote.
    monkeypatch.setattr(Maildrop, "block", (b"From " + b"x" * (LINE - 7) + b"\r\n") * 100)
    maildrop = Maildrop(2, 1_000, 1_000)
    (tmp_path / "output").touch()
    with serving(maildrop) as address:
        command = programs._filled(who, 2, address, tmp_path)
        programs._wait_for(who, command, environment(), tmp_path)
    texts = [maildrop.message(number).replace(b"\r\n", b"\n") for number in (1, 2)]
    assert (tmp_path / "output").read_bytes() == b"".join(
        b"From - Thu Jan  1 00:00:00 2026\n" + text.replace(b"\nFrom ", b"\n>From ") + b"\n"
        for text in texts
    )


@pytest.mark.parametrize(
    ("script", "complaint"),
    [
        ("echo 'no such host' >&2; exit 3", "fake ended with 3: no such host"),
        ("echo nothing", "it fetched 0 of 5 messages"),
    ],
)
def test_a_program_that_fails_says_so(
    script: str, complaint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(programs.PROGRAMS, "fake", programs.Program(("sh", "-c", script)))
    with pytest.raises(AssertionError, match=complaint):
        programs.run("fake", 5, {"port": 1}, asdict(MAILDROP))


def test_a_script_that_gets_too_little_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(programs.PROGRAMS, "poplib", programs.Program(("echo", "7")))
    monkeypatch.setattr(programs, "_filled", lambda *args: ["echo", "7"])
    with pytest.raises(AssertionError, match="it got 7 octets of"):
        programs.run("poplib", 5, {"port": 1}, asdict(MAILDROP))


@pytest.mark.parametrize("who", programs.STARTS)
def test_starts(who: str) -> None:
    assert programs.start(who, 1)["cpu"] > 0


def test_every_program_to_a_disk_tells_its_durability() -> None:
    told = [who for who, program in programs.PROGRAMS.items() if program.durability]
    assert told == [
        "pop3proto fetch",
        "mpop, to a Maildir",
        "fetchmail, through dd",
        "getmail6, through dd",
    ]
    assert programs.filesystem()


@pytest.mark.skipif(bool(programs.missing_slow_disk()), reason="no compiler")
def test_the_waits_for_a_slow_disk_are_counted() -> None:
    with serving(MAILDROP) as address:
        arguments = (20, address.arguments(), asdict(MAILDROP), True, 1)
        assert programs.run("pop3proto fetch", *arguments)["waits"] > 20
        if not programs.missing("mpop, to a Maildir"):
            assert programs.run("mpop, to a Maildir", *arguments)["waits"] >= 20


def test_the_folder_of_a_program_on_the_disk_goes_away(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for tool in (shutil.which("chattr"), None):
        monkeypatch.setattr(shutil, "which", lambda _, tool=tool: tool)
        with programs.far_from_others(str(tmp_path)) as folder:
            assert folder.is_dir()
        assert [*tmp_path.iterdir()] == []


def test_the_cpu_of_a_server_is_known() -> None:
    with servers.all_of_them(5) as scene:
        result = servers.run(servers.OURS, "retr", 5, **scene)
        pid = scene["servers"][servers.OURS]["pid"]
        assert process_cpu(pid) is not None
    assert result["cpu"] > 0


def test_a_server_of_somebody_else_has_no_cpu() -> None:
    with serving(MAILDROP) as address:
        other = {"other": Address(address.port).arguments()}
        result = servers.run("other", "retr", 5, other, asdict(MAILDROP))
    assert result.keys() == {"seconds"}
