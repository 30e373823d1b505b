"""Servers in a process of their own: ``python -m benchmarks.server_contestants NAME COUNT``."""

from __future__ import annotations

import sys
import threading
from io import BytesIO
from typing import Any

from benchmarks.server import HOST, Maildrop


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


def main(name: str, count: str) -> None:
    maildrop = Maildrop(int(count), 4096, 4096, text=True)
    contents = [maildrop.message(number) for number in range(1, maildrop.count + 1)]
    {"embedded, threads": embedded, "Twisted": twisted}[name](contents)


if __name__ == "__main__":
    main(*sys.argv[1:])
