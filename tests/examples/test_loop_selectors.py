from __future__ import annotations

import socket
from pathlib import Path

import pytest

from examples import loop_selectors
from examples.loop_selectors import Download
from pop3proto.server import MemoryMaildrops
from tests.examples.contract import (
    HEADER,
    MESSAGES,
    PASSWORD,
    USER,
    AnyMechanismContract,
    Fetched,
    Job,
    described,
    serving,
)


def connected(job: Job) -> Download:
    sock = socket.create_connection((job.server.host, job.server.port), 10)
    return Download(sock, job.server.host, USER, job.password, job.context(), job.mechanism)


class TestSelectors(AnyMechanismContract):
    module = loop_selectors

    def run(self, job: Job) -> Fetched:
        download = connected(job)
        loop_selectors.run(download)
        assert download.done
        assert download.sock.fileno() == -1
        return Fetched(download.messages, download.refused, described(download.error))


def test_one_loop_runs_many_downloads(tmp_path: Path) -> None:
    with serving() as one, serving(MemoryMaildrops({USER: MESSAGES[:2]})) as two, serving() as bad:
        jobs = [Job(server, tmp_path, PASSWORD, server.authority, 20.0) for server in (one, two)]
        downloads = [connected(job) for job in jobs]
        downloads.append(connected(Job(bad, tmp_path, "wrong", bad.authority, 20.0)))
        loop_selectors.run(*downloads)
    assert [len(download.messages) for download in downloads] == [len(MESSAGES), 2, 0]
    assert [download.error is None for download in downloads] == [True, True, False]


def test_neither_end_waits_for_the_other_to_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Buffers that are full in both directions: the window is far too large, the messages too.
    monkeypatch.setattr(loop_selectors, "WINDOW", 6000)
    monkeypatch.setattr(loop_selectors, "TIMEOUT", 10.0)
    message = HEADER + b"0123456789abcde\r\n" * 200
    with serving(MemoryMaildrops({USER: [message] * 6000})) as server, socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.connect((server.host, server.port))
        job = Job(server, tmp_path, PASSWORD, server.authority, 10.0)
        download = Download(sock, server.host, USER, PASSWORD, job.context())
        loop_selectors.run(download)
    assert download.error is None
    assert len(download.messages) == 6000
