from __future__ import annotations

import contextlib
import random
import socket
import time

import pytest
from pyoxigraph import Literal, NamedNode, Quad, QuerySolutions, Store

from kg_service.errors import Malformed, Refused
from kg_service.sparql import guard


def inspect(text: str) -> guard.Inspected:
    return guard.inspect(text, max_bytes=100_000, base="https://example.org/base/")


@pytest.mark.parametrize(
    "text",
    [
        "SELECT * { SERVICE <http://localhost/> { ?s ?p ?o } }",
        "select * { service silent ?x { ?s ?p ?o } }",
        "SELECT * {\n#comment\nSERVICE<http://localhost/>{?s ?p ?o}}",
        'SELECT * { ?s ?p "it\'s" . SERVICE ?e {} }',
        "SELECT * { ?s ?p '''a ' b''' . SERVICE ?e {} }",
        "SELECT * { <http://e/#x> ?p ?o . SERVICE ?e {} }",
        "SELECT * { ?s ?p <a#b> SERVICE ?e {} }",
        "SELECT * { ?s ?p trueSERVICE ?e {} }",
        "SELECT * { ?s ?p FALSEservice ?e {} }",
        "SELECT * { ?s ?p 1SERVICE ?e {} }",
        "SELECT * { ?s ?p ?o FILTER(?o<'x>') SERVICE ?e {} FILTER(?o != 'y') }",
        "SELECT * { ?s ?p ?o FILTER(?o<?p#>'''\n) SERVICE ?e {} #''' }",
        "SELECT * { <http://a/\\u0041'> ?p ?o . SERVICE ?e {} ?s ?p 'x' }",
        # the engine takes a prefix that begins with a keyword for the keyword
        "PREFIX : <http://localhost/> SELECT * { SERVICE:x {} }",
        "PREFIX service: <urn:s> PREFIX : <http://localhost/> SELECT * { service:x{} }",
        "PREFIX e: <http://localhost/> SELECT * { SERVICEe:x {} }",
        "PREFIX e: <http://localhost/> SELECT * { SERVICESILENTe:x #\n {} }",
        "PREFIX e: <http://localhost/> SELECT * { ?s ?p trueSERVICEe:x {} }",
        "PREFIX e.SERVICE: <urn:s> SELECT * { ?s ?p e.SERVICE:x {} }",
        # `<` may be an operator after a number, and the second half of a triple term's begin
        "SELECT * { ?x ?p ?y FILTER(1<?x&&?y='>') SERVICE ?e {} } #'",
        "SELECT * { <<?s:p'>'>> :q ?o . SERVICE ?e {} } #'",
        "SELECT * { <<(?s:p'>')>> :q ?o . SERVICE ?e {} } #'",
        # spelt for engines that read escapes first
        "SELECT * { \\u0053ERVICE <http://localhost/> {} }",
        "SELECT * { S\\U00000045RVICE <http://localhost/> {} }",
        "SELECT * { ?s ?p 'a\\u0027 . SERVICE ?e {} #' }",
    ],
)
def test_service_is_refused_wherever_it_hides(text: str) -> None:
    with pytest.raises(Refused, match=r"SERVICE|service"):
        inspect(text)


def test_no_text_that_passes_reaches_another_server() -> None:
    """Pieces that lexers take apart in different ways, put together at random; the engine judges those that pass."""
    server = socket.create_server(("127.0.0.1", 0))
    server.setblocking(False)
    url = f"http://127.0.0.1:{server.getsockname()[1]}/"
    declared = f"PREFIX e: <{url}> PREFIX : <{url}> PREFIX a: <urn:a> PREFIX service: <urn:s> "
    here = f"<{url}> {{}}"
    pieces = ["?o", "<", ">", "'", '"', "#", "\n", " ", "(", ")", "{", "}", "FILTER(", "true", "1", ".", "'x'", "<a>"]
    pieces += [
        "?s ?p ?o",
        "a:b",
        "_:b",
        "@en",
        "SERVICE " + here,
        "service" + here,
        "?x",
        ";",
        ",",
        "^^",
        "-",
        "\\u0041",
        "SERVICE",
        "SERVICESILENTe:x{}",
        "service:x{}",
        "e:x",
        "<<",
        ">>",
        "1<?o&&?o='>'",
        "#'",
        "=",
        "&&",
    ]
    chance = random.Random(5)
    store = Store()
    store.add(Quad(NamedNode("urn:s"), NamedNode("urn:p"), Literal("o")))
    passed = 0
    for _ in range(20_000):
        text = declared + "SELECT * { ?s ?p ?o " + "".join(chance.choices(pieces, k=chance.randrange(3, 9))) + " }"
        with contextlib.suppress(Refused, Malformed):
            inspect(text)
            passed += 1
            if "service" in text.lower():
                with contextlib.suppress(SyntaxError, OSError, RuntimeError):
                    found = store.query(text)
                    assert isinstance(found, QuerySolutions)
                    list(found)
    with pytest.raises(BlockingIOError):
        server.accept()
    server.close()
    assert passed > 1000


