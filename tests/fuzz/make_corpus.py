"""Writes the seed corpus: ``python -m tests.fuzz.make_corpus``.

A seed is named by what it holds, so that a run that changes nothing writes nothing new.
"""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from tests.fuzz.targets import IN_FLIGHT
from tests.property.test_chunking import ANSWERS, AUTHORIZATION, REQUESTS

CORPUS = Path(__file__).parent / "corpus"
_CHUNKS = (0, 6, 63)


def write(role: str, data: bytes) -> None:
    """Keep ``data`` as a seed for ``role``."""
    folder = CORPUS / role
    folder.mkdir(parents=True, exist_ok=True)
    (folder / sha256(data).hexdigest()[:16]).write_bytes(data)


def main() -> None:
    """Write all seeds."""
    for number, (commands, wire) in enumerate(ANSWERS.values()):
        fitting = [i for i, c in enumerate(IN_FLIGHT) if c[:1] == tuple(commands)[:1]] or [1]
        write("client", bytes([_CHUNKS[number % 3], fitting[0]]) + wire)
    for wire in (b"+OK <1.2@example.org>\r\n", b"-ERR busy\r\n", b"* OK IMAP\r\n"):
        write("client", bytes([3, 200]) + wire)
    for _, wire in AUTHORIZATION.values():
        write("client", bytes([3, 201]) + wire)
    for number, wire in enumerate(REQUESTS.values()):
        write("server", bytes([_CHUNKS[number % 3]]) + wire)


if __name__ == "__main__":
    main()
