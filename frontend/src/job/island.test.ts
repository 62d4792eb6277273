import { expect, test } from "vitest";
import { isOver, percent, show, spoken, type Told } from "./island";

const told = (part: Partial<Told>): Told => ({ state: "running", progress: 0.423, doing: "counting", page: "/jobs/1", ...part });
const words = (key: string) => `<${key}>`;

test("a job is at 100 % when it is done, not before", () => {
  expect(percent(told({}))).toBe(42);
  expect(percent(told({ progress: 1 }))).toBe(99);
  expect(percent(told({ state: "done", progress: 1 }))).toBe(100);
  expect([told({}), told({ state: "waiting" }), told({ state: "failed" }), told({ state: "cancelled" })].map(isOver)).toEqual([false, false, true, true]);
});

test("the bar moves each time, and words are said again only when they say more", () => {
  document.body.innerHTML = '<div id="x"><p role="status">before</p><progress max="100" value="0"></progress></div>';
  const root = document.getElementById("x")!;
  const status = root.querySelector("[role=status]")!;
  show(root, told({}), words);
  expect(status.textContent).toBe("<running> · 42 % · counting");
  expect(status.querySelector("[lang=en]")!.textContent).toBe("counting");
  const first = status.firstChild;
  show(root, told({ progress: 0.48 }), words);
  expect(status.firstChild).toBe(first);
  expect(root.querySelector("progress")!.value).toBe(48);
  show(root, told({ progress: 0.51, doing: "<b>" }), words);
  expect(status.textContent).toBe("<running> · 51 % · <b>");
  expect(spoken(told({}))).not.toBe(spoken(told({ doing: "x" })));
});
