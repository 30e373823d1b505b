"""The files and variables that the command line reads: a password, and certificates."""

from __future__ import annotations

import getpass
import os
import ssl
import stat
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from ..errors import LocalProtocolError, printable
from ..model.secret import Secret

__all__ = [
    "LONGEST_LINE",
    "PASSWORD_VARIABLE",
    "client_context",
    "first_line",
    "is_open_to_others",
    "load_certificate",
    "secret",
    "secret_in",
    "unusable",
]

PASSWORD_VARIABLE = "POP3PROTO_PASSWORD"  # noqa: S105 - a name
# No password or token is that long, and the first line of a wrong file may have no end.
_LONGEST_SECRET = 64 * 1024
_BOM = b"\xef\xbb\xbf"
LONGEST_LINE: int = len(_BOM) + _LONGEST_SECRET + 2
"""How many octets of a line to read: no secret needs more."""


def secret(
    path: Path | None, what: str, whose: str, *, variable: str | None = PASSWORD_VARIABLE
) -> Secret:
    """Return the first line of the file at ``path``, or the variable, or what is typed.

    It is text if it is UTF-8, and otherwise octets. ``what`` and ``whose`` are for the question.
    With ``variable=None``, no variable is read. Raises ``LocalProtocolError``, which names the
    file.
    """
    if path is not None:
        return first_line("--password-file", path)
    # An empty variable counts as not set, as for the command serve.
    if variable is not None and os.environ.get(variable):
        # The same octets as in a file, if they are not UTF-8.
        return _text_or_octets(os.fsencode(os.environ[variable]))
    # A process can start without a standard input.
    if sys.stdin is None or not sys.stdin.isatty():
        or_variable = "" if variable is None else f", or set {printable(variable)}"
        raise LocalProtocolError(
            f"there is no password: see --password-file{or_variable}",
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


def first_line(option: str, path: Path) -> Secret:
    """Return the secret in the first line of the file at ``path``, text or octets.

    Warns on the standard error if others can read the file. Raises ``LocalProtocolError``, which
    names the option and the file.
    """
    with _naming(option, path), path.open("rb") as file:
        line = Secret(file.readline(LONGEST_LINE))
        others = is_open_to_others(file.fileno())
    found = secret_in(line, option, str(path))
    if others:
        print(
            f"Warning: {option} {printable(str(path))}: other users can read this file; chmod 600"
            " would keep them out",
            file=sys.stderr,
        )
    return found


def is_open_to_others(descriptor: int) -> bool:
    """Return ``True`` if a file lets others than its owner read or change it.

    A group is fine if somebody else owns the file: root has let this user's group read it.
    """
    if os.name != "posix":
        # Access is not in the mode there.
        return False
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        return False
    whom = 0o077 if found.st_uid == os.geteuid() else 0o007
    return bool(found.st_mode & whom)


def secret_in(line: Secret, option: str, source: str) -> Secret:
    """Return the secret that a line holds, without a byte order mark and the line end.

    ``line`` is what was read, up to ``LONGEST_LINE`` octets. Raises ``LocalProtocolError``, which
    names the option and the ``source``.
    """
    stripped = Secret(line.octets().removeprefix(_BOM).rstrip(b"\r\n"))
    problem = ""
    if not stripped:
        problem = "the first line is empty, and should be the password"
    elif len(stripped.octets()) > _LONGEST_SECRET:
        problem = f"the first line has more than {_LONGEST_SECRET} octets: this is no password"
    elif b"\0" in stripped.octets():
        problem = "the first line holds a NUL: it may be UTF-16, and should be UTF-8"
    if problem:
        raise unusable(option, source, problem)
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
            raise unusable("--ca", ca, problem) from error


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
            raise unusable("--cert", path, problem) from error


@contextmanager
def _naming(option: str, path: str | Path) -> Generator[None]:
    """Name the option and the file of an ``OSError``; the ssl module names neither."""
    try:
        yield
    except OSError as error:
        raise unusable(option, path, error.strerror or str(error)) from error


def unusable(option: str, path: str | Path, problem: str) -> LocalProtocolError:
    """Return an error that names an option, its file or other source, and the problem."""
    return LocalProtocolError(f"{option} {printable(str(path))}: {problem}", hint="")
