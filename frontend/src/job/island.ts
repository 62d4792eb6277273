/** How far a job is, told by the service as it goes on; where that fails the page looks again by itself. */
import { wordsOf, type Words } from "../words";

/** What an event says: the job as `/api/jobs/<id>` tells of it. */
export interface Told {
  state: "waiting" | "running" | "done" | "failed" | "cancelled";
  progress: number;
  doing: string;
  page: string;
}

/** Seconds after which a page whose events have failed looks again. */
const AGAIN = 5;

export const isOver = (told: Told) => !["waiting", "running"].includes(told.state);

/** Whole percents: never 100 before it is done. */
export const percent = (told: Told) => (told.state === "done" ? 100 : Math.min(Math.floor(100 * told.progress), 99));

/** What is said aloud changes by tens of percents alone. */
export const spoken = (told: Told) => `${told.state} ${told.doing} ${Math.floor(percent(told) / 10)}`;

export function show(root: HTMLElement, told: Told, t: Words): void {
  const bar = root.querySelector("progress");
  if (bar) bar.value = percent(told);
  const status = root.querySelector<HTMLElement>("[role=status]");
  if (!status || status.dataset.said === spoken(told)) return;
  status.dataset.said = spoken(told);
  const state = document.createElement("strong");
  state.textContent = t(told.state);
  const doing = document.createElement("span");
  doing.lang = "en";
  doing.textContent = told.doing;
  const parts = told.state === "running" ? [` · ${percent(told)} %`, ...(told.doing ? [" · ", doing] : [])] : [];
  status.replaceChildren(state, ...parts);
}

function watch(root: HTMLElement): void {
  const t = wordsOf(root);
  const events = new EventSource(root.dataset.events!);
  events.onmessage = (event: MessageEvent<string>) => {
    const told = JSON.parse(event.data) as Told;
    show(root, told, t);
    if (!isOver(told)) return;
    events.close();
    // What failed would only begin anew on the page that waits for it.
    const page = root.dataset.page;
    if (told.state === "done" || page === undefined) location.reload();
    else if (page) location.assign(page);
  };
  events.onerror = () => {
    if (events.readyState === EventSource.CLOSED) setTimeout(() => location.reload(), 1000 * AGAIN);
  };
  addEventListener("pagehide", () => events.close());
  root.dataset.ready = "";
}

const root = document.getElementById("job");
if (root) watch(root);
