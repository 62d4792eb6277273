/** A network as columns of numbers, and what of it is seen: by time, by group, and around a node. */

/** What the service sends as `format=drawing`. */
export interface Drawing {
  nodes: {
    id: string[];
    label: string[];
    mode: number[];
    degree: number[];
    community: number[];
    x: number[];
    y: number[];
  };
  groups: Record<string, { names: string[]; of: number[] }>;
  modes: string[];
  edges: { source: number[]; target: number[]; weight: number[] };
  kinds: string[];
  times: (number | null)[];
}

export interface Graph {
  drawing: Drawing;
  x: Float32Array;
  y: Float32Array;
  source: Int32Array;
  target: Int32Array;
  /** Edges, the strongest first. */
  byWeight: Int32Array;
  /** Where the ties of each node begin in `tied`, which has pairs of neighbour and edge. */
  start: Int32Array;
  tied: Int32Array;
}

export function graphOf(drawing: Drawing): Graph {
  const n = drawing.nodes.id.length;
  const m = drawing.edges.source.length;
  const source = Int32Array.from(drawing.edges.source);
  const target = Int32Array.from(drawing.edges.target);
  const start = new Int32Array(n + 1);
  for (let e = 0; e < m; e++) {
    start[source[e]! + 1]!++;
    start[target[e]! + 1]!++;
  }
  for (let i = 0; i < n; i++) start[i + 1]! += start[i]!;
  const next = start.slice();
  const tied = new Int32Array(4 * m);
  for (let e = 0; e < m; e++) {
    for (const [one, other] of [
      [source[e]!, target[e]!],
      [target[e]!, source[e]!],
    ] as const) {
      const place = next[one]!++;
      tied[2 * place] = other;
      tied[2 * place + 1] = e;
    }
  }
  const weight = drawing.edges.weight;
  const byWeight = Int32Array.from(weight.keys()).sort((a, b) => weight[b]! - weight[a]! || a - b);
  return {
    drawing,
    x: Float32Array.from(drawing.nodes.x),
    y: Float32Array.from(drawing.nodes.y, (y) => -y),
    source,
    target,
    byWeight,
    start,
    tied,
  };
}

/** Puts nodes where they were pinned, and all others where the layout has them. */
export function place(graph: Graph, pinned: ReadonlyMap<number, readonly [number, number]>): void {
  const { x, y } = graph.drawing.nodes;
  for (let node = 0; node < x.length; node++) {
    const [left, top] = pinned.get(node) ?? [x[node]!, -y[node]!];
    graph.x[node] = left;
    graph.y[node] = top;
  }
}

export interface Window {
  from: number | null;
  to: number | null;
  undated: boolean;
}

/** The first and the last year of any tie; null where none is dated. */
export function span(drawing: Drawing): [number, number] | null {
  let first = Infinity;
  let last = -Infinity;
  for (let i = 0; i < drawing.times.length; i += 3) {
    for (const year of [drawing.times[i + 1], drawing.times[i + 2]]) {
      if (year == null) continue;
      first = Math.min(first, year);
      last = Math.max(last, year);
    }
  }
  return first <= last ? [first, last] : null;
}

/** The edges in force within the window, as the service selects them: an open end is in force for ever. */
export function edgesWithin(graph: Graph, window: Window): Uint8Array {
  const seen = new Uint8Array(graph.source.length);
  if (window.from === null && window.to === null) return seen.fill(1);
  const { times } = graph.drawing;
  if (window.undated) {
    seen.fill(1); // an edge that has no times
    for (let i = 0; i < times.length; i += 3) seen[times[i] as number] = 0;
  }
  for (let i = 0; i < times.length; i += 3) {
    const [start, end] = [times[i + 1], times[i + 2]];
    const isSeen =
      start == null && end == null
        ? window.undated
        : (window.to === null || (start ?? -Infinity) <= window.to) &&
          (window.from === null || (end ?? Infinity) >= window.from);
    if (isSeen) seen[times[i] as number] = 1;
  }
  return seen;
}

/** The same with only the strongest ties, where there are more than so many. */
export function strongest(graph: Graph, seen: Seen, most: number): Seen {
  if (seen.edges.reduce((a, b) => a + b, 0) <= most) return seen;
  const edges = new Uint8Array(seen.edges.length);
  let left = most;
  for (const edge of graph.byWeight) {
    if (!left) break;
    if (seen.edges[edge]) left -= edges[edge] = 1;
  }
  return { ...seen, edges };
}

