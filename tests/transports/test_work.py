"""How much work one command takes, counted: time would depend on the machine."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from types import FrameType
from typing import Any

from pop3proto.server import ServerOptions
from pop3proto.testing import serve
from pop3proto.transports import ClientOptions
from pop3proto.transports.blocking import connect

CLEARTEXT = ServerOptions(allow_plaintext_auth=True)
PLAIN = ClientOptions(allow_plaintext_auth=True)


def work_of(call: Callable[[], object]) -> Counter[str]:
    """Return how often each C function runs in a call, and under "frames" how many of Python do."""
    found: Counter[str] = Counter()

    def profile(frame: FrameType, event: str, argument: Any) -> None:
        if event == "call":
            found["frames"] += 1
        elif event == "c_call":
            found[argument.__name__] += 1

    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        call()
    finally:
        sys.setprofile(before)
    return found


def test_the_work_of_one_command_at_a_time() -> None:
    with (
        serve({"user": []}, password="secret", security="plaintext", options=CLEARTEXT) as server,
        connect(server.host, server.port, security=server.security, options=PLAIN) as client,
    ):
        client.login("user", "secret")
        client.noop()
        work = work_of(client.noop)
    # One look before the command, and one wait for its answer.
    expected = {"poll": 2, "recv": 1, "register": 0}
    assert {name: work[name] for name in expected} == expected
    assert work["frames"] <= 25
