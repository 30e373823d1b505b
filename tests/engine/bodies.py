"""What a dot-terminated body holds, read the slow way from RFC 1939 section 3."""

from __future__ import annotations

from collections.abc import Iterable

from pop3proto.engine.wire import BodyReader, ReceiveBuffer


def expected_content(wire: bytes, newline: bytes) -> tuple[bytes, int, bytes | None]:
    """The content of ``wire``, its lines with a single dot, and what follows the terminator.

    The last is ``None`` if there is no terminator; what there is of an unfinished line is left
    out of the content then.
    """
    content: list[bytes] = []
    single = 0
    *lines, unfinished = wire.split(newline)
    for i, line in enumerate(lines):
        if line == b"." or (newline == b"\n" and line == b".\r"):
            return b"".join(content), single, newline.join([*lines[i + 1 :], unfinished])
        single += line.startswith(b".") and not line.startswith(b"..")
        content.append((line[1:] if line.startswith(b"..") else line) + newline)
    return b"".join(content), single, None


def reader(newline: bytes = b"\r\n") -> tuple[ReceiveBuffer, BodyReader]:
    """A buffer with a status line that ends with ``newline``, and a reader behind it."""
    buffer = ReceiveBuffer()
    buffer.feed(b"+OK" + newline)
    assert buffer.next_line(100, "status_line") == b"+OK"
    return buffer, BodyReader(buffer).begin()


def read_all(buffer: ReceiveBuffer, body: BodyReader, chunks: Iterable[bytes]) -> bytes:
    """The content of ``chunks``, each of which is read before the next one comes."""
    content = b""
    for chunk in chunks:
        buffer.feed(chunk)
        while data := body.read():
            content += data
    return content


def waiting(buffer: ReceiveBuffer) -> bytes:
    """What was received and not consumed."""
    buffer.merge()
    return buffer.data[buffer.start :]


def check(wire: bytes, newline: bytes, chunks: Iterable[bytes]) -> None:
    """Compare what is read from ``chunks``, which make up ``wire``, with what is expected."""
    content, single, rest = expected_content(wire, newline)
    buffer, body = reader(newline)
    found = read_all(buffer, body, chunks)
    assert body.complete is (rest is not None), (wire, newline)
    assert body.octets == len(found)
    if rest is not None:
        assert (found, body.unstuffed, waiting(buffer)) == (content, single, rest), (wire, newline)
        return
    # Of an unfinished line all is handed out but what can become a terminator or a doubled dot.
    assert found.startswith(content[:-2]), (wire, newline)
    assert len(waiting(buffer)) <= 4 + len(newline), (wire, newline)
    buffer.feed(newline + b"." + newline)
    ended = found + read_all(buffer, body, [])
    while data := body.read():
        ended += data
    assert body.complete, (wire, newline)
    assert ended == expected_content(wire + newline + b"." + newline, newline)[0], (wire, newline)
