"""Check that each core module is covered in full by the test files that bear its name.

For src/pop3proto/[_]NAME.py only tests/core/test_NAME.py and test_NAME_*.py run, and every branch
of the module has to be taken. A module of a package is looked for in tests/core/PACKAGE. A test
file belongs to one module: to that with the longest name that fits. A module without a test file
fails, unless it is named below.
"""

import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "pop3proto"
TESTS = ROOT / "tests" / "core"
MODULES = sorted([*PACKAGE.glob("*.py"), *PACKAGE.glob("sasl/*.py")])

# What has no test file in tests/core, and why.
EXCUSED = {
    "__init__.py": "imports names, which tests/docs compares with the documents",
    "__main__.py": "runs as a process only, in tests/test_cli.py",
    "_demo.py": "a part of the command line: tests/test_demo.py",
    "_fetch.py": "a part of the command line: tests/test_fetch.py",
    "_serve.py": "a part of the command line: tests/test_serve_command.py",
    "_version.py": "states one string",
    "cli.py": "the command line: tests/test_cli.py",
    "sasl/__init__.py": "imports names, which tests/docs compares with the documents",
}


def name_of(module: Path) -> str:
    return module.relative_to(PACKAGE).as_posix()


def owner(test: Path) -> Path | None:
    """The module that a test file belongs to."""
    folder = PACKAGE / test.relative_to(TESTS).parent
    named = {f"test_{module.stem.removeprefix('_')}_": module for module in folder.glob("*.py")}
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
    for test in sorted(TESTS.rglob("test_*.py")):
        module = owner(test)
        if module is None:
            faults.append(f"{test.relative_to(ROOT)} belongs to no module")
        else:
            tests[module].append(test)
    for module, own in tests.items():
        excuse = EXCUSED.get(name_of(module))
        if not own and excuse is None:
            faults.append(f"{name_of(module)} has no test file in tests/core")
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
