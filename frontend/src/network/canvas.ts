/** Draws a network on a 2D canvas: edges are left out while it moves, and only the strongest are drawn of very many. */
import type { Graph, Seen } from "./graph";

/** Most edges that are drawn. */
export const MOST_EDGES = 15_000;
const MOST_NAMES = 40;
/** Fewer edges than this are drawn even while the picture moves. */
const QUICK_EDGES = 1_500;

export interface View {
  scale: number;
  left: number;
  top: number;
}

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

interface Palette {
  colours: string[];
  none: string;
  edge: string;
  text: string;
  ground: string;
  focus: string;
}

function palette(element: Element): Palette {
  const style = getComputedStyle(element);
  const of = (name: string) => style.getPropertyValue(name).trim();
  return {
    colours: Array.from({ length: 8 }, (_, n) => of(`--c${n}`)),
    none: of("--none"),
    edge: of("--edge"),
    text: of("--text"),
    ground: of("--raised"),
    focus: of("--focus"),
  };
}

export class Painter {
  view: View = { scale: 1, left: 0, top: 0 };
  /** Edges drawn last, and of how many. */
  drawn = { edges: 0, of: 0 };
  private palette: Palette;
  private order = new Int32Array();
  private orderOf: Float32Array | null = null;

  constructor(private readonly canvas: HTMLCanvasElement) {
    this.palette = palette(canvas);
  }

  /** Reads the colours anew: the reader may have changed from light to dark. */
  recolour(): void {
    this.palette = palette(this.canvas);
  }

  /** Gives the canvas as many pixels as the screen has for it. */
  resize(): void {
    const ratio = Math.min(window.devicePixelRatio || 1, 2);
    this.canvas.width = Math.max(1, Math.round(this.canvas.clientWidth * ratio));
    this.canvas.height = Math.max(1, Math.round(this.canvas.clientHeight * ratio));
  }

  /** Shows all that is seen. */
  fit(look: Look): void {
    const { graph, seen } = look;
    let [left, right, top, bottom] = [Infinity, -Infinity, Infinity, -Infinity];
    for (let i = 0; i < seen.nodes.length; i++) {
      if (!seen.nodes[i]) continue;
      left = Math.min(left, graph.x[i]!);
      right = Math.max(right, graph.x[i]!);
      top = Math.min(top, graph.y[i]!);
      bottom = Math.max(bottom, graph.y[i]!);
    }
    if (left > right) return;
    const [width, height] = [this.canvas.clientWidth, this.canvas.clientHeight];
    const scale = Math.min((width - 90) / (right - left || 1), (height - 80) / (bottom - top || 1), 0.2);
    this.view = {
      scale,
      left: width / 2 - (scale * (left + right)) / 2,
      top: height / 2 - (scale * (top + bottom)) / 2,
    };
  }

  zoom(factor: number, x = this.canvas.clientWidth / 2, y = this.canvas.clientHeight / 2): void {
    const scale = Math.min(Math.max(this.view.scale * factor, 1e-4), 5);
    const by = scale / this.view.scale;
    this.view = { scale, left: x - by * (x - this.view.left), top: y - by * (y - this.view.top) };
  }

  /** Brings a node to the middle. */
  centre(look: Look, node: number): void {
    this.view.left = this.canvas.clientWidth / 2 - this.view.scale * look.graph.x[node]!;
    this.view.top = this.canvas.clientHeight / 2 - this.view.scale * look.graph.y[node]!;
  }

  /** The node at a place of the canvas, the smallest of those there. */
  at(look: Look, x: number, y: number): number | null {
    let best: number | null = null;
    for (let i = 0; i < look.radius.length; i++) {
      if (!look.seen.nodes[i]) continue;
      const reach = Math.max(look.radius[i]!, 6) + 2;
      const [dx, dy] = [this.screenX(look, i) - x, this.screenY(look, i) - y];
      if (dx * dx + dy * dy <= reach * reach && (best === null || look.radius[i]! < look.radius[best]!)) best = i;
    }
    return best;
  }

  private screenX(look: Look, node: number): number {
    return this.view.left + this.view.scale * look.graph.x[node]!;
  }

  private screenY(look: Look, node: number): number {
    return this.view.top + this.view.scale * look.graph.y[node]!;
  }

