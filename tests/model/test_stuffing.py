"""Dot-stuffing of a body, chunk by chunk."""

import pytest

from pop3proto.model.stuffing import BodyWriter

WRITTEN = {
    "nothing": ([], b".\r\n"),
    "no octets": ([b""], b".\r\n"),
    "a line": ([b"a\r\n"], b"a\r\n.\r\n"),
    "no final line end": ([b"a"], b"a\r\n.\r\n"),
    "bare LF": ([b"a\nb\n"], b"a\r\nb\r\n.\r\n"),
    "LF and CRLF": ([b"a\nb\r\n\n"], b"a\r\nb\r\n\r\n.\r\n"),
    "bare CR": ([b"a\rb\r\n"], b"a\rb\r\n.\r\n"),
    "bare CR at the end": ([b"a\r"], b"a\r\r\n.\r\n"),
    "only a CR": ([b"\r"], b"\r\r\n.\r\n"),
    "CR CR LF": ([b"a\r\r\n"], b"a\r\r\n.\r\n"),
    "dots": ([b".\r\n..\r\na.\r\n"], b"..\r\n...\r\na.\r\n.\r\n"),
    "a dot behind bare LF": ([b"a\n.\nb"], b"a\r\n..\r\nb\r\n.\r\n"),
    "a dot behind bare CR": ([b"a\r."], b"a\r.\r\n.\r\n"),
    "a dot in a later chunk": ([b"a\r\n", b".b"], b"a\r\n..b\r\n.\r\n"),
    "a dot behind half a line": ([b"a", b".b"], b"a.b\r\n.\r\n"),
    "CRLF in two chunks": ([b"a\r", b"\n.b\r\n"], b"a\r\n..b\r\n.\r\n"),
    "CR and text in two chunks": ([b"a\r", b"b"], b"a\rb\r\n.\r\n"),
    "CR and CR in two chunks": ([b"a\r", b"\r", b"\n"], b"a\r\r\n.\r\n"),
    "CR and nothing": ([b"a\r", b"", b"\n"], b"a\r\n.\r\n"),
    "a blank line and a dot": ([b"\r\n.b"], b"\r\n..b\r\n.\r\n"),
    "the terminator": ([b".\r\n"], b"..\r\n.\r\n"),
}


@pytest.mark.parametrize(("chunks", "wire"), WRITTEN.values(), ids=WRITTEN)
def test_what_is_written(chunks: list[bytes], wire: bytes) -> None:
    writer = BodyWriter()
    assert b"".join(map(writer.write, chunks)) + writer.finish() == wire


@pytest.mark.parametrize(("chunks", "wire"), WRITTEN.values(), ids=WRITTEN)
def test_what_is_written_does_not_depend_on_the_chunks(chunks: list[bytes], wire: bytes) -> None:
    writer = BodyWriter()
    pieces = [bytes([octet]) for octet in b"".join(chunks)]
    assert b"".join(map(writer.write, pieces)) + writer.finish() == wire
