"""What docs/scheduled-fetching.md says of systemd and cron is accepted by them, and works."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pop3proto.server import ServerOptions
from pop3proto.testing import LoopbackServer, serve

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "scheduled-fetching.md").read_text("utf-8")
UNITS = re.findall(r"(?ms)^```ini\n(.*?)^```", PAGE)
SERVICE, TIMER, OWN = UNITS
CRONTAB = re.findall(r"(?m)^\*/10 \* \* \* \* (.*)$", PAGE)
MESSAGE = b"Subject: one\r\n\r\nText.\r\n"


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    options = ServerOptions(allow_plaintext_auth=True, failed_login_delay=0.0)
    maildrops = {"user@example.org": [MESSAGE]}
    with serve(maildrops, password="secret", security="plaintext", options=options) as running:
        yield running


def verified(folder: Path, manager: str) -> str:
    """What systemd has against the units in ``folder``."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd is not installed")
    units = sorted(map(str, folder.iterdir()))
    command = ["systemd-analyze", manager, "verify", "--man=no", *units]
    done = subprocess.run(command, capture_output=True, check=False, timeout=60, text=True)
    return done.stdout + done.stderr


@pytest.mark.parametrize(("manager", "service"), [("--system", SERVICE), ("--user", OWN)])
def test_systemd_accepts_the_units(
    manager: str, service: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The program has to be where the unit says.
    unit = re.sub(r"(?m)^ExecStart=\S+", f"ExecStart={shutil.which('true')}", service)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    units = tmp_path / "units"
    units.mkdir()
    (units / "pop3proto-fetch.service").write_text(unit)
    (units / "pop3proto-fetch.timer").write_text(TIMER)
    assert verified(units, manager) == ""


def test_systemd_refuses_what_is_wrong(tmp_path: Path) -> None:
    # Otherwise the test above would show nothing.
    (tmp_path / "pop3proto-fetch.service").write_text(SERVICE.replace("Type=oneshot", "Type=wrong"))
    assert "pop3proto-fetch.service" in verified(tmp_path, "--system")


def run(
    server: LoopbackServer, line: str, values: dict[str, str], home: Path
) -> subprocess.CompletedProcess[str]:
    """Run the command of a unit or a crontab against ``server``."""
    for name, text in values.items():
        line = line.replace(name, text)
    program, *arguments = shlex.split(line)
    assert program.endswith("pop3proto")
    where = f"pop://user%40example.org@{server.host}:{server.port}"
    arguments = [where if "pop.example.org" in a else a for a in arguments]
    return subprocess.run(
        [sys.executable, "-m", "pop3proto", *arguments, "--no-tls", "--allow-plaintext-auth"],
        env={**os.environ, "HOME": str(home), "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        check=False,
        timeout=60,
        text=True,
        stdin=subprocess.DEVNULL,
    )


LINES = {
    "service": re.findall(r"(?m)^ExecStart=(.*)$", SERVICE)[0],
    "own": re.findall(r"(?m)^ExecStart=(.*)$", OWN)[0],
    "cron": re.sub(r"^flock -n \S+ ", "", CRONTAB[0]),
}


@pytest.mark.skipif(os.name != "posix", reason="neither systemd nor cron is there")
@pytest.mark.parametrize("line", LINES.values(), ids=LINES)
def test_the_commands_are_silent_if_all_is_well(
    line: str, server: LoopbackServer, tmp_path: Path
) -> None:
    password = tmp_path / "password"
    password.write_text("secret\n")
    password.chmod(0o600)
    values = {
        "%%": "%",
        r"\%": "%",
        "%d/password": str(password),
        "%h/.config/pop3proto/password": str(password),
        "$HOME/.pop-password": str(password),
        "${STATE_DIRECTORY}": str(tmp_path),
        "%h": str(tmp_path),
        "$HOME": str(tmp_path),
    }
    for _ in range(2):
        done = run(server, line, values, tmp_path)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    (path,) = tmp_path.glob("*/new/*")
    assert path.read_bytes() == MESSAGE.replace(b"\r\n", b"\n")
    password.write_text("wrong\n")
    done = run(server, line, values, tmp_path)
    assert done.returncode == 1
    assert "CredentialsError" in done.stderr


def test_percent_signs_are_escaped() -> None:
    assert "pops://user%%40example.org@" in SERVICE
    assert "pops://user%%40example.org@" in OWN
    assert r"pops://user\%40example.org@" in CRONTAB[0]
