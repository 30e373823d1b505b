"""Reading mail that may be hostile: what ``Message.as_email()`` does, for any octets.

from pop3proto.mail import parse

email = parse(Path("message.eml").read_bytes())
"""

from .structure import MAX_DEPTH, MAX_PARTS, LimitDefect, parse

__all__ = ["MAX_DEPTH", "MAX_PARTS", "LimitDefect", "parse"]
