import { describe, expect, it } from "vitest";
import { around, edgesWithin, found, graphOf, grouped, place, seen, span, strongest, type Drawing } from "./graph";

/** a – b – c – d, where b – c is of 2010 to 2012, c – d is open since 2015, and a – b has no date. */
const drawing: Drawing = {
  nodes: {
    id: ["urn:a", "urn:b", "urn:c", "urn:d"],
    label: ["Économie", "Bamako", "Éco-village", "Dakar"],
    mode: [0, 0, 0, 0],
    degree: [1, 2, 2, 1],
    community: [1, 0, 0, 0],
    x: [0, 1, 2, 3],
    y: [0, 0, 0, 0],
  },
  groups: { sector: { names: ["public", "private"], of: [1, -1, 1, 0] } },
  modes: ["actor"],
  edges: { source: [0, 1, 2], target: [1, 2, 3], weight: [1, 3, 2] },
  kinds: [],
  times: [1, 2010, 2012, 2, 2015, null],
};
const graph = graphOf(drawing);
const all = { from: null, to: null, undated: false };

describe("what is in force in a window", () => {
  it.each([
    [all, [1, 1, 1]],
    [{ from: 2011, to: 2011, undated: false }, [0, 1, 0]],
    [{ from: 2013, to: 2014, undated: false }, [0, 0, 0]],
    [{ from: 2020, to: null, undated: false }, [0, 0, 1]],
    [{ from: null, to: 2010, undated: true }, [1, 1, 0]],
    [{ from: 2013, to: 2014, undated: true }, [1, 0, 0]],
  ])("%o", (window, expected) => {
    expect([...edgesWithin(graph, window)]).toEqual(expected);
  });
  it("of things some of which have no date", () => {
    const mixed = graphOf({ ...drawing, times: [0, null, null, 0, 2010, 2010] });
    expect([...edgesWithin(mixed, { from: 2020, to: 2020, undated: true })]).toEqual([1, 1, 1]);
    expect([...edgesWithin(mixed, { from: 2020, to: 2020, undated: false })]).toEqual([0, 0, 0]);
  });
  it("spans the years that ties name", () => {
    expect(span(drawing)).toEqual([2010, 2015]);
    expect(span({ ...drawing, times: [] })).toBeNull();
  });
});

describe("what is seen", () => {
  const grouping = grouped(drawing, "sector", String);
  const choice = { window: all, hidden: new Set<number>(), node: null, steps: 0 };
  it("is everything at first", () => {
    expect([...seen(graph, grouping, choice).nodes]).toEqual([1, 1, 1, 1]);
  });
  it("is without the groups that are hidden, and their ties", () => {
    const without = seen(graph, grouping, { ...choice, hidden: new Set([0]) });
    expect([...without.nodes]).toEqual([0, 1, 0, 1]);
    expect([...without.edges]).toEqual([0, 0, 0]);
  });
  it("has only the strongest ties where there are too many", () => {
    const whole = seen(graph, grouping, choice);
    expect(strongest(graph, whole, 3)).toBe(whole);
    expect([...strongest(graph, whole, 2).edges]).toEqual([0, 1, 1]);
    expect([...strongest(graph, { ...whole, edges: new Uint8Array([1, 0, 1]) }, 1).edges]).toEqual([0, 0, 1]);
  });
  it("is so many steps around a node", () => {
    expect([...around(graph, 0, 2, new Uint8Array([1, 1, 1]))]).toEqual([1, 1, 1, 0]);
    expect([...seen(graph, grouping, { ...choice, node: 3, steps: 1 }).nodes]).toEqual([0, 0, 1, 1]);
  });
  it("is in a window only what has a tie there", () => {
    const then = seen(graph, grouping, { ...choice, window: { from: 2011, to: 2011, undated: false } });
    expect([...then.nodes]).toEqual([0, 1, 1, 0]);
  });
});

it("groups by size, and nodes without a group are in none", () => {
  expect(grouped(drawing, "sector", String)).toEqual({
    names: ["private", "public"],
    sizes: [2, 1],
    of: Int32Array.from([0, -1, 0, 1]),
  });
  expect(grouped(drawing, "community", (n) => `c${n}`).names).toEqual(["c1", "c2"]);
});

it("finds names without accents, those that begin so first", () => {
  expect(found(drawing, "eco")).toEqual([2, 0]);
  expect(found(drawing, "  ")).toEqual([]);
});

it("draws strong ties first", () => {
  expect([...graph.byWeight]).toEqual([1, 2, 0]);
});

it("puts nodes where they were pinned, and back", () => {
  const own = graphOf(drawing);
  place(own, new Map([[1, [50, -7] as const]]));
  expect([own.x[1], own.y[1], own.x[2]]).toEqual([50, -7, 2]);
  place(own, new Map());
  expect(own.x[1]).toBe(1);
});
