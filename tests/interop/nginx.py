"""nginx's mail proxy before Dovecot."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import trustme

from pop3proto.transports import Security
from tests.interop.packages import need, sandboxed
from tests.interop.servers import HOST, PASSWORD, USER, RealServer, free_ports, watched

_CONFIGURATION = """
load_module /usr/lib/nginx/modules/ngx_mail_module.so;
daemon off;
pid {base}/nginx.pid;
error_log {base}/error.log info;
worker_processes 1;
user nobody nogroup;
events {{ worker_connections 500; }}
mail {{
  server_name localhost;
  auth_http {host}:{auth_port}/auth;
  pop3_auth plain apop cram-md5;
  pop3_capabilities "TOP" "USER" "UIDL";
  ssl_certificate {base}/server.pem;
  ssl_certificate_key {base}/server.pem;
  server {{ listen {host}:{port}; protocol pop3; starttls on; }}
  server {{ listen {host}:{tls_port} ssl; protocol pop3; }}
}}
"""
_START = """
mkdir -p /var/lib/nginx /var/log/nginx
exec nginx -c {base}/nginx.conf -p {base}
"""


def _proof(method: str | None, salt: str) -> str:
    """What shows that a client knows the password."""
    password = PASSWORD.encode()
    if method == "apop":
        return hashlib.md5(salt.encode() + password).hexdigest()
    if method == "cram-md5":
        return hmac.digest(password, salt.encode(), "md5").hex()
    return PASSWORD


@contextmanager
def _authorizing(backend: int) -> Generator[int, None, None]:
    """What nginx asks, over HTTP, whether a login is right and where to go; its port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            proof = _proof(self.headers.get("Auth-Method"), self.headers.get("Auth-Salt", ""))
            given = self.headers.get("Auth-User"), self.headers.get("Auth-Pass")
            self.send_response(200)
            if given == (USER, proof):
                # With a method that only proves to know the password, nginx wants to be told it.
                self.send_header("Auth-Status", "OK")
                self.send_header("Auth-Server", HOST)
                self.send_header("Auth-Port", str(backend))
                self.send_header("Auth-Pass", PASSWORD)
            else:
                self.send_header("Auth-Status", "Invalid login or password")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer((HOST, 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def nginx(base: Path, backend: RealServer) -> Generator[RealServer, None, None]:
    """Run nginx before ``backend``; ``base`` is an empty folder for it, open to all users."""
    folder = need("nginx")
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost", HOST)
    certificate.private_key_and_cert_chain_pem.write_to_path(base / "server.pem")
    port, tls_port = free_ports(2)
    with _authorizing(backend.ports[Security.PLAINTEXT]) as auth_port:
        (base / "nginx.conf").write_text(
            _CONFIGURATION.format(
                auth_port=auth_port, base=base, host=HOST, port=port, tls_port=tls_port
            )
        )
        process = sandboxed(folder, base, _START.format(base=base))
        with watched(process, port, base / "log"):
            yield RealServer(
                "nginx before Dovecot",
                {Security.PLAINTEXT: port, Security.STLS: port, Security.TLS: tls_port},
                authority,
                backend.messages,
                backend.refill,
                log=base / "error.log",
                knows=frozenset({"AUTH"}),
            )
