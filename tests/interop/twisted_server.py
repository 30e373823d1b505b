"""Twisted's POP3 server, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import trustme

from pop3proto.transports import Security
from tests.interop.maildrop import fill_maildir, messages
from tests.interop.servers import HOST, PASSWORD, USER, RealServer, free_ports, watched

_ROOT = Path(__file__).resolve().parent.parent.parent


@contextmanager
def twisted(base: Path) -> Generator[RealServer, None, None]:
    """Run it; ``base`` is an empty folder for it."""
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost", HOST)
    certificate.private_key_and_cert_chain_pem.write_to_path(base / "server.pem")
    port, tls_port = free_ports(2)
    content = messages()

    def refill() -> None:
        fill_maildir(base / "Maildir", content)

    refill()
    command = [sys.executable, "-m", __name__, str(base), str(port), str(tls_port)]
    with (base / "log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=_ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    with watched(process, port, base / "log"):
        yield RealServer(
            "Twisted",
            {Security.PLAINTEXT: port, Security.TLS: tls_port},
            authority,
            tuple(content),
            refill,
            log=base / "log",
            knows=frozenset({"LAST"}),
            pipelines=False,
            refuses_wrong_deletions=False,
            numbers_unique_ids=False,
        )


def run(base: Path, port: int, tls_port: int) -> None:
    """Serve until the process ends."""
    from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
    from twisted.cred.portal import IRealm, Portal
    from twisted.internet import reactor, ssl
    from twisted.internet.protocol import ServerFactory
    from twisted.mail import pop3
    from zope.interface import implementer

    class Mailbox(pop3.Mailbox):
        """A Maildir. Twisted's own class for it mixes text and octets on Python 3."""

        def __init__(self) -> None:
            self._files: list[Path | None] = [*sorted((base / "Maildir" / "cur").iterdir())]
            self._deleted: dict[int, Path] = {}

        def _path(self, index: int) -> Path:
            path = self._files[index] if 0 <= index < len(self._files) else None
            if path is None:
                raise ValueError("there is no such message")
            return path

        def listMessages(self, i: int | None = None) -> Any:
            if i is None:
                return [path.stat().st_size if path else 0 for path in self._files]
            return self._path(i).stat().st_size

        def getMessage(self, i: int) -> Any:
            return self._path(i).open("rb")

        def getUidl(self, i: int) -> bytes:
            return self._path(i).name.encode("ascii").replace(b":", b"-")

        def deleteMessage(self, i: int) -> None:
            self._deleted[i] = self._path(i)
            self._files[i] = None

        def undeleteMessages(self) -> None:
            for index, path in self._deleted.items():
                self._files[index] = path
            self._deleted.clear()

        def sync(self) -> None:
            for path in self._deleted.values():
                path.unlink()
            self._deleted.clear()

    @implementer(IRealm)
    class Realm:
        def requestAvatar(self, avatarId: object, mind: object, *interfaces: object) -> Any:
            return pop3.IMailbox, Mailbox(), lambda: None

    class Prompt(pop3.POP3):
        def connectionMade(self) -> None:
            # It writes an answer in pieces; each message would wait for a delayed
            # acknowledgement.
            transport: Any = self.transport
            transport.setTcpNoDelay(True)
            go_on: Any = super().connectionMade
            go_on()

    users: Any = InMemoryUsernamePasswordDatabaseDontUse()
    users.addUser(USER.encode(), PASSWORD.encode())
    realm: Any = Realm()
    portal = Portal(realm, [users])

    class Factory(ServerFactory):
        def __init__(self) -> None:
            self.challengers: dict[bytes, Any] = {}

        def buildProtocol(self, addr: object) -> Any:
            protocol: Any = Prompt()
            protocol.factory = self
            protocol.portal = portal
            return protocol

    pem = str(base / "server.pem")
    loop: Any = reactor
    loop.listenTCP(port, Factory(), interface=HOST)
    make: Any = ssl.DefaultOpenSSLContextFactory
    context = make(pem, pem)
    loop.listenSSL(tls_port, Factory(), context, interface=HOST)
    loop.run()


if __name__ == "__main__":
    run(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
