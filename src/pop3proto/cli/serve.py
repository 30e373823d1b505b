"""``pop3proto serve``: a server for testing mail programs."""

from __future__ import annotations

import argparse
import hashlib
import mailbox
import os
import ssl
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from secrets import token_urlsafe
from typing import TYPE_CHECKING

from .._value import replace
from ..errors import LocalProtocolError, MaildropError, printable
from ..model.url import PopUrl
from ..sasl.server import Passwords, password_mechanisms
from ..server import MaildirMaildrops, MaildropProvider, MemoryMaildrops, ServerOptions
from ..testing import LoopbackServer, serve
from ..testing.quirks.names import consistent
from ..transports import Security
from .codes import UsageError
from .inputs import PASSWORD_VARIABLE, load_certificate
from .waiting import wait_until_told

if TYPE_CHECKING:
    from .output import Output

__all__ = ["run"]

_IDENTIFIED = 32
# Characters of a command that are shown.
_LONGEST_COMMAND = 1000
_FROM = b"From "


def run(output: Output, arguments: argparse.Namespace) -> int:
    """Serve until the process is interrupted; return the exit code.

    Raises ``OSError``, ``MaildropError`` and ``LocalProtocolError`` for what cannot be served.
    """
    output.reports()
    output.ongoing = True
    users = _users(arguments.user or ["user"])
    security = Security.of(arguments.security)
    if arguments.write_ca is not None and (security is Security.PLAINTEXT or arguments.cert):
        raise UsageError("--write-ca needs TLS, and cannot be used with --cert")
    if arguments.cert is not None and security is Security.PLAINTEXT:
        raise UsageError("--cert is for TLS or STLS")
    maildrops = _maildrops(arguments.source, users, write=arguments.write)
    messages = _count(maildrops, next(iter(users)))
    context = None
    if arguments.cert is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        load_certificate(context, arguments.cert)
    options = ServerOptions(
        allow_plaintext_auth=arguments.allow_plaintext_auth,
        latency=arguments.latency,
        failed_login_delay=0.0,
    )
    with serve(
        maildrops,
        users=users,
        security=security,
        options=options,
        mechanisms=password_mechanisms(Passwords(users), host=options.host_name),
        tls_context=context,
        host=arguments.host,
        port=arguments.port,
        quirks=consistent(arguments.quirk),
    ) as server:
        if arguments.write_ca is not None:
            _write_authority(server, arguments.write_ca)
        wait_until_told(
            lambda: _announce(output, server, users, messages), _Follower(output, server).look
        )
    for session in server.sessions:
        if session.user is not None:
            deleted = len(session.deleted)
            output.summary(f"{session.user}: {deleted} deleted")
            output.event("session", user=session.user, deleted=deleted)
    return 0


def _users(texts: list[str]) -> dict[str, str]:
    users: dict[str, str] = {}
    for text in texts:
        name, mark, password = text.partition(":")
        if not name:
            raise LocalProtocolError("a user has a name: --user NAME:PASSWORD")
        if name in users:
            raise UsageError(f"--user {printable(name)} is given twice")
        default = os.environ.get(PASSWORD_VARIABLE)
        users[name] = password if mark else default or token_urlsafe(12)
    return users


def _maildrops(source: Path, users: Mapping[str, str], *, write: bool) -> MaildropProvider:
    if write:
        if not _is_maildir(source):
            raise UsageError("--write needs a Maildir")
        if len(users) > 1:
            raise UsageError("--write is for one user")
        return _OneMaildir(source)
    messages = dict(_identified(_messages(source)))
    maildrops = MemoryMaildrops(dict.fromkeys(users, ()))
    for user in users:
        for unique_id, content in messages.items():
            maildrops.add(user, content, unique_id=unique_id)
    return maildrops


def _count(maildrops: MaildropProvider, user: str) -> int:
    """Return how many messages each user has."""
    maildrop = maildrops.open(user)
    try:
        return len(maildrop.messages)
    finally:
        maildrop.close()


class _OneMaildir(MaildirMaildrops):
    """A single Maildir, whatever its user is called."""

    def folder(self, user: str) -> Path:
        return self._root


def _is_maildir(path: Path) -> bool:
    return (path / "cur").is_dir() and (path / "new").is_dir()


def _messages(source: Path) -> Iterator[bytes]:
    """Yield the messages in ``source``: a Maildir, a folder of messages, or an mbox."""
    if _is_maildir(source):
        maildrop = _OneMaildir(source).open("")
        try:
            for number in range(1, len(maildrop.messages) + 1):
                yield b"".join(maildrop.open(number))
        finally:
            maildrop.close()
    elif source.is_dir():
        for path in sorted(source.iterdir()):
            if path.is_file() and not path.name.startswith("."):
                yield path.read_bytes()
    else:
        try:
            with source.open("rb") as file:
                begun = file.read(len(_FROM))
        except FileNotFoundError as error:
            raise MaildropError(f"no such file or folder: {source}") from error
        # An empty file is an mbox without messages. The mailbox module would accept any other file
        # too.
        if begun not in (b"", _FROM):
            raise MaildropError(f"not an mbox, because it does not begin with 'From ': {source}")
        with closing(mailbox.mbox(source, create=False)) as box:
            for key in box.iterkeys():
                yield box.get_bytes(key)


def _identified(contents: Iterator[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Yield each message with a unique-id that it will have the next time, too."""
    seen: dict[str, int] = {}
    for content in contents:
        digest = hashlib.sha256(content).hexdigest()[:_IDENTIFIED]
        seen[digest] = seen.get(digest, 0) + 1
        yield f"{digest}-{seen[digest]}".encode("ascii"), content


def _write_authority(server: LoopbackServer, path: Path) -> None:
    (authority,) = server.client_context().get_ca_certs(binary_form=True)
    path.write_text(ssl.DER_cert_to_PEM_cert(authority), encoding="ascii")


def _announce(
    output: Output, server: LoopbackServer, users: Mapping[str, str], messages: int
) -> None:
    accounts: list[dict[str, str]] = []
    for user, password in users.items():
        url = PopUrl(server.host, server.port, user)
        if server.security is Security.TLS:
            url = replace(url, scheme="pops")
        output.summary(f"{url}  password: {printable(password, len(password))}")
        accounts.append({"url": str(url), "user": user, "password": password})
    output.summary(f"{messages} messages for each user")
    output.summary("Press Ctrl+C to stop.")
    output.event(
        "listening",
        host=server.host,
        port=server.port,
        security=server.security.value,
        accounts=accounts,
        messages=messages,
    )


class _Follower:
    """Prints what clients send, for those who want to see it."""

    def __init__(self, output: Output, server: LoopbackServer) -> None:
        self._output, self._server = output, server
        self._shown = 0

    def look(self) -> None:
        """Print the commands that have come since the last look."""
        if self._output.verbose:
            new = self._server.commands[self._shown :]
            self._shown += len(new)
            for command in new:
                text = printable(command, _LONGEST_COMMAND)
                self._output.result(f"C: {text}")
                self._output.event("command", text=text)
