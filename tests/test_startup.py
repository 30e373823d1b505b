"""What each entry point loads, by name: whoever polls a mailbox from cron pays for it each time."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import pop3proto

SOURCE = Path(pop3proto.__file__).parent.parent

# What the parts of the standard library that are needed anyway load, here and on other Pythons.
CORE = "abc array binascii collections.abc contextlib enum functools io operator os re typing"
SOCKETS = f"{CORE} errno math select selectors socket time"

LOADED = """
import importlib, runpy, sys
needed, entry = sys.argv[1].split(), sys.argv[2]
for name in needed:
    importlib.import_module(name)
before = set(sys.modules)
if entry == "--help":
    sys.argv[1:] = [entry]
    try:
        runpy.run_module("pop3proto", run_name="__main__", alter_sys=True)
    except SystemExit:
        pass
elif entry == "a session":
    from pop3proto.transports import ClientOptions
    from pop3proto.transports.blocking import Client

    class Served:  # A stream with a server's octets.
        def __init__(self, *answers):
            self.answers = list(answers)

        async def send(self, data, timeout):
            pass

        async def receive(self, timeout):
            return self.answers.pop(0)

        async def aclose(self):
            pass

    ok, capa = b"+OK\\r\\n", b"+OK\\r\\nUSER\\r\\nPIPELINING\\r\\n.\\r\\n"
    mail = b"+OK\\r\\nHello\\r\\n.\\r\\n"
    served = Served(ok, capa, ok, ok, capa, mail, mail + mail, ok)
    options = ClientOptions(allow_plaintext_auth=True)
    with Client.start(served, security="plaintext", options=options) as client:
        client.login("user", "secret")
        assert client.retr(1).content == b"Hello\\r\\n"
        assert [len(message) for message in client.retr_many([2, 3])] == [7, 7]
    assert not served.answers
else:
    importlib.import_module(entry)
print("LOADED", *sorted(set(sys.modules) - before - {"__future__"}))
"""

MODEL = """
_arguments _lazy _value _version errors engine engine.base engine.client engine.client_state
engine.collectors engine.parsing engine.wire model model.capabilities model.command
model.commands model.events model.grammar model.leniency model.limits model.listings
model.login_commands model.replies model.secret model.states model.stuffing
"""
CLIENT = f"""
{MODEL} client client.advice client.authentication client.batch client.client client.exchange
client.options client.session client.stream client.turn transports transports.connecting
transports.sockets
"""
LOGIN = """
sasl sasl.advice sasl.choice sasl.login sasl.login_flows sasl.results sasl.plaintext_rule
sasl.refusals sasl.registry
"""
BLOCKING = """
client._blocking client._blocking_session client._blocking_turns client.stepping
transports.blocking
"""
DROP_IN = f"""
{MODEL} compat compat.commands compat.conversation compat.errors compat.poplib compat.texts
engine.requests sasl sasl.mechanism transcript transcript.recorded transcript.redact
"""


def loaded(needed: str, entry: str) -> set[str]:
    """Return what ``entry`` loads in a fresh interpreter besides what ``needed`` does."""
    done = subprocess.run(
        [sys.executable, "-S", "-c", LOADED, needed, entry],
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        check=True,
        capture_output=True,
        text=True,
    )
    return set(done.stdout.partition("LOADED")[2].split())


@pytest.mark.parametrize(
    ("entry", "needed", "own"),
    [
        ("pop3proto", CORE, MODEL),
        ("pop3proto.transports.blocking", SOCKETS, CLIENT + BLOCKING),
        ("a session", SOCKETS, CLIENT + BLOCKING + LOGIN),
        ("pop3proto.transports.asyncio", f"{SOCKETS} asyncio", f"{CLIENT} transports.asyncio"),
        ("pop3proto.compat.poplib", f"{SOCKETS} poplib", DROP_IN),
        # The help is printed by argparse alone: a command's own modules wait until it is used.
        ("--help", f"{CORE} argparse locale shutil signal textwrap threading", f"{MODEL} cli.main"),
    ],
)
def test_an_entry_point_loads_nothing_that_it_does_not_need(
    entry: str, needed: str, own: str
) -> None:
    expected = {"pop3proto", "pop3proto.cli"} | {f"pop3proto.{name}" for name in own.split()}
    found = loaded(needed, entry)
    assert found - expected == set()
    assert "pop3proto" in found
