"""The model as data: every term defined, every list complete, nothing borrowed wrongly, no rule of logic broken."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import owlrl
import pytest
import rdflib
from pyoxigraph import BlankNode, Literal, NamedNode, Quad, RdfFormat, Triple, parse
from rdflib import namespace
from rdflib.compare import isomorphic

from kg_service import resources
from kg_service.rdf import ENTITY, ONTOLOGY, PREFIXES, parse_file

ROOT = Path(__file__).resolve().parent.parent
ONTOLOGY_FILES = sorted(resources.folder("ontology").glob("*.ttl"))
SHAPE_FILES = sorted(resources.folder("shapes").glob("*.ttl"))
DATA_FILES = sorted(p for ending in ("*.ttl", "*.trig") for p in resources.folder("data").glob(ending))
QUERY_FILES = sorted(resources.folder("queries").rglob("*.rq"))
VILLAGE = ROOT / "tests" / "data" / "village.ttl"
LANGUAGES = {"en", "es", "fr"}

Node = NamedNode | BlankNode | Literal | Triple
Triples = set[tuple[Node, Node, Node]]
#: The files that speak of entities or of terms, and so must use the model's words rightly.
SPEAKING_FILES = [*ONTOLOGY_FILES, *SHAPE_FILES, *DATA_FILES, *QUERY_FILES, VILLAGE]


def iri(prefixed: str) -> NamedNode:
    """The IRI that a prefixed name of the project stands for."""
    prefix, local = prefixed.split(":", 1)
    return NamedNode(PREFIXES[prefix] + local)


TYPE, SUBCLASS, LABEL = iri("rdf:type"), iri("rdfs:subClassOf"), iri("skos:prefLabel")


class Facts:
    """The triples of some files, whatever graph they stand in, by subject and predicate."""

    def __init__(self, quads: Iterable[Quad]) -> None:
        self.triples: Triples = {(q.subject, q.predicate, q.object) for q in quads}
        self.of: dict[tuple[Node, Node], set[Node]] = defaultdict(set)
        for subject, predicate, value in self.triples:
            self.of[subject, predicate].add(value)

    def languages(self, subject: Node, predicate: NamedNode) -> set[str]:
        values = (v for v in self.of[subject, predicate] if isinstance(v, Literal) and v.value.strip())
        return {v.language for v in values if v.language}

    def instances(self, of: Node) -> set[Node]:
        return {s for s, p, o in self.triples if p == TYPE and o == of}

    def items(self, head: Node) -> Iterator[Node]:
        """The members of an RDF list."""
        while head != iri("rdf:nil"):
            (first,) = self.of[head, iri("rdf:first")]
            (head,) = self.of[head, iri("rdf:rest")]
            yield first

    def above(self, term: Node) -> set[Node]:
        """A class and all its named superclasses."""
        found, waiting = {term}, [term]
        while waiting:
            new = self.of[waiting.pop(), SUBCLASS] - found
            found |= new
            waiting.extend(new)
        return found

    def alternatives(self, term: Node, which: str) -> set[Node]:
        """The classes named by a property's domain or range, the members of a union each; empty where none is said."""
        found: set[Node] = set()
        for named in self.of[term, iri(f"rdfs:{which}")]:
            unions = self.of[named, iri("owl:unionOf")]
            found |= {member for union in unions for member in self.items(union)} if unions else {named}
        return found


@cache
def facts(*paths: Path) -> Facts:
    return Facts(quad for path in paths for quad in parse_file(path))


@cache
def ontology() -> Facts:
    return facts(*ONTOLOGY_FILES)


@cache
def data() -> Facts:
    return facts(*ONTOLOGY_FILES, *DATA_FILES)


def terms(kinds: Iterable[str] = ("owl:Class", "owl:ObjectProperty", "owl:DatatypeProperty")) -> set[str]:
    """The local names of the terms that the ontology declares."""
    declared = {term.value for kind in kinds for term in ontology().instances(iri(kind)) if isinstance(term, NamedNode)}
    return {term.removeprefix(ONTOLOGY) for term in declared if term.startswith(ONTOLOGY)}


