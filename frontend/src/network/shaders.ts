/** The programs that WebGL runs: ties into a sheet of how much they cover, that sheet onto the ground, nodes above. */

export type Gl2 = WebGL2RenderingContext;

/** Where the network lies, in pixels of the drawing: `place` is scale, left and top, `size` width and height. */
const PLACED = `#version 300 es
uniform vec3 place;
uniform vec2 size;
vec4 at(vec2 where, vec2 off) {
  return vec4(((where * place.x + place.yz + off) / size * 2. - 1.) * vec2(1, -1), 0, 1);
}`;

const TIE = `${PLACED}
uniform float ratio;
layout(location = 0) in vec4 corner;
out float half_;
out float off;
void main() {
  half_ = length(corner.zw) * ratio;
  float reach = half_ + .5;
  off = gl_VertexID % 2 == 0 ? -reach : reach;
  gl_Position = at(corner.xy, half_ > 0. ? corner.zw * (ratio * reach / half_) : vec2(0));
}`;

/** How much of the pixel the ribbon covers. */
const TIE_COVER = `#version 300 es
precision highp float;
in float half_;
in float off;
out vec4 cover;
void main() { cover = vec4(max(min(off + .5, half_) - max(off - .5, -half_), 0.)); }`;

const SHEET = `#version 300 es
out vec2 where;
void main() {
  where = vec2(gl_VertexID % 2, gl_VertexID / 2);
  gl_Position = vec4(where * 2. - 1., 0, 1);
}`;

const SHEET_COLOUR = `#version 300 es
precision mediump float;
uniform sampler2D sheet;
uniform vec3 ground;
uniform vec3 edge;
uniform float opacity;
in vec2 where;
out vec4 colour;
void main() { colour = vec4(mix(ground, edge, texture(sheet, where).r * opacity), 1); }`;

const NODE = `${PLACED}
uniform float ratio;
uniform float rim;
layout(location = 0) in vec3 node;
layout(location = 1) in vec4 drawn;
out vec4 fill;
out float radius;
void main() {
  fill = drawn;
  radius = node.z * ratio;
  gl_PointSize = 2. * radius + rim + 1.;
  gl_Position = at(node.xy, vec2(0));
}`;

/** A circle, or a square where `fill.a` is 1; with a rim of the ground's colour, half of it within. */
const NODE_COLOUR = `#version 300 es
precision highp float;
uniform float rim;
uniform vec3 ground;
in vec4 fill;
in float radius;
out vec4 colour;
void main() {
  vec2 off = abs(gl_PointCoord - .5) * (2. * radius + rim + 1.);
  float far = fill.a > .5 ? max(off.x, off.y) : length(off);
  float within = rim > 0. ? clamp(radius - rim / 2. + .5 - far, 0., 1.) : 1.;
  colour = vec4(mix(ground, fill.rgb, within), 1) * clamp(radius + rim / 2. + .5 - far, 0., 1.);
}`;

export class Program<Name extends string> {
  private readonly program: WebGLProgram;
  private readonly places = new Map<Name, WebGLUniformLocation | null>();

  /** Throws what is wrong with the sources, or that the context is lost. */
  constructor(private readonly gl: Gl2, vertex: string, fragment: string, names: readonly Name[]) {
    this.program = gl.createProgram();
    for (const [kind, source] of [[gl.VERTEX_SHADER, vertex], [gl.FRAGMENT_SHADER, fragment]] as const) {
      const shader = gl.createShader(kind)!;
      gl.shaderSource(shader, source);
      gl.compileShader(shader);
      gl.attachShader(this.program, shader);
    }
    gl.linkProgram(this.program);
    if (!gl.getProgramParameter(this.program, gl.LINK_STATUS)) {
      const told = gl.getAttachedShaders(this.program)?.map((shader) => gl.getShaderInfoLog(shader));
      throw new Error(`${told?.join(" ")} ${gl.getProgramInfoLog(this.program)}`);
    }
    for (const name of names) this.places.set(name, gl.getUniformLocation(this.program, name));
  }

  use(values: Record<Name, number | readonly number[]>): void {
    this.gl.useProgram(this.program);
    for (const [name, place] of this.places) {
      const value = values[name];
      if (typeof value === "number") this.gl.uniform1f(place, value);
      else if (value.length === 2) this.gl.uniform2fv(place, value);
      else this.gl.uniform3fv(place, value);
    }
  }
}

export const programs = (gl: Gl2) => ({
  ties: new Program(gl, TIE, TIE_COVER, ["place", "size", "ratio"]),
  sheet: new Program(gl, SHEET, SHEET_COLOUR, ["ground", "edge", "opacity"]),
  nodes: new Program(gl, NODE, NODE_COLOUR, ["place", "size", "ratio", "rim", "ground"]),
});
