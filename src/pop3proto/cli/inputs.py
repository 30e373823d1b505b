"""The files and variables that the command line reads: a password, and certificates."""

from __future__ import annotations

import getpass
import os
import ssl
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from ..errors import LocalProtocolError, printable
from ..model.secret import Secret

__all__ = ["PASSWORD_VARIABLE", "client_context", "load_certificate", "secret"]

PASSWORD_VARIABLE = "POP3PROTO_PASSWORD"  # noqa: S105 - a name
# No password or token is that long, and the first line of a wrong file may have no end.
_LONGEST_SECRET = 64 * 1024
_BOM = b"\xef\xbb\xbf"


def secret(path: Path | None, what: str, whose: str) -> Secret:
    """Return the first line of the file at ``path``, or the variable, or what is typed.

    It is text if it is UTF-8, and otherwise octets. ``what`` and ``whose`` are for the question.
    Raises ``LocalProtocolError``, which names the file.
    """
    if path is not None:
        return _first_line(path)
    # An empty variable counts as not set, as for the command serve.
    if os.environ.get(PASSWORD_VARIABLE):
        # The same octets as in a file, if they are not UTF-8.
        return _text_or_octets(os.fsencode(os.environ[PASSWORD_VARIABLE]))
    # A process can start without a standard input.
    if sys.stdin is None or not sys.stdin.isatty():
        raise LocalProtocolError(
            f"there is no password: see --password-file, or set {PASSWORD_VARIABLE}",
            hint="without a terminal, nobody can be asked",
        )
    try:
        return Secret(getpass.getpass(f"{what} of {printable(whose)}: "))
    except EOFError:
        raise LocalProtocolError("no password was typed", hint="") from None
    except UnicodeDecodeError:
        # Its text, and the frame of getpass, would show what was typed.
        encoding = sys.stdin.encoding
    raise LocalProtocolError(f"what was typed is not {encoding}", hint="see --password-file")


def _first_line(path: Path) -> Secret:
    with _naming("--password-file", path), path.open("rb") as file:
        line = Secret(file.readline(len(_BOM) + _LONGEST_SECRET + 2))
    stripped = Secret(line.octets().removeprefix(_BOM).rstrip(b"\r\n"))
    problem = ""
    if not stripped:
        problem = "the first line is empty, and should be the password"
    elif len(stripped.octets()) > _LONGEST_SECRET:
        problem = f"the first line has more than {_LONGEST_SECRET} octets: this is no password"
    elif b"\0" in stripped.octets():
        problem = "the first line holds a NUL: the file may be UTF-16, and should be UTF-8"
    if problem:
        raise _unusable("--password-file", path, problem)
    return _text_or_octets(stripped.octets())


def _text_or_octets(octets: bytes) -> Secret:
    try:
        return Secret(octets.decode("utf-8"))
    except UnicodeDecodeError:
        # Older servers have passwords in Latin-1 and the like.
        return Secret(octets)


def client_context(ca: str | None, certificate: str | None) -> ssl.SSLContext:
    """Return a context that trusts the certificates in the file ``ca``, or else the system's.

    Raises ``LocalProtocolError``, which names the option and the file.
    """
    context = ssl.create_default_context() if ca is None else _trusting(ca)
    if certificate is not None:
        load_certificate(context, certificate)
    return context


def _trusting(ca: str) -> ssl.SSLContext:
    with _naming("--ca", ca):
        try:
            return ssl.create_default_context(cafile=ca)
        except ssl.SSLError as error:
            problem = f"no certificates in the format PEM: {error.reason or error}"
            raise _unusable("--ca", ca, problem) from error


def load_certificate(context: ssl.SSLContext, path: str | Path) -> None:
    """Let ``context`` present the certificate in the file at ``path``.

    Raises ``LocalProtocolError``, which names the option and the file.
    """
    with _naming("--cert", path):
        try:
            context.load_cert_chain(path)
        except ssl.SSLError as error:
            if error.reason == "KEY_VALUES_MISMATCH":
                problem = "the key is that of another certificate"
            else:
                problem = f"not a certificate and its key in the format PEM: {error}"
            raise _unusable("--cert", path, problem) from error


@contextmanager
def _naming(option: str, path: str | Path) -> Generator[None]:
    """Name the option and the file of an ``OSError``; the ssl module names neither."""
    try:
        yield
    except OSError as error:
        raise _unusable(option, path, error.strerror or str(error)) from error


def _unusable(option: str, path: str | Path, problem: str) -> LocalProtocolError:
    return LocalProtocolError(f"{option} {printable(str(path))}: {problem}", hint="")
