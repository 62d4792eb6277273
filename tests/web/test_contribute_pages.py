"""Things are made and edited by forms that come of the shapes: tried out, refused beside the field, made, undone."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from kg_service import ontology, resources
from kg_service.linked_data.addresses import Addresses
from kg_service.rdf import TURTLE, NamedNode, parse_bytes
from kg_service.rulebook import Rulebook
from kg_service.web.fields import Forms, choice, thing_named
from kg_service.web.names import Names
from kg_service.web.rendering import LANGUAGES, Pages
from tests.web import html
from tests.web.conftest import Writing

ID = "https://w3id.org/sse-kg/id/"
SSE = "https://w3id.org/sse-kg/ontology#"


def inputs(page: html.Document) -> dict[str, Any]:
    """What a browser would send of the form, by name; names that come twice have lists."""
    form: dict[str, list[str]] = {}
    for each in page.elements:
        name, value = each.attributes.get("name", ""), each.attributes.get("value", "")
        if each.tag == "textarea":
            form.setdefault(name, []).append(each.text.removeprefix("\n"))
        elif each.tag == "input" and (each.attributes.get("type") != "checkbox" or "checked" in each.attributes):
            form.setdefault(name, []).append(value)
    chosen = ""
    for each in page.elements:
        if each.tag == "select":
            chosen = each.attributes["name"]
            form.setdefault(chosen, []).append("")
        if each.tag == "option" and "selected" in each.attributes and "select" in each.parents:
            form[chosen][-1] = each.attributes["value"]
    form.pop("q", None)
    return form


def tried(person: Writing, path: str, changed: dict[str, Any]) -> tuple[httpx.Response, dict[str, Any]]:
    """A form filled in and tried out: the answer, and what the browser would send next."""
    answer = person.client.post(path, data=inputs(person.page(path)) | changed | {"step": "try"})
    return answer, inputs(html.read(answer.text))


def saved(person: Writing, path: str, changed: dict[str, Any]) -> int:
    """The number of the change that saving makes."""
    answer, form = tried(person, path, changed)
    assert answer.status_code == 200, html.read(answer.text).all("main")[0].text
    done = person.client.post(path, data=form | {"step": "make"})
    assert done.status_code == 303, html.read(done.text).all("main")[0].text
    return int(done.headers["location"].rpartition("/")[2].partition("?")[0])


def values(person: Writing, thing: str, property: str) -> set[str]:
    answer = person.client.get(
        "/sparql",
        params={"query": f"SELECT ?v {{ <{ID}{thing}> <{property}> ?v }}"},
        headers={"accept": "application/sparql-results+json"},
    )
    return {row["v"]["value"] for row in answer.json()["results"]["bindings"]}


def named(name: str) -> dict[str, Any]:
    return {"p-skos-prefLabel": [name, "", "", ""], "p-skos-prefLabel-lang": ["en", "es", "fr", "pt"]}


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_classes_come_of_the_shapes(somebody: Writing, language: str) -> None:
    page = somebody.page(f"/contribute?lang={language}")
    assert not page.problems
    links = {each.attributes["href"] for each in page.all("a")}
    for name in ("Organisation", "Event", "Membership", "Theme"):
        assert f"{somebody.url}/contribute/new?class={name}&lang={language}" in links
    assert not [each for each in links if "class=Claim" in each]


def test_who_has_not_signed_in_sees_what_would_be_asked_and_cannot_send(somebody: Writing) -> None:
    page = somebody.page("/contribute/new?class=Event")
    assert "start date" in page.all("main")[0].text
    assert not page.all("textarea")
    assert somebody.client.post("/contribute/new?class=Event", data={"step": "make"}).status_code == 401


def test_a_field_for_each_property_of_the_shapes(writer: Writing) -> None:
    page = writer.page("/contribute/new?class=Event")
    assert not page.problems
    legends = {" ".join(each.text.split()) for each in page.all("legend")}
    assert {"name needed", "event kind wanted", "start date", "takes place in", "status"} <= legends
    boxes = [each for each in page.all("input") if each.attributes.get("name") == "p-sse-eventKind"]
    assert f"{ID}event-kind/forum" in {each.attributes["value"] for each in boxes}
    assert "Valley — place/valley" in {each.attributes.get("value") for each in page.all("option")}


def test_a_thing_is_made_with_its_types_and_name(writer: Writing) -> None:
    number = saved(
        writer,
        "/contribute/new?class=Network",
        {
            "p-skos-prefLabel": ["Orchard’s net ñ", "Red del huerto", "", ""],
            "p-skos-prefLabel-lang": ["en", "es", "fr", "pt"],
            "p-sse-locatedIn": "Valley — place/valley",
            "p-sse-organisationKind": f"{ID}org-kind/network",
            "note": "told by the gardeners",
        },
    )
    thing = "organisation/orchard-s-net-n"
    type_ = "http://www.w3.org/1999/02/22-rdf-syntax-ns#type"
    assert values(writer, thing, type_) == {SSE + "Network", SSE + "Organisation", SSE + "Actor"}
    assert values(writer, thing, SSE + "locatedIn") == {f"{ID}place/valley"}
    about = writer.page(f"/history/{number}").all("dl")[0].text
    assert "told by the gardeners" in about
    assert "Ana Ñ" in about
    again, _ = tried(writer, "/contribute/new?class=Network", named("Orchard’s net ñ"))
    assert again.status_code == 409
    assert f"/contribute/edit?iri={ID}{thing}" in again.text.replace("%3A", ":")


def test_the_gate_refuses_beside_the_field_and_the_thing_is_put_right(writer: Writing) -> None:
    path = "/contribute/new?class=Event"
    dates = {"p-schema-startDate": "2022-02-02", "p-schema-endDate": "2021-01-01"}
    refused, form = tried(writer, path, named("Backward fair") | dates)
    assert refused.status_code == 422
    page = html.read(refused.text)
    assert not page.problems
    wrong = [each for each in page.all("fieldset") if "is-wrong" in each.attributes.get("class", "").split()]
    assert any(each.attributes["id"] == "p-schema-endDate" and "before the start" in each.text for each in wrong)
    assert "Backward fair" in form["p-skos-prefLabel"]
    assert not [each for each in page.all("button") if each.attributes.get("value") == "make"]
    assert writer.client.post(path, data=form | {"step": "make"}).status_code == 422
    assert not values(writer, "event/backward-fair", "https://schema.org/startDate")
    answer = writer.client.post(path, data=form | {"p-schema-endDate": "2022-02", "step": "try"})
    assert answer.status_code == 200
    done = writer.client.post(path, data=inputs(html.read(answer.text)) | {"step": "make"})
    assert done.status_code == 303
    number = done.headers["location"].rpartition("/")[2].partition("?")[0]
    assert values(writer, "event/backward-fair", "https://schema.org/endDate") == {"2022-02"}
    assert writer.send(f"/history/{number}/revert", {"step": "make"}).status_code == 303
    assert not values(writer, "event/backward-fair", "https://schema.org/endDate")


def test_what_is_altered_after_the_trial_is_tried_again(writer: Writing) -> None:
    path = "/contribute/new?class=Theme"
    _, form = tried(writer, path, named("Flour"))
    answer = writer.client.post(path, data=form | named("Flower") | {"step": "make"})
    assert answer.status_code == 200
    assert "nothing is written yet" in answer.text
    assert not values(writer, "theme/flower", "http://www.w3.org/2004/02/skos/core#prefLabel")


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"p-schema-startDate": "yesterday"}, "Write a year"),
        ({"p-sse-edition": "1.5"}, "Write a whole number"),
        ({"p-sse-takesPlaceIn": "the old town"}, "Choose from the list"),
        ({"p-skos-prefLabel": "x", "p-skos-prefLabel-lang": "not a language"}, "language tag"),
        ({"p-sse-eventKind": "<javascript:x>"}, "Choose from the list"),
    ],
)
def test_a_value_that_means_nothing_is_marked(writer: Writing, changed: dict[str, str], words: str) -> None:
    answer, form = tried(writer, "/contribute/new?class=Event", named("Odd fair") | changed)
    assert answer.status_code == 422
    assert words in answer.text
    name, value = next(iter(changed.items()))
    assert value in form[name]


def test_an_edit_changes_just_what_was_changed(writer: Writing) -> None:
    path = f"/contribute/edit?iri={ID}policy/charter"
    name = "http://www.w3.org/2004/02/skos/core#prefLabel"
    before = values(writer, "policy/charter", name)
    form = inputs(writer.page(path))
    assert form["p-skos-prefLabel-lang"] == ["en", "es", "fr", "pt"]
    names = [each.replace("Valle", "Gran Valle") if "Carta" in each else each for each in form["p-skos-prefLabel"]]
    number = saved(writer, path, {"p-skos-prefLabel": names})
    rows = {
        each.attributes.get("class"): " ".join(each.text.split())
        for each in writer.page(f"/history/{number}").all("tr")
    }
    assert "Carta del Gran Valle" in rows["added"]
    assert "Carta del Valle" in rows["removed"]
    assert len([each for each in writer.page(f"/history/{number}").all("tr") if each.attributes]) == 2
    assert writer.send(f"/history/{number}/revert", {"step": "make"}).status_code == 303
    assert values(writer, "policy/charter", name) == before
    idle, _ = tried(writer, path, {})
    assert "Nothing would change." in idle.text


def test_of_two_at_once_none_is_lost(writer: Writing) -> None:
    path = f"/contribute/edit?iri={ID}theme/bread"
    definition = {"p-skos-definition-lang": ["en", "es", "fr", "pt"]}
    _, one = tried(writer, path, definition | {"p-skos-definition": ["One says.", "", "", ""]})
    _, two = tried(writer, path, definition | {"p-skos-definition": ["Two says.", "", "", ""]})
    with ThreadPoolExecutor(2) as pool:
        send = lambda form: writer.client.post(path, data=form | {"step": "make"})  # noqa: E731
        answers = sorted(pool.map(send, (one, two)), key=lambda answer: answer.status_code)
    assert [each.status_code for each in answers] == [303, 409]
    assert "Somebody has changed this meanwhile" in answers[1].text
    kept = inputs(html.read(answers[1].text))["p-skos-definition"]
    held = values(writer, "theme/bread", "http://www.w3.org/2004/02/skos/core#definition")
    assert {kept[0], *held} == {"One says.", "Two says."}
    number = answers[0].headers["location"].rpartition("/")[2].partition("?")[0]
    assert writer.send(f"/history/{number}/revert", {"step": "make"}).status_code == 303


def test_more_rows_are_had_without_a_script(writer: Writing) -> None:
    path = "/contribute/new?class=Event"
    form = inputs(writer.page(path))
    assert len(form["p-sse-takesPlaceIn"]) == 1
    more = writer.client.post(path, data=form | named("Wide fair") | {"more": "p-sse-takesPlaceIn"})
    assert more.status_code == 200
    assert len(inputs(html.read(more.text))["p-sse-takesPlaceIn"]) == 3
    assert "Wide fair" in more.text
    assert "nothing is written yet" not in more.text


def test_what_a_thing_says_does_no_harm(writer: Writing) -> None:
    answer, form = tried(writer, "/contribute/new?class=Theme", named('"><script>alert(1)</script>'))
    page = html.read(answer.text)
    assert not page.problems
    assert not page.all("script")
    assert '"><script>alert(1)</script>' in form["p-skos-prefLabel"]


def test_a_thing_is_tied_to_another(writer: Writing) -> None:
    page = writer.page(f"/contribute/new?class=Membership&from={ID}organisation/bakers")
    assert "Bakers’ Cooperative — organisation/bakers" in inputs(page)["p-org-member"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/contribute/new", 422),
        ("/contribute/new?class=Claim", 422),
        ("/contribute/new?class=%3Cscript%3E", 422),
        (f"/contribute/edit?iri={ID}place/nowhere", 404),
        (f"/contribute/edit?iri={ID}claim/oven", 422),
        ("/contribute/edit?iri=nonsense", 422),
    ],
)
def test_what_has_no_form_is_said(somebody: Writing, path: str, status: int) -> None:
    assert somebody.client.get(path).status_code == status


def test_words_that_the_document_does_not_hold_are_refused(writer: Writing) -> None:
    path = "/contribute/new?class=Theme"
    for evidence, words in (
        ({"document": "", "words": "share one oven"}, "needs both"),
        ({"document": "document/chronicle", "words": "share two ovens"}, "does not hold these words"),
        ({"document": "document/chronicle", "words": "bread", "occurrence": "2"}, "1 times, not 2"),
        ({"document": "document/unknown", "words": "bread"}, "is not kept here"),
        ({"document": "the chronicle", "words": "x"}, "choose a document"),
    ):
        answer, _ = tried(writer, path, named("Oven") | evidence)
        assert answer.status_code == 422
        assert words in answer.text


def test_what_is_added_rests_on_the_words_of_a_document(writer: Writing) -> None:
    evidence = {
        "document": "Chronicle of the Valley — document/chronicle",
        "words": "All  eat bread",
        "certainty": "derived",
    }
    number = saved(writer, "/contribute/new?class=Theme", named("Eating") | evidence | {"rationale": "All do."})
    query = (
        "PREFIX rdf: <http://www.w3.org/1999/02/22-rdf-syntax-ns#> PREFIX oa: <http://www.w3.org/ns/oa#> "
        f"PREFIX sse: <{SSE}> SELECT ?words ?start ?end ?certainty {{ ?claim rdf:subject <{ID}theme/eating> ; "
        "rdf:object ?name ; sse:certainty ?certainty ; sse:evidence ?q . ?q oa:exact ?words ; oa:start ?start ; "
        'oa:end ?end . FILTER(LANG(?name) = "en") }'
    )
    answer = writer.client.get(
        "/sparql", params={"query": query}, headers={"accept": "application/sparql-results+json"}
    )
    (row,) = answer.json()["results"]["bindings"]
    told = [row[name]["value"] for name in ("words", "start", "end", "certainty")]
    assert told == ["All eat bread", "39", "52", f"{ID}certainty/derived"]
    # What is said no more takes its claim with it.
    path = f"/contribute/edit?iri={ID}theme/eating"
    assert saved(writer, path, named("Meals")) == number + 1
    answer = writer.client.get(
        "/sparql", params={"query": query}, headers={"accept": "application/sparql-results+json"}
    )
    assert not answer.json()["results"]["bindings"]


def test_a_choice_from_a_list_names_its_thing() -> None:
    for name, iri in (("A — b", f"{ID}place/x"), ("", "https://example.org/a"), ("“ñ”", "urn:x:y")):
        assert thing_named(choice(name, iri)) == NamedNode(iri)
    for text in ("", "a b", "place", "<x>", "place/x y", "Name —"):
        assert thing_named(text) is None


def test_a_count_that_is_no_number_asks_for_nothing() -> None:
    text = """@prefix sh: <http://www.w3.org/ns/shacl#> . @prefix sse: <https://w3id.org/sse-kg/ontology#> .
    <urn:shape> a sh:NodeShape ; sh:targetClass sse:Event ; sh:property
      [ sh:path sse:theme ; sh:minCount "²" ; sh:maxCount "1" ] ,
      [ sh:path sse:level ; sh:minCount 1 ; sh:maxCount "¹" ] ."""
    rules, about = Rulebook(parse_bytes(text.encode(), TURTLE)), ontology.read(resources.folder("ontology"))
    names = Names({}, addresses=Addresses("http://here"), ontology=about, catalogue=Pages().catalogues["en"])
    forms = Forms(rules, names)
    found = {each.iri.removeprefix(SSE): (each.need, each.is_many) for each in forms.fields(f"{SSE}Event")}
    assert found == {"theme": ("may", False), "level": ("must", True)}
