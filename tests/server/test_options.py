from pop3proto.server import ServerOptions


def test_defaults_that_keep_a_server_safe() -> None:
    assert not ServerOptions().allow_plaintext_auth
    assert ServerOptions().failed_login_delay > 0
    assert ServerOptions().max_failed_logins == 3
    assert ServerOptions().max_bad_commands == 20
    assert ServerOptions().max_auth_rounds == 20


def test_capabilities_with_nothing_that_needs_tls() -> None:
    capabilities = ServerOptions().capabilities(
        stls=True, user=False, mechanisms=(), logged_in=False
    )
    assert capabilities.lines == (
        "TOP",
        "UIDL",
        "RESP-CODES",
        "AUTH-RESP-CODE",
        "PIPELINING",
        "STLS",
        "UTF8 USER",
        "LANG",
        "EXPIRE NEVER",
    )


def test_capabilities_with_everything_else() -> None:
    options = ServerOptions(utf8=False, implementation="example-1.0")
    capabilities = options.capabilities(
        stls=False, user=True, mechanisms=("PLAIN", "X-TEST"), logged_in=True
    )
    assert capabilities.user
    assert not capabilities.stls
    assert not capabilities.utf8
    assert capabilities.sasl == ("PLAIN", "X-TEST")
    assert capabilities.implementation == "example-1.0"
