"""``pop3proto fetch``, killed at random and run again: nothing is lost, and nothing is double.

A few kills for each way of delivery are a test. For hundreds of them, run this as a program::

    python -m tests.sync.killing --kills 500 [files|maildir|mbox|command|lmtp ...]
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple, Self

from pop3proto.server import MemoryMaildrops, ServerOptions
from pop3proto.testing import serve
from tests.sync.lmtp_server import LmtpServer
from tests.sync.test_delivery import stored

WAYS = ("files", "maildir", "mbox", "command", "lmtp")
_MESSAGES = 60
# After so many kills in a row, one run is left alone.
_IN_A_ROW = 5
# It has to see the whole message before it gives it a name.
_TAKE = '#!/bin/sh\ncat > "{0}/$$.part" && mv "{0}/$$.part" "{0}/$$.$(date +%s%N)"\n'


# It has loaded everything and forks for each run, because to start Python takes longer than to
# fetch a few messages.
_FORKING = """
import os, sys
from pop3proto.cli.main import main
import pop3proto.cli.fetch, pop3proto.transports.blocking, pop3proto.sync.fetching, rich.console
for line in sys.stdin:
    pid = os.fork()
    if not pid:
        nothing = os.open(os.devnull, os.O_RDWR)
        for descriptor in range(3):
            os.dup2(nothing, descriptor)
        os._exit(main(sys.argv[1:]))
    print(pid, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""


class Runs:
    """Runs of ``pop3proto``, one after the other, each a process of its own."""

    def __init__(self, arguments: list[str], environment: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _FORKING, *arguments],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._process.communicate()

    def begin(self) -> int:
        """Begin a run; return its process number."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"\n")
        self._process.stdin.flush()
        return self._answer()

    def end(self) -> int:
        """Wait for the end of a run; return its exit code, below 0 if it was killed."""
        return self._answer()

    def _answer(self) -> int:
        assert self._process.stdout is not None
        return int(self._process.stdout.readline())


class Killed(NamedTuple):
    """What came of it."""

    kills: int
    """How many runs were killed before they had ended."""
    messages: int
    twice: int
    """How many messages came twice: by LMTP, a kill before the answer is noted can do that."""


def kill_at_random(way: str, folder: Path, kills: int, seed: object) -> Killed:
    """Fetch, and kill most runs; raise ``AssertionError`` if a message is lost, or is double."""
    maildrops = MemoryMaildrops({"user": []})
    lucky = random.Random(f"{way} {seed}")
    delivered: Counter[bytes] = Counter()
    killed = twice = 0
    with ExitStack() as stack:
        options = ServerOptions(allow_plaintext_auth=True)
        server = stack.enter_context(
            serve(maildrops, password="secret", security="plaintext", options=options)
        )
        place, found = _place(way, folder, stack)
        arguments = ["fetch", server.url, *place, "--no-tls", "--allow-plaintext-auth", "--delete"]
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(sys.path),
            "POP3PROTO_PASSWORD": "secret",
            "XDG_STATE_HOME": str(folder / "state"),
        }
        runs = stack.enter_context(Runs(arguments, environment))
        seconds = 0.0
        for run in range(kills * (_IN_A_ROW + 1) // _IN_A_ROW + 1):
            # The first run, and one of some, is whole.
            whole = run % (_IN_A_ROW + 1) == 0
            for number in range(_MESSAGES):
                content = b"Subject: %d %d\r\n\r\n%s\r\n" % (run, number, b"x" * (number % 70))
                maildrops.add("user", content)
                delivered[content] += 1
            begun = time.monotonic()
            number = runs.begin()
            if not whole:
                time.sleep(lucky.uniform(0.1, 1.1) * seconds)
                with suppress(ProcessLookupError):
                    os.kill(number, signal.SIGKILL)
            code = runs.end()
            killed += code < 0
            # How long it takes decides only where it is killed, and not what has to be true then.
            seconds = time.monotonic() - begun if whole else seconds
            assert code == 0 or not whole
            while maildrops.in_use("user"):
                time.sleep(0.01)
            if (lock := folder / "mail.lock").exists():
                # It is as old as other programs' locks have to be, before they are broken.
                os.utime(lock, (0, 0))
            there = found()
            left = Counter(maildrops.contents("user"))
            # A killed run can leave a part of an mbox, which the next one completes.
            half = way == "mbox" and not whole
            if not half:
                assert not delivered - left - there, f"run {run}: lost"
                double = (there - delivered).total()
                assert double <= (killed if way == "lmtp" else 0), f"run {run}: double"
                twice = double
            if whole:
                assert not left
    return Killed(killed, delivered.total(), twice)


def _place(
    way: str, folder: Path, stack: ExitStack
) -> tuple[list[str], Callable[[], Counter[bytes]]]:
    """Return the arguments for the place, and a function that looks what is there."""
    mail = folder / "mail"
    if way == "command":
        mail.mkdir()
        script = folder / "take"
        script.write_text(_TAKE.format(mail))
        script.chmod(0o700)
        return [str(script), "--format", way], lambda: _taken(mail)
    if way == "lmtp":
        server = stack.enter_context(LmtpServer())
        address = "{}:{}".format(*server.address)
        options = ["--format", way, "--recipient", "me@example.org"]
        return [address, *options], lambda: Counter(server.taken)
    return [str(mail), "--format", way], lambda: stored(way, mail) if mail.exists() else Counter()


def _taken(mail: Path) -> Counter[bytes]:
    paths = [path for path in mail.iterdir() if path.suffix != ".part"]
    return Counter(path.read_bytes().replace(b"\n", b"\r\n") for path in paths)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("ways", nargs="*", metavar="WAY", help=f"{', '.join(WAYS)} (default: all)")
    parser.add_argument("--kills", type=int, default=500, help="for each way (default: 500)")
    parser.add_argument("--seed", default="0")
    arguments = parser.parse_args()
    for way in arguments.ways or WAYS:
        with TemporaryDirectory() as folder:
            done = kill_at_random(way, Path(folder), arguments.kills, arguments.seed)
        print(
            f"{way}: {done.kills} of {arguments.kills} runs killed before their end,"
            f" {done.messages} messages, 0 lost, {done.twice} double",
            flush=True,
        )


if __name__ == "__main__":
    main()
