"""What is told of a login, and of an access token that was refused."""

from __future__ import annotations

from pop3proto import LoginResult, Secret
from pop3proto.errors import OAuthError
from pop3proto.sasl import RefusedToken


def test_how_a_login_was_done() -> None:
    result = LoginResult("PLAIN", False)
    assert result == LoginResult("PLAIN", False, "")
    assert result != LoginResult("PLAIN", True)


def test_a_refused_token_does_not_show() -> None:
    error = OAuthError("expired")
    refused = RefusedToken(Secret("vF9dft4qmT"), error)
    assert refused.error is error
    assert refused.token == Secret("vF9dft4qmT")
    assert "vF9dft4qmT" not in repr(refused)
