/** What can draw the picture in this browser. */
export type Renderer = "canvas" | "webgl";

const SOFTWARE = /swiftshader|llvmpipe|softpipe|software|basic render/i;

/** The kind of WebGL there is: none, drawn by software, which is slower than a canvas, or by hardware. */
export function webgl(): "none" | "software" | "hardware" {
  const canvas = document.createElement("canvas");
  const gl = canvas.getContext("webgl2");
  if (!gl) return "none";
  const about = gl.getExtension("WEBGL_debug_renderer_info");
  const name = String(gl.getParameter(about ? about.UNMASKED_RENDERER_WEBGL : gl.RENDERER));
  gl.getExtension("WEBGL_lose_context")?.loseContext(); // a page has few of them
  return SOFTWARE.test(name) ? "software" : "hardware";
}

/** Who draws: whom the reader chose, else WebGL where hardware draws it. Without WebGL always the canvas. */
export function rendererOf(chosen: string | null, there: ReturnType<typeof webgl>): Renderer {
  if (there === "none" || chosen === "canvas") return "canvas";
  return chosen === "webgl" || there === "hardware" ? "webgl" : "canvas";
}
