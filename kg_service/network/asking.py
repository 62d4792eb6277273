"""What is asked of a network, and the files and words with which a process can answer it."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

from kg_service import queries, resources
from kg_service.errors import wrong_parameter
from kg_service.leading import leading, pairs_query
from kg_service.network import measures, projection, selection
from kg_service.network.earlier import Earlier
from kg_service.network.jobs import Jobs
from kg_service.network.measures import Measure
from kg_service.network.names import mentioned
from kg_service.network.projection import Projection
from kg_service.network.rowfiles import RowFiles
from kg_service.network.selection import FILTERS, Selection
from kg_service.ontology import TONGUES
from kg_service.rdf import NamedNode
from kg_service.settings import Settings
from kg_service.store import Query, Reads

#: Things that are asked for one by one; of more, all that the graph knows are read.
_MOST_NAMED = 2000
#: What actors may have in common beside partners.
_SHARED = ("actor-theme", "actor-place", "actor-recommendation")


@dataclass(frozen=True, slots=True)
class Asked:
    """A network, or a measure of it, as somebody asks for it; `url` is where others find the same.

    Without a `generation` it is of the present one.
    """

    projection: Projection
    selection: Selection
    measure: Measure | None
    parameters: Mapping[str, Any]
    format: str
    url: str
    limit: int = 1000
    weighting: str = "count"
    languages: tuple[str, ...] = ()
    undated: str | None = None
    generation: int | None = None

    @property
    def needs(self) -> frozenset[str]:
        """What is needed beside the network; to show it, the details of its ties."""
        if self.measure:
            return self.measure.needs
        return frozenset() if self.format == "parquet" else frozenset({"details"})

    def key(self, state: str) -> str:
        """What tells this question, of this state of the store, from all others."""
        measure = self.measure.name if self.measure else None
        how = (self.format, self.url, self.limit, self.weighting, self.languages)
        when = (state, self.generation)
        told = (when, self.projection.name, self.selection.told(), measure, dict(self.parameters), how)
        return blake2b(repr(told).encode()).hexdigest()

    def what(self) -> str:
        """The question in words."""
        return f"{self.measure.name if self.measure else self.format} of {self.projection.name}"


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks the store: through which files of rows, how long a query may take, and on whose account."""

    files: RowFiles
    folder: Path
    seconds: float
    client: str = ""

    async def generation(self, given: Mapping[str, Any]) -> int | None:
        """The earlier generation that parameters ask for, None for the present one; WrongParameter for no such one."""
        return await self.files.earlier.known("generation", given.get("generation"))

    async def selected(self, chosen: Projection, given: Mapping[str, Any]) -> Selection:
        """The ties that parameters select; WrongParameter where a value is nothing that the graph knows."""
        generation = await self.generation(given)
        filters = {name: selection.terms(name, given[name], chosen) for name in FILTERS if given.get(name)}
        dates = (given.get("from"), given.get("to"), given.get("at"), given.get("undated"))
        window = selection.window(*dates)
        wanted = [term for terms in filters.values() for term in terms]
        if wanted:
            unknown = set(await self._column(selection.unknown_query(wanted), generation))
            for name, terms in filters.items():
                for term in terms:
                    if term.value in unknown:
                        await self._refuse(name, term, chosen, generation)
        return Selection(filters, window)

    async def _refuse(self, name: str, term: NamedNode, chosen: Projection, generation: int | None) -> None:
        beginning = selection.beginning_of(name, chosen)
        found = await self._column(selection.known_query(beginning), generation)
        known = [iri.removeprefix(beginning) for iri in found]
        listed = f"some that it knows: {', '.join(known)}" if known else f"the IRIs of such begin with {beginning}"
        raise wrong_parameter(name, term.value, f"the graph knows no such thing; {listed}")

    async def _column(self, text: str, generation: int | None) -> list[str]:
        asked = Query(text, table="csv", seconds=self.seconds, client=self.client)
        reads = await self.files.reads(generation)
        answer = await (await reads.answer(asked)).content()
        return [row[0] for row in list(csv.reader(io.StringIO(answer.decode(), newline="")))[1:] if row]

    async def _file(self, text: str, generation: int | None) -> tuple[str, int]:
        query = Query(text, table="csv", seconds=self.seconds, client=self.client)
        path, number = await self.files.file(query, generation)
        return str(path), number

    async def _ties(
        self, asked: Asked, which: Projection, chosen: Selection, generation: int | None
    ) -> tuple[dict[str, Any], int]:
        needs = asked.needs
        follow = await self._leading(generation)
        # Entries that became one may be tied twice by the same thing, whatever the projection promises.
        has_evidence = "shared" in needs or bool(follow and not which.is_folded)
        bare = projection.bare_columns(which, has_evidence=has_evidence)
        columns = projection.COLUMNS if "details" in needs else bare
        path, number = await self._file(selection.ties_query(which, chosen, columns), generation)
        told = {"file": path, "projection": asdict(which), "weighting": asked.weighting, "leading": follow}
        return told, number

    async def _leading(self, generation: int | None) -> dict[str, str]:
        """By each entry that is the same actor as another, the one that is the node for both."""
        path, _ = await self._file(pairs_query(), generation)
        with Path(path).open(encoding="utf-8", newline="") as file:
            return leading((row[0], row[1]) for row in list(csv.reader(file))[1:])

    async def prepared(self, asked: Asked, known: Mapping[str, Projection]) -> tuple[int, dict[str, Any]]:
        """The generation, and what a process is told, with the files that it reads."""
        needs = asked.needs
        earlier = asked.generation
        generations = [earlier]
        told, generation = await self._ties(asked, asked.projection, asked.selection, earlier)
        others = []
        if "second" in needs:
            given = [asked.parameters[name] for name in ("against_from", "against_to")]
            dates = [None if date == "any" else date for date in given]
            names = ("against_from", "against_to")
            window = selection.window(dates[0], dates[1], None, asked.undated, names)
            other = Selection(asked.selection.filters, window)
            against = await self.files.earlier.known("against_generation", asked.parameters.get("against_generation"))
            ties, number = await self._ties(asked, asked.projection, other, against)
            others.append(ties)
            generations.append(against)
            told["against"] = {"generation": number, "selection": other.told()}
        if "shared" in needs and asked.parameters["shared"]:
            for name in _SHARED:
                if name in known:
                    others.append((await self._ties(asked, known[name], Selection(), earlier))[0])
        told |= {
            "others": others,
            "measure": asked.measure.name if asked.measure else None,
            "parameters": dict(asked.parameters),
            "format": asked.format,
            "limit": asked.limit,
            "languages": asked.languages,
            "generation": generation,
            "selection": asked.selection.told(),
            "url": asked.url,
        }
        things = await asyncio.to_thread(_told_of, [told, *others])
        if "attributes" in needs or (asked.measure is None and asked.format == "drawing"):
            told["attributes"] = (await self._file(_nodes_query("attributes", things), earlier))[0]
            groups = await asyncio.to_thread(mentioned, Path(told["attributes"]), _MOST_NAMED)
            things = things | groups if things is not None and groups is not None else None
        named = _nodes_query("names", things)
        told["names"] = [(await self._file(named, each))[0] for each in dict.fromkeys(generations)]
        if asked.format != "parquet" and (asked.measure is None or asked.measure.name == "layout"):
            told["positions"] = str(self._positions(asked))
        return generation, told

    def _positions(self, asked: Asked) -> Path:
        """Where the positions of this network are kept from one generation to the next."""
        which = repr((asked.projection.name, asked.selection.told(), asked.weighting)).encode()
        folder = self.folder / "layouts"
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{blake2b(which, digest_size=16).hexdigest()}.csv"


