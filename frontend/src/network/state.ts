/** What a reader chose, in the address: time and path where the service knows them too, the rest behind the hash. */
import type { Window } from "./graph";

export interface State {
  node: number | null;
  steps: number;
  hidden: ReadonlySet<number>;
  window: Window;
  ends: [number | null, number | null];
}

type Place = Pick<Location, "pathname" | "search" | "hash">;

export function kept(place: Place, ids: readonly string[]): State {
  const query = new URLSearchParams(place.search);
  const hash = new URLSearchParams(place.hash.slice(1));
  const index = (iri: string | null) => {
    const at = iri ? ids.indexOf(iri) : -1;
    return at < 0 ? null : at;
  };
  const year = (text: string | null) => (text && /^\d{4}/.test(text) ? Number(text.slice(0, 4)) : null);
  const at = query.get("at");
  const steps = Number(hash.get("steps") ?? 0);
  const node = index(hash.get("node"));
  return {
    node,
    steps: node !== null && steps >= 0 && steps <= 6 ? Math.trunc(steps) : 0,
    hidden: new Set((hash.get("hide") ?? "").split(",").filter(Boolean).map(Number)),
    window: {
      from: year(at ?? query.get("from")),
      to: year(at ?? query.get("to")),
      undated: query.get("undated") === "keep",
    },
    ends: [index(query.get("origin")), index(query.get("destination"))],
  };
}

export function written(place: Place, ids: readonly string[], state: State): string {
  const query = new URLSearchParams(place.search);
  const before = kept(place, ids);
  const put = (name: string, value: string | null) => (value === null ? query.delete(name) : query.set(name, value));
  const { from, to, undated } = state.window;
  if (from !== before.window.from || to !== before.window.to) {
    query.delete("at");
    query.delete("page");
    put("from", from === null ? null : String(from));
    put("to", to === null ? null : String(to));
  }
  if (undated !== before.window.undated) put("undated", undated ? "keep" : null);
  for (const [end, name] of ["origin", "destination"].entries()) {
    const node = state.ends[end] ?? null;
    if (node !== before.ends[end]) put(name, node === null ? null : ids[node]!);
  }
  const hash = new URLSearchParams();
  if (state.node !== null) hash.set("node", ids[state.node]!);
  if (state.steps) hash.set("steps", String(state.steps));
  if (state.hidden.size) hash.set("hide", [...state.hidden].join(","));
  const [asked, behind] = [query.toString(), hash.toString()];
  return `${place.pathname}${asked && `?${asked}`}${behind && `#${behind}`}`;
}
