"""`/api/networks`: networks of the graph, drawn, exported and measured; `/api/jobs`: what takes long."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from kg_service import resources
from kg_service.api.addresses import public_url
from kg_service.api.clients import client_of
from kg_service.api.finished import Document, sent
from kg_service.api.parameters import Parameter, read, refuse_others
from kg_service.network import measures, projection
from kg_service.network.asking import FORMATS, RESULTS, Asked, Asker
from kg_service.network.jobs import Finished, Job, Jobs
from kg_service.network.measures import Measure
from kg_service.network.projection import Projection
from kg_service.network.selection import FILTERS
from kg_service.ontology import TONGUES
from kg_service.settings import Settings

#: Seconds that a request waits for an answer before it is told where the job is.
WAIT = 10.0
_ENDINGS = {
    "pajek": "net",
    "csv-nodes": "csv",
    "csv-edges": "csv",
    "cytoscape": "cyjs",
    "json-ld": "jsonld",
    "parquet": "zip",
}

SELECTING = (
    *(Parameter(name=name, description=f"Only {what}.", is_many=True) for name, what in FILTERS.items()),
    Parameter(name="from", description="First day, month or year of the window.", example="2019"),
    Parameter(name="to", description="Last day, month or year of the window.", example="2022"),
    Parameter(name="at", description="The day, month or year in which ties were in force, for a window of its own."),
    Parameter(name="undated", description="Whether ties without a date count in a window.", allowed=("leave", "keep")),
    Parameter(
        name="generation",
        description="The generation of the graph: the number of an earlier one, by default the present one.",
        example="now",
    ),
    Parameter(
        name="weighting",
        description="Of a one-mode network: the number of shared things, Newman’s, which gives those that many share "
        "less weight, or the share of all their things.",
        allowed=("count", "newman", "jaccard"),
        default="count",
    ),
    Parameter(
        name="lang",
        description="Languages of names, the best first; where there is none in them, the English one, else any.",
        allowed=TONGUES,
        is_many=True,
    ),
    Parameter(name="wait", description="Seconds to wait before it becomes a job.", kind="integer", least=0, most=60),
)
_FORMAT = Parameter(name="format", description="How the network is written.", allowed=FORMATS, default="json")
_MEASURED = (
    Parameter(name="format", description="How the result is written.", allowed=RESULTS, default="json"),
    Parameter(
        name="limit", description="Most rows; CSV has all.", kind="integer", least=1, most=1_000_000, default=1000
    ),
)
#: What single measures take besides; `/api/networks` tells of which.
_OF_MEASURES = {
    own.name: Parameter(name=own.name, description=f"Of some measures: {own.description}")
    for measure in measures.MEASURES.values()
    for own in measure.parameters
}.values()

router = APIRouter(prefix="/api", tags=["networks"])


def jobs(settings: Settings) -> Jobs:
    """The processes that measure for this service."""
    return Jobs(
        size=settings.network_workers,
        memory=settings.network_memory,
        seconds=settings.network_seconds,
        keep=settings.cache_bytes,
    )


def _documented(*parameters: Parameter) -> dict[str, Any]:
    return {"parameters": [parameter.openapi() for parameter in parameters]}


@router.head("/networks", include_in_schema=False)
@router.get("/networks", summary="Which networks and measures are there?")
async def listed(request: Request) -> dict[str, Any]:
    """Lists the projections of the graph as networks, the filters on all of them, the formats, and the measures."""
    read(request, ())
    here = f"{public_url(request)}/api/networks"
    return {
        "data": [
            {
                "name": each.name,
                "summary": each.summary,
                "modes": each.modes,
                "directed": each.is_directed,
                "two_mode": each.is_two_mode,
                "url": f"{here}/{each.name}",
            }
            for each in projections(request).values()
        ],
        "filters": FILTERS,
        "formats": FORMATS,
        "measures": [_told(measure) for measure in measures.MEASURES.values()],
    }


def _told(measure: Measure) -> dict[str, Any]:
    parameters = [
        {key: value for key, value in asdict(parameter).items() if value != ()} for parameter in measure.parameters
    ]
    return {
        "name": measure.name,
        "of": measure.of,
        "definition": measure.definition,
        "source": measure.source,
        "parameters": parameters,
    }


@router.head("/networks/{name}", include_in_schema=False)
@router.get("/networks/{name}", summary="A network", openapi_extra=_documented(*SELECTING, _FORMAT))
async def network(request: Request, name: str) -> Response:
    """The network with the evidence of each tie, positions and communities, in the format asked for."""
    chosen = projection.named(name, projections(request))
    given = read(request, (*SELECTING, _FORMAT))
    return await _answered(request, chosen, given, None, {})


@router.head("/networks/{name}/{measure}", include_in_schema=False)
@router.get(
    "/networks/{name}/{measure}",
    summary="A measure of a network",
    openapi_extra=_documented(*SELECTING, *_MEASURED, *_OF_MEASURES),
)
async def measured(request: Request, name: str, measure: str) -> Response:
    """The measure with its definition, source, parameters, seed, error, versions and citation."""
    chosen, what = projection.named(name, projections(request)), measures.named(measure)
    own = tuple(Parameter(name=each.name, description=each.description) for each in what.parameters)
    given = read(request, (*SELECTING, *_MEASURED, *own))
    written = {each.name: given[each.name] for each in what.parameters if given[each.name] is not None}
    return await _answered(request, chosen, given, what, what.read(written))


def projections(request: Request) -> dict[str, Projection]:
    """The projections that there are, read once."""
    state = request.app.state
    if not hasattr(state, "projections"):
        state.projections = projection.every(resources.folder("queries"))
    found: dict[str, Projection] = state.projections
    return found


async def _answered(
    request: Request, chosen: Projection, given: dict[str, Any], measure: Measure | None, parameters: dict[str, Any]
) -> Response:
    """The finished answer if there is one or it comes soon, else where its job is (202)."""
    wait = WAIT if given["wait"] is None else given["wait"]
    found = await finished_or_job(request, chosen, given, measure, parameters, url=_address(request), wait=wait)
    if isinstance(found, Job):
        where = f"{public_url(request)}/api/jobs/{found.id}"
        return JSONResponse(status(request, found), 202, headers={"Location": where, "Retry-After": "1"})
    return await _response(request, found, f"{chosen.name}.{_ENDINGS.get(given['format'], given['format'])}")


async def finished_or_job(
    request: Request,
    chosen: Projection,
    given: dict[str, Any],
    measure: Measure | None,
    parameters: dict[str, Any],
    *,
    url: str,
    wait: float,
) -> Finished | Job:
    """The answer if there is one or it comes within `wait` seconds, else its job; raises what went wrong.

    `url` is where others find the same answer.
    """
    state, known = request.app.state, projections(request)
    asker = Asker(state.rowfiles, state.settings.own_folder, state.settings.network_seconds, client_of(request))
    asked = Asked(
        chosen,
        await asker.selected(chosen, given),
        measure,
        parameters,
        given["format"],
        url,
        given.get("limit", 0),
        given["weighting"],
        given["lang"],
        given["undated"],
        await asker.generation(given),
    )
    key = asked.key(state.rowfiles.state())
    finished: Finished | None = state.jobs.kept(key)
    if finished is None:
        job: Job = state.jobs.start(key, asked.what(), asked.url, lambda: asker.prepared(asked, known), asker.client)
        if not await state.jobs.wait(job, wait):
            return job
        if job.problem:
            raise job.problem
        finished = job.finished
    assert finished
    return finished


def _address(request: Request) -> str:
    """Where the answer is, for everybody: how long one waits for it is left out."""
    query = urlencode([(name, value) for name, value in request.query_params.multi_items() if name != "wait"])
    return f"{public_url(request)}{request.url.path}{f'?{query}' if query else ''}"


async def _response(request: Request, finished: Finished, name: str) -> Response:
    tag = blake2b(finished.data, digest_size=12).hexdigest()
    etag = f'"{finished.generation}-n{tag}"'
    headers = {"KG-Generation": str(finished.generation), "ETag": etag, "Cache-Control": "no-cache"}
    if not finished.media_type.endswith("json"):
        headers["Content-Disposition"] = f'attachment; filename="{name}"'
    made = Document(finished.data, headers, finished.media_type)
    return await asyncio.to_thread(sent, request, made)  # packing megabytes takes a while


@router.head("/jobs", include_in_schema=False)
@router.get("/jobs", summary="Which networks are being measured?")
async def every_job(request: Request) -> dict[str, Any]:
    """Lists what runs and what ended last; ids are for those who asked, so only the operator sees them."""
    read(request, ())
    data = [
        status(request, job) | {"id": None, "url": None, "page": None, "result": None}
        for job in request.app.state.jobs.every()
    ]
    return {"data": data, "meta": {"count": len(data)}}


@router.head("/jobs/{job_id}", include_in_schema=False)
@router.get("/jobs/{job_id}", summary="How far is a job?")
async def job(request: Request, job_id: str) -> dict[str, Any]:
    """State (waiting, running, done, failed, cancelled), how far it is, and where the result is."""
    read(request, ())
    return status(request, request.app.state.jobs.job(job_id))


@router.head("/jobs/{job_id}/result", include_in_schema=False)
@router.get("/jobs/{job_id}/result", summary="The result of a job")
async def job_result(request: Request, job_id: str) -> Response:
    """The answer as it was when the job ended, whatever has been published since."""
    read(request, ())
    found: Job = request.app.state.jobs.job(job_id)
    if not found.is_over:
        return JSONResponse(status(request, found), 202, headers={"Retry-After": "1"})
    if found.problem:
        raise found.problem
    assert found.finished
    return await _response(request, found.finished, "network")


@router.delete("/jobs/{job_id}", summary="Cancel a job", status_code=204)
async def cancelled(request: Request, job_id: str) -> Response:
    """Ends a job and its process; of a job that is over nothing is changed."""
    refuse_others(request, ())
    request.app.state.jobs.cancel(request.app.state.jobs.job(job_id))
    return Response(status_code=204)


def status(request: Request, found: Job) -> dict[str, Any]:
    """A job as JSON."""

    def day(moment: float | None) -> str | None:
        return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds") if moment else None

    here = f"{public_url(request)}/api/jobs/{found.id}"
    return {
        "id": found.id,
        "what": found.what,
        "state": found.state,
        "progress": found.part,
        "doing": found.doing,
        "asked": day(found.asked),
        "began": day(found.began),
        "ended": day(found.ended),
        "url": here,
        "page": f"{public_url(request)}/jobs/{found.id}",
        "result": f"{here}/result" if found.state == "done" else None,
        "problem": found.problem.problem() if found.problem else None,
    }
