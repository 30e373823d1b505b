"""The fixtures, in the tests of somebody else's project."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points

import pytest

pytest_plugins = ["pytester"]

PLUGIN = ("-p", "pop3proto.testing.plugin")
STRICT = ("--strict-markers", "--strict-config", "-W", "error")
IMPORTS = """
import pytest
from pop3proto import LocalProtocolError
from pop3proto.server import ServerOptions
from pop3proto.transports import ClientOptions, Security
from pop3proto.transports.blocking import connect

def talk(server, user="user", password="secret"):
    options = ClientOptions(allow_plaintext_auth=True)
    context = None if server.security is Security.PLAINTEXT else server.client_context()
    with connect(
        server.host, server.port, security=server.security, ssl_context=context, options=options
    ) as client:
        client.login(user, password)
        count = client.stat().count
        if count:
            client.dele(1)
    return count
"""


@pytest.fixture(autouse=True)
def _nothing_else_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    # The plugin is loaded by its name here, whether it is installed or not.
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")


def outcome(pytester: pytest.Pytester, source: str) -> pytest.RunResult:
    pytester.makepyfile(IMPORTS + source)
    return pytester.runpytest_inprocess(*PLUGIN, *STRICT)


def test_a_server_and_its_maildrop(pytester: pytest.Pytester) -> None:
    tests = """
def test_empty(pop3_server):
    assert pop3_server.security is Security.STLS
    assert talk(pop3_server) == 0

def test_filled_before(pop3_maildrop, pop3_server):
    pop3_maildrop.add("user", b"Subject: hello\\r\\n\\r\\nHello.\\r\\n")
    assert talk(pop3_server) == 1
    assert pop3_maildrop.contents("user") == []

def test_another_one_for_each_test(pop3_server, pop3_maildrop):
    assert pop3_maildrop.contents("user") == []
    assert pop3_server.sessions == []
"""
    outcome(pytester, tests).assert_outcomes(passed=3)


@pytest.mark.slow
def test_the_marker_and_the_options(pytester: pytest.Pytester) -> None:
    tests = """
@pytest.mark.pop3_server(security="tls")
def test_by_value(pop3_server):
    assert pop3_server.security is Security.TLS
    assert talk(pop3_server) == 0

@pytest.mark.pop3_server(security="PLAINTEXT")
def test_in_the_clear(pop3_server):
    assert talk(pop3_server) == 0

@pytest.mark.pop3_server(password="word")
def test_one_password(pop3_server, pop3_maildrop):
    pop3_maildrop.add("user", b"one")
    assert pop3_server.messages("user") == [b"one"]
    assert talk(pop3_server, password="word") == 1
    assert pop3_server.messages("user") == []

@pytest.mark.pop3_server(users={"other": "word"})
def test_other_users_have_maildrops(pop3_server, pop3_maildrop):
    pop3_maildrop.add("other", b"one")
    with pytest.raises(LocalProtocolError, match="'user' has no maildrop here"):
        pop3_maildrop.add("user", b"one")
    assert talk(pop3_server, "other", "word") == 1

@pytest.mark.pop3_server(users={"other": "word"})
@pytest.mark.parametrize("security", Security)
class TestNearAndFar:
    @pytest.fixture
    def pop3_server_options(self, security):
        return {"security": security, "users": {"nobody": ""}}

    def test_far(self, pop3_server, security):
        assert pop3_server.security is security
        assert talk(pop3_server, "other", "word") == 0

    @pytest.mark.pop3_server(users={"third": "word"}, idle_timeout=30.0)
    def test_near(self, pop3_server, security):
        assert pop3_server.security is security
        assert talk(pop3_server, "third", "word") == 0

    @pytest.mark.pop3_server(password="p")
    def test_a_password_replaces_users(self, pop3_server, security):
        assert talk(pop3_server, "user", "p") == 0

@pytest.mark.pop3_server(password="p")
class TestUsersReplaceAPassword:
    @pytest.mark.pop3_server(users={"other": "word"})
    def test_near(self, pop3_server):
        assert talk(pop3_server, "other", "word") == 0

@pytest.mark.pop3_server(security="plaintext", options=ServerOptions())
def test_options_of_ones_own(pop3_server):
    with pytest.raises(Exception, match="only taken under TLS"):
        talk(pop3_server)
"""
    outcome(pytester, tests).assert_outcomes(passed=15)


def test_the_maildrop_can_be_overridden(pytester: pytest.Pytester) -> None:
    tests = """
from pop3proto.server import MaildirMaildrops, MemoryMaildrops

@pytest.fixture
def pop3_maildrop():
    return MemoryMaildrops({"user": [b"Subject: one\\r\\n\\r\\n"]})

def test_it(pop3_server):
    assert talk(pop3_server) == 1
"""
    outcome(pytester, tests).assert_outcomes(passed=1)


def test_a_fault_of_the_maildrops_fails_the_test(pytester: pytest.Pytester) -> None:
    tests = """
class Faulty:
    def open(self, user):
        raise ZeroDivisionError

@pytest.fixture
def pop3_maildrop():
    return Faulty()

def test_it(pop3_server):
    with pytest.raises(Exception):
        talk(pop3_server)
