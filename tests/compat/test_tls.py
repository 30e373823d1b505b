import poplib as standard
import socket
import ssl
import sys
import warnings
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trustme

from pop3proto.compat import poplib
from pop3proto.errors import StlsInjectionError
from pop3proto.server import MemoryMaildrops
from pop3proto.testing import LoopbackServer, serve
from pop3proto.transports import Security
from tests.compat.conversations import BOTH, NAMES, STANDARD, listening, outcome, replying

both = pytest.mark.parametrize("module", BOTH, ids=NAMES)
STLS = b"+OK\r\n", b"+OK\r\nSTLS\r\n.\r\n"
MAIL = b"Subject: one\r\n\r\n" + b"0123456789\r\n" * 10_000


@pytest.fixture(params=[Security.TLS, Security.STLS], ids=["tls", "stls"])
def server(request: pytest.FixtureRequest) -> Iterator[LoopbackServer]:
    maildrops = MemoryMaildrops({"user": [MAIL]})
    users = {"user": "secret"}
    with serve(maildrops, users=users, security=request.param) as running:
        yield running


def connected(module: Any, server: LoopbackServer, context: ssl.SSLContext | None) -> Any:
    if server.security is Security.TLS:
        return module.POP3_SSL(server.host, server.port, timeout=30, context=context)
    client = module.POP3(server.host, server.port, timeout=30)
    try:
        client.stls(context)
    except BaseException:
        # The standard library's raises: the handshake has closed the socket.
        with suppress(OSError):
            client.close()
        raise
    return client


@both
def test_a_session(module: Any, server: LoopbackServer) -> None:
    client = connected(module, server, server.client_context())
    assert isinstance(client.sock, ssl.SSLSocket)
    client.user("user")
    client.pass_("secret")
    assert b"\r\n".join([*client.retr(1)[1], b""]) == MAIL
    assert outcome(client.stls) == ("error_proto", ("-ERR TLS session already established",))
    client.dele(1)
    client.quit()
    assert client.sock is client.file is None
    server.wait_until_idle()
    assert server.sessions[0].deleted == {1}


@both
def test_host_names_and_authorities_are_checked_if_the_context_does(
    module: Any, server: LoopbackServer
) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="unable to get local issuer"):
        connected(module, server, ssl.create_default_context())
    trusting = server.client_context()

    class Elsewhere(module.POP3):  # type: ignore[misc]
        def stls(self, context: ssl.SSLContext | None = None) -> bytes:
            self.host = "other.example.org"
            return bytes(super().stls(context))

    class ElsewhereTls(module.POP3_SSL):  # type: ignore[misc]
        def _create_socket(self, timeout: float | None) -> socket.socket:
            sock = socket.create_connection((self.host, self.port), timeout)
            try:
                return self.context.wrap_socket(sock, server_hostname="other.example.org")  # type: ignore[no-any-return]
            except BaseException:
                sock.close()
                raise

    changed = type("Changed", (), {"POP3": Elsewhere, "POP3_SSL": ElsewhereTls})
    with pytest.raises(ssl.SSLCertVerificationError, match=r"Hostname mismatch|not valid"):
        connected(changed, server, trusting)


@both
def test_without_a_context_nothing_is_checked(module: Any, server: LoopbackServer) -> None:
    client = connected(module, server, None)
    assert client.user("user").startswith(b"+OK")
    client.close()


@both
def test_the_default_context_can_be_replaced(
    module: Any, server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ssl, "_create_stdlib_context", lambda **options: server.client_context())
    client = connected(module, server, None)
    assert client.sock.context.verify_mode == ssl.CERT_REQUIRED
    client.close()