def _told_of(parts: Sequence[Mapping[str, Any]]) -> frozenset[str] | None:
    """The things that the files of ties speak of, with the entries that are the same actors; None for very many."""
    found: set[str] = set()
    for part in parts:
        things = mentioned(Path(part["file"]), _MOST_NAMED)
        if things is None:
            return None
        leading = part["leading"]
        found |= things | {leading[each] for each in things if each in leading}
        found |= {entry for entry, one in leading.items() if one in found}
    return frozenset(found) if len(found) <= _MOST_NAMED else None


def _nodes_query(name: str, things: frozenset[str] | None) -> str:
    """A question about some nodes, or all for None, unsorted: engines take seconds to put ten thousand rows in order.

    Of a large graph most things are in no network of it: to read and write the names of all takes seconds too.
    """
    text = queries.read(resources.folder("queries"), f"nodes/{name}").text.rpartition("ORDER BY")[0]
    if things is None:
        return text
    nodes = " ".join(str(NamedNode(each)) for each in sorted(things))
    return text.replace("{", f"{{\n  VALUES ?node {{ {nodes} }}", 1)


#: How a network can be written, and how a measure of one can.
FORMATS = ("json", "graphml", "gexf", "pajek", "csv-nodes", "csv-edges", "cytoscape", "json-ld", "drawing", "parquet")
RESULTS = ("json", "csv")
_WINDOW = ("from", "to", "at", "undated", "generation")
#: Seconds that a command line may take: nobody else waits for it, and who does can end it.
_A_DAY = 86_400.0
_CHOICES = {"weighting": ("count", "newman", "jaccard"), "lang": TONGUES}


