"""All that a change has to pass, on a fresh clone, side by side.

Without an argument every step runs, except for those that have to be asked for; else the steps that
are named, and not what they come after.
``--list`` prints their names.
About as many run at a time as there are processors. A step that fails stops no other one. A table
at the end says how long each of them took, and the last line how many tests there were.

The tests of the README's line run first, without a server and without more packages than the line
installs. With packages to fetch and rights to sandbox them, the other tests talk to real servers:
that takes Debian and root.
"""

import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Linux alone tells which of them this process may use.
PROCESSORS = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
# The tests wait as much as they compute.
SLOTS = PROCESSORS + 1
PATIENCE = 30 * 60
"""How many seconds a step may take."""
ENVIRONMENT = {
    **os.environ,
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "PYTEST_ADDOPTS": "-rs",  # whatever is skipped says why
    "DEBIAN_FRONTEND": "noninteractive",
}
PYTEST = ".venv/bin/python -m pytest -q -p no:cacheprovider"
SPREAD = "-n auto --dist worksteal"


@dataclass
class Step:
    name: str
    script: str
    """For bash. ``$scratch`` is a folder for all steps; ``readme NAME`` prints a block."""
    after: tuple[str, ...] = ()
    """The steps that have to end before, well or not."""
    slots: int = 1
    counts: bool = False
    """Whether its tests count in the last line. No test is counted twice."""
    asked_for: bool = False
    """Whether it only runs if it is named."""
    seconds: float = 0.0
    status: int | None = None
    output: str = ""
    process: subprocess.Popen[str] | None = field(default=None, repr=False)

    @property
    def result(self) -> str:
        return "ok" if self.status == 0 else "FAILED"


# The first fenced block below the line <!-- $1 --> of the README in the current directory.
PRELUDE = """
set -euo pipefail
readme() {
    awk -v marker="<!-- $1 -->" '
        $0 == marker { marked = 1; next }
        marked && /^```/ { if (inside) exit; inside = 1; next }
        inside
        END { exit !inside }' README.md ||
        { echo "README.md: no block at <!-- $1 -->" >&2; return 1; }
}
find_python() { # the path of Python $1: on PATH, or pyenv's though not the selected one
    local python
    for python in "python$1" "$(pyenv root 2>/dev/null)/versions/$1".*/bin/python; do
        if "$python" -c '' 2>/dev/null; then echo "$python"; return; fi
    done
    echo "There is no Python $1." >&2
    return 1
}
imported() { # VENV REQUIREMENT: install into a new venv, and import it outside of the source tree
    python3 -m venv "$scratch/$1"
    "$scratch/$1/bin/pip" install -q "$2"
    (cd "$scratch" && "$scratch/$1/bin/python" -I -c '
import importlib.metadata, importlib.resources
import pop3proto
assert pop3proto.__version__ == importlib.metadata.version("pop3proto")
assert importlib.resources.files("pop3proto").joinpath("py.typed").is_file()
print("imported", pop3proto.__version__, "from", pop3proto.__file__)')
}
"""

