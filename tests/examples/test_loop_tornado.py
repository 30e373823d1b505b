from __future__ import annotations

import asyncio

import pop3proto as pop3
from examples import loop_tornado
from tests.examples.contract import USER, Fetched, Job, ScriptContract


class TestTornado(ScriptContract):
    module = loop_tornado

    def run(self, job: Job) -> Fetched:
        host, port = job.server.host, job.server.port
        fetching = loop_tornado.fetch_all(host, port, USER, job.password, job.context())
        try:
            return Fetched(*asyncio.run(fetching))
        except (pop3.Pop3Error, OSError) as error:
            return Fetched.failed(error)
