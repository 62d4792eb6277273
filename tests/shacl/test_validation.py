"""What validation promises beyond the verdicts of the W3C suite."""

from __future__ import annotations

import pickle

import pytest
from pyoxigraph import BlankNode, Literal, NamedNode, Quad, RdfFormat, Store, parse

from kg_service.shacl import Report, load_shapes, validate
from kg_service.shacl.graph import Term
from tests.shacl.conftest import PREFIXES, ReportOn, ShapesOf

PERSON = """
:PersonShape a sh:NodeShape ; sh:targetClass :Person ;
  sh:property :PersonShape-name, :PersonShape-age, :PersonShape-knows .
:PersonShape-name sh:path :name ; sh:minCount 1 ; sh:datatype xsd:string .
:PersonShape-age sh:path :age ; sh:maxCount 1 ; sh:severity sh:Warning .
:PersonShape-knows sh:path :knows ; sh:class :Person ; sh:severity sh:Info .
"""


def ex(name: str) -> NamedNode:
    return NamedNode("http://example.org/" + name)


def foci(report: Report) -> list[Term]:
    return [result.focus for result in report.results]


def components(report: Report) -> list[str]:
    return [r.component.value.split("#")[1].removesuffix("ConstraintComponent") for r in report.results]


def test_no_data_conform(report_on: ReportOn) -> None:
    report = report_on(PERSON, "")
    assert report.conforms
    assert not report.blocks
    assert not report.truncated
    assert report.counts == {"Violation": 0, "Warning": 0, "Info": 0}


def test_no_shapes_accept_everything(report_on: ReportOn) -> None:
    assert report_on("", ":a :p :b .").conforms


def test_a_target_that_is_not_in_the_data_is_judged(report_on: ReportOn) -> None:
    report = report_on(":S sh:targetNode :absent ; sh:property [ sh:path :p ; sh:minCount 1 ] .", "")
    assert foci(report) == [ex("absent")]


@pytest.mark.parametrize("path", ["[ sh:zeroOrMorePath :p ]", "[ sh:zeroOrOnePath :p ]", "( [ sh:zeroOrOnePath :p ] )"])
def test_zero_steps_lead_from_a_node_that_is_not_in_the_data_to_itself(report_on: ReportOn, path: str) -> None:
    if path.startswith("("):
        path = "( [ sh:zeroOrOnePath :p ] [ sh:zeroOrMorePath :q ] )"
    for target in (":absent", '"words"'):
        report = report_on(f":S sh:targetNode {target} ; sh:path {path} ; sh:minCount 2 ; sh:in ( :x ) .", "")
        assert components(report) == ["In", "MinCount"]


def test_only_the_default_graph_is_judged(report_on: ReportOn) -> None:
    assert report_on(PERSON, ":g { :a a :Person . }").conforms
    assert not report_on(PERSON, ":a a :Person . :g { :a :name 'A' . }").conforms
    assert not report_on(PERSON, ":a a :Employee . :Employee rdfs:subClassOf :Person . :g { :a :name 'A' . }").conforms
    assert report_on(PERSON, ":a a :Employee . :g { :Employee rdfs:subClassOf :Person . }").conforms


def test_any_result_is_a_failure_and_violations_block(report_on: ReportOn) -> None:
    report = report_on(PERSON, ":a a :Person ; :name 'A' ; :age 1, 2 ; :knows :dog .")
    assert not report.conforms
    assert not report.blocks
    assert report.counts == {"Violation": 0, "Warning": 1, "Info": 1}
    assert report_on(PERSON, ":a a :Person .").blocks


def test_a_severity_of_ones_own_is_counted_by_its_iri(report_on: ReportOn) -> None:
    report = report_on(":S sh:targetNode :a ; sh:class :C ; sh:severity :Grave .", "")
    assert report.counts == {"Violation": 0, "Warning": 0, "Info": 0, "http://example.org/Grave": 1}


