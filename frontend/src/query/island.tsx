/** The editor with its answer: run, cancel, look at it in several ways, hand on the link. */
import { render } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { pageOf } from "../network/path";
import { numbers, wordsOf } from "../words";
import { Wrong, ask, offered, type Answer } from "./ask";
import { editor, type Editor, type Offered } from "./editor";
import { views, type Table, type Term, type View } from "./views";
import "../map/map.css";
import "./query.css";

/** Rows that the table shows; downloads have all. */
const MOST_ROWS = 1000;
const TABLE_FORMATS = ["json", "xml", "csv", "tsv"];
const GRAPH_FORMATS = ["turtle", "json-ld", "n-triples", "rdf-xml", "trig", "n-quads"];

type State =
  | { is: "idle" }
  | { is: "running" }
  | { is: "cancelled" }
  | { is: "wrong"; problem: string }
  | { is: "done"; answer: Answer; seconds: number; query: string };

function Query({ root, text, mount }: { root: HTMLElement; text: string; mount: HTMLElement }) {
  const t = useMemo(() => wordsOf(root), [root]);
  const n = useMemo(() => numbers(root.dataset.language ?? "en"), [root]);
  const base = root.dataset.root ?? "";
  const [state, setState] = useState<State>({ is: "idle" });
  const [view, setView] = useState<View>((root.dataset.view as View) ?? "table");
  const [copied, setCopied] = useState(false);
  const own = useRef<Editor | null>(null);
  const running = useRef<AbortController | null>(null);

  const run = async () => {
    running.current?.abort();
    const stop = (running.current = new AbortController());
    const query = own.current!.text();
    const began = performance.now();
    own.current!.mark(null);
    setState({ is: "running" });
    setCopied(false);
    const keep = () => query.length < 6000 && history.replaceState(null, "", address(query, view));
    document.getElementById("answer")?.replaceChildren(); // what the service showed is of another query
    try {
      const answer = await ask(base, query, stop.signal);
      setState({ is: "done", answer, query, seconds: (performance.now() - began) / 1000 });
      keep();
    } catch (error) {
      if (stop.signal.aborted) {
        if (running.current === stop) setState({ is: "cancelled" });
        return;
      }
      keep(); // who is asked for help with it sees it too; one that was cancelled is asked by nobody else
      const problem = error instanceof Wrong ? error.message : t("failed");
      setState({ is: "wrong", problem });
      if (error instanceof Wrong && error.line) {
        own.current!.mark({ line: error.line, column: error.column ?? 1 });
      }
    }
  };
  const latest = useRef(run);
  latest.current = run;
  const address = (query: string, shown: View) => {
    const asked = new URLSearchParams({ query, ...(shown !== "table" && { view: shown }), lang: root.dataset.language ?? "en" });
    const content = new URLSearchParams(location.search).get("clang");
    if (content) asked.set("clang", content);
    return `${location.pathname}?${asked}`;
  };

  useEffect(() => {
    let terms: Promise<Offered[]> | null = null;
    own.current = editor(mount, text, {
      label: t("text"),
      run: () => void latest.current(),
      changed: () => undefined,
      offered: () => (terms ??= offered(base, root.dataset.language ?? "en").catch(() => ((terms = null), []))),
    });
    if (new URLSearchParams(location.search).has("query")) void latest.current();
    return () => own.current?.view.destroy();
  }, []);

  const shown = (chosen: View) => {
    setView(chosen);
    if (state.is === "done" && state.query.length < 6000) history.replaceState(null, "", address(state.query, chosen));
  };
  return (
    <div class="island">
      <p class="tools">
        <button type="button" class="run" onClick={() => void run()}>{t("run")}</button>{" "}
        {state.is === "running" && <button type="button" onClick={() => running.current?.abort()}>{t("cancel")}</button>}{" "}
        <button type="button" onClick={() => {
          const link = new URL(address(own.current!.text(), view), location.href).href;
          void navigator.clipboard?.writeText(link).then(() => setCopied(true));
          history.replaceState(null, "", link);
        }}>{t("share")}</button>{" "}
        <span class="detail">{t("keys")}</span>
      </p>
      <p role="status">
        {state.is === "running" && t("running")}
        {state.is === "cancelled" && t("cancelled")}
        {copied && ` ${t("copied")}`}
      </p>
      {state.is === "wrong" && <section aria-labelledby="wrong"><h2 id="wrong">{t("problem")}</h2><p role="alert" lang="en">{state.problem}</p></section>}
      {state.is === "done" && (
        <section aria-labelledby="answered">
          <h2 id="answered">{t("result")}</h2>
          <Shown answer={state.answer} seconds={state.seconds} view={view} choose={shown} base={base} t={t} n={n} language={root.dataset.language ?? "en"} />
          <Downloads query={state.query} base={base} formats={state.answer.kind === "graph" ? GRAPH_FORMATS : TABLE_FORMATS} label={t("downloads")} />
        </section>
      )}
    </div>
  );
}

