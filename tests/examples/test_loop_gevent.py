from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from time import sleep

import gevent
from gevent import ssl

import pop3proto as pop3
from examples import loop_gevent
from tests.examples.contract import (
    HEADER,
    PASSWORD,
    USER,
    FaultyMaildrops,
    Fetched,
    Job,
    ScriptContract,
    serving,
)


def fetch_all(job: Job) -> Fetched:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    job.authority.configure_trust(context)
    server = job.server
    return Fetched(*loop_gevent.fetch_all(server.host, server.port, USER, job.password, context))


class TestGevent(ScriptContract):
    module = loop_gevent

    def run(self, job: Job) -> Fetched:
        try:
            return fetch_all(job)
        except (pop3.Pop3Error, OSError) as error:
            return Fetched.failed(error)


def test_other_greenlets_run_meanwhile(tmp_path: Path) -> None:
    def slow(number: int) -> Iterator[bytes]:
        sleep(0.2)
        yield HEADER

    with serving(FaultyMaildrops({2: slow})) as one, serving(FaultyMaildrops({3: slow})) as two:
        jobs = [Job(server, tmp_path, PASSWORD, server.authority, 20.0) for server in (one, two)]
        greenlets = [gevent.spawn(fetch_all, job) for job in jobs]
        ticks = 0
        while not all(greenlet.ready() for greenlet in greenlets):
            gevent.sleep(0.001)
            ticks += 1
        assert [len(greenlet.get().messages) for greenlet in greenlets] == [6, 6]
    # A socket that blocks would let hardly one of them through.
    assert ticks > 10
