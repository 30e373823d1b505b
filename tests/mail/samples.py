"""Mail of many kinds, right and wrong: what the fuzzer starts from."""

from __future__ import annotations

from tests.mail.reading import nested

ORDINARY = (
    b"Return-Path: <a@example.org>\r\nReceived: from mx.example.org ([192.0.2.1]) by x;\r\n"
    b"\tMon, 30 Nov 2026 11:00:00 +0000 (UTC)\r\nMessage-ID: <1.2@example.org>\r\n"
    b'From: =?utf-8?q?J=C3=BCrgen?= <a@example.org>\r\nTo: "B, A" <b@example.org>, Team:\r\n'
    b" c@example.org, d@[IPv6:2001:db8::1];\r\nDate: Mon, 30 Nov 2026 11:00:00 +0000\r\n"
    b"Subject: =?iso-2022-jp?B?GyRCJCIbKEI=?= =?utf-8?Q?caf=C3?= =?utf-8?Q?=A9?=\r\n"
    b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b (outer)\r\n\r\npreamble\r\n"
    b"--b\r\nContent-Type: multipart/alternative;\r\n boundary*0*=us-ascii'en'%63;\r\n"
    b' boundary*1="c"\r\n\r\n--cc\r\nContent-Type: text/plain; charset=utf-8\r\n'
    b"Content-Transfer-Encoding: quoted-printable\r\n\r\ncaf=C3=A9=\r\n\r\n--cc\r\n"
    b"Content-Type: text/html; charset=windows-1252\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    b"<p>\x80</p>\r\n--cc--\r\n\r\n--b\r\nContent-Type: image/png; name=a.png\r\n"
    b"Content-Transfer-Encoding: base64\r\nContent-ID: <x>\r\n"
    b"Content-Disposition: attachment; filename*=utf-8''%C3%A9.png\r\n\r\niVBORw0KGgo=\r\n\r\n"
    b"--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: within\r\n\r\ntext\r\n--b--\r\n"
    b"epilogue\r\n"
)
REPORT = (
    b"Subject: failed\r\nContent-Type: multipart/report; report-type=delivery-status;\r\n"
    b' boundary="b"\r\n\r\n--b\r\n\r\nIt failed.\r\n--b\r\n'
    b"Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example.org\r\n\r\n"
    b"Final-Recipient: rfc822; a@example.org\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n--b\r\n"
    b"Content-Type: text/rfc822-headers\r\n\r\nSubject: a\r\n--b--\r\n"
)
DIGEST = (
    b"Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\nSubject: 1\r\n\r\none\r\n"
    b"--b\r\n\r\nSubject: 2\r\n\r\ntwo\r\n--b--\r\n"
)
RELATED = (
    b"Content-Type: multipart/related; boundary=b; start=x\r\n\r\n--b\r\nContent-ID: x\r\n"
    b"Content-Type: text/html\r\n\r\n<b>\r\n--b\r\nContent-ID: y\r\n\r\n\r\n--b--"
)
_FIELDS = [
    *(b"Content-Type: text/plain; name*", b"Content-Type: text/plain;;;;;=;*=;a*1=b;a*9999=c"),
    *(b"Content-Type: text/plain; charset=uft-8", b"Content-Type: text/plain; charset=utf-7"),
    *(
        b'Content-Type: text/plain; charset=""',
        b"Content-Type: multipart/x\r\nA: b",
        b"A:\r\n \r\n b",
    ),
    *(
        b"Message-ID: <[0123abcd=@mailer.example]>",
        b"To: (c):, a@, a@[, <, <@a,@b:c@d>, a@b",
        b'To: "',
    ),
    *(b"To: A: b@c; d@e (f(g)\\)h), =?utf-8?q?i=2C?= <j@k>", b"Sender: " + b"(" * 100, b"From a"),
    *(b"Date: 1 Jan 2020 00:00:00 +99999999999", b"Subject: =?x?q?=FF?= =?utf-8?b?YQ?=\x00\xff\r"),
    *(b"Subject: =?utf-8?q?a=0D=0ABcc:_b?=\rX: y\x0bZ: z", b" a", b": a", b"--b: a"),
    *(b"Content-Transfer-Encoding: base64\r\n\r\n!YQ=YQ", b"Content-Transfer-Encoding: x\r\n\r\na"),
    b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\nU3ViamVjdDogYQoK",
    b"Content-Type: message/delivery-status\r\n\r\nContent-Type: message/delivery-status\r\n\r\na",
    b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n--b\r\n--b--\r\n--b\r\n",
    b"Content-Type: multipart/related; boundary=b\r\n\r\n--b--\r\n",
]
MAIL = [ORDINARY, REPORT, DIGEST, RELATED, nested(60), b"Content-Type: message/x\r\n\r\n" * 60]
MAIL += [octets + b"\r\n\r\ntext\xff\r\n" for octets in _FIELDS]
