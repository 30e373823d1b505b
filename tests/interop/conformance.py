"""The table of docs/conformance.md: what real servers do with the cases for servers.

``python -m tests.interop.conformance --write`` runs each server as the other tests of this folder
do, which takes Debian, root and the packages (``python -m tests.interop.packages``), and writes the
table into the document. Nobody's mail is in danger: each server has a maildrop of its own.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from pop3proto import PopUrl
from pop3proto.conformance import (
    Baseline,
    CommandDelivery,
    Deliver,
    MaildirDelivery,
    Report,
    Result,
    ServerTarget,
    Verdict,
    as_html,
    as_json,
    check_server,
    text_lines,
)
from pop3proto.model.secret import Secret
from pop3proto.transports import Security
from tests.interop.courier import courier
from tests.interop.dovecot import dovecot
from tests.interop.embedded import embedded
from tests.interop.maildrop import HEADER
from tests.interop.nginx import nginx
from tests.interop.packages import CACHE
from tests.interop.popa3d import popa3d
from tests.interop.servers import HOST, PASSWORD, USER, RealServer, open_folder
from tests.interop.twisted_server import twisted

PAGE = Path(__file__).resolve().parents[2] / "docs" / "conformance.md"
KNOWN = Path(__file__).with_name("known")
BEGIN, END = "<!-- table: begin -->\n", "<!-- table: end -->\n"
# A few plain messages, so that a run is quick; the cases deliver what they need besides.
FEW = 4
# Courier waits for 5 seconds after it has refused a login.
TIMEOUT = 10.0
_STORE = """
import sys, time
with open(f"{sys.argv[1]}/{time.time_ns()}.localhost", "xb") as file:
    file.write(sys.stdin.buffer.read())
"""
_APPEND = """
import os, sys, fcntl
with open(sys.argv[1], "ab") as box:
    fcntl.lockf(box, fcntl.LOCK_EX)
    box.write(b"From sender@example.org Thu Jan  1 00:00:00 2026\\n" + sys.stdin.buffer.read())
    box.write(b"\\n\\n")
