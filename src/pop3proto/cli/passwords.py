"""Where a password, or an access token, comes from: each of the sources that an option names."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING

from ..errors import LocalProtocolError, printable
from ..model.secret import Secret
from .inputs import LONGEST_LINE, first_line, secret_in, unusable
from .inputs import secret as file_or_question

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import IO

__all__ = ["from_command", "gets_password_alone", "named_source", "password"]

# Seconds for a command that prints a password. It may have to ask for the one that protects it.
_PATIENCE = 120.0


def password(arguments: argparse.Namespace, user: str, host: str, what: str = "Password") -> Secret:
    """Return the password of ``user`` at ``host`` from the source that an option names.

    ``what`` is what it is called in a question. Raises ``LocalProtocolError``, which names the
    option and never shows what was read.
    """
    if arguments.password is not None:
        # It stood in a file with accounts.
        return Secret(arguments.password)
    if arguments.password_command is not None:
        return from_command("--password-command", arguments.password_command)
    if arguments.password_fd is not None:
        return _from_descriptor(arguments.password_fd)
    if arguments.keyring is not None:
        return _from_keyring(arguments.keyring, user)
    if arguments.password_file is not None:
        return first_line("--password-file", arguments.password_file)
    variable: str | None = arguments.password_variable
    return file_or_question(None, what, f"{user} at {host}", variable=variable)


def named_source(arguments: argparse.Namespace) -> str | None:
    """Return the option that names a source; ``None`` without one. A variable may always be set."""
    for name in ("password_file", "password_command", "password_fd", "keyring"):
        if getattr(arguments, name) is not None:
            return f"--{name.replace('_', '-')}"
    return None


def gets_password_alone(arguments: argparse.Namespace) -> bool:
    """Return ``True`` if ``password()`` asks nobody, and can be called in any order."""
    if arguments.password_fd is not None:
        # The next account reads the next line.
        return False
    sources = ("password", "password_command", "keyring", "password_file")
    variable = arguments.password_variable
    set_variable = variable is not None and bool(os.environ.get(variable))
    return set_variable or any(getattr(arguments, name) is not None for name in sources)


def from_command(option: str, command: str) -> Secret:
    """Return the first line that a command prints.

    No shell sees ``command``. What it writes to the standard error is not shown, because it may be
    the secret. Raises ``LocalProtocolError`` for a command that fails, or takes too long.
    """
    from subprocess import DEVNULL, PIPE, Popen
    from threading import Thread

    words = _words(option, command)
    name = words if isinstance(words, str) else words[0]
    try:
        # The user's own command, as he gave it.
        process = Popen(words, stdin=DEVNULL, stdout=PIPE, stderr=DEVNULL)  # noqa: S603
    except (OSError, ValueError) as error:
        raise unusable(option, name, getattr(error, "strerror", None) or str(error)) from error
    printed: list[Secret] = []
    # It may leave the pipe to a process of its own, so that not even killing it closes the pipe.
    reader = Thread(target=_read, args=(process.stdout, printed), daemon=True)
    try:
        reader.start()
        reader.join(_PATIENCE)
        # A whole page instead of a password ends here, too.
        code = None if reader.is_alive() else _exit_code(process.wait, printed[0])
    finally:
        process.kill()
        process.wait()
    if code is None:
        raise unusable(option, name, f"it did not end within {_PATIENCE:g} s")
    if code:
        how = f"exit code {code}" if code > 0 else f"ended by signal {-code}"
        raise LocalProtocolError(
            f"{option} {printable(name)}: {how}", hint="run the command by hand to see why"
        )
    return secret_in(Secret(printed[0].octets().partition(b"\n")[0]), option, name)


def _exit_code(wait: Callable[[float], int], printed: Secret) -> int | None:
    from subprocess import TimeoutExpired

    if len(printed.octets()) >= LONGEST_LINE:
        # It may go on for ever, and is not a password anyway.
        return 0
    try:
        return wait(_PATIENCE)
    except TimeoutExpired:
        return None


def _words(option: str, command: str) -> list[str] | str:
    if os.name != "posix":
        # Windows itself makes words of a command, in its own way.
        return command
    import shlex

    try:
        words = shlex.split(command)
    except ValueError as error:
        raise LocalProtocolError(f"{option}: {error}", hint="") from None
    if not words or not words[0]:
        raise LocalProtocolError(f"{option}: there is no command", hint="")
    return words


def _read(pipe: IO[bytes], printed: list[Secret]) -> None:
    with pipe:
        printed.append(Secret(pipe.read(LONGEST_LINE)))


def _from_descriptor(number: int) -> Secret:
    try:
        # Not one octet more than the line: the next account may read the next line.
        with open(number, "rb", buffering=0, closefd=False) as file:
            line = Secret(file.readline(LONGEST_LINE))
    except OSError as error:
        raise unusable("--password-fd", str(number), error.strerror or str(error)) from error
    return secret_in(line, "--password-fd", str(number))


def _from_keyring(service: str, user: str) -> Secret:
    import keyring
    from keyring.errors import KeyringError

    try:
        found = keyring.get_password(service, user)
    except KeyringError as error:
        raise unusable("--keyring", service, str(error) or type(error).__name__) from error
    if not found:
        raise LocalProtocolError(
            f"--keyring {printable(service)}: it has no password of {printable(user)}",
            hint="the command keyring set SERVICE USER stores it",
        )
    return Secret(found)
