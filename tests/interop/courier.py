"""Courier's POP3 server, with its authentication daemon."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import trustme

from pop3proto.transports import Security
from tests.interop.maildrop import fill_maildir, messages, own
from tests.interop.packages import need, sandboxed
from tests.interop.servers import HOST, PASSWORD, USER, RealServer, free_ports, watched

_MAIL = 8  # Debian's user and group "mail"
_MECHANISMS = "PLAIN LOGIN CRAM-MD5 CRAM-SHA1 CRAM-SHA256"
_START = """
echo "courier:x:299:299::/var/lib/courier:/usr/sbin/nologin" >>/etc/passwd
echo "courier:x:299:" >>/etc/group
mkdir -p /run/courier/authdaemon
chown -R courier:courier /run/courier /etc/courier
sed -i 's/^authmodulelist=.*/authmodulelist="authuserdb"/' /etc/courier/authdaemonrc
# Its program for this reads the password from a pipe, with the line's end.
hashed() {{ printf '%s\\n' '{password}' | userdbpw "$@"; }}
{{
    printf '{user}\\thome={home}|mail={home}/Maildir|uid={mail}|gid={mail}'
    printf '|systempw=%s|hmac-md5pw=%s' "$(hashed -md5)" "$(hashed -hmac-md5)"
    printf '|hmac-sha1pw=%s|hmac-sha256pw=%s\\n' "$(hashed -hmac-sha1)" "$(hashed -hmac-sha256)"
}} >/etc/courier/userdb
chmod 600 /etc/courier/userdb
makeuserdb
set -a +u
. /etc/courier/pop3d
. /etc/courier/pop3d-ssl
POP3AUTH="{mechanisms}" POP3AUTH_TLS="{mechanisms}" POP3_TLS=1 POP3_STARTTLS=YES
POP3_TLS_REQUIRED=0 TLS_CERTFILE={base}/server.pem TLS_PRIVATE_KEYFILE= TLS_TRUSTCERTS=
TLS_VERIFYPEER=NONE TLS_DHPARAMS= TLS_CACHEFILE= COURIERTLS=/usr/bin/couriertls MAILDIRPATH=Maildir
set +a -u
authdaemond start
listen="couriertcpd -address={host} -maxprocs=100 -maxperip=100 -nodnslookup -noidentlookup"
serve="/usr/lib/courier/courier/courierpop3login /usr/lib/courier/courier/courierpop3d Maildir"
POP3_STARTTLS=NO $listen -pid={base}/tls.pid {tls_port} $COURIERTLS -server -tcpd $serve
$listen -pid={base}/plain.pid {port} $serve
# They go into the background, which ends with the sandbox's first process.
exec sleep infinity
"""


@contextmanager
def courier(base: Path) -> Generator[RealServer, None, None]:
    """Run Courier; ``base`` is an empty folder for it, open to all users."""
    folder = need("courier-pop")
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost", HOST)
    certificate.private_key_and_cert_chain_pem.write_to_path(base / "server.pem")
    port, tls_port = free_ports(2)
    content = messages()

    def refill() -> None:
        fill_maildir(base / "home" / "Maildir", content)
        own(base / "home", _MAIL, _MAIL)

    refill()
    script = _START.format(
        base=base,
        home=base / "home",
        host=HOST,
        mail=_MAIL,
        mechanisms=_MECHANISMS,
        password=PASSWORD,
        port=port,
        tls_port=tls_port,
        user=USER,
    )
    process = sandboxed(folder, base, script)
    with watched(process, port, base / "log"):
        yield RealServer(
            "Courier",
            {Security.PLAINTEXT: port, Security.STLS: port, Security.TLS: tls_port},
            authority,
            tuple(content),
            refill,
            log=base / "log",
            knows=frozenset({"UTF8"}),
        )
