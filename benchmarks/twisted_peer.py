"""Twisted's client, which sends a command when the one before is answered."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from twisted.internet import defer, endpoints, reactor, ssl
from twisted.internet.protocol import Factory
from twisted.mail.pop3 import AdvancedPOP3Client

from benchmarks.server import HOST, Address

if TYPE_CHECKING:
    from benchmarks.meter import Meter

_reactor: Any = reactor


class _Client(AdvancedPOP3Client):
    allowInsecureLogin = True
    timeout = 600

    def serverGreeting(self, greeting: bytes) -> None:
        self.factory.greeted.callback(self)


def run(job: str, meter: Meter) -> int:
    """Retrieve all messages; their octets, with CRLF for each line."""
    done: list[Any] = []
    session = defer.ensureDeferred(_session(meter))
    session.addBoth(done.append)
    session.addBoth(lambda _: _reactor.stop())
    _reactor.run()
    if not isinstance(done[0], int):
        done[0].raiseException()
    return int(done[0])


def _endpoint(address: Address) -> Any:
    plain: Any = endpoints.TCP4ClientEndpoint(_reactor, HOST, address.port)
    if not address.ca:
        return plain
    authority = ssl.Certificate.loadPEM(Path(address.ca).read_bytes())
    return endpoints.wrapClientTLS(ssl.optionsForClientTLS(HOST, authority), plain)


async def _session(meter: Meter) -> int:
    octets = 0

    def consume(line: bytes) -> None:
        nonlocal octets
        octets += len(line) + 2

    factory: Any = Factory.forProtocol(_Client)
    factory.greeted = defer.Deferred()
    await _endpoint(meter.address).connect(factory)
    client = await factory.greeted
    await client.login(b"user", b"secret")
    with meter.logged_in():
        for index in range(meter.count):
            await client.retrieve(index, consume)
    await client.quit()
    return octets
