import importlib.util
import inspect
import poplib as standard
import ssl
import sys
import typing
from typing import Any

import pytest

from pop3proto import Pop3Error
from pop3proto.compat import poplib as dropin
from tests.compat.conversations import outcome, talk

METHODS = [
    name
    for name in vars(standard.POP3)
    if callable(vars(standard.POP3)[name]) and name != "__doc__"
]


def shape(function: object) -> list[tuple[str, object, object]]:
    parameters = inspect.signature(function).parameters.values()  # type: ignore[arg-type]
    return [(p.name, p.kind, p.default) for p in parameters]


def test_every_name_of_the_module_is_there() -> None:
    names = {name for name in vars(standard) if not name.startswith("__")}
    assert names <= set(vars(dropin))
    assert dropin.__all__ == standard.__all__


@pytest.mark.parametrize(
    "name", ["CR", "LF", "CRLF", "HAVE_SSL", "POP3_PORT", "POP3_SSL_PORT", "_MAXLINE", "__all__"]
)
def test_constants_have_the_same_values(name: str) -> None:
    assert vars(dropin)[name] == vars(standard)[name]


@pytest.mark.parametrize("name", ["errno", "re", "socket", "ssl", "sys"])
def test_the_modules_that_tests_patch_are_there(name: str) -> None:
    assert vars(dropin)[name] is vars(standard)[name]


@pytest.mark.parametrize("name", METHODS)
def test_signatures_of_pop3(name: str) -> None:
    assert shape(getattr(dropin.POP3, name)) == shape(getattr(standard.POP3, name))


@pytest.mark.parametrize("name", ["__init__", "stls", "_create_socket"])
def test_signatures_of_pop3_ssl(name: str) -> None:
    assert shape(getattr(dropin.POP3_SSL, name)) == shape(getattr(standard.POP3_SSL, name))


def test_class_attributes() -> None:
    assert dropin.POP3.encoding == standard.POP3.encoding
    assert type(dropin.POP3.timestamp) is type(vars(standard.POP3)["timestamp"])
    assert issubclass(dropin.POP3_SSL, dropin.POP3)


def test_what_dir_shows_is_what_poplib_has() -> None:
    def public(module: Any) -> set[str]:
        return {name for name in dir(module) if not name.startswith("_")}

    assert public(dropin) == public(standard)
    assert {"_MAXLINE", "__all__"} <= set(dir(dropin))


@pytest.mark.parametrize("cls", [dropin.POP3, dropin.POP3_SSL])
def test_type_hints_can_be_asked_for(cls: type) -> None:
    for _, method in inspect.getmembers(cls, inspect.isfunction):
        hints = typing.get_type_hints(method)
        assert set(inspect.signature(method).parameters) - {"self"} <= set(hints)
    assert typing.get_type_hints(dropin.POP3_SSL.__init__)["context"] == ssl.SSLContext | None


def test_what_is_new_is_documented() -> None:
    for name in ("auth", "lang", "retr_iter"):
        assert "Not in poplib" in (getattr(dropin.POP3, name).__doc__ or "")


def test_there_is_one_error_proto() -> None:
    assert dropin.error_proto is standard.error_proto
    assert not issubclass(dropin.error_proto, Pop3Error)


def test_without_ssl(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ssl", None)
    name = "pop3proto.compat.poplib_without_ssl"
    spec = importlib.util.spec_from_file_location(name, dropin.__file__)
    assert spec is not None
    assert spec.loader is not None
    module: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert not module.HAVE_SSL
    assert not hasattr(module, "POP3_SSL")
    assert module.__all__ == ["POP3", "error_proto"]
    with talk(module, b"+OK\r\n") as (client, _):
        assert outcome(client.stls) == ("error_proto", ("-ERR TLS support missing",))
