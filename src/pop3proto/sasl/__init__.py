"""SASL mechanisms (RFC 4422) as small objects: octets in, octets out."""

from ._mechanism import ChannelBinding, Mechanism

__all__ = ["ChannelBinding", "Mechanism"]
