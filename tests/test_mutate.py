"""The tool that looks for changes of the code that no test notices."""

import tomllib
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tools import mutate
from tools.mutate import Survivor

DIFFERENCE = """\
# pop3proto.server.logins.xǁLoginsǁ__init____mutmut_1: survived
--- src/pop3proto/server/logins.py
+++ src/pop3proto/server/logins.py
@@ -1,3 +1,3 @@
 def give_up(self) -> None:
     first line
-    self.auth = None
+    self.auth = ""
"""


def test_a_survivor_is_read() -> None:
    names = {
        "pop3proto.server.logins.xǁLoginsǁ__init____mutmut_11": "Logins.__init__",
        "pop3proto.server.logins.x_needs_tls__mutmut_2": "needs_tls",
        "pop3proto.server.logins.x__needs_tls__mutmut_2": "_needs_tls",
    }
    for mutant, function in names.items():
        survivor = mutate.survivor("server/logins.py", mutant, DIFFERENCE)
        assert survivor == ("server/logins.py", function, "self.auth = None", 'self.auth = ""')


@pytest.mark.parametrize(
    ("before", "after", "more"),
    [
        ('raise XError("not so")', 'raise XError("XXnot soXX")', False),
        ('raise XError(f"not {x} so")', 'raise XError(f"NOT {X} SO")', False),
        ('f("limit", limit, "an int")', 'f("limit", limit, "AN INT")', False),
        ('f("limit", limit, "an int")', 'f("LIMIT", limit, "an int")', True),
        ('f("a", "b") or g(b"c")', 'f("a", "b") and g(b"c")', True),
        ("cast(X, y)", "cast(None, y)", False),
        ('cast("X[Any]", y)', 'cast("x[any]", y)', False),
        ('x.encode("utf-8")', 'x.encode("UTF-8")', False),
        ('x.decode("ascii")', 'x.decode("XXasciiXX")', True),
        ('line == b"+OK "', 'line == b"+ok "', True),
        ('text = ""', 'text = "XXXX"', True),
        ('raise XError("not so")', "raise XError(None)", True),
        ("cast(X, y)", "cast(X, None)", True),
    ],
)
def test_words_types_and_codecs_do_not_matter(before: str, after: str, more: bool) -> None:
    assert mutate.matters(Survivor("x.py", "f", before, after)) is more


def test_what_is_written_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    survivors = [
        Survivor("a/x.py", "f", "a = 'b'", 'a = "\\n"'),
        Survivor("a/x.py", "f", "one\ntwo", ""),
        Survivor("a/x.py", "C.__init__", "c", "d"),
    ]
    text = mutate.written("a/x.py", survivors)
    assert set(tomllib.loads(text)) == {"a/x.py"}
    monkeypatch.setattr(mutate, "REASONS", tmp_path / "reasons.toml")
    mutate.REASONS.write_text(text.replace("why = ''", "why = 'because'"))
    assert mutate.reasons() == dict.fromkeys(survivors, "because")


def test_modules_are_found_by_file_and_by_folder() -> None:
    assert mutate.chosen(["server/logins.py"]) == ["server/logins.py"]
    assert mutate.chosen(["src/pop3proto/errors.py"]) == ["errors.py"]
    assert {"engine/wire.py", "engine/base.py"} <= {*mutate.chosen(["engine"])}
    assert "engine/__init__.py" not in mutate.chosen(["engine"])
    with pytest.raises(SystemExit, match="no such module"):
        mutate.chosen(["engine/nothing.py"])
    assert mutate.tests_of("server/logins.py") == ["tests/server"]
    assert mutate.tests_of("errors.py") == ["tests/test_errors.py"]


def test_every_reason_is_about_a_module_that_is_there() -> None:
    for survivor, why in mutate.reasons().items():
        assert (mutate.PACKAGE / survivor.module).is_file()
        assert why


@pytest.mark.slow
def test_a_mutmut_that_does_not_run_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    said = "\u280b Running\nNo module named mutmut\n"
    monkeypatch.setattr(mutate, "mutmut", lambda *_: CompletedProcess([], 1, said))
    for most in (0, 5):
        with pytest.raises(SystemExit, match=r"^No module named mutmut\n\nmutmut failed$"):
            list(mutate.survivors("server/logins.py", 1, most))


@pytest.mark.slow
def test_mutants_of_an_init_do_not_count_as_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them are in one class, so each declares the attributes of the others again."""
    commands: list[list[str]] = []

    def mutmut(folder: Path, *_: str) -> CompletedProcess[str]:
        settings = tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))
        commands.append(settings["tool"]["mutmut"]["type_check_command"])
        return CompletedProcess([], 0, "")

    monkeypatch.setattr(mutate, "mutmut", mutmut)
    assert not list(mutate.survivors("server/logins.py", 1, 0))
    for command in commands:
        assert "--disable-error-code=no-redef" in command
        assert command[-1] == "src/pop3proto/server/logins.py"


SMALL = """\
def double(number: int) -> int:
    return 2 * number


def untested(number: int) -> int:
    return double(number) + 1
"""
TESTS_OF_SMALL = """\
import pytest
from pop3proto.engine import small


@pytest.fixture(scope="session")
def two() -> int:
    return 2


@pytest.mark.parametrize("number", [0, 1, -1])
def test_double(number: int, two: int) -> None:
    assert small.double(number) == two * number
"""
# In another file, since what one file leaves must not be an error in another.
TESTS_OF_THE_REST = """\
from pop3proto.engine import small


def test_untested() -> None:
    small.untested(1)
"""


@pytest.mark.slow
@pytest.mark.parametrize("most", [0, 3])
def test_what_no_test_notices_survives(
    most: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(mutate, "ROOT", tmp_path)
    for name, text in {
        "pyproject.toml": "",
        "src/pop3proto/__init__.py": "",
        "src/pop3proto/engine/__init__.py": "",
        "src/pop3proto/testing/__init__.py": "",
        "src/pop3proto/testing/plugin.py": "",  # pytest finds it by the package's entry points
        "src/pop3proto/engine/small.py": SMALL,
        "tests/engine/test_other.py": "def test_other() -> None: pass",
        "tests/engine/test_small.py": TESTS_OF_SMALL,
        "tests/engine/test_the_rest.py": TESTS_OF_THE_REST,
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    found = list(mutate.survivors("engine/small.py", 1, most))
    told = capsys.readouterr().out
    survivors = {
        Survivor("engine/small.py", "untested", "return double(number) + 1", after)
        for after in ("return double(number) - 1", "return double(number) + 2")
    }
    if most:
        assert told.startswith("engine/small.py: 3 mutants: ")
        assert {*found} <= survivors
    else:
        assert {*found} == survivors
        assert " 2 survived" in told
