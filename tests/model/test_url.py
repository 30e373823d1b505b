"""POP URLs: what they hold, what they refuse, and that refusing shows nothing."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pop3proto import PopUrl
from pop3proto._value import replace
from pop3proto.errors import LocalProtocolError

LONGEST = ".".join([*3 * [63 * "h"], 61 * "h"])


@pytest.mark.parametrize(
    ("text", "url"),
    [
        # The examples of RFC 2384 section 6.
        ("pop://rg@mailsrv.qualcomm.com", PopUrl("mailsrv.qualcomm.com", user="rg")),
        (
            "pop://rg;AUTH=+APOP@mail.eudora.com:8110",
            PopUrl("mail.eudora.com", 8110, "rg", "+APOP"),
        ),
        ("pop://baz;AUTH=SCRAM-MD5@foo.bar", PopUrl("foo.bar", user="baz", auth="SCRAM-MD5")),
        # And what they leave out.
        ("pop://pop.example.org", PopUrl("pop.example.org")),
        ("pops://user@pop.example.org", PopUrl("pop.example.org", None, "user", None, "pops")),
        ("pop://user;AUTH=*@pop.example.org", PopUrl("pop.example.org", user="user", auth="*")),
        ("pop://user%40example.org@h", PopUrl("h", user="user@example.org")),
        ("pop://%C3%BCser%20%25;AUTH=PLAIN@h", PopUrl("h", user="\xfcser %", auth="PLAIN")),
        ("pop://a-_.+!*'(),&=~$b@h", PopUrl("h", user="a-_.+!*'(),&=~$b")),
        ("pop://a%3A%2F%3Bb@h", PopUrl("h", user="a:/;b")),
        ("pop://[::1]", PopUrl("::1")),
        ("pop://user@[2001:db8::25]:1110", PopUrl("2001:db8::25", 1110, "user")),
        ("pop://192.0.2.1:65535", PopUrl("192.0.2.1", 65535)),
        ("pop://b\xfccher.example:1", PopUrl("b\xfccher.example", 1)),
        ("pop://pop.example.org.", PopUrl("pop.example.org.")),
        ("pop://_pop3._tcp.example.org", PopUrl("_pop3._tcp.example.org")),
        (f"pop://{63 * 'h'}.example.org", PopUrl(f"{63 * 'h'}.example.org")),
        (f"pop://{LONGEST}.", PopUrl(f"{LONGEST}.")),
        ("pop://user;AUTH=+USER@h", PopUrl("h", user="user", auth="+USER")),
        ("pop://user;AUTH=+PLAIN@h", PopUrl("h", user="user", auth="+PLAIN")),
    ],
)
def test_a_url_and_its_parts(text: str, url: PopUrl) -> None:
    assert PopUrl.parse(text) == url
    assert str(url) == url.build() == text


@pytest.mark.parametrize(
    ("text", "built"),
    [
        ("POP://User@Pop.Example.Org", "pop://User@Pop.Example.Org"),
        ("PopS://h:995", "pops://h"),
        ("pop://h:00110", "pop://h"),
        ("pop://h:995", "pop://h:995"),
        ("pops://h:110", "pops://h:110"),
        ("pop://u;auth=%2bapop@h", "pop://u;AUTH=+APOP@h"),
        ("pop://u;AuTh=scram-sha-256@h", "pop://u;AUTH=SCRAM-SHA-256@h"),
        ("pop://%75@h", "pop://u@h"),
        ("pop://%c3%bc@h", "pop://%C3%BC@h"),
    ],
)
def test_other_ways_to_write_it(text: str, built: str) -> None:
    assert str(PopUrl.parse(text)) == built


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "begins with"),
        ("pop.example.org", "begins with"),
        ("pop:hunter2", "begins with"),
        (" pop://hunter2", "begins with"),
        ("imap://hunter2@h", "begins with"),
        ("pop3://hunter2@h", "begins with"),
        ("pop://user:hunter2@h", "password"),
        ("pop://user:hunter2;AUTH=PLAIN@h", "password"),
        ("pop://user:p@hunter2@h", "password"),
        ("pop://user:hunter2/x@h", "password"),
        ("pop://:@h", "password"),
        ("pop://h/hunter2", "path"),
        ("pop://h/", "path"),
        ("pop://user:hunter2/", "path"),
        ("pop://h?hunter2", "query"),
        ("pop://h#hunter2", "a fragment has"),
        ("pop://@h", "empty"),
        ("pop://;AUTH=PLAIN@h", "empty"),
        ("pop://user;hunter2@h", "only ;AUTH="),
        ("pop://user;@h", "only ;AUTH="),
        ("pop://user;AUTH@h", "only ;AUTH="),
        ("pop://user;AUTH=@h", "SASL mechanism"),
        ("pop://user;AUTH=hunter 2@h", "percent-encode"),
        ("pop://user;AUTH=PLAIN;AUTH=LOGIN@h", "percent-encode"),
        ("pop://user;AUTH=hunter.2@h", "SASL mechanism"),
        ("pop://user;AUTH=" + 21 * "X" + "@h", "SASL mechanism"),
        ("pop://user;AUTH=%2A%2A@h", "SASL mechanism"),
        ("pop://user;AUTH=PLAIN%0D%0A@h", "SASL mechanism"),
        ("pop://user;AUTH=\u017f@h", "percent-encode"),
        ("pop://user;AUTH=+@h", "SASL mechanism"),
        ("pop://user;AUTH=++APOP@h", "SASL mechanism"),
        ("pop://user;AUTH=APOP@h", r";AUTH=\+APOP"),
        ("pop://user;AUTH=user@h", r";AUTH=\+USER"),
        ("pop://user@hunter2@h", "percent-encode"),
        ("pop://user hunter2@h", "percent-encode"),
        ("pop://us\xe9r@h", "percent-encode"),
        ("pop://user\n@h", "percent-encode"),
        ("pop://user%@h", "broken escape"),
        ("pop://user%4@h", "broken escape"),
        ("pop://user%4g@h", "broken escape"),
        ("pop://user%u0041@h", "broken escape"),
        ("pop://user%\uff14\uff11@h", "broken escape"),
        ("pop://user%E9@h", "UTF-8"),
        ("pop://user%C0%80@h", "UTF-8"),
        ("pop://user%ED%A0%80@h", "UTF-8"),
        ("pop://user%0D%0AQUIT@h", "control"),
        ("pop://user%00@h", "control"),
        ("pop://user%09@h", "control"),
        ("pop://user%7F@h", "control"),
        ("pop://user%C2%85@h", "control"),
        ("pop://", "host name"),
        ("pop://user@", "host name"),
        ("pop://h\n", "host name"),
        ("pop://h%41", "host name"),
        ("pop://hunter 2", "host name"),
        ("pop://h;AUTH=PLAIN", "host name"),
        ("pop://h\u200e", "host name"),
        ("pop://.", "host name"),
        ("pop://..", "host name"),
        ("pop://.h", "host name"),
        ("pop://h..x", "host name"),
        ("pop://h..", "host name"),
        ("pop://\u3002", "host name"),
        ("pop://h\u3002\uff61x", "host name"),
        (f"pop://{64 * 'h'}.example.org", "host name"),
        (f"pop://{64 * chr(0xFC)}", "host name"),
        (f"pop://h{LONGEST}", "host name"),
        ("pop://h\uff0fhunter2", "host name"),
        ("pop://h\uff20hunter2", "host name"),
        ("pop://h:", "port"),
        ("pop://h:0", "port"),
        ("pop://h:65536", "port"),
        ("pop://h:111111", "port"),
        ("pop://user:hunter2", "port"),
        ("pop://h:+110", "port"),
        ("pop://h:1\u0661", "port"),
        ("pop://h:110\n", "port"),
        ("pop://[::1]:", "port"),
        ("pop://::1", "port"),
        ("pop://[::1", "brackets"),
        ("pop://[]", "brackets"),
        ("pop://[192.0.2.1]", "brackets"),
        ("pop://[::1]110", "brackets"),
        ("pop://[::g]", "IPv6"),
        ("pop://[fe80::1%25eth0]", "IPv6"),
        ("pop://[fe80::1%eth0]", "IPv6"),
    ],
)
def test_what_is_no_url(text: str, why: str) -> None:
    with pytest.raises(LocalProtocolError, match=why) as caught:
        PopUrl.parse(text)
    assert "hunter" not in f"{caught.value!s}{caught.value!r}{caught.value.__context__!r}"


@pytest.mark.parametrize(
    ("parts", "why"),
    [
        ({"host": ""}, "host name"),
        ({"host": "[::1]"}, "IPv6"),
        ({"host": "h", "port": 0}, "port"),
        ({"host": "h", "port": 65536}, "port"),
        ({"host": "h", "user": ""}, "empty"),
        ({"host": "h", "user": "a\rb"}, "control"),
        ({"host": "h", "user": "\ud800"}, "control"),
        ({"host": "h", "auth": "PLAIN"}, "needs a user"),
        ({"host": "h", "user": "u", "auth": "plain"}, "capitals"),
        ({"host": "h", "user": "u", "auth": "PLAIN\n"}, "capitals"),
        ({"host": "h", "scheme": "POP"}, "begins with"),
        ({"host": "h", "user": "u", "auth": "APOP"}, r"\+APOP"),
        ({"host": "h", "port": True}, "port"),
        ({"host": "h", "port": "110"}, "port"),
        ({"host": "h", "port": 110.0}, "port"),
        ({"host": b"h"}, "are str"),
        ({"host": None}, "are str"),
        ({"host": "h", "user": b"u"}, "are str"),
        ({"host": "h", "user": "u", "auth": b"PLAIN"}, "are str"),
        ({"host": "h", "scheme": ["pop"]}, "are str"),
    ],
)
def test_parts_that_make_no_url(parts: dict[str, Any], why: str) -> None:
    with pytest.raises(LocalProtocolError, match=why):
        PopUrl(**parts)


@pytest.mark.parametrize("text", [b"pop://h", None, 5])
def test_a_url_is_text(text: Any) -> None:
    with pytest.raises(LocalProtocolError, match="is a str"):
        PopUrl.parse(text)


def test_ports_and_tls() -> None:
    pop, pops = PopUrl("h"), PopUrl("h", scheme="pops")
    assert (pop.effective_port, pop.implicit_tls) == (110, False)
    assert (pops.effective_port, pops.implicit_tls) == (995, True)
    assert PopUrl("h", 1110).effective_port == 1110


def test_it_is_frozen_and_small() -> None:
    url = PopUrl("h")
    with pytest.raises(AttributeError):
        url.host = "other"  # type: ignore[misc]
    assert not hasattr(url, "__dict__")
    assert {url: 1}[PopUrl.parse("pop://h")] == 1


LABEL = r"[a-z0-9\xe0-\xf6]([a-z0-9\xe0-\xf6-]{0,10}[a-z0-9])?"
names = st.from_regex(rf"{LABEL}(\.{LABEL})?", fullmatch=True)
urls = st.builds(
    PopUrl,
    host=names | st.ip_addresses().map(str),
    port=st.none() | st.integers(1, 65535),
    user=st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1),
    auth=st.sampled_from([None, "*", "+APOP", "+PLAIN", "PLAIN", "SCRAM-SHA-256-PLUS", "X_OWN"]),
    scheme=st.sampled_from(["pop", "pops"]),
)


@given(url=urls)
def test_a_built_url_says_the_same(url: PopUrl) -> None:
    text = str(url)
    again = PopUrl.parse(text)
    assert again == replace(url, port=again.port)
    assert again.effective_port == url.effective_port
    assert str(again) == text
    assert text.isascii() or not url.host.isascii()


@given(
    text=st.text().map("pop://".__add__) | st.text("%:@;/[]AUTH=0p.\n\xe9").map("pops://".__add__)
)
def test_any_text_is_a_url_or_refused(text: str) -> None:
    try:
        url = PopUrl.parse(text)
    except LocalProtocolError:
        return
    built = str(url)
    assert str(PopUrl.parse(built)) == built


@pytest.mark.parametrize(
    ("auth", "mechanisms"),
    [
        (None, None),
        ("*", None),
        ("+APOP", ("APOP",)),
        ("+USER", ("USER",)),
        ("CRAM-MD5", ("CRAM-MD5",)),
        # Neither is a command that logs in the mechanism of its name, nor the other way round.
        ("+PLAIN", ("+PLAIN",)),
    ],
)
def test_what_to_log_in_with(auth: str | None, mechanisms: tuple[str, ...] | None) -> None:
    assert PopUrl("pop.example.org", user="user", auth=auth).mechanisms == mechanisms
