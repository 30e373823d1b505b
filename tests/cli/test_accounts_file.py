"""The file with accounts: what each means, and what is wrong with it."""

from __future__ import annotations

import os
from argparse import Namespace
from pathlib import Path

import pytest

from pop3proto.cli.accounts import AccountsFile
from pop3proto.cli.proxies import Proxy
from pop3proto.errors import LocalProtocolError
from pop3proto.model.secret import Secret

posix = pytest.mark.skipif(os.name != "posix", reason="access is not in the mode there")
URL = 'url = "pops://user@pop.example.org"\n'


def read(folder: Path, text: str | bytes, mode: int = 0o600) -> dict[str, Namespace]:
    path = folder / "accounts.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    path.chmod(mode)
    return {name: found.arguments for name, found in AccountsFile(path).accounts.items()}


def one(folder: Path, text: str) -> Namespace:
    (arguments,) = read(folder, f"[accounts.a]\n{text}").values()
    return arguments


def problem(folder: Path, text: str | bytes, mode: int = 0o600) -> str:
    with pytest.raises(LocalProtocolError) as caught:
        read(folder, text, mode)
    assert str(caught.value).startswith(f"--accounts {folder / 'accounts.toml'}: ")
    return str(caught.value).partition("accounts.toml: ")[2] + f" | {caught.value.hint}"


def test_every_option_has_the_same_name(tmp_path: Path) -> None:
    found = one(
        tmp_path,
        URL
        + """
        place = "mail"
        format = "maildir"
        state = "state.sqlite3"
        delete-after = 14
        keep-newest = 100
        max-octets = 1_000_000
        headers-only = false
        ignore-sizes = true
        no-pipelining = true
        ca = "ca.pem"
        cert = "/etc/cert.pem"
        server-name = "other.example.org"
        fingerprint = "AABB:CCDD:aabbccddAABBCCDDAABBCCDDAABBCCDDAABBCCDDAABBCCDDAABBCCDD"
        no-capa = true
        allow-plaintext-auth = true
        initial-response = false
        timeout = 2.5
        proxy = "http://proxy.example.org:3128"
        oauth = "other"
        oauth-client-id = "x"
        oauth-client-credentials = true
        oauth-token-url = "https://login.example.org/token"
        oauth-tokens = "tokens.json"
        recipient = "user@example.org"
        delivery-timeout = 60
        """,
    )
    assert found.url == "pops://user@pop.example.org"
    assert found.place == str(tmp_path / "mail")
    assert (found.format, found.state) == ("maildir", tmp_path / "state.sqlite3")
    assert (found.delete, found.delete_after, found.keep_newest) == (False, 14.0, 100)
    assert (found.max_octets, found.headers_only, found.ignore_sizes) == (1000000, False, True)
    assert (found.ca, found.cert) == (str(tmp_path / "ca.pem"), "/etc/cert.pem")
    assert (found.server_name, found.fingerprint) == ("other.example.org", "aabbccdd" * 8)
    assert (found.no_capa, found.no_pipelining, found.initial_response) == (True, True, False)
    assert (found.allow_plaintext_auth, found.timeout) == (True, 2.5)
    assert isinstance(found.proxy, Proxy)
    assert (found.oauth, found.oauth_client_id) == ("other", "x")
    assert found.oauth_client_credentials
    assert found.oauth_token_url == "https://login.example.org/token"
    assert found.oauth_tokens == str(tmp_path / "tokens.json")
    assert (found.recipient, found.delivery_timeout) == (["user@example.org"], 60.0)
    # That of the process is for one account.
    assert found.password_variable is None
    # Tokens take the place of a password.
    other = one(tmp_path, URL + """place = "mail"\npassword-command = "pass show 'a b'"\n""")
    assert other.password_command == "pass show 'a b'"


def test_secrets_stay_secret(tmp_path: Path) -> None:
    found = one(
        tmp_path,
        URL + 'place = "mail"\npassword = "hunter"\n'
        'oauth-client-secret = "hunter"\noauth-refresh-token = "hunter"\n',
    )
    assert found.password == found.oauth_client_secret == found.oauth_refresh_token
    assert found.password == Secret("hunter")
    assert "hunter" not in repr(found)


@pytest.mark.parametrize(
    ("text", "url", "clear"),
    [
        ('host = "pop.example.org"\nuser = "u@example.org"', "pops://u%40example.org@{}", False),
        ('host = "pop.example.org"\nuser = "u"\nsecurity = "stls"', "pop://u@{}", False),
        ('host = "pop.example.org"\nuser = "u"\nsecurity = "plaintext"', "pop://u@{}", True),
        ('host = "pop.example.org"\nuser = "u"\nport = 99', "pops://u@{}:99", False),
        ('host = "pop.example.org"\nuser = "u"\nauth = "PLAIN"', "pops://u;AUTH=PLAIN@{}", False),
    ],
)
def test_a_server_by_its_parts(text: str, url: str, clear: bool, tmp_path: Path) -> None:
    found = one(tmp_path, f'{text}\nplace = "mail"\n')
    assert found.url == url.format("pop.example.org")
    assert found.no_tls == clear


