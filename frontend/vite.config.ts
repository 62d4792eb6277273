/** Builds each island into the static files of the pages, with a manifest that says which files it is made of. */
import { defineConfig } from "vite";

export default defineConfig({
  base: "./",
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