  draw(look: Look, isMoving: boolean): void {
    const pen = this.canvas.getContext("2d");
    if (!pen) return;
    const ratio = this.canvas.width / (this.canvas.clientWidth || 1);
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.fillStyle = this.palette.ground;
    pen.fillRect(0, 0, this.canvas.clientWidth, this.canvas.clientHeight);
    this.edges(pen, look, isMoving);
    this.path(pen, look);
    this.nodes(pen, look, isMoving);
    this.names(pen, look);
  }

  private edges(pen: CanvasRenderingContext2D, look: Look, isMoving: boolean): void {
    const { graph, seen } = look;
    let whole = 0;
    for (const is of seen.edges) whole += is;
    this.drawn.of = whole;
    if (isMoving && whole > QUICK_EDGES) return;
    const { scale, left, top } = this.view;
    const weight = graph.drawing.edges.weight;
    const heaviest = weight[graph.byWeight[0] ?? 0] ?? 1;
    const lightest = weight[graph.byWeight[graph.byWeight.length - 1] ?? 0] ?? 1;
    const isPlain = heaviest === lightest; // all ties are alike
    const focus = look.hover ?? look.chosen;
    pen.strokeStyle = this.palette.edge;
    // Three widths in one stroke each: a stroke for every edge would take a hundred times as long.
    let at = 0;
    let drawn = 0;
    for (const [width, least] of [
      [2.6, 0.66],
      [1.6, 0.33],
      [0.8, -1],
    ] as const) {
      pen.beginPath();
      for (; at < graph.byWeight.length && drawn < MOST_EDGES; at++) {
        const edge = graph.byWeight[at]!;
        if (least > 0 && (isPlain || weight[edge]! < least * heaviest)) break;
        if (!seen.edges[edge]) continue;
        const [one, other] = [graph.source[edge]!, graph.target[edge]!];
        pen.moveTo(left + scale * graph.x[one]!, top + scale * graph.y[one]!);
        pen.lineTo(left + scale * graph.x[other]!, top + scale * graph.y[other]!);
        drawn++;
      }
      pen.lineWidth = width;
      pen.globalAlpha = (focus === null ? 0.6 : 0.3) * (whole > 5_000 ? 0.5 : 1);
      pen.stroke();
    }
    this.drawn.edges = drawn;
    pen.globalAlpha = 1;
    if (focus === null) return;
    pen.beginPath();
    for (let i = graph.start[focus]!; i < graph.start[focus + 1]!; i++) {
      const other = graph.tied[2 * i]!;
      if (!seen.edges[graph.tied[2 * i + 1]!]) continue;
      pen.moveTo(left + scale * graph.x[focus]!, top + scale * graph.y[focus]!);
      pen.lineTo(left + scale * graph.x[other]!, top + scale * graph.y[other]!);
    }
    pen.strokeStyle = this.palette.text;
    pen.lineWidth = 1.4;
    pen.stroke();
  }

  private path(pen: CanvasRenderingContext2D, look: Look): void {
    if (look.path.length < 2) return;
    pen.beginPath();
    look.path.forEach((node, step) => {
      const [x, y] = [this.screenX(look, node), this.screenY(look, node)];
      if (step) pen.lineTo(x, y);
      else pen.moveTo(x, y);
    });
    pen.strokeStyle = this.palette.focus;
    pen.lineWidth = 5;
    pen.stroke();
  }

  private nodes(pen: CanvasRenderingContext2D, look: Look, isMoving: boolean): void {
    const { graph, seen, radius, colour } = look;
    const [width, height] = [this.canvas.clientWidth, this.canvas.clientHeight];
    const isMany = radius.length > 2000;
    for (let c = -1; c < 8; c++) {
      pen.beginPath();
      let any = false;
      for (let i = 0; i < radius.length; i++) {
        if (colour[i] !== c || !seen.nodes[i]) continue;
        const [x, y, r] = [this.screenX(look, i), this.screenY(look, i), radius[i]!];
        if (x < -r || y < -r || x > width + r || y > height + r) continue;
        any = true;
        if (graph.drawing.nodes.mode[i] || (isMoving && isMany && r < 5)) pen.rect(x - r, y - r, 2 * r, 2 * r);
        else {
          pen.moveTo(x + r, y);
          pen.arc(x, y, r, 0, 6.2832);
        }
      }
      if (!any) continue;
      pen.fillStyle = c < 0 ? this.palette.none : this.palette.colours[c]!;
      pen.fill();
      if (!isMany) {
        pen.strokeStyle = this.palette.ground;
        pen.lineWidth = 1;
        pen.stroke();
      }
    }
    for (const node of look.pinned.keys()) this.ring(pen, look, node, 2, 1.5);
    for (const node of [look.hover, look.chosen]) if (node !== null) this.ring(pen, look, node, 3, 3);
  }

