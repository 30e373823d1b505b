"""A small program that fetches mail, and is right but for the fault that its argument names."""

from __future__ import annotations

import hashlib
import os
import socket
import ssl
import sys
import time
from pathlib import Path

PATIENCE = 3.0


class RefusedError(Exception):
    pass


class Program:
    def __init__(self, fault: str, *, deletes: bool) -> None:
        self.fault = fault
        self.deletes = deletes
        self.output = Path(os.environ["POP3_OUTPUT"])
        self.buffer = b""
        self.said = 0
        self.code = 0
        self.sock: socket.socket = socket.create_connection(
            (os.environ["POP3_HOST"], int(os.environ["POP3_PORT"])), timeout=PATIENCE
        )

    def secure(self) -> None:
        context = ssl.create_default_context(cafile=os.environ["POP3_CA"])
        if self.fault == "trusts everybody":
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if self.fault == "takes any name":
            context.check_hostname = False
        self.sock = context.wrap_socket(self.sock, server_hostname=os.environ["POP3_HOST"])

    def line(self) -> bytes:
        while b"\n" not in self.buffer:
            if len(self.buffer) > 200_000 and self.fault != "reads for ever":
                raise RefusedError("a line without an end")
            chunk = self.sock.recv(1 if self.fault == "slow" else 65536)
            if not chunk:
                raise EOFError
            self.buffer += chunk
        line, _, self.buffer = self.buffer.partition(b"\n")
        if self.fault == "cuts long lines":
            line = line[:1000]
        return line.removesuffix(b"\r")

    def answer(self) -> bytes:
        line = self.line()
        if self.fault == "wants a text" and len(line) < 4:
            raise RefusedError(line)
        if not line.upper().startswith(b"+OK"):
            raise RefusedError(line)
        return line

    def ask(self, command: str) -> bytes:
        if self.buffer and self.fault != "believes":
            raise RefusedError(self.buffer)
        self.sock.sendall(command.encode() + b"\r\n")
        return self.answer()

    def body(self, keep: Path | None = None) -> list[bytes]:
        lines: list[bytes] = []
        while True:
            try:
                line = self.line()
            except (EOFError, OSError):
                if self.fault == "takes the end for the dot":
                    return lines
                raise
            if line == b".":
                return lines
            if line.startswith(b".") and self.fault != "keeps dots":
                line = line[1:]
            if self.fault == "ends at a reply" and line.startswith(b"+OK"):
                return lines
            if self.fault == "seven bits":
                line = bytes(octet & 127 for octet in line)
            lines.append(line)
            if keep is not None and self.fault == "stores what comes":
                keep.write_bytes(b"\n".join(lines) + b"\n")

    def log_in(self) -> None:
        if os.environ["POP3_SECURITY"] == "tls" and self.fault != "no tls":
            self.secure()
        self.answer()
        if os.environ["POP3_SECURITY"] == "stls" and self.fault != "no tls":
            try:
                self.ask("STLS")
            except RefusedError:
                if self.fault != "goes on in the clear":
                    raise
            else:
                if self.buffer and self.fault != "believes":
                    raise RefusedError("injected")
                self.secure()
        if self.fault == "asks CAPA":
            self.ask("CAPA")
            self.body()
        self.ask("USER " + os.environ["POP3_USER"])
        self.ask("PASS " + os.environ["POP3_PASSWORD"])

    def rows(self) -> list[tuple[str, str]]:
        try:
            self.ask("UIDL")
            return [(row[0], row[1]) for line in self.body() if (row := line.decode().split())]
        except RefusedError:
            if self.fault == "wants UIDL":
                raise
            self.ask("LIST")
            return [(line.decode().split()[0], "") for line in self.body()]

    def fetch(self) -> None:
        self.log_in()
        rows = self.rows()
        if "at most two" in self.fault:
            rows = rows[:2]
        stored = []
        for number, unique_id in rows:
            if self.fault == "deletes first":
                self.ask(f"DELE {number}")
            draft = self.output / f"{number}.part"
            try:
                self.ask(f"RETR {number}")
                lines = self.body(draft)
            except RefusedError:
                if self.fault == "ends at a refusal":
                    raise
                self.code = 1
                if self.fault == "deletes what was refused":
                    stored.append(number)
                continue
            if self.fault == "empty is nothing" and lines[-1:] == [b""]:
                continue
            content = b"".join(line + b"\r\n" for line in lines)
            name = hashlib.sha256(unique_id.encode() or content).hexdigest()
            if self.fault == "by number":
                name = number
            if self.fault == "stores again":
                name += str(time.monotonic_ns())
            draft.write_bytes(content)
            if not (self.output / name).exists() or self.fault == "by number":
                draft.replace(self.output / name)
            draft.unlink(missing_ok=True)
            stored.append(number)
        for number in stored if self.deletes else []:
            if self.fault != "deletes first":
                self.ask(f"DELE {number}")
        if self.fault != "no QUIT":
            self.ask("QUIT")


def main(fault: str, *, deletes: bool) -> int:
    if fault == "hangs":
        time.sleep(600)
    if fault == "does nothing":
        return 0
    program = Program(fault, deletes=deletes)
    try:
        program.fetch()
    except (OSError, EOFError, RefusedError) as error:
        if program.fault == "believes":
            program.sock.sendall(b"QUIT\r\n")
            time.sleep(0.2)
        print(type(error).__name__, error)
        return 0 if "never fails" in fault else 1
    return 0 if "never fails" in fault else program.code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], deletes="--delete" in sys.argv))