"""


@dataclass(frozen=True)
class Tested:
    """A server of the table."""

    start: Callable[[Path], AbstractContextManager[RealServer]]
    security: Security
    package: str
    """The Debian package whose version is shown; empty if it is a Python package."""
    maildir: str = ""
    """The Maildir below the folder of the server; without one, mail is appended to an mbox."""
    folder: str = "new"
    """Where in the Maildir the server looks for mail."""


@contextmanager
def nginx_before_dovecot(base: Path) -> Iterator[RealServer]:
    """Run nginx and its own Dovecot, whose folder is ``base``."""
    with ExitStack() as stack:
        backend = stack.enter_context(dovecot(base))
        folder = stack.enter_context(open_folder())
        yield stack.enter_context(nginx(folder, backend))


SERVERS = {
    "the embedded server": Tested(embedded, Security.STLS, "", "user"),
    "Dovecot": Tested(dovecot, Security.STLS, "dovecot-pop3d", "home/user/Maildir"),
    "Courier": Tested(courier, Security.STLS, "courier-pop", "home/Maildir"),
    "nginx before Dovecot": Tested(
        nginx_before_dovecot, Security.STLS, "nginx", "home/user/Maildir"
    ),
    "popa3d": Tested(popa3d, Security.PLAINTEXT, "popa3d"),
    "Twisted": Tested(twisted, Security.TLS, "", "Maildir", "cur"),
}


def version_of(name: str, tested: Tested) -> str:
    """Return the version of a server: that of its package."""
    if not tested.package:
        return version("twisted" if name == "Twisted" else "pop3proto")
    (found,) = [
        line.split()[1]
        for line in subprocess.run(
            ["apt-cache", "show", "--no-all-versions", tested.package],
            check=True,
            capture_output=True,
            text=True,
        ).stdout.splitlines()
        if line.startswith("Version: ")
    ]
    return found


def few_messages(base: Path, tested: Tested) -> Deliver:
    """Leave a few plain messages in the maildrop, and return the way to deliver more."""
    message = HEADER % b"few" + b"A few words.\r\n"
    script = base / "deliver.py"
    if not tested.maildir:
        box = base / "mail" / USER
        box.write_bytes(b"")
        script.write_text(_APPEND)
        deliver: Deliver = CommandDelivery(f"{sys.executable} {script} {box}")
    else:
        folder = base / tested.maildir
        for path in (*(folder / "cur").iterdir(), *(folder / "new").iterdir()):
            path.unlink()
        deliver = MaildirDelivery(folder)
        if tested.folder != "new":
            script.write_text(_STORE)
            deliver = CommandDelivery(f"{sys.executable} {script} {folder / tested.folder}")
    for number in range(FEW):
        deliver.deliver(b"Message-ID: <%d@example.org>\r\n" % number + message)
    return deliver


def known(name: str) -> Path:
    """Return the file with what is known to fail for a server."""
    return KNOWN / f"{name.replace(' ', '-')}.txt"


def run(name: str, only: Iterable[str] = (), *, slow: bool = False) -> Report:
    """Start a server and test it with all cases; the slow ones only if ``slow``."""
    tested = SERVERS[name]
    with open_folder() as base, tested.start(base) as server:
        deliver = few_messages(base, tested)
        security, port = tested.security, server.ports[tested.security]
        target = ServerTarget(
            host=HOST,
            port=port,
            security=security,
            user=USER,
            secret=Secret(PASSWORD),
            ssl_context=server.client_context(),
            server_hostname=server.server_hostname,
            allow_plaintext_auth=security is Security.PLAINTEXT,
            timeout=TIMEOUT,
            destructive=True,
            slow=slow,
            deliver=deliver,
        )
        url = PopUrl(HOST, port, USER, scheme="pops" if security is Security.TLS else "pop")
        lines = known(name).read_text("utf-8").splitlines() if known(name).exists() else []
        baseline = Baseline.load(lines)
        return check_server(target, str(url), only=only, baseline=baseline, tell=tell)


def tell(result: Result) -> None:
    """Show that the run goes on."""
    print(result.case.number, result.verdict.value, f"{result.seconds:.1f} s", flush=True)


OUTCOMES = ("pass", "fail", "warning", "not offered", "not tested")


def outcome(result: Result) -> str:
    """Return the outcome of a result; what is known counts as what it is."""
    if result.verdict is not Verdict.FAIL:
        return str(result.verdict.value)
    return "fail" if result.failed else "warning"


def rows(reports: dict[str, Report]) -> Iterator[str]:
    """Yield the lines of the table and of the list after it."""
    yield "| Server | Version | Security | " + " | ".join(OUTCOMES) + " |"
    yield "|---" * (3 + len(OUTCOMES)) + "|"
    for name, report in reports.items():
        found = Counter(map(outcome, report.results))
        counts = " | ".join(str(found[each]) for each in OUTCOMES)
        tested = SERVERS[name]
        yield f"| {name} | {version_of(name, tested)} | {tested.security.value} | {counts} |"
    yield ""
    yield "| Case | Server | Outcome | Demand | What was seen |"
    yield "|---|---|---|---|---|"
    for name, report in reports.items():
        for result in report.results:
            if result.verdict is Verdict.FAIL:
                reason = re.sub(r"([|<>*_`\[\]])", r"\\\1", result.reason)
                case = result.case
                yield (
                    f"| {case.number} | {name} | {outcome(result)} | {case.title} ({case.clause}) "
                    f"| {reason} |"
                )


def main() -> int:
    """Test the servers that are named, or all, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("server", nargs="*", help=f"{', '.join(SERVERS)} (default: all)")
    parser.add_argument("--only", action="append", default=[], metavar="NUMBER")
    parser.add_argument("--slow", action="store_true", help="with the cases that take minutes")
    parser.add_argument("--pages", type=Path, help="a folder for a page and JSON of each server")
    parser.add_argument(
        "--write", action="store_true", help="write the table, and what is known to fail"
    )
    arguments = parser.parse_args()
    print(f"packages in {CACHE}", flush=True)
    reports: dict[str, Report] = {}
    for name in arguments.server or SERVERS:
        reports[name] = run(name, arguments.only, slow=arguments.slow)
        print(name, *text_lines(reports[name]), sep="\n", flush=True)
        if arguments.pages is not None:
            arguments.pages.mkdir(exist_ok=True)
            stem = arguments.pages / name.replace(" ", "-")
            stem.with_suffix(".html").write_text(as_html(reports[name]), "utf-8")
            stem.with_suffix(".json").write_text(as_json(reports[name]), "utf-8")
    table = "".join(f"{row}\n" for row in rows(reports))
    print(table)
    if arguments.write:
        KNOWN.mkdir(exist_ok=True)
        for name, report in reports.items():
            known(name).write_text(report.baseline().dumps(), "utf-8")
        head, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
        PAGE.write_text(f"{head}{BEGIN}\n{table}\n{END}{rest.partition(END)[2]}", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
