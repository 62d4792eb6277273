/** Draws nodes and ties by WebGL, below the canvas, which has names, rings and paths and takes the pointer.
 *
 * Ties are drawn onto a sheet, which is put down again for as long as they lie as they did. Software takes its time for
 * many of them: there the nodes are seen at once, and the sheet is made in slices, none of which holds the page up. */
import type { Camera, Look } from "./camera";
import { opacity, QUICK_EDGES, QUICK_NODES, ratioOf, type Backdrop, type Palette } from "./canvas";
import { CORNER, points, POINT, Ribbons, triangles, type Colour } from "./geometry";
import { programs, type Gl2 } from "./shaders";

/** Ties of the first slice, and of the smallest. */
const SLICE = 3_000;
const LEAST_SLICE = 300;
/** Milliseconds that a slice may take, and after which ties that are there are shown. */
const SLICE_TIME = 40;
const SHOWN_AFTER = 400;

export class Gl implements Backdrop {
  private readonly canvas = document.createElement("canvas");
  private readonly gl: Gl2;
  private readonly programs: ReturnType<typeof programs>;
  private readonly ribbons: Ribbons;
  private readonly buffers: { corners: WebGLBuffer; triangles: WebGLBuffer; nodes: WebGLBuffer };
  private readonly arrays: { ties: WebGLVertexArrayObject; nodes: WebGLVertexArrayObject };
  private readonly board: WebGLFramebuffer;
  private sheet: WebGLTexture | null = null;
  private colours: Colour[] = [];
  private ground: readonly number[] = [];
  private edge: readonly number[] = [];
  /** What the buffers have, and whether their nodes are in colours that no longer are. */
  private look: Look | null = null;
  private edges = 0;
  private nodes = 0;
  private isFaded = true;
  /** How the network lies on the sheet, and how many ties are on it. */
  private lie: readonly number[] = [];
  private on = 0;
  private slice = SLICE;
  private begun = 0;
  private fence: WebGLSync | null = null;
  private frame = 0;
  private shown = 0;

  /** Throws where there is no WebGL after all. `lost` is called when the browser takes it away. */
  constructor(
    private readonly into: HTMLElement,
    look: Look,
    palette: Palette,
    private readonly isSoftware: boolean,
    private readonly lost: () => void,
  ) {
    const gl = this.canvas.getContext("webgl2", { alpha: false, antialias: false, depth: false });
    if (!gl) throw new Error("There is no WebGL.");
    this.gl = gl;
    this.programs = programs(gl);
    this.ribbons = new Ribbons(look.graph);
    this.buffers = { corners: gl.createBuffer(), triangles: gl.createBuffer(), nodes: gl.createBuffer() };
    this.arrays = { ties: gl.createVertexArray(), nodes: gl.createVertexArray() };
    this.board = gl.createFramebuffer();
    this.describe();
    this.recolour(palette);
    this.canvas.style.cssText = "display: block; width: 100%; height: 100%";
    this.canvas.addEventListener("webglcontextlost", lost);
    into.append(this.canvas);
  }

