"""The vocabulary of POP3: values without state and without input or output.

Most of these values are public in ``pop3proto``; those that few programs need are public here.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .capabilities import Capability, Expire, LoginDelay
    from .command import Effect
    from .replies import Language
    from .states import ReplyShape

__all__ = ["Capability", "Effect", "Expire", "Language", "LoginDelay", "ReplyShape"]

if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        # Imported when asked for, because this module is loaded before all others of the folder.
        if name in __all__:
            from . import capabilities, command, replies, states

            modules = (capabilities, command, replies, states)
            return next(getattr(m, name) for m in modules if hasattr(m, name))
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
