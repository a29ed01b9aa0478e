import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { brotliCompressSync, gzipSync } from "node:zlib";
import react from "@vitejs/plugin-react";
import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";

/** Each asset packed beside it, once, so that the API need not do it for every browser. */
function packed(): Plugin {
  let directory = "";
  return {
    name: "packed",
    apply: "build",
    configResolved({ root, build }) {
      directory = resolve(root, build.outDir, build.assetsDir);
    },
    closeBundle() {
      for (const name of readdirSync(directory).filter((each) => /\.(js|css|svg)$/.test(each))) {
        const content = readFileSync(join(directory, name));
        writeFileSync(join(directory, `${name}.gz`), gzipSync(content, { level: 9 }));
        writeFileSync(join(directory, `${name}.br`), brotliCompressSync(content));
      }
    },
  };
}

/** The font of all pages is fetched beside the script that draws them: nothing moves when it comes. */
function fontPreloaded(): Plugin {
  return {
    name: "font-preloaded",
    apply: "build",
    transformIndexHtml: {
      order: "post",
      handler(_html, { bundle = {} }) {
        return Object.keys(bundle)
          .filter((name) => name.includes("inter-latin-wght-normal"))
          .map((name) => ({
            tag: "link",
            attrs: { rel: "preload", as: "font", type: "font/woff2", crossorigin: "", href: `/${name}` },
            injectTo: "head" as const,
          }));
      },
    },
  };
}

const api = process.env["TAILRACE_URL"] ?? "http://127.0.0.1:8700";

export default defineConfig({
  plugins: [react(), fontPreloaded(), packed()],
  // The API puts a new one into every answer.
  html: { cspNonce: "__CSP_NONCE__" },
  build: {
    // Nothing becomes a `data:` address, of which the page's policy allows pictures only.
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 700,
    // What several pages share comes as one file, not as thirty of a few hundred bytes each.
    rolldownOptions: { output: { codeSplitting: { groups: [{ name: "shared", minShareCount: 4 }] } } },
    target: ["chrome123", "edge123", "firefox128", "safari17.5"],
  },
  server: {
    proxy: Object.fromEntries(
      ["/v1", "/docs", "/login", "/openapi.json"].map((path) => [path, { target: api, ws: true }]),
    ),
  },
  test: { include: ["src/**/*.test.{ts,tsx}"], environment: "node" },
});
