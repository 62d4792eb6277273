"""`/metrics`: figures on the service for Prometheus, in its text format, from a registry that this service has for
itself. Reading them runs no query and starts nothing."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from fastapi import APIRouter, Request, Response
from prometheus_client import ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, SummaryMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector
from starlette.datastructures import State

from kg_service import __version__
from kg_service.access import OPERATE
from kg_service.api import problems
from kg_service.api.clients import require
from kg_service.api.together import Together, is_asked_alone
from kg_service.changes.tally import Spent
from kg_service.linked_data import judging
from kg_service.linked_data.judging import Outcome
from kg_service.store import Reads
from kg_service.store.cache import CachedReads

router = APIRouter(tags=["operations"])

_LANES = ("waiting", "quick", "heavy", "paused", "remote")
_ENDED = ("deadline", "memory", "size", "client left", "reader lost", "no room", "stopped", "failed")
_OUTCOMES = ("accepted", "refused", "unchanged", "failed")
_JOBS = ("waiting", "running", "done", "failed", "cancelled")
_SEVERITIES = ("Violation", "Warning", "Info")


@router.get(
    "/metrics",
    summary="Figures on the service, for Prometheus",
    response_class=Response,
    responses={
        200: {"description": "The figures, in the text format of Prometheus.", "content": {"text/plain": {}}},
        **problems.described(
            {
                "401": "The token is missing, or does not count.",
                "403": "Reading figures is off, or the token does not allow it.",
            }
        ),
    },
)
async def metrics(request: Request) -> Response:
    """Answers who holds a token with the scope operate; everybody, where KG_METRICS=open."""
    state = request.app.state
    if state.settings.metrics == "token":
        require(request, OPERATE, "reading figures")
    outcome = await asyncio.to_thread(judging.kept, state.settings)
    process = ProcessCollector(registry=None)
    found = _Found([*_figures(state), *_validation(outcome), *process.collect(), *state.watch.figures()])
    text = generate_latest(found)
    together: Together | None = state.together
    if together is not None and not is_asked_alone(request):
        others = {number: each.text for number, each in (await together.asked(request)).items() if each.is_success}
        text = generate_latest(_Found(_by_process({together.number: text.decode()} | others)))
    return Response(text, headers={"Cache-Control": "no-store", "Content-Type": CONTENT_TYPE_PLAIN_0_0_4})


def _by_process(texts: dict[int, str]) -> Iterable[Metric]:
    """The figures of several processes, each sample with the number of its process."""
    families: dict[str, Metric] = {}
    for number, text in sorted(texts.items()):
        for family in text_string_to_metric_families(text):
            samples = [each._replace(labels={**each.labels, "process": str(number)}) for each in family.samples]
            known = families.setdefault(family.name, family)
            known.samples = samples if known is family else [*known.samples, *samples]
    return families.values()


class _Found(Collector):
    """Figures as they were at one moment."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = list(families)

    def collect(self) -> Iterable[Metric]:
        return self._families


def _figures(state: State) -> Iterator[Metric]:
    yield _gauge("kg_info", "The version that runs", {__version__: 1}, "version")
    yield GaugeMetricFamily("kg_generation", "The generation published now", state.readers.generation)
    yield GaugeMetricFamily("kg_connections", "Open connections", sum(state.bounds.counts.values()))
    yield from _reading(state.readers)
    documents, size = state.finished.size
    yield GaugeMetricFamily("kg_documents", "Documents and pages that are kept", documents)
    yield GaugeMetricFamily("kg_documents_bytes", "Their bytes", size)
    yield from _writing(state.writer)
    yield _gauge("kg_jobs", "Networks measured, as long as they are remembered", _by(state.jobs.every(), _JOBS))
    asked = state.federation.asked
    yield _counters("kg_services_asked", "SERVICE clauses sent to endpoints", asked, ("answered", "failed"), "outcome")


def _reading(reads: Reads) -> Iterator[Metric]:
    lanes = Counter(each.lane for each in reads.running())
    yield _gauge("kg_queries", "Queries by where they stand", {lane: lanes[lane] for lane in _LANES}, "lane")
    if not isinstance(reads, CachedReads):
        return
    busy = lanes["quick"] + lanes["heavy"]
    readers = {"idle": reads.readers.idle, "busy": busy, "stopped": lanes["paused"]}
    yield _gauge("kg_readers", "Reader processes; the stopped ones have a query that waits for its turn", readers)
    yield _counters("kg_queries_ended", "Queries without a whole answer", reads.readers.ended, _ENDED, "reason")
    answers, size = reads.size
    yield _counter("kg_cache_hits", "Answers given from the cache", reads.counters.hits)
    yield _counter("kg_repeated", "Those given before all else; no request in kg_requests", reads.counters.repeated)
    yield _counter("kg_cache_misses", "Answers that had to be computed", reads.counters.misses)
    yield GaugeMetricFamily("kg_cache_answers", "Answers in the cache", answers)
    yield GaugeMetricFamily("kg_cache_bytes", "Their bytes", size)


def _writing(writer: Any) -> Iterator[Metric]:
    tally = writer.tally
    yield _counters("kg_changes", "Changes by what became of them", tally.outcomes, _OUTCOMES, "outcome")
    yield _counter("kg_changes_retried", "Changes made anew because others came first", tally.retried)
    yield GaugeMetricFamily("kg_changes_waiting", "Changes in line", writer.waiting)
    yield _spent("kg_gate_seconds", "Judging changes by the shapes", tally.gate)
    yield _spent("kg_commit_seconds", "Commits, judging included", tally.commits)


def _validation(outcome: Outcome | None) -> Iterator[Metric]:
    """The last outcome for the whole graph; nothing where there is none."""
    if outcome is None:
        return
    counts = {severity: outcome.counts.get(severity, 0) for severity in _SEVERITIES}
    yield _gauge("kg_validation_results", "Results when the whole graph was judged last", counts, "severity")
    yield GaugeMetricFamily("kg_validation_generation", "The generation that was judged then", outcome.generation)


def _by(jobs: Iterable[Any], states: Iterable[str]) -> dict[str, int]:
    counts = Counter(job.state for job in jobs)
    return {state: counts[state] for state in states}


def _gauge(name: str, what: str, values: dict[str, int], label: str = "state") -> Metric:
    family = GaugeMetricFamily(name, what, labels=[label])
    for value, number in values.items():
        family.add_metric([value], number)
    return family


def _counter(name: str, what: str, number: int) -> Metric:
    return CounterMetricFamily(name, what, number)


def _counters(name: str, what: str, counts: Counter[str], values: Iterable[str], label: str) -> Metric:
    family = CounterMetricFamily(name, what, labels=[label])
    for value in values:
        family.add_metric([value], counts[value])
    return family


def _spent(name: str, what: str, spent: Spent) -> Metric:
    return SummaryMetricFamily(name, f"{what}: how often, and seconds in all", spent.times, spent.seconds)
