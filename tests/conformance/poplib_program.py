"""What most programs do with the standard library's poplib: every message, then DELE."""

from __future__ import annotations

import hashlib
import os
import poplib
import ssl
import sys
from pathlib import Path


def main(*, delete: bool) -> None:
    host, port = os.environ["POP3_HOST"], int(os.environ["POP3_PORT"])
    context = ssl.create_default_context(cafile=os.environ["POP3_CA"])
    if os.environ["POP3_SECURITY"] == "tls":
        client: poplib.POP3 = poplib.POP3_SSL(host, port, timeout=10, context=context)
    else:
        client = poplib.POP3(host, port, timeout=10)
        client.stls(context)
    client.user(os.environ["POP3_USER"])
    client.pass_(os.environ["POP3_PASSWORD"])
    for row in client.uidl()[1]:
        number, unique_id = row.split(b" ", 1)
        _, lines, _ = client.retr(int(number))
        path = Path(os.environ["POP3_OUTPUT"], hashlib.sha256(unique_id).hexdigest())
        path.write_bytes(b"\r\n".join(lines) + b"\r\n")
        if delete:
            client.dele(int(number))
    client.quit()


if __name__ == "__main__":
    main(delete="delete" in sys.argv)
