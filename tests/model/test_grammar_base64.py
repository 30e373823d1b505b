import pytest

from pop3proto.model.grammar import decode_base64, encode_base64


@pytest.mark.parametrize(
    ("text", "data"),
    [
        (b"", b""),
        (b"AHRlc3QAdGVzdA==", b"\0test\0test"),
        (b"AHRlc3Q=", b"\0test"),
        (b"AHRlc3Rz", b"\0tests"),
        (b"/+8=", b"\xff\xef"),
    ],
)
def test_what_is_base64(text: bytes, data: bytes) -> None:
    assert decode_base64(text) == data


@pytest.mark.parametrize(
    "text",
    [
        # Too little, too much, or misplaced padding.
        *[b"A", b"AA", b"AAA", b"=", b"==", b"===", b"====", b"A===", b"AAAA=", b"AAAA=="],
        *[b"AAAA====", b"=AAA", b"AA=A", b"AA==AAAA", b"AA==AA=="],
        # Octets of no base64, or of another one.
        *[
            b"Go on",
            b"AA AA",
            b"AAA ",
            b"AAAA ",
            b"AAAA\r\n",
            b"AA\nAA",
            b"-_-_",
            b"\xff\xff\xff\xff",
        ],
        *[b"*", b"AAA\x00"],
    ],
)
def test_what_is_none(text: bytes) -> None:
    assert decode_base64(text) is None


@pytest.mark.parametrize("data", [b"", b"a", b"ab", b"abc", bytes(range(256))])
def test_there_and_back(data: bytes) -> None:
    text = encode_base64(data)
    assert b"\n" not in text
    assert decode_base64(text) == data