/** The nodes at most so many steps from one, over edges that are seen. */
export function around(graph: Graph, node: number, steps: number, edges: Uint8Array): Uint8Array {
  const seen = new Uint8Array(graph.x.length);
  seen[node] = 1;
  let edge: number[] = [node];
  for (let step = 0; step < steps && edge.length; step++) {
    const next: number[] = [];
    for (const one of edge) {
      for (const [other, by] of tiesOf(graph, one)) {
        if (!edges[by] || seen[other]) continue;
        seen[other] = 1;
        next.push(other);
      }
    }
    edge = next;
  }
  return seen;
}

/** The neighbours of a node, each with the edge. */
export function* tiesOf(graph: Graph, node: number): Generator<[number, number]> {
  for (let i = graph.start[node]!; i < graph.start[node + 1]!; i++) yield [graph.tied[2 * i]!, graph.tied[2 * i + 1]!];
}

export interface Grouping {
  /** The names of the groups, the largest first. */
  names: string[];
  sizes: number[];
  /** The group of each node, -1 for who has none. */
  of: Int32Array;
}

/** Nodes by an attribute or community, as the page's own legend has them. */
export function grouped(drawing: Drawing, by: string, community: (n: number) => string): Grouping {
  const attribute = drawing.groups[by];
  const names = attribute ? attribute.names : [];
  const raw = attribute ? attribute.of : drawing.nodes.community;
  const name = (code: number) => (attribute ? names[code]! : community(code + 1));
  const counted = new Map<number, number>();
  for (const code of raw) if (code >= 0) counted.set(code, (counted.get(code) ?? 0) + 1);
  const order = [...counted].sort((a, b) => b[1] - a[1] || (attribute ? (name(a[0]) < name(b[0]) ? -1 : 1) : a[0] - b[0]));
  const place = new Map(order.map(([code], at) => [code, at]));
  return {
    names: order.map(([code]) => name(code)),
    sizes: order.map(([, size]) => size),
    of: Int32Array.from(raw, (code) => place.get(code) ?? -1),
  };
}

export interface Seen {
  nodes: Uint8Array;
  edges: Uint8Array;
}

export interface Choice {
  window: Window;
  hidden: ReadonlySet<number>;
  node: number | null;
  /** Steps around the node that are seen; 0 for the whole network. */
  steps: number;
}

/** What is seen of the network. In a window, nodes without a tie are not. */
export function seen(graph: Graph, grouping: Grouping, choice: Choice): Seen {
  const within = edgesWithin(graph, choice.window);
  const isWindow = choice.window.from !== null || choice.window.to !== null;
  const near = choice.node !== null && choice.steps ? around(graph, choice.node, choice.steps, within) : null;
  const nodes = new Uint8Array(graph.x.length).fill(isWindow ? 0 : 1);
  if (isWindow) {
    within.forEach((is, edge) => {
      if (is) nodes[graph.source[edge]!] = nodes[graph.target[edge]!] = 1;
    });
    if (choice.node !== null) nodes[choice.node] = 1;
  }
  for (let i = 0; i < nodes.length; i++) {
    if (choice.hidden.has(grouping.of[i]!) || (near && !near[i])) nodes[i] = 0;
  }
  const edges = within.map((is, edge) => (is && nodes[graph.source[edge]!] && nodes[graph.target[edge]!] ? 1 : 0));
  return { nodes, edges };
}

/** Lower case without accents, for looking a name up. */
export function folded(text: string): string {
  return text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
}

const foldedLabels = new WeakMap<Drawing, string[]>();

/** Nodes whose names have these words: those that begin so first, then the better tied. */
export function found(drawing: Drawing, words: string, most = 20): number[] {
  const wanted = folded(words.trim());
  if (!wanted) return [];
  const hits: [number, number][] = [];
  let labels = foldedLabels.get(drawing);
  if (!labels) foldedLabels.set(drawing, (labels = drawing.nodes.label.map(folded)));
  labels.forEach((label, node) => {
    const at = label.indexOf(wanted);
    if (at >= 0) hits.push([at === 0 ? 0 : 1, node]);
  });
  const degree = drawing.nodes.degree;
  return hits
    .sort((a, b) => a[0] - b[0] || degree[b[1]]! - degree[a[1]]!)
    .slice(0, most)
    .map(([, node]) => node);
}
