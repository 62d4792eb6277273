/** The network as something to walk in: pan and zoom, names, groups, time, neighbourhoods, paths and stories. */
import { render } from "preact";
import { useCallback, useEffect, useMemo, useRef, useState } from "preact/hooks";
import { numbers, wordsOf, type Words } from "../words";
import type { Look } from "./camera";
import { Card, MOST_STEPS } from "./card";
import { useStage } from "./drawn";
import { found, graphOf, grouped, place, seen, span, strongest, type Drawing, type Graph } from "./graph";
import { answered, measureAddress, pageOf, shortest, type Path } from "./path";
import { usePointer } from "./pointer";
import { kept, parametersOf, stateOf, written, type Picture, type State } from "./state";
import { behind, told, type Story as Told } from "./story";
import { Story } from "./telling";
import { Time } from "./time";
import { begun, changed, redone, undone } from "./undo";
import "./island.css";

interface Props {
  root: HTMLElement;
  graph: Graph;
  values: Map<string, number> | null;
}

const COLOURS = 8;
/** Most ties that are drawn of a network, unless all are asked for. */
const MOST_EDGES = 15_000;
const sum = (which: Uint8Array) => which.reduce((a, b) => a + b, 0);

function Network({ root, graph, values }: Props) {
  const t = useMemo(() => wordsOf(root), [root]);
  const n = useMemo(() => numbers(root.dataset.language ?? "en"), [root]);
  const isEmbedded = root.dataset.embedded !== undefined;
  const nodes = graph.drawing.nodes;
  const years = useMemo(() => span(graph.drawing), [graph]);
  const grouping = useMemo(
    () => grouped(graph.drawing, root.dataset.color ?? "", (number) => String(number)),
    [graph, root],
  );
  const known = useMemo(() => ({ ids: nodes.id, groups: grouping.names }), [nodes, grouping]);
  const start = useMemo(() => kept(location, known), [known]);
  const [past, setPast] = useState(() => begun<Picture>(start));
  const picture = past.now;
  const { node: chosen, steps, hidden, window: window_, ends, pinned } = picture;
  const [hover, setHover] = useState<number | null>(null);
  const [path, setPath] = useState<Path | null | undefined>(undefined);
  const [problem, setProblem] = useState("");
  const [words, setWords] = useState("");
  const [story, setStory] = useState<Told>(() => told(location.hash));

  // Who is chosen decides what is seen only around it, or in a window.
  const centre = steps || window_.from !== null || window_.to !== null ? chosen : null;
  const visible = useMemo(
    () => seen(graph, grouping, { window: window_, hidden, node: centre, steps }),
    [graph, grouping, window_, hidden, centre, steps],
  );
  const radius = useMemo(() => {
    const raw = nodes.id.map((iri, i) => (values ? (values.get(iri) ?? 0) : nodes.degree[i]!));
    const greatest = raw.reduce((a, b) => Math.max(a, b), 0) || 1;
    const [least, most] = raw.length > 2000 ? [2, 10] : root.clientWidth < 600 ? [3, 9] : [4, 16];
    return Float32Array.from(raw, (value) => least + most * Math.sqrt(Math.max(value, 0) / greatest));
  }, [nodes, values]);
  const colour = useMemo(() => grouping.of.map((group) => Math.min(group, COLOURS - 1)), [grouping]);
  const pathNodes = useMemo(() => (path ? path.nodes.map((iri) => nodes.id.indexOf(iri)) : []), [path, nodes]);
  const most = new URLSearchParams(location.search).get("draw") === "all" ? Infinity : MOST_EDGES;
  const drawn = useMemo(() => strongest(graph, visible, most), [graph, visible, most]);
  const look: Look = { graph, seen: drawn, radius, colour, hover, chosen, pinned, path: pathNodes };
  const latest = useRef(look);
  latest.current = look;

  const state = (): State => ({ ...picture, view: camera.current?.own ?? null });
  const keep = useRef(() => undefined as void);
  const asked = new URLSearchParams(location.search).get("renderer");
  const { canvas, below, camera, painter, paint, renderer, choose, isWithout } = useStage(
    latest,
    asked,
    (own) => {
      place(graph, pinned);
      own.own = start.view;
      own.again(latest.current);
    },
    () => keep.current(),
  );
  keep.current = () => {
    const address = new URL(written(location, known, state(), behind(story)), location.href);
    if (isLarge || address.searchParams.has("node")) askedOf(address.searchParams);
    history.replaceState(null, "", address);
    const framed = new URL(location.href);
    framed.searchParams.set("embed", "1");
    document.querySelector(".embed")?.setAttribute("href", framed.href);
  };

  /** Of a large network, the service draws only what it is asked for: what is walked around, else the strongest ties. */
  const isLarge = graph.source.length > MOST_EDGES;
  const askedOf = (query: URLSearchParams) => {
    const behindHash = parametersOf({ ...picture, view: null }, known);
    for (const name of ["node", "steps"]) {
      if (steps) query.set(name, behindHash.get(name)!);
      else query.delete(name);
    }
    if (isLarge && !steps && !query.has("draw")) query.set("draw", "strongest");
  };

  /** A further picture, which can be undone. */
  const change = (part: Partial<Picture>, kind = "") => setPast((before) => changed(before, { ...before.now, ...part }, kind));
  const move = (by: () => void) => {
    by();
    paint();
    keep.current();
  };

  useEffect(() => paint(), [paint, hover, chosen, radius, pathNodes]);
  useEffect(() => paint(true), [visible]); // at first as it is drawn while it moves: an answer at once
  useEffect(() => {
    place(graph, pinned);
    paint();
  }, [pinned]);
  const walked = useRef(`${chosen} ${steps}`);
  useEffect(() => {
    const now = `${chosen} ${steps}`;
    if (steps && now !== walked.current) camera.current!.fit(latest.current);
    walked.current = now;
    paint(true);
  }, [steps, chosen]);
  useEffect(() => keep.current(), [picture, story]);
  useEffect(() => {
    const [from, to] = ends;
    setPath(undefined);
    setProblem("");
    if (from === null || to === null || from === to) return;
    let isWanted = true;
    shortest(root.dataset.source!, nodes.id[from]!, nodes.id[to]!).then(
      (answer) => isWanted && setPath(answer),
      (error: Error) => isWanted && setProblem(error.message),
    );
    return () => {
      isWanted = false;
    };
  }, [ends[0], ends[1]]);

  /** Shows a state that a scene or an address has. */
  const show = ({ view, ...shown }: State) => {
    walked.current = `${shown.node} ${shown.steps}`;
    change(shown);
    requestAnimationFrame(() => {
      camera.current!.own = view;
      camera.current!.again(latest.current);
      paint();
      keep.current();
    });
  };
  const tell = (next: Told, isShown = false) => {
    setStory(next);
    if (isShown && next.at !== null) show(stateOf(new URLSearchParams(next.scenes[next.at]!.state), known));
  };
  const followed = useRef(() => undefined as void);
  followed.current = () => {
    setStory(told(location.hash));
    show(kept(location, known));
  };
  useEffect(() => {
    const follow = () => followed.current();
    addEventListener("hashchange", follow);
    return () => removeEventListener("hashchange", follow);
  }, []);

  const go = (node: number | null) => {
    change({ node, ...(node === null && { steps: 0 }) });
    if (node !== null && !steps) camera.current?.centre(graph, node);
  };
  const undo = useCallback(() => setPast(undone), []);
  const redo = useCallback(() => setPast(redone), []);
  const fit = () => {
    if (steps) change({ steps: 0 });
    requestAnimationFrame(() => move(() => camera.current!.fit(latest.current)));
  };
  const turn = (by: number) => {
    const at = Math.min(Math.max((story.at ?? -1) + by, 0), story.scenes.length - 1);
    if (story.scenes.length && at !== story.at) tell({ ...story, at }, true);
  };
  const keys = (event: KeyboardEvent) => {
    const own = camera.current!;
    const by: Record<string, () => void> = {
      ArrowLeft: () => own.pan(60, 0),
      ArrowRight: () => own.pan(-60, 0),
      ArrowUp: () => own.pan(0, 60),
      ArrowDown: () => own.pan(0, -60),
      "+": () => (chosen === null ? own.zoom(1.4) : change({ steps: Math.min(steps + 1, MOST_STEPS) })),
      "-": () => (chosen === null ? own.zoom(1 / 1.4) : change({ steps: Math.max(steps - 1, 0) })),
      "0": fit,
      Escape: () => go(null),
      ...(story.scenes.length && { PageDown: () => turn(1), PageUp: () => turn(-1) }),
    };
    const act = by[event.key === "=" ? "+" : event.key];
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    act();
    paint(true);
  };
  /** Undo and redo, but not while words are typed, which have their own. */
  const commands = (event: KeyboardEvent) => {
    const isTyped = event.target instanceof HTMLTextAreaElement || (event.target instanceof HTMLInputElement && event.target.type === "search");
    const key = event.key.toLowerCase();
    if (isTyped || event.altKey || !(event.ctrlKey || event.metaKey) || (key !== "z" && key !== "y")) return;
    event.preventDefault();
    if (key === "y" || event.shiftKey) redo();
    else undo();
  };

  usePointer(canvas, camera, latest, {
    go,
    hover: setHover,
    paint,
    pin: (node) => change({ pinned: new Map(pinned).set(node, [graph.x[node]!, graph.y[node]!]) }),
  });

  const save = (name: string, content: Blob | null) => {
    if (!content) return;
    const link = document.createElement("a");
    link.href = URL.createObjectURL(content);
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  };
  const choosing = (wanted: "canvas" | "webgl") => {
    const query = new URLSearchParams(location.search);
    query.set("renderer", wanted);
    history.replaceState(null, "", `${location.pathname}?${query}${location.hash}`);
    choose(wanted);
  };
  const hits = useMemo(() => found(graph.drawing, words), [graph, words]);
  const edges = sum(visible.edges);
  const others = grouping.of.filter((group) => group < 0).length;
  const groupName = (group: number) => nameOf(grouping.names, root, t, group);
  return (
    <div class="island" onKeyDown={commands}>
      {!isEmbedded && (
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
          {/* Not disabled: a button that is takes the focus away. */}
          <button type="button" onClick={undo} aria-disabled={!past.before.length}>{t("undo")}</button>
          <button type="button" onClick={redo} aria-disabled={!past.after.length}>{t("redo")}</button>
          <button type="button" onClick={() => move(() => camera.current!.zoom(1.4))} aria-label={t("in")}>+</button>
          <button type="button" onClick={() => move(() => camera.current!.zoom(1 / 1.4))} aria-label={t("out")}>−</button>
          <button type="button" onClick={fit}>{t("fit")}</button>
          <button type="button" onClick={() => void painter.current!.png(look).then((blob) => save("network.png", blob))}>{t("png")}</button>
          <button type="button" onClick={() => save("network.svg", new Blob([painter.current!.svg(look)], { type: "image/svg+xml" }))}>{t("svg")}</button>
          <label>{t("renderer")} <select value={renderer} onChange={(event) => choosing(event.currentTarget.value as "canvas" | "webgl")}>
            <option value="canvas">{t("renderer.canvas")}</option>
            <option value="webgl">{t("renderer.webgl")}</option>
          </select></label>
        </div>
      )}
      <div class="stage">
        <div class="drawing" data-renderer={renderer}>
          <div class="below" ref={below} />
          <canvas ref={canvas} tabindex={0} role="application" aria-roledescription={root.dataset.name} aria-label={t("canvas")} onKeyDown={keys} />
        </div>
        {chosen !== null && (
          <Card graph={graph} node={chosen} picture={picture} edges={visible.edges} group={grouping.of[chosen]! >= 0 ? groupName(grouping.of[chosen]!) : null} root={root.dataset.root!} t={t} n={n} go={go} change={change} />
        )}
      </div>
      <p class="detail" role="status">
        {t("counts", { nodes: n(sum(visible.nodes)), edges: n(edges) })}. {edges > most && <strong>{t("cut", { n: n(most) })}</strong>}{" "}
        {isWithout && t("renderer.none")}
      </p>
      {years && years[0] < years[1] && !isEmbedded && (
        <Time years={years} window={window_} t={t} change={(window) => change({ window }, "window")} />
      )}
      {(ends[0] !== null || ends[1] !== null) && (
        <div class="path" role="status">
          <p>
            {ends[0] !== null ? nodes.label[ends[0]] : "…"} → {ends[1] !== null ? nodes.label[ends[1]] : "…"}{" "}
            <button type="button" onClick={() => change({ ends: [null, null] })}>{t("clear")}</button>
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
      {words.trim() && !hits.length && <p role="status">{t("search.none")}</p>}
      <ul class="legend" aria-label={t("legend")}>
        {grouping.names.slice(0, 12).map((_, group) => (
          <li key={group}>
            <button type="button" class="plain" aria-pressed={!hidden.has(group)} onClick={() => {
              const other = new Set(hidden);
              if (!other.delete(group)) other.add(group);
              change({ hidden: other });
            }}>
              <svg width="14" height="14" aria-hidden="true"><circle class={`dot c${Math.min(group, COLOURS - 1)}`} cx="7" cy="7" r="6" /></svg>{" "}
              {groupName(group)} ({n(grouping.sizes[group]!)})
            </button>
          </li>
        ))}
        {others > 0 && <li><svg width="14" height="14" aria-hidden="true"><circle class="dot" cx="7" cy="7" r="6" /></svg> {root.dataset.others} ({n(others)})</li>}
        {root.dataset.shapes && <li>{root.dataset.shapes}</li>}
      </ul>
      {(!isEmbedded || story.scenes.length > 0) && (
        <Story story={story} t={t} seen={() => parametersOf(state(), known).toString()} tell={tell} save={save} canWrite={!isEmbedded} />
      )}
    </div>
  );
}

/** The name of a group; communities have only numbers. */
function nameOf(names: readonly string[], root: HTMLElement, t: Words, group: number): string {
  return root.dataset.color === "community" ? t("community", { number: names[group]! }) : names[group]!;
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
