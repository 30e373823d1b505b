"""Check that each core module is covered in full by the test files that bear its name.

For src/pop3proto/[_]NAME.py only tests/core/test_NAME.py and test_NAME_*.py run, and every branch
of the module has to be taken. A module of a package is looked for in tests/core/PACKAGE.
"""

import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "pop3proto"


def tests_of(module: Path) -> list[Path]:
    folder = ROOT / "tests" / "core" / module.relative_to(PACKAGE).parent
    name = module.stem.removeprefix("_")
    return [*folder.glob(f"test_{name}.py"), *folder.glob(f"test_{name}_*.py")]


def covered(module: Path) -> bool:
    with tempfile.TemporaryDirectory() as scratch:
        coverage = [sys.executable, "-m", "coverage"]
        data = f"--data-file={scratch}/coverage"
        pytest = ["-m", "pytest", "-q", "-p", "no:cacheprovider", *map(str, tests_of(module))]
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
                print(f"FAILED {module.relative_to(PACKAGE)}\n{output}", flush=True)
                return False
    print(f"100 % {module.relative_to(PACKAGE)}", flush=True)
    return True


def main() -> int:
    modules = sorted([*PACKAGE.glob("*.py"), *PACKAGE.glob("sasl/*.py")])
    tested = [module for module in modules if tests_of(module)]
    others = [module.name for module in modules if module not in tested]
    print("without a test file of their own:", ", ".join(others) or "none", flush=True)
    with ThreadPoolExecutor(max_workers=2) as pool:
        results = list(pool.map(covered, tested))
    return 0 if results and all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
