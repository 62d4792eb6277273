import { describe, expect, it } from "vitest";
import { Camera, type Look } from "./camera";
import { graphOf, type Drawing } from "./graph";
import { rendererOf } from "./probe";
import { kept, parametersOf, stateOf, written } from "./state";
import { behind, filed, movedScene, opened, told } from "./story";
import { begun, changed, redone, undone } from "./undo";

const OURS = "https://w3id.org/sse-kg/id/organisation/ñandú";
const known = { ids: ["urn:a", "urn:b", OURS], groups: ["public, local", "private"] };
const place = (search: string, hash = "") => ({ pathname: "/network", search, hash });

describe("the address", () => {
  const start = kept(place("?projection=x&from=2010-05&page=3"), known);
  const all = {
    ...start,
    node: 1,
    steps: 2,
    hidden: new Set([0]),
    window: { ...start.window, from: 2012 },
    pinned: new Map([[2, [1500, -20] as const]]),
    view: { x: -12.5, y: 3, span: 4000 },
  };
  it("has all that is seen: what the service knows in the query, the rest behind the hash", () => {
    const address = written(place("?projection=x&from=2010-05&page=3"), known, all);
    expect(address.split("#")[0]).toBe("/network?projection=x&from=2012");
    const [path, hash] = address.split("#");
    expect(kept(place(path!.slice("/network".length), `#${hash}`), known)).toEqual(all);
  });
  it("names groups and nodes, whatever their numbers are next time", () => {
    const turned = { ids: [...known.ids].reverse(), groups: [...known.groups].reverse() };
    const again = stateOf(parametersOf(all, known), turned);
    expect(again.hidden).toEqual(new Set([1]));
    expect(again.pinned).toEqual(new Map([[0, [1500, -20]]]));
    expect(again.node).toBe(1);
  });
  it("is left as it was where nothing changed", () => {
    const here = place("?from=2010-05&at=", "");
    expect(written(here, known, kept(here, known))).toBe("/network?from=2010-05&at=");
  });
  it("takes nothing that is no node, no group, no step, no year, no place", () => {
    const hash = "#node=urn:z&steps=99&hide=nobody&pin=urn:a+x+y&pin=urn:a&pin=&view=1+2+0&view=a+b+c";
    expect(kept(place("?from=soon&origin=urn%3Az&node=urn:a", hash), known)).toEqual({
      node: null,
      steps: 0,
      hidden: new Set(),
      window: { from: null, to: null, undated: false },
      ends: [null, null],
      pinned: new Map(),
      view: null,
    });
    expect(kept(place("", "#node=urn:a&steps=99"), known).steps).toBe(6);
  });
  it("begins where the address before the hash walks, until there is something behind it", () => {
    expect(kept(place("?node=urn:a&steps=2"), known)).toMatchObject({ node: known.ids.indexOf("urn:a"), steps: 2 });
    expect(kept(place("?node=urn:a&steps=2", "#view=1+2+3"), known)).toMatchObject({ node: null, steps: 0 });
  });
});

describe("what was done", () => {
  it("is undone and done again, step by step", () => {
    const past = changed(changed(begun("a"), "b", "", 0), "c", "", 1);
    expect(undone(past).now).toBe("b");
    expect(undone(undone(undone(past))).now).toBe("a");
    expect(redone(undone(past)).now).toBe("c");
    expect(redone(past)).toBe(past);
  });
  it("cannot be done again after something else was done", () => {
    const other = changed(undone(changed(begun("a"), "b")), "c");
    expect(redone(other).now).toBe("c");
    expect(undone(other).now).toBe("a");
  });
  it("is one thing while a slider is drawn, and another when it is drawn later", () => {
    const drawn = changed(changed(changed(begun(0), 1, "year", 0), 2, "year", 100), 3, "year", 200);
    expect(undone(drawn).now).toBe(0);
    expect(undone(changed(drawn, 4, "year", 5000)).now).toBe(3);
    expect(undone(changed(undone(drawn), 9, "year", 300)).now).toBe(0);
  });
});

describe("a story", () => {
  const story = { scenes: [{ text: "Ça & “là” #1", state: "node=urn:a&view=1+2+3" }, { text: "", state: "" }], at: 1 };
  it("is told by its address alone", () => {
    const address = written(place("?projection=x"), known, kept(place(""), known), behind(story));
    expect(told(address.slice(address.indexOf("#")))).toEqual(story);
  });
  it("is opened as it was saved", () => {
    expect(opened(filed("?projection=x", story))).toEqual({ search: "?projection=x", scenes: story.scenes });
  });
  it.each(["", "no json", "{}", "[]", '{"scenes":[]}', '{"scenes":[{"text":1,"state":""}]}', "null",
    '{"network":"//elsewhere.example","scenes":[{"text":"","state":""}]}'])("is not %s", (text) => {
    expect(opened(text)).toBeNull();
  });
  it.each(["", "#story=x&scene=1", "#story=%5B%5D", "#scene=3"])("is not behind %s", (hash) => {
    expect(told(hash)).toEqual({ scenes: [], at: null });
  });
  it("begins at no scene that it has not", () => {
    expect(told(`#${new URLSearchParams({ ...behind(story), scene: "7" })}`).at).toBeNull();
  });
  it("has its scenes in another order", () => {
    const scenes = ["a", "b", "c"].map((text) => ({ text, state: "" }));
    expect(movedScene(scenes, 0, 1).map((each) => each.text)).toEqual(["b", "a", "c"]);
    expect(movedScene(scenes, 0, -1).map((each) => each.text)).toEqual(["a", "b", "c"]);
  });
});

describe("where one looks", () => {
  const drawing = { nodes: { id: ["a", "b"], x: [0, 1000], y: [0, 0], mode: [0, 0] }, edges: { source: [], target: [], weight: [] } };
  const graph = graphOf(drawing as unknown as Drawing);
  const look = { graph, seen: { nodes: Uint8Array.of(1, 1), edges: new Uint8Array() }, radius: Float32Array.of(5, 5) } as unknown as Look;
  it("is the same on a stage of another size", () => {
    const stage = { clientWidth: 800, clientHeight: 400 };
    const camera = new Camera(stage);
    camera.fit(look);
    expect(camera.own).toBeNull();
    camera.zoom(2, 100, 100);
    const own = camera.own!;
    const other = new Camera({ clientWidth: 300, clientHeight: 900 });
    other.show(own);
    expect((150 - other.left) / other.scale).toBeCloseTo(own.x);
    expect(300 / other.scale).toBeCloseTo(own.span);
    stage.clientWidth = 500;
    camera.again(look);
    expect((250 - camera.left) / camera.scale).toBeCloseTo(own.x);
  });
  it("finds the node there", () => {
    const camera = new Camera({ clientWidth: 800, clientHeight: 400 });
    camera.fit(look);
    expect(camera.at(look, camera.x(graph, 1), camera.y(graph, 1) + 3)).toBe(1);
    expect(camera.at(look, 400, 10)).toBeNull();
  });
});

it.each([
  [null, "none", "canvas"],
  [null, "software", "canvas"],
  [null, "hardware", "webgl"],
  ["webgl", "software", "webgl"],
  ["webgl", "none", "canvas"],
  ["canvas", "hardware", "canvas"],
] as const)("asked for %s, with %s WebGL, the %s draws", (asked, there, drawn) => {
  expect(rendererOf(asked, there)).toBe(drawn);
});