@dataclass(frozen=True, slots=True)
class Words:
    """A question as a command line puts it, looked over as far as that goes without the store."""

    projection: Projection
    measure: Measure | None
    parameters: Mapping[str, Any]
    given: Mapping[str, Any]
    format: str
    limit: int
    url: str


def asked_for(name: str, measure: str | None, chosen: Sequence[str], how: str | None, limit: int) -> Words:
    """What words ask for; NotFound and WrongParameter say what is known and what is allowed."""
    which = projection.named(name, projection.every(resources.folder("queries")))
    what = measures.named(measure) if measure else None
    formats = RESULTS if what else FORMATS
    if how is not None and how not in formats:
        raise wrong_parameter("format", how, f"allowed are {', '.join(formats)}")
    known = [*FILTERS, *_WINDOW, *_CHOICES, *((each.name for each in what.parameters) if what else ())]
    written: dict[str, str] = {}
    for pair in chosen:
        key, is_pair, value = pair.partition("=")
        if not is_pair or key not in known:
            raise wrong_parameter("set", pair, f"it must be NAME=VALUE with one of the names {', '.join(known)}")
        written[key] = value
    for key, allowed in _CHOICES.items():
        if not set(written.get(key, allowed[0]).split(",")) <= set(allowed):
            raise wrong_parameter(key, written[key], f"allowed are {', '.join(allowed)}")
    own = {each.name: written.pop(each.name) for each in what.parameters if each.name in written} if what else {}
    given = {key: value.split(",") if key in FILTERS else value for key, value in written.items()}
    line = " ".join(["kg network", name, *([measure] if measure else []), *(f"--set {pair}" for pair in chosen)])
    return Words(which, what, what.read(own) if what else {}, given, how or "json", limit, f"`{line}`")


def asked_of_spark(words: Words) -> Words:
    """What is asked of this service so that Spark can measure: the network itself, as Parquet."""
    return replace(words, measure=None, parameters={}, format="parquet")


async def answered(
    settings: Settings, reads: Reads, words: Words, progress: Callable[[str, float, float], None]
) -> bytes:
    """The answer to words, from a process that ends with it."""
    files = RowFiles(settings.own_folder, reads, settings.network_rows, Earlier(settings), _A_DAY)
    running = Jobs(size=1, memory=settings.network_memory, seconds=_A_DAY, keep=0)
    asker = Asker(files, settings.own_folder, _A_DAY)
    try:
        asked = Asked(
            words.projection,
            await asker.selected(words.projection, words.given),
            words.measure,
            words.parameters,
            words.format,
            words.url,
            words.limit,
            words.given.get("weighting", "count"),
            tuple(filter(None, words.given.get("lang", "").split(","))),
            words.given.get("undated"),
            await asker.generation(words.given),
        )
        known = projection.every(resources.folder("queries"))
        job = running.start("", asked.what(), asked.url, lambda: asker.prepared(asked, known))
        while not await running.wait(job, 0.2):
            progress(job.doing, job.part, 1.0)
        if job.problem:
            raise job.problem
        assert job.finished
        return job.finished.data
    finally:
        await running.close()
        await files.close()
