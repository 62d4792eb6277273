/** A network as WebGL takes it: ties as ribbons of four corners each, nodes as points. */
import type { Look } from "./camera";
import { byWidth } from "./canvas";
import { tiesOf, type Graph, type Seen } from "./graph";

/** Red, green and blue, each up to 255. */
export type Colour = readonly [number, number, number];

/** Numbers of a corner: its place, and which way is out of the ribbon, as long as half of its width in pixels. */
export const CORNER = 4;
/** Bytes of a node: place and radius as floats, then its colour, and whether it is a square. */
export const POINT = 16;
/** The two triangles of a ribbon. */
const TWO = [0, 1, 2, 1, 2, 3];

/** The ties as ribbons, and what nodes that were put elsewhere change of them. */
export class Ribbons {
  readonly corners: Float32Array;
  private readonly half: Float32Array;
  private readonly x: Float32Array;
  private readonly y: Float32Array;

  constructor(private readonly graph: Graph) {
    const edges = graph.source.length;
    this.half = new Float32Array(edges);
    for (const [width, among] of byWidth(graph)) for (const edge of among) this.half[edge] = width / 2;
    this.corners = new Float32Array(4 * CORNER * edges);
    [this.x, this.y] = [graph.x.slice(), graph.y.slice()];
    for (let edge = 0; edge < edges; edge++) this.lay(edge);
  }

  /** Lays the ties anew of nodes that were put elsewhere; tells whether there are any such nodes. */
  follow(): boolean {
    const { graph, x, y } = this;
    let hasMoved = false;
    for (let node = 0; node < x.length; node++) {
      if (x[node] === graph.x[node] && y[node] === graph.y[node]) continue;
      [x[node], y[node]] = [graph.x[node]!, graph.y[node]!];
      for (const [, edge] of tiesOf(graph, node)) this.lay(edge);
      hasMoved = true;
    }
    return hasMoved;
  }

  private lay(edge: number): void {
    const { graph, corners } = this;
    const [one, other] = [graph.source[edge]!, graph.target[edge]!];
    const [dx, dy] = [graph.x[other]! - graph.x[one]!, graph.y[other]! - graph.y[one]!];
    const by = this.half[edge]! / (Math.hypot(dx, dy) || 1);
    for (let corner = 0; corner < 4; corner++) {
      const [end, side] = [corner < 2 ? one : other, corner % 2 ? by : -by];
      const at = CORNER * (4 * edge + corner);
      corners[at] = graph.x[end]!;
      corners[at + 1] = graph.y[end]!;
      corners[at + 2] = -dy * side;
      corners[at + 3] = dx * side;
    }
  }
}

/** The corners of the ties that are seen, in threes as triangles, six for each tie, the strongest first. */
export function triangles(graph: Graph, { edges }: Seen): Uint32Array {
  const found = new Uint32Array(6 * edges.length);
  let at = 0;
  for (const edge of graph.byWeight) {
    if (!edges[edge]) continue;
    for (const corner of TWO) found[at++] = 4 * edge + corner;
  }
  return found.subarray(0, at);
}

/** The nodes that are seen, colour by colour as the canvas lays them over each other; `colours` begins with that of none. */
export function points({ graph, seen, radius, colour }: Look, colours: readonly Colour[]): Uint8Array {
  const found = new Uint8Array(POINT * radius.length);
  const floats = new Float32Array(found.buffer);
  let at = 0;
  for (let c = 0; c < colours.length; c++) {
    for (let node = 0; node < radius.length; node++) {
      if (colour[node] !== c - 1 || !seen.nodes[node]) continue;
      floats[at / 4] = graph.x[node]!;
      floats[at / 4 + 1] = graph.y[node]!;
      floats[at / 4 + 2] = radius[node]!;
      found.set(colours[c]!, at + 12);
      found[at + 15] = graph.drawing.nodes.mode[node] ? 255 : 0;
      at += POINT;
    }
  }
  return found.subarray(0, at);
}
