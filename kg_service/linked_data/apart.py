"""Long work in a process of its own, which is in nobody's way: it has a low priority and ends with the service.

Its program reads the settings from its input, and ends with 0, or prints the problem.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable
from contextlib import suppress

from kg_service.errors import KgError, StoreError, from_problem
from kg_service.settings import Settings
from kg_service.store.frames import end_with_parent


async def run(module: str, settings: Settings) -> None:
    """Runs a module as such a process and waits for it; raises what went wrong there. Ends it when cancelled."""
    password = settings.store_password and settings.store_password.get_secret_value()
    job = json.dumps(settings.model_dump(mode="json") | {"store_password": password, "token": None})
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", module), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    try:
        told, _ = await process.communicate(job.encode())
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    if process.returncode:
        try:
            problem = json.loads(told)
        except ValueError:
            raise StoreError(f"the process {module} ended with {process.returncode}") from None
        raise from_problem(problem)


def main(work: Callable[[Settings], object]) -> None:
    """The program of such a process."""
    end_with_parent()
    os.nice(10)
    try:
        work(Settings.model_validate_json(sys.stdin.buffer.read()))
    except KgError as error:
        print(json.dumps(error.problem()))
        sys.exit(1)
