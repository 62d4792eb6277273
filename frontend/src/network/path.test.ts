import { describe, expect, it } from "vitest";
import { pageOf } from "./path";

const root = "https://kg.example/sse";

describe("the page of a thing", () => {
  it("is that of its path, or of its IRI where it is not ours", () => {
    expect(pageOf(root, "https://w3id.org/sse-kg/id/place/bamako", "")).toBe(`${root}/page/place/bamako`);
    expect(pageOf(root, "http://x.example/a#b", "")).toBe(`${root}/describe?iri=http%3A%2F%2Fx.example%2Fa%23b`);
  });

  it("is in the languages that were chosen for this page", () => {
    expect(pageOf(root, "https://w3id.org/sse-kg/id/place/bamako", "?from=2019&lang=es")).toBe(`${root}/page/place/bamako?lang=es`);
    expect(pageOf(root, "http://x.example/a", "?clang=pt&lang=fr")).toBe(
      `${root}/describe?iri=http%3A%2F%2Fx.example%2Fa&lang=fr&clang=pt`,
    );
  });
});
