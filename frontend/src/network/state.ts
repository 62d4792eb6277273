/** What a reader sees, as an address: time and path where the service knows them too, the rest behind the hash. */
import type { Centre } from "./camera";
import type { Window } from "./graph";

/** What can be undone. */
export interface Picture {
  node: number | null;
  steps: number;
  hidden: ReadonlySet<number>;
  window: Window;
  ends: readonly [number | null, number | null];
  /** Where nodes were put. */
  pinned: ReadonlyMap<number, readonly [number, number]>;
}

export interface State extends Picture {
  /** What is looked at; null for everything. */
  view: Centre | null;
}

/** What numbers stand for: an address names nodes and groups, for the next generation numbers them anew. */
export interface Known {
  ids: readonly string[];
  groups: readonly string[];
}

type Place = Pick<Location, "pathname" | "search" | "hash">;

const OWN = "https://w3id.org/sse-kg/id/";
const ENDS = ["origin", "destination"] as const;
const BEHIND = ["node", "steps", "hide", "pin", "view"];
const MOST_STEPS = 6;

const short = (iri: string) => (iri.startsWith(OWN) ? iri.slice(OWN.length) : iri);
const whole = (text: string) => (/^[a-z][a-z0-9+.-]*:/.test(text) ? text : OWN + text);
const year = (text: string | null) => (text && /^\d{4}/.test(text) ? Number(text.slice(0, 4)) : null);
const numbers = (texts: readonly string[]) => {
  const found = texts.map(Number);
  return found.every(Number.isFinite) ? found : [];
};

export function stateOf(asked: URLSearchParams, known: Known): State {
  const index = (text: string | null) => {
    const at = text ? known.ids.indexOf(whole(text)) : -1;
    return at < 0 ? null : at;
  };
  const node = index(asked.get("node"));
  const steps = Math.trunc(Number(asked.get("steps") ?? 0));
  const pinned = new Map<number, readonly [number, number]>();
  for (const each of asked.getAll("pin")) {
    const [iri, ...place] = each.split(" ");
    const [at, [x, y]] = [index(iri ?? null), numbers(place)];
    if (at !== null && x !== undefined && y !== undefined) pinned.set(at, [x, y]);
  }
  const [x, y, span] = numbers((asked.get("view") ?? "").split(" ").filter(Boolean));
  const at = asked.get("at");
  return {
    node,
    steps: node !== null && steps > 0 ? Math.min(steps, MOST_STEPS) : 0,
    hidden: new Set(asked.getAll("hide").map((name) => known.groups.indexOf(name)).filter((group) => group >= 0)),
    window: {
      from: year(at ?? asked.get("from")),
      to: year(at ?? asked.get("to")),
      undated: asked.get("undated") === "keep",
    },
    ends: [index(asked.get("origin")), index(asked.get("destination"))],
    pinned,
    view: x !== undefined && y !== undefined && span !== undefined && span > 0 ? { x, y, span } : null,
  };
}

/** The state as parameters, all of them together. */
export function parametersOf(state: State, { ids, groups }: Known): URLSearchParams {
  const found = new URLSearchParams();
  const { from, to, undated } = state.window;
  if (from !== null) found.set("from", String(from));
  if (to !== null) found.set("to", String(to));
  if (undated) found.set("undated", "keep");
  ENDS.forEach((name, end) => {
    const node = state.ends[end];
    if (node != null) found.set(name, ids[node]!);
  });
  if (state.node !== null) found.set("node", short(ids[state.node]!));
  if (state.steps) found.set("steps", String(state.steps));
  for (const group of state.hidden) found.append("hide", groups[group]!);
  for (const [node, [x, y]] of state.pinned) found.append("pin", `${short(ids[node]!)} ${Math.round(x)} ${Math.round(y)}`);
  if (state.view) {
    const { x, y, span } = state.view;
    found.set("view", [x, y, span].map((n) => Number(n.toPrecision(5))).join(" "));
  }
  return found;
}

export function kept(place: Place, known: Known): State {
  const asked = new URLSearchParams(place.search);
  const behind = new URLSearchParams(place.hash.slice(1));
  const isTold = BEHIND.some((name) => behind.has(name));
  for (const name of BEHIND) {
    // Where one walks from is before the hash as well, for who has no script; what is behind it is newer.
    if (!isTold && ["node", "steps"].includes(name)) continue;
    asked.delete(name);
    for (const value of behind.getAll(name)) asked.append(name, value);
  }
  return stateOf(asked, known);
}

/** The address of a state; what else is behind the hash comes as `more`. */
export function written(place: Place, known: Known, state: State, more: Record<string, string> = {}): string {
  const query = new URLSearchParams(place.search);
  const before = kept(place, known);
  const now = parametersOf(state, known);
  const put = (name: string) => (now.has(name) ? query.set(name, now.get(name)!) : query.delete(name));
  // What the address says more exactly than we do, as a month, stays as long as the year does.
  if (state.window.from !== before.window.from || state.window.to !== before.window.to) {
    for (const name of ["at", "page"]) query.delete(name);
    for (const name of ["from", "to"]) put(name);
  }
  if (state.window.undated !== before.window.undated) put("undated");
  ENDS.forEach((name, end) => {
    if (state.ends[end] !== before.ends[end]) put(name);
  });
  const hash = new URLSearchParams();
  for (const name of BEHIND) for (const value of now.getAll(name)) hash.append(name, value);
  for (const [name, value] of Object.entries(more)) hash.set(name, value);
  const [asked, behind] = [query.toString(), hash.toString()];
  return `${place.pathname}${asked && `?${asked}`}${behind && `#${behind}`}`;
}
