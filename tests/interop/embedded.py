"""pop3proto's own server, on a Maildir."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import trustme

from pop3proto.sasl.server import Passwords, password_mechanisms
from pop3proto.server import MaildirMaildrops, ServerOptions
from pop3proto.testing import serve
from pop3proto.testing.certificates import tls_for
from pop3proto.transports import Security
from tests.interop.maildrop import fill_maildir, messages
from tests.interop.servers import HOST, PASSWORD, USER, RealServer


@contextmanager
def embedded(base: Path) -> Generator[RealServer, None, None]:
    """Run it three times over the same Maildir, once for each way to secure a connection."""
    authority, context = tls_for(Security.TLS, None)
    assert isinstance(authority, trustme.CA)
    content = messages(bare_lf=True)
    users = {USER: PASSWORD}

    def refill() -> None:
        fill_maildir(base / USER, content)

    refill()
    # One provider: it knows the sizes of messages that it has read.
    maildrops = MaildirMaildrops(base)
    with ExitStack() as stack:
        ports = {
            mode: stack.enter_context(
                serve(
                    maildrops,
                    users=users,
                    security=mode,
                    options=ServerOptions(allow_plaintext_auth=True, failed_login_delay=0.0),
                    mechanisms=password_mechanisms(Passwords(users), host=HOST),
                    tls_context=None if mode is Security.PLAINTEXT else context,
                )
            ).port
            for mode in Security
        }
        knows = frozenset({"AUTH", "UTF8", "LANG", "LAST"})
        yield RealServer("embedded", ports, authority, tuple(content), refill, knows=knows)
