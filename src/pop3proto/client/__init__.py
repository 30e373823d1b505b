"""The client's session, written once for every runtime over the four methods of a ``Stream``."""
