/** Draws a network on a 2D canvas: edges are left out while it moves. */
import type { Camera, Look } from "./camera";
import { tiesOf, type Graph } from "./graph";
import { Layer, placed } from "./layer";
import { svg } from "./svg";

const MOST_NAMES = 40;
/** Fewer edges than this are drawn even while the picture moves. */
export const QUICK_EDGES = 1_500;
/** Fewer nodes than this are drawn in full detail each time. */
export const QUICK_NODES = 2_000;

/** What draws nodes and ties in the canvas's stead, below it. */
export interface Backdrop {
  draw(look: Look, camera: Camera, isMoving: boolean): void;
  recolour(palette: Palette): void;
  end(): void;
}

export interface Palette {
  colours: string[];
  none: string;
  edge: string;
  text: string;
  ground: string;
  focus: string;
  font: string;
}

/** Pixels of the screen that are drawn for one of the page. */
export const ratioOf = () => Math.min(window.devicePixelRatio || 1, 2);

/** How strongly so many ties are drawn. */
export function opacity({ hover, chosen }: Look, edges: number): number {
  return ((hover ?? chosen) === null ? 0.6 : 0.3) * (edges > 5_000 ? 0.5 : 1);
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
    font: style.fontFamily,
  };
}

/** The edges by how wide they are drawn: the strongest first, and all alike where all are as strong. */
export function byWidth(graph: Graph): [number, Int32Array][] {
  const { byWeight } = graph;
  const weight = graph.drawing.edges.weight;
  const heaviest = weight[byWeight[0] ?? 0] ?? 1;
  const isPlain = heaviest === (weight[byWeight.at(-1) ?? 0] ?? 1);
  const until = (share: number) => {
    if (isPlain) return 0;
    let at = 0;
    while (at < byWeight.length && weight[byWeight[at]!]! >= share * heaviest) at++;
    return at;
  };
  const [wide, middle] = [until(0.66), until(0.33)];
  return [
    [2.6, byWeight.subarray(0, wide)],
    [1.6, byWeight.subarray(wide, middle)],
    [0.8, byWeight.subarray(middle)],
  ];
}

export class Painter {
  backdrop: Backdrop | null = null;
  palette: Palette;
  private order = new Int32Array();
  private orderOf: Float32Array | null = null;
  private readonly tieLayer = new Layer();
  private readonly nodeLayer = new Layer();

  constructor(
    private readonly canvas: HTMLCanvasElement,
    private readonly camera: Camera,
    style: Element = canvas,
  ) {
    this.palette = palette(style);
  }

  /** Reads the colours anew: the reader may have changed from light to dark. */
  recolour(): void {
    this.palette = palette(this.canvas);
    this.backdrop?.recolour(this.palette);
  }

  /** Gives the canvas as many pixels as the screen has for it. */
  resize(): void {
    const ratio = ratioOf();
    this.canvas.width = Math.max(1, Math.round(this.camera.width * ratio));
    this.canvas.height = Math.max(1, Math.round(this.camera.height * ratio));
  }

  draw(look: Look, isMoving: boolean): void {
    const pen = this.canvas.getContext("2d");
    if (!pen) return;
    const ratio = this.canvas.width / (this.camera.width || 1);
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    if (this.backdrop) {
      pen.clearRect(0, 0, this.camera.width, this.camera.height);
      this.backdrop.draw(look, this.camera, isMoving);
    } else {
      pen.fillStyle = this.palette.ground;
      pen.fillRect(0, 0, this.camera.width, this.camera.height);
      this.edges(pen, look, isMoving);
    }
    this.ties(pen, look);
    this.path(pen, look);
    if (!this.backdrop) this.nodes(pen, look, isMoving);
    this.rings(pen, look);
    this.names(pen, look);
  }

  private edges(pen: CanvasRenderingContext2D, look: Look, isMoving: boolean): void {
    const { graph, seen } = look;
    let whole = 0;
    for (const is of seen.edges) whole += is;
    if (isMoving && whole > QUICK_EDGES) return;
    pen.globalAlpha = opacity(look, whole);
    if (whole <= QUICK_EDGES) this.strokes(pen, look);
    else this.tieLayer.put(pen, this.camera.width, this.camera.height, [seen.edges, ...this.lie(graph), this.palette], (own) => this.strokes(own, look));
    pen.globalAlpha = 1;
  }

  /** How the network lies on the stage. */
  private lie(graph: Graph): unknown[] {
    const { scale, left, top } = this.camera;
    return [graph, placed(graph.x, graph.y), scale, left, top];
  }

  private strokes(pen: CanvasRenderingContext2D, { graph, seen }: Look): void {
    const { scale, left, top } = this.camera;
    pen.strokeStyle = this.palette.edge;
    // A stroke for each width: one for every edge would take a hundred times as long.
    for (const [width, edges] of byWidth(graph)) {
      pen.beginPath();
      for (const edge of edges) {
        if (!seen.edges[edge]) continue;
        const [one, other] = [graph.source[edge]!, graph.target[edge]!];
        pen.moveTo(left + scale * graph.x[one]!, top + scale * graph.y[one]!);
        pen.lineTo(left + scale * graph.x[other]!, top + scale * graph.y[other]!);
      }
      pen.lineWidth = width;
      pen.stroke();
    }
  }

