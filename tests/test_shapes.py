"""The shapes accept what is right and refuse what is wrong, and say so in words that anyone understands.

Each rule has a pair of files in `data/shapes/<shape file>/`: `<shape>.conforms.ttl` and `<shape>.violates.ttl`. The
first lines of a violating file name the results that it is meant to have: `# expect: <shape> <focus> <severity>`; of
severity Info it may have others. A fixture sees its own triples, the closed lists and `data/shapes/world.ttl`, and no
other fixture; so all are validated as one graph, once by pySHACL and once by our compiled shapes.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple

import pyshacl
import pytest
import rdflib
from pyoxigraph import BlankNode, Literal, NamedNode, Quad, RdfFormat, Store, Triple, parse, serialize
from rdflib.plugins.sparql import prepareQuery, processor

from kg_service import resources
from kg_service.rdf import ENTITY, ONTOLOGY, PREFIXES, SHAPE, parse_file
from kg_service.shacl import Report, load_shapes, validate

SHAPE_FILES = sorted(resources.folder("shapes").glob("*.ttl"))
ONTOLOGY_FILES = sorted(resources.folder("ontology").glob("*.ttl"))
DATA_FILES = sorted(p for ending in ("*.ttl", "*.trig") for p in resources.folder("data").glob(ending))
FIXTURES = Path(__file__).resolve().parent / "data" / "shapes"
WORLD = [resources.folder("ontology") / "lists.ttl", FIXTURES / "world.ttl"]
CONFORMING = sorted(FIXTURES.glob("*/*.conforms.ttl"))
VIOLATING = sorted(FIXTURES.glob("*/*.violates.ttl"))
ENGINES = ("pyshacl", "compiled")
#: Severities that no fixture has unmeant; Info says what could be better and is left to the rule's own pair.
WEIGHTY = {"Violation", "Warning"}

Node = NamedNode | BlankNode | Literal | Triple
SH = PREFIXES["sh"]


def sh(name: str) -> NamedNode:
    return NamedNode(SH + name)


def sse(name: str) -> NamedNode:
    return NamedNode(ONTOLOGY + name)


TYPE = NamedNode(PREFIXES["rdf"] + "type")
LABEL, COMMENT = NamedNode(PREFIXES["rdfs"] + "label"), NamedNode(PREFIXES["rdfs"] + "comment")
DOMAIN, RANGE = NamedNode(PREFIXES["rdfs"] + "domain"), NamedNode(PREFIXES["rdfs"] + "range")
SUBCLASS = NamedNode(PREFIXES["rdfs"] + "subClassOf")
FIRST, REST, NIL = (NamedNode(PREFIXES["rdf"] + name) for name in ("first", "rest", "nil"))
UNION = NamedNode(PREFIXES["owl"] + "unionOf")

#: What each parameter of a constraint reports.
COMPONENTS = {
    sh(parameter): SH + parameter[0].upper() + parameter[1:] + "ConstraintComponent"
    for parameter in (
        "and class datatype disjoint equals hasValue in languageIn lessThan maxCount maxInclusive minCount "
        "minInclusive minLength node nodeKind not or pattern uniqueLang xone"
    ).split()
} | {
    sh("sparql"): SH + "SPARQLConstraintComponent",
    sh("qualifiedMinCount"): SH + "QualifiedMinCountConstraintComponent",
    sh("qualifiedMaxCount"): SH + "QualifiedMaxCountConstraintComponent",
}
#: Parameters by which a shape uses another as a condition, so that the other does not report by itself.
CONDITIONS = {sh(name) for name in ("or", "and", "xone", "not", "node", "qualifiedValueShape")}


class Found(NamedTuple):
    """A result without what varies between engines: its shape, focus node and severity, and the component."""

    shape: str
    focus: str
    severity: str
    component: str = ""


class Facts:
    """The triples of some files, whatever graph they stand in."""

    def __init__(self, paths: Iterable[Path]) -> None:
        self.triples = {quad.triple for path in paths for quad in parse_file(path)}
        self._objects: dict[tuple[Node, NamedNode], set[Node]] = defaultdict(set)
        for triple in self.triples:
            self._objects[triple.subject, triple.predicate].add(triple.object)

    def objects(self, subject: Node, predicate: NamedNode) -> set[Node]:
        return self._objects.get((subject, predicate), set())

    def subjects(self, predicate: NamedNode) -> set[Node]:
        return {subject for subject, held in self._objects if held == predicate}

    def instances(self, kind: NamedNode) -> set[Node]:
        return {triple.subject for triple in self.triples if triple.predicate == TYPE and triple.object == kind}

    def cells(self, head: Node) -> Iterator[Node]:
        while head != NIL:
            yield head
            (head,) = self.objects(head, REST)

    def members(self, head: Node) -> Iterator[Node]:
        for cell in self.cells(head):
            (first,) = self.objects(cell, FIRST)
            yield first

    def languages(self, subject: Node, predicate: NamedNode) -> dict[str, str]:
        values = [v for v in self.objects(subject, predicate) if isinstance(v, Literal)]
        texts = {v.language or "": v.value for v in values}
        assert len(texts) == len(values), f"{subject} {predicate}: two values in one language"
        return texts


@cache
def shape_facts() -> Facts:
    return Facts(SHAPE_FILES)


@cache
def model() -> Facts:
    return Facts(ONTOLOGY_FILES)


@cache
def conditions() -> frozenset[Node]:
    """The shapes that only serve others: what sh:or, sh:not and the like point to, and the property shapes below."""
    facts = shape_facts()
    found: set[Node] = set()
    waiting = [triple.object for triple in facts.triples if triple.predicate in CONDITIONS]
    while waiting:
        each = waiting.pop()
        if each in found:
            continue
        found.add(each)
        if facts.objects(each, FIRST):
            waiting += facts.members(each)
        waiting += facts.objects(each, sh("property"))
    return frozenset(found)


@cache
def reporting() -> dict[NamedNode, frozenset[str]]:
    """The shapes that report, each with the components that it can report."""
    facts, found = shape_facts(), {}
    for shape in facts.instances(sh("NodeShape")) | facts.instances(sh("PropertyShape")):
        held = {component for parameter, component in COMPONENTS.items() if facts.objects(shape, parameter)}
        if held and shape not in conditions():
            assert isinstance(shape, NamedNode), f"{shape} has no name"
            found[shape] = frozenset(held)
    return found


# ---- Two engines ----


@pytest.fixture(scope="session")
def reports() -> dict[str, frozenset[Found]]:
    """What each engine finds in all fixtures taken together."""
    triples = [quad.triple for path in [*WORLD, *CONFORMING, *VIOLATING] for quad in parse(path=path)]
    return {"pyshacl": frozenset(_pyshacl(triples)), "compiled": frozenset(_compiled(triples))}


def _compiled(triples: Iterable[Triple]) -> Iterator[Found]:
    store = Store()
    store.extend(_in_default_graph(triples))
    for result in validate(store, load_shapes(SHAPE_FILES)).results:
        yield Found(_name(result.shape), _name(result.focus), _local(result.severity), result.component.value)


def _in_default_graph(triples: Iterable[Triple]) -> Iterator[Quad]:
    yield from (Quad(triple.subject, triple.predicate, triple.object) for triple in triples)


def _pyshacl(triples: Iterable[Triple]) -> Iterator[Found]:
    data, shapes = _rdflib(triples), _rdflib(shape_facts().triples)
    with pytest.MonkeyPatch.context() as patch:
        _parse_each_query_once(patch)
        _, report, _ = pyshacl.validate(data, shacl_graph=shapes, inference="none", advanced=False)
    assert isinstance(report, rdflib.Graph)
    of = rdflib.Namespace(SH)
    for result in report.objects(None, of.result):
        shape, focus, severity, component = (
            report.value(result, predicate)
            for predicate in (of.sourceShape, of.focusNode, of.resultSeverity, of.sourceConstraintComponent)
        )
        name = "_:" if isinstance(focus, rdflib.BNode) else str(focus)
        yield Found(str(shape), name, str(severity).removeprefix(SH), str(component))


def _parse_each_query_once(patch: pytest.MonkeyPatch) -> None:
    """pySHACL has rdflib parse a query again for each focus node, which takes most of its time."""
    prepared, run = lru_cache(None)(prepareQuery), processor.SPARQLProcessor.query
    patch.setattr(
        processor.SPARQLProcessor,
        "query",
        lambda self, query, *rest, **named: run(
            self, prepared(query) if isinstance(query, str) else query, *rest, **named
        ),
    )


def _rdflib(triples: Iterable[Triple]) -> rdflib.Graph:
    """The triples with literals as written: importing pySHACL makes rdflib rewrite 2019-12-09Z to 2019-12-09."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rdflib, "NORMALIZE_LITERALS", False)
        return rdflib.Graph().parse(data=serialize(triples, format=RdfFormat.N_TRIPLES), format="nt")


