"""MIT's key distribution center, and Dovecot that takes its tickets."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import pytest

from tests.interop.dovecot import dovecot
from tests.interop.packages import REQUIRED
from tests.interop.servers import HOST, PASSWORD, USER, RealServer, free_ports

REALM = "EXAMPLE.ORG"

_CLIENT = """
[libdefaults]
default_realm = {realm}
dns_lookup_realm = false
dns_lookup_kdc = false
dns_canonicalize_hostname = false
rdns = false
[realms]
{realm} = {{
    kdc = {host}:{port}
}}
[domain_realm]
localhost = {realm}
"""
_CENTER = """
[kdcdefaults]
kdc_listen = {host}:{port}
kdc_tcp_listen = {host}:{port}
[realms]
{realm} = {{
    database_name = {base}/principal
    key_stash_file = {base}/stash
}}
[logging]
kdc = FILE:{base}/kdc.log
"""
_SETTINGS = """
auth_mechanisms = $auth_mechanisms gssapi
auth_krb5_keytab = {base}/keytab
auth_gssapi_hostname = localhost
passdb {{
  driver = static
  mechanisms = gssapi
  args = nopassword=y
}}
"""
_BEFORE = """
export KRB5_CONFIG={base}/krb5.conf KRB5_KDC_PROFILE={base}/kdc.conf
kdb5_util create -s -W -r {realm} -P master >/dev/null
kadmin.local -q "addprinc -pw {password} {user}"
kadmin.local -q "addprinc -randkey pop/localhost"
kadmin.local -q "ktadd -k {base}/keytab pop/localhost"
chmod 644 {base}/keytab
krb5kdc
"""


@contextmanager
def kerberos(base: Path) -> Generator[RealServer, None, None]:
    """Run both; within, a client of this process finds the center."""
    for library in ("gssapi", "krb5"):
        if importlib.util.find_spec(library) is None:
            (pytest.fail if REQUIRED else pytest.skip)(
                f"the library {library} is missing: pip install 'pyspnego[kerberos]'"
            )
    (port,) = free_ports(1)
    values = {"base": base, "host": HOST, "port": port, "realm": REALM}
    (base / "krb5.conf").write_text(_CLIENT.format(**values))
    (base / "kdc.conf").write_text(_CENTER.format(**values))
    before = _BEFORE.format(**values, user=USER, password=PASSWORD)
    found = mock.patch.dict(
        os.environ,
        # No tickets but those that a test asks for are in reach.
        {"KRB5_CONFIG": str(base / "krb5.conf"), "KRB5CCNAME": f"FILE:{base}/no-tickets"},
    )
    settings = _SETTINGS.format(**values)
    with found, dovecot(base, packages="kerberos", settings=settings, before=before) as server:
        yield server