  /** Tells what the buffers are made of. */
  private describe(): void {
    const { gl, buffers, arrays } = this;
    gl.bindVertexArray(arrays.ties);
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, buffers.triangles);
    gl.bindBuffer(gl.ARRAY_BUFFER, buffers.corners);
    gl.bufferData(gl.ARRAY_BUFFER, this.ribbons.corners, gl.DYNAMIC_DRAW);
    gl.enableVertexAttribArray(0);
    gl.vertexAttribPointer(0, CORNER, gl.FLOAT, false, 0, 0);
    gl.bindVertexArray(arrays.nodes);
    gl.bindBuffer(gl.ARRAY_BUFFER, buffers.nodes);
    gl.enableVertexAttribArray(0);
    gl.vertexAttribPointer(0, 3, gl.FLOAT, false, POINT, 0);
    gl.enableVertexAttribArray(1);
    gl.vertexAttribPointer(1, 4, gl.UNSIGNED_BYTE, true, POINT, 12);
    gl.bindVertexArray(null);
  }

  recolour({ none, colours, ground, edge }: Palette): void {
    const [own, ...all] = rgb([ground, edge, none, ...colours]);
    const share = (colour: Colour) => colour.map((part) => part / 255);
    [this.ground, this.edge] = [share(own!), share(all.shift()!)];
    [this.colours, this.isFaded] = [all, true];
  }

  draw(look: Look, camera: Camera, isMoving: boolean): void {
    cancelAnimationFrame(this.frame);
    this.resize(camera);
    const hasMoved = this.ribbons.follow();
    this.load(look, hasMoved);
    const ratio = this.canvas.width / (camera.width || 1);
    const lie = [camera.scale * ratio, camera.left * ratio, camera.top * ratio, ratio];
    if (hasMoved || lie.some((each, at) => each !== this.lie[at])) this.on = 0;
    this.lie = lie;
    this.begun = NaN; // for how long a slice takes is not known while other things are drawn
    if (!this.isSoftware || this.edges <= QUICK_EDGES) this.further(this.edges);
    const isDone = this.on >= this.edges;
    if (!isDone && !isMoving) this.frame = requestAnimationFrame(this.later);
    this.into.toggleAttribute("aria-busy", !isDone);
    this.show();
  }

  private resize(camera: Camera): void {
    const { gl, canvas } = this;
    const [width, height] = [camera.width, camera.height].map((length) => Math.max(1, Math.round(length * ratioOf())));
    if (this.sheet && canvas.width === width && canvas.height === height) return;
    [canvas.width, canvas.height] = [width!, height!];
    gl.deleteTexture(this.sheet);
    this.sheet = gl.createTexture();
    gl.bindTexture(gl.TEXTURE_2D, this.sheet);
    gl.texStorage2D(gl.TEXTURE_2D, 1, gl.R8, gl.drawingBufferWidth, gl.drawingBufferHeight);
    for (const filter of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) gl.texParameteri(gl.TEXTURE_2D, filter, gl.NEAREST);
    gl.bindFramebuffer(gl.FRAMEBUFFER, this.board);
    gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, this.sheet, 0);
    this.on = 0;
  }

  /** Loads what is not as it was into the buffers. */
  private load(look: Look, hasMoved: boolean): void {
    const { gl, buffers } = this;
    const before = this.look;
    if (hasMoved) {
      gl.bindBuffer(gl.ARRAY_BUFFER, buffers.corners);
      gl.bufferSubData(gl.ARRAY_BUFFER, 0, this.ribbons.corners);
    }
    if (look.seen.edges !== before?.seen.edges) {
      const found = triangles(look.graph, look.seen);
      gl.bindVertexArray(this.arrays.ties);
      gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, found, gl.DYNAMIC_DRAW);
      gl.bindVertexArray(null);
      [this.edges, this.on] = [found.length / 6, 0];
    }
    const isAlike = look.seen.nodes === before?.seen.nodes && look.radius === before.radius && look.colour === before.colour;
    if (hasMoved || this.isFaded || !isAlike) {
      const found = points(look, this.colours);
      gl.bindBuffer(gl.ARRAY_BUFFER, buffers.nodes);
      gl.bufferData(gl.ARRAY_BUFFER, found, gl.DYNAMIC_DRAW);
      [this.nodes, this.isFaded] = [found.length / POINT, false];
    }
    this.look = look;
  }

  /** Draws so many more ties onto the sheet. */
  private further(many: number): void {
    const { gl, on } = this;
    const until = Math.min(on + many, this.edges);
    if (on >= until) return;
    gl.bindFramebuffer(gl.FRAMEBUFFER, this.board);
    this.begin();
    if (!on) {
      this.slice = Math.min(this.slice, SLICE); // ties may be longer now
      gl.clearColor(0, 0, 0, 0);
      gl.clear(gl.COLOR_BUFFER_BIT);
    }
    const [scale, left, top, ratio] = this.lie;
    this.programs.ties.use({ place: [scale!, left!, top!], size: this.size(), ratio: ratio! });
    gl.bindVertexArray(this.arrays.ties);
    gl.drawElements(gl.TRIANGLES, 6 * (until - on), gl.UNSIGNED_INT, 4 * 6 * on);
    gl.bindVertexArray(null);
    this.on = until;
  }

  /** Draws the next slice once the one before is drawn, and shows in between, and at the end, what there is. */
  private readonly later = (now: number): void => {
    const { gl } = this;
    const isDrawn = !this.fence || gl.getSyncParameter(this.fence, gl.SYNC_STATUS) === gl.SIGNALED;
    if (isDrawn) {
      if (this.fence) this.measure(now - this.begun);
      const isDone = this.on >= this.edges;
      if (isDone || now - this.shown > SHOWN_AFTER) this.show();
      else this.next(now);
      if (isDone) return this.into.removeAttribute("aria-busy");
    }
    this.frame = requestAnimationFrame(this.later); // no sooner, for the page to be drawn in between
  };

  private next(now: number): void {
    const { gl } = this;
    this.begun = now;
    this.further(this.slice);
    this.fence = gl.fenceSync(gl.SYNC_GPU_COMMANDS_COMPLETE, 0);
    gl.flush();
  }

  /** Makes slices larger or smaller by how long one took. */
  private measure(took: number): void {
    this.gl.deleteSync(this.fence);
    this.fence = null;
    const by = took < SLICE_TIME / 2 ? 1.5 : took > SLICE_TIME ? 0.6 : 1;
    this.slice = Math.max(LEAST_SLICE, Math.round(this.slice * by));
  }

  /** Puts the sheet down as far as there is one, and the nodes above it. */
  private show(): void {
    const { gl, ground, edge, look } = this;
    gl.bindFramebuffer(gl.FRAMEBUFFER, null);
    this.begin();
    if (this.on) {
      gl.disable(gl.BLEND);
      this.programs.sheet.use({ ground, edge, opacity: opacity(look!, this.edges) });
      gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
      gl.enable(gl.BLEND);
    } else {
      gl.clearColor(ground[0]!, ground[1]!, ground[2]!, 1);
      gl.clear(gl.COLOR_BUFFER_BIT);
    }
    const [scale, left, top, ratio] = this.lie;
    const rim = look!.radius.length > QUICK_NODES ? 0 : ratio!;
    this.programs.nodes.use({ place: [scale!, left!, top!], size: this.size(), ratio: ratio!, rim, ground });
    gl.bindVertexArray(this.arrays.nodes);
    gl.drawArrays(gl.POINTS, 0, this.nodes);
    gl.bindVertexArray(null);
    this.shown = performance.now();
  }

  private begin(): void {
    const { gl } = this;
    gl.viewport(0, 0, gl.drawingBufferWidth, gl.drawingBufferHeight);
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
  }

  private size(): [number, number] {
    return [this.gl.drawingBufferWidth, this.gl.drawingBufferHeight];
  }

  end(): void {
    cancelAnimationFrame(this.frame);
    this.canvas.removeEventListener("webglcontextlost", this.lost);
    this.into.removeAttribute("aria-busy");
    this.gl.getExtension("WEBGL_lose_context")?.loseContext(); // a page has few of them
  }
}

/** Colours as CSS writes them, as a browser understands them. */
function rgb(colours: readonly string[]): Colour[] {
  const sheet = document.createElement("canvas");
  [sheet.width, sheet.height] = [colours.length, 1];
  const pen = sheet.getContext("2d")!;
  colours.forEach((colour, at) => {
    pen.fillStyle = colour;
    pen.fillRect(at, 0, 1, 1);
  });
  const { data } = pen.getImageData(0, 0, colours.length, 1);
  return colours.map((_, at) => [data[4 * at]!, data[4 * at + 1]!, data[4 * at + 2]!]);
}
