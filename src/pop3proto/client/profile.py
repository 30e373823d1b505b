"""The known faults of a server, to remember from one session to the next."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .._arguments import listed, require
from .._value import value
from ..errors import LocalProtocolError
from ..model.leniency import Deviation, Fault, Leniency


@value
class ServerProfile:
    """The known faults of a server: those that its sessions have shown. It can be stored as JSON.

    One session shows only some of them: ``one | other`` has those of both.
    """

    faults: frozenset[Fault] = frozenset()
    unknown: frozenset[str] = frozenset()
    """Names of faults that a later release has stored, and that this one does not know."""

    @classmethod
    def of(cls, deviations: Iterable[Deviation]) -> ServerProfile:
        """Return the profile of a server with these deviations.

        Pass ``client.deviations``: it does not keep every deviation of a long session, but always
        the first one of each fault.
        """
        found = listed("deviations are a list", deviations, Deviation)
        return cls(frozenset(deviation.fault for deviation in found))

    @classmethod
    def from_json(cls, text: str) -> ServerProfile:
        """Return the profile that ``to_json()`` stored, in this release or a later one.

        Raises ``LocalProtocolError`` if it is anything else.
        """
        import json  # here, because few programs keep profiles

        require("text", text, str, "a str")
        try:
            content: Any = json.loads(text)
        except (ValueError, RecursionError):
            content = None
        match content:
            case {"faults": [*names]} if all(isinstance(name, str) for name in names):
                known = Fault.__members__
                return cls(
                    frozenset(known[name] for name in names if name in known),
                    frozenset(name for name in names if name not in known),
                )
            case _:
                raise LocalProtocolError("text is not the profile of a server")

    def __or__(self, other: ServerProfile) -> ServerProfile:
        """Return the faults of both."""
        return ServerProfile(self.faults | other.faults, self.unknown | other.unknown)

    def to_json(self) -> str:
        """Return the profile as a JSON object; no sample of the server's lines is in it."""
        import json

        names = {fault.name for fault in self.faults} | self.unknown
        return json.dumps({"faults": sorted(names)})

    def leniency(self) -> Leniency:
        """Return the least leniency that this server needs."""
        return Leniency(self.faults)
