"""The benchmarks' contestants: that they do the work that they are timed for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import peers, tools
from benchmarks.meter import Meter, process_cpu
from benchmarks.server import LINE, Address, Maildrop, serving

MAILDROP = Maildrop(count=20, least=3_000, most=9_000, text=True)
CLIENTS = [name for name in peers.PEERS if name.startswith("pop3proto, ")]
JOBS = [
    *((client, job) for client in CLIENTS for job in ("retr", "retr_many", "stream", "whole")),
    *((client, "noop") for client in [*CLIENTS, "raw socket", "poplib"]),
    *((client, "file") for client in ("poplib", "pop3proto, blocking")),
    *((client, "listings") for client in ("poplib", "pop3proto, blocking")),
    ("pop3proto, blocking", "noop_many"),
    *((client, "retr") for client in ("poplib", "pop3proto.compat.poplib", "pycurl")),
    ("poplib", "whole"),
    ("poplib", "rows"),
]
# A reactor of Twisted's runs once in a process; contests give it one of its own.


@pytest.fixture(scope="module", params=["plain", "tls"])
def server(request: pytest.FixtureRequest) -> Iterator[Address]:
    with serving(MAILDROP, tls=request.param == "tls") as address:
        yield address


def expected(job: str) -> int:
    if job in {"retr", "retr_many"}:
        return sum(len(MAILDROP.message(number)) for number in range(1, 11))
    return {"noop": 10, "noop_many": 10, "listings": 20, "rows": 20}.get(
        job, len(MAILDROP.message(1))
    )


@pytest.mark.parametrize(("name", "job"), JOBS, ids=", ".join)
@pytest.mark.parametrize("session", [True, False], ids=["session", "job alone"])
def test_jobs(server: Address, name: str, job: str, session: bool) -> None:
    if command := peers.missing(name):
        pytest.skip(command)
    result = peers.run(name, job, server.arguments(), count=10, session=session)
    assert result["got"] == expected(job)
    assert result["seconds"] > 0
    assert result["growth"] >= 0


@pytest.mark.parametrize("job", ["retr", "retr_many"])
def test_the_limit_counts_all_octets_on_the_wire(job: str) -> None:
    with serving(MAILDROP) as address:
        result = peers.run("raw socket", job, address.arguments(), count=20, session=True)
    answers = sum(
        len(b"+OK %d octets\r\n%b.\r\n" % (MAILDROP.octets(number), MAILDROP.message(number)))
        for number in range(1, 21)
    )
    assert result["got"] == answers + (len(b"+OK bye\r\n") if job == "retr_many" else 0)


def test_the_limit_writes_what_it_receives(server: Address) -> None:
    result = peers.run("raw socket", "file", server.arguments(), count=1)
    size = MAILDROP.octets(1)
    assert result["got"] == len(b"+OK %d octets\r\n%b.\r\n" % (size, MAILDROP.message(1)))


def test_both_have_the_same_rows() -> None:
    with serving(MAILDROP) as address:
        meter = Meter(address)
        plain, ours = peers.Poplib(meter), peers.Blocking(meter)
        assert plain.rows(20) == ours.listings(20) == 20
        sizes, names = ours.kept
        assert [(row.number, row.octets) for row in sizes] == plain.kept[0]
        assert [(row.number, row.unique_id) for row in names] == plain.kept[1]
        plain.quit()
        ours.quit()


def test_the_time_of_another_process_is_known() -> None:
    with serving(MAILDROP) as address:
        begin = process_cpu(address.pid)
        peers.run("raw socket", "retr_many", address.arguments(), count=20, session=True)
        end = process_cpu(address.pid)
    if begin is None:
        pytest.skip("this system's C library does not tell it")
    assert end is not None
    assert 0 < end - begin < 10
    assert process_cpu(address.pid) is None  # it has ended


@pytest.mark.parametrize("name", tools.TOOLS)
def test_programs_fetch_every_message(name: str) -> None:
    if command := peers.missing(name):
        pytest.skip(command)
    with serving(MAILDROP) as address:
        # All of them, because not every program can be told how many.
        result = peers.run(name, "retr", address.arguments(), count=20, session=True)
    assert result["got"] == pytest.approx(MAILDROP.total, rel=0.1)


SCRIPTS = ("pop3proto, a program", "poplib, a program", "Net::POP3", "net/pop", "node-pop3")


@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts_write_the_same_mbox(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if command := peers.missing(name):
        pytest.skip(command)
    # Every line is one that an mbox has to quote.
    monkeypatch.setattr(Maildrop, "block", (b"From " + b"x" * (LINE - 7) + b"\r\n") * 100)
    maildrop = Maildrop(2, 1_000, 1_000)
    with serving(maildrop) as address:
        tools.fetch(name, address, 2, tmp_path, tools.prepare(name, tmp_path))()
    texts = [maildrop.message(number).replace(b"\r\n", b"\n") for number in (1, 2)]
    assert (tmp_path / "mail").read_bytes() == b"".join(
        b"From - Thu Jan  1 00:00:00 2026\n" + text.replace(b"\nFrom ", b"\n>From ") + b"\n"
        for text in texts
    )


def test_a_program_has_no_growth_of_memory() -> None:
    with serving(MAILDROP) as address:
        result = peers.run("poplib, a program", "retr", address.arguments(), count=20)
    assert "growth" not in result


def test_a_program_that_fails_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tools.Tool(("sh", "-c", "echo 'no such host' >&2; exit 3"), "")
    monkeypatch.setitem(tools.TOOLS, "curl", tool)
    with pytest.raises(AssertionError, match="curl ended with 3: no such host"):
        peers.run("curl", "retr", {"port": 1}, count=1)


def test_a_program_that_loses_messages_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(tools.TOOLS, "curl", tools.Tool(("echo", "nothing"), ""))
    with pytest.raises(AssertionError, match="fetched 0 of 5"):
        peers.run("curl", "retr", {"port": 1}, count=5)


def test_what_is_missing_is_named_with_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    absent = peers.Peer(lambda: lambda job, meter: 0, "no_such_module", "no-such-package")
    monkeypatch.setitem(peers.PEERS, "absent", absent)
    monkeypatch.setitem(tools.TOOLS, "gone", tools.Tool(("no-such-program",), "apt-get install it"))
    monkeypatch.setitem(tools.TOOLS, "half", tools.Tool(("sh",), "install", ("sh", "-c", "exit 1")))
    assert peers.missing("absent") == "python -m pip install 'no-such-package'"
    assert peers.missing("gone") == "apt-get install it"
    assert peers.missing("half") == "install"
    assert peers.missing("poplib") == ""