# For GSSAPI, whose libraries have no wheels; other people's clients; and shells to complete in.
PACKAGES = "gcc libc6-dev libkrb5-dev curl fetchmail mpop getmail6 zsh fish mandoc"
README_TESTS = 'block=$(readme tests); echo "$block"; bash -euo pipefail -c "$block"'
# What is about servers, documents and speed, or was tried with every seed, is about no Python.
OTHER_PYTHON = f"""
python=$(find_python {{0}})
"$python" -m venv .venv-{{0}}
.venv-{{0}}/bin/pip install -q -e '.[test]'
.venv-{{0}}/bin/python -VV
.venv-{{0}}/bin/python -m pytest -q -p no:cacheprovider {SPREAD} \
    --ignore=tests/fuzz --ignore=tests/docs
"""
# The oldest versions that the extras allow: what uses them.
OLDEST = """
python3 .ci/oldest_versions.py | tee "$scratch/oldest.txt"
python3 -m venv .venv-oldest
.venv-oldest/bin/pip install -q -c "$scratch/oldest.txt" -e '.[test]'
.venv-oldest/bin/python -m pytest -q -p no:cacheprovider tests/cli tests/testing tests/transports
"""
WHEEL = """
.venv/bin/python -m build --outdir "$scratch/dist" >"$scratch/build.log" 2>&1 ||
    { cat "$scratch/build.log"; exit 1; }
ls "$scratch/dist"
imported sdist "$(echo "$scratch"/dist/*.tar.gz)"
wheel=$(echo "$scratch"/dist/*.whl)
imported wheel "$wheel"
"$scratch/wheel/bin/pip" install -q "${wheel}[demo]"
cd "$scratch"
wheel/bin/pop3proto --help
timeout 120 wheel/bin/pop3proto demo
"""
DEMO = """
git clone -q . "$scratch/clone"
cd "$scratch/clone"
block=$(readme demo)
echo "$block"
timeout 600 bash -euo pipefail -c "$block"
"""
SERVERS = f"""
apt-get update -qq
apt-get install -y -qq --no-install-recommends {PACKAGES} >"$scratch/apt.log" 2>&1 ||
    {{ cat "$scratch/apt.log"; exit 1; }}
python3 -m venv "$scratch/fetching"
"$scratch/fetching/bin/pip" install -q pytest
"$scratch/fetching/bin/python" -m tests.interop.packages
"$scratch/fetching/bin/pip" wheel -q --wheel-dir "$scratch/wheels" 'pyspnego[kerberos]'
"""
DEVELOPMENT = """
.venv/bin/pip install -q --find-links "$scratch/wheels" -e '.[dev]' 'pyspnego[kerberos]'
"""
REAL_SERVERS = f"""
POP3PROTO_REQUIRE_SERVERS=1 {PYTEST} -m '' tests/interop | tee "$scratch/interop.log"
if grep -q SKIPPED "$scratch/interop.log"; then
    echo "None of these may be skipped here."
    exit 1
fi
"""
GENERATED = """
.venv/bin/python docs/make_reference.py --check
.venv/bin/python docs/make_cases.py --check
.venv/bin/python docs/make_diagrams.py --check
.venv/bin/python docs/make_guarantees.py --check
.venv/bin/python docs/make_rfc.py --check
.venv/bin/python docs/make_commands.py --check
.venv/bin/python tools/generate_blocking.py --check
"""
# Every warning is an error: a link that leads nowhere, a name that is not there.
SITE = """
.venv/bin/python docs/make_screens.py --to "$scratch/screens"
.venv/bin/sphinx-build -q -W --keep-going -b html docs "$scratch/site"
find "$scratch/site" -name '*.html' | wc -l
"""
FUZZ = ".venv/bin/python -m tests.fuzz.run --seconds 20 --role"
BENCHMARKS = """
.venv/bin/python -m benchmarks all --quick --json "$scratch/performance.json"
.venv/bin/python -m benchmarks document "$scratch/performance.json" --to "$scratch"
head -n 60 "$scratch/performance.md"
"""

# Before the first release there is nothing to compare with.
API = """
release=$(git describe --tags --abbrev=0 --match 'v*' 2>/dev/null) ||
    { echo "no release yet"; exit; }
.venv/bin/griffe check pop3proto --search src --against "$release" --verbose
"""

# It asks a registry about each package, and its answer is not the same tomorrow.
AUDIT = """
python3 -m venv "$scratch/audit"
"$scratch/audit/bin/pip" install -q pip-audit
"$scratch/audit/bin/pip-audit" --skip-editable \\
    --path "$(.venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"
"""

# Of those that can start, those come first that take long.
STEPS = [
    Step("README's tests", README_TESTS, slots=PROCESSORS, counts=True),
    Step("servers", SERVERS),
    Step("development", DEVELOPMENT, after=("README's tests", "servers")),
    Step("python 3.12", OTHER_PYTHON.format("3.12"), ("README's tests",), slots=PROCESSORS),
    Step("python 3.13", OTHER_PYTHON.format("3.13"), ("README's tests",), slots=PROCESSORS),
    Step("oldest versions", OLDEST, after=("README's tests",)),
    Step(
        "real servers",
        REAL_SERVERS,
        after=("development",),
        counts=True,
    ),
    Step(
        "slow tests",
        f"{PYTEST} {SPREAD} -m slow --ignore=tests/interop",
        after=("development",),
        slots=PROCESSORS,
        counts=True,
    ),
    Step("benchmarks", BENCHMARKS, after=("development",)),
    # Figures that are older than the code which they are of are worse than none.
    Step("age of the figures", ".venv/bin/python -m benchmarks check", after=("development",)),
    Step("other examples", f"POP3PROTO_EFFORT=1 {PYTEST} -m hypothesis", after=("development",)),
    Step("coverage", ".venv/bin/python .ci/coverage_by_module.py", after=("development",)),
    # The other modules take too long for every time: see tests/README.md.
    Step("mutants", ".venv/bin/python tools/mutate.py server/logins.py", ("development",)),
    Step("pyright", ".venv/bin/pyright", after=("development",)),
    Step("mypy", ".venv/bin/mypy --strict", after=("development",)),
    Step(
        "public types",
        'PATH="$PWD/.venv/bin:$PATH" pyright --verifytypes pop3proto --ignoreexternal',
        after=("development",),
    ),
    Step("wheel and sdist", WHEEL, after=("development",)),
    Step("fuzz client", f"{FUZZ} client", after=("development",)),
    Step("fuzz server", f"{FUZZ} server", after=("development",)),
    Step("fuzz mail", f"{FUZZ} mail", after=("development",)),
    Step("README's demo", DEMO, after=("README's tests",)),
    Step("generated files", GENERATED, after=("development",)),
    Step("site", SITE, after=("development",)),
    Step("api", API, after=("development",)),
    Step("audit", AUDIT, after=("development",), asked_for=True),
    Step(
        "style",
        ".venv/bin/ruff check . && .venv/bin/ruff format --check . && "
        ".venv/bin/towncrier build --draft --version next",
        after=("development",),
    ),
]


