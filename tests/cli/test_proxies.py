"""``--proxy``: every command that connects goes through it, and nobody sees its password."""

from __future__ import annotations

import os
import socket
import ssl
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import trustme

from pop3proto.cli.access import Access
from pop3proto.cli.inputs import PASSWORD_VARIABLE
from pop3proto.cli.main import main
from pop3proto.cli.options.access import add_access
from pop3proto.cli.proxies import PROXY_VARIABLE, Proxy
from pop3proto.errors import ConnectError, DeadlineError, LocalProtocolError
from pop3proto.testing import serve
from tests.examples import proxies
from tests.examples.proxies import HttpProxy, SlowHttpProxy, Socks4aProxy, SocksProxy, running

HOST = "pop.example.org"
LOGIN = "p%40user:hunter2"
PLAIN_LOGIN = "p@user:hunter2"
KINDS = [SocksProxy, Socks4aProxy, HttpProxy, SlowHttpProxy]


class Setting:
    """A proxy, and a server that only the proxy can reach by its name."""

    def __init__(self, kind: type[proxies.Proxy], folder: Path, stack: ExitStack) -> None:
        login = "p@user" if kind is Socks4aProxy else PLAIN_LOGIN
        self.proxy = stack.enter_context(running(kind(login)))
        self.url = self.proxy.url("p%40user" if kind is Socks4aProxy else LOGIN)
        authority = trustme.CA()
        self.authority = folder / "ca.pem"
        authority.cert_pem.write_to_path(str(self.authority))
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert(HOST).configure_cert(context)
        self.server = stack.enter_context(
            serve({"user": [b"one\r\n"]}, password="secret", security="tls", tls_context=context)
        )
        self.proxy.ports[995] = self.server.port

    def run(self, command: str, *arguments: str) -> int:
        where = f"pops://user@{HOST}"
        return main([command, where, *arguments, "--ca", str(self.authority)])