@pytest.mark.parametrize(
    ("kind", "place", "found"),
    [
        ("files", "mail", "{}/mail"),
        ("maildir", "~/Maildir", "~/Maildir"),
        ("mbox", "/var/mail/user", "/var/mail/user"),
        ("command", "procmail -d user", "procmail -d user"),
        ("lmtp", "localhost:24", "localhost:24"),
        ("lmtp", "/run/lmtp", "/run/lmtp"),
    ],
)
def test_places(kind: str, place: str, found: str, tmp_path: Path) -> None:
    arguments = one(tmp_path, URL + f'format = "{kind}"\nplace = "{place}"\n')
    assert arguments.place == os.path.expanduser(found.format(tmp_path))


def test_the_defaults(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        """
        [defaults]
        host = "pop.example.org"
        place = "mail"
        delete = true
        password-command = "pass"
        timeout = 5
        [accounts.a]
        user = "a"
        [accounts.b]
        url = "pop://b@other.example.org"
        delete-after = 3
        password-file = "secret"
        timeout = 6
        [accounts.c]
        user = "c"
        host = "third.example.org"
        delete = false
        keyring = "mail"
        """,
    )
    a, b, c = found.values()
    assert [x.url for x in (a, b, c)] == [
        "pops://a@pop.example.org",
        "pop://b@other.example.org",
        "pops://c@third.example.org",
    ]
    assert [(x.delete, x.delete_after) for x in (a, b, c)] == [
        (True, None),
        (False, 3.0),
        (False, None),
    ]
    assert [(x.password_command, x.password_file, x.keyring) for x in (a, b, c)] == [
        ("pass", None, None),
        (None, tmp_path / "secret", None),
        (None, None, "mail"),
    ]
    assert [x.timeout for x in (a, b, c)] == [5.0, 6.0, 5.0]


def test_a_url_of_the_defaults_is_replaced(tmp_path: Path) -> None:
    text = '[defaults]\nurl = "pop://a@pop.example.org"\nplace = "mail"\n[accounts.a]\n'
    assert read(tmp_path, text)["a"].url == "pop://a@pop.example.org"
    text += 'host = "other.example.org"\nuser = "b"\n'
    assert read(tmp_path, text)["a"].url == "pops://b@other.example.org"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"", "it has no accounts: [accounts.NAME]"),
        (b"[accounts]\n", "it has no accounts"),
        (b"accounts = 1\n", "accounts: expected a table, not a number"),
        (b"accounts.a = 'x'\n", "account a: expected a table, not a text"),
        (b"defaults = []\n", "defaults: expected a table, not a list"),
        (b"[acounts.a]\n", "there is no key acounts"),
        (b"[accounts.a\n", "it is not TOML: "),
        (b"x = '\xff'\n", "it is not text in UTF-8"),
        (b"x = " + b"[" * 100_000, "it is not TOML: "),
        (b'[accounts."\\u001b[31m"]\nx = 1\n', r"account \x1b[31m: there is no key x"),
    ],
)
def test_files_that_hold_something_else(text: bytes, told: str, tmp_path: Path) -> None:
    assert told in problem(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "there is no place for the messages"),
        ('place = "x"', "there is no url, and no host"),
        ('place = "x"\nurl = 5', "url: expected a text, not a number"),
        ('place = "x"\nurl = "http://x"', "a POP URL begins with pop:// or pops://"),
        ('place = "x"\nurl = "pop://u:hunter@x"', "a password has no place in a POP URL"),
        ('place = "x"\nhost = "a b"', "account a: "),
        ('place = "x"\nhost = ["x"]', "host: expected a text, not a list"),
        ('place = "x"\nhost = "x"\nuser = 1979-05-27', "user: expected a text, not a date"),
        ('place = "x"\nhost = "x"\nport = true', "port: expected a whole number, not true or"),
        ('place = "x"\nhost = "x"\nport = 99999', "the port of a POP URL is 1 to 65535"),
        ('place = "x"\nhost = "x"\nsecurity = "ssl"', "security: expected one of tls, stls, pla"),
        ('url = "x"\nhost = "y"', "url and host exclude each other"),
        ("place = 5", "place: expected a text, not a number"),
        ('place = ""', "place: the text is empty"),
        ('place = "a\\u0000b"', "place: the text is empty, or holds a NUL"),
        ("delete = 1", "delete: expected true or false, not a number"),
        ('delete = "yes"', "delete: expected true or false, not a text"),
        ("initial-response = 0", "initial-response: expected true or false"),
        ('keep-newest = "5"', "keep-newest: expected a whole number, not a text"),
        ("keep-newest = true", "keep-newest: expected a whole number, not true or false"),
        ("keep-newest = 1.5", "keep-newest: expected a number, 0 or more"),
        ("keep-newest = -1", "keep-newest: expected a number, 0 or more"),
        ("delete-after = nan", "delete-after: expected a number of days"),
        ("timeout = 0", "timeout: expected a number of seconds above 0"),
        ("timeout = {}", "timeout: expected a number, not a table"),
        ('format = "mh"', "format: expected one of files, maildir, mbox, command, lmtp"),
        ('fingerprint = "x"', "fingerprint: expected 64 hexadecimal digits"),
        ('proxy = "http://u:hunter@x"', "proxy: the proxy's URL is wrong"),
        ("password-file = 5", "password-file: expected a text, not a number"),
        ("password = 5", "password: expected a text, not a number"),
        ('password = "hunter"\nkeyring = "x"', "password and keyring exclude each other"),
        ("delete = true\ndelete-after = 5", "delete and delete-after exclude each other"),
        ("delete_after = 5", "there is no key delete_after | there is delete-after"),
        ("pasword-file = 'x'", "there is no key pasword-file | there is password-file"),
        ("zzzzzz = 1", "there is no key zzzzzz | "),
        ("json = true", "there is no key json"),
        ("accounts = 'x'", "there is no key accounts"),
        ("no-initial-response = true", "there is no key no-initial-response"),
        ("help = true", "there is no key help"),
    ],
)
def test_accounts_that_mean_nothing(text: str, told: str, tmp_path: Path) -> None:
    if not text.startswith(("place", "url")) and text:
        text = URL + 'place = "x"\n' + text if "place" not in text else text
    found = problem(tmp_path, f"[accounts.a]\n{text}\n")
    assert found.startswith("account a: ")
    assert told in found
    assert "hunter" not in found


