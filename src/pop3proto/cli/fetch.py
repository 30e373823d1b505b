"""``pop3proto fetch``: the messages of a maildrop, into a folder of files."""

from __future__ import annotations

import argparse
import hashlib
import ssl
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ..client.files import replacing
from ..errors import CommandError, LocalProtocolError, printable
from ..model.secret import Secret
from ..model.url import PopUrl
from ..sasl import by_name
from ..transports import ClientOptions, Security, Timeouts
from ..transports.blocking import Client, connect
from .inputs import PASSWORD_VARIABLE, client_context
from .inputs import secret as given_secret

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["run"]

# Mechanisms that take an access token, and those that take no secret at all.
_TOKEN = ("XOAUTH2", "OAUTHBEARER")
_NO_SECRET = ("ANONYMOUS", "EXTERNAL", "GSSAPI")
# Messages of at most this many octets are requested ahead, and held in memory one at a time; larger
# ones go straight from the network to the file.
_SMALL = 1024 * 1024
_LONGEST_NAME = 100
# The file that says which maildrop a folder belongs to. In another maildrop the same unique-id can
# be another message (RFC 1939 section 7), which would count as fetched, and might be deleted.
_OWNER = ".pop3proto-maildrop"
# Capitals are escaped, too: on a file system that treats "a" and "A" alike, a message would be
# lost.
_PLAIN_OCTETS = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789-_")


def run(console: Console, arguments: argparse.Namespace) -> int:
    """Fetch the messages that are not in the folder yet; return the exit code.

    Raises ``Pop3Error`` and ``OSError`` if it cannot go on.
    """
    url = PopUrl.parse(arguments.url)
    if url.user is None:
        raise LocalProtocolError("the URL names no user: pop://user@host")
    # What is wrong with files is found before anybody is asked for a password.
    context = _context(arguments, url)
    folder: Path = arguments.folder
    folder.mkdir(parents=True, exist_ok=True)
    security = Security.PLAINTEXT if arguments.no_tls else None
    options = ClientOptions(
        allow_plaintext_auth=arguments.allow_plaintext_auth,
        pipelining=not arguments.no_pipelining,
        capabilities=not arguments.no_capa,
        timeouts=Timeouts() if arguments.timeout is None else Timeouts.of(arguments.timeout),
    )
    secret = Secret("") if url.auth in _NO_SECRET else _secret(arguments, url)
    client = connect(url, security=security, ssl_context=context, options=options)
    with client:
        _log_in(client, url, secret, arguments.initial_response)
        # Not before the login: a mistyped user name would tie the folder to it, and keep out the
        # right one.
        claim(folder, url)
        fetched, there, refused = _fetch(client, folder, console)
        console.print(f"{len(fetched)} fetched, {len(there)} were already there", highlight=False)
        here = sorted([*fetched, *there]) if arguments.delete else []
        outcomes = list(client.dele_many(here).outcomes())
        marked = sum(not isinstance(outcome, CommandError) for outcome in outcomes)
        confirmed = client.quit().confirmed
    if marked:
        made = "deleted" if confirmed else "NOT deleted: the server has not confirmed it"
        console.print(f"{marked} {made}", highlight=False)
    return 1 if refused or marked != len(here) or (marked and not confirmed) else 0


def claim(folder: Path, url: PopUrl) -> None:
    """Tie the folder to one maildrop.

    Raises ``LocalProtocolError`` if it is tied to another one.
    """
    # The two registered ports lead to one maildrop, by TLS and by STLS.
    port = None if url.effective_port in (110, 995) else url.port
    maildrop = str(PopUrl(url.host.lower(), port, url.user)).removeprefix("pop://")
    file = folder / _OWNER
    if not file.exists():
        with replacing(file, durable=True) as new:
            new.write(f"{maildrop}\n".encode())
    elif (owner := file.read_text("utf-8").rstrip("\n")) != maildrop:
        raise LocalProtocolError(
            f"{printable(str(folder))} holds the messages of {printable(owner)}",
            hint="give every maildrop a folder of its own",
        )


