from pop3proto.sasl import by_name
from pop3proto.sasl.server import LoggedIn, Passwords, password_mechanisms


def test_every_mechanism_that_checks_a_password() -> None:
    offered = password_mechanisms(Passwords({"user": "secret"}), host="pop.example.org")
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