def named(quads: Iterable[Quad]) -> Iterator[str]:
    """Every IRI in the quads, datatypes and graph names too."""
    for quad in quads:
        for part in (quad.subject, quad.predicate, quad.object, quad.graph_name):
            if isinstance(part, NamedNode):
                yield part.value
            elif isinstance(part, Literal):
                yield part.datatype.value


_NOISE = re.compile(r"""("(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|<[^<>\s]*>)|#[^\n]*""")
_PREFIX = re.compile(r"\bPREFIX\s+([\w-]*):\s*<([^>]*)>", re.IGNORECASE)
_PREFIXED = re.compile(r"(?<![\w:?$<-])([A-Za-z][\w-]*):([A-Za-z_][\w-]*)")


def named_in_sparql(text: str) -> Iterator[str]:
    """Every IRI in a query's text, comments left out and prefixed names written out."""
    text = _NOISE.sub(lambda found: found[1] or " ", text)
    prefixes = PREFIXES | dict(_PREFIX.findall(text))
    yield from re.findall(r"<([^<>\s]+)>", _PREFIX.sub(" ", text))
    outside = re.sub(r"<[^<>\s]*>|\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'", " ", text)
    for prefix, local in _PREFIXED.findall(outside):
        if prefix in prefixes:
            yield prefixes[prefix] + local


SPARQL_TEXTS = {iri(name) for name in ("sh:select", "sh:ask", "sh:construct", "sh:update")}


def used_by(path: Path) -> set[str]:
    """Every IRI that a file uses, those inside SPARQL texts of shapes too."""
    if path.suffix == ".rq":
        return set(named_in_sparql(path.read_text(encoding="utf-8")))
    quads = list(parse_file(path))
    queries = [q.object.value for q in quads if isinstance(q.object, Literal) and q.predicate in SPARQL_TEXTS]
    return set(named(quads)) | {found for query in queries for found in named_in_sparql(query)}


# ---- The terms ----


@pytest.mark.parametrize("name", sorted(terms()))
def test_every_term_is_named_and_defined_in_three_languages(name: str) -> None:
    term = NamedNode(ONTOLOGY + name)
    assert ontology().languages(term, iri("rdfs:label")) == LANGUAGES
    assert ontology().languages(term, iri("rdfs:comment")) == LANGUAGES
    for definition in ontology().of[term, iri("rdfs:comment")]:
        assert isinstance(definition, Literal)
        assert definition.value.endswith("."), definition
        assert definition.value.count(". ") == 0, f"more than one sentence: {definition}"
    assert ontology().of[term, iri("rdfs:isDefinedBy")] == {NamedNode(ONTOLOGY.rstrip("#"))}


def test_classes_are_capitalised_and_properties_are_not() -> None:
    assert all(name[0].isupper() for name in terms(["owl:Class"]))
    assert all(name[0].islower() for name in terms(["owl:ObjectProperty", "owl:DatatypeProperty"]))


def test_the_ontology_says_what_it_is() -> None:
    itself = NamedNode(ONTOLOGY.rstrip("#"))
    (version,) = ontology().of[itself, iri("owl:versionInfo")]
    assert isinstance(version, Literal)
    assert ontology().of[itself, iri("owl:versionIRI")] == {NamedNode(f"{itself.value}/{version.value}")}
    licences = {NamedNode("https://creativecommons.org/licenses/by/4.0/")}
    assert ontology().of[itself, iri("dcterms:license")] == licences
    for predicate in ("dcterms:title", "dcterms:description"):
        assert ontology().languages(itself, iri(predicate)) == LANGUAGES


@pytest.mark.parametrize("path", SPEAKING_FILES, ids=lambda path: path.name)
def test_only_declared_terms_are_used(path: Path) -> None:
    known = {ONTOLOGY + name for name in terms()}
    assert {i for i in used_by(path) if i.startswith(ONTOLOGY) and i != ONTOLOGY} - known == set()