def _secret(arguments: argparse.Namespace, url: PopUrl) -> Secret:
    is_token = url.auth in _TOKEN
    what, file = "Access token" if is_token else "Password", arguments.password_file
    secret = given_secret(file, what, f"{url.user} at {url.host}")
    if is_token and secret.kind is not str:
        where = PASSWORD_VARIABLE if file is None else f"--password-file {printable(str(file))}"
        raise LocalProtocolError(f"{where}: the access token is not text in UTF-8", hint="")
    return secret


def _context(arguments: argparse.Namespace, url: PopUrl) -> ssl.SSLContext | None:
    if arguments.no_tls and not url.implicit_tls:
        return None
    return client_context(arguments.ca, arguments.cert)


def _log_in(client: Client, url: PopUrl, secret: Secret, initial_response: bool | None) -> None:
    user = url.user or ""
    how = {} if initial_response is None else {"initial_response": initial_response}
    if url.auth in _TOKEN:
        client.oauth(user, secret, mechanism=url.auth, **how)
    elif url.auth in _NO_SECRET:
        client.authenticate(by_name(url.auth, user, host=url.host), **how)
    else:
        client.login(user, secret, mechanisms=url.mechanisms, **how)


def file_name(unique_id: bytes) -> str:
    """Return a file name for a unique-id: unambiguous, and harmless on every system."""
    name = "".join(chr(o) if o in _PLAIN_OCTETS else f"%{o:02x}" for o in unique_id)
    if len(name) > _LONGEST_NAME:
        name = hashlib.sha256(unique_id).hexdigest()
    return f"uid-{name}.eml"


class _Waiting(NamedTuple):
    """A message on the server."""

    number: int
    octets: int | None
    name: str
    """The name of the file; empty until the content is known, if the message has no unique-id of
    its own."""

    @property
    def small(self) -> bool:
        return not self.name or (self.octets is not None and self.octets <= _SMALL)


def _waiting(client: Client) -> list[_Waiting]:
    listings = client.messages()
    often = Counter(row.unique_id for row in listings)
    return [
        _Waiting(number, octets, file_name(i) if i and often[i] == 1 else "")
        for number, octets, i in listings
    ]


def _fetch(
    client: Client, folder: Path, console: Console
) -> tuple[list[int], list[int], list[int]]:
    """Return the numbers of the messages fetched, present already, and refused."""
    from rich.progress import track

    messages = _waiting(client)
    there: list[int] = []
    wanted: list[_Waiting] = []
    for message in messages:
        if message.name and (folder / message.name).exists():
            there.append(message.number)
        else:
            wanted.append(message)
    fetched: list[int] = []
    refused: list[int] = []
    contents = _contents(client, folder, wanted)
    hidden = not console.is_terminal
    for number, error in track(contents, "Fetching", len(wanted), console=console, disable=hidden):
        if error is None:
            fetched.append(number)
        else:
            refused.append(number)
            console.print(f"message {number}: {error}", markup=False, highlight=False)
    return fetched, there, refused


def _contents(
    client: Client, folder: Path, wanted: list[_Waiting]
) -> Iterator[tuple[int, CommandError | None]]:
    """Put each message into its file; yield its number, and the error if it was refused."""
    small = [message for message in wanted if message.small]
    batch = client.retr_many([message.number for message in small])
    for message, outcome in zip(small, batch.outcomes(), strict=True):
        if isinstance(outcome, CommandError):
            yield message.number, outcome
            continue
        name = message.name or f"sha256-{hashlib.sha256(outcome.content).hexdigest()}.eml"
        with replacing(folder / name, durable=True, mode=0o600) as file:
            file.write(outcome.content)
        yield message.number, None
    for message in wanted:
        if not message.small:
            yield message.number, _save(client, message, folder)


def _save(client: Client, message: _Waiting, folder: Path) -> CommandError | None:
    try:
        with replacing(folder / message.name, durable=True, mode=0o600) as file:
            client.save(message.number, file)
    except CommandError as error:
        return error
    return None
