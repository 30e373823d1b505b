"""Check that each core module is covered in full by the one test file that bears its name.

For src/pop3proto/[_]NAME.py with a tests/core/test_NAME.py, only that test file runs, and every
branch of the module has to be taken.
"""

import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "pop3proto"


def tests_of(module: Path) -> Path:
    return ROOT / "tests" / "core" / f"test_{module.stem.removeprefix('_')}.py"


def covered(module: Path) -> bool:
    with tempfile.TemporaryDirectory() as scratch:
        coverage = [sys.executable, "-m", "coverage"]
        data = f"--data-file={scratch}/coverage"
        pytest = ["-m", "pytest", "-q", "-p", "no:cacheprovider", str(tests_of(module))]
        output = ""
        for command in (
            [*coverage, "run", "--branch", f"--source={PACKAGE}", data, *pytest],
            [*coverage, "report", "--fail-under=100", f"--include={module}", data],
        ):
            done = subprocess.run(
                command,
                cwd=ROOT,
                check=False,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            output += done.stdout
            if done.returncode:
                print(f"FAILED {module.name}\n{output}", flush=True)
                return False
    print(f"100 % {module.name}", flush=True)
    return True


def main() -> int:
    modules = sorted(PACKAGE.glob("*.py"))
    tested = [module for module in modules if tests_of(module).exists()]
    others = [module.name for module in modules if module not in tested]
    print("without a test file of their own:", ", ".join(others) or "none", flush=True)
    with ThreadPoolExecutor(max_workers=2) as pool:
        results = list(pool.map(covered, tested))
    return 0 if results and all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
