import { describe, expect, it } from "vitest";
import { keptView, laid, moved, reach, ticks, until, viewWritten, years, zoomed, type Moment } from "./moments";

const moment = (label: string, start: number, end = start, lane = ""): Moment => ({ label, start, end, lane, text: "" });

describe("a date", () => {
  it("begins where it is written, and ends with its last day", () => {
    expect(years("2019-07-01")).toBeCloseTo(2019.5);
    expect([years("2019"), until("2019")]).toEqual([2019, 2020]);
    expect(until("2019-12")).toBeCloseTo(2020);
    expect(until("2019-07-01")! - years("2019-07-01")!).toBeLessThan(0.003);
  });
  it.each(["", "soon", "19", "7 May"])("is not %s", (text) => expect(until(text)).toBeNull());
});

it("reaches from the first year to the last", () => {
  expect(reach([moment("a", 2019.5), moment("b", 2010.2, 2021.1)])).toEqual([2010, 2022]);
  expect(reach([moment("a", 2019, 2020)])).toEqual([2019, 2020]);
  expect(reach([moment("a", 2019), moment("b", 2020)])).toEqual([2019, 2021]);
  expect(reach([])).toEqual([0, 1]);
});

describe("what is looked at", () => {
  const whole = [2000, 2020] as const;
  it("is never beyond what there is", () => {
    expect(moved([2000, 2010], -5, whole)).toEqual([2000, 2010]);
    expect(moved([2000, 2010], 5, whole)).toEqual([2010, 2020]);
    expect(zoomed([2005, 2010], 1e-9, whole)).toEqual([2000, 2020]);
  });
  it("comes nearer around a place, and never too near", () => {
    expect(zoomed(whole, 2, whole, 0)).toEqual([2000, 2010]);
    expect(zoomed(whole, 2, whole, 1)).toEqual([2010, 2020]);
    const [from, to] = zoomed(whole, 1e9, whole);
    expect(to - from).toBeCloseTo(0.02);
  });
  it("has a dozen years written above, or months", () => {
    for (const span of [0.1, 0.5, 1.5, 3, 17, 180, 900]) {
      const found = ticks([1990, 1990 + span], 12);
      expect(found.length, String(span)).toBeGreaterThan(0);
      expect(found.length, String(span)).toBeLessThanOrEqual(13);
    }
    expect(ticks([2019.9, 2020.5], 12)[0]![1]).toBe("2019-12");
  });
  it("stands behind the hash", () => {
    const hash = viewWritten([2001.25, 2003], new Set(["events", "über, uns"]));
    expect(keptView(hash, whole)).toEqual({ view: [2001.25, 2003], hidden: new Set(["events", "über, uns"]) });
    expect(viewWritten(null, new Set())).toBe("");
  });
  it.each(["", "#years=a+b", "#years=2003+2001", "#years=1900+1901", "#years=2001"])("is all for %s", (hash) => {
    expect(keptView(hash, whole).view).toBeNull();
  });
});

describe("lanes", () => {
  const moments = [moment("a".repeat(60), 2000, 2003, "x"), moment("b", 2001, 2002, "x"), moment("c", 2019.9, 2020, "y")];
  it("have those that overlap below each other, and words where there is room", () => {
    const { bands } = laid(moments, ["x", "y"], [2000, 2020], 1000, 10);
    expect(bands.map(({ lane, rows }) => [lane, rows])).toEqual([["x", 2], ["y", 1]]);
    expect(bands[0]!.marks[0]!.words).toHaveLength(40);
    expect(bands[1]!.marks[0]!.isTurned).toBe(true);
  });
  it("have what is seen alone, and say of how much", () => {
    expect(laid(moments, ["x"], [2010, 2020], 1000, 10)).toEqual({ bands: [], seen: 0, drawn: 0 });
    const { seen, drawn } = laid(moments, ["x", "y"], [2000, 2020], 1000, 2);
    expect([seen, drawn]).toEqual([3, 2]);
  });
});
