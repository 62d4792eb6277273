"""The likely pairs, as claims that nobody has decided on, and the list of those and of what was decided.

A claim's `sse:method` begins with the likelihood, so that it sorts, and tells each feature with its bits:

    0.973 likely by bits: name 0.97 +8.1; country 1 +1.0; prior 0 -4.0
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kg_service.changes import Present
from kg_service.identity import Actor, Candidate, Feature
from kg_service.identity.blocking import Frequencies, pairs
from kg_service.identity.reading import Ask, every
from kg_service.identity.scoring import likely
from kg_service.rdf import PREFIXES, RDF_TYPE, Literal, NamedNode, Quad, Term, entity, graph, sse
from kg_service.store import Delta

#: Where candidates and where decisions stand.
INFERRED, DECIDED = graph("inferred"), graph("identity")
SAME, DIFFERENT = sse("sameActorAs"), NamedNode(PREFIXES["owl"] + "differentFrom")
#: What a pair can be, for lists.
STATES = ("proposed", "accepted", "rejected")
#: A pair that is less likely is not proposed; a likelihood that moves by less is not written anew.
LEAST, _MOVES = 0.8, 0.05
_RDF = PREFIXES["rdf"]
_BEGIN = entity("claim", "same-actor-").value
_METHOD = re.compile(r"(?P<likelihood>[01]\.\d{3}) likely by bits: (?P<features>.*)")
_FEATURE = re.compile(r"(\w+) ([\d.]+) ([+-][\d.]+)")
_WORDS = {
    "en": ("The two entries may be one actor: likelihood {}. In bits: {}.", "names", "country", "website", "number",
           "place", "part of the other", "by chance"),
    "es": ("Las dos entradas pueden ser un mismo actor: probabilidad {}. En bits: {}.", "nombres", "país", "sitio web",
           "número", "lugar", "parte del otro", "por azar"),
    "fr": ("Les deux entrées peuvent être un seul acteur : probabilité {}. En bits : {}.", "noms", "pays", "site web",
           "numéro", "lieu", "partie de l’autre", "par hasard"),
}  # fmt: skip
_FEATURES = ("name", "country", "website", "number", "place", "part", "prior")


@dataclass(frozen=True, slots=True)
class Pair:
    """A pair in a list: the entry that follows, the one that leads, its state, and why it was proposed, if it was."""

    one: str
    leading: str
    state: str
    likelihood: float | None = None
    features: tuple[Feature, ...] = ()


def found(actors: Sequence[Actor], least: float = LEAST) -> list[Candidate]:
    """The pairs that are as likely as that to be one, the likeliest first."""
    known = Frequencies(actors)
    compared = ((actors[one], actors[other]) for one, other in pairs(actors, known))
    return sorted(likely(compared, known, least), key=lambda each: (-each.likelihood, each.one, each.leading))


async def undecided(ask: Ask, least: float = LEAST) -> tuple[list[Candidate], dict[str, Actor]]:
    """The candidates of the graph, without those on which somebody has decided; and all actors by IRI."""
    decided = {frozenset((row["one"].value, row["leading"].value)) for row in await ask(_decisions())}
    actors = await every(ask)
    left = [each for each in found(actors, least) if frozenset((each.one, each.leading)) not in decided]
    return left, {actor.iri: actor for actor in actors}


def _decisions() -> str:
    said = f"{{ ?one {SAME} ?leading }} UNION {{ ?one {DIFFERENT} ?leading }}"
    return f"SELECT ?one ?leading {{ {said} FILTER(ISIRI(?leading)) }}"


# --- as claims


def claim_of(one: str, other: str) -> NamedNode:
    """The claim that two are one, whichever is named first."""
    return NamedNode(_BEGIN + hashlib.sha256(" ".join(sorted((one, other))).encode()).hexdigest()[:12])


def proposed(candidates: Iterable[Candidate]) -> Callable[[Present], Delta]:
    """The change after which these are the candidates: new ones come, and those go that nobody has decided on and that
    are likely no more."""
    wanted = {claim_of(each.one, each.leading): each for each in candidates}

    def make(present: Present) -> Delta:
        decided = {
            claim_of(quad.subject.value, quad.object.value)
            for quad in present.graph(DECIDED)
            if isinstance(quad.subject, NamedNode) and isinstance(quad.object, NamedNode)
        }
        old: dict[NamedNode, set[Quad]] = {}
        for quad in present.graph(INFERRED):
            if isinstance(quad.subject, NamedNode) and quad.subject.value.startswith(_BEGIN):
                old.setdefault(quad.subject, set()).add(quad)
        added, removed = set[Quad](), set[Quad]()
        for claim in (wanted.keys() | old.keys()) - decided:
            before, after = old.get(claim, set()), _quads(claim, wanted[claim]) if claim in wanted else set()
            if not (before and after) or _has_moved(before, wanted[claim]):
                added |= after - before
                removed |= before - after
        return Delta(frozenset(added), frozenset(removed))

    return make


def _has_moved(before: Iterable[Quad], now: Candidate) -> bool:
    said = {quad.predicate.value: quad.object for quad in before}
    told = likelihood_of(getattr(said.get(sse("method").value), "value", ""))
    leading = said.get(_RDF + "object")
    return told is None or abs(told - now.likelihood) >= _MOVES or leading != NamedNode(now.leading)


def _quads(claim: NamedNode, candidate: Candidate) -> set[Quad]:
    said: list[tuple[NamedNode, Term]] = [
        (RDF_TYPE, sse("Claim")),
        (RDF_TYPE, NamedNode(_RDF + "Statement")),
        (NamedNode(_RDF + "subject"), NamedNode(candidate.one)),
        (NamedNode(_RDF + "predicate"), SAME),
        (NamedNode(_RDF + "object"), NamedNode(candidate.leading)),
        (sse("certainty"), entity("certainty", "inferred")),
        (sse("method"), Literal(_method(candidate))),
    ]
    said += [(sse("rationale"), Literal(_rationale(candidate, tag), language=tag)) for tag in _WORDS]
    return {Quad(claim, property, value, INFERRED) for property, value in said}


def _method(candidate: Candidate) -> str:
    told = "; ".join(f"{each.name} {each.alike:g} {each.bits:+.1f}" for each in candidate.features)
    return f"{_shown(candidate)} likely by bits: {told}"


def _rationale(candidate: Candidate, language: str) -> str:
    sentence, *names = _WORDS[language]
    words = dict(zip(_FEATURES, names, strict=True))
    told = ", ".join(f"{words[each.name]} {each.bits:+.1f}" for each in candidate.features)
    return sentence.format(_shown(candidate), told)


def _shown(candidate: Candidate) -> str:
    return f"{min(candidate.likelihood, 0.999):.3f}"  # nothing that is inferred is certain


def likelihood_of(method: str) -> float | None:
    """The likelihood that a claim's method tells; None for a claim that was made otherwise."""
    match = _METHOD.fullmatch(method)
    return float(match["likelihood"]) if match else None


