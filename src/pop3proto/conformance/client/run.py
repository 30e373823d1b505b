"""Running the program of a case against a server that does what the case wants."""

from __future__ import annotations

import os
import shutil
import signal
import ssl
import subprocess
import tempfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ...errors import printable
from ...model.command import Command
from ...model.events import InvalidCommand
from ...model.limits import Limits
from ...model.replies import ErrorReply
from ...model.url import PopUrl
from ...server import Close, Hooks, MemoryMaildrops, ServerOptions, ServerSession
from ...testing.certificates import HOST, tls_for
from ...testing.loopback import LoopbackServer
from ...testing.quirks.names import Quirk
from ...testing.sessions import Sessions
from ...transports import Security
from ..case import Case, Cases, NotTestedError
from ..report import Conversation
from .mail import MAIL, Stored, stored_in, token_of
from .target import PLACEHOLDERS, ClientTarget

if TYPE_CHECKING:
    import trustme

__all__ = ["CASES", "PASSWORD", "USER", "ClientRun", "Round", "authority_for"]

USER, PASSWORD = "user", "pa55word-for-tests"
CASES: Cases[ClientRun] = Cases()
_SHOWN = 20
_LONGEST_LINE = 200


class _Source(Sessions):
    """Sessions with hooks of a case."""

    def __init__(self, make: Callable[[], Hooks] | None, **settings: Any) -> None:
        # Not for the trial of the quirks that super() makes: the first ones are for a connection.
        self._make: Callable[[], Hooks] | None = None
        super().__init__(**settings)
        self._make = make

    def _hooks(self) -> Hooks:
        listening = super()._hooks()
        if self._make is None:
            return listening
        hooks = self._make()
        interfere = hooks.received

        def received(
            session: ServerSession, event: Command[Any] | InvalidCommand
        ) -> ErrorReply | Close | None:
            listening.received(session, event)
            return interfere(session, event)

        # What was sent is noted, whatever the case does with it.
        hooks.received = received  # type: ignore[method-assign]
        return hooks


class Round:
    """One run of the program, and what it left."""

    def __init__(
        self,
        code: int | None,
        *,
        output: str,
        commands: list[str],
        had: set[str],
        left: set[str],
        stored: Stored,
    ) -> None:
        self.code = code
        """The exit code, negative for a signal; ``None`` if it was ended after the time-out."""
        self.output = output
        """The end of what it wrote."""
        self.commands = commands
        """The commands that the server received, without secrets."""
        self.had = had
        """The tokens of the messages that were on the server."""
        self.left = left
        """The tokens of those that are still there."""
        self.stored = stored
        """What is in its folder, from earlier rounds too."""

    def sent(self, verb: str) -> bool:
        """Say if the server received a command with this verb."""
        return any(line.upper().partition(" ")[0] == verb for line in self.commands)