@pytest.fixture(params=KINDS)
def setting(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Setting]:
    monkeypatch.setenv(PASSWORD_VARIABLE, "secret")
    monkeypatch.delenv(PROXY_VARIABLE, raising=False)
    real = socket.getaddrinfo

    def getaddrinfo(host: object, *rest: object, **named: object) -> object:
        assert host not in (HOST, HOST.encode()), "the proxy resolves this name"
        return real(host, *rest, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    with ExitStack() as stack:
        yield Setting(request.param, tmp_path, stack)


@pytest.mark.parametrize(
    "command", [["check"], ["list"], ["show", "1"], ["fetch", "mail"], ["delete", "1"]]
)
def test_every_command_goes_through_it(
    command: list[str], setting: Setting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert setting.run(*command, "--proxy", setting.url) == 0
    assert setting.proxy.asked_for == [(HOST, 995)]


def test_the_variable(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PROXY_VARIABLE, setting.url)
    assert setting.run("list") == 0
    assert setting.proxy.asked_for == [(HOST, 995)]


def test_nobody_sees_the_password(
    setting: Setting, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert setting.run("list", "--proxy", setting.url.replace("user", "hunter2")) == 75
    error = capsys.readouterr().err
    assert error.startswith("ConnectError: ")
    assert str(Proxy(setting.url)) in error
    assert "hunter2" not in error
    assert "p@" not in error
    assert not setting.server.sessions


def test_a_name_that_the_proxy_does_not_know(
    setting: Setting, capsys: pytest.CaptureFixture[str]
) -> None:
    setting.proxy.names = {}
    assert setting.run("list", "--proxy", setting.url) == 75
    assert capsys.readouterr().err.startswith("ConnectError: ")


def test_a_proxy_that_says_nothing(setting: Setting, capsys: pytest.CaptureFixture[str]) -> None:
    setting.proxy.silent = True
    assert setting.run("list", "--proxy", setting.url, "--timeout", "0.2") == 75
    assert capsys.readouterr().err.startswith("DeadlineError: ")


@pytest.mark.parametrize("scheme", ["socks5", "socks4a", "http"])
def test_a_proxy_that_is_not_there(scheme: str, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        where = f"127.0.0.1:{free.getsockname()[1]}"
        url = f"pops://user;AUTH=ANONYMOUS@{HOST}"
        assert main(["list", url, "--proxy", f"{scheme}://{where}"]) == 75
    error = capsys.readouterr().err
    assert error.startswith(f"ConnectError: the proxy {scheme}://{where} cannot be used: ")
    assert "check --proxy" in error


class Ending(HttpProxy):
    """One that closes the connection, or does not stop talking."""

    says = b""

    def agree(self, client: socket.socket) -> tuple[str, int]:
        super().agree(client)
        client.sendall(self.says)
        raise proxies.Refused


@pytest.mark.parametrize(
    ("says", "problem"),
    [
        (b"", "gave no answer"),
        (b"HTTP/1.1 200 OK\r\n", "gave no answer"),
        (b"x" * 70_000, "gave no answer"),
        (b"HTTP/1.1 403 \x1b[31mNo\r\n\r\n", r"says: HTTP/1\.1 403 \\x1b\[31mNo"),
        (b"SSH-2.0\r\n\r\n", r"says: SSH-2\.0"),
        (b"HTTP/1.1 407 Who?\r\n\r\n", "says: HTTP/1.1 407"),
    ],
)
def test_answers_of_http_proxies(says: bytes, problem: str) -> None:
    proxy = Ending()
    proxy.says = says
    with running(proxy), pytest.raises(ConnectError, match=problem) as caught:
        Proxy(proxy.url()).connect(HOST, 995, 5.0)
    assert ("user and a password" in caught.value.hint) == (b" 407 " in says)


def test_a_proxy_that_hangs_up_is_no_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    def reset(*arguments: object) -> bytes:
        raise ConnectionResetError(104, "Connection reset by peer")

    with running(HttpProxy()) as proxy:
        monkeypatch.setattr(Proxy, "_request", reset)
        with pytest.raises(ConnectError, match="cannot be used: Connection reset by peer"):
            Proxy(proxy.url()).connect(HOST, 995, 5.0)


def test_an_http_proxy_has_so_long_for_all_of_its_answer() -> None:
    with running(SlowHttpProxy(silent=True)) as proxy, pytest.raises(TimeoutError):
        Proxy(proxy.url()).connect(HOST, 995, 0.0001)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "proxy.example.org:1080",
        "hunter2@proxy.example.org",
        "ftp://u:hunter2@proxy.example.org",
        "https://u:hunter2@proxy.example.org:3128",
        "socks4://proxy.example.org",
        "http://u:hunter2@proxy.example.org",
        "socks5://u:hunter2@proxy.example.org:hunter2",
        "socks5://u:hunter2@proxy.example.org:99999",
        "socks5://u:hunter2@proxy.example.org:0",
        "socks5://u:hunter2@",
        "socks5://u:hunter2@[::1",
        "socks5://u:hunter2@proxy.example.org/path",
        "socks5://u:hunter2@proxy.example.org?query",
        "socks5://u:hunter2@proxy.example.org#part",
        "socks4a://u:hunter2@proxy.example.org",
    ],
)
def test_wrong_urls_are_not_shown(
    url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(LocalProtocolError) as caught:
        Proxy(url)
    assert "hunter2" not in str(caught.value)
    with pytest.raises(SystemExit):
        main(["list", "pops://user@pop.example.org", "--proxy", url])
    error = capsys.readouterr().err
    assert f"argument --proxy: {caught.value}" in " ".join(error.split())
    assert "hunter2" not in error
    if url:
        monkeypatch.setenv(PROXY_VARIABLE, url)
        assert main(["list", "pops://user@pop.example.org"]) == 1
        error = capsys.readouterr().err
        assert f"{PROXY_VARIABLE}: " in error
        assert "hunter2" not in error


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("socks5://u:hunter2@proxy.example.org", "socks5://proxy.example.org:1080"),
        ("socks5h://proxy.example.org:99/", "socks5h://proxy.example.org:99"),
        ("SOCKS4A://u@proxy.example.org", "socks4a://proxy.example.org:1080"),
        ("http://[2001:db8::1]:3128", "http://[2001:db8::1]:3128"),
    ],
)
def test_what_is_shown_of_a_url(url: str, shown: str) -> None:
    assert str(Proxy(url)) == shown
    assert repr(Proxy(url)) == f"Proxy('{shown}')"


def test_an_address_of_version_6_has_brackets() -> None:
    request = Proxy("http://u:hunter2@proxy.example.org:3128")._request("2001:db8::1", 995)
    assert request.octets() == (
        b"CONNECT [2001:db8::1]:995 HTTP/1.1\r\nHost: [2001:db8::1]:995\r\n"
        b"Proxy-Authorization: Basic dTpodW50ZXIy\r\n\r\n"
    )


def test_the_package_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "python_socks", None)
    url = f"pops://user;AUTH=ANONYMOUS@{HOST}"
    assert main(["list", url, "--proxy", "socks5://127.0.0.1"]) == 2
    assert 'pip install "pop3proto[proxy]"' in capsys.readouterr().err


def test_there_is_always_an_end() -> None:
    parser = ArgumentParser()
    add_access(parser)
    parser.add_argument("url")
    with running(SocksProxy(silent=True)) as proxy:
        arguments = parser.parse_args(
            [f"pops://{HOST}", "--proxy", proxy.url(), "--timeout", "0.1"]
        )
        access = Access(arguments, without_login=True)
        with pytest.raises(DeadlineError):
            access.connect(access.options)
    assert not os.environ.get(PROXY_VARIABLE)


@pytest.mark.parametrize(
    "option", [["--proxy", "http://127.0.0.1:9"], ["--oauth", "google", "--oauth-client-id", "x"]]
)
def test_a_command_that_makes_its_own_connections_passes_no_option_over(
    option: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    if "--oauth" in option:
        pytest.importorskip("oauthlib")
    assert main(["conformance", "server", "pops://user@127.0.0.1:9", *option]) == 1
    assert f"this command cannot do {option[0]}" in capsys.readouterr().err


def test_the_password_of_such_a_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PASSWORD_VARIABLE, "secret")
    parser = ArgumentParser()
    add_access(parser)
    parser.add_argument("url")
    for url, expected in (
        ("pops://user@pop.example.org", "secret"),
        ("pops://user;AUTH=XOAUTH2@pop.example.org", "secret"),
        ("pops://user;AUTH=EXTERNAL@pop.example.org", ""),
        ("pops://pop.example.org", ""),
    ):
        access = Access(parser.parse_args([url]), without_login=True)
        assert access.direct_password().reveal() == expected
