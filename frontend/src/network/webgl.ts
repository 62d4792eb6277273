/** Draws nodes and ties by WebGL, below the canvas, which has names, rings and paths and takes the pointer. */
import { NodeSquareProgram } from "@sigma/node-square";
import Ties from "graphology";
import Sigma from "sigma";
import { EdgeLineProgram, EdgeRectangleProgram, NodeCircleProgram } from "sigma/rendering";
import type { Camera, Look } from "./camera";
import { byWidth, type Backdrop, type Palette } from "./canvas";
import type { Graph, Seen } from "./graph";

/** Fewer edges than this are drawn even while the picture moves, where software draws. */
const QUICK_EDGES = 1_500;
const MANY_EDGES = 5_000;

export class Gl implements Backdrop {
  private readonly sigma: Sigma;
  private readonly ties = new Ties({ type: "undirected", multi: true });
  private readonly span: number;
  private readonly middle: [number, number];
  private look: Look;
  private x: Float32Array;
  private y: Float32Array;

  /** Throws where there is no WebGL after all. `lost` is called when the browser takes it away. */
  constructor(
    into: HTMLElement,
    look: Look,
    private palette: Palette,
    private readonly isSoftware: boolean,
    lost: () => void,
  ) {
    this.look = look;
    const { graph } = look;
    const [left, right] = ends(graph.x);
    const [top, bottom] = ends(graph.y);
    this.span = Math.max(right - left, bottom - top) || 1;
    this.middle = [(left + right) / 2, -(top + bottom) / 2];
    [this.x, this.y] = [graph.x.slice(), graph.y.slice()];
    this.fill(graph);
    this.sigma = new Sigma(this.ties, into, {
      allowInvalidContainer: true,
      renderLabels: false,
      stagePadding: 0,
      minEdgeThickness: 0.8,
      zoomToSizeRatioFunction: () => 1,
      hideEdgesOnMove: true,
      defaultEdgeType: "line",
      nodeProgramClasses: { circle: NodeCircleProgram, square: NodeSquareProgram },
      // Lines of one pixel are what software draws in time.
      edgeProgramClasses: { line: isSoftware ? EdgeLineProgram : EdgeRectangleProgram },
      nodeReducer: (key, data) => {
        const node = Number(key);
        const colour = this.look.colour[node]!;
        return {
          ...data,
          hidden: !this.look.seen.nodes[node],
          size: this.look.radius[node]!,
          color: colour < 0 ? this.palette.none : this.palette.colours[colour]!,
        };
      },
      edgeReducer: (key, data) => ({ ...data, hidden: !this.look.seen.edges[Number(key)], color: this.palette.edge }),
    });
    this.sigma.setCustomBBox({
      x: [this.middle[0] - this.span / 2, this.middle[0] + this.span / 2],
      y: [this.middle[1] - this.span / 2, this.middle[1] + this.span / 2],
    });
    for (const canvas of Object.values(this.sigma.getCanvases())) {
      canvas.addEventListener("webglcontextlost", lost);
    }
    this.sigma.refresh();
  }

  private fill(graph: Graph): void {
    const modes = graph.drawing.nodes.mode;
    for (let node = 0; node < graph.x.length; node++) {
      this.ties.addNode(node, { x: graph.x[node]!, y: -graph.y[node]!, type: modes[node] ? "square" : "circle" });
    }
    for (const [size, edges] of byWidth(graph)) {
      for (const edge of edges) {
        this.ties.addUndirectedEdgeWithKey(edge, graph.source[edge]!, graph.target[edge]!, { size });
      }
    }
  }

  draw(look: Look, camera: Camera, isMoving: boolean): void {
    const before = this.look;
    this.look = look;
    this.moved(look.graph);
    const { width, height } = this.sigma.getDimensions();
    if (width !== camera.width || height !== camera.height) this.sigma.resize(true);
    const shorter = Math.min(camera.width, camera.height) || 1;
    this.sigma.getCamera().setState({
      x: ((camera.width / 2 - camera.left) / camera.scale - this.middle[0]) / this.span + 0.5,
      y: (-(camera.height / 2 - camera.top) / camera.scale - this.middle[1]) / this.span + 0.5,
      ratio: shorter / (this.span * camera.scale),
      angle: 0,
    });
    const edges = this.sigma.getCanvases()["edges"];
    const isQuiet = (look.hover ?? look.chosen) !== null;
    if (edges) edges.style.opacity = String((isQuiet ? 0.3 : 0.6) * (this.ties.size > MANY_EDGES ? 0.5 : 1));
    // Sigma leaves edges out while its own pointer moves, which here it never does.
    this.sigma.getMouseCaptor().isMoving = isMoving && this.isSoftware && this.ties.size > QUICK_EDGES;
    const isAlike = look.radius === before.radius && look.colour === before.colour;
    if (!isAlike) this.sigma.refresh();
    else this.sigma.refresh({ partialGraph: changes(before.seen, look.seen), skipIndexation: true });
  }

  /** Tells of nodes that were put elsewhere. */
  private moved(graph: Graph): void {
    for (let node = 0; node < this.x.length; node++) {
      if (this.x[node] === graph.x[node] && this.y[node] === graph.y[node]) continue;
      this.x[node] = graph.x[node]!;
      this.y[node] = graph.y[node]!;
      this.ties.mergeNodeAttributes(node, { x: this.x[node], y: -this.y[node]! });
    }
  }

  recolour(palette: Palette): void {
    this.palette = palette;
    this.sigma.refresh();
  }

  end(): void {
    this.sigma.kill();
  }
}

/** What came into sight or went out of it: all else stays as it is. */
function changes(before: Seen, now: Seen): { nodes?: string[]; edges?: string[] } {
  return before === now ? {} : { nodes: changed(before.nodes, now.nodes), edges: changed(before.edges, now.edges) };
}

function changed(before: Uint8Array, now: Uint8Array): string[] {
  const found: string[] = [];
  for (let i = 0; i < now.length; i++) if (now[i] !== before[i]) found.push(String(i));
  return found;
}

function ends(values: Float32Array): [number, number] {
  let [least, most] = [Infinity, -Infinity];
  for (const value of values) {
    least = Math.min(least, value);
    most = Math.max(most, value);
  }
  return [least, most];
}