def _name(node: Node) -> str:
    return "_:" if isinstance(node, BlankNode) else node.value if isinstance(node, NamedNode) else str(node)


def _local(node: NamedNode) -> str:
    return node.value.removeprefix(SH)


# ---- Fixtures and what they expect ----


@cache
def subjects_of(path: Path) -> frozenset[str]:
    return frozenset(_name(quad.subject) for quad in parse(path=path))


@cache
def expected(path: Path) -> frozenset[Found]:
    text = path.read_text()
    prefixes = dict(re.findall(r"^@prefix ([\w-]+): <([^>]*)> \.$", text, re.M))

    def full(written: str) -> str:
        if written.startswith(("<", "_:")):
            return "_:" if written.startswith("_:") else written[1:-1]
        prefix, local = written.split(":", 1)
        return str(prefixes[prefix] + local)

    lines = re.findall(r"^# expect: (\S+) (\S+) (\S+)$", text, re.M)
    return frozenset(Found(full(shape), full(focus), severity) for shape, focus, severity in lines)


def found_in(path: Path, report: frozenset[Found]) -> set[Found]:
    own = subjects_of(path)
    return {found._replace(component="") for found in report if found.focus in own}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("path", VIOLATING, ids=lambda path: path.name.removesuffix(".violates.ttl"))
