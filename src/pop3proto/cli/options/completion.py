"""The options of ``pop3proto completion``."""

from __future__ import annotations

import argparse

__all__ = ["add"]


def add(parser: argparse.ArgumentParser) -> None:
    """Add what the command says of itself, its arguments and its options."""
    parser.description = "Print a script that makes a shell complete this command line."
    parser.epilog = (
        "bash: put it into ~/.local/share/bash-completion/completions/pop3proto."
        " zsh: put it into a folder of $fpath, as _pop3proto."
        " fish: put it into ~/.config/fish/completions/pop3proto.fish."
    )
    parser.add_argument("shell", choices=("bash", "zsh", "fish"), help="which shell")
