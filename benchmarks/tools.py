"""Programs that fetch mail into a file: how each is called, and how many octets it wrote.

They are timed as a whole, from their start, because that is how they are used.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from mmap import ACCESS_READ, mmap
from pathlib import Path

from benchmarks.measuring import environment
from benchmarks.server import HOST, Address

# Every message has it once; a program may write other line ends than it was sent.
_MARK = b"\nMessage-ID: <measured@example.org>"

# What each script writes is an mbox, as mpop's is: a line to begin with, LF, "From " quoted.
_OURS = """
import sys
from pop3proto.transports import ClientOptions, Security
from pop3proto.transports.blocking import connect
host, port, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
options, write = ClientOptions(allow_plaintext_auth=True), sys.stdout.buffer.write
with connect(host, port, security=Security.PLAINTEXT, options=options) as client:
    client.login("user", "secret")
    for message in client.retr_many(range(1, count + 1)):
        text = message.content.replace(b"\\r\\n", b"\\n")
        write(b"From - Thu Jan  1 00:00:00 2026\\n")
        write(text.replace(b"\\nFrom ", b"\\n>From "))
        write(b"\\n")
"""
_POPLIB = """
import poplib, sys
client, write = poplib.POP3(sys.argv[1], int(sys.argv[2])), sys.stdout.buffer.write
client.user("user")
client.pass_("secret")
for number in range(1, int(sys.argv[3]) + 1):
    text = b"\\n".join(client.retr(number)[1])
    write(b"From - Thu Jan  1 00:00:00 2026\\n")
    write(text.replace(b"\\nFrom ", b"\\n>From "))
    write(b"\\n\\n")
client.quit()
"""
_PERL = """
my ($host, $port, $count) = @ARGV;
my $client = Net::POP3->new($host, Port => $port) or die "connect";
defined $client->login("user", "secret") or die "login";
for my $number (1 .. $count) {
    my $lines = $client->get($number) or die "get";
    s/^From />From / for @$lines;
    print "From - Thu Jan  1 00:00:00 2026\\n", @$lines, "\\n";
}
$client->quit;
"""
_RUBY = """
host, port, count = ARGV[0], ARGV[1].to_i, ARGV[2].to_i
$stdout.binmode
Net::POP3.start(host, port, "user", "secret") do |client|
  client.mails.first(count).each do |mail|
    text = mail.pop.b.gsub("\\r\\n", "\\n").gsub("\\nFrom ", "\\n>From ")
    $stdout.write("From - Thu Jan  1 00:00:00 2026\\n", text, "\\n")
  end
end
"""
_NODE = """
const Client = require("node-pop3");
const {writeSync} = require("fs");
const [host, port, count] = process.argv.slice(1);
(async () => {
  const client = new Client({user: "user", password: "secret", host, port: Number(port)});
  for (let number = 1; number <= Number(count); number++) {
    const text = (await client.RETR(number)).replaceAll("\\r\\n", "\\n");
    const quoted = text.replaceAll("\\nFrom ", "\\n>From ");
    writeSync(1, "From - Thu Jan  1 00:00:00 2026\\n" + quoted + "\\n\\n");
  }
  await client.QUIT();
})();
"""
_MPOP = """
account default
host {host}
port {port}
auth user
user user
password secret
tls off
keep on
received_header off
pipelining auto
uidls_file {folder}/uidls
delivery mbox {folder}/mail
"""
_FETCHMAIL = """
set no syslog
poll {host} service {port} protocol POP3 no dns timeout 600
  user "user" password "secret" sslproto "" keep fetchall is "user" here