def test_a_violating_fixture_has_the_results_it_names(
    path: Path, engine: str, reports: dict[str, frozenset[Found]]
) -> None:
    named, found = expected(path), found_in(path, reports[engine])
    assert named <= found
    assert {each for each in found - named if each.severity in WEIGHTY} == set()


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("path", CONFORMING, ids=lambda path: path.name.removesuffix(".conforms.ttl"))
def test_a_conforming_fixture_keeps_the_rule(path: Path, engine: str, reports: dict[str, frozenset[Found]]) -> None:
    rule = SHAPE + path.name.removesuffix(".conforms.ttl")
    found = found_in(path, reports[engine])
    assert {each for each in found if each.severity in WEIGHTY or each.shape == rule} == set()


@pytest.mark.parametrize("engine", ENGINES)
def test_what_the_fixtures_share_breaks_no_rule(engine: str, reports: dict[str, frozenset[Found]]) -> None:
    fixtures = {subject for path in [*CONFORMING, *VIOLATING] for subject in subjects_of(path)}
    assert {each for each in reports[engine] if each.focus not in fixtures and each.severity in WEIGHTY} == set()


def test_both_engines_find_the_same(reports: dict[str, frozenset[Found]]) -> None:
    assert reports["compiled"] ^ reports["pyshacl"] == set()


def test_every_constraint_has_been_broken_by_a_fixture(reports: dict[str, frozenset[Found]]) -> None:
    broken = {(found.shape, found.component) for found in reports["compiled"]}
    held = {(shape.value, component) for shape, components in reporting().items() for component in components}
    assert held - broken == set()


def test_every_query_has_been_broken_by_a_fixture() -> None:
    facts, store = shape_facts(), Store()
    store.extend(_in_default_graph(quad.triple for path in [*WORLD, *VIOLATING] for quad in parse(path=path)))
    broken = {result.constraint for result in validate(store, load_shapes(SHAPE_FILES)).results}
    assert facts.instances(sh("SPARQLConstraint")) - broken == set()