def test_a_misspelt_term_in_a_query_is_seen() -> None:
    text = 'PREFIX s: <https://w3id.org/sse-kg/ontology#>\n# s:Comment\nSELECT ?x { ?x a s:Actr ; s:theme "s:Text" }'
    assert set(named_in_sparql(text)) == {ONTOLOGY + "Actr", ONTOLOGY + "theme"}


def test_schema_org_is_written_with_https() -> None:
    """Shapes may name the other spelling in order to refuse it."""
    files = [path for path in SPEAKING_FILES if path not in SHAPE_FILES]
    assert [path.name for path in files if any(i.startswith("http://schema.org/") for i in used_by(path))] == []


# ---- What is borrowed ----

#: The namespaces that rdflib knows whole; the reference folder does not hold them.
KNOWN_WHOLE = [namespace.RDF, namespace.RDFS, namespace.OWL, namespace.SH, namespace.XSD]
REFERENCES = """
    vocabularies/*.nq vocabularies/*.rdf vocabularies/*.ttl vocabularies/*/voc/*.ttl sdg/*.ttl
    essglobal/essglobal-v2a/vocab/*.ttl essglobal/essglobal-v2a/standard/*.ttl
""".split()
BORROWED = "org prov skos dcterms foaf oa time eli cv schema sdgo sdg".split()
OTHERS = ("http://purl.org/vocab/vann/", "http://purl.org/essglobal/")


@pytest.fixture(scope="module")
def reference(shared: Path) -> Facts:
    """All the vocabularies that the model borrows from, as their keepers publish them."""
    paths = [path for pattern in REFERENCES for path in sorted((shared / "reference").glob(pattern))]
    if not paths:
        pytest.skip(f"{shared} holds no reference vocabularies")
    return facts(*paths)


@pytest.mark.parametrize("path", SPEAKING_FILES, ids=lambda path: path.name)
def test_every_borrowed_term_exists(path: Path, reference: Facts) -> None:
    spaces = (*(PREFIXES[prefix] for prefix in BORROWED), *OTHERS)
    known = {s.value for s, _, _ in reference.triples if isinstance(s, NamedNode)}
    assert {i for i in used_by(path) if i.startswith(spaces) and i not in spaces} - known == set()


@pytest.mark.parametrize("path", SPEAKING_FILES, ids=lambda path: path.name)
def test_every_term_of_rdf_owl_and_shacl_exists(path: Path) -> None:
    for space in KNOWN_WHOLE:
        used = {i for i in used_by(path) if i.startswith(str(space)) and i != str(space)}
        assert {i for i in used if rdflib.URIRef(i) not in space} == set()


def test_theme_is_not_tied_to_a_property_that_makes_concepts_of_everything(reference: Facts) -> None:
    """The trap is real: the SDG ontology gives dcterms:subject a domain, and schema.org makes schema:about the same."""
    subject = iri("dcterms:subject")
    assert iri("skos:Concept") in reference.of[subject, iri("rdfs:domain")]
    assert subject in reference.of[iri("schema:about"), iri("owl:equivalentProperty")]
    for name in ("theme", "about"):
        assert ontology().of[NamedNode(ONTOLOGY + name), iri("rdfs:subPropertyOf")] == set()


# ---- The closed lists ----

LISTS = """
    certainty status role level org-kind event-kind policy-kind alliance-kind place-kind issue-kind statistic-kind
""".split()
OPEN_SCHEMES = "themes populations actor-groups sectors practices principles blocks".split()


def concepts(scheme: str) -> set[Node]:
    here = NamedNode(f"{ENTITY}scheme/{scheme}")
    return {s for s, p, o in ontology().triples if p == iri("skos:inScheme") and o == here}


@pytest.mark.parametrize("name", [*LISTS, *OPEN_SCHEMES])
def test_every_scheme_is_declared_and_named(name: str) -> None:
    scheme = NamedNode(f"{ENTITY}scheme/{name}")
    assert iri("skos:ConceptScheme") in ontology().of[scheme, TYPE]
    assert ontology().languages(scheme, LABEL) >= LANGUAGES
    assert ontology().languages(scheme, iri("skos:definition")) == LANGUAGES


