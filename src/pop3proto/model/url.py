"""POP URLs (RFC 2384): where a maildrop is, whose it is, and how to log in to it."""

from __future__ import annotations

import re
from typing import Literal

from .._value import value
from ..errors import LocalProtocolError

_PORTS = {"pop": 110, "pops": 995}
_MAX_PORT = 65535
# RFC 2384 section 8: achar, besides letters, digits and escapes.
_ACHAR = "$-_.+!*'(),&=~"
# Patterns are text: a program that connects to a host by its name compiles none of them.
_ENCODED = rf"(?:[A-Za-z0-9{re.escape(_ACHAR)}]|%[0-9A-Fa-f]{{2}})*"
_TO_ENCODE = rf"[^A-Za-z0-9{re.escape(_ACHAR)}]".encode()
_AUTH = r"\*|\+?[A-Z0-9_-]{1,20}"
# Commands that log in. None of them is the name of a SASL mechanism.
_COMMANDS = frozenset({"APOP", "USER"})
# RFC 1035 section 2.3.4: labels of 1 to 63 octets, and the root's dot at the end.
_HOST = r"[A-Za-z0-9_\-\x80-\U0010ffff]{1,63}(?:\.[A-Za-z0-9_\-\x80-\U0010ffff]{1,63})*\.?"
_MAX_HOST = 253


@value
class PopUrl:
    """A POP URL in its parts (RFC 2384); ``str()`` writes it.

    ``pops``, which no RFC describes, is the same with implicit TLS (RFC 8314). Neither can hold a
    password. Raises ``LocalProtocolError`` for a part that no URL can hold; the message does not
    show it.

    >>> PopUrl.parse("pop://user;auth=+apop@pop.example.org:8110")
    PopUrl(host='pop.example.org', port=8110, user='user', auth='+APOP', scheme='pop')
    >>> str(PopUrl("pop.example.org", user="user@example.org", scheme="pops"))
    'pops://user%40example.org@pop.example.org'
    """

    host: str
    """A host name as it was given, not in A-labels, or an address; IPv6 without brackets."""
    port: int | None = None
    """The port from 1 to 65,535, or ``None`` for that of the scheme."""
    user: str | None = None
    """The mailbox, decoded."""
    auth: str | None = None
    """How to log in: ``"*"`` for any way, the name of a SASL mechanism, or, with a plus before
    it, that of a command: ``"+APOP"``, or ``"+USER"`` for USER and PASS."""
    scheme: Literal["pop", "pops"] = "pop"
    """``"pop"``, or ``"pops"`` for implicit TLS."""

    def __post_init__(self) -> None:
        if not _are_texts(self.scheme, self.host, self.user or "", self.auth or ""):
            raise LocalProtocolError("all parts of a POP URL except the port are str")
        if self.scheme not in _PORTS:
            raise LocalProtocolError("a POP URL begins with pop:// or pops://")
        _check_host(self.host)
        # ``True`` is an int, and would be taken as port 1.
        if self.port is not None and (
            type(self.port) is not int or not 1 <= self.port <= _MAX_PORT
        ):
            raise LocalProtocolError(f"the port of a POP URL is 1 to {_MAX_PORT}")
        if self.user is not None:
            _check_user(self.user)
        if self.auth is not None:
            if self.user is None:
                raise LocalProtocolError(";AUTH= in a POP URL needs a user before it")
            _check_auth(self.auth)

    @classmethod
    def parse(cls, text: str) -> PopUrl:
        """Parse ``pop://user;AUTH=mechanism@host:port``; only the scheme and the host are required.

        Raises ``LocalProtocolError`` if ``text`` holds anything else: a password, a path, a query,
        a fragment, or characters that have to be percent-encoded and are not. The message shows no
        part of ``text``, because there may be a secret in it.
        """
        if not _are_texts(text):
            raise LocalProtocolError("a POP URL is a str")
        scheme, mark, server = text.partition("://")
        if not mark or scheme.lower() not in _PORTS:
            raise LocalProtocolError("a POP URL begins with pop:// or pops://")
        login, at, hostport = server.rpartition("@")
        if ":" in login:
            raise LocalProtocolError("a password has no place in a POP URL")
        _refuse_the_rest(server)
        user, auth = _user_auth(login) if at else (None, None)
        host, port = _hostport(hostport)
        return cls(host, port, user, auth, "pops" if scheme.lower() == "pops" else "pop")

    @property
    def implicit_tls(self) -> bool:
        """True if the scheme demands TLS from the first octet."""
        return self.scheme == "pops"

    @property
    def effective_port(self) -> int:
        """The port to connect to; 110 for ``pop`` and 995 for ``pops`` if the URL has none."""
        return _PORTS[self.scheme] if self.port is None else self.port

    @property
    def mechanisms(self) -> tuple[str, ...] | None:
        """The ``mechanisms`` for ``login()``; ``None`` if any way will do.

        A command that ``login()`` does not know keeps its plus, so that it is refused there.
        """
        if self.auth is None or self.auth == "*":
            return None
        command = self.auth.removeprefix("+")
        return (command if command in _COMMANDS else self.auth,)

    def build(self) -> str:
        """Return the URL as text, without the port if it is the scheme's default."""
        login = ""
        if self.user is not None:
            auth = "" if self.auth is None else f";AUTH={self.auth}"
            login = f"{_encoded(self.user)}{auth}@"
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.effective_port == _PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{login}{host}{port}"

    def __str__(self) -> str:
        return self.build()


