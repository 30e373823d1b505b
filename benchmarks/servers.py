"""Servers in a process of their own, with a client that only looks for the end of each message.

``python -m benchmarks.servers NAME COUNT`` starts one. ``from memory`` is the limit: it only sends.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from io import BytesIO
from typing import Any

from benchmarks import clients
from benchmarks import dovecot_server as dovecot
from benchmarks.meter import process_cpu
from benchmarks.programs import missing_module
from benchmarks.server import HOST, Maildrop, serving, started


def twisted(contents: list[bytes]) -> None:
    from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
    from twisted.cred.portal import IRealm, Portal
    from twisted.internet import reactor
    from twisted.internet.protocol import ServerFactory
    from twisted.mail import pop3
    from zope.interface import implementer

    class Mailbox(pop3.Mailbox):
        def listMessages(self, i: int | None = None) -> Any:
            return [len(content) for content in contents] if i is None else len(contents[i])

        def getMessage(self, i: int) -> Any:
            return BytesIO(contents[i])

        def getUidl(self, i: int) -> bytes:
            return b"unique-%d" % i

    @implementer(IRealm)
    class Realm:
        def requestAvatar(self, avatarId: object, mind: object, *interfaces: object) -> Any:
            return pop3.IMailbox, Mailbox(), lambda: None

    users: Any = InMemoryUsernamePasswordDatabaseDontUse()
    users.addUser(b"user", b"secret")
    realm: Any = Realm()
    portal = Portal(realm, [users])

    class Prompt(pop3.POP3):
        def connectionMade(self) -> None:
            # Otherwise each message would wait for a delayed acknowledgement.
            transport: Any = self.transport
            transport.setTcpNoDelay(True)
            go_on: Any = super().connectionMade
            go_on()

    class Factory(ServerFactory):
        def __init__(self) -> None:
            self.challengers: dict[bytes, Any] = {}

        def buildProtocol(self, addr: object) -> Any:
            protocol: Any = Prompt()
            protocol.factory = self
            protocol.portal = portal
            return protocol

    loop: Any = reactor
    listener = loop.listenTCP(0, Factory(), interface=HOST)
    print(listener.getHost().port, flush=True)

    def wait() -> None:
        sys.stdin.read()
        loop.callFromThread(loop.stop)

    threading.Thread(target=wait, daemon=True).start()
    loop.run()


def embedded(contents: list[bytes]) -> None:
    from pop3proto.server import MemoryMaildrops, ServerOptions
    from pop3proto.testing import serve
    from pop3proto.transports import Security

    maildrops = MemoryMaildrops({"user": contents})
    options = ServerOptions(allow_plaintext_auth=True)
    users = {"user": "secret"}
    with serve(maildrops, users=users, security=Security.PLAINTEXT, options=options) as server:
        print(server.port, flush=True)
        sys.stdin.read()


OURS, TWISTED, DOVECOT, LIMIT = "pop3proto, embedded", "Twisted", "Dovecot", "raw, from memory"
_MAKERS = {OURS: embedded, TWISTED: twisted}


def missing(name: str) -> str:
    """The command that makes a server ready to run; empty if it is."""
    if name == TWISTED:
        return missing_module("twisted")
    return dovecot.missing() if name == DOVECOT else ""


@contextmanager
def all_of_them(count: int) -> Generator[dict[str, Any]]:
    """All servers that are there, with ``count`` messages of 4 KiB each."""
    maildrop = Maildrop(count, 4096, 4096, text=True)
    command = [sys.executable, "-m", "benchmarks.servers"]
    with ExitStack() as stack:
        running = {
            LIMIT: stack.enter_context(serving(maildrop)),
            OURS: stack.enter_context(started([*command, OURS, str(count)])),
        }
        if not missing(TWISTED):
            running[TWISTED] = stack.enter_context(started([*command, TWISTED, str(count)]))
        if not missing(DOVECOT):
            running[DOVECOT] = stack.enter_context(dovecot.serving(maildrop))
        addresses = {name: address.arguments() for name, address in running.items()}
        yield {"servers": addresses, "maildrop": asdict(maildrop)}


def run(
    name: str, job: str, count: int, servers: dict[str, Any], maildrop: dict[str, Any]
) -> dict[str, float]:
    """The CPU of the server's process, if it can be known, and the seconds of the client's job."""
    pid = servers[name]["pid"]
    before = process_cpu(pid) if pid else None
    results = clients.run("raw loop", job, count, servers[name], maildrop)
    after = process_cpu(pid) if pid else None
    found = {"seconds": results["seconds"]}
    if before is not None and after is not None:
        found["cpu"] = after - before
    return found


def main(name: str, count: str) -> None:
    """Serve, until stdin ends."""
    maildrop = Maildrop(int(count), 4096, 4096, text=True)
    _MAKERS[name]([maildrop.message(number) for number in range(1, maildrop.count + 1)])


if __name__ == "__main__":
    main(*sys.argv[1:])
