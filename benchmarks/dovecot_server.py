"""Dovecot with as much mail as the other servers, as the tests run it: unpacked, not installed."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Generator
from contextlib import ExitStack, contextmanager

from benchmarks.server import Address, Maildrop, on_cpus_of

_PACKAGES = "dovecot-pop3d"
# Behind the users of the tests, everyone who knows this password.
_PASSWORD = """
passdb {
  driver = static
  mechanisms = plain login
  args = password=secret
}
"""


def missing() -> str:
    """The command that makes it ready to run; empty if it is."""
    if importlib.util.find_spec("pytest") is None:
        return "python -m pip install -e '.[test]'"
    from tests.interop.packages import CACHE

    if os.geteuid() != 0 or not (CACHE / _PACKAGES / "complete").exists():
        return "python -m tests.interop.packages, as root, on Debian"
    return ""


@contextmanager
def serving(maildrop: Maildrop) -> Generator[Address]:
    """Where it listens, for any user, with the password 'secret'."""
    from pop3proto.transports import Security
    from tests.interop.dovecot import dovecot
    from tests.interop.maildrop import fill_maildir, own
    from tests.interop.servers import USER, open_folder

    with ExitStack() as stack:
        base = stack.enter_context(open_folder())
        # Its processes are where the first one was when it began.
        with on_cpus_of(server=True):
            server = stack.enter_context(dovecot(base, packages=_PACKAGES, settings=_PASSWORD))
        folder = base / "home" / USER / "Maildir"
        owner = folder.stat()
        shutil.rmtree(folder)
        fill_maildir(folder, [maildrop.message(n) for n in range(1, maildrop.count + 1)])
        own(folder, owner.st_uid, owner.st_gid)
        yield Address(server.ports[Security.PLAINTEXT])