def test_the_limit_is_told_and_violations_come_first(report_on: ReportOn) -> None:
    data = "".join(f":p{i} a :Person ; :age 1, 2 ." for i in range(5))
    whole = report_on(PERSON, data)
    assert (len(whole.results), whole.truncated) == (10, False)
    some = report_on(PERSON, data, limit=3)
    assert (len(some.results), some.truncated, some.blocks) == (3, True, True)
    assert some.counts["Violation"] == 3
    assert set(some.results) <= set(whole.results)
    exact = report_on(PERSON, data, limit=10)
    assert (len(exact.results), exact.truncated) == (10, False)
    nothing = report_on(PERSON, data, limit=0)
    assert (nothing.results, nothing.truncated) == ((), True)
    assert report_on(PERSON, "", limit=0).truncated is False


def test_results_have_a_fixed_order(report_on: ReportOn) -> None:
    data = "".join(f":p{i} a :Person ; :age 1, 2 ; :knows :x, :y ." for i in (3, 1, 2))
    report = report_on(PERSON, data)
    assert report == report_on(PERSON, data)
    assert foci(report) == sorted(foci(report), key=str)


def test_shapes_serve_many_stores_and_survive_pickling(shapes_of: ShapesOf) -> None:
    shapes = shapes_of(PERSON)
    again = pickle.loads(pickle.dumps(shapes))
    for data, conforms in ((":a a :Person .", False), (":a a :Person ; :name 'A' .", True)):
        store = Store()
        store.load(PREFIXES + data, RdfFormat.TURTLE)
        assert validate(store, shapes).conforms is conforms
        assert validate(store, again).results == validate(store, shapes).results


def test_validation_writes_nothing(shapes_of: ShapesOf) -> None:
    store = Store()
    store.load(PREFIXES + ":a a :Person .", RdfFormat.TURTLE)
    before = set(store)
    validate(store, shapes_of(PERSON))
    assert set(store) == before


@pytest.mark.parametrize("middle", [":Worker", "_:worker"])
def test_subclasses_in_the_data_count_at_any_depth_named_or_not(report_on: ReportOn, middle: str) -> None:
    tree = f":Nurse rdfs:subClassOf {middle} . {middle} rdfs:subClassOf :Person . :Person rdfs:subClassOf {middle} ."
    report = report_on(PERSON, f"{tree} :a a :Nurse . :b a {middle} . :c a :Person ; :name 'C' ; :knows :a, :b, :d .")
    assert set(foci(report)) == {ex("a"), ex("b"), ex("c")}
    assert [r.value for r in report.results if r.focus == ex("c")] == [ex("d")]


def test_implicit_class_targets(report_on: ReportOn) -> None:
    shape = ":Person a {}, sh:NodeShape ; sh:property [ sh:path :name ; sh:minCount 1 ] ."
    for kind in ("rdfs:Class", "owl:Class"):
        assert foci(report_on(shape.format(kind), ":a a :Person .")) == [ex("a")]
    assert report_on(shape.format(":Kind"), ":a a :Person .").conforms


def test_blank_nodes_are_foci_and_values_like_others(report_on: ReportOn) -> None:
    report = report_on(
        ":S sh:targetClass :C ; sh:property [ sh:path :p ; sh:nodeKind sh:IRI ; sh:node [ sh:property "
        "[ sh:path :q ; sh:minCount 2 ] ] ] .",
        "[ a :C ; :p [ :q 1 ], [ :q 1, 2 ] ] .",
    )
    assert sorted(components(report)) == ["Node", "NodeKind", "NodeKind"]
    assert all(isinstance(focus, BlankNode) for focus in foci(report))


def test_a_nested_property_shape_reports_once_for_each_way_to_its_focus(report_on: ReportOn) -> None:
    shapes = ":S sh:targetClass :C ; sh:property [ sh:path :p ; sh:property [ sh:path :q ; sh:minCount 1 ] ] ."
    report = report_on(shapes, ":a a :C ; :p :x . :b a :C ; :p :x, :y . :y :q 1 .")
    assert foci(report) == [ex("x"), ex("x")], "once from a and once from b"


