"""``python -m benchmarks.soak``: many commands and connections, and whether memory stays flat.

One client sends commands over a single connection, and then clients connect under TLS, log in and
leave, one after the other. The resident memory of the process is looked at after a tenth of each,
when everything is loaded and warm, and at the end. It ends with an error if the memory has grown by
more than ``--most`` MiB in between, or if a thread or a descriptor is left.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
import threading
from collections.abc import Callable

from benchmarks import sessions
from pop3proto.transports import ClientOptions, Security
from pop3proto.transports.blocking import connect

_MIB = 1024 * 1024


def main(argv: list[str] | None = None) -> int:
    """Run both parts; return 1 if one of them grows or leaves something."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--commands", type=int, default=1_000_000)
    parser.add_argument("--connections", type=int, default=20_000)
    parser.add_argument("--most", type=float, default=4.0, metavar="MIB")
    options = parser.parse_args(argv)
    failed = False
    for what, times, part in (
        ("commands", options.commands, _commands),
        ("TLS connections", options.connections, _connections),
    ):
        grown, left = part(times)
        print(f"{times} {what}: {grown / _MIB:+.2f} MiB, threads and descriptors left: {left}")
        failed = failed or grown > options.most * _MIB or left != 0
    return int(failed)


def _commands(times: int) -> tuple[int, int]:
    options = ClientOptions(allow_plaintext_auth=True)
    with sessions.server(tls=False) as (port, _):

        def one_session(held: Callable[[], None]) -> None:
            with connect(
                sessions.HOST, port, security=Security.PLAINTEXT, options=options
            ) as client:
                client.login("user", "secret")
                for number in range(times):
                    client.noop()
                    if number == times // 10:
                        held()
                held()

        return _grown(one_session)


def _connections(times: int) -> tuple[int, int]:
    with sessions.server(tls=True) as (port, context):

        def many_sessions(held: Callable[[], None]) -> None:
            for number in range(times):
                with connect(sessions.HOST, port, security="tls", ssl_context=context) as client:
                    client.login("user", "secret")
                if number == times // 10:
                    held()
            held()

        return _grown(many_sessions)


def _grown(run: Callable[[Callable[[], None]], None]) -> tuple[int, int]:
    """Return the growth of the memory in octets, and how many threads and descriptors are left."""
    memory: list[int] = []

    def held() -> None:
        gc.collect()
        memory.append(sessions.resident())

    before = _open()
    run(held)
    return memory[-1] - memory[0], _open() - before


def _open() -> int:
    files = len(os.listdir("/proc/self/fd")) if sys.platform == "linux" else 0
    return files + threading.active_count()


if __name__ == "__main__":
    sys.exit(main())