def _are_texts(*parts: object) -> bool:
    return all(isinstance(part, str) for part in parts)


def _refuse_the_rest(server: str) -> None:
    for mark, name in (("/", "path"), ("?", "query"), ("#", "fragment")):
        if mark in server:
            raise LocalProtocolError(f"a {name} has no place in a POP URL")


def _user_auth(text: str) -> tuple[str, str | None]:
    user, mark, parameter = text.partition(";")
    if not mark:
        return _decoded(user), None
    if parameter[:5].upper() != "AUTH=":
        raise LocalProtocolError("only ;AUTH= can follow the user of a POP URL")
    return _decoded(user), _decoded(parameter[5:]).upper()


def _hostport(text: str) -> tuple[str, int | None]:
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or ":" not in host or rest[:1] not in ("", ":"):
            raise LocalProtocolError("brackets in a POP URL have to hold an IPv6 address")
        digits, mark = rest[1:], rest[:1]
    else:
        host, mark, digits = text.partition(":")
    if not mark:
        return host, None
    # int() also accepts signs, spaces and digits of other scripts.
    if not re.fullmatch(r"[0-9]{1,5}", digits):
        raise LocalProtocolError(f"the port of a POP URL is 1 to {_MAX_PORT}")
    return host, int(digits)


def _decoded(text: str) -> str:
    if not re.fullmatch(_ENCODED, text):
        raise LocalProtocolError(
            "the user of a POP URL has characters to percent-encode, or a broken escape"
        )
    octets = re.sub(rb"%(..)", lambda escape: bytes.fromhex(escape[1].decode()), text.encode())
    decoded = octets.decode("utf-8", "replace")
    # A UnicodeDecodeError would contain the octets.
    if decoded.encode("utf-8") != octets:
        raise LocalProtocolError("the escapes of a POP URL have to be UTF-8")
    return decoded


def _encoded(text: str) -> str:
    return re.sub(_TO_ENCODE, lambda octet: b"%%%02X" % ord(octet[0]), text.encode()).decode()


def _check_user(user: str) -> None:
    if not user:
        raise LocalProtocolError("the user of a POP URL is empty")
    from unicodedata import category

    if any(category(character) in ("Cc", "Cs") for character in user):
        raise LocalProtocolError("the user of a POP URL has a control character")


def _check_auth(auth: str) -> None:
    if not re.fullmatch(_AUTH, auth):
        raise LocalProtocolError(
            ";AUTH= in a POP URL is *, a SASL mechanism in capitals, +APOP or +USER"
        )
    if auth in _COMMANDS:
        # RFC 2384 section 3: without the plus it is the name of a SASL mechanism.
        raise LocalProtocolError(f"{auth} is not a SASL mechanism; the command is ;AUTH=+{auth}")


def _check_host(host: str) -> None:
    if ":" in host:
        from ipaddress import AddressValueError, IPv6Address

        try:
            scoped = IPv6Address(host).scope_id is not None
        except AddressValueError:
            scoped = True
        if scoped:
            raise LocalProtocolError("the host of a POP URL is not a valid IPv6 address")
        return
    from unicodedata import normalize

    # Fullwidth forms and the like become the marks of a URL when the name is prepared for DNS,
    # and the ideographic full stop becomes a dot.
    name = normalize("NFKC", host).replace("\u3002", ".")
    fits = len(name.removesuffix(".")) <= _MAX_HOST
    if not (host.isprintable() and fits and re.fullmatch(_HOST, name)):
        raise LocalProtocolError("the host of a POP URL is not a host name")
