"""The client's session, written once for all runtimes, over the four methods of a ``Stream``."""
