import pytest

from pop3proto import Secret
from pop3proto.sasl.scram_messages import (
    attributes,
    client_proof,
    derive,
    escaped,
    fresh_nonce,
    is_nonce,
    keys_for,
    proves,
    signature,
    unescaped,
)

KEYS = keys_for("sha1", Secret(b"pencil"), b"salt", 4096)


@pytest.mark.parametrize(
    ("message", "wanted", "values"),
    [
        (b"r=a,s=b,i=1", "rsi", [b"a", b"b", b"1"]),
        (b"r=a=,s=", "rs", [b"a=", b""]),
        (b"r=a,x=y", "r", [b"a"]),
        (b"r=a", "rs", None),
        (b"s=b,r=a", "rs", None),
        (b"r", "r", None),
        (b"rr=a", "r", None),
        (b"r=a,1=x", "r", None),
        (b"r=a,xx=x", "r", None),
        (b"r=a\0", "r", None),
        (b"r=a,,", "r", None),
        (b"r=a,m=x", "r", None),
        (b"", "r", None),
    ],
)
def test_messages_are_taken_apart(message: bytes, wanted: str, values: list[bytes] | None) -> None:
    assert attributes(message, wanted) == values


def test_a_proof_is_proof_of_one_conversation() -> None:
    client_key, server_key = derive("sha1", Secret(b"pencil"), b"salt", 4096)
    assert server_key == Secret(KEYS.server_key)
    proof = client_proof("sha1", client_key, b"one")
    assert proves("sha1", KEYS.stored_key, b"one", proof)
    assert not proves("sha1", KEYS.stored_key, b"other", proof)
    assert signature("sha1", server_key, b"one") != signature("sha1", server_key, b"other")


@pytest.mark.parametrize("proof", [b"", b"QQ==", b"no base64", b"A" * 28])
def test_what_is_no_proof(proof: bytes) -> None:
    assert not proves("sha1", KEYS.stored_key, b"one", proof)


@pytest.mark.parametrize("name", [b"user", b"a,b=c", b"=2C", b"\xff"])
def test_names_are_escaped(name: bytes) -> None:
    assert unescaped(escaped(name)) == name
    assert b"," not in escaped(name)


@pytest.mark.parametrize("name", [b"", b"a=b", b"a=2c", b"=3"])
def test_what_is_no_saslname(name: bytes) -> None:
    assert unescaped(name) is None


def test_nonces() -> None:
    assert is_nonce(fresh_nonce())
    assert fresh_nonce() != fresh_nonce()


def test_a_nonce_is_printable_and_has_no_commas() -> None:
    everything = bytes(range(256))
    assert bytes(octet for octet in everything if is_nonce(bytes([octet]))) == (
        b"!\"#$%&'()*+-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`"
        b"abcdefghijklmnopqrstuvwxyz{|}~"
    )
    assert not is_nonce(b"")
    assert not is_nonce(b"ab\x7f")
    for wrong in (b"", b"a,b", b"a b", b"a\x7f", b"\xff"):
        assert not is_nonce(wrong)
