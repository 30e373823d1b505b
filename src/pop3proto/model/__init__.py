"""The vocabulary of POP3: values without state and without input or output.

Most of these values are public in ``pop3proto``; those that few programs need are public here.
"""

from .capabilities import Capability, Expire, LoginDelay
from .command import Effect
from .replies import Language

__all__ = ["Capability", "Effect", "Expire", "Language", "LoginDelay"]