@pytest.mark.parametrize("name", LISTS)
def test_every_list_is_complete(name: str) -> None:
    members = concepts(name)
    assert members
    kinds = set()
    for concept in members:
        assert isinstance(concept, NamedNode)
        slug = concept.value.removeprefix(f"{ENTITY}{name}/")
        assert ontology().of[concept, iri("skos:notation")] == {Literal(slug)}
        assert ontology().languages(concept, LABEL) >= LANGUAGES
        assert ontology().languages(concept, iri("skos:definition")) == LANGUAGES
        assert iri("skos:Concept") in ontology().of[concept, TYPE]
        kinds |= ontology().of[concept, TYPE] - {iri("skos:Concept")}
        broader = ontology().of[concept, iri("skos:broader")]
        assert broader <= members, concept
        assert bool(broader) != bool(ontology().of[concept, iri("skos:topConceptOf")]), concept
    (kind,) = kinds
    assert ontology().instances(kind) == members


@pytest.mark.parametrize("name", LISTS)
def test_no_two_entries_of_a_list_share_a_label(name: str) -> None:
    labels = [label for concept in concepts(name) for label in ontology().of[concept, LABEL]]
    assert len(labels) == len(set(labels))


def test_the_kinds_of_the_ilo_resolution_are_marked() -> None:
    named_there = ("cooperative", "association", "mutual", "foundation", "social-enterprise", "self-help-group")
    collection = NamedNode(f"{ENTITY}collection/sse-entities")
    assert ontology().of[collection, iri("skos:member")] == {NamedNode(f"{ENTITY}org-kind/{n}") for n in named_there}


# ---- The Sustainable Development Goals ----

SDG_CLASSES = (iri("sdgo:Goal"), iri("sdgo:Target"))


def goals_and_targets(of: Facts) -> set[tuple[Node, Node, frozenset[Node]]]:
    return {(x, kind, frozenset(of.of[x, iri("skos:broader")])) for kind in SDG_CLASSES for x in of.instances(kind)}


def test_goals_and_targets_are_the_uns(reference: Facts) -> None:
    assert goals_and_targets(data()) == goals_and_targets(reference)


def test_goals_and_targets_are_complete() -> None:
    goals, targets = (data().instances(kind) for kind in SDG_CLASSES)
    assert (len(goals), len(targets)) == (17, 169)
    for entry in goals | targets:
        assert isinstance(entry, NamedNode)
        assert data().languages(entry, LABEL) == {"en", "es", "fr", "pt"}
        assert data().of[entry, iri("skos:notation")] == {Literal(entry.value.removeprefix(PREFIXES["sdg"]))}
        assert data().of[entry, iri("skos:inScheme")] == {NamedNode("http://metadata.un.org/sdg")}
    for target in targets:
        goal = {NamedNode(target.value.rsplit(".", 1)[0])}  # type: ignore[union-attr]
        assert data().of[target, iri("skos:broader")] == data().of[target, iri("sdgo:isTargetOf")] == goal


# ---- The JSON-LD context ----


@cache
def context() -> dict[str, Any]:
    document = json.loads((resources.folder("ontology") / "context.jsonld").read_text(encoding="utf-8"))
    found: dict[str, Any] = document["@context"]
    return found


def written_out(term: str) -> str:
    """The IRI that a name of the context stands for."""
    entry = context()[term]
    value: str = entry if isinstance(entry, str) else entry["@id"]
    prefix, _, local = value.partition(":")
    return context()[prefix] + local if prefix in context() and not local.startswith("//") else value