@both
def test_the_server_learns_the_host_name(module: Any) -> None:
    authority = trustme.CA()
    names = []

    def note(sock: ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> None:
        names.append(name)

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    context.sni_callback = note
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    with listening(replying(b"+OK\r\n", b"+OK\r\n"), context) as port:
        client = module.POP3_SSL("localhost", port, timeout=30, context=trusting)
        client.quit()
    assert names == ["localhost"]

    class Proxied(module.POP3_SSL):  # type: ignore[misc]
        def _create_socket(self, timeout: float | None) -> socket.socket:
            sock = socket.create_connection(("127.0.0.1", self.port), timeout)
            return self.context.wrap_socket(sock, server_hostname=self.host)  # type: ignore[no-any-return]

    with listening(replying(b"+OK\r\n", b"+OK\r\n"), context) as port:
        client = Proxied("localhost", port, timeout=30, context=trusting)
        client.quit()
    assert names == ["localhost"] * 2

    def stls(sock: socket.socket) -> None:
        replying(*STLS, b"+OK\r\n", end=False)(sock)
        with context.wrap_socket(sock.dup(), server_side=True) as tls:
            replying(b"", b"+OK bye\r\n")(tls)

    with listening(stls) as port:
        client = module.POP3("localhost", port, timeout=30)
        client.stls(trusting)
        assert client.quit() == b"+OK bye"
    assert names == ["localhost"] * 3


@both
def test_the_host_name_is_checked_for_who_brings_the_socket(module: Any) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)

    class Proxied(module.POP3):  # type: ignore[misc]
        def _create_socket(self, timeout: float | None) -> socket.socket:
            return socket.create_connection(("127.0.0.1", self.port), timeout)

    def stls(sock: socket.socket) -> None:
        replying(*STLS, b"+OK\r\n", end=False)(sock)
        # The client is the one who says no.
        with suppress(ssl.SSLError), context.wrap_socket(sock.dup(), server_side=True) as tls:
            tls.recv(1)

    for host, expected in (("localhost", "returned"), ("pop.example.org", "raised")):
        with listening(stls) as port:
            client = Proxied(host, port, timeout=30)
            if expected == "returned":
                assert client.stls(trusting) == b"+OK"
            else:
                with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
                    client.stls(trusting)
            # The standard library's raises: the handshake has closed the socket.
            with suppress(OSError):
                client.close()


def test_data_behind_stls() -> None:
    with listening(replying(*STLS, b"+OK\r\n+OK injected\r\n")) as port:
        client = poplib.POP3("127.0.0.1", port, timeout=30)
        with pytest.raises(poplib.error_proto) as info:
            client.stls()
        assert isinstance(info.value, StlsInjectionError)
        assert outcome(client.capa)[0] == "error_proto"
        assert not isinstance(client.sock, ssl.SSLSocket)
        client.close()


def test_data_behind_stls_that_nobody_has_seen_yet() -> None:
    class Slow(poplib.POP3):
        def _getresp(self) -> bytes:
            line = super()._getresp()
            if line == b"+OK go":
                far.sendall(b"\r\n+OK injected\r\n")
            return line

        def _create_socket(self, timeout: float | None) -> socket.socket:
            return near

    near, far = socket.socketpair()
    with far:
        far.sendall(b"+OK\r\n")
        client = Slow("pop.example.org")
        original = client._putline
        answers = [b"+OK\r\nSTLS\r\n.\r\n", b"+OK go\r\n"]

        def putline(line: str) -> None:
            original(line)
            far.sendall(answers.pop(0))

        client._putline = putline  # type: ignore[method-assign]
        with pytest.raises(StlsInjectionError):
            client.stls()
        client.close()


def test_a_replaced_file_cannot_be_looked_into() -> None:
    class Reading:
        def __init__(self, file: Any) -> None:
            self.readline = file.readline
            self.close = file.close

    with listening(replying(*STLS, b"+OK\r\n")) as port:
        client = poplib.POP3("127.0.0.1", port, timeout=30)
        client.file = Reading(client.file)  # type: ignore[assignment]
        with pytest.raises(OSError):  # noqa: PT011 - the handshake gets an end of stream
            client.stls()
        client.close()


@both
def test_a_handshake_that_fails(module: Any) -> None:
    with listening(replying(*STLS, b"+OK\r\n", b"no TLS at all")) as port:
        client = module.POP3("127.0.0.1", port, timeout=30)
        with pytest.raises(OSError):  # noqa: PT011 - SSLError, or the connection ends
            client.stls()
        standards = module is STANDARD
        assert outcome(client.noop)[0] == ("OSError" if standards else "error_proto")
        assert outcome(client.close)[0] == ("OSError" if standards else "returned")