class Run:
    """The steps, as they start and end."""

    def __init__(self, steps: list[Step], scratch: str) -> None:
        self.steps = steps
        self.started = time.monotonic()
        self._environment = {**ENVIRONMENT, "scratch": scratch}
        self._waiting = list(steps)
        self._free = SLOTS
        self._changed = threading.Condition()

    def all(self) -> None:
        """Run all the steps; return when the last one has ended."""
        with self._changed:
            while self._waiting or self._free < SLOTS:
                for step in [*self._waiting]:
                    if self._can_start(step):
                        self._waiting.remove(step)
                        self._free -= step.slots
                        threading.Thread(target=self._run, args=(step,)).start()
                self._changed.wait()

    def _can_start(self, step: Step) -> bool:
        before = [other for other in self.steps if other.name in step.after]
        ended = all(other.status is not None for other in before)
        return ended and step.slots <= self._free

    def _run(self, step: Step) -> None:
        begun = time.monotonic()
        step.process = subprocess.Popen(
            ["bash", "-c", PRELUDE + step.script],
            cwd=ROOT,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,  # to be ended with all that it has started
        )
        try:
            step.output, _ = step.process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(step.process.pid, signal.SIGKILL)
            step.output, _ = step.process.communicate()
            step.output += f"ended, after {PATIENCE} seconds\n"
        with self._changed:
            step.seconds = time.monotonic() - begun
            step.status = step.process.returncode
            self._free += step.slots
            print(f"\n=== {step.name}: {step.result} after {step.seconds:.0f} s", end=" ")
            print(f"[at {time.monotonic() - self.started:.0f} s]\n{step.output}", flush=True)
            self._changed.notify_all()

    def end(self) -> None:
        """End what still runs, after an interruption."""
        for step in self.steps:
            if step.process is not None and step.process.poll() is None:
                os.killpg(step.process.pid, signal.SIGTERM)


def tests_of(steps: list[Step], word: str) -> int:
    """How many tests of the steps that count have ``word`` in pytest's last line."""
    found = (re.findall(rf"(\d+) {word}.* in [\d.]+s", step.output)[-1:] for step in steps)
    return sum(int(number) for numbers in found for number in numbers)


def main(names: list[str]) -> int:
    if names == ["--list"]:
        print(*(step.name for step in STEPS), sep="\n")
        return 0
    if unknown := [name for name in names if name not in [step.name for step in STEPS]]:
        print(f"no step: {', '.join(unknown)}; there are: {', '.join(s.name for s in STEPS)}")
        return 2
    steps = [step for step in STEPS if (step.name in names if names else not step.asked_for)]
    for interruption in (signal.SIGINT, signal.SIGTERM):
        # Even where the shell lets what runs in the background ignore it.
        signal.signal(interruption, signal.default_int_handler)
    with tempfile.TemporaryDirectory() as scratch:
        run = Run(steps, scratch)
        try:
            run.all()
        finally:
            run.end()
    print(f"\n{'step':<20} {'seconds':>7}  result")
    for step in steps:
        print(f"{step.name:<20} {step.seconds:>7.0f}  {step.result}")
    print(f"{'all, on ' + str(PROCESSORS):<20} {time.monotonic() - run.started:>7.0f}")
    counted = [step for step in steps if step.counts]
    broken = sum(step.status != 0 for step in steps)
    failed = max(broken, tests_of(counted, "failed") + tests_of(counted, "error"))
    skipped = tests_of(counted, "skipped")
    last = f"{tests_of(counted, 'passed')} passed, {failed} failed"
    print(f"{last}, {skipped} skipped" if skipped else last)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
