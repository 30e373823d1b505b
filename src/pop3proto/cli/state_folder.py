"""Where this system has files that programs keep."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from ..errors import LocalProtocolError

__all__ = ["state_folder"]


def state_folder(option: str) -> Path:
    """Return the folder for what the command line remembers.

    Raises ``LocalProtocolError``, which names the ``option`` for another place, if there is none.
    """
    if sys.platform == "win32":
        base, default = "LOCALAPPDATA", "~/AppData/Local"
    else:
        base, default = "XDG_STATE_HOME", "~/.local/state"
    folder = os.environ.get(base) or os.path.expanduser(default)
    if folder.startswith("~"):
        raise LocalProtocolError(
            "this user has no home folder for what is remembered", hint=f"name a file: {option}"
        )
    return Path(folder) / "pop3proto"
