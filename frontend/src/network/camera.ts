/** Where a reader looks: how the network lies on the stage, in pixels, and what of that can be handed on. */
import type { Graph, Seen } from "./graph";

/** What is drawn. */
export interface Look {
  graph: Graph;
  seen: Seen;
  /** Radius of each node in pixels, and its colour, -1 for none. */
  radius: Float32Array;
  colour: Int32Array;
  hover: number | null;
  chosen: number | null;
  pinned: ReadonlyMap<number, unknown>;
  /** Nodes of the path that is shown, in order. */
  path: readonly number[];
}

/** The middle of what is looked at, and how much the shorter side of the stage shows: the same on every screen. */
export interface Centre {
  x: number;
  y: number;
  span: number;
}

export class Camera {
  scale = 1;
  left = 0;
  top = 0;
  /** What the reader chose to look at; null for all that is seen. */
  own: Centre | null = null;

  constructor(private readonly stage: { readonly clientWidth: number; readonly clientHeight: number }) {}

  get width(): number {
    return this.stage.clientWidth;
  }

  get height(): number {
    return this.stage.clientHeight;
  }

  x(graph: Graph, node: number): number {
    return this.left + this.scale * graph.x[node]!;
  }

  y(graph: Graph, node: number): number {
    return this.top + this.scale * graph.y[node]!;
  }

  /** Shows all that is seen. */
  fit({ graph, seen }: Look): void {
    this.own = null;
    let [left, right, top, bottom] = [Infinity, -Infinity, Infinity, -Infinity];
    for (let i = 0; i < seen.nodes.length; i++) {
      if (!seen.nodes[i]) continue;
      left = Math.min(left, graph.x[i]!);
      right = Math.max(right, graph.x[i]!);
      top = Math.min(top, graph.y[i]!);
      bottom = Math.max(bottom, graph.y[i]!);
    }
    if (left > right) return;
    this.scale = Math.min((this.width - 90) / (right - left || 1), (this.height - 80) / (bottom - top || 1), 0.2);
    this.scale = Math.max(this.scale, 1e-5); // a stage smaller than its margins
    this.left = this.width / 2 - (this.scale * (left + right)) / 2;
    this.top = this.height / 2 - (this.scale * (top + bottom)) / 2;
  }

  /** Shows what was looked at, on a stage of any size. */
  show(centre: Centre): void {
    this.scale = Math.min(this.width, this.height) / centre.span;
    this.left = this.width / 2 - this.scale * centre.x;
    this.top = this.height / 2 - this.scale * centre.y;
    this.own = centre;
  }

  /** Shows the same again: the stage has another size, or nodes came and went. */
  again(look: Look): void {
    if (this.own) this.show(this.own);
    else this.fit(look);
  }

  zoom(factor: number, x = this.width / 2, y = this.height / 2): void {
    const scale = Math.min(Math.max(this.scale * factor, 1e-4), 5);
    const by = scale / this.scale;
    [this.scale, this.left, this.top] = [scale, x - by * (x - this.left), y - by * (y - this.top)];
    this.keep();
  }

  pan(x: number, y: number): void {
    this.left += x;
    this.top += y;
    this.keep();
  }

  /** Brings a node to the middle. */
  centre(graph: Graph, node: number): void {
    this.pan(this.width / 2 - this.x(graph, node), this.height / 2 - this.y(graph, node));
  }

  private keep(): void {
    this.own = {
      x: (this.width / 2 - this.left) / this.scale,
      y: (this.height / 2 - this.top) / this.scale,
      span: Math.min(this.width, this.height) / this.scale,
    };
  }

  /** The node at a place of the stage, the smallest of those there. */
  at({ graph, seen, radius }: Look, x: number, y: number): number | null {
    let best: number | null = null;
    for (let i = 0; i < radius.length; i++) {
      if (!seen.nodes[i]) continue;
      const reach = Math.max(radius[i]!, 6) + 2;
      const [dx, dy] = [this.x(graph, i) - x, this.y(graph, i) - y];
      if (dx * dx + dy * dy <= reach * reach && (best === null || radius[i]! < radius[best]!)) best = i;
    }
    return best;
  }
}
