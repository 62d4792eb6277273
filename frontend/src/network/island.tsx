/** The network as something to walk in: pan and zoom, names, groups, time, neighbourhoods and paths. */
import { render } from "preact";
import { useCallback, useEffect, useMemo, useRef, useState } from "preact/hooks";
import { numbers, wordsOf } from "../words";
import { MOST_EDGES, Painter, type Look } from "./canvas";
import { found, graphOf, grouped, seen, span, tiesOf, type Drawing, type Graph, type Window } from "./graph";
import { answered, measureAddress, pageOf, shortest, type Path } from "./path";
import { kept, written } from "./state";
import "./island.css";

interface Props {
  root: HTMLElement;
  graph: Graph;
  values: Map<string, number> | null;
}

const COLOURS = 8;

function Network({ root, graph, values }: Props) {
  const t = useMemo(() => wordsOf(root), [root]);
  const n = useMemo(() => numbers(root.dataset.language ?? "en"), [root]);
  const nodes = graph.drawing.nodes;
  const years = useMemo(() => span(graph.drawing), [graph]);
  const grouping = useMemo(
    () => grouped(graph.drawing, root.dataset.color ?? "", (number) => String(number)),
    [graph, root],
  );
  const start = useMemo(() => kept(location, nodes.id), [nodes]);
  const [chosen, choose] = useState<number | null>(start.node);
  const [steps, setSteps] = useState(start.steps);
  const [hidden, setHidden] = useState<ReadonlySet<number>>(start.hidden);
  const [window_, setWindow] = useState<Window>(start.window);
  const [hover, setHover] = useState<number | null>(null);
  const [ends, setEnds] = useState<[number | null, number | null]>(start.ends);
  const [path, setPath] = useState<Path | null | undefined>(undefined);
  const [problem, setProblem] = useState("");
  const [words, setWords] = useState("");
  const [moved, setMoved] = useState<ReadonlyMap<number, [number, number]>>(new Map());
  const canvas = useRef<HTMLCanvasElement>(null);
  const painter = useRef<Painter | null>(null);

  const visible = useMemo(
    () => seen(graph, grouping, { window: window_, hidden, node: chosen, steps }),
    [graph, grouping, window_, hidden, chosen, steps],
  );
  const radius = useMemo(() => {
    const raw = nodes.id.map((iri, i) => (values ? (values.get(iri) ?? 0) : nodes.degree[i]!));
    const greatest = raw.reduce((a, b) => Math.max(a, b), 0) || 1;
    const [least, most] = raw.length > 2000 ? [2, 10] : root.clientWidth < 600 ? [3, 9] : [4, 16];
    return Float32Array.from(raw, (value) => least + most * Math.sqrt(Math.max(value, 0) / greatest));
  }, [nodes, values]);
  const colour = useMemo(() => grouping.of.map((group) => Math.min(group, COLOURS - 1)), [grouping]);
  const pathNodes = useMemo(() => (path ? path.nodes.map((iri) => nodes.id.indexOf(iri)) : []), [path, nodes]);
  const look: Look = { graph, seen: visible, radius, colour, hover, chosen, pinned: moved, path: pathNodes };
  const latest = useRef(look);
  latest.current = look;

  const frame = useRef(0);
  const settle = useRef(0);
  const paint = useCallback((isMoving = false) => {
    cancelAnimationFrame(frame.current);
    frame.current = requestAnimationFrame(() => painter.current?.draw(latest.current, isMoving));
    clearTimeout(settle.current);
    if (isMoving) settle.current = window.setTimeout(() => paint(false), 140);
  }, []);

  useEffect(() => {
    const element = canvas.current!;
    const own = (painter.current = new Painter(element));
    own.resize();
    own.fit(latest.current);
    const sized = new ResizeObserver(() => {
      own.resize();
      paint();
    });
    sized.observe(element);
    const scheme = matchMedia("(prefers-color-scheme: dark)");
    const recolour = () => (own.recolour(), paint());
    scheme.addEventListener("change", recolour);
    return () => (sized.disconnect(), scheme.removeEventListener("change", recolour));
  }, [paint]);
  useEffect(() => paint(), [paint, visible, hover, chosen, radius, moved, pathNodes]);
  useEffect(() => {
    if (steps && painter.current) painter.current.fit(latest.current);
    paint();
  }, [steps, chosen]);
  useEffect(() => {
    const address = written(location, nodes.id, { node: chosen, steps, hidden, window: window_, ends });
    history.replaceState(null, "", address);
  }, [chosen, steps, hidden, window_, ends]);
  useEffect(() => {
    const [from, to] = ends;
    setPath(undefined);
    setProblem("");
    if (from === null || to === null || from === to) return;
    let isWanted = true;
    shortest(root.dataset.source!, nodes.id[from]!, nodes.id[to]!).then(
      (told) => isWanted && setPath(told),
      (error: Error) => isWanted && setProblem(error.message),
    );
    return () => {
      isWanted = false;
    };
  }, [ends]);

  const go = (node: number | null) => {
    choose(node);
    if (node === null) setSteps(0);
    else if (!steps) painter.current?.centre(latest.current, node);
    paint();
  };
  const keys = (event: KeyboardEvent) => {
    const own = painter.current!;
    const by: Record<string, () => void> = {
      ArrowLeft: () => (own.view.left += 60),
      ArrowRight: () => (own.view.left -= 60),
      ArrowUp: () => (own.view.top += 60),
      ArrowDown: () => (own.view.top -= 60),
      "+": () => (chosen === null ? own.zoom(1.4) : setSteps(Math.min(steps + 1, 6))),
      "-": () => (chosen === null ? own.zoom(1 / 1.4) : setSteps(Math.max(steps - 1, 0))),
      "0": () => (setSteps(0), own.fit(latest.current)),
      Escape: () => go(null),
    };
    const act = by[event.key === "=" ? "+" : event.key];
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    act();
    paint(true);
  };

  usePointer(canvas, painter, latest, { go, hover: setHover, paint, moved: (node, from) => setMoved((old) => (old.has(node) ? new Map(old) : new Map(old).set(node, from))) });

  const release = (node: number) => {
    const [x, y] = moved.get(node)!;
    graph.x[node] = x;
    graph.y[node] = y;
    const rest = new Map(moved);
    rest.delete(node);
    setMoved(rest);
  };
  const save = (name: string, content: Blob | null) => {
    if (!content) return;
    const link = document.createElement("a");
    link.href = URL.createObjectURL(content);
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  };
  const hits = found(graph.drawing, words);
  const counts = { nodes: n(visible.nodes.reduce((a, b) => a + b, 0)), edges: n(visible.edges.reduce((a, b) => a + b, 0)) };
  const isCut = visible.edges.reduce((a, b) => a + b, 0) > MOST_EDGES;

  return (
    <div class="island">
      <div class="tools">
        <label class="find">
          {t("search")} <input type="search" list="network-names" value={words} autocomplete="off" onInput={(event) => {
            const text = event.currentTarget.value;
            setWords(text);
            const exact = nodes.label.indexOf(text);
            if (exact >= 0) go(exact);
          }} onKeyDown={(event) => event.key === "Enter" && hits[0] !== undefined && go(hits[0])} />
        </label>
        <datalist id="network-names">{hits.map((node) => <option key={node} value={nodes.label[node]} />)}</datalist>
        <button type="button" onClick={() => (painter.current!.zoom(1.4), paint())} aria-label={t("in")}>+</button>
        <button type="button" onClick={() => (painter.current!.zoom(1 / 1.4), paint())} aria-label={t("out")}>−</button>
        <button type="button" onClick={() => (setSteps(0), painter.current!.fit(latest.current), paint())}>{t("fit")}</button>
        <button type="button" onClick={() => canvas.current!.toBlob((blob) => save("network.png", blob))}>{t("png")}</button>
        <button type="button" onClick={() => save("network.svg", new Blob([painter.current!.svg(look)], { type: "image/svg+xml" }))}>{t("svg")}</button>
      </div>
      <div class="stage">
        <canvas ref={canvas} tabindex={0} role="application" aria-roledescription={root.dataset.name} aria-label={t("canvas")} onKeyDown={keys} />
        {chosen !== null && (
          <div class="card" role="group" aria-label={nodes.label[chosen]}>
            <p><a href={pageOf(root.dataset.root!, nodes.id[chosen]!)}>{nodes.label[chosen]}</a></p>
            <p class="detail">{t("ties", { n: n(nodes.degree[chosen]!) })}{grouping.of[chosen]! >= 0 && ` · ${name(grouping.names, root, t, grouping.of[chosen]!)}`}</p>
            <p>
              {t("steps")}: <button type="button" aria-label={t("narrower")} disabled={!steps} onClick={() => setSteps(steps - 1)}>−</button>{" "}
              <output>{steps || t("whole")}</output>{" "}
              <button type="button" aria-label={t("wider")} disabled={steps >= 6} onClick={() => setSteps(steps + 1)}>+</button>
            </p>
            <p>
              <button type="button" aria-pressed={ends[0] === chosen} onClick={() => setEnds([chosen, ends[1]])}>{t("from")}</button>{" "}
              <button type="button" aria-pressed={ends[1] === chosen} onClick={() => setEnds([ends[0], chosen])}>{t("to")}</button>{" "}
              {moved.has(chosen)
                ? <button type="button" onClick={() => release(chosen)}>{t("unpin")}</button>
                : <button type="button" onClick={() => setMoved(new Map(moved).set(chosen, [graph.x[chosen]!, graph.y[chosen]!]))}>{t("pin")}</button>}{" "}
              <button type="button" onClick={() => go(null)}>{t("close")}</button>
            </p>
            <ul>{neighbours(graph, chosen, visible.edges).slice(0, 12).map((other) => (
              <li key={other}><button type="button" class="plain" onClick={() => go(other)}>{nodes.label[other]}</button></li>
            ))}</ul>
          </div>
        )}
      </div>
      <p class="detail" role="status">{t("counts", counts)}. {isCut && <strong>{t("cut", { n: n(MOST_EDGES) })}</strong>}</p>
      {years && years[0] < years[1] && (
        <fieldset class="time">
          <legend>{t("year")}</legend>
          {(["from", "to"] as const).map((end, at) => (
            <label key={end}>
              {at === 1 && t("until")} <input type="range" aria-label={t(at ? "last-year" : "first-year")} min={years[0]} max={years[1]} value={window_[end] ?? years[at]} onInput={(event) => {
                const year = Number(event.currentTarget.value);
                const both = { ...window_, [end]: year };
                const low = Math.min(both.from ?? years[0], both.to ?? years[1]);
                const high = Math.max(both.from ?? years[0], both.to ?? years[1]);
                setWindow({ ...window_, from: low === years[0] && high === years[1] ? null : low, to: low === years[0] && high === years[1] ? null : high });
              }} />{" "}
              <output>{window_[end] ?? years[at]}</output>
            </label>
          ))}
          <label><input type="checkbox" checked={window_.undated} onChange={(event) => setWindow({ ...window_, undated: event.currentTarget.checked })} /> {t("undated")}</label>
          {(window_.from !== null || window_.to !== null) && <button type="button" onClick={() => location.reload()}>{t("table")}</button>}
        </fieldset>
      )}
      {(ends[0] !== null || ends[1] !== null) && (
        <div class="path" role="status">
          <p>
            {ends[0] !== null ? nodes.label[ends[0]] : "…"} → {ends[1] !== null ? nodes.label[ends[1]] : "…"}{" "}
            <button type="button" onClick={() => setEnds([null, null])}>{t("clear")}</button>
          </p>
          {problem && <p role="alert">{problem}</p>}
          {path === null && <p>{t("no-path")}</p>}
          {path && (
            <>
              <p>{t("path", { n: path.steps.length })}</p>
              <ol>{path.steps.map((step) => (
                <li key={step.from}>{step.from_label} – {step.to_label}: {step.evidence.slice(0, 5).map((thing, at) => (
                  <>{at > 0 && ", "}<a href={pageOf(root.dataset.root!, thing.iri)}>{thing.iri.split("/").pop()}</a></>
                ))}</li>
              ))}</ol>
            </>
          )}
        </div>
      )}
      <ul class="legend" aria-label={t("legend")}>
        {grouping.names.slice(0, 12).map((_, group) => (
          <li key={group}>
            <button type="button" class="plain" aria-pressed={!hidden.has(group)} onClick={() => {
              const other = new Set(hidden);
              if (!other.delete(group)) other.add(group);
              setHidden(other);
            }}>
              <svg width="14" height="14" aria-hidden="true"><circle class={`dot c${Math.min(group, COLOURS - 1)}`} cx="7" cy="7" r="6" /></svg>{" "}
              {name(grouping.names, root, t, group)} ({n(grouping.sizes[group]!)})
            </button>
          </li>
        ))}
      </ul>
    </div>
  );
}

