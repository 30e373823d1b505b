"""POP3 as a sans-I/O protocol engine, for both ends of the wire.

Where to start:

- To talk to a server: ``connect()`` of ``pop3proto.transports.blocking``, ``asyncio``, ``trio`` or
  ``anyio`` returns a client, which has a method for everything.
- To drive the engine from a loop of your own: ``ClientConnection`` and ``ServerConnection``. They
  are here, and so are commands (``Retr``), replies and events (``MessageData``), and all errors
  (``Pop3Error``).
- To test: ``pop3proto.testing`` has servers on loopback, in memory and by a script.

>>> connection = ClientConnection()
>>> connection.receive_data(b"+OK ready\\r\\n")
>>> connection.next_event()
Greeting(text='ready')
>>> connection.send(Capa())
b'CAPA\\r\\n'

Besides these there are ``pop3proto.server`` and ``pop3proto.server`` for servers of your own,
``pop3proto.transcript`` for recorded sessions, ``pop3proto.sasl`` for ways to log in,
``pop3proto.url``, and ``pop3proto.compat``, a drop-in for ``poplib``.
"""

from typing import TYPE_CHECKING

from ._version import __version__
from .engine.client import ClientConnection
from .engine.server import ServerConnection
from .errors import (
    AuthenticationError,
    BusyError,
    CommandError,
    ConnectError,
    ConnectionLostError,
    CredentialsError,
    DeadConnectionError,
    DeadlineError,
    GreetingError,
    LimitError,
    LocalProtocolError,
    LoginDelayError,
    LoginError,
    MaildropError,
    MaildropInUseError,
    MaildropLockedError,
    MechanismError,
    OAuthError,
    PermanentServerError,
    PlaintextAuthError,
    Pop3Error,
    ProtocolError,
    RemoteProtocolError,
    SaslError,
    ServerVerificationError,
    StlsInjectionError,
    TemporaryServerError,
    TlsError,
    TlsUnavailableError,
    TranscriptError,
    printable,
)
from .model.capabilities import Capabilities, Capability, Expire, LoginDelay
from .model.command import Effect
from .model.commands import (
    Apop,
    Auth,
    AuthCancel,
    AuthList,
    AuthResponse,
    Capa,
    Command,
    Dele,
    Extension,
    Lang,
    Last,
    List,
    Noop,
    Pass,
    Quit,
    Retr,
    Rpop,
    Rset,
    Stat,
    Stls,
    Top,
    Uidl,
    Upload,
    User,
    Utf8,
)
from .model.events import (
    ClientEvent,
    ConnectionClosed,
    InvalidCommand,
    ServerEvent,
    ServerReply,
)
from .model.leniency import Deviation, Fault, Leniency
from .model.limits import Limits
from .model.listings import (
    Listing,
    Listings,
)
from .model.replies import (
    CapaReply,
    Challenge,
    ErrorReply,
    Greeting,
    LangReply,
    Language,
    LastReply,
    ListReply,
    MechanismsReply,
    Message,
    MessageData,
    MessageEnd,
    MessageStart,
    Ok,
    ResponseCode,
    StatReply,
    UidlReply,
)
from .model.secret import Secret
from .model.states import ReplyShape, Signal, State
from .model.url import PopUrl
from .sasl.login import Login, LoginResult

if TYPE_CHECKING:
    from .transports.blocking import connect

__all__ = [
    "Apop",
    "Auth",
    "AuthCancel",
    "AuthList",
    "AuthResponse",
    "AuthenticationError",
    "BusyError",
    "Capa",
    "CapaReply",
    "Capabilities",
    "Capability",
    "Challenge",
    "ClientConnection",
    "ClientEvent",
    "Command",
    "CommandError",
    "ConnectError",
    "ConnectionClosed",
    "ConnectionLostError",
    "CredentialsError",
    "DeadConnectionError",
    "DeadlineError",
    "Dele",
    "Deviation",
    "Effect",
    "ErrorReply",
    "Expire",
    "Extension",
    "Fault",
    "Greeting",
    "GreetingError",
    "InvalidCommand",
    "Lang",
    "LangReply",
    "Language",
    "Last",
    "LastReply",
    "Leniency",
    "LimitError",
    "Limits",
    "List",
    "ListReply",
    "Listing",
    "Listings",
    "LocalProtocolError",
    "Login",
    "LoginDelay",
    "LoginDelayError",
    "LoginError",
    "LoginResult",
    "MaildropError",
    "MaildropInUseError",
    "MaildropLockedError",
    "MechanismError",
    "MechanismsReply",
    "Message",
    "MessageData",
    "MessageEnd",
    "MessageStart",
    "Noop",
    "OAuthError",
    "Ok",
    "Pass",
    "PermanentServerError",
    "PlaintextAuthError",
    "Pop3Error",
    "PopUrl",
    "ProtocolError",
    "Quit",
    "RemoteProtocolError",
    "ReplyShape",
    "ResponseCode",
    "Retr",
    "Rpop",
    "Rset",
    "SaslError",
    "Secret",
    "ServerConnection",
    "ServerEvent",
    "ServerReply",
    "ServerVerificationError",
    "Signal",
    "Stat",
    "StatReply",
    "State",
    "Stls",
    "StlsInjectionError",
    "TemporaryServerError",
    "TlsError",
    "TlsUnavailableError",
    "Top",
    "TranscriptError",
    "Uidl",
    "UidlReply",
    "Upload",
    "User",
    "Utf8",
    "__version__",
    "connect",
    "printable",
]

if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        # The engine alone needs no sockets, and takes half as long to load.
        if name == "connect":
            from .transports.blocking import connect

            return connect
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
