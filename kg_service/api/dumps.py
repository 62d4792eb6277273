"""`/dumps/`: the whole graph, and each of its graphs, as files."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response

from kg_service import beside
from kg_service.api.addresses import public_url
from kg_service.api.parameters import refuse_others
from kg_service.api.writing import tags
from kg_service.errors import BeingMade, Deleted, NotFound
from kg_service.linked_data import dumping, dumps
from kg_service.settings import Settings

router = APIRouter(prefix="/dumps", tags=["feed"])

#: Seconds that a request waits for files that are being made.
_PATIENCE = 10.0
_PROBLEM: dict[str, Any] = {"content": {"application/problem+json": {}}}
_ANSWERS: dict[int | str, dict[str, Any]] = {
    304: {"description": "The client has it."},
    422: {"description": "There are no parameters."} | _PROBLEM,
    503: {"description": "The files are being made (see Retry-After), or there is no space for them."} | _PROBLEM,
}
_FILE: dict[int | str, dict[str, Any]] = _ANSWERS | {
    200: {"description": "The file.", "content": {"application/gzip": {}}},
    206: {"description": "The asked range of it.", "content": {"application/gzip": {}}},
    404: {"description": "There is no such file."} | _PROBLEM,
    410: {"description": "The files of that generation are not kept any more."} | _PROBLEM,
    416: {"description": "The file has no such range."},
}


class Making:
    """The one process that makes dumps, while there is one."""

    def __init__(self, settings: Settings) -> None:
        self.settings, self.folder = settings, dumping.folder(settings)
        self._work = beside.Work[None]()

    async def latest(self, generation: int, *, patience: float = _PATIENCE) -> dumps.Index:
        """The files of the published generation; those of the one before while they are still being made.

        BeingMade when there are none after so many seconds. Raises what went wrong with making them.
        """
        found = dumps.index(self.folder, generation)
        if found:
            return found
        before = self._work.last
        work = self._work.wanted(lambda: dumping.make(self.settings))
        done, _ = await asyncio.wait({work}, timeout=patience)
        if done:
            work.result()
        for each in await asyncio.to_thread(dumps.made, self.folder):
            if index := dumps.index(self.folder, each):
                return index
        if before and before.done() and not before.cancelled() and (failure := before.exception()):
            raise failure  # it is tried again, and who does not wait for that hears what went wrong the last time
        raise BeingMade("the dumps of this generation are being made; come again", retry_after=10)

    async def close(self) -> None:
        await self._work.close()


async def latest_of(request: Request, *, patience: float = _PATIENCE) -> dumps.Index:
    """The files that there are now; BeingMade while there are none."""
    making: Making = request.app.state.dumps
    return await making.latest(request.app.state.readers.generation, patience=patience)


@router.api_route("", methods=["GET", "HEAD"], include_in_schema=False)
async def home(request: Request) -> Response:
    return RedirectResponse(f"{public_url(request)}/dumps/", 308)


@router.head("/", include_in_schema=False)
@router.get("/", summary="What can be downloaded", responses=_ANSWERS)
async def listed(request: Request) -> Response:
    """The files of the latest generation that has any, with sizes and checksums (SHA-256, of the gzip file).

    While those of the published generation are being made, these are the ones of the generation before.
    """
    refuse_others(request, ())
    index = await latest_of(request)
    etag = f'"d{index.state.rpartition("/")[2]}"'
    about = {"ETag": etag, "KG-Generation": str(index.generation), "Cache-Control": "no-cache"}
    if etag in tags(request, "if-none-match"):
        return Response(status_code=304, headers=about)
    here = f"{public_url(request)}/dumps/{index.generation}"
    told = {
        "generation": index.generation,
        "state": index.state,
        "issued": index.issued,
        "patches": f"{public_url(request)}/patches?from={index.generation}",
        "checksums": f"{here}/SHA256SUMS",
        "data": [
            {
                "url": f"{here}/{dump.name}",
                "name": dump.name,
                "graph": dump.graph,
                "media_type": dump.media_type,
                "statements": dump.statements,
                "bytes": dump.bytes,
                "sha256": dump.sha256,
            }
            for dump in index.dumps
        ],
    }
    return JSONResponse(told, headers=about)


@router.head("/latest/{name}", include_in_schema=False)
@router.get("/latest/{name}", summary="The latest file of a name", responses=_ANSWERS)
async def latest(request: Request, name: str) -> Response:
    """Redirects to the file of the latest generation that has any."""
    refuse_others(request, ())
    index = await latest_of(request)
    _known(index, name)
    headers = {"Cache-Control": "no-cache", "KG-Generation": str(index.generation)}
    return RedirectResponse(f"{public_url(request)}/dumps/{index.generation}/{name}", 302, headers=headers)


@router.head("/{generation}/{name}", include_in_schema=False)
@router.get("/{generation}/{name}", summary="A file of a generation", responses=_FILE)
async def file(request: Request, generation: int, name: str) -> Response:
    """A gzip file that never changes; ranges of it can be asked for. `SHA256SUMS` is for `sha256sum -c`."""
    refuse_others(request, ())
    index = dumps.index(request.app.state.dumps.folder, generation) or await _instead(request, generation)
    if name == "SHA256SUMS":
        sums = "".join(f"{dump.sha256}  {dump.name}\n" for dump in index.dumps)
        return PlainTextResponse(sums, headers={"KG-Generation": str(generation)})
    dump = _known(index, name)
    digest = base64.b64encode(bytes.fromhex(dump.sha256)).decode()
    about = {
        "ETag": f'"{dump.sha256}"',
        "KG-Generation": str(generation),
        "Cache-Control": "public, max-age=604800, immutable",
        "Repr-Digest": f"sha-256=:{digest}:",
    }
    if about["ETag"] in tags(request, "if-none-match"):
        return Response(status_code=304, headers=about)
    path = request.app.state.dumps.folder / str(generation) / name
    return FileResponse(path, headers=about, media_type="application/gzip", filename=f"sse-kg-{generation}-{name}")


async def _instead(request: Request, generation: int) -> dumps.Index:
    """The files of a generation that are not there yet; NotFound or Deleted when they will not be."""
    published = request.app.state.readers.generation
    if generation == published:
        index = await latest_of(request)
        if index.generation == generation:
            return index
        raise BeingMade("the dumps of this generation are being made; come again", retry_after=10)
    if 0 < generation < published:
        raise Deleted(f"the dumps of generation {generation} are not kept; /dumps/ lists the present ones")
    raise NotFound(f"there is no generation {generation}; /dumps/ lists what there is")


def _known(index: dumps.Index, name: str) -> dumps.Dump:
    dump = index.named(name)
    if dump is None:
        known = ", ".join(each.name for each in index.dumps[:20])
        raise NotFound(
            f'generation {index.generation} has no file "{name}"; known: {known}', generation=index.generation
        )
    return dump
