from pop3proto.sasl import ChannelBinding, by_name
from pop3proto.sasl.server import LoggedIn, Passwords, password_mechanisms

USERS = Passwords({"user": "secret"})
BINDING = ChannelBinding("tls-server-end-point", b"certificate")


def test_every_mechanism_that_checks_a_password() -> None:
    offered = password_mechanisms(USERS, host="pop.example.org")
    assert [mechanism.name for mechanism in offered] == [
        "SCRAM-SHA-512",
        "SCRAM-SHA-256",
        "SCRAM-SHA-1",
        "CRAM-MD5",
        "DIGEST-MD5",
        "PLAIN",
        "LOGIN",
    ]
    for mechanism in offered:
        client = by_name(mechanism.name, "user", "secret", host="pop.example.org")
        exchange = mechanism.begin()
        outcome = exchange.respond(client.initial())
        while isinstance(outcome, bytes):
            outcome = exchange.respond(client.respond(outcome))
        assert outcome == LoggedIn("user")


def test_the_bound_forms_come_first_and_the_others_know_of_them() -> None:
    offered = password_mechanisms(USERS, host="pop.example.org", channel_bindings=[BINDING])
    hashes = ["SHA-512", "SHA-256", "SHA-1"]
    assert [mechanism.name for mechanism in offered[:6]] == [
        *(f"SCRAM-{name}-PLUS" for name in hashes),
        *(f"SCRAM-{name}" for name in hashes),
    ]
    for bound, unbound in zip(offered[:3], offered[3:6], strict=True):
        client = by_name(bound.name, "user", "secret", channel_binding=BINDING)
        assert bound.begin().respond(client.initial())
        # Somebody has removed the offer.
        client = by_name(unbound.name, "user", "secret", can_bind=True)
        assert unbound.begin().respond(client.initial()) is None


def test_without_a_binding_nobody_has_removed_an_offer() -> None:
    scram = password_mechanisms(USERS, host="pop.example.org")[0]
    client = by_name(scram.name, "user", "secret", can_bind=True)
    assert scram.begin().respond(client.initial())