def test_a_property_shape_of_two_node_shapes_reports_for_both(report_on: ReportOn) -> None:
    shapes = (
        ":S sh:targetNode :a ; sh:property :P . :T sh:targetNode :a ; sh:property :P . :P sh:path :p ; sh:minCount 1 ."
    )
    assert foci(report_on(shapes, "")) == [ex("a"), ex("a")]


@pytest.mark.parametrize(
    ("shape", "data"),
    [
        ("sh:path :p ; sh:minExclusive 3", ":a :p 'four', :four, '2020-01-01'^^xsd:date, 3, 'x'^^xsd:integer ."),
        ("sh:path :p ; sh:lessThan :q", ":a :p 'four', :four, '2020-01-01'^^xsd:date, 3, 'x'^^xsd:integer ; :q 3 ."),
    ],
)
def test_what_cannot_be_compared_fails(report_on: ReportOn, shape: str, data: str) -> None:
    """pySHACL lets some of these pass. The Recommendation (4.3.1): "For each value node v where the SPARQL expression
    $minExclusive < v does not return true, there is a validation result", and (4.5.3) "or where the two values cannot
    be compared, there is a validation result".
    """
    assert len(report_on(f":S sh:targetNode :a ; {shape} .", data).results) == 5


def test_the_inverse_of_a_sequence_is_walked_backward(report_on: ReportOn) -> None:
    """pySHACL does not. The Recommendation (2.3.1.4): "path(p,G) is a SPARQL InversePath with path(v,G) as its elt"."""
    path = "[ sh:inversePath ( :p :q ) ]"
    report = report_on(f":S sh:targetNode :c ; sh:path {path} ; sh:nodeKind sh:Literal .", ":a :p :b . :b :q :c .")
    assert [result.value for result in report.results] == [ex("a")]
    assert report.results[0].path_text == "^(<http://example.org/p>/<http://example.org/q>)"


@pytest.mark.parametrize(
    ("literal", "datatype"),
    [
        ('"5"', "string"), ("5", "integer"), ("99999999999999999999", "integer"), ("1.5", "decimal"),
        ("1e0", "double"), ('"INF"^^xsd:float', "float"), ("true", "boolean"), ('"1"^^xsd:boolean', "boolean"),
        ('"2020-02-29"^^xsd:date', "date"), ('"2020-02-29T10:00:00Z"^^xsd:dateTime', "dateTime"),
        ('"10:00:00"^^xsd:time', "time"), ('"2020"^^xsd:gYear', "gYear"), ('"2020-02"^^xsd:gYearMonth', "gYearMonth"),
        ('"--02-29"^^xsd:gMonthDay', "gMonthDay"), ('"---29"^^xsd:gDay', "gDay"), ('"--02"^^xsd:gMonth', "gMonth"),
        ('"P1Y"^^xsd:duration', "duration"), ('"PT2H"^^xsd:dayTimeDuration', "dayTimeDuration"),
        ('"http://a b"^^xsd:anyURI', "anyURI"), ('"99999999999999999999"^^xsd:positiveInteger', "positiveInteger"),
        ('"18446744073709551615"^^xsd:unsignedLong', "unsignedLong"),
    ],
)  # fmt: skip
def test_well_formed_literals_have_their_datatype(report_on: ReportOn, literal: str, datatype: str) -> None:
    shape = f":S sh:targetNode :a ; sh:path :p ; sh:datatype xsd:{datatype} ."
    assert report_on(shape, f":a :p {literal} .").conforms
    assert len(report_on(shape, f":a :p {literal}, :b .").results) == 1


@pytest.mark.parametrize(
    ("text", "datatype"),
    [
        ("five", "integer"), ("1,5", "decimal"), ("x", "double"), ("yes", "boolean"), ("2021-02-29", "date"),
        ("2020-02-29 10:00", "dateTime"), ("25:00:00", "time"), ("20", "gYear"), ("2020-13", "gYearMonth"),
        ("--02-30", "gMonthDay"), ("1Y", "duration"), ("300000", "dateTimeStamp"),
        ("-99999999999999999999", "positiveInteger"),
        ("18446744073709551616", "unsignedLong"), ("x", "byte"), ("x", "int"),
    ],
)  # fmt: skip
def test_ill_formed_literals_do_not(report_on: ReportOn, text: str, datatype: str) -> None:
    report = report_on(
        f":S sh:targetNode :a ; sh:path :p ; sh:datatype xsd:{datatype} .", f':a :p "{text}"^^xsd:{datatype} .'
    )
    assert [result.value for result in report.results] == [
        Literal(text, datatype=NamedNode("http://www.w3.org/2001/XMLSchema#" + datatype))
    ]


