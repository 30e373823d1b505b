"""Check that each module of the core is covered in full by the tests that bear its name.

For src/pop3proto/FOLDER/NAME.py only tests/FOLDER/test_NAME.py and test_NAME_*.py run, and every
branch of the module has to be taken. A test file belongs to one module: to that with the longest
name that fits. A module without a test file fails, unless it is named below.
"""

import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "pop3proto"
TESTS = ROOT / "tests"
FOLDERS = ("model", "engine", "sasl", "server", "transcript")
MODULES = sorted(
    [
        PACKAGE / "errors.py",
        *(path for folder in FOLDERS for path in (PACKAGE / folder).glob("*.py")),
    ]
)
TEST_FILES = sorted(
    [
        TESTS / "test_errors.py",
        *(t for folder in FOLDERS for t in (TESTS / folder).glob("test_*.py")),
    ]
)

# What has no test file of its own, and why.
EXCUSED = {
    "model/__init__.py": "has a docstring only",
    "engine/__init__.py": "has a docstring only",
    "sasl/__init__.py": "imports names, which tests/docs compares with the documents",
    "server/__init__.py": "imports names, which tests/docs compares with the documents",
    "transcript/__init__.py": "imports names, which tests/docs compares with the documents",
    "model/stuffing.py": "is tested with its counterpart, in tests/engine/test_wire.py",
}


def name_of(module: Path) -> str:
    return module.relative_to(PACKAGE).as_posix()


def owner(test: Path) -> Path | None:
    """The module that a test file belongs to."""
    folder = PACKAGE / test.relative_to(TESTS).parent
    named = {f"test_{module.stem}_": module for module in folder.glob("*.py")}
    fitting = [prefix for prefix in named if f"{test.stem}_".startswith(prefix)]
    return named[max(fitting, key=len)] if fitting else None


def covered(module: Path, tests: list[Path]) -> bool:
    with tempfile.TemporaryDirectory() as scratch:
        coverage = [sys.executable, "-m", "coverage"]
        data = f"--data-file={scratch}/coverage"
        pytest = ["-m", "pytest", "-q", "-p", "no:cacheprovider", *map(str, tests)]
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
                print(f"FAILED {name_of(module)}\n{output}", flush=True)
                return False
    print(f"100 % {name_of(module)}", flush=True)
    return True


def main() -> int:
    tests: dict[Path, list[Path]] = {module: [] for module in MODULES}
    faults: list[str] = []
    for test in TEST_FILES:
        module = owner(test)
        if module is None:
            faults.append(f"{test.relative_to(ROOT)} belongs to no module")
        else:
            tests[module].append(test)
    for module, own in tests.items():
        excuse = EXCUSED.get(name_of(module))
        if not own and excuse is None:
            faults.append(f"{name_of(module)} has no test file")
        elif own and excuse is not None:
            faults.append(f"{name_of(module)} has a test file, and is excused all the same")
        elif not own:
            print(f"not here: {name_of(module)}: {excuse}", flush=True)
    faults += [
        f"{name} is excused, and not there" for name in EXCUSED if not (PACKAGE / name).is_file()
    ]
    print("".join(f"FAILED {fault}\n" for fault in faults), end="", flush=True)
    tested = {module: own for module, own in tests.items() if own}
    with ThreadPoolExecutor(max_workers=2) as pool:
        results = list(pool.map(covered, tested, tested.values()))
    return 0 if results and all(results) and not faults else 1


if __name__ == "__main__":
    sys.exit(main())
