import { describe, expect, it } from "vitest";
import { years } from "../timeline/moments";
import { KEYWORDS, declared, missing, variables } from "./text";
import { bars, moments, spots, ties, views, type Table, type Term } from "./views";

const iri = (value: string): Term => ({ type: "uri", value });
const text = (value: string): Term => ({ type: "literal", value });
const number = (value: string): Term => ({
  type: "literal",
  value,
  datatype: "http://www.w3.org/2001/XMLSchema#integer",
});

const table = (names: string[], ...rows: (Term | undefined)[][]): Table => ({
  names,
  rows: rows.map((row) => Object.fromEntries(names.map((name, at) => [name, row[at]]))),
});

describe("views by the names of variables", () => {
  it.each([
    [table(["name", "n"], [text("a"), number("3")]), ["table", "chart"]],
    [table(["source", "target"], [iri("urn:a"), iri("urn:b")]), ["table", "network"]],
    [table(["event", "start"], [iri("urn:e"), text("2019-04")]), ["table", "timeline"]],
    [table(["country", "n"], [text("MX"), number("3")]), ["table", "chart", "map"]],
    [table(["place", "lat", "long"], [iri("urn:p"), text("19.4"), text("-99.1")]), ["table", "map"]],
    [table(["a_text"], [text("x")]), ["table"]],
    [table(["source", "target"]), ["table"]],
    [table(["source", "target"], [text("x"), text("y")]), ["table"]],
  ])("%#", (given, expected) => {
    expect(views(given)).toEqual(expected);
  });

  it("takes the label beside a thing for its name", () => {
    const given = table(["source", "source_label", "target"], [iri("urn:x/a"), text("Ann"), iri("urn:x/b%20c")]);
    expect(ties(given)!.ties).toEqual([
      { source: "urn:x/a", target: "urn:x/b%20c", sourceLabel: "Ann", targetLabel: "b c" },
    ]);
  });

  it("leaves out what has no value", () => {
    expect(bars(table(["name", "n"], [text("a"), undefined], [text("b"), number("2")]))!.bars).toEqual([
      { label: "b", value: 2 },
    ]);
    expect(spots(table(["lat", "long"], [text("91"), text("0")]))).toBeNull();
  });

  it("orders moments, and an end before the start is none", () => {
    const given = table(["name", "start", "end"], [text("b"), text("2020"), text("2019")], [text("a"), text("2018"), undefined]);
    expect(moments(given)!.map((each) => [each.label, each.start, each.end])).toEqual([
      ["a", 2018, 2018],
      ["b", 2020, 2020],
    ]);
  });

  it.each([
    ["2019", 2019],
    ["2019-07", 2019.5],
    ["soon", null],
  ])("reads %s as a year", (given, expected) => {
    expect(years(given)).toEqual(expected);
  });
});

describe("the text of a query", () => {
  it("has variables and prefixes", () => {
    expect(variables("SELECT ?été $b { ?b a ?été }")).toEqual(["?b", "?été"]);
    expect(declared("prefix sse: <x> PREFIX : <y>")).toEqual(new Set(["sse", ""]));
  });
  it("gets a prefix after the others, once", () => {
    expect(missing("PREFIX a: <b>\nSELECT", "sse")).toMatchObject({ at: 14 });
    expect(missing("SELECT", "skos")!.at).toBe(0);
    expect(missing("PREFIX sse: <x>", "sse")).toBeNull();
    expect(missing("SELECT", "unknown")).toBeNull();
  });
  it("knows what words there are", () => {
    expect(KEYWORDS).toContain("OPTIONAL");
  });
});
