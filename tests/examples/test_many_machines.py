"""Many accounts on two of Dask's workers, in processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from threading import Lock

import pytest

from examples.many_machines import SHARD, Account, Log, shards
from pop3proto.server import Maildrop, MemoryMaildrops
from pop3proto.sync import Record, Remember, Standing
from pop3proto.testing import LoopbackServer, serve
from tests.examples.test_programs import ROOT, mail

USERS = [f"user{number}@example.org" for number in range(30)]


class Counted(MemoryMaildrops):
    """Knows how many maildrops were open at the same time."""

    def __init__(self) -> None:
        super().__init__({user: [mail(f"{user} {n}") for n in (1, 2)] for user in USERS})
        self.now = self.most = 0
        self.lock = Lock()

    def open(self, user: str) -> Maildrop:
        maildrop = super().open(user)
        with self.lock:
            self.now += 1
            self.most = max(self.now, self.most)
        close = maildrop.close

        def closing() -> None:
            nonlocal close
            with self.lock:
                self.now -= 1
            last, close = close, lambda: None
            last()

        maildrop.close = closing  # type: ignore[method-assign]
        return maildrop


@pytest.fixture
def servers() -> Iterator[list[tuple[LoopbackServer, Counted]]]:
    with ExitStack() as stack:
        made = []
        for _ in range(3):
            maildrops = Counted()
            users = dict.fromkeys(USERS, "secret")
            context = serve(maildrops, users=users, security="stls")
            made.append((stack.enter_context(context), maildrops))
        yield made


@pytest.mark.slow
def test_two_workers_fetch_everything_once(
    servers: list[tuple[LoopbackServer, Counted]], tmp_path: Path
) -> None:
    pytest.importorskip("distributed", reason="needs Dask's distributed")
    authority = tmp_path / "authority.pem"
    import ssl

    certificates = [
        ssl.DER_cert_to_PEM_cert(certificate)
        for server, _ in servers
        for certificate in server.client_context().get_ca_certs(binary_form=True)
    ]
    authority.write_text("".join(certificates))
    (tmp_path / "right").write_text("secret\n")
    (tmp_path / "wrong").write_text("guessed\n")
    lines = [
        f"pop://{user.replace('@', '%40')}@{server.host}:{server.port},{tmp_path}/right\n"
        for server, _ in servers
        for user in USERS
    ]
    lines[7] = lines[7].replace("/right", "/wrong")
    (tmp_path / "accounts.csv").write_text("".join(lines))

    def run() -> subprocess.CompletedProcess[str]:
        program = ROOT / "examples" / "many_machines.py"
        return subprocess.run(
            [sys.executable, program, "accounts.csv", "mail", "--local", "2"],
            cwd=tmp_path,
            env={
                **os.environ,
                "SSL_CERT_FILE": str(authority),
                "DASK_LOGGING__DISTRIBUTED": "error",
            },
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    first = run()
    assert first.stdout == "90 accounts, 178 new messages, 1 failed\n", first.stderr
    assert first.returncode == 1
    (failure,) = [line for line in first.stderr.splitlines() if line.startswith("pop://")]
    assert failure.startswith("pop://user7%40example.org@")
    assert "guessed" not in first.stdout + first.stderr
    stored = sorted(path.read_bytes() for path in (tmp_path / "mail").rglob("*.eml"))
    there = [content for _, drops in servers for user in USERS for content in drops.contents(user)]
    for content in servers[0][1].contents(USERS[7]):
        there.remove(content)
    assert stored == sorted(there)
    assert [drops.most <= 4 for _, drops in servers] == [True, True, True]
    second = run()
    assert second.stdout == "90 accounts, 0 new messages, 1 failed\n", second.stderr


def test_the_accounts_of_a_server_follow_one_another() -> None:
    def accounts(host: str, count: int) -> list[Account]:
        return [Account(f"pops://user{n}@{host}", "file") for n in range(count)]

    small = [account for n in range(300) for account in accounts(f"pop{n}.example.org", 7)]
    large = accounts("pop.example.org", 2 * SHARD + 1)
    chains = list(shards([*small, *large]))
    assert sorted(account for chain in chains for shard in chain for account in shard) == sorted(
        [*small, *large]
    )
    hosts = [{account.host for shard in chain for account in shard} for chain in chains]
    assert sum(map(len, hosts)) == len(set.union(*hosts)) == 301
    assert [len(shard) for chain in chains for shard in chain if len(chain) > 1] == [
        SHARD,
        SHARD,
        1,
    ]
    assert all(len(shard) < SHARD + 7 for chain in chains for shard in chain)


def test_the_log_gives_back_what_was_written_whole(tmp_path: Path) -> None:
    one = Record(1, 10, b"\xff" * 32, b"id", 12, 1.5, 2.5, Standing.KNOWN, True, False, "")
    two = one._replace(key=2, unique_id=None, listed=None)
    log = Log(tmp_path / "records")
    assert log.records() == []
    log.remember(Remember((one, two)))
    log.remember(Remember((one._replace(seen=3.5),), forgotten=(2,)))
    assert log.records() == [one._replace(seen=3.5)]
    with (tmp_path / "records").open("ab") as file:
        file.write(json.dumps([[], [1]]).encode()[:-2])
    log.remember(Remember((two,)))
    assert log.records() == [one._replace(seen=3.5), two]
