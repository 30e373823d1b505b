"""Who gives access tokens for mail, and where: data, which an option can replace."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["PROVIDERS", "Provider"]


class Provider(NamedTuple):
    """The end points of a provider, and what a token for POP3 is for.

    ``{tenant}`` stands for the organisation whose users they are.
    """

    token_url: str
    device_url: str
    """Where codes for the device flow come from; empty if there is none for mail."""
    scope: str
    """What a token for a user is for."""
    own_scope: str
    """What a token for the program itself is for (client credentials)."""
    authorize_url: str = ""
    """Where a user agrees in a browser on this machine; empty if codes are always better."""
    asked: tuple[tuple[str, str], ...] = ()
    """What else the provider wants to know there."""


PROVIDERS: dict[str, Provider] = {
    # https://developers.google.com/gmail/imap/xoauth2-protocol
    "google": Provider(
        token_url="https://oauth2.googleapis.com/token",  # noqa: S106 - a URL
        device_url="",
        scope="https://mail.google.com/",
        own_scope="https://mail.google.com/",
        # Its device flow is not for mail. Without these two, it may give no refresh token.
        authorize_url="https://accounts.google.com/o/oauth2/v2/auth",
        asked=(("access_type", "offline"), ("prompt", "consent")),
    ),
    # https://learn.microsoft.com/exchange/client-developer/legacy-protocols/
    # how-to-authenticate-an-imap-pop-smtp-application-by-using-oauth
    "microsoft": Provider(
        token_url="https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token",  # noqa: S106
        device_url="https://login.microsoftonline.com/{tenant}/oauth2/v2.0/devicecode",
        scope="https://outlook.office.com/POP.AccessAsUser.All offline_access",
        own_scope="https://outlook.office365.com/.default",
    ),
    "other": Provider("", "", "", ""),
}
"""By the name that an option has for them."""
