"""Whole programs, with their start: how each is called, and whether it got all the mail.

Those that fetch for the fetching's sake either collect the mail and print its octets, as most
scripts do, or write an mbox, as mpop does; to memory, not to a disk. Those of ``fetch`` write a
Maildir to a disk, and their durability is told beside their figures.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from typing import Any

from benchmarks.clients import ROUGHLY
from benchmarks.measuring import environment
from benchmarks.meter import Meter
from benchmarks.server import HOST, Address, Maildrop, compiled, on_cpus_of

_MEMORY = "/dev/shm"
# Every message has it once; a program may write other line ends than it was sent.
_MARK = re.compile(rb"\nMessage-ID: <measured@example.org>")
_PRELUDE = """
import sys
host, port, count, ca = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
"""
_CONNECT = """
from pop3proto.transports import ClientOptions
from pop3proto.transports.{runtime} import connect
about = {{"security": "plaintext", "options": ClientOptions(allow_plaintext_auth=True)}}
if ca:
    import ssl
    about = {{"security": "tls", "ssl_context": ssl.create_default_context(cafile=ca)}}
"""
_OURS = """
with connect(host, port, **about) as client:
    client.login("user", "secret")
    print(sum(len(message.content) for message in client.retr_many(range(1, count + 1))))
"""
_OURS_MBOX = """
write = sys.stdout.buffer.write
with connect(host, port, **about) as client:
    client.login("user", "secret")
    for message in client.retr_many(range(1, count + 1)):
        text = message.content.replace(b"\\r\\n", b"\\n").replace(b"\\nFrom ", b"\\n>From ")
        write(b"From - Thu Jan  1 00:00:00 2026\\n%b\\n" % text)
"""
_OURS_ASYNC = """
async def main():
    octets = 0
    async with await connect(host, port, **about) as client:
        await client.login("user", "secret")
        async for message in client.retr_many(range(1, count + 1)):
            octets += len(message.content)
    print(octets)
"""
_POPLIB = """
import poplib
if ca:
    import ssl
    context = ssl.create_default_context(cafile=ca)
    client = poplib.POP3_SSL(host, port, context=context)
else:
    client = poplib.POP3(host, port)
client.user("user")
client.pass_("secret")
"""
_COLLECT = """
print(sum(client.retr(number)[2] for number in range(1, count + 1)))
client.quit()
"""
_POPLIB_MBOX = """
write = sys.stdout.buffer.write
for number in range(1, count + 1):
    text = b"\\n".join(client.retr(number)[1])
    text = text.replace(b"\\nFrom ", b"\\n>From ")
    write(b"From - Thu Jan  1 00:00:00 2026\\n%b\\n\\n" % text)
client.quit()
"""
_RAW = """
import socket
sock = socket.create_connection((host, port))
sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 256 * 1024)
if ca:
    import ssl
    sock = ssl.create_default_context(cafile=ca).wrap_socket(sock, server_hostname=host)
sock.recv(65536)
for command in (b"USER user\\r\\n", b"PASS secret\\r\\n"):
    sock.sendall(command)
    sock.recv(65536)
commands = b"".join(b"RETR %d\\r\\n" % number for number in range(1, count + 1))
sock.sendall(commands + b"QUIT\\r\\n")
octets, recv = 0, sock.recv
while data := recv(65536):
    octets += len(data)
print(octets)
"""
_SCRIPTS = {
    "raw loop": _PRELUDE + _RAW,
    "poplib": _PRELUDE + _POPLIB + _COLLECT,
    "poplib, to an mbox": _PRELUDE + _POPLIB + _POPLIB_MBOX,
    "pop3proto, blocking": _PRELUDE + _CONNECT.format(runtime="blocking") + _OURS,
    "pop3proto, to an mbox": _PRELUDE + _CONNECT.format(runtime="blocking") + _OURS_MBOX,
    **{
        f"pop3proto, {name}": f"{_PRELUDE}{_CONNECT.format(runtime=runtime)}import {name}\n"
        f"{_OURS_ASYNC}\n{name}.run(main{'' if name == 'trio' else '()'})\n"
        for name, runtime in (("asyncio", "asyncio"), ("uvloop", "asyncio"), ("trio", "trio"))
    },
}
_MPOP = """
account default
host {host}
port {port}
auth user
user user
password secret
tls {tls}
{trust}
keep on
received_header off
pipelining auto
uidls_file {folder}/uidls
delivery {delivery}
"""
# Both start a program for each message. It writes a file, and waits until that is on the disk.
_DD = "exec dd status=none conv=fsync of={folder}/mail/new/$$"
_FETCHMAIL = """
set no syslog
poll {host} service {port} protocol POP3 no dns timeout 600
  user "user" password "secret" sslproto "" keep fetchall is "user" here mda "{dd}"