def test_every_reporting_shape_has_a_pair_of_fixtures_named_after_it() -> None:
    home = {t.subject: path.stem for path in SHAPE_FILES for t in Facts([path]).triples if t.predicate == TYPE}
    pairs = {f"{home[shape]}/{shape.value.removeprefix(SHAPE)}" for shape in reporting()}
    for paths, ending in ((CONFORMING, ".conforms.ttl"), (VIOLATING, ".violates.ttl")):
        assert {f"{path.parent.name}/{path.name.removesuffix(ending)}" for path in paths} == pairs
    for path in VIOLATING:
        rule = SHAPE + path.name.removesuffix(".violates.ttl")
        assert rule in {each.shape for each in expected(path)}, path.name
        assert path.read_text().startswith("# expect: shapes:"), path.name


def test_fixtures_do_not_see_each_other() -> None:
    owners: dict[str, set[str]] = defaultdict(set)
    shared = {name for path in WORLD for name in subjects_of(path)}
    for path in [*CONFORMING, *VIOLATING]:
        for name in subjects_of(path) - {"_:"}:
            owners[name].add(path.name)
    assert {name for name, paths in owners.items() if len(paths) > 1 or name in shared} == set()
    for path in [*CONFORMING, *VIOLATING]:
        for quad in parse(path=path):
            name = _name(quad.object)
            assert name in subjects_of(path) or name not in owners, f"{path.name} needs {name} of {owners[name]}"


# ---- The shapes as documents ----


def test_every_shape_has_a_name_of_its_own() -> None:
    facts = shape_facts()
    used = facts.subjects(sh("path")) | {t.object for t in facts.triples if t.predicate == sh("property")}
    used |= {each for each in conditions() if not facts.objects(each, FIRST)}
    used |= facts.instances(sh("NodeShape")) | facts.instances(sh("PropertyShape"))
    used |= facts.instances(sh("SPARQLConstraint"))
    assert {each for each in used if not (isinstance(each, NamedNode) and each.value.startswith(SHAPE))} == set()


def test_a_shape_is_described_in_one_file_only() -> None:
    homes: dict[Node, set[str]] = defaultdict(set)
    for path in SHAPE_FILES:
        for triple in Facts([path]).triples:
            if isinstance(triple.subject, NamedNode):
                homes[triple.subject].add(path.name)
    assert {subject: files for subject, files in homes.items() if len(files) > 1} == {}


@pytest.mark.parametrize("shape", sorted(reporting(), key=str), ids=lambda shape: shape.value.removeprefix(SHAPE))
def test_a_shape_says_what_is_wrong_in_english_and_spanish(shape: NamedNode) -> None:
    facts = shape_facts()
    texts = facts.languages(shape, sh("message"))
    assert set(texts) >= {"en", "es"}
    assert texts["en"] != texts["es"]
    for language, text in texts.items():
        assert text.endswith("."), text
        assert len(text) > 40, f"too short to say what is wrong and what would be right: {text}"
        spoken = re.sub(r"https?://\S+|“[^”]*”|«[^»]*»|\"[^\"]*\"@?\w*", "", text)
        jargon = r"\b(xsd|rdf|sh|owl|literal|cardinality|datatype|cardinalidad|predicate|predicado|null|namespace)\b"
        assert not re.search(jargon, spoken, re.I), f"{language}: {text}"
    assert len(facts.objects(shape, sh("severity"))) == 1


def test_shapes_are_named_and_described_in_english_and_spanish() -> None:
    facts = shape_facts()
    for shape in facts.instances(sh("PropertyShape")) - conditions():
        for predicate in (sh("name"), sh("description")):
            assert set(facts.languages(shape, predicate)) >= {"en", "es"}, shape
    for shape in facts.instances(sh("NodeShape")) - conditions():
        for predicate in (LABEL, COMMENT):
            assert set(facts.languages(shape, predicate)) >= {"en", "es"}, shape


def test_fields_of_forms_have_an_order_a_group_and_names_in_three_languages() -> None:
    facts = shape_facts()
    for shape in facts.subjects(sh("order")) - facts.instances(sh("PropertyGroup")):
        (group,) = facts.objects(shape, sh("group"))
        assert group in facts.instances(sh("PropertyGroup"))
        for predicate in (sh("name"), sh("description")):
            assert set(facts.languages(shape, predicate)) == {"en", "es", "fr"}, shape


