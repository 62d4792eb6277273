/** Builds each island into the static files of the pages, with a manifest that says which files it is made of. */
import { createRequire } from "node:module";
import { feature } from "topojson-client";
import { defineConfig, type Plugin } from "vite";

const read = createRequire(import.meta.url);

/** Rings of longitudes and latitudes in hundredths of a degree, by the two letters of a country; coarse ones where there
 * are such. The service draws small maps of them (`kg_service/web/outline.py`); browsers never load them. */
function outlines(): string {
  const codes = read("i18n-iso-countries/codes.json") as [string, string, string][];
  const letters = new Map(codes.map(([two, , number]) => [number, two]));
  const found: Record<string, number[][]> = {};
  for (const atlas of ["110m", "50m"]) {
    const topology = read(`world-atlas/countries-${atlas}.json`);
    const { features } = feature(topology, topology.objects.countries) as unknown as { features: any[] };
    const coarse = new Set(Object.keys(found));
    for (const { id, geometry } of features) {
      const code = letters.get(String(id).padStart(3, "0"));
      if (!code || coarse.has(code)) continue;
      const polygons: number[][][][] = geometry.type === "Polygon" ? [geometry.coordinates] : geometry.coordinates;
      const rings = polygons.flat().map((ring) => ring.flat().map((degrees) => Math.round(100 * degrees)));
      found[code] = [...(found[code] ?? []), ...rings];
    }
  }
  return JSON.stringify(found);
}

const emitted: Plugin = {
  name: "outlines",
  apply: "build",
  generateBundle() {
    this.emitFile({ type: "asset", fileName: "outlines.json", source: outlines() });
  },
};

export default defineConfig({
  base: "./",
  plugins: [emitted],
  publicDir: false,
  build: {
    outDir: process.env.KG_ISLANDS ?? "../kg_service/web/static/islands",
    emptyOutDir: true,
    manifest: "manifest.json",
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    target: "es2022",
    rollupOptions: {
      input: {
        network: "src/network/island.tsx",
        query: "src/query/island.tsx",
        map: "src/map/island.ts",
        job: "src/job/island.ts",
        timeline: "src/timeline/island.tsx",
      },
    },
  },
  test: { environment: "happy-dom", include: ["src/**/*.test.ts"] },
} as Parameters<typeof defineConfig>[0]);