interface ShownProps {
  answer: Answer;
  seconds: number;
  view: View;
  choose: (view: View) => void;
  base: string;
  t: ReturnType<typeof wordsOf>;
  n: (value: number) => string;
  language: string;
}

function Shown({ answer, seconds, view, choose, base, t, n, language }: ShownProps) {
  // Made once for an answer: a thousand rows are not gone through again for another view of it.
  const rows = useMemo(() => answer.kind === "table" && answer.table.rows.length > 0 && <Rows table={answer.table} base={base} />, [answer, base]);
  if (answer.kind === "boolean") return <p role="status"><strong>{t(answer.boolean ? "yes" : "no")}</strong></p>;
  if (answer.kind === "graph") return <pre tabIndex={0} role="group" aria-labelledby="answered"><code>{answer.text.slice(0, 50_000)}</code></pre>;
  const { table } = answer;
  const possible = views(table);
  const now = possible.includes(view) ? view : "table";
  const took = new Intl.NumberFormat(language, { maximumFractionDigits: 2 }).format(seconds);
  return (
    <>
      <p role="status">
        {table.rows.length ? t("rows", { n: n(table.rows.length), seconds: took }) : t("empty")}
        {table.rows.length > MOST_ROWS && <strong> {t("cut", { n: n(MOST_ROWS) })}</strong>}
      </p>
      {possible.length > 1 && (
        <p class="views" role="group" aria-label={t("views")}>
          {possible.map((each) => (
            <button key={each} type="button" aria-pressed={each === now} onClick={() => choose(each)}>{t(each)}</button>
          ))}
        </p>
      )}
      {now !== "table" && <Picture of={now} table={table} t={t} />}
      {rows}
    </>
  );
}

/** A picture of an answer; what draws it is loaded with the first one. */
function Picture({ of, table, t }: { of: Exclude<View, "table">; table: Table; t: ReturnType<typeof wordsOf> }) {
  const [drawing, setDrawing] = useState<typeof import("./pictures") | null>(null);
  useEffect(() => void import("./pictures").then(setDrawing), []);
  const Drawn = drawing?.PICTURES[of];
  return Drawn ? <Drawn table={table} t={t} /> : null;
}

function Rows({ table, base }: { table: Table; base: string }) {
  return (
    <div class="wide" tabIndex={0} role="group" aria-labelledby="answered">
      <table>
        <thead><tr>{table.names.map((name) => <th key={name} scope="col">{name}</th>)}</tr></thead>
        <tbody>
          {table.rows.slice(0, MOST_ROWS).map((row, at) => (
            <tr key={at}>{table.names.map((name) => <td key={name}><Cell term={row[name]} base={base} /></td>)}</tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Cell({ term, base }: { term: Term | undefined; base: string }) {
  if (!term) return null;
  if (term.type !== "uri") {
    const language = term["xml:lang"];
    return <span {...(language && { lang: language })}>{term.value}{language && <> <span class="tag">{language}</span></>}</span>;
  }
  const own = /^https:\/\/w3id\.org\/sse-kg\/id\/[^/]+\/[^?#]+$/.test(term.value);
  const text = own ? term.value.slice("https://w3id.org/sse-kg/".length) : term.value;
  return <a href={pageOf(base, term.value)}>{text}</a>;
}

/** A form, because a long query does not fit into an address. */
function Downloads({ query, base, formats, label }: { query: string; base: string; formats: string[]; label: string }) {
  return (
    <form class="downloads" method="post" action={`${base}/sparql`} aria-label={label}>
      <input type="hidden" name="query" value={query} />
      {label}: {formats.map((format) => <button key={format} name="format" value={format}>{format}</button>)}
    </form>
  );
}

const root = document.getElementById("query");
const form = document.getElementById("ask") as HTMLFormElement | null;
const area = document.getElementById("text") as HTMLTextAreaElement | null;
if (root && form && area) {
  const mount = document.createElement("div");
  const into = document.createElement("div");
  root.append(mount, into);
  form.hidden = true;
  render(<Query root={root} text={area.value} mount={mount} />, into);
  requestAnimationFrame(() => {
    root.dataset.ready = "";
  });
}
