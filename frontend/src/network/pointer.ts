/** The pointer on the stage: pan, put a node elsewhere, zoom by wheel and by two fingers, choose by a click. */
import { useEffect, useRef } from "preact/hooks";
import type { Camera, Look } from "./camera";

interface Acts {
  go: (node: number | null) => void;
  hover: (node: number | null) => void;
  paint: (isMoving?: boolean) => void;
  /** A node was put elsewhere. */
  pin: (node: number) => void;
}

export function usePointer(
  stage: { current: HTMLCanvasElement | null },
  camera: { current: Camera | null },
  latest: { current: Look },
  acts: Acts,
) {
  const now = useRef(acts);
  now.current = acts;
  useEffect(() => {
    const element = stage.current!;
    const held = new Map<number, [number, number]>();
    let node: number | null = null;
    let hasMoved = false;
    const place = (event: PointerEvent | WheelEvent): [number, number] => {
      const box = element.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    };
    const apart = () => {
      const [a, b] = [...held.values()];
      return a && b ? Math.hypot(a[0] - b[0], a[1] - b[1]) : 0;
    };
    const down = (event: PointerEvent) => {
      element.setPointerCapture(event.pointerId);
      held.set(event.pointerId, place(event));
      node = camera.current!.at(latest.current, ...place(event));
      hasMoved = false;
    };
    const move = (event: PointerEvent) => {
      const [x, y] = place(event);
      const own = camera.current!;
      const before = held.get(event.pointerId);
      if (!before) {
        const at = own.at(latest.current, x, y);
        element.style.cursor = at === null ? "grab" : "pointer";
        if (at !== latest.current.hover) now.current.hover(at);
        return;
      }
      if (!hasMoved && Math.hypot(x - before[0], y - before[1]) < 3) return;
      hasMoved = true;
      const distance = apart();
      held.set(event.pointerId, [x, y]);
      if (held.size > 1) own.zoom(distance ? apart() / distance : 1, x, y);
      else if (node !== null) {
        latest.current.graph.x[node]! += (x - before[0]) / own.scale;
        latest.current.graph.y[node]! += (y - before[1]) / own.scale;
      } else own.pan(x - before[0], y - before[1]);
      now.current.paint(true);
    };
    const up = (event: PointerEvent) => {
      if (!held.delete(event.pointerId)) return;
      if (!hasMoved) now.current.go(node);
      else if (node !== null) now.current.pin(node);
      node = null;
    };
    const out = () => {
      if (!held.size && latest.current.hover !== null) now.current.hover(null);
    };
    const wheel = (event: WheelEvent) => {
      if (!event.ctrlKey && document.activeElement !== element) return; // the page scrolls
      event.preventDefault();
      camera.current!.zoom(Math.exp(-event.deltaY / 400), ...place(event));
      now.current.paint(true);
    };
    element.addEventListener("pointerdown", down);
    element.addEventListener("pointermove", move);
    element.addEventListener("pointerup", up);
    element.addEventListener("pointercancel", up);
    element.addEventListener("pointerleave", out);
    element.addEventListener("wheel", wheel, { passive: false });
  }, []);
}
