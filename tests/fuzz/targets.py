"""What is fuzzed: the engines, by the kit that ships, and the reader of mail.

For the reader of mail, the whole input is a message.
"""

from __future__ import annotations

from collections.abc import Callable

from pop3proto.testing.fuzz.seeds import seeds
from pop3proto.testing.fuzz.targets import fuzz_client, fuzz_server
from tests.mail.reading import read_all
from tests.mail.samples import MAIL

__all__ = ["SEEDS", "TARGETS", "fuzz_mail"]


def fuzz_mail(data: bytes) -> None:
    """Read a message, whatever it is."""
    read_all(data)


TARGETS: dict[str, Callable[[bytes], None]] = {
    "client": fuzz_client,
    "server": fuzz_server,
    "mail": fuzz_mail,
}
SEEDS = {"client": seeds("client"), "server": seeds("server"), "mail": list(MAIL)}