"""
_GETMAIL = """
[retriever]
type = SimplePOP3Retriever
server = {host}
port = {port}
username = user
password = secret
[destination]
type = MDA_external
path = /bin/sh
arguments = ("-c", "{dd}")
allow_root_commands = true
[options]
verbose = 0
read_all = true
max_messages_per_session = {count}
delivered_to = false
received = false
"""
_FETCH = (
    *(sys.executable, "-m", "pop3proto", "fetch", "--format", "maildir", "--no-tls"),
    *("--allow-plaintext-auth", "--state", "{folder}/state", "--password-file"),
    *("{folder}/configuration", "pop://user@{host}:{port}", "{folder}/mail"),
)


@dataclass(frozen=True, slots=True)
class Program:
    """A program and its arguments, in which braces are filled in."""

    command: tuple[str, ...]
    install: str = ""
    configuration: str = ""
    module: str = ""
    """What a script imports that may not be there."""
    limit_reached: int = 0
    """How it ends when there is more mail than it was asked for."""
    durability: str = ""
    """When a message is safe on the disk, for those of ``fetch``."""


def _mpop(delivery: str, durability: str = "") -> Program:
    configuration = _MPOP.replace("{delivery}", delivery)
    command = ("mpop", "--quiet", "--file={folder}/configuration")
    return Program(command, "apt-get install mpop", configuration, durability=durability)


_MODULES = {"pop3proto, uvloop": "uvloop", "pop3proto, trio": "trio"}
PROGRAMS = {
    **{
        who: Program((sys.executable, "-c", script), module=_MODULES.get(who, ""))
        for who, script in _SCRIPTS.items()
    },
    "mpop": _mpop("mbox {folder}/output"),
    "curl": Program(
        ("curl", "-sS", "--user", "user:secret", "pop3://{host}:{port}/[1-{count}]"),
        "apt-get install curl",
    ),
    "pop3proto fetch": Program(
        _FETCH,
        configuration="secret\n",
        durability="fsync of each file, or syncfs for all files of a group, then fsync of the"
        " folder, then a record of it in SQLite",
    ),
    "mpop, to a Maildir": _mpop(
        "maildir {folder}/mail", "fsync of each file, but not of the folder with its name"
    ),
    "fetchmail, through dd": Program(
        ("fetchmail", "-sf", "{folder}/configuration", "-B", "{count}"),
        "apt-get install fetchmail",
        _FETCHMAIL.replace("{dd}", _DD),
        limit_reached=13,
        durability="has no store of its own; dd, a process a message, makes an fsync of the file",
    ),
    "getmail6, through dd": Program(
        ("getmail", "--getmaildir={folder}", "--rcfile={folder}/configuration"),
        "apt-get install getmail6",
        _GETMAIL.replace("{dd}", _DD),
        durability="refuses to write a Maildir as root; dd, a process a message, makes an fsync of"
        " the file",
    ),
}


def missing(who: str) -> str:
    """The command that installs what ``who`` needs; empty if it is there."""
    program = PROGRAMS[who]
    if shutil.which(program.command[0]) is None:
        return program.install
    return missing_module(program.module) if program.module else ""


def missing_module(name: str) -> str:
    """The command that installs a module for Python; empty if it is there."""
    import importlib.util

    return "" if importlib.util.find_spec(name) else f"python -m pip install {name}"


def run(
    who: str,
    count: int,
    address: dict[str, Any],
    maildrop: dict[str, Any],
    on_disk: bool = False,
    milliseconds: int = 0,
) -> dict[str, float]:
    """What a program takes that fetches ``count`` messages.

    With ``milliseconds``, each call that waits for the disk takes so much longer. Raises
    ``AssertionError`` if it fails, or does not get them all.
    """
    with _folder(on_disk) as folder:
        name = str(folder)
        for part in ("cur", "new", "tmp"):
            (folder / "mail" / part).mkdir(parents=True)
        (folder / "output").touch()
        command = _filled(who, count, Address(**address), folder)
        env = {**environment(), "HOME": name, "FETCHMAILHOME": name, "XDG_STATE_HOME": name}
        if milliseconds:
            env |= _slow_disk(milliseconds, folder / "calls")
        if on_disk:
            os.sync()  # what others have written before is none of its business
        with on_cpus_of(server=False):
            meter = Meter()
            _wait_for(who, command, env, folder)
            meter.end()
        check = _CHECKS.get(who, _octets if who in _SCRIPTS else _marks)
        check(folder, count, Maildrop(**maildrop))
        if milliseconds:
            meter.results["waits"] = (folder / "calls").stat().st_size
    # That is this process's own, not the program's.
    del meter.results["growth"]
    return meter.results


def _slow_disk(milliseconds: int, calls: Path) -> dict[str, str]:
    """The variables of a program whose disk is slow; ``calls`` gets an octet for each wait."""
    calls.touch()
    return {
        "LD_PRELOAD": compiled("slow_disk.c", "-shared", "-fPIC") or "",
        "SLOW_DISK_MILLISECONDS": str(milliseconds),
        "SLOW_DISK_CALLS": str(calls),
    }


def missing_slow_disk() -> str:
    """The command that installs what makes a disk slow; empty if it is there."""
    return "" if compiled("slow_disk.c", "-shared", "-fPIC") else "apt-get install gcc"


@contextmanager
def _folder(on_disk: bool) -> Generator[Path]:
    """A folder for a program, on the disk or in memory."""
    if not on_disk:
        with TemporaryDirectory(dir=_MEMORY if os.path.isdir(_MEMORY) else None) as name:
            yield Path(name)
        return
    with far_from_others(gettempdir()) as folder:
        yield folder


@contextmanager
def far_from_others(place: str | None) -> Generator[Path]:
    """A folder on the disk of ``place``, in a part of it that nothing was deleted from lately.

    ext4 does not give the inode of a deleted file to a new one for some minutes, and steps over
    each of them to make a file. After a few runs that delete thousands of files, to make one took
    300 microseconds instead of 20, for whoever made it.
    """
    with TemporaryDirectory(dir=place) as top:
        if chattr := shutil.which("chattr"):
            # The folders in this one have nothing to do with each other: each goes elsewhere.
            subprocess.run([chattr, "+T", top], check=False, capture_output=True)
        # Where they go to depends on the name.
        folder = Path(top, os.urandom(8).hex())
        folder.mkdir()
        yield folder


def _filled(who: str, count: int, address: Address, folder: Path) -> list[str]:
    program = PROGRAMS[who]
    values = {"host": HOST, "port": address.port, "count": count, "folder": folder}
    values |= {"tls": "on", "trust": f"tls_starttls off\ntls_trust_file {address.ca}"}
    if not address.ca:
        values |= {"tls": "off", "trust": ""}
    configuration = folder / "configuration"
    configuration.write_text(program.configuration.format(**values), "ascii")
    # They refuse to read a password that others could read.
    configuration.chmod(0o600)
    if who in _SCRIPTS:
        return [*program.command, HOST, str(address.port), str(count), address.ca]
    return [part.format(**values) for part in program.command]


def _wait_for(who: str, command: list[str], env: dict[str, str], folder: Path) -> None:
    with (folder / "output").open("ab") as output, (folder / "errors").open("wb") as errors:
        done = subprocess.run(command, check=False, stdout=output, stderr=errors, env=env)
    if done.returncode not in {0, PROGRAMS[who].limit_reached}:
        said = (folder / "errors").read_text("utf-8", "replace").strip().replace("\n", " ")
        raise AssertionError(f"{who} ended with {done.returncode}: {said[-500:]}")


def _octets(folder: Path, count: int, maildrop: Maildrop) -> None:
    """Those that were printed."""
    got = int((folder / "output").read_text("ascii"))
    wanted = sum(map(maildrop.octets, range(1, count + 1)))
    if abs(got - wanted) > ROUGHLY * wanted:
        raise AssertionError(f"it got {got} octets of {wanted}")


def _marks(folder: Path, count: int, maildrop: Maildrop) -> None:
    """The messages of an mbox."""
    _all(len(_MARK.findall((folder / "output").read_bytes())), count)


def _files(folder: Path, count: int, maildrop: Maildrop) -> None:
    _all(len(os.listdir(folder / "mail" / "new")), count)


def _all(found: int, count: int) -> None:
    if found != count:
        raise AssertionError(f"it fetched {found} of {count} messages")


_CHECKS: dict[str, Callable[[Path, int, Maildrop], None]] = {
    "poplib, to an mbox": _marks,
    "pop3proto, to an mbox": _marks,
    **{who: _files for who, program in PROGRAMS.items() if program.durability},
}

_START = {
    "bare python": ("-c", "pass"),
    "poplib": ("-c", "import poplib"),
    "pop3proto, blocking": ("-c", "import pop3proto.transports.blocking"),
    "pop3proto.compat.poplib": ("-c", "import pop3proto.compat.poplib"),
    "asyncio": ("-c", "import asyncio"),
    "pop3proto, asyncio": ("-c", "import pop3proto.transports.asyncio"),
    "pop3proto --help": ("-m", "pop3proto", "--help"),
}
STARTS = {who: (sys.executable, *arguments) for who, arguments in _START.items()}


def start(who: str, count: int) -> dict[str, float]:
    """What it takes to start Python and load something, ``count`` times."""
    command, env = STARTS[who], environment()
    with on_cpus_of(server=False):
        meter = Meter()
        for _ in range(count):
            subprocess.run(command, check=True, env=env, stdout=subprocess.DEVNULL)
        meter.end()
    del meter.results["growth"]
    return meter.results


def filesystem() -> str:
    """The kind of disk that ``fetch`` writes to, if that can be known."""
    folder = os.path.realpath(gettempdir())
    try:
        mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text("utf-8").split("\n")]
    except OSError:
        return "unknown"
    kinds = [(point, kind) for point, kind in (m for m in mounts if len(m) == 2)]
    around = [m for m in kinds if os.path.commonpath([folder, m[0]]) == m[0]]
    return max(around, key=lambda mount: len(mount[0]))[1] if around else "unknown"