def test_the_context_covers_every_term_with_its_kind_of_value() -> None:
    by_iri = {written_out(term): context()[term] for term in context() if not term.startswith("@")}
    assert {ONTOLOGY + name for name in terms()} - by_iri.keys() == set()
    for name in terms(["owl:ObjectProperty"]):
        assert by_iri[ONTOLOGY + name]["@type"] == "@id", name
    for name in terms(["owl:DatatypeProperty"]):
        (kind,) = ontology().of[NamedNode(ONTOLOGY + name), iri("rdfs:range")]
        entry = by_iri[ONTOLOGY + name]
        if kind == iri("rdf:langString"):
            assert entry["@container"] == "@language", name
        elif kind == iri("xsd:string"):
            assert isinstance(entry, str) or "@type" not in entry, name
        else:
            assert PREFIXES["xsd"] + entry["@type"].removeprefix("xsd:") == kind.value, name  # type: ignore[union-attr]


def test_the_context_covers_what_the_data_carry() -> None:
    known = {written_out(term) for term in context() if not term.startswith("@")}
    quads = [q for path in [*DATA_FILES, VILLAGE, ROOT / "ontology" / "lists.ttl"] for q in parse_file(path)]
    used = {q.predicate.value for q in quads if q.predicate != TYPE}
    used |= {q.object.value for q in quads if q.predicate == TYPE and isinstance(q.object, NamedNode)}
    assert used - known == set()


def test_the_context_has_a_prefix_for_every_type_of_entity() -> None:
    known = {written_out(term) for term in context() if not term.startswith("@")}
    quads = [q for path in [*DATA_FILES, VILLAGE, *ONTOLOGY_FILES] for q in parse_file(path)]
    types = {i.removeprefix(ENTITY).split("/")[0] for i in named(quads) if i.startswith(ENTITY)}
    assert {f"{ENTITY}{kind}/" for kind in types} - known == set()


SAMPLE = {
    "@graph": [
        {
            "id": "organisation:bakers",
            "type": ["Organisation", "Actor"],
            "prefLabel": {"en": "Bakers", "es": "Panaderas"},
            "altLabel": {"en": ["The Bakers", "BC"]},
            "acronym": "BC",
            "theme": ["theme-id:bread"],
            "level": "level-id:local",
        },
        {
            "id": "event:fair",
            "type": "Event",
            "startDate": {"@value": "2021-05", "@type": "xsd:gYearMonth"},
            "duration": "PT2H30M",
            "edition": 3,
            "status": "status-id:held",
            "contributesTo": ["sdg:8.3", "sdg:17"],
        },
        {
            "id": "claim:c",
            "type": ["Claim", "Statement"],
            "subject": "organisation:bakers",
            "predicate": "theme",
            "object": {"id": "theme-id:bread"},
            "certainty": "certainty-id:stated",
            "evidence": "quotation:q",
        },
        {"id": "quotation:q", "type": "Quotation", "exact": "bread", "start": 0, "end": 5, "quotedFrom": "document:d"},
        {
            "id": "membership:m",
            "type": "Membership",
            "member": "organisation:bakers",
            "organization": "organisation:guild",
            "role": "role-id:member",
        },
        {"id": "urn:sse-kg:block:b", "sse:exact": "bread"},
    ]
}
SAMPLE_TURTLE = """
organisation:bakers a sse:Organisation , sse:Actor ; skos:prefLabel "Bakers"@en , "Panaderas"@es ;
  skos:altLabel "The Bakers"@en , "BC"@en ; sse:acronym "BC" ; sse:theme theme:bread ; sse:level level:local .
event:fair a sse:Event ; schema:startDate "2021-05"^^xsd:gYearMonth ; sse:duration "PT2H30M"^^xsd:duration ;
  sse:edition 3 ; sse:status status:held ; sse:contributesTo sdg:8.3 , sdg:17 .
claim:c a sse:Claim , rdf:Statement ;
  rdf:subject organisation:bakers ; rdf:predicate sse:theme ; rdf:object theme:bread ;
  sse:certainty certainty:stated ; sse:evidence quotation:q .
quotation:q a sse:Quotation ; oa:exact "bread" ; oa:start 0 ; oa:end 5 ; sse:quotedFrom document:d .
membership:m a sse:Membership ; org:member organisation:bakers ; org:organization organisation:guild ;
  sse:role role:member .
<urn:sse-kg:block:b> sse:exact "bread" .
"""