def test_the_shapes_are_well_formed() -> None:
    """By the shapes of SHACL itself, but for long lists: pySHACL's time grows with the square of a list."""
    facts = shape_facts()
    lists = {triple for triple in facts.triples if triple.predicate in (sh("in"), sh("languageIn"))}
    cells = {cell for triple in lists for cell in facts.cells(triple.object)}
    rest = {triple for triple in facts.triples - lists if triple.subject not in cells}
    conforms, _, text = pyshacl.validate(rdflib.Graph(), shacl_graph=_rdflib(rest), meta_shacl=True)
    assert conforms, text
    assert all(isinstance(member, NamedNode | Literal) for t in lists for member in facts.members(t.object))


def test_queries_can_be_localised() -> None:
    """A change can only be judged by its neighbourhood where a query is one connected pattern that begins at $this."""
    facts = shape_facts()
    for query in facts.instances(sh("SPARQLConstraint")):
        (text,) = facts.objects(query, sh("select"))
        assert isinstance(text, Literal)
        assert text.value.count("SELECT") == 1, query
        assert not re.search(r"\b(MINUS|VALUES|BIND|SERVICE|GRAPH|OPTIONAL|AS|LIMIT|ORDER)\b", text.value), query
        assert facts.objects(query, sh("prefixes")) == {NamedNode("https://w3id.org/sse-kg/shapes")}


def test_patterns_mean_the_same_in_every_engine() -> None:
    """Python's `re` and Rust's `regex` differ in look-around, back-references and the reach of \\d and \\w."""
    for triple in shape_facts().triples:
        if triple.predicate == sh("pattern"):
            assert isinstance(triple.object, Literal)
            assert not re.search(r"\(\?|\\[dDwWbB1-9]", triple.object.value), triple
            re.compile(triple.object.value)


# ---- The shapes and the vocabulary ----


def _local_names(nodes: Iterable[Node]) -> set[str]:
    iris = [node.value for node in nodes if isinstance(node, NamedNode)]
    return {iri.removeprefix(ONTOLOGY) for iri in iris if iri.startswith(ONTOLOGY)}


def _declared(*kinds: str) -> set[str]:
    return _local_names(term for kind in kinds for term in model().instances(NamedNode(PREFIXES["owl"] + kind)))


def _classes(node: Node) -> set[str]:
    """The classes that a domain, range or shape stands for: itself, its union, its sh:class or those of its sh:or."""
    facts = shape_facts()
    heads = [*model().objects(node, UNION)]
    alternatives = [*facts.objects(node, sh("or"))]
    named = [member for head in heads for member in model().members(head)] + [*facts.objects(node, sh("class"))]
    below = [found for head in alternatives for member in facts.members(head) for found in _classes(member)]
    return _local_names(named) | set(below) or _local_names([node])


#: What only encoding files have.
ENCODING = {"EncodingBlock", "exact", "occurrence"}
PROPERTIES = _declared("ObjectProperty", "DatatypeProperty")


def test_every_property_of_the_vocabulary_is_constrained() -> None:
    paths = {triple.object for triple in shape_facts().triples if triple.predicate == sh("path")}
    assert PROPERTIES - _local_names(paths) == set()


def test_borrowed_properties_are_constrained() -> None:
    paths = {triple.object for triple in shape_facts().triples if triple.predicate == sh("path")}
    borrowed = (
        "dcterms:issued dcterms:language dcterms:publisher dcterms:source dcterms:title oa:end oa:exact oa:prefix "
        "oa:start oa:suffix org:member org:organization rdf:object rdf:predicate rdf:subject schema:endDate "
        "schema:startDate skos:altLabel skos:broader skos:definition skos:inScheme skos:prefLabel"
    )
    for name in borrowed.split():
        prefix, local = name.split(":")
        assert NamedNode(PREFIXES[prefix] + local) in paths, name


def test_the_shapes_use_only_terms_of_the_vocabulary() -> None:
    terms = {node for t in shape_facts().triples for node in (t.subject, t.predicate, t.object)}
    known = _declared("Class", "ObjectProperty", "DatatypeProperty")
    assert _local_names(terms) - known - {""} == set()
    for query in shape_facts().subjects(sh("select")):
        (text,) = shape_facts().objects(query, sh("select"))
        assert isinstance(text, Literal)
        assert set(re.findall(r"\bsse:(\w+)", text.value)) - known == set()


