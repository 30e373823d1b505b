"""Whole sessions as values, with and without damage."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .._value import value
from ..model.command import Command
from ..model.replies import Greeting, MessageData, MessageEnd, ServerReply
from ..model.stuffing import BodyWriter

__all__ = ["BrokenConversation", "Conversation", "Damage", "Exchange"]


@value
class Exchange:
    """A command and its answer."""

    command: Command[Any]
    replies: tuple[ServerReply, ...]

    @property
    def server_octets(self) -> bytes:
        """The octets of the answer."""
        writer = BodyWriter()
        parts: list[bytes] = []
        for reply in self.replies:
            if isinstance(reply, MessageData):
                parts.append(writer.write(reply.data))
            elif isinstance(reply, MessageEnd):
                parts.append(writer.finish())
            else:
                parts.append(reply.to_bytes())
        return b"".join(parts)


@value
class Conversation:
    """A whole session, from the greeting to the answer to QUIT."""

    greeting: Greeting
    exchanges: tuple[Exchange, ...]

    @property
    def rounds(self) -> tuple[tuple[Exchange, ...], ...]:
        """The exchanges, in groups that can be sent together; each group ends with a barrier."""
        rounds: list[tuple[Exchange, ...]] = [()]
        for exchange in self.exchanges:
            rounds[-1] += (exchange,)
            if exchange.command.barrier:
                rounds.append(())
        return tuple(filter(None, rounds))

    @property
    def commands(self) -> tuple[Command[Any], ...]:
        """The client's commands, in order."""
        return tuple(exchange.command for exchange in self.exchanges)

    @property
    def replies(self) -> tuple[ServerReply, ...]:
        """The server's replies, in order: the events that a client's engine has to return."""
        answers = (reply for exchange in self.exchanges for reply in exchange.replies)
        return (self.greeting, *answers)

    @property
    def client_octets(self) -> bytes:
        """The client's octets."""
        return b"".join(command.to_bytes() for command in self.commands)

    @property
    def server_octets(self) -> bytes:
        """The server's octets."""
        answers = (exchange.server_octets for exchange in self.exchanges)
        return self.greeting.to_bytes() + b"".join(answers)


@value
class Damage:
    """Octets that were changed, left out, repeated or added."""

    position: int
    """The position, in octets from the start of the data."""
    removed: int
    """How many octets are removed there."""
    inserted: bytes
    """The octets that replace them."""

    @staticmethod
    def done(damages: Sequence[Damage], data: bytes) -> bytes:
        """Return ``data`` with ``damages``, whose positions are those of the undamaged ``data``."""
        octets = bytearray(data)
        for damage in sorted(damages, key=lambda some: some.position, reverse=True):
            octets[damage.position : damage.position + damage.removed] = damage.inserted
        return bytes(octets)


@value
class BrokenConversation:
    """A session in which the octets of one side, or of both, are damaged.

    A client can send all of its commands after the greeting, before it reads another octet.
    """

    conversation: Conversation
    """The session before the damage."""
    server_damage: tuple[Damage, ...]
    """The damage to the server's octets after the greeting, which stays whole."""
    client_damage: tuple[Damage, ...]
    """The damage to the client's octets."""

    @property
    def server_octets(self) -> bytes:
        """The server's octets, damaged."""
        greeting = self.conversation.greeting.to_bytes()
        answers = self.conversation.server_octets[len(greeting) :]
        return greeting + Damage.done(self.server_damage, answers)

    @property
    def client_octets(self) -> bytes:
        """The client's octets, damaged."""
        return Damage.done(self.client_damage, self.conversation.client_octets)