  /** The ties of the node that is pointed at or chosen. */
  private ties(pen: CanvasRenderingContext2D, { graph, seen, hover, chosen }: Look): void {
    const focus = hover ?? chosen;
    if (focus === null) return;
    pen.beginPath();
    for (const [other, edge] of tiesOf(graph, focus)) {
      if (!seen.edges[edge]) continue;
      pen.moveTo(this.camera.x(graph, focus), this.camera.y(graph, focus));
      pen.lineTo(this.camera.x(graph, other), this.camera.y(graph, other));
    }
    pen.strokeStyle = this.palette.text;
    pen.lineWidth = 1.4;
    pen.stroke();
  }

  private path(pen: CanvasRenderingContext2D, look: Look): void {
    if (look.path.length < 2) return;
    pen.beginPath();
    look.path.forEach((node, step) => {
      const [x, y] = [this.camera.x(look.graph, node), this.camera.y(look.graph, node)];
      if (step) pen.lineTo(x, y);
      else pen.moveTo(x, y);
    });
    pen.strokeStyle = this.palette.focus;
    pen.lineWidth = 5;
    pen.stroke();
  }

  private nodes(pen: CanvasRenderingContext2D, look: Look, isMoving: boolean): void {
    const { graph, seen, radius, colour } = look;
    if (isMoving || radius.length <= QUICK_NODES) return this.dots(pen, look, isMoving);
    const of = [seen.nodes, ...this.lie(graph), radius, colour, this.palette];
    this.nodeLayer.put(pen, this.camera.width, this.camera.height, of, (own) => this.dots(own, look, false));
  }

  private dots(pen: CanvasRenderingContext2D, look: Look, isMoving: boolean): void {
    const { graph, seen, radius, colour } = look;
    const [width, height] = [this.camera.width, this.camera.height];
    const isMany = radius.length > QUICK_NODES;
    for (let c = -1; c < 8; c++) {
      pen.beginPath();
      let any = false;
      for (let i = 0; i < radius.length; i++) {
        if (colour[i] !== c || !seen.nodes[i]) continue;
        const [x, y, r] = [this.camera.x(graph, i), this.camera.y(graph, i), radius[i]!];
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
  }

  private rings(pen: CanvasRenderingContext2D, look: Look): void {
    for (const node of look.pinned.keys()) this.ring(pen, look, node, 2, 1.5);
    for (const node of [look.hover, look.chosen]) if (node !== null) this.ring(pen, look, node, 3, 3);
  }

  private ring(pen: CanvasRenderingContext2D, look: Look, node: number, gap: number, width: number): void {
    if (!look.seen.nodes[node]) return;
    pen.beginPath();
    pen.arc(this.camera.x(look.graph, node), this.camera.y(look.graph, node), look.radius[node]! + gap, 0, 6.2832);
    pen.strokeStyle = this.palette.focus;
    pen.lineWidth = width;
    pen.stroke();
  }

  private names(pen: CanvasRenderingContext2D, look: Look): void {
    const { graph, seen, radius } = look;
    const order = this.bySize(radius);
    pen.font = `13px ${this.palette.font}`;
    pen.textAlign = "center";
    pen.textBaseline = "top";
    pen.lineJoin = "round";
    const taken: [number, number, number][] = [];
    const first = [look.hover, look.chosen, ...look.path].filter((node): node is number => node !== null);
    const put = (node: number, always: boolean) => {
      const [x, y] = [this.camera.x(graph, node), this.camera.y(graph, node) + radius[node]! + 2];
      if (x < 0 || y < 0 || x > this.camera.width || y > this.camera.height) return;
      const whole = graph.drawing.nodes.label[node]!;
      const text = always || whole.length <= 32 ? whole : `${whole.slice(0, 31)}…`;
      const half = 3.4 * text.length;
      if (!always && taken.some(([a, b, h]) => Math.abs(y - b) < 16 && Math.abs(x - a) < half + h)) return;
      taken.push([x, y, half]);
      const at = Math.min(Math.max(x, half + 2), Math.max(this.camera.width - half - 2, half + 2));
      pen.strokeStyle = this.palette.ground;
      pen.lineWidth = 3;
      pen.strokeText(text, at, y);
      pen.fillStyle = this.palette.text;
      pen.fillText(text, at, y);
    };
    for (const node of new Set(first)) if (seen.nodes[node]) put(node, true);
    let looked = 0;
    for (const node of order) {
      if (taken.length >= MOST_NAMES || looked++ > 400) break;
      if (seen.nodes[node] && !first.includes(node)) put(node, false);
    }
  }

  private bySize(radius: Float32Array): Int32Array {
    if (this.orderOf !== radius) {
      this.order = Int32Array.from(radius.keys()).sort((a, b) => radius[b]! - radius[a]! || a - b);
      this.orderOf = radius;
    }
    return this.order;
  }

  /** The picture as it is seen now, as SVG. */
  svg(look: Look): string {
    return svg(look, this.camera, this.palette, this.bySize(look.radius));
  }

  /** The picture as it is seen now, as PNG, whatever draws it on the screen. */
  png(look: Look): Promise<Blob | null> {
    const paper = document.createElement("canvas");
    [paper.width, paper.height] = [2 * this.camera.width, 2 * this.camera.height];
    new Painter(paper, this.camera, this.canvas).draw(look, false);
    return new Promise((done) => paper.toBlob(done));
  }
}
