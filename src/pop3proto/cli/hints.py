"""Hints for those who have a command line, and no Python: options in place of arguments."""

from __future__ import annotations

import re

__all__ = ["hint_for_the_command_line"]

# In this order: "security=TLS or STLS" comes before the part of it. What the command line cannot do
# is left out.
_REPLACED = {
    r"capabilities=False in the ClientOptions": "--no-capa",
    r"pipelining=False in the ClientOptions": "--no-pipelining",
    r"allow_plaintext_auth=True": "--allow-plaintext-auth",
    r"initial_response=False": "--no-initial-response",
    r"initial_response=True": "--initial-response",
    r"security=TLS or STLS": "TLS, without --no-tls",
    r"security=TLS": "a pops:// URL",
    r"security=STLS": "a pop:// URL",
    r'mechanisms=\["(USER|APOP)"\]': r";AUTH=+\1 after the user in the URL",
    r'mechanisms=\["([\w+-]+)"\]': r";AUTH=\1 after the user in the URL",
    r"authenticate\(\) and oauth\(\) take other mechanisms": "the command line cannot use it",
    r"name the mechanisms to use": "name one with ;AUTH= after the user in the URL",
    r"as cafile= of the SSLContext": "with --ca, or its SHA-256 with --fingerprint",
    r"load_cert_chain\(\) of the SSLContext": "--cert",
    r"; (minimum_version|set_ciphers\(\)) of the SSLContext allows \w+ ones": "",
    r", or clear the flag in verify_flags of the SSLContext": "",
    r"server_hostname": "--server-name",
    r", the server's certificate and the SSLContext": " and the server's certificate",
    r"allow more time for the phase that is named": "allow more time with --timeout",
    r"raise the limit that is named, if you trust the peer": "no option raises this limit",
    r"the call itself has": "the command line has",
}


def hint_for_the_command_line(hint: str) -> str:
    """Return ``hint`` with the options that do what its arguments of Python do."""
    for pattern, option in _REPLACED.items():
        hint = re.sub(pattern, option, hint)
    return hint