def test_types_derived_from_integer_are_kept_as_integer(report_on: ReportOn) -> None:
    """The store's canonical form, as the package says: ask for xsd:integer."""
    assert not report_on(":S sh:targetNode :a ; sh:path :p ; sh:datatype xsd:int .", ":a :p '5'^^xsd:int .").conforms
    assert report_on(":S sh:targetNode :a ; sh:path :p ; sh:datatype xsd:integer .", ":a :p '5'^^xsd:int .").conforms


def test_literals_are_compared_as_terms_in_canonical_form(report_on: ReportOn) -> None:
    shape = ":S sh:targetNode :a ; sh:path :p ; sh:hasValue 4.0 ; sh:in ( 4.00 'x'@EN ) ."
    assert report_on(shape, ":a :p 4.000, 'x'@en .").conforms
    assert components(report_on(shape, ":a :p 4 .")) == ["HasValue", "In"]


def test_many_suspects_are_judged_like_few(report_on: ReportOn) -> None:
    """Above a thousand nodes behind a screen the queries are asked for all nodes."""
    data = "".join(f":p{i} a :Person ; :knows :x ." for i in range(1200)) + ":q a :Person ; :name 'Q' ."
    report = report_on(PERSON, data)
    assert report.counts == {"Violation": 1200, "Warning": 0, "Info": 1200}
    assert ex("q") not in foci(report)


def test_closed_shapes_allow_what_deactivated_property_shapes_name(report_on: ReportOn) -> None:
    shape = (
        ":S sh:targetClass :C ; sh:closed true ; sh:ignoredProperties ( rdf:type ) ; sh:property "
        "[ sh:path :p ; sh:deactivated true ], [ sh:path [ sh:inversePath :q ] ] ."
    )
    report = report_on(shape, ":a a :C ; :p 1 ; :q 2 ; :r 3 .")
    assert [(result.path_text, result.value) for result in report.results] == [
        ("<http://example.org/q>", Literal(2)),
        ("<http://example.org/r>", Literal(3)),
    ]


def test_languages_are_compared_without_case(report_on: ReportOn) -> None:
    shape = ":S sh:targetNode :a ; sh:path :p ; sh:uniqueLang true ; sh:languageIn ( 'EN' ) ."
    assert components(report_on(shape, ":a :p 'one'@en, 'two'@EN, 'three'@en-GB .")) == ["UniqueLang"]


def test_shapes_inside_shapes_that_cannot_be_one_expression(report_on: ReportOn) -> None:
    """Counting beyond one and SPARQL need queries of their own, also below sh:not, sh:or and sh:xone."""
    many = "[ sh:property [ sh:path :p ; sh:minCount 2 ] ]"
    rule = "[ sh:sparql [ sh:select 'SELECT $this WHERE { $this <http://example.org/bad> true }' ] ]"
    data = ":a a :C ; :p 1, 2 . :b a :C ; :p 1 ; :bad true . :c a :C ; :p 1, 2 ; :bad true . :d a :C ."
    target = ":S sh:targetClass :C ;"
    assert foci(report_on(f"{target} sh:not {many} .", data)) == [ex("a"), ex("c")]
    assert foci(report_on(f"{target} sh:or ( {many} {rule} ) .", data)) == [ex("b")]
    assert foci(report_on(f"{target} sh:and ( {many} {rule} ) .", data)) == [ex("b"), ex("c"), ex("d")]
    assert foci(report_on(f"{target} sh:xone ( {many} {rule} ) .", data)) == [ex("a"), ex("b")]
    assert foci(report_on(f"{target} sh:node {rule} .", data)) == [ex("b"), ex("c")]


