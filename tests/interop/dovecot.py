"""Dovecot with every mechanism that it has."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import ssl
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import trustme

from pop3proto.transports import Security
from tests.interop.maildrop import fill_maildir, messages, own
from tests.interop.packages import need, sandboxed
from tests.interop.servers import HOST, PASSWORD, USER, RealServer, free_ports, watched

_MAIL = 8  # Debian's user and group "mail"
_KEY = b"a key that only this test knows"

_CONFIGURATION = """
base_dir = {base}/run
state_dir = {base}/state
log_path = {base}/dovecot.log
auth_verbose = yes
protocols = pop3
listen = {host}
first_valid_uid = 1
mail_location = maildir:~/Maildir
disable_plaintext_auth = no
ssl = yes
ssl_cert = <{base}/server.pem
ssl_key = <{base}/server.pem
ssl_ca = <{base}/ca.pem
ssl_require_crl = no
ssl_verify_client_cert = yes
auth_ssl_username_from_cert = yes
auth_mechanisms = plain login cram-md5 digest-md5 scram-sha-1 scram-sha-256 apop external \\
    xoauth2 oauthbearer anonymous
auth_anonymous_username = anonymous
auth_realms = localhost
auth_failure_delay = 0
mail_max_userip_connections = 100
passdb {{
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = {base}/oauth2.conf
}}
passdb {{
  driver = static
  mechanisms = external
  args = nopassword=y
}}
passdb {{
  driver = passwd-file
  mechanisms = plain login cram-md5 digest-md5 scram-sha-1 scram-sha-256 apop
  args = username_format=%n {base}/passwd
}}
userdb {{
  driver = static
  args = uid={mail} gid={mail} home={base}/home/%n
}}
service pop3-login {{
  chroot =
  inet_listener pop3 {{
    port = {port}
  }}
  inet_listener pop3s {{
    port = {tls_port}
    ssl = yes
  }}
}}
service anvil {{
  chroot =
  # Without a penalty a login does not have to wait for the ones that failed before it.
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service stats {{
  chroot =
}}
"""
_START = """
# The accounts that the package's installation would have made.
for name in dovecot:990 dovenull:991; do
    echo "${{name%:*}}:x:${{name#*:}}:${{name#*:}}::/nonexistent:/usr/sbin/nologin" >>/etc/passwd
    echo "${{name%:*}}:x:${{name#*:}}:" >>/etc/group
done
exec dovecot -F -c "{base}/dovecot.conf"
"""
_OAUTH = """
introspection_mode = local
local_validation_key_dict = fs:posix:prefix={base}/oauth/
username_attribute = sub
openid_configuration_url = https://localhost/.well-known/openid-configuration
"""


def token(user: str = USER, *, expires: int = 4_102_444_800, key: bytes = _KEY) -> str:
    """An access token as Dovecot takes it: a JWT, signed with HS256 (RFC 7519, RFC 7515)."""

    def encoded(data: bytes) -> bytes:
        return base64.urlsafe_b64encode(data).rstrip(b"=")

    claims = {"sub": user, "iat": 1_600_000_000, "exp": expires}
    signed = encoded(b'{"alg":"HS256","typ":"JWT"}') + b"." + encoded(json.dumps(claims).encode())
    signature = hmac.digest(key, signed, hashlib.sha256)
    return (signed + b"." + encoded(signature)).decode("ascii")


def certificate_context(server: RealServer) -> ssl.SSLContext:
    """A client's context with a certificate for the user."""
    context = server.client_context()
    assert context is not None
    assert server.authority is not None
    server.authority.issue_cert("user@example.org", common_name=USER).configure_cert(context)
    return context


@contextmanager
def dovecot(
    base: Path, *, packages: str = "dovecot-pop3d", settings: str = "", before: str = ""
) -> Generator[RealServer, None, None]:
    """Run Dovecot; ``base`` is an empty folder for it, open to all users.

    ``settings`` go behind those that are here; ``before`` is for sh, to be run before it starts.
    """
    folder = need(packages)
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost", HOST)
    certificate.private_key_and_cert_chain_pem.write_to_path(base / "server.pem")
    authority.cert_pem.write_to_path(base / "ca.pem")
    port, tls_port = free_ports(2)
    users = (USER, "anonymous")
    (base / "passwd").write_text("".join(f"{user}:{{PLAIN}}{PASSWORD}::::::\n" for user in users))
    key = base / "oauth" / "default" / "HS256" / "default"
    key.parent.mkdir(parents=True)
    key.write_bytes(base64.b64encode(_KEY))
    (base / "oauth2.conf").write_text(_OAUTH.format(base=base))
    (base / "dovecot.conf").write_text(
        _CONFIGURATION.format(base=base, host=HOST, mail=_MAIL, port=port, tls_port=tls_port)
        + settings
    )
    content = messages(bare_lf=True)

    def refill() -> None:
        for user in users:
            home = base / "home" / user
            fill_maildir(home / "Maildir", content if user == USER else content[:1])
            own(home, _MAIL, _MAIL)

    refill()
    process = sandboxed(folder, base, before + _START.format(base=base))
    with watched(process, port, base / "log"):
        yield RealServer(
            "Dovecot",
            {Security.PLAINTEXT: port, Security.STLS: port, Security.TLS: tls_port},
            authority,
            tuple(content),
            refill,
            log=base / "dovecot.log",
            knows=frozenset({"AUTH"}),
        )
