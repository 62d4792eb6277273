import { describe, expect, it } from "vitest";
import { CORNER, points, POINT, Ribbons, triangles } from "./geometry";
import { graphOf, type Drawing } from "./graph";

/** a – b – c – d in a row, where b – c is the strongest and c – d the weakest, and d, a square, lies where c does. */
const drawing: Drawing = {
  nodes: {
    id: ["urn:a", "urn:b", "urn:c", "urn:d"],
    label: ["a", "b", "c", "d"],
    mode: [0, 0, 0, 1],
    degree: [1, 2, 2, 1],
    community: [-5, -5, -5, -5],
    x: [0, 10, 30, 30],
    y: [-5, -5, -5, -5],
  },
  groups: {},
  modes: ["actor", "event"],
  edges: { source: [0, 1, 2], target: [1, 2, 3], weight: [5, 10, 1] },
  kinds: [],
  times: [],
};
const corners = (ribbons: Ribbons, edge: number) =>
  Array.from({ length: 4 }, (_, corner) => [...ribbons.corners.subarray(CORNER * (4 * edge + corner), CORNER * (4 * edge + corner + 1))]);

describe("ties as ribbons", () => {
  it("are as wide as the canvas draws them, by weight", () => {
    const ribbons = new Ribbons(graphOf(drawing));
    const half = (edge: number) => corners(ribbons, edge).map(([, , x, y]) => Math.hypot(x!, y!));
    for (const [edge, width] of [[0, 1.6], [1, 2.6]] as const) for (const each of half(edge)) expect(each).toBeCloseTo(width / 2);
    expect(half(2).every((each) => each === 0)).toBe(true); // of no length
  });
  it("lie from one end to the other, with a corner on either side", () => {
    expect(corners(new Ribbons(graphOf(drawing)), 0).map((each) => each.map((n) => +n.toFixed(3) + 0))).toEqual([
      [0, 5, 0, -0.8],
      [0, 5, 0, 0.8],
      [10, 5, 0, -0.8],
      [10, 5, 0, 0.8],
    ]);
  });
  it("follow a node that is put elsewhere, and stay otherwise", () => {
    const graph = graphOf(drawing);
    const ribbons = new Ribbons(graph);
    expect(ribbons.follow()).toBe(false);
    const others = corners(ribbons, 1);
    [graph.x[0], graph.y[0]] = [10, 7];
    expect(ribbons.follow()).toBe(true);
    expect(corners(ribbons, 0).map(([x, y]) => [x, y])).toEqual([[10, 7], [10, 7], [10, 5], [10, 5]]);
    expect(corners(ribbons, 1)).toEqual(others);
    expect(corners(ribbons, 0)).toEqual(corners(new Ribbons(graph), 0));
    expect(ribbons.follow()).toBe(false);
  });
  it("are two triangles each, the strongest first, without those that are not seen", () => {
    const graph = graphOf(drawing);
    const seen = (...edges: number[]) => ({ nodes: new Uint8Array(4).fill(1), edges: Uint8Array.from(edges) });
    expect([...triangles(graph, seen(1, 1, 0))]).toEqual([4, 5, 6, 5, 6, 7, 0, 1, 2, 1, 2, 3]);
    expect(triangles(graph, seen(0, 0, 0))).toHaveLength(0);
  });
});

describe("nodes as points", () => {
  it("have a place, a radius, a colour and a shape, colour by colour, without those that are not seen", () => {
    const graph = graphOf(drawing);
    const look = {
      graph,
      seen: { nodes: Uint8Array.from([1, 0, 1, 1]), edges: new Uint8Array(3) },
      radius: Float32Array.from([4, 5, 6, 7]),
      colour: Int32Array.from([1, 0, -1, 0]),
      hover: null,
      chosen: null,
      pinned: new Map(),
      path: [],
    };
    const found = points(look, [[9, 9, 9], [10, 20, 30], [40, 50, 60]]);
    expect(found).toHaveLength(3 * POINT);
    const floats = new Float32Array(found.buffer);
    const each = [0, 1, 2].map((n) => [...floats.subarray(4 * n, 4 * n + 3), ...found.subarray(POINT * n + 12, POINT * (n + 1))]);
    expect(each).toEqual([
      [30, 5, 6, 9, 9, 9, 0],
      [30, 5, 7, 10, 20, 30, 255],
      [0, 5, 4, 40, 50, 60, 0],
    ]);
  });
});