@pytest.mark.parametrize(
    "text",
    [
        'SELECT * { ?s ?p "SERVICE <http://localhost/>" }',
        "SELECT * { ?s ?p '''\nSERVICE\n''' }",
        'SELECT * { ?s ?p """ " SERVICE "" """ }',
        "SELECT * { ?s ?p ?o } # SERVICE",
        "SELECT ?service { ?service <urn:SERVICE> <http://e/SERVICE> }",
        "PREFIX service: <urn:s#> SELECT * { ?s service:is ?o }",
        "PREFIX e: <urn:s#> SELECT * { ?s e:service ?o ; e:SERVICE ?x }",
        'SELECT * { ?s ?p "a\\"SERVICE" }',
        'SELECT * { ?s ?p "x"@service }',
        "SELECT * { ?s ?p 'service', 'caf\\u00e9' FILTER(?p IN (<#a>, <urn:b#c>) && ?o<?x) }",
        "SELECT * { VALUES (?a ?b) { (<http://e/#a> <http://e/(b)>) } ?a ?service ?b }",
        "PREFIX service: <urn:s#> SELECT * { service:x service:is service:y. [] service:is ?o }",
    ],
)
def test_the_word_service_elsewhere_is_no_service(text: str) -> None:
    assert inspect(text).text == text


def test_deep_nesting_is_refused_with_its_place() -> None:
    inspect("ASK " + "{" * 100 + "}" * 100)
    with pytest.raises(Refused, match="deeper than 100") as caught:
        inspect("ASK\n" + "{" * 101 + "}" * 101)
    assert caught.value.more == {"line": 2, "column": 101}


def test_brackets_in_texts_do_not_nest() -> None:
    inspect(f'ASK {{ ?s ?p "{"{" * 500}" }}')


def test_an_empty_and_a_long_text_are_refused() -> None:
    for text in ("", "  \n", "# only a comment"):
        with pytest.raises(Malformed, match="empty"):
            inspect(text)
    with pytest.raises(Refused, match="longer than 100000 bytes"):
        inspect("#" * 100_001)


def test_dataset_clauses_are_read_with_prefixes_and_base() -> None:
    found = inspect(
        "BASE <http://b/> PREFIX g: <http://g/> "
        "SELECT * FROM <x> FROM g:y FROM NAMED <http://z/> FROM <x> { ?from ?p ?o }"
    )
    assert found.default_graphs == ("http://b/x", "http://g/y")
    assert found.named_graphs == ("http://z/",)
    found = inspect("CONSTRUCT { ?s ?p ?o } FROM <http://e/\\u00e9> FROM NAMED <n> WHERE { ?s ?p ?o { FROM <x> } }")
    assert (found.default_graphs, found.named_graphs) == (("http://e/é",), ("https://example.org/base/n",))


@pytest.mark.parametrize("before", ["", "#service from\n", '"""', "ASK{"])
def test_the_lexer_is_linear_in_the_text(before: str) -> None:
    pieces = ['"', "'", "\\", "<", "a", ":", "@", "a.", '\\"', '\\"""', "\\'''", "\"'''", "{}", "(", "<a", "<<?a'", "?"]
    pieces += [
        ":\\",
        '"\\\n',
        "'\n",
        "1.",
        "_",
        "\\u0041",
        "(<a#> ",
        "FROM a:",
        "PREFIX a:<b> ",
        ".",
        "a.b:",
        "SERVICE:",
    ]
    for piece in pieces:
        begun = time.process_time()
        with contextlib.suppress(Refused, Malformed):
            guard.inspect(before + piece * (100_000 // len(piece)), max_bytes=1_000_000)
        assert time.process_time() - begun < 2, piece  # a tenth of that, unless it is quadratic


def test_brackets_that_an_iri_may_hide_are_counted() -> None:
    deep = "SELECT * { ?x ?p ?y FILTER(" + "1<(?x>?y&&" * 200 + "1" + ")" * 200
    with pytest.raises(Refused, match="two ways"):
        inspect(deep)
    with pytest.raises(Refused, match="two ways"):
        inspect("SELECT * { ?x ?p ?y FILTER(1<?x#>?y\n " + ("(" * 90 + "#\n" + ")" * 90) * 2)
    assert inspect("SELECT * { ?x ?p ?y FILTER(1<(?x)&&?x>?y) }" + "{} " * 90)
    assert inspect("SELECT * { ?x ?p ?y FILTER(1 < (?x)&&?x > ?y) }" + "{} " * 200)
    with pytest.raises(Refused, match="quote without an end"):
        inspect("ASK { ?s ?p 'x " + "{" * 101 + "}" * 101)


def test_names_are_taken_as_the_grammar_has_them() -> None:
    text = "a\u00b7b:c\u00b7d ?e\u0301 हिन्दी:हिन्दी a.b:c true.a @en-GB 1.5 x:\\-y"
    assert [token.text for token in guard.tokens(text)] == text.replace("true.a", "true . a").split()
