"""Access tokens by OAuth 2.0: with a refresh token (RFC 6749 section 6), for the program itself
(section 4.4), by a code that a user types into a browser elsewhere (RFC 8628), or by a browser here
(RFC 8252)."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, cast

from ..errors import LocalProtocolError, Pop3Error, printable
from ..model.secret import Secret
from .oauth_http import Answer, Opener, TokenError, TokenServer
from .oauth_store import Store, Tokens

if TYPE_CHECKING:
    from ..sasl import RefusedToken

__all__ = ["Keeper", "Settings"]

# Seconds before the end of a token from which on it is not used: a login must not come too late.
_MARGIN = 60.0
# Seconds that a token without an end is used.
_UNKNOWN_LIFE = 300.0
# No token lives for longer than ten years.
_LONGEST_LIFE = 10 * 365 * 86400.0
# RFC 8628 sections 3.2 and 3.5, in seconds. No server can make the user wait for longer.
_INTERVAL, _SLOWER, _LONGEST_INTERVAL = 5.0, 5.0, 60.0
_DEVICE_LIFE, _LONGEST_DEVICE_LIFE = 900.0, 3600.0
# RFC 6749 section 4.1.2.1: the server itself has a problem.
_TRANSIENT = ("temporarily_unavailable", "server_error", "slow_down")
_STATUS_OK, _STATUS_BUSY, _STATUS_BROKEN = 200, 429, 500
# The members of an answer that are read. Others, such as a scope in other words, change nothing.
_SECRET = ("access_token", "refresh_token", "device_code")
_READ = ("access_token", "token_type", "expires_in", "refresh_token", "error", "error_description")


class InvalidGrantError(TokenError):
    """The refresh token is not valid any more."""


class Settings(NamedTuple):
    """Who gives the tokens, and to whom."""

    token_url: str
    device_url: str
    """Empty if there is no device flow."""
    client_id: str
    client_secret: Secret
    """Empty for a program without a secret."""
    scope: str
    own: bool = False
    """True if the program logs in for itself (client credentials)."""
    refresh: Secret = Secret("")
    """A refresh token to begin with, or empty."""
    authorize_url: str = ""
    """Where a user agrees in a browser on this machine; empty if there is no such flow."""
    asked: tuple[tuple[str, str], ...] = ()
    """What else the provider wants to know there."""


class Keeper:
    """Keeps the access token of an account, and gets a new one before it expires.

    It is a function for ``Client.oauth()``: if the server refuses the token, it gets another one.
    ``may_ask`` is true if there is a user who can agree in a browser.
    """

    def __init__(
        self,
        settings: Settings,
        store: Store,
        *,
        opener: Opener | None = None,
        may_ask: bool,
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._settings = settings
        self._store = store
        self._server = TokenServer(settings.token_url, opener)
        self._opener = opener
        self.may_ask: bool = may_ask and bool(settings.device_url or settings.authorize_url)
        """True if a user may have to agree in a browser."""
        self._now = now
        self._sleep = sleep
        self._last = Tokens()

    def __call__(self, refused: RefusedToken | None) -> str:
        """Return an access token; another one after ``refused``."""
        return str(self.token(refused.token if refused else None).reveal())

    def token(self, refused: Secret | None = None) -> Secret:
        """Return an access token that is good for a while, and is not ``refused``.

        Raises ``TokenError``, ``ConnectError``, ``DeadlineError``, ``TlsError`` and
        ``LocalProtocolError``.
        """
        # A keyring keeps no access tokens.
        if self._is_good(self._last, refused):
            return self._last.access
        kept = self._last = self._store.load()
        if not self._is_good(kept, refused):
            self._last = self._renewed(kept)
            self._store.save(self._last)
        return self._last.access

    def _is_good(self, tokens: Tokens, refused: Secret | None) -> bool:
        fresh = tokens.expires - self._now() > _MARGIN
        return bool(tokens.access) and tokens.access != refused and fresh

    def _renewed(self, kept: Tokens) -> Tokens:
        if self._settings.own:
            return self._requested(self._own_form())
        refused: TokenError | None = None
        tried: list[Secret] = []
        while True:
            # Another process may have got new ones since; and the one that is given may be newer.
            known = (kept.refresh, self._settings.refresh)
            token = next((each for each in known if each and each not in tried), None)
            if token is None:
                return self._by_user(refused)
            tried.append(token)
            try:
                new = self._requested(self._refresh_form(token))
            except InvalidGrantError as error:
                refused = error
            else:
                # RFC 6749 section 6: without a new one, the old one stays.
                return new if new.refresh else new._replace(refresh=token)
            kept = self._store.load()

    def _own_form(self) -> Secret:
        from oauthlib.oauth2 import BackendApplicationClient

        client: Any = BackendApplicationClient(self._settings.client_id)
        return Secret(
            client.prepare_request_body(
                scope=self._settings.scope or None, include_client_id=True, **self._secret()
            )
        )

    def _refresh_form(self, token: Secret) -> Secret:
        from oauthlib.oauth2 import LegacyApplicationClient

        settings = self._settings
        client: Any = LegacyApplicationClient(settings.client_id)
        return Secret(
            client.prepare_refresh_body(
                refresh_token=str(token.reveal()),
                scope=settings.scope or None,
                client_id=settings.client_id,
                **self._secret(),
            )
        )

    def _secret(self) -> dict[str, str]:
        secret = self._settings.client_secret
        return {"client_secret": str(secret.reveal())} if secret else {}

    def _requested(self, form: Secret) -> Tokens:
        return self._tokens(self._server.post(form), form)

    def _tokens(self, answer: Answer, form: Secret) -> Tokens:
        """Return the tokens of an answer to ``form``; raise ``TokenError`` if it has none."""
        from oauthlib.oauth2 import LegacyApplicationClient, OAuth2Error

        host = self._server.host
        members = _members(answer, host)
        read = {name: members[name] for name in _READ if name in members}
        client: Any = LegacyApplicationClient(self._settings.client_id)
        code = ""
        try:
            client.parse_request_body_response(json.dumps(read, default=_revealed))
        except OAuth2Error as error:
            code = str(error.error)
        if code:
            self._refuse(answer.status, code, members.get("error_description"), form)
        if not members["access_token"]:
            raise TokenError(f"{host} gave an empty access token")
        if str(members.get("token_type") or "Bearer").lower() != "bearer":
            raise TokenError(f"{host} gave a token that is no bearer token")
        life = members.get("expires_in", _UNKNOWN_LIFE)
        refresh = members.get("refresh_token", Secret(""))
        return Tokens(members["access_token"], self._now() + life, refresh)

    def _refuse(self, status: int, code: str, told: object, form: Secret) -> NoReturn:
        text = f"{self._server.host} gave no access token: {printable(code)}"
        if isinstance(told, str) and told and not _shows_secret(told, form):
            text += f" ({printable(told)})"
        if code == "invalid_grant":
            raise InvalidGrantError(text, hint="a user has to agree again")
        hint = "check the client's id and its secret" if code == "invalid_client" else ""
        raise TokenError(text, hint=hint, transient=code in _TRANSIENT or _is_busy(status))

    def _by_user(self, refused: TokenError | None) -> Tokens:
        settings = self._settings
        if not settings.device_url and not settings.authorize_url:
            raise refused or LocalProtocolError(
                "there is no refresh token", hint="give one with --oauth-refresh-token-file"
            )
        if not self.may_ask:
            raise refused or LocalProtocolError(
                "there is no refresh token, and nobody can be asked without a terminal",
                hint="run pop3proto check once in a terminal, with the same options",
            )
        if not settings.device_url:
            from .oauth_redirect import RedirectFlow

            return self._requested(RedirectFlow(settings).run())
        return DeviceFlow(settings, self._opener, self._now, self._sleep).run(self._tokens)


class DeviceFlow:
    """A user types a code into a browser, and the program asks from time to time if it is done."""

    def __init__(
        self,
        settings: Settings,
        opener: Opener | None,
        now: Callable[[], float],
        sleep: Callable[[float], object],
    ) -> None:
        self._settings = settings
        self._devices = TokenServer(settings.device_url, opener)
        self._server = TokenServer(settings.token_url, opener)
        self._now = now
        self._sleep = sleep

    def run(self, tokens: Callable[[Answer, Secret], Tokens]) -> Tokens:
        """Tell the user what to do, and return the tokens; ``tokens`` reads them from an answer."""
        from oauthlib.oauth2 import DeviceClient

        settings = self._settings
        secret = settings.client_secret
        answer = self._devices.post(self._form())
        members = _members(answer, self._devices.host)
        device_code = members.get("device_code", Secret(""))
        if answer.status != _STATUS_OK or not device_code:
            error = printable(str(members.get("error") or f"status {answer.status}"))
            raise TokenError(
                f"{self._devices.host} gave no code: {error}",
                transient=_is_busy(answer.status),
            )
        _tell(members)
        client: Any = DeviceClient(settings.client_id)
        form = Secret(
            client.prepare_request_body(
                str(device_code.reveal()),
                include_client_id=True,
                **({"client_secret": str(secret.reveal())} if secret else {}),
            )
        )
        life = _seconds(members.get("expires_in"), _DEVICE_LIFE, _LONGEST_DEVICE_LIFE)
        interval = _seconds(members.get("interval"), _INTERVAL, _LONGEST_INTERVAL)
        return self._poll(form, interval, self._now() + life, tokens)

    def _form(self) -> Secret:
        from urllib.parse import urlencode

        # RFC 8628 section 3.1. oauthlib puts these into the URL, where logs would keep the secret.
        form = {"client_id": self._settings.client_id, "scope": self._settings.scope}
        if self._settings.client_secret:
            form["client_secret"] = str(self._settings.client_secret.reveal())
        return Secret(urlencode({name: text for name, text in form.items() if text}))

    def _poll(
        self, form: Secret, interval: float, end: float, tokens: Callable[[Answer, Secret], Tokens]
    ) -> Tokens:
        while self._now() + interval < end:
            self._sleep(interval)
            try:
                answer = self._server.post(form)
                error = _members(answer, self._server.host).get("error")
            except Pop3Error as failure:
                if not failure.transient:
                    raise
                # RFC 8628 section 3.5: ask less often.
                interval = min(2 * interval, _LONGEST_INTERVAL)
                continue
            if error == "slow_down":
                interval += _SLOWER
            elif error == "expired_token":
                break
            elif error == "access_denied":
                raise TokenError("the user has refused, or the provider has", hint="")
            elif error != "authorization_pending":
                return tokens(answer, form)
        raise TokenError("the code has expired before it was used", hint="try again")


def _tell(members: dict[str, Any]) -> None:
    # Google's name for it is older than RFC 8628.
    url = members.get("verification_uri") or members.get("verification_url")
    code = members.get("user_code")
    if not isinstance(url, str) or not isinstance(code, str):
        raise TokenError("the answer has no code for the user, or no address to type it in")
    print(f"Open {printable(url)} and enter the code {printable(code)}", file=sys.stderr)


def _seconds(given: object, usual: float, most: float) -> float:
    if isinstance(given, str) and given.isascii() and given.isdigit():
        given = int(given[:9])
    if isinstance(given, bool) or not isinstance(given, int | float) or not given > 0:
        return usual
    # In this order: a number in JSON can be too large for a float.
    return float(min(given, most))


def _members(answer: Answer, host: str) -> dict[str, Any]:
    """Return the members of an answer in JSON. Raises ``TokenError`` if it is something else."""
    try:
        found: Any = json.loads(answer.body.octets())
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        found = None
        # Left before the next line, because the error of the decoder would show the text.
        raise TokenError(
            f"{host} answered with status {answer.status}, and not in JSON",
            transient=_is_busy(answer.status),
        )
    members = cast("dict[str, Any]", found)
    del found
    wrong = [name for name in (*_SECRET, "error") if not isinstance(members.get(name, ""), str)]
    members.update({name: Secret(members[name]) for name in _SECRET if name in members})
    if wrong:
        raise TokenError(f"{host} sent something else than a text as {wrong[0]}")
    if "expires_in" in members:
        members["expires_in"] = _seconds(members["expires_in"], _UNKNOWN_LIFE, _LONGEST_LIFE)
    return members


def _revealed(secret: object) -> str:
    return str(cast(Secret, secret).reveal())


def _shows_secret(text: str, form: Secret) -> bool:
    """Return ``True`` if a server repeats a secret that it was sent."""
    from urllib.parse import parse_qsl

    names = ("client_secret", "refresh_token", "device_code", "code", "code_verifier")
    return any(sent in text for name, sent in parse_qsl(str(form.reveal())) if name in names)


def _is_busy(status: int) -> bool:
    """Return ``True`` if a request may succeed later."""
    return status == _STATUS_BUSY or status >= _STATUS_BROKEN
