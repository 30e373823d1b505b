"""POP3 as a sans-I/O protocol engine, for both ends of the connection.

Where to start:

- To talk to a server: ``connect()`` returns a blocking client, which has a method for everything;
  ``pop3proto.transports.asyncio``, ``trio`` and ``anyio`` have an async one.
- To drive the engine from a loop of your own: ``ClientConnection``, ``ServerConnection`` and
  ``Login``, with commands (``Retr``), replies and events (``MessageData``).
- To test: ``pop3proto.testing`` has servers on loopback, in memory, and driven by a script.

>>> connection = ClientConnection()
>>> connection.receive_data(b"+OK ready\\r\\n")
>>> connection.next_event()
Greeting(text='ready')
>>> connection.send(Capa())
b'CAPA\\r\\n'

Every error is a ``Pop3Error``; all of them are in ``pop3proto.errors``. Besides these there are
``pop3proto.server`` for servers of your own, ``pop3proto.transcript`` for recorded sessions,
``pop3proto.sasl`` for ways to log in, and ``pop3proto.compat``, a drop-in for ``poplib``.
"""

from typing import TYPE_CHECKING

from ._lazy import loads_when_asked
from ._version import __version__
from .engine.client import ClientConnection
from .errors import (
    AuthenticationError,
    CommandError,
    ConnectionLostError,
    DeadlineError,
    LocalProtocolError,
    LoginError,
    Pop3Error,
    RemoteProtocolError,
    TlsError,
)
from .model.capabilities import Capabilities
from .model.command import Command
from .model.commands import (
    Capa,
    Dele,
    Extension,
    Lang,
    Last,
    List,
    Noop,
    Quit,
    Retr,
    Rset,
    Stat,
    Stls,
    Top,
    Uidl,
    Upload,
    Utf8,
)
from .model.events import ClientEvent, ConnectionClosed, InvalidCommand, ServerEvent
from .model.leniency import Deviation, Fault, Leniency
from .model.limits import Limits
from .model.listings import (
    Listing,
    Listings,
)
from .model.login_commands import Apop, Auth, AuthCancel, AuthList, AuthResponse, Pass, Rpop, User
from .model.replies import (
    CapaReply,
    Challenge,
    ErrorReply,
    Greeting,
    LangReply,
    LastReply,
    ListReply,
    MechanismsReply,
    Message,
    MessageData,
    MessageEnd,
    MessageStart,
    Ok,
    ResponseCode,
    ServerReply,
    StatReply,
    UidlReply,
)
from .model.secret import Secret
from .model.states import Signal, State

if TYPE_CHECKING:
    from .engine.server import ServerConnection
    from .model.url import PopUrl
    from .sasl.login import Login
    from .sasl.results import LoginResult
    from .transports.blocking import connect

__all__ = [
    "Apop",
    "Auth",
    "AuthCancel",
    "AuthList",
    "AuthResponse",
    "AuthenticationError",
    "Capa",
    "CapaReply",
    "Capabilities",
    "Challenge",
    "ClientConnection",
    "ClientEvent",
    "Command",
    "CommandError",
    "ConnectionClosed",
    "ConnectionLostError",
    "DeadlineError",
    "Dele",
    "Deviation",
    "ErrorReply",
    "Extension",
    "Fault",
    "Greeting",
    "InvalidCommand",
    "Lang",
    "LangReply",
    "Last",
    "LastReply",
    "Leniency",
    "Limits",
    "List",
    "ListReply",
    "Listing",
    "Listings",
    "LocalProtocolError",
    "Login",
    "LoginError",
    "LoginResult",
    "MechanismsReply",
    "Message",
    "MessageData",
    "MessageEnd",
    "MessageStart",
    "Noop",
    "Ok",
    "Pass",
    "Pop3Error",
    "PopUrl",
    "Quit",
    "RemoteProtocolError",
    "ResponseCode",
    "Retr",
    "Rpop",
    "Rset",
    "Secret",
    "ServerConnection",
    "ServerEvent",
    "ServerReply",
    "Signal",
    "Stat",
    "StatReply",
    "State",
    "Stls",
    "TlsError",
    "Top",
    "Uidl",
    "UidlReply",
    "Upload",
    "User",
    "Utf8",
    "__version__",
    "connect",
]

_HOMES = {
    "engine.server": ("ServerConnection",),
    "model.url": ("PopUrl",),
    "sasl.login": ("Login",),
    "sasl.results": ("LoginResult",),
    "transports.blocking": ("connect",),
}

if not TYPE_CHECKING:  # or every name would be there for a type checker
    # The client's engine alone takes a third of the time to load.
    __getattr__, __dir__ = loads_when_asked(__name__, _HOMES)