def features_of(method: str) -> tuple[Feature, ...]:
    """The features that a claim's method tells."""
    match = _METHOD.fullmatch(method)
    told = _FEATURE.findall(match["features"]) if match else []
    return tuple(Feature(name, float(alike), float(bits)) for name, alike, bits in told)


# --- listed


async def listed(
    ask: Ask, state: str, *, of: str | None = None, limit: int = 25, offset: int = 0
) -> tuple[int, list[Pair]]:
    """How many pairs of a state there are, of all actors or of one, and some of them, the likeliest first."""
    pattern = _pattern(state) + (f" FILTER({NamedNode(of)} IN (?one, ?leading))" if of else "")
    (counted,) = await ask(f"SELECT (COUNT(*) AS ?n) {{ SELECT DISTINCT ?one ?leading {{ {pattern} }} }}")
    rows = await ask(
        f"SELECT ?one ?leading (MAX(?told) AS ?method) {{ {pattern} {_told()} }} GROUP BY ?one ?leading "
        f"ORDER BY DESC(?method) ?one ?leading LIMIT {limit} OFFSET {offset}"
    )
    return int(counted["n"].value), [_pair(row, state) for row in rows if "one" in row]


def _pattern(state: str) -> str:
    """Which pairs are of a state: ?one ?leading."""
    if state != "proposed":
        said = SAME if state == "accepted" else DIFFERENT
        return f"?one {said} ?leading . ?one {RDF_TYPE} {sse('Actor')} ."
    none = " ".join(
        f"FILTER NOT EXISTS {{ {one} {said} {other} }}"
        for said in (SAME, DIFFERENT)
        for one, other in (("?one", "?leading"), ("?leading", "?one"))
    )
    return f"{_claimed('?claim', '?one', '?leading')} {none}"


def _claimed(claim: str, one: str, leading: str) -> str:
    return f"{claim} <{_RDF}predicate> {SAME} ; <{_RDF}subject> {one} ; <{_RDF}object> {leading} ."


def _told() -> str:
    """The method of the claim that a pair was proposed by, where there is one: ?told."""
    return f"""OPTIONAL {{
      {{ {_claimed("?why", "?one", "?leading")} }} UNION {{ {_claimed("?why", "?leading", "?one")} }}
      ?why {sse("method")} ?told }}"""


def _pair(row: Mapping[str, Any], state: str) -> Pair:
    method = row["method"].value if "method" in row else ""
    return Pair(row["one"].value, row["leading"].value, state, likelihood_of(method), features_of(method))