"""
_GETMAIL = """
[retriever]
type = SimplePOP3Retriever
server = {host}
port = {port}
username = user
password = secret
[destination]
type = MDA_external
path = {tee}
arguments = ("-a", "{folder}/mail")
allow_root_commands = true
[options]
verbose = 0
read_all = true
max_messages_per_session = {count}
delivered_to = false
received = false
"""


@dataclass(frozen=True, slots=True)
class Tool:
    """A program and its arguments, in which braces are filled in."""

    command: tuple[str, ...]
    install: str
    check: tuple[str, ...] = ()
    """What runs without an error if it is there as a whole."""
    configuration: str = ""
    limit_reached: int = 0
    """How it ends when there is more mail than it was asked for."""


TOOLS = {
    "pop3proto, a program": Tool((sys.executable, "-c", _OURS, "{host}", "{port}", "{count}"), ""),
    "poplib, a program": Tool((sys.executable, "-c", _POPLIB, "{host}", "{port}", "{count}"), ""),
    "curl": Tool(
        ("curl", "-sS", "--user", "user:secret", "pop3://{host}:{port}/[1-{count}]"),
        "apt-get install curl",
    ),
    "mpop": Tool(
        ("mpop", "--quiet", "--file={folder}/configuration"), "apt-get install mpop", (), _MPOP
    ),
    "fetchmail": Tool(
        ("fetchmail", "-sf", "{folder}/configuration", "-B", "{count}", "--bsmtp", "{folder}/mail"),
        "apt-get install fetchmail",
        (),
        _FETCHMAIL,
        13,
    ),
    "getmail6": Tool(
        ("getmail", "--getmaildir={folder}", "--rcfile={folder}/configuration"),
        "apt-get install getmail6",
        (),
        _GETMAIL,
    ),
    "Net::POP3": Tool(
        ("perl", "-MNet::POP3", "-e", _PERL, "{host}", "{port}", "{count}"),
        "apt-get install perl",
        ("perl", "-MNet::POP3", "-e", "1"),
    ),
    "net/pop": Tool(
        ("ruby", "-rnet/pop", "-e", _RUBY, "{host}", "{port}", "{count}"),
        "apt-get install ruby ruby-net-pop",
        ("ruby", "-rnet/pop", "-e", "1"),
    ),
    "node-pop3": Tool(
        ("node", "-e", _NODE, "{host}", "{port}", "{count}"),
        "npm install node-pop3, with its node_modules in NODE_PATH",
        ("node", "-e", 'require("node-pop3")'),
    ),
}
_SCRIPTS = frozenset({_OURS, _POPLIB, _PERL, _RUBY, _NODE})


def missing(name: str) -> str:
    """The command that installs ``name``; empty if it is there."""
    tool = TOOLS[name]
    if shutil.which(tool.command[0]) is None:
        return tool.install
    if not tool.check:
        return ""
    done = subprocess.run(tool.check, check=False, capture_output=True)
    return tool.install if done.returncode else ""


def with_bytecode(folder: str) -> dict[str, str]:
    """An environment in which compiled modules are kept in ``folder``, whatever this one says."""
    env = {**environment(), "PYTHONPYCACHEPREFIX": folder}
    env.pop("PYTHONDONTWRITEBYTECODE", None)
    return env


def prepare(name: str, folder: Path) -> dict[str, str]:
    """The environment to run a program in: its home and, for our scripts, modules compiled."""
    env = dict(os.environ)
    # What is installed, getmail too, is compiled already.
    if TOOLS[name].command[0] == sys.executable:
        env = with_bytecode(str(folder / "compiled"))
        load = "import poplib, pop3proto.transports.blocking"
        subprocess.run([sys.executable, "-c", load], check=True, env=env)
    return {**env, "HOME": str(folder), "FETCHMAILHOME": str(folder)}


def fetch(
    name: str, address: Address, count: int, folder: Path, env: dict[str, str]
) -> Callable[[], int]:
    """Let a program fetch all messages; what is returned tells the octets, when there is time.

    These are the octets it wrote; raises ``AssertionError`` unless they are ``count`` messages.
    """
    tool = TOOLS[name]
    filled = {
        "host": HOST,
        "port": address.port,
        "count": count,
        "folder": folder,
        # The program that getmail starts for each message.
        "tee": shutil.which("tee"),
    }
    configuration, mail = folder / "configuration", folder / "mail"
    configuration.write_text(tool.configuration.format(**filled), "ascii")
    # They refuse to read a password that others could read.
    configuration.chmod(0o600)
    command = [part if part in _SCRIPTS else part.format(**filled) for part in tool.command]
    with mail.open("ab") as output, (folder / "errors").open("wb") as errors:
        done = subprocess.run(command, check=False, stdout=output, stderr=errors, env=env)
    if done.returncode not in {0, tool.limit_reached}:
        said = (folder / "errors").read_text("utf-8", "replace").strip()
        raise AssertionError(f"{name} ended with {done.returncode}: {said[-500:]}")
    return partial(_octets, name, mail, count)


def _octets(name: str, mail: Path, count: int) -> int:
    size = mail.stat().st_size
    found = 0
    if size:
        # It can be larger than memory.
        with mail.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as content:
            found = sum(1 for _ in re.finditer(re.escape(_MARK), content))
    if found != count:
        raise AssertionError(f"{name} fetched {found} of {count} messages")
    return size
