/** Puts the map above the table that the page has anyway. */
import { wordsOf } from "../words";
import type { Counted } from "./svg";
import "./map.css";

async function begin(root: HTMLElement): Promise<void> {
  try {
    const { worldMap } = await import("./svg");
    const told = JSON.parse(root.dataset.counts ?? "{}") as Record<string, Counted>;
    root.replaceChildren(worldMap(root.dataset.title ?? "", new Map(Object.entries(told))));
  } catch {
    root.textContent = wordsOf(root)("failed"); // and the table says it all
  }
  root.dataset.ready = "";
}

const root = document.getElementById("map");
if (root) void begin(root);
