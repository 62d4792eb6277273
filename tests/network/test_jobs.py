"""Jobs without a service around them."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import psutil

from kg_service.network.jobs import Jobs


def workers() -> list[psutil.Process]:
    found = []
    for each in psutil.Process().children():
        try:
            found += [each] if "kg_service.network.worker" in each.cmdline() else []
        except psutil.Error:
            continue
    return found


def test_a_job_that_is_cancelled_while_its_process_starts_leaves_none() -> None:
    async def prepare() -> tuple[int, dict[str, Any]]:
        return 1, {}

    async def work() -> None:
        others = workers()  # of services that other tests have
        jobs = Jobs(size=1, memory=2**30, seconds=60, keep=2**20)
        job = jobs.start("key", "a network", "/", prepare)
        until = time.monotonic() + 30
        while not (jobs._all and set(workers()) - set(others)) and time.monotonic() < until:
            await asyncio.sleep(0.001)
        started = list(set(workers()) - set(others))
        jobs.cancel(job)
        await jobs.wait(job, 30)
        assert job.task
        await asyncio.wait({job.task}, timeout=30)
        assert started
        _, left = psutil.wait_procs(started, timeout=10)
        assert not left, "the process waits for a job that nobody will give it"
        await jobs.close()

    asyncio.run(work())