def test_the_lists_of_known_terms_are_those_of_the_vocabulary() -> None:
    facts = shape_facts()
    (text,) = facts.objects(NamedNode(SHAPE + "Entity-knownProperty-query"), sh("select"))
    assert isinstance(text, Literal)
    assert set(re.findall(r"(?<=,)\w+(?=,)", text.value)) == PROPERTIES - ENCODING
    (head,) = facts.objects(NamedNode(SHAPE + "class-known"), sh("in"))
    assert _local_names(facts.members(head)) == _declared("Class") - ENCODING


def test_every_class_is_a_target() -> None:
    targets = {triple.object for triple in shape_facts().triples if triple.predicate == sh("targetClass")}
    assert _declared("Class") - ENCODING - _local_names(targets) == set()


def test_who_may_have_a_property_is_what_its_domain_says() -> None:
    facts = shape_facts()
    allowed: dict[str, set[str]] = {}
    for shape in facts.subjects(sh("targetSubjectsOf")):
        if _name(shape).endswith("-subjects"):
            for name in _local_names(facts.objects(shape, sh("targetSubjectsOf"))):
                allowed[name] = _classes(shape)
    domains = {name: set().union(*map(_classes, model().objects(sse(name), DOMAIN))) - ENCODING for name in PROPERTIES}
    limited = {name: classes for name, classes in domains.items() if classes}
    assert {name: allowed.get(name) for name in limited} == limited


def test_values_are_of_the_classes_that_the_range_says() -> None:
    facts = shape_facts()
    for shape in facts.subjects(sh("path")) - conditions():
        for name in _local_names(facts.objects(shape, sh("path"))):
            accepted = _classes(shape) - {_name(shape)}
            said = set().union(*map(_classes, model().objects(sse(name), RANGE)))
            if accepted and said:
                assert accepted <= said, f"{shape}: {accepted} is not within the range {said} of {name}"


def test_a_thing_is_also_typed_as_the_vocabulary_generalises_it() -> None:
    facts = shape_facts()

    def above(name: str) -> set[str]:
        direct = _local_names(model().objects(sse(name), SUBCLASS))
        return direct.union(*map(above, direct))

    for name in _declared("Class") - ENCODING:
        rule = NamedNode(f"{SHAPE}{name}-types")
        assert _local_names(facts.objects(rule, sh("hasValue"))) == above(name), name


def test_goals_and_targets_are_those_of_the_united_nations(shared: Path) -> None:
    facts = shape_facts()
    source = Facts([shared / "reference" / "sdg" / "sdg-kos-goals-targets-indicators.ttl"])
    for condition, kind in (("is-goal", "Goal"), ("is-target", "Target")):
        (head,) = facts.objects(NamedNode(SHAPE + condition), sh("in"))
        assert set(facts.members(head)) == source.instances(NamedNode(PREFIXES["sdgo"] + kind))


# ---- The shapes and the data ----


@pytest.fixture(scope="session")
def shipped() -> Report:
    store = Store()
    files = [*ONTOLOGY_FILES, *DATA_FILES]
    store.extend(_in_default_graph(quad.triple for path in files for quad in parse_file(path)))
    return validate(store, load_shapes(SHAPE_FILES))


def test_the_data_that_we_ship_break_no_rule(shipped: Report) -> None:
    found = [f"{each.focus} {each.path_text}: {each.message}" for each in shipped.results if _weighty(each.severity)]
    assert found == []


def _weighty(severity: NamedNode) -> bool:
    return _local(severity) in WEIGHTY


def test_the_examples_in_messages_exist() -> None:
    known = {_name(triple.subject) for triple in Facts([*DATA_FILES, *ONTOLOGY_FILES]).triples}
    texts = [
        t.object.value for t in shape_facts().triples if t.predicate == sh("message") if isinstance(t.object, Literal)
    ]
    examples = {example for text in texts for example in re.findall(re.escape(ENTITY) + r"[a-z-]+/[a-z0-9-]+", text)}
    assert examples - known == set()


def test_the_shapes_accept_the_addresses_of_every_shipped_thing(shipped: Report) -> None:
    assert {each.focus for each in shipped.results if each.shape == NamedNode(SHAPE + "Entity-ownIri")} == set()
    assert any(_name(triple.subject).startswith(ENTITY) for triple in Facts(DATA_FILES).triples)