def test_an_iri_that_a_query_cannot_write_is_judged_too(shapes_of: ShapesOf) -> None:
    store = Store()
    store.extend(parse(PREFIXES + "<http://e/a b> a :Person .", RdfFormat.TURTLE, lenient=True))
    assert components(validate(store, shapes_of(PERSON))) == ["MinCount"]


def test_empty_lists_of_shapes(report_on: ReportOn) -> None:
    """None of no shapes fits: sh:or and sh:xone fail, sh:and holds, alone or beside what needs a query of its own."""
    for beside in ("", "; sh:not [ sh:property [ sh:path :p ; sh:minCount 2 ] ]"):
        shape = ":S sh:targetNode :a ; sh:property [ sh:path :p ; sh:or () ; sh:and () ; sh:xone () {} ] ."
        assert components(report_on(shape.format(beside), ":a :p :b .")) == ["Or", "Xone"]


def test_loading_twice_gives_the_same_shapes(shapes_of: ShapesOf) -> None:
    shapes = shapes_of(PERSON)
    assert load_shapes(shapes.triples).triples == shapes.triples


MANY = "en es fr pt it ca eu gl de nl-BE"


def test_long_lists_of_languages_match_as_ranges(report_on: ReportOn) -> None:
    listed = " ".join(f'"{each}"' for each in MANY.split())
    shapes = f":S sh:targetNode :a ; sh:property [ sh:path :p ; sh:languageIn ( {listed} ) ] ."
    fits = ':a :p "x"@EN , "x"@es-MX , "x"@fr , "x"@nl-be-x-old .'
    assert report_on(shapes, fits).conforms
    fails = ':a :p "x"@nl , "x"@eng , "x"@xx-en , "x" , 1 , :b .'
    assert len(report_on(shapes, fails).results) == 6


def test_long_lists_of_iris_hold_just_those_iris(report_on: ReportOn) -> None:
    def iri(number: object) -> str:
        return f"<http://example.org/list?a=(b)+c.d$*{number}&e>"

    shapes = f":S sh:targetNode :a ; sh:property [ sh:path :p ; sh:in ( {' '.join(map(iri, range(20)))} 1 ) ] ."
    assert report_on(shapes, f":a :p {iri(0)} , {iri(19)} , 1 .").conforms
    fails = [iri(20), iri(""), iri("1x"), iri(0).replace(".", "-"), iri(0).replace("$", ""), f'"{iri(0)[1:-1]}"']
    assert len(report_on(shapes, f":a :p {' , '.join(fails)} .").results) == len(fails)


@pytest.mark.parametrize("number", [7, 8, 100, 1000])
def test_a_list_of_any_length_is_read(report_on: ReportOn, number: int) -> None:
    listed = " ".join(f":value-{i * 7919}-of-many" for i in range(number))
    shapes = f":S sh:targetNode :a ; sh:property [ sh:path :p ; sh:in ( {listed} ) ] ."
    assert report_on(shapes, f":a :p :value-{(number - 1) * 7919}-of-many .").conforms
    assert not report_on(shapes, ":a :p :value-1-of-many .").conforms


def test_thousands_of_suspects_have_the_results_of_a_few(shapes_of: ShapesOf) -> None:
    """Above a thousand they are asked for in several queries."""
    shapes = shapes_of(
        ":S sh:targetClass :C ; sh:property [ sh:path :p ; sh:minCount 1 ; sh:maxCount 2 ; sh:in ( 1 2 ) ] ."
    )
    kind = NamedNode("http://www.w3.org/1999/02/22-rdf-syntax-ns#type")
    store = Store()
    store.extend(Quad(ex(f"a{number}"), kind, ex("C")) for number in range(2500))
    store.extend(Quad(ex(f"a{number}"), ex("p"), Literal(value)) for number in range(500) for value in (1, 2, 3))
    report = validate(store, shapes)
    assert len(set(foci(report))) == 2500
    assert [components(report).count(name) for name in ("MinCount", "MaxCount", "In")] == [2000, 500, 500]
