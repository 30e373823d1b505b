from hashlib import md5
from typing import Any

import pytest

from pop3proto import Apop, LocalProtocolError
from pop3proto.model.secret import Secret
from pop3proto.sasl import apop_command
from pop3proto.sasl.apop import apop_digest
from pop3proto.sasl.users import apop_digest_matches
from tests.samples import DIGEST, TIMESTAMP

SECRET = "tanstaaf"


def test_apop_is_that_of_the_rfc() -> None:
    command = apop_command("mrose", TIMESTAMP, "tanstaaf")
    assert command == Apop("mrose", DIGEST)
    assert command.to_bytes() == b"APOP mrose c4c9334bac560ecc979e58001b3e22fb\r\n"
    assert apop_command("mrose", TIMESTAMP, b"tanstaaf") == command
    octets = apop_command(b"mrose", TIMESTAMP, "pässwörd".encode())
    assert octets.digest == apop_command("mrose", TIMESTAMP, "pässwörd").digest


@pytest.mark.parametrize("empty", ["", b""])
def test_a_password_can_be_empty(empty: str | bytes) -> None:
    digest = md5(TIMESTAMP.encode()).hexdigest()
    assert apop_command("mrose", TIMESTAMP, empty) == Apop("mrose", digest)


def test_the_longest_password() -> None:
    assert apop_command("mrose", TIMESTAMP, "x" * 8_192).name == "mrose"
    with pytest.raises(LocalProtocolError, match="too long"):
        apop_command("mrose", TIMESTAMP, "x" * 8_193)


@pytest.mark.parametrize("name", ["", "mrose\n", 5])
def test_no_name(name: Any) -> None:
    with pytest.raises(LocalProtocolError, match="user name"):
        apop_command(name, TIMESTAMP, SECRET)


@pytest.mark.parametrize("timestamp", ["<1@exämple.org>", "\udcff", None, b"<1@example.org>"])
def test_no_apop_timestamp(timestamp: Any) -> None:
    with pytest.raises(LocalProtocolError, match="timestamp"):
        apop_command("mrose", timestamp, SECRET)


def test_both_ends_compute_the_same() -> None:
    assert apop_digest(TIMESTAMP, Secret(SECRET)) == DIGEST
    assert apop_digest_matches(DIGEST, TIMESTAMP, SECRET)
    assert not apop_digest_matches(DIGEST, TIMESTAMP, SECRET.upper())
