"""popa3d: an mbox, accounts of the system, USER and PASS, and no TLS at all."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from pop3proto.transports import Security
from tests.interop.maildrop import messages
from tests.interop.packages import need, sandboxed
from tests.interop.servers import HOST, PASSWORD, USER, RealServer, free_ports, watched

_USER = 2001
_MAIL = 8
# Its own way to listen has port 110 built in.
_INETD = """
import os, signal, socket, sys
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
listener = socket.create_server(("{host}", {port}), backlog=50)
while True:
    connection, _ = listener.accept()
    # It writes an answer in pieces; each message would wait for a delayed acknowledgement.
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if os.fork() == 0:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.dup2(connection.fileno(), 0)
        os.dup2(connection.fileno(), 1)
        os.execvp("popa3d", ["popa3d"])
    connection.close()
"""
_START = """
echo "popa3d:x:298:298::/var/empty:/usr/sbin/nologin" >>/etc/passwd
echo "popa3d:x:298:" >>/etc/group
mkdir -p /var/empty /var/lib/popa3d /var/mail
echo "{user}:x:{uid}:{mail}:test:/nonexistent:/bin/sh" >>/etc/passwd
echo "{user}:$(openssl passwd -6 '{password}'):19000:0:99999:7:::" >>/etc/shadow
mount --bind {base}/mail /var/mail
exec {python} {base}/inetd.py
"""


def _mbox(content: list[bytes]) -> bytes:
    parts: list[bytes] = []
    for message in content:
        parts += [b"From sender@example.org Thu Jan  1 00:00:00 2026\n"]
        parts += [message.replace(b"\r\n", b"\n"), b"\n"]
    return b"".join(parts)


@contextmanager
def popa3d(base: Path) -> Generator[RealServer, None, None]:
    """Run popa3d; ``base`` is an empty folder for it, open to all users."""
    folder = need("popa3d")
    (port,) = free_ports(1)
    content = messages()
    (base / "mail").mkdir()
    (base / "mail").chmod(0o1777)
    (base / "inetd.py").write_text(_INETD.format(host=HOST, port=port))

    def refill() -> None:
        path = base / "mail" / USER
        path.write_bytes(_mbox(content))
        os.chown(path, _USER, _MAIL)
        path.chmod(0o600)

    refill()
    script = _START.format(
        base=base,
        mail=_MAIL,
        password=PASSWORD,
        python=shutil.which("python3") or sys.executable,
        uid=_USER,
        user=USER,
    )
    process = sandboxed(folder, base, script)
    with watched(process, port, base / "log"):
        yield RealServer(
            "popa3d",
            {Security.PLAINTEXT: port},
            None,
            tuple(content),
            refill,
            log=base / "log",
            knows=frozenset({"LAST"}),
            pipelines=False,
        )
