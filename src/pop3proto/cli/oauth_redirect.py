"""Access tokens for a program on a desk: its user agrees in a browser on the same machine, which is
then sent to a port of the program (RFC 8252 section 7.3), with a proof that no other program has
(PKCE, RFC 7636)."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from hmac import compare_digest
from socket import create_server, socket
from time import monotonic
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode, urlsplit

from ..errors import printable
from ..model.secret import Secret
from .oauth_http import TokenError

if TYPE_CHECKING:
    from .oauth import Settings

__all__ = ["RedirectFlow"]

# Seconds that the user has to agree, and that a browser has to send its request.
_PATIENCE, _REQUEST = 300.0, 5.0
# Octets of a request: browsers send cookies of other programs on this address, too.
_LONGEST = 64 * 1024
# Of RFC 7636 section 4.1, which allows 43 to 128.
_VERIFIER = 64
_PAGE = "HTTP/1.1 {} \r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n{}\r\n"


class RedirectFlow:
    """A user agrees in a browser on this machine.

    ``say`` is told where to go. ``deliver`` sends a form to the provider, and returns the tokens.
    """

    def __init__(self, settings: Settings, say: Callable[[str], object] | None = None) -> None:
        from secrets import token_urlsafe

        from oauthlib.oauth2 import WebApplicationClient

        self._settings = settings
        self._say = _tell if say is None else say
        self._client: Any = WebApplicationClient(settings.client_id)
        # A page that somebody else makes the browser open does not know it.
        self._state = token_urlsafe(32)
        self._verifier = Secret(self._client.create_code_verifier(_VERIFIER))

    def run(self) -> Secret:
        """Return the form that gets the tokens, once the user has agreed. Raises ``TokenError``."""
        # Nothing but this machine reaches it, and the provider has to allow any port.
        with create_server(("127.0.0.1", 0)) as listener:
            where = f"http://127.0.0.1:{listener.getsockname()[1]}/"
            self._say(self._address(where))
            query = self._redirected(listener)
        return self._form(query, where)

    def _address(self, where: str) -> str:
        """Return the address of the page where the user agrees."""
        verifier = str(self._verifier.reveal())
        asked = {
            "response_type": "code",
            "client_id": self._settings.client_id,
            "redirect_uri": where,
            "scope": self._settings.scope,
            "state": self._state,
            "code_challenge": self._client.create_code_challenge(verifier, "S256"),
            "code_challenge_method": "S256",
            **dict(self._settings.asked),
        }
        url = self._settings.authorize_url
        given = urlencode({name: text for name, text in asked.items() if text})
        return f"{url}{'&' if urlsplit(url).query else '?'}{given}"

    def _redirected(self, listener: socket) -> Secret:
        """Return the query of the request that the provider has made the browser send."""
        deadline = monotonic() + _PATIENCE
        while (left := deadline - monotonic()) > 0:
            listener.settimeout(left)
            with suppress(OSError):
                browser, _ = listener.accept()
                with browser:
                    browser.settimeout(_REQUEST)
                    query = _query(browser)
                    states = parse_qs(str(query.reveal())).get("state", [])
                    # Others can connect, and browsers also ask for an icon.
                    if len(states) == 1 and compare_digest(
                        states[0].encode(), self._state.encode()
                    ):
                        with suppress(OSError):
                            browser.sendall(_page("200 OK", "You can close this window."))
                        return query
                    browser.sendall(_page("404 Not Found", "There is nothing here."))
        raise TokenError("nobody has agreed in the browser in time", hint="try again")

    def _form(self, query: Secret, where: str) -> Secret:
        from oauthlib.oauth2 import OAuth2Error

        error = ""
        try:
            # oauthlib wants TLS, which a request to this machine itself has no need of.
            answer = f"https://127.0.0.1/?{str(query.reveal())}"  # noqa: RUF010 - it may be octets
            self._client.parse_request_uri_response(answer, self._state)
        except OAuth2Error as failure:
            error = str(failure.error)
        if error == "access_denied":
            raise TokenError("the user has refused, or the provider has", hint="")
        if error:
            raise TokenError(f"the provider gave no code: {printable(error)}")
        secret = self._settings.client_secret
        return Secret(
            self._client.prepare_request_body(
                redirect_uri=where,
                code_verifier=str(self._verifier.reveal()),
                include_client_id=True,
                **({"client_secret": str(secret.reveal())} if secret else {}),
            )
        )


def _query(browser: socket) -> Secret:
    """Return the query of a browser's request; empty if it is another request."""
    request = b""
    while b"\r\n\r\n" not in request and len(request) < _LONGEST:
        data = browser.recv(_LONGEST)
        if not data:
            break
        request += data
    words = request.partition(b"\r\n")[0].decode("ascii", "replace").split(" ")
    path, _, query = words[1].partition("?") if len(words) == 3 else ("", "", "")
    return Secret(query if words[0] == "GET" and path == "/" else "")


def _page(status: str, text: str) -> bytes:
    return _PAGE.format(status, text).encode("utf-8")


def _tell(url: str) -> None:
    print(
        f"Open this address in a browser on this machine:\n{printable(url, len(url))}",
        file=sys.stderr,
    )