def test_a_refused_stls() -> None:
    with listening(replying(*STLS, b"-ERR no\r\n", b"+OK\r\n")) as port:
        client = poplib.POP3("127.0.0.1", port, timeout=30)
        assert outcome(client.stls) == ("error_proto", (b"-ERR no",))
        assert client.noop() == b"+OK"
        client.close()


def test_stls_in_another_case_is_found() -> None:
    with listening(replying(b"+OK\r\n", b"+OK\r\nStls\r\n.\r\n", b"-ERR no\r\n")) as port:
        client = poplib.POP3("127.0.0.1", port, timeout=30)
        assert outcome(client.stls) == ("error_proto", (b"-ERR no",))
        client.close()


@both
def test_pop3_ssl_refuses_stls(module: Any) -> None:
    client = module.POP3_SSL.__new__(module.POP3_SSL)
    for call in (client.stls, lambda: client.stls(context=ssl.create_default_context())):
        assert outcome(call) == ("error_proto", ("-ERR TLS session already established",))


@both
def test_a_host_name_that_cannot_be_checked_leaves_no_socket(module: Any) -> None:
    if module is STANDARD:
        pytest.skip("the standard library leaves one")

    class Nameless(module.POP3_SSL):  # type: ignore[misc]
        def __init__(self, port: int) -> None:
            self.context = ssl.create_default_context()
            module.POP3.__init__(self, "127.0.0.1", port, 30)

        @property
        def host(self) -> str:
            return "" if hasattr(self, "port") and self.connected else "127.0.0.1"

        @host.setter
        def host(self, value: str) -> None:
            self.connected = False

        def _create_socket(self, timeout: float | None) -> socket.socket:
            original = socket.create_connection

            def connect(*arguments: Any) -> socket.socket:
                sock = original(*arguments)
                self.connected = True
                sockets.append(sock)
                return sock

            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(socket, "create_connection", connect)
                return super()._create_socket(timeout)  # type: ignore[no-any-return]

    sockets: list[socket.socket] = []
    with listening(replying(b"+OK\r\n")) as port:
        with pytest.raises(ValueError, match="server_hostname"):
            Nameless(port)
        assert sockets[0].fileno() == -1


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="gone from the signature")
class TestKeyfileAndCertfile:
    @pytest.fixture
    def paths(self, tmp_path: Path) -> dict[str, str]:
        certificate = trustme.CA().issue_cert("user@example.org")
        certificate.private_key_pem.write_to_path(str(tmp_path / "key"))
        certificate.cert_chain_pems[0].write_to_path(str(tmp_path / "cert"))
        return {"keyfile": str(tmp_path / "key"), "certfile": str(tmp_path / "cert")}

    @both
    def test_they_are_a_clients_certificate(
        self, module: Any, paths: dict[str, str], server: LoopbackServer
    ) -> None:
        if server.security is not Security.TLS:
            pytest.skip("only POP3_SSL has them")
        with pytest.warns(DeprecationWarning, match="keyfile and certfile are deprecated") as seen:
            client = module.POP3_SSL(server.host, server.port, **paths)
        assert seen[0].filename == __file__
        assert (client.keyfile, client.certfile) == (paths["keyfile"], paths["certfile"])
        client.close()

    @pytest.mark.parametrize("names", [["keyfile"], ["certfile"], ["certfile", "keyfile"]])
    def test_they_exclude_a_context(self, names: list[str]) -> None:
        paths: dict[str, Any] = dict.fromkeys(names, "x")
        context = ssl.create_default_context()
        raised = [
            outcome(partial(module.POP3_SSL, "127.0.0.1", 9, context=context, **paths))
            for module in BOTH
        ]
        assert raised[0] == raised[1]
        assert raised[0][0] == "ValueError"

    def test_the_warning_is_poplibs(self, paths: dict[str, str]) -> None:
        seen = []
        for module in BOTH:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                outcome(partial(module.POP3_SSL, "127.0.0.1", 9, timeout=0, **paths))
            seen.append([str(each.message) for each in caught])
        assert seen[0] == seen[1]
        assert len(seen[0]) == 1


def test_there_is_one_error_for_both() -> None:
    assert poplib.error_proto is standard.error_proto
