"""Both halves of the protocol: octets to events and commands to octets, for client and server."""