def sample_in_turtle() -> str:
    kinds = "organisation event claim quotation document membership theme level status role certainty".split()
    prefixes = PREFIXES | {kind: f"{ENTITY}{kind}/" for kind in kinds}
    return "".join(f"@prefix {p}: <{i}> .\n" for p, i in prefixes.items()) + SAMPLE_TURTLE


@pytest.mark.filterwarnings("ignore::DeprecationWarning:rdflib")
def test_json_written_with_the_context_says_what_turtle_says() -> None:
    """Read by both JSON-LD processors at hand, so that neither's habits are mistaken for the standard's."""
    document = json.dumps({"@context": context(), **SAMPLE})
    turtle = set(parse(sample_in_turtle(), RdfFormat.TURTLE))
    assert set(parse(document, RdfFormat.JSON_LD)) == turtle
    other = rdflib.Graph().parse(data=document, format="json-ld")
    assert isomorphic(other, rdflib.Graph().parse(data=sample_in_turtle(), format="turtle"))


# ---- Logic ----

ERROR = rdflib.URIRef("http://www.daml.org/2002/03/agents/agent-ont#error")
#: The predicates by which vocabularies entail anything; the rest of them is left out of the closure.
AXIOMS = {
    iri(name)
    for name in """
        rdf:type rdf:first rdf:rest rdfs:subClassOf rdfs:subPropertyOf rdfs:domain rdfs:range
        owl:disjointWith owl:equivalentClass owl:equivalentProperty owl:inverseOf owl:unionOf owl:intersectionOf
        owl:onProperty owl:allValuesFrom owl:someValuesFrom owl:hasValue owl:complementOf
    """.split()
}


def for_rdflib(term: Node) -> rdflib.term.Node:
    if isinstance(term, NamedNode):
        return rdflib.URIRef(term.value)
    if isinstance(term, BlankNode):
        return rdflib.BNode(term.value)
    assert isinstance(term, Literal)
    kind = None if term.language else rdflib.URIRef(term.datatype.value)
    return rdflib.Literal(term.value, lang=term.language, datatype=kind, normalize=False)


def closure(triples: Triples) -> rdflib.Graph:
    """What follows from the triples by the OWL 2 RL/RDF rules."""
    graph = rdflib.Graph()
    for subject, predicate, value in triples:
        graph.add((for_rdflib(subject), for_rdflib(predicate), for_rdflib(value)))
    rules = owlrl.DeductiveClosure(owlrl.OWLRL_Semantics, axiomatic_triples=False, datatype_axioms=False)
    rules.expand(graph)
    return graph


def clashes(graph: rdflib.Graph) -> list[str]:
    impossible = [f"{member} can not exist" for member in graph.subjects(namespace.RDF.type, namespace.OWL.Nothing)]
    return impossible + [str(message) for message in graph.objects(None, ERROR)]


def read(turtle: str) -> Triples:
    prefixes = "".join(f"@prefix {p}: <{i}> .\n" for p, i in PREFIXES.items())
    return {(q.subject, q.predicate, q.object) for q in parse(prefixes + turtle, RdfFormat.TURTLE)}


