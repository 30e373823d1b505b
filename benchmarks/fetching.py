"""Programs that fetch a whole maildrop to the disk: ``pop3proto fetch``, mpop, getmail6, fetchmail.

They run as a user runs them, one after the other, on the same maildrop and the same disk, and all
of them wait until each message is on the disk. What they have stored is compared, octet for octet::

    python -m benchmarks.fetching --messages 10000 --rounds 3

fetchmail has no Maildir; it gives messages to a command, and so does ``pop3proto fetch`` beside it.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import shutil
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import pop3proto
from benchmarks.programs import far_from_others
from benchmarks.server import Maildrop, serving

HOST = "127.0.0.1"
USER, PASSWORD = "user", "secret"
# It has stored a message, on the disk, when it ends.
_TAKE = '#!/bin/sh\ncat > "{0}/$$" && sync "{0}/$$" && mv "{0}/$$" "{0}/new/$$.$(date +%s%N)"\n'


class Took(NamedTuple):
    """What a program took, its children included."""

    seconds: float
    cpu: float
    mebibytes: float
    stored: bool
    """True if it has stored the messages as they are."""


class Program(NamedTuple):
    command: Callable[[Path, int], list[str]]
    needs: str
    header: bytes = b""
    """What it adds to each message."""


def _own(*options: str) -> Callable[[Path, int], list[str]]:
    def command(folder: Path, port: int) -> list[str]:
        url = f"pop://{USER}@{HOST}:{port}"
        place = [str(folder / "take"), "--format", "command"]
        if "command" not in options:
            place = [str(folder / "mail"), "--format", *options]
        plain = ["--no-tls", "--allow-plaintext-auth", "--state", str(folder / "state")]
        return [sys.executable, "-m", "pop3proto", "fetch", url, *place, *plain]

    return command


def _secret(path: Path, text: str) -> str:
    path.write_text(text, "ascii")
    path.chmod(0o600)
    return str(path)


def _mpop(folder: Path, port: int) -> list[str]:
    text = (
        f"account default\nhost {HOST}\nport {port}\nuser {USER}\npassword {PASSWORD}\nauth user\n"
        f"delivery maildir {folder / 'mail'}\nreceived_header off\nkeep on\ntls off\n"
        f"uidls_file {folder / 'uidls'}\n"
    )
    return ["mpop", "-C", _secret(folder / "rc", text)]


def _getmail(folder: Path, port: int) -> list[str]:
    root = os.geteuid() == 0
    if root:
        # It does not deliver as root.
        for path in (folder.parent, folder):
            path.chmod(0o755)
        for path in (folder / "mail", *(folder / "mail").iterdir()):
            shutil.chown(path, "mail")
    text = (
        f"[retriever]\ntype = SimplePOP3Retriever\nserver = {HOST}\nport = {port}\n"
        f"username = {USER}\npassword = {PASSWORD}\n[destination]\ntype = Maildir\n"
        f"path = {folder / 'mail'}/\n{'user = mail' if root else ''}\n"
        "[options]\ndelivered_to = false\nreceived = false\n"
    )
    rc = _secret(folder / "rc", text)
    return ["getmail", "--getmaildir", str(folder), "--rcfile", rc]


def _fetchmail(folder: Path, port: int) -> list[str]:
    text = (
        f"set no bouncemail\nset invisible\npoll {HOST} service {port} proto pop3 timeout 60"
        f' user "{USER}" pass "{PASSWORD}" keep no rewrite no mimedecode sslproto \'\''
        f' mda "{folder / "take"}"\n'
    )
    rc = _secret(folder / "rc", text)
    files = ["--pidfile", str(folder / "pid"), "--idfile", str(folder / "ids")]
    return ["fetchmail", "--fetchmailrc", rc, *files]


PROGRAMS = {
    "pop3proto, Maildir": Program(_own("maildir"), "python3"),
    "mpop, Maildir": Program(_mpop, "mpop"),
    "getmail6, Maildir": Program(_getmail, "getmail", b"Return-Path: <unknown>\n"),
    "pop3proto, command": Program(_own("command"), "python3"),
    "fetchmail, command": Program(_fetchmail, "fetchmail"),
    "pop3proto, files": Program(_own("files"), "python3"),
    "pop3proto, mbox": Program(_own("mbox"), "python3"),
}
# To start a process for each message takes so long that a part of them says enough.
_PART = 10


def run(name: str, maildrop: Maildrop, port: int, beside: Path | None = None) -> Took:
    """Let one program fetch the maildrop."""
    with far_from_others(None if beside is None else str(beside)) as folder:
        mail = folder / "mail"
        if "Maildir" in name or "command" in name:
            for each in ("tmp", "new", "cur"):
                (mail / each).mkdir(parents=True)
        (folder / "take").write_text(_TAKE.format(mail))
        (folder / "take").chmod(0o700)
        program = PROGRAMS[name]
        command = program.command(folder, port)
        environment = {
            **os.environ,
            "HOME": str(folder),
            "POP3PROTO_PASSWORD": PASSWORD,
        }
        if name.startswith("pop3proto"):
            # getmail runs on another Python.
            environment["PYTHONPATH"] = str(Path(pop3proto.__file__).parent.parent)
        os.sync()
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        begun = time.perf_counter()
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            # getmail says that it keeps the messages, and fetchmail that it runs as root.
            stderr=subprocess.DEVNULL,
        )
        mebibytes = 0.0
        while process.poll() is None:
            # The kernel's figure at the end would count what this process had before exec().
            mebibytes = max(mebibytes, _peak(process.pid))
            time.sleep(0.01)
        seconds = time.perf_counter() - begun
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        stored = process.returncode == 0 and _is_stored(name, mail, maildrop, program.header)
        return Took(seconds, cpu, mebibytes, stored)


def _peak(number: int) -> float:
    """The most memory that a process had until now, in MiB."""
    with suppress(OSError):
        status = Path(f"/proc/{number}/status").read_text("ascii")
        if match := re.search(r"VmHWM:\s+(\d+) kB", status):
            return int(match[1]) / 1024
    return 0.0


def _is_stored(name: str, mail: Path, maildrop: Maildrop, header: bytes) -> bool:
    messages = Counter(map(maildrop.message, range(1, maildrop.count + 1)))
    if "files" in name:
        return Counter(path.read_bytes() for path in mail.glob("*.eml")) == messages
    if "mbox" in name:
        import mailbox

        box = mailbox.mbox(mail, create=False)
        found = Counter(box.get_bytes(key) for key in box.keys())  # noqa: SIM118 - no dict
        box.close()
    else:
        found = Counter(path.read_bytes() for path in (mail / "new").iterdir())
    return found == Counter(
        {header + m.replace(b"\r\n", b"\n"): count for m, count in messages.items()}
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fetching")
    parser.add_argument("--messages", type=int, default=10_000)
    parser.add_argument("--least", type=int, default=500, help="octets of the smallest message")
    parser.add_argument("--most", type=int, default=2000, help="octets of the largest message")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="a folder on the disk that is measured")
    parser.add_argument("programs", nargs="*", metavar="PROGRAM", help=", ".join(PROGRAMS))
    args = parser.parse_args()
    names = [n for n in args.programs or PROGRAMS if shutil.which(PROGRAMS[n].needs)]
    took: dict[str, list[Took]] = {name: [] for name in names}
    counts = {n: args.messages // (_PART if "command" in n else 1) for n in names}
    # In turns, so that what else the machine does falls on all of them.
    for _ in range(args.rounds):
        for name in names:
            maildrop = Maildrop(counts[name], args.least, args.most)
            with serving(maildrop) as address:
                took[name].append(run(name, maildrop, address.port, args.folder))
    print("| program | messages | s | ms a message | CPU, µs a message | MiB | stored as it is |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | --- |")
    for name in names:
        seconds = statistics.median(each.seconds for each in took[name])
        cpu = statistics.median(each.cpu for each in took[name])
        memory = max(each.mebibytes for each in took[name])
        stored = "yes" if all(each.stored for each in took[name]) else "no"
        print(
            f"| {name} | {counts[name]:,} | {seconds:.2f} | {seconds / counts[name] * 1e3:.3f} |"
            f" {cpu / counts[name] * 1e6:.0f} | {memory:.0f} | {stored} |"
        )


if __name__ == "__main__":
    main()
