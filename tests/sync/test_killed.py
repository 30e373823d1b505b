"""``pop3proto fetch``, killed at random and run again: nothing is lost, and nothing is double."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from pop3proto.server import MemoryMaildrops, ServerOptions
from pop3proto.testing import serve
from tests.property.effort import EFFORT
from tests.sync.test_delivery import stored

CONTENTS = [b"Subject: %d\r\n\r\n%s\r\n" % (n, b"x" * (n % 70)) for n in range(300)]
KILLS = 12


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="needs signals")
@pytest.mark.parametrize("attempt", range(EFFORT))
@pytest.mark.parametrize("kind", ["files", "maildir", "mbox"])
def test_killed_at_random(kind: str, attempt: int, tmp_path: Path) -> None:
    maildrops = MemoryMaildrops({"user": CONTENTS})
    lucky = random.Random(f"{kind} {attempt}")
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(sys.path),
        "POP3PROTO_PASSWORD": "secret",
        "XDG_STATE_HOME": str(tmp_path / "state"),
    }
    place = tmp_path / "mail"
    with serve(
        maildrops,
        password="secret",
        security="plaintext",
        options=ServerOptions(allow_plaintext_auth=True),
    ) as server:
        command = [sys.executable, "-m", "pop3proto", "fetch", server.url, str(place)]
        command += ["--format", kind, "--no-tls", "--allow-plaintext-auth", "--delete"]

        def whole_run() -> float:
            begun = time.monotonic()
            subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
            return time.monotonic() - begun

        # How long it takes decides only where it is killed, and not what has to be true then.
        seconds = whole_run()
        delivered = Counter(CONTENTS)
        assert stored(kind, place) == delivered
        for kill in range(KILLS):
            new = [b"Kill: %d\r\n%s" % (kill, content) for content in CONTENTS]
            for content in new:
                maildrops.add("user", content)
            delivered.update(new)
            process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
            time.sleep(lucky.uniform(0.2, 1.0) * seconds)
            process.kill()
            process.wait()
            while maildrops.in_use("user"):
                time.sleep(0.01)
            lock = tmp_path / "mail.lock"
            if lock.exists():
                # It is as old as other programs' locks have to be, before they are broken.
                os.utime(lock, (0, 0))
            whole_run()
            assert maildrops.contents("user") == []
            found = stored(kind, place)
            assert not delivered - found
            assert not found - delivered
