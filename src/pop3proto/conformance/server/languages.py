"""Cases about UTF8 and LANG (RFC 6856)."""

from __future__ import annotations

import re

from ..case import demand
from ..wire import printable_line
from .run import CASES, ServerRun, refuses

_TAG = re.compile(rb"[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*(?: .*)?")


@CASES.case(
    "S881", "RFC 6856 section 2.1", "UTF8 is accepted before the login, if it is announced."
)
def _(run: ServerRun) -> None:
    run.need("UTF8", before_login=True)
    answer = run.secured().ask(b"UTF8")
    demand(answer.ok, f"the answer is {answer}")


@CASES.case("S882", "RFC 6856 section 2.1", "UTF8 is refused after the login.")
def _(run: ServerRun) -> None:
    run.need("UTF8")
    refuses(run, run.logged_in, b"UTF8")


@CASES.case("S883", "RFC 6856 section 3.2", "LANG lists languages, each with its tag.")
def _(run: ServerRun) -> None:
    run.need("LANG", before_login=True)
    wire = run.secured()
    answer = wire.ask(b"LANG")
    demand(answer.ok, f"the answer is {answer}")
    for row in wire.text():
        demand(_TAG.fullmatch(row.rstrip(b"\r\n")), f"a row is {printable_line(row)}")


@CASES.case("S884", "RFC 6856 section 3.2", "LANG * is accepted.")
def _(run: ServerRun) -> None:
    run.need("LANG", before_login=True)
    answer = run.secured().ask(b"LANG *")
    demand(answer.ok, f"the answer is {answer}")


@CASES.case("S885", "RFC 6856 section 3.2", "LANG of a language that nobody has is refused.")
def _(run: ServerRun) -> None:
    run.need("LANG", before_login=True)
    refuses(run, run.secured, b"LANG x-pop3proto")


@CASES.case("S886", "RFC 6856 section 3.2", "LANG is known in both states.")
def _(run: ServerRun) -> None:
    run.need("LANG")
    for wire in (run.secured(), run.logged_in()):
        answer = wire.ask(b"LANG")
        demand(answer.ok, f"the answer is {answer}")
        wire.text()


@CASES.case("S887", "RFC 6856 section 3.2", "Each language that LANG lists can be chosen.")
def _(run: ServerRun) -> None:
    run.need("LANG", before_login=True)
    wire = run.secured()
    demand(wire.ask(b"LANG").ok, "LANG is refused")
    for row in wire.text():
        tag = row.rstrip(b"\r\n").partition(b" ")[0]
        answer = wire.ask(b"LANG " + tag)
        demand(answer.ok, f"LANG {printable_line(tag)} is answered with {answer}")


@CASES.case("S888", "RFC 6856 section 2.1", "After UTF8, a login and RETR go as before.")
def _(run: ServerRun) -> None:
    run.need("UTF8", before_login=True)
    run.readable()
    run.bye(run.filled())
    wire = run.secured()
    demand(wire.ask(b"UTF8").ok, "UTF8 is refused")
    run.demand_login(run.log_in(wire), "the login is")
    answer = wire.ask(b"RETR 1")
    demand(answer.ok, f"RETR 1 is answered with {answer}")
    wire.text()
    run.bye(wire)
