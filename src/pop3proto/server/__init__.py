"""The server's session, and the maildrops that it answers from, without input or output.

The code that reads and writes the connection hands the octets to ``ServerSession.receive_data()``,
asks ``next_action()`` what to do next, and calls ``close()`` at the end.
"""

from ..sasl.plain import ServerPlain
from ..sasl.users import (
    Attempt,
    Authenticator,
    LoggedIn,
    Passwords,
    PasswordSource,
    ServerMechanism,
    Verdict,
)
from .actions import Action, Close, Delay, NeedData, Send, StartTls
from .hooks import Hooks
from .maildrop import (
    MaildirMaildrops,
    Maildrop,
    MaildropProvider,
    MemoryMaildrops,
    StoredMessage,
    UpdateError,
    first_lines,
    wire_octets,
)
from .options import ServerOptions
from .session import ServerSession

__all__ = [
    "Action",
    "Attempt",
    "Authenticator",
    "Close",
    "Delay",
    "Hooks",
    "LoggedIn",
    "MaildirMaildrops",
    "Maildrop",
    "MaildropProvider",
    "MemoryMaildrops",
    "NeedData",
    "PasswordSource",
    "Passwords",
    "Send",
    "ServerMechanism",
    "ServerOptions",
    "ServerPlain",
    "ServerSession",
    "StartTls",
    "StoredMessage",
    "UpdateError",
    "Verdict",
    "first_lines",
    "wire_octets",
]