WORLD = """
<urn:bakers> a sse:Organisation ; sse:theme <urn:bread> ; sse:sameActorAs <urn:bakers2> ; sse:activeIn <urn:valley> ;
  sse:contributesTo sdg:8.3 .
<urn:bakers2> a sse:Organisation .
<urn:bread> a sse:Theme .
<urn:valley> a sse:Place ; sse:within <urn:land> .
<urn:land> a sse:Place ; sse:within <urn:world> .
<urn:world> a sse:Place .
<urn:cities> a sse:ActorGroup .
<urn:m> a sse:Membership ; org:member <urn:cities> ; org:organization <urn:bakers> .
<urn:pact> a sse:Alliance ; sse:party <urn:side> ; sse:about <urn:project> .
<urn:side> a sse:Party ; sse:partyActor <urn:cities> .
<urn:project> a sse:Project ; sse:carriedOutBy <urn:bakers> ; sse:activeIn <urn:valley> .
<urn:fair> a sse:Session ; sse:partOfEvent <urn:week> ; sse:inSeries <urn:fairs> ; sse:hasTimeSlot <urn:slot> .
<urn:week> a sse:Event ; sse:precedes <urn:end> .
<urn:end> a sse:Event .
<urn:fairs> a sse:EventSeries ; sse:organisedBy <urn:bakers> .
<urn:slot> a sse:TimeSlot .
<urn:map> a sse:Roadmap ; sse:resultOf <urn:week> ; sse:developedBy <urn:bakers> ; sse:partOf <urn:agenda> .
<urn:agenda> a sse:Policy .
<urn:part> a sse:Section ; sse:inPolicy <urn:map> .
<urn:r> a sse:Recommendation ; sse:inSection <urn:part> ; sse:cites <urn:book> .
<urn:book> a sse:Document ; sse:author <urn:bakers> ; dcterms:publisher <urn:bakers> ; sse:describes <urn:week> .
<urn:q> a sse:Quotation ; sse:quotedFrom <urn:book> ; oa:start 0 .
<urn:claim> a sse:Claim ; rdf:subject <urn:bakers> ; rdf:predicate sse:theme ; rdf:object <urn:bread> ;
  sse:evidence <urn:q> .
"""


def test_the_ontology_and_its_lists_are_consistent() -> None:
    assert clashes(closure(ontology().triples | read(WORLD) | facts(VILLAGE).triples)) == []


@pytest.mark.parametrize(
    "broken",
    [
        "<urn:x> a sse:Organisation , sse:Government .",
        "<urn:x> a sse:Organisation ; sse:locatedIn <urn:y> . <urn:y> a sse:Event .",
        "<urn:x> a sse:Place ; skos:exactMatch <http://www.wikidata.org/entity/Q1> .",
        "<urn:x> a sse:Theme , sse:Sector .",
        "<urn:x> a sse:Event ; sse:precedes <urn:x> .",
    ],
)
def test_a_wrong_world_is_noticed(broken: str) -> None:
    """The consistency tests would be worth nothing if this one failed."""
    model = {t for name in ("sse.ttl", "alignments.ttl") for t in facts(ROOT / "ontology" / name).triples}
    assert clashes(closure(model | read(SKOS_MAPPING + broken)))


#: By this a mapping property makes concepts of what it maps (S19, S39 and S40 of the SKOS Reference).
SKOS_MAPPING = """
skos:exactMatch rdfs:subPropertyOf skos:semanticRelation . skos:semanticRelation rdfs:domain skos:Concept .
"""


@pytest.fixture(scope="module")
def world_among_others(reference: Facts) -> rdflib.Graph:
    """The small world with all that the borrowed vocabularies conclude about it."""
    axioms = {t for t in reference.triples if t[1] in AXIOMS and not _is_entry(t[0])}
    near = reached(axioms, from_=ontology().triples)
    return closure(ontology().triples | read(WORLD) | {t for t in axioms if not _is_schema_org(t[0]) or t[0] in near})


def _is_entry(term: Node) -> bool:
    """Whether the term is one of the many SDG or ESSglobal concepts, from which nothing follows here."""
    lists = ("http://metadata.un.org/sdg/", "http://purl.org/essglobal/standard/")
    return isinstance(term, NamedNode) and term.value.startswith(lists) and "/ontology#" not in term.value


def _is_schema_org(term: Node) -> bool:
    return isinstance(term, NamedNode) and term.value.startswith(PREFIXES["schema"])


def reached(axioms: Triples, *, from_: Triples) -> set[Node]:
    """The terms that the axioms lead to from those in use; schema.org has thousands that they do not."""
    leads_to: dict[Node, set[Node]] = defaultdict(set)
    for subject, predicate, value in axioms:
        if predicate != TYPE:
            leads_to[subject].add(value)
    found: set[Node] = {part for triple in from_ for part in triple if not isinstance(part, Literal)}
    waiting = list(found)
    while waiting:
        new = leads_to[waiting.pop()] - found
        found |= new
        waiting.extend(new)
    return found


