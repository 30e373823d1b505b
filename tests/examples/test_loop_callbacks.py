from __future__ import annotations

import ssl
from importlib.util import find_spec

import pytest

from examples import loop_callbacks
from examples.loop_callbacks import Download
from tests.examples.contract import (
    PASSWORD,
    USER,
    Fetched,
    Job,
    LoopContract,
    described,
    run_driver,
)
from tests.examples.sockets import SocketWithSignals, Timer, run


class TestCallbacks(LoopContract):
    """The class, on a socket with the manners of Qt's."""

    module = loop_callbacks
    best = "SCRAM-SHA-512"

    def run(self, job: Job) -> Fetched:
        sock, timers, ends = SocketWithSignals(job.context()), (Timer(), Timer()), list[bool]()
        download = Download(sock, *timers, USER, job.password, lambda: ends.append(True))
        download.start(job.server.host, job.server.port)
        run(sock, timers, lambda: bool(ends))
        assert ends == [True]
        assert [timer.due for timer in timers] == [None, None]
        return Fetched(download.messages, download.refused, described(download.error))


@pytest.mark.skipif(find_spec("PySide6") is None, reason="takes pip install PySide6-Essentials")
class TestQt(LoopContract):
    """The script, with Qt itself, in processes of their own."""

    module = loop_callbacks
    best = "SCRAM-SHA-512"

    def run(self, job: Job) -> Fetched:
        return run_driver(self.module, job)


def test_nothing_to_read_is_not_the_end_of_the_stream() -> None:
    ends: list[bool] = []
    sock, soon = SocketWithSignals(ssl.create_default_context()), Timer()
    download = Download(sock, Timer(), soon, USER, PASSWORD, lambda: ends.append(True))
    sock.readyRead.emit()
    soon.timeout.emit()
    assert download.error is None
    assert not ends
