"""A disk without space: what is written is refused with 507, reads go on, and with space again all is as before."""

from __future__ import annotations

import contextlib
import os
import random
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from kg_service.errors import StoreFull
from kg_service.settings import Settings
from kg_service.store import backup
from kg_service.store.embedded import EmbeddedStore, snapshot
from tests.serving import ready, running

TOKEN = "token-of-the-disk-full-tests-0123456789abcdef"
#: `KG_FULL=50` for the long run.
RUNS = int(os.environ.get("KG_FULL", "4"))
TEXT = "x" * 2_000


def may_mount() -> bool:
    """Whether this process has the right to mount (CAP_SYS_ADMIN), which root has, but not in every container."""
    (held,) = re.findall(r"^CapEff:\s*(\w+)$", Path("/proc/self/status").read_text(), re.MULTILINE)
    return bool(int(held, 16) >> 21 & 1)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small file system of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", folder], capture_output=True, text=True)
    if done.returncode:
        assert not (os.environ.get("CI") and may_mount()), done.stderr
        pytest.skip(f"a small file system cannot be mounted here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def filled(disk: Path, left: int) -> Path:
    """Takes all space but so many bytes, or as little as can be had."""
    ballast = disk / "ballast"
    with ballast.open("wb") as file:
        free = shutil.disk_usage(disk).free
        os.posix_fallocate(file.fileno(), 0, max(1, free - left))
    return ballast


def numbers(root: Path) -> set[int]:
    with snapshot(root) as store:
        found = {
            int(str(q.subject).strip("<>").removeprefix("urn:s")) for q in store.quads_for_pattern(None, None, None)
        }
        assert len(store) == 2 * len(found), "each in its graph and in the merged one"
    return found


def test_without_space_writing_fails_with_507_and_reads_go_on_until_there_is_some(disk: Path) -> None:
    chance, accepted, refused, number = random.Random(5), set[int](), 0, 0
    settings = Settings.model_validate({"store": disk / "store", "token": TOKEN, "query_seconds": 20})

    def write(client: httpx.Client) -> int:
        nonlocal number
        number += 1
        text = f'INSERT DATA {{ GRAPH <urn:g> {{ <urn:s{number}> <urn:p> "{TEXT}{number}" }} }}'
        answer = client.post("/update", data={"update": text})
        if answer.is_success:
            accepted.add(number)
        return answer.status_code

    def read(client: httpx.Client) -> set[int]:
        query = f"SELECT ?s {{ GRAPH <urn:g> {{ ?s ?p ?o }} FILTER({chance.randrange(10**9)} > -1) }}"
        answer = client.get("/sparql", params={"query": query}, headers={"Accept": "text/csv"})
        assert answer.status_code == 200, answer.text
        return {int(line.removeprefix("urn:s")) for line in answer.text.split()[1:]}

    EmbeddedStore(settings.store).close()
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with running(settings) as url, httpx.Client(base_url=url, headers=headers, timeout=60) as client:
        assert write(client) in (200, 204)
        ready(url)
        for run in range(RUNS):
            ballast = filled(disk, 0 if run == 0 else chance.randrange(400_000))
            for _ in range(400):
                status = write(client)
                assert status in (200, 204, 507), status
                if status == 507:
                    break
            else:
                pytest.fail("the disk was never full")
            refused += 1
            assert read(client) == accepted
            assert write(client) in (200, 204, 507), "what was freed may do for a small one"
            with contextlib.suppress(StoreFull):  # table files take no space a second time
                shutil.rmtree(backup.make(settings.store, disk / "backups").path)
            assert not list((disk / "backups").glob("*")), "no half of a backup"
            ballast.unlink()
            assert write(client) in (200, 204), "nobody had to help"
            assert read(client) == accepted
    assert refused == RUNS
    assert numbers(settings.store) == accepted, "nothing is lost, and nothing is there by halves"
    with EmbeddedStore(settings.store) as store:
        assert store.log.last_number() == len(accepted)