class ClientRun:
    """What a case is given: it runs the program, as often as it wants, in one folder."""

    def __init__(self, target: ClientTarget, authority: trustme.CA | None, context: Any) -> None:
        self.target = target
        self.authority = authority
        """The issuer of the certificates that the program is to trust."""
        self._context: ssl.SSLContext | None = context
        self._folder: Path | None = None
        # All rounds have the same, because programs remember servers by their address.
        self._port = 0
        self._conversations: list[Conversation] = []

    def refusal(self, case: Case[object]) -> str:
        """Return why ``case`` cannot be run with this program; an empty text if it can."""
        if case.destructive and not self.target.deletes:
            return "the command does not delete: run with --deletes if it does"
        return ""

    def conversations(self) -> tuple[Conversation, ...]:
        """Return what was said, round by round."""
        return tuple(self._conversations)

    def without_secrets(self, text: str) -> str:
        """Return ``text`` without the password."""
        return text.replace(PASSWORD, "<secret>")

    def close(self) -> None:
        """Remove what the program has stored."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def need_tls(self) -> None:
        """Raise ``NotTestedError`` if the program connects in the clear."""
        if self.target.security is Security.PLAINTEXT:
            raise NotTestedError("the command connects without TLS")

    def need_stls(self) -> None:
        """Raise ``NotTestedError`` unless the program uses STLS."""
        if self.target.security is not Security.STLS:
            raise NotTestedError("the command does not use STLS: run with --security stls")

    def fetch(
        self,
        mail: Iterable[bytes] = MAIL,
        *,
        title: str = "fetching",
        quirks: Iterable[Quirk] = (),
        hooks: Callable[[], Hooks] | None = None,
        tls_context: ssl.SSLContext | None = None,
        offer_tls: bool = True,
        clear: bool = False,
        known: bool = True,
        timeout: float | None = None,
        drops: MemoryMaildrops | None = None,
    ) -> Round:
        """Run the program against a server with ``mail``, or with what ``drops`` still has.

        ``clear`` serves without any TLS, and accepts passwords; ``offer_tls=False`` does not. If
        not ``known``, the server has another password.
        """
        content = tuple(mail)
        maildrops = drops or MemoryMaildrops({USER: content})
        had = {token_of(each) for each in maildrops.contents(USER)}
        security = self.target.security
        serving = security if offer_tls and not clear else Security.PLAINTEXT
        clear = clear or security is Security.PLAINTEXT
        source = _Source(
            hooks,
            mail=maildrops,
            password=None,
            users={USER: PASSWORD if known else PASSWORD[::-1]},
            security=serving,
            options=ServerOptions(failed_login_delay=0.0, allow_plaintext_auth=clear),
            limits=Limits(),
            quirks=[*quirks],
        )
        context = None
        if serving is not Security.PLAINTEXT:
            context = tls_context or self._context
        server = LoopbackServer(
            source,
            security=serving,
            tls_context=context,
            certificate_authority=None,
            idle_timeout=600.0,
            host=HOST,
            port=self._port,
        )
        self._port = server.port
        try:
            code, output = self._program(
                server, self.target.timeout if timeout is None else timeout
            )
        finally:
            server.close()
        commands = server.commands
        lines = [f"C: {line}" for line in _shown(commands)]
        lines += [f"output: {line}" for line in _shown(self.without_secrets(output).splitlines())]
        lines.append("ended after the time-out" if code is None else f"exit code {code}")
        self._conversations.append(Conversation(title, tuple(map(_printed, lines))))
        left = {token_of(each) for each in maildrops.contents(USER)}
        return Round(
            code,
            output=output,
            commands=commands,
            had=had,
            left=left,
            stored=stored_in(self._output(), content),
        )

    def _output(self) -> Path:
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="pop3proto-conformance-"))
            for name in ("home", "output"):
                (self._folder / name).mkdir()
        return self._folder / "output"

    def _program(self, server: LoopbackServer, timeout: float) -> tuple[int | None, str]:
        """Run it; return its exit code, ``None`` after the time-out, and what it wrote."""
        output = self._output()
        home = output.parent / "home"
        authority = home / "authority.pem"
        if self.authority is not None:
            authority.write_bytes(self.authority.cert_pem.bytes())
        tls = self.target.security is Security.TLS
        scheme: Literal["pop", "pops"] = "pops" if tls else "pop"
        texts = (
            "localhost",
            str(server.port),
            USER,
            PASSWORD,
            str(output),
            str(PopUrl("localhost", server.port, USER, scheme=scheme)),
            str(authority),
            self.target.security.value,
        )
        named = dict(zip(PLACEHOLDERS, texts, strict=True))
        command = [_filled(argument, named) for argument in self.target.command]
        variables = {f"POP3_{name.upper()}": text for name, text in named.items()}
        written = home / "written"
        with written.open("wb") as file:
            process = subprocess.Popen(  # noqa: S603 - the command is the user's
                command,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                env={**os.environ, "HOME": str(home), **variables},
                start_new_session=True,
            )
            code: int | None
            try:
                code = process.wait(timeout)
            except subprocess.TimeoutExpired:
                code = None
            finally:
                # Also what it has started and left running, and also after Ctrl+C, which does not
                # reach a session of its own.
                _end(process)
        return code, written.read_bytes()[-65536:].decode("utf-8", "backslashreplace")


def _end(process: subprocess.Popen[bytes]) -> None:
    if os.name == "posix":
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()


def _filled(argument: str, named: dict[str, str]) -> str:
    # Not str.format(), because other braces belong to the command.
    for name, text in named.items():
        argument = argument.replace(f"{{{name}}}", text)
    return argument


def _shown(lines: list[str]) -> list[str]:
    """Return the first and the last of many lines."""
    if len(lines) <= 2 * _SHOWN:
        return lines
    left_out = f"[{len(lines) - 2 * _SHOWN} lines]"
    return [*lines[:_SHOWN], left_out, *lines[-_SHOWN:]]


def _printed(line: str) -> str:
    shown = printable(line, _LONGEST_LINE)
    return shown.encode("ascii", "backslashreplace").decode("ascii")


def authority_for(security: Security) -> tuple[trustme.CA | None, ssl.SSLContext | None]:
    """Return the authority of all rounds, and the server's certificate."""
    return tls_for(security, None)
