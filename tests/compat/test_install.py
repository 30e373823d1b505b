import copy
import importlib
import pickle
import poplib as standard
import subprocess
import sys
import traceback
from types import ModuleType
from typing import Any

import pytest

from pop3proto import Pop3Error
from pop3proto.compat import install
from pop3proto.compat import poplib as dropin
from tests.compat.conversations import BOTH, NAMES, talk


def imported() -> Any:
    return importlib.import_module("poplib")


def test_installing_and_undoing() -> None:
    installation = install()
    assert imported() is dropin
    installation.uninstall()
    assert imported() is standard
    installation.uninstall()
    assert imported() is standard


def test_a_context_manager() -> None:
    with install():
        assert imported() is dropin
        from poplib import POP3

        assert POP3 is dropin.POP3
    assert imported() is standard


def test_only_the_first_installation_undoes() -> None:
    with install():
        with install() as second:
            assert imported() is dropin
        second.uninstall()
        assert imported() is dropin
    assert imported() is standard


def test_a_name_that_was_taken_since_stays_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    installation = install()
    other = ModuleType("poplib")
    monkeypatch.setitem(sys.modules, "poplib", other)
    installation.uninstall()
    assert imported() is other
    monkeypatch.undo()
    assert imported() is dropin
    sys.modules["poplib"] = standard


def test_a_process_of_its_own(tmp_path: Any) -> None:
    (tmp_path / "thirdparty.py").write_text("import poplib\nfrom poplib import *\n")
    program = """
import sys
from pop3proto.compat import install
assert "poplib" not in sys.modules
installation = install()
import thirdparty
assert thirdparty.poplib.__name__ == "pop3proto.compat.poplib"
assert thirdparty.POP3_SSL is thirdparty.poplib.POP3_SSL
installation.uninstall()
import poplib
assert poplib.__spec__.name == "poplib"
assert not hasattr(poplib.POP3, "retr_iter")
"""
    subprocess.run([sys.executable, "-c", program], check=True, cwd=tmp_path)


def test_reloading_it_under_the_installed_name() -> None:
    program = """
import importlib
from pop3proto.compat import install
install()
import poplib
assert importlib.reload(poplib) is poplib
poplib.POP3.retr_iter
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_whoever_knows_one_error_knows_the_other() -> None:
    from poplib import error_proto as before

    with install():
        from poplib import error_proto as after
    assert before is after
    for module in BOTH:
        with talk(module, b"+OK\r\n", b"-ERR no\r\n") as (client, _), pytest.raises(after) as info:
            client.noop()
        assert info.value.args == (b"-ERR no",)
        assert str(info.value) == "b'-ERR no'"
        assert repr(info.value) == "error_proto(b'-ERR no')"
        report = traceback.format_exception_only(info.value)
        assert report == ["poplib.error_proto: b'-ERR no'\n"]


@pytest.mark.parametrize("module", BOTH, ids=NAMES)
def test_the_error_travels(module: Any) -> None:
    with (
        talk(module, b"+OK\r\n", b"-ERR no\r\n") as (client, _),
        pytest.raises(standard.error_proto) as info,
    ):
        client.noop()
    for again in (pickle.loads(pickle.dumps(info.value)), copy.copy(info.value)):
        assert type(again) is standard.error_proto
        assert again.args == (b"-ERR no",)


def test_the_error_is_a_pop3_error_as_well() -> None:
    with talk(dropin, b"+OK\r\n", b"-ERR no\r\n") as (client, _), pytest.raises(Pop3Error) as info:
        client.noop()
    assert info.value.session_usable
