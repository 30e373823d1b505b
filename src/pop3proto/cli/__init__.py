"""The command line, ``pop3proto``: one module for each command."""