"""
    result = outcome(pytester, tests)
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*ZeroDivisionError*"])


@pytest.mark.parametrize(
    ("marker", "problem"),
    [
        ('pop3_server("tls")', "*the marker pop3_server takes keyword arguments only*"),
        ('pop3_server(security="ssl")', "*security is one of *, not 'ssl'*"),
        ("pop3_server(colour=1)", "*unexpected keyword argument 'colour'*"),
    ],
)
def test_markers_that_make_no_sense(pytester: pytest.Pytester, marker: str, problem: str) -> None:
    result = outcome(pytester, f"@pytest.mark.{marker}\ndef test_it(pop3_server): pass")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([problem])


def test_without_trustme_it_says_what_to_install(pytester: pytest.Pytester) -> None:
    pytester.makeconftest("import sys; sys.modules['trustme'] = None")
    tests = """
@pytest.mark.pop3_server(security="plaintext")
def test_in_the_clear(pop3_server):
    assert talk(pop3_server) == 0

def test_with_tls(pop3_server): pass
"""
    pytester.makepyfile(IMPORTS + tests)
    result = pytester.runpytest_subprocess(*PLUGIN, *STRICT)
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*ImportError*pip install pop3proto?testing?"])


def test_it_is_found_where_pop3proto_is_installed() -> None:
    (found,) = [each for each in entry_points(group="pytest11") if each.name == "pop3proto"]
    assert found.value == "pop3proto.testing.plugin"
    plugin = found.load()
    assert {"pop3_server", "pop3_maildrop", "pop3_server_options"} <= set(plugin.__all__)


def test_quirks_by_name(pytester: pytest.Pytester) -> None:
    tests = """
@pytest.mark.pop3_server(security="plaintext", quirks={"no-capa"})
def test_it(pop3_server):
    with connect(pop3_server.host, pop3_server.port, security=Security.PLAINTEXT) as client:
        assert client.capabilities is None

@pytest.mark.pop3_server(quirks="no-capa")
def test_one_name(pop3_server): pass
"""
    result = outcome(pytester, tests)
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*LocalProtocolError: quirks are a set or a list*"])


def test_a_wider_scope(pytester: pytest.Pytester) -> None:
    tests = """
from pop3proto.server import MemoryMaildrops
from pop3proto.testing import serve

@pytest.fixture(scope="module")
def server():
    maildrops = MemoryMaildrops({"user": [b"Subject: one\\r\\n\\r\\n"]})
    with serve(maildrops, users={"user": "secret"}) as server:
        yield server

def test_one(server):
    assert talk(server) == 1

def test_other(server):
    assert talk(server) == 0
"""
    outcome(pytester, tests).assert_outcomes(passed=2)


def test_the_marker_and_the_fixtures_describe_themselves(pytester: pytest.Pytester) -> None:
    result = pytester.runpytest_subprocess(*PLUGIN, "--markers")
    result.stdout.fnmatch_lines(["@pytest.mark.pop3_server(*options): *"])
    result = pytester.runpytest_subprocess(*PLUGIN, "--fixtures")
    result.stdout.fnmatch_lines(["pop3_maildrop*", "pop3_server_options*", "pop3_server *"])


def test_loading_it_loads_no_network_and_no_tls() -> None:
    code = (
        "import pytest, sys; before = set(sys.modules); import pop3proto.testing.plugin;"
        "print(*set(sys.modules) - before)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60
    )
    loaded = set(done.stdout.split())
    assert "pop3proto.testing.plugin" in loaded
    assert loaded & {"ssl", "_ssl", "socket", "selectors", "threading", "trustme"} == set()
    assert {name for name in loaded if name.startswith("pop3proto.t")} == {
        "pop3proto.testing",
        "pop3proto.testing.plugin",
    }


RECORDING = r"""pop3proto transcript 1
S: +OK old server\r\n
C: CAPA\r\n
S: -ERR what?\r\n
C: AUTH\r\n
S: -ERR what?\r\n
C: USER user\r\n
S: +OK\r\n
C: PASS <redacted>\r\n
S: +OK\r\n
C: STAT\r\n
S: +OK 0 0\r\n
C: QUIT\r\n
S: +OK\r\n
"""


def test_a_recording_is_played(pytester: pytest.Pytester) -> None:
    pytester.path.joinpath("session.txt").write_text(RECORDING)
    tests = """
@pytest.mark.pop3_recording("session.txt")
def test_played(pop3_recorded_server):
    assert talk(pop3_recorded_server, password="any") == 0

@pytest.mark.pop3_recording("session.txt")
def test_not_played(pop3_recorded_server):
    pass
"""
    result = outcome(pytester, tests)
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["*the client stopped before the end of the script*"])


@pytest.mark.parametrize(
    "mark", ["", "@pytest.mark.pop3_recording", "@pytest.mark.pop3_recording(path='x')"]
)
def test_a_marker_without_a_recording(mark: str, pytester: pytest.Pytester) -> None:
    tests = f"""
{mark}
def test_it(pop3_recorded_server):
    pass
"""
    result = outcome(pytester, tests)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*mark the test with pop3_recording(path)*"])
