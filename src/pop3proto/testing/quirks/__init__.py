"""A server that misbehaves on purpose, in every way that real servers do."""
