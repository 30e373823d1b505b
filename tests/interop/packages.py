"""Debian packages unpacked without being installed, and a sandbox to run them in.

The packages of POP3 servers conflict with each other, and none of them should change the machine
that runs the tests. ``python -m tests.interop.packages`` fetches and unpacks them into a folder
for temporary files; a server then runs in a private mount namespace, with its packages laid over
/usr and with throw-away copies of /etc, /var and /run. That takes Debian and root.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

PACKAGES = {
    "dovecot-pop3d": ["dovecot-pop3d"],
    "courier-pop": ["courier-pop"],
    "popa3d": ["popa3d"],
    "nginx": ["nginx", "libnginx-mod-mail"],
    "kerberos": ["krb5-kdc", "krb5-admin-server", "dovecot-pop3d", "dovecot-gssapi"],
}
"""The sets of packages that are laid over /usr together, each in a folder of its own."""
CACHE = Path(
    os.environ.get("POP3PROTO_SERVERS") or Path(tempfile.gettempdir(), "pop3proto-servers")
)
REQUIRED = os.environ.get("POP3PROTO_REQUIRE_SERVERS") == "1"
"""Whether a server that cannot be run is a failure, as in CI, and no reason to skip."""

# What the packages ask for and no test needs: a mail server, an inetd.
_UNWANTED = ("exim4", "update-inetd", "openbsd-inetd", "tcpd")
_SECONDS = 300


def _run(*command: str, cwd: Path | None = None) -> str:
    done = subprocess.run(
        command, cwd=cwd, check=True, capture_output=True, text=True, timeout=_SECONDS
    )
    return done.stdout


def fetch(name: str) -> Path:
    """Unpack a set of packages and what it needs that is not installed here, if not done yet."""
    packages = PACKAGES[name]
    folder = CACHE / name
    if (folder / "complete").exists():
        return folder
    plan = _run("apt-get", "install", "-s", "--no-install-recommends", *packages)
    needed = [line.split()[1] for line in plan.splitlines() if line.startswith("Inst ")]
    # What is installed already is not planned for, and cannot be left out here.
    wanted = {*packages, *(name for name in needed if not name.startswith(_UNWANTED))}
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as scratch:
        # apt drops its privileges to download.
        Path(scratch).chmod(0o777)
        _run("apt-get", "download", *sorted(wanted), cwd=Path(scratch))
        for deb in Path(scratch).glob("*.deb"):
            _run("dpkg", "-x", str(deb), str(folder))
    # Where /lib is a link to /usr/lib, what a package has in /lib belongs there.
    for top in ("lib", "bin", "sbin"):
        if (folder / top).is_dir():
            shutil.copytree(folder / top, folder / "usr" / top, symlinks=True, dirs_exist_ok=True)
            shutil.rmtree(folder / top)
    (folder / "complete").touch()
    return folder


def need(name: str) -> Path:
    """The folder of a set of packages; the test is skipped, or fails where it is required."""
    problem = ""
    if os.geteuid() != 0:
        problem = "a private mount namespace takes root"
    elif not (CACHE / name / "complete").exists():
        problem = f"{name} is not unpacked: run python -m tests.interop.packages"
    if problem and REQUIRED:
        pytest.fail(problem)
    if problem:
        pytest.skip(problem)
    return CACHE / name


_UNSHARE = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--propagation", "private"]
# The sandbox's root is that of the machine, but for /usr, /etc, /var and /run.
_SANDBOX = """
set -eu
mount -t tmpfs tmpfs "$scratch"
for name in etc var; do
    mkdir -p "$scratch/$name.upper" "$scratch/$name.work"
    lower=/$name
    if [ -d "$packages/$name" ]; then lower=$packages/$name:/$name; fi
    mount -t overlay overlay \
        -o "lowerdir=$lower,upperdir=$scratch/$name.upper,workdir=$scratch/$name.work" "/$name"
done
mount -t overlay overlay -o "lowerdir=$packages/usr:/usr" /usr
mount -t tmpfs tmpfs /run
"""


def sandboxed(packages: Path, base: Path, script: str) -> subprocess.Popen[bytes]:
    """Run ``script``, for sh, with ``packages`` in place; it ends with the process returned.

    What it writes goes to the file ``log`` in ``base``.
    """
    scratch = base / "sandbox"
    scratch.mkdir()
    with (base / "log").open("wb") as log:
        return subprocess.Popen(
            # The processes of the sandbox end with its first one.
            [*_UNSHARE, "sh", "-c", _SANDBOX + script],
            env={**os.environ, "packages": str(packages), "scratch": str(scratch)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )


def main() -> None:
    """Fetch all packages."""
    for name in PACKAGES:
        print(name, "->", fetch(name), flush=True)


if __name__ == "__main__":
    sys.exit(main())
