/** The stage: a canvas that draws by itself, or above WebGL, and is painted again when anything changes. */
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { Camera, type Look } from "./camera";
import { Painter } from "./canvas";
import { rendererOf, webgl, type Renderer } from "./probe";

export interface Stage {
  canvas: { current: HTMLCanvasElement | null };
  /** Where WebGL draws, below the canvas. */
  below: { current: HTMLDivElement | null };
  camera: { current: Camera | null };
  painter: { current: Painter | null };
  paint: (isMoving?: boolean) => void;
  renderer: Renderer;
  choose: (renderer: Renderer) => void;
  /** WebGL was asked for, and is not here. */
  isWithout: boolean;
}

/** `settled` is called when nothing has moved for a moment. */
export function useStage(latest: { current: Look }, asked: string | null, begin: (camera: Camera) => void, settled: () => void): Stage {
  const [canvas, below] = [useRef<HTMLCanvasElement>(null), useRef<HTMLDivElement>(null)];
  const camera = useRef<Camera | null>(null);
  const painter = useRef<Painter | null>(null);
  const there = useRef<ReturnType<typeof webgl> | null>(null);
  there.current ??= asked === "canvas" ? "none" : webgl();
  const [renderer, setRenderer] = useState<Renderer>(() => rendererOf(asked, there.current!));
  const [isWithout, setWithout] = useState(asked === "webgl" && renderer === "canvas");
  const [frame, settle] = [useRef(0), useRef(0)];
  const still = useRef(settled);
  still.current = settled;

  const paint = useCallback((isMoving = false) => {
    cancelAnimationFrame(frame.current);
    frame.current = requestAnimationFrame(() => painter.current?.draw(latest.current, isMoving));
    clearTimeout(settle.current);
    if (!isMoving) return;
    settle.current = window.setTimeout(() => {
      paint(false);
      still.current();
    }, 140);
  }, []);

  useEffect(() => {
    const element = canvas.current!;
    const own = (camera.current = new Camera(element));
    const brush = (painter.current = new Painter(element, own));
    brush.resize();
    begin(own);
    const sized = new ResizeObserver(() => {
      brush.resize();
      own.again(latest.current);
      paint();
    });
    sized.observe(element);
    const scheme = matchMedia("(prefers-color-scheme: dark)");
    const recolour = () => (brush.recolour(), paint());
    scheme.addEventListener("change", recolour);
    return () => (sized.disconnect(), scheme.removeEventListener("change", recolour));
  }, [paint]);

  useEffect(() => {
    if (renderer === "canvas") return paint();
    let isWanted = true;
    const without = () => {
      if (!isWanted) return;
      setWithout(true);
      setRenderer("canvas");
    };
    void import("./webgl").then(({ Gl }) => {
      if (!isWanted) return;
      const brush = painter.current!;
      brush.backdrop = new Gl(below.current!, latest.current, brush.palette, there.current === "software", without);
      paint();
    }).catch(without);
    return () => {
      isWanted = false;
      painter.current?.backdrop?.end();
      painter.current!.backdrop = null;
      below.current?.replaceChildren();
    };
  }, [renderer]);

  const choose = (wanted: Renderer) => {
    if (wanted === "webgl") there.current = webgl();
    const found = rendererOf(wanted, there.current!);
    setWithout(found !== wanted);
    setRenderer(found);
  };
  return { canvas, below, camera, painter, paint, renderer, choose, isWithout };
}