/** The name of a group; communities have only numbers. */
function name(names: string[], root: HTMLElement, t: (key: string, values?: Record<string, string>) => string, group: number): string {
  return root.dataset.color === "community" ? t("community", { number: names[group]! }) : names[group]!;
}

function neighbours(graph: Graph, node: number, edges: Uint8Array): number[] {
  const weight = graph.drawing.edges.weight;
  return [...tiesOf(graph, node)]
    .filter(([, edge]) => edges[edge])
    .sort((a, b) => weight[b[1]]! - weight[a[1]]!)
    .map(([other]) => other);
}

interface Acts {
  go: (node: number | null) => void;
  hover: (node: number | null) => void;
  paint: (isMoving?: boolean) => void;
  moved: (node: number, from: [number, number]) => void;
}

/** Pan, drag a node, zoom by wheel (when the canvas has the focus) and by two fingers, choose by a click. */
function usePointer(
  canvas: { current: HTMLCanvasElement | null },
  painter: { current: Painter | null },
  latest: { current: Look },
  acts: Acts,
) {
  const now = useRef(acts);
  now.current = acts;
  useEffect(() => {
    const element = canvas.current!;
    const held = new Map<number, [number, number]>();
    let node: number | null = null;
    let from: [number, number] = [0, 0];
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
      node = painter.current!.at(latest.current, ...place(event));
      if (node !== null) from = [latest.current.graph.x[node]!, latest.current.graph.y[node]!];
      hasMoved = false;
    };
    const move = (event: PointerEvent) => {
      const [x, y] = place(event);
      const own = painter.current!;
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
        latest.current.graph.x[node]! += (x - before[0]) / own.view.scale;
        latest.current.graph.y[node]! += (y - before[1]) / own.view.scale;
      } else {
        own.view.left += x - before[0];
        own.view.top += y - before[1];
      }
      now.current.paint(true);
    };
    const up = (event: PointerEvent) => {
      if (!held.delete(event.pointerId)) return;
      if (!hasMoved) now.current.go(node);
      else if (node !== null) now.current.moved(node, from);
      node = null;
    };
    const wheel = (event: WheelEvent) => {
      if (!event.ctrlKey && document.activeElement !== element) return; // the page scrolls
      event.preventDefault();
      painter.current!.zoom(Math.exp(-event.deltaY / 400), ...place(event));
      now.current.paint(true);
    };
    element.addEventListener("pointerdown", down);
    element.addEventListener("pointermove", move);
    element.addEventListener("pointerup", up);
    element.addEventListener("pointercancel", up);
    element.addEventListener("wheel", wheel, { passive: false });
  }, []);
}

async function begin(root: HTMLElement) {
  const server = [...root.children];
  const legend = root.closest("section")?.querySelector(":scope > .legend");
  try {
    const size = root.dataset.size ?? "degree";
    const source = root.dataset.source!;
    const [drawing, measured] = await Promise.all([
      answered(source) as Promise<Drawing>,
      size === "degree"
        ? null
        : (answered(measureAddress(source, size, { limit: "100000" })) as Promise<{ data: { iri: string; value: number }[] }>),
    ]);
    const values = measured && new Map(measured.data.map((row) => [row.iri, row.value]));
    const into = document.createElement("div");
    root.replaceChildren(into);
    render(<Network root={root} graph={graphOf(drawing)} values={values} />, into);
    legend?.remove();
  } catch (error) {
    const told = document.createElement("p");
    told.setAttribute("role", "alert");
    told.textContent = `${wordsOf(root)("failed")} ${error instanceof Error ? error.message : ""}`;
    root.replaceChildren(...server, told);
  }
  root.dataset.ready = "";
}

const root = document.getElementById("network");
if (root) void begin(root);