@pytest.mark.slow
def test_borrowed_vocabularies_conclude_nothing_wrong(world_among_others: rdflib.Graph) -> None:
    assert clashes(world_among_others) == []
    foreign = {name: _foreign_types(world_among_others, f"urn:{name}") for name in FOREIGN}
    assert foreign == FOREIGN


AGENT = {"org:Organization", "foaf:Organization", "foaf:Agent", "dcterms:Agent", "prov:Agent", "schema:Organization"}
CREATION = {"eli:Work", "schema:CreativeWork"}
#: What each thing of the small world is in other vocabularies: exactly this, and nothing more.
FOREIGN = {
    "bakers": AGENT,
    "bread": {"skos:Concept"},
    "valley": {"dcterms:Location", "dcterms:LocationPeriodOrJurisdiction"},
    "cities": {"skos:Concept", "foaf:Group", "foaf:Agent", "dcterms:Agent"},
    "m": {"org:Membership"},
    "pact": set(),
    "side": set(),
    "project": {"prov:Activity", "foaf:Project"},
    "fair": {"schema:Event"},
    "week": {"schema:Event", "prov:Activity"},
    "fairs": {"schema:Event", "schema:EventSeries", "schema:Series", "schema:Intangible"},
    "map": {*CREATION, "prov:Entity"},
    "agenda": CREATION,
    "part": {*CREATION, "eli:WorkSubdivision"},
    "r": {*CREATION, "eli:WorkSubdivision"},
    "book": {"foaf:Document", "prov:Entity", "schema:CreativeWork"},
    "q": {"oa:TextQuoteSelector", "oa:TextPositionSelector", "oa:Selector", "prov:Entity"},
    "claim": {"rdf:Statement"},
    "slot": {"time:ProperInterval", "time:Interval", "time:TemporalEntity"},
}


def _foreign_types(graph: rdflib.Graph, thing: str) -> set[str]:
    spaces = {prefix: PREFIXES[prefix] for prefix in (*BORROWED, "rdf")}
    found = set()
    for kind in graph.objects(rdflib.URIRef(thing), namespace.RDF.type):
        for prefix, space in spaces.items():
            if str(kind).startswith(space):
                found.add(f"{prefix}:{str(kind).removeprefix(space)}")
    return found - {"schema:Thing"}


# ---- The data against the model ----


@pytest.mark.slow
def test_the_data_break_no_rule_of_the_ontology() -> None:
    """Claims and quotations stay out: they are many, and their rules are tried on the small world."""
    about = {s for name in ("Claim", "Quotation") for s in data().instances(NamedNode(ONTOLOGY + name))}
    assert clashes(closure({t for t in data().triples if t[0] not in about})) == []


def test_the_data_keep_to_domains_and_ranges() -> None:
    """Stricter than the rules, which would conclude a type where this asks for one."""
    types: dict[Node, set[Node]] = defaultdict(set)
    by_predicate: dict[Node, set[tuple[Node, Node]]] = defaultdict(set)
    for subject, predicate, value in data().triples:
        by_predicate[predicate].add((subject, value))
        if predicate == TYPE:
            types[subject] |= ontology().above(value)
    wrong = set()
    for name in terms(["owl:ObjectProperty", "owl:DatatypeProperty"]):
        term = NamedNode(ONTOLOGY + name)
        domain, kinds = ontology().alternatives(term, "domain"), ontology().alternatives(term, "range")
        for subject, value in by_predicate[term]:
            if domain and not domain & types[subject]:
                wrong.add(f"{name} is not for {subject}")
            if kinds and not kinds & _kinds_of(value, types):
                wrong.add(f"{name} can not have the value {value}")
    assert wrong == set()


def _kinds_of(value: Node, types: dict[Node, set[Node]]) -> set[Node]:
    if not isinstance(value, Literal):
        return types[value]
    return {value.datatype, iri("xsd:decimal")} if value.datatype == iri("xsd:integer") else {value.datatype}