def test_a_mistake_in_the_defaults_names_them(tmp_path: Path) -> None:
    text = f'[defaults]\ntime-out = 5\n[accounts.a]\n{URL}place = "x"\n'
    assert problem(tmp_path, text).startswith("defaults: there is no key time-out | there is time")


@posix
@pytest.mark.parametrize(
    "secret",
    [
        'password = "hunter"',
        'oauth-client-secret = "hunter"',
        'oauth-refresh-token = "hunter"',
        'proxy = "socks5://u:hunter@proxy.example.org"',
    ],
)
def test_a_file_with_a_secret_is_for_its_owner_alone(secret: str, tmp_path: Path) -> None:
    account = f'[accounts.a]\n{URL}place = "x"\n{secret}\n'
    told = problem(tmp_path, account, 0o640)
    assert told.startswith("account a has a secret, and other users can read the file")
    assert "chmod 600" in told
    assert "hunter" not in told
    assert read(tmp_path, account, 0o600)
    default = f'[defaults]\n{secret}\n[accounts.a]\n{URL}place = "x"\n'
    assert problem(tmp_path, default, 0o604).startswith("defaults has a secret")
    assert read(tmp_path, account.replace(secret, ""), 0o644)


def test_the_accounts_that_are_named(tmp_path: Path) -> None:
    path = tmp_path / "accounts.toml"
    path.write_text("".join(f'[accounts.{x}]\n{URL}place = "{x}"\n' for x in "abc"))
    file = AccountsFile(path)
    assert [account.name for account in file.chosen([])] == ["a", "b", "c"]
    assert [account.name for account in file.chosen(["c", "a", "c"])] == ["c", "a"]
    with pytest.raises(LocalProtocolError, match=r"there is no account x\\x1b"):
        file.chosen(["a", "x\x1b"])


@pytest.mark.parametrize("name", ["gone", "folder"])
def test_a_file_that_cannot_be_read(name: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(LocalProtocolError, match=f"--accounts {tmp_path / name}: "):
        AccountsFile(tmp_path / name)


def test_a_home_that_nobody_has_is_a_name_of_a_folder(tmp_path: Path) -> None:
    found = one(tmp_path, URL + 'place = "~no-such-user-here/mail"\n')
    assert found.place == str(tmp_path / "~no-such-user-here" / "mail")


@pytest.mark.parametrize("number", ["9" * 5000, "0x" + "f" * 5000])
def test_a_number_without_an_end(number: str, tmp_path: Path) -> None:
    found = problem(tmp_path, f'[accounts.a]\n{URL}place = "mail"\nmax-octets = {number}\n')
    assert "too many digits" in found


def test_a_password_replaces_the_tokens_of_the_defaults(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        f"""
        [defaults]
        oauth = "google"
        [accounts.a]
        {URL}
        place = "a"
        password = "hunter"
        [accounts.b]
        {URL}
        place = "b"
        """,
    )
    assert (found["a"].oauth, found["b"].oauth) == (None, "google")
    both = f'[accounts.a]\n{URL}place = "a"\npassword = "hunter"\noauth = "google"\n'
    assert problem(tmp_path, both).startswith("account a: password and oauth exclude each other")