  private ring(pen: CanvasRenderingContext2D, look: Look, node: number, gap: number, width: number): void {
    if (!look.seen.nodes[node]) return;
    pen.beginPath();
    pen.arc(this.screenX(look, node), this.screenY(look, node), look.radius[node]! + gap, 0, 6.2832);
    pen.strokeStyle = this.palette.focus;
    pen.lineWidth = width;
    pen.stroke();
  }

  private names(pen: CanvasRenderingContext2D, look: Look): void {
    const { graph, seen, radius } = look;
    if (this.orderOf !== radius) {
      this.order = Int32Array.from(radius.keys()).sort((a, b) => radius[b]! - radius[a]! || a - b);
      this.orderOf = radius;
    }
    pen.font = `13px ${getComputedStyle(this.canvas).fontFamily}`;
    pen.textAlign = "center";
    pen.textBaseline = "top";
    pen.lineJoin = "round";
    const taken: [number, number, number][] = [];
    const first = [look.hover, look.chosen, ...look.path].filter((node): node is number => node !== null);
    const put = (node: number, always: boolean) => {
      const [x, y] = [this.screenX(look, node), this.screenY(look, node) + radius[node]! + 2];
      if (x < 0 || y < 0 || x > this.canvas.clientWidth || y > this.canvas.clientHeight) return;
      const whole = graph.drawing.nodes.label[node]!;
      const text = always || whole.length <= 32 ? whole : `${whole.slice(0, 31)}…`;
      const half = 3.4 * text.length;
      if (!always && taken.some(([a, b, h]) => Math.abs(y - b) < 16 && Math.abs(x - a) < half + h)) return;
      taken.push([x, y, half]);
      const at = Math.min(Math.max(x, half + 2), Math.max(this.canvas.clientWidth - half - 2, half + 2));
      pen.strokeStyle = this.palette.ground;
      pen.lineWidth = 3;
      pen.strokeText(text, at, y);
      pen.fillStyle = this.palette.text;
      pen.fillText(text, at, y);
    };
    for (const node of new Set(first)) if (seen.nodes[node]) put(node, true);
    let looked = 0;
    for (const node of this.order) {
      if (taken.length >= MOST_NAMES || looked++ > 400) break;
      if (seen.nodes[node] && !first.includes(node)) put(node, false);
    }
  }

  /** The picture as it is seen now, as SVG. */
  svg(look: Look): string {
    const { graph, seen, radius, colour } = look;
    const escape = (text: string) => text.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
    const place = (node: number) => [this.screenX(look, node).toFixed(1), this.screenY(look, node).toFixed(1)];
    const [width, height] = [this.canvas.clientWidth, this.canvas.clientHeight];
    const parts = [`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}">`];
    parts.push(`<rect width="100%" height="100%" fill="${this.palette.ground}"/>`);
    let drawn = 0;
    for (const edge of graph.byWeight) {
      if (!seen.edges[edge] || drawn++ >= MOST_EDGES) continue;
      const [[x1, y1], [x2, y2]] = [place(graph.source[edge]!), place(graph.target[edge]!)];
      parts.push(`<line x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}" stroke="${this.palette.edge}" opacity=".5"/>`);
    }
    for (let i = 0; i < radius.length; i++) {
      if (!seen.nodes[i]) continue;
      const [x, y] = place(i);
      const fill = colour[i]! < 0 ? this.palette.none : this.palette.colours[colour[i]!]!;
      const title = `<title>${escape(graph.drawing.nodes.label[i]!)}</title>`;
      parts.push(`<circle cx="${x}" cy="${y}" r="${radius[i]!.toFixed(1)}" fill="${fill}">${title}</circle>`);
    }
    for (const node of this.order.slice(0, MOST_NAMES)) {
      if (!seen.nodes[node]) continue;
      const [x, y] = place(node);
      const below = (Number(y) + radius[node]! + 12).toFixed(1);
      const text = escape(graph.drawing.nodes.label[node]!);
      parts.push(
        `<text x="${x}" y="${below}" text-anchor="middle" font-size="12" fill="${this.palette.text}">${text}</text>`,
      );
    }
    return [...parts, "</svg>"].join("\n");
  }
}
