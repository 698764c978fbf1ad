// Bundles src/ into ../static: app.js, app.css (uPlot's inside) and index.html, which the server fills in and serves.
import { context } from "esbuild";
import { cp, readFile } from "node:fs/promises";

const watch = process.argv.includes("--watch");
const out = new URL("../static/", import.meta.url);
const page = {
  name: "index.html",
  setup: (build) => build.onEnd(() => cp(new URL("src/index.html", import.meta.url), new URL("index.html", out))),
};
// uPlot's licence goes with its code; its own comment is not of the kind that esbuild keeps
const licence = `/*! uPlot\n${await readFile(new URL("node_modules/uplot/LICENSE", import.meta.url), "utf8")}*/`;
const bundle = await context({
  absWorkingDir: import.meta.dirname,
  entryPoints: [
    { in: "src/main.ts", out: "app" },
    { in: "src/app.css", out: "app" },
  ],
  outdir: "../static",
  bundle: true,
  format: "iife",
  target: "es2022",
  minify: !watch,
  sourcemap: watch && "inline",
  legalComments: "eof",
  footer: { js: licence, css: licence },
  logLevel: "info",
  plugins: [page],
});
if (watch) await bundle.watch();
else {
  await bundle.rebuild();
  await bundle.dispose();
}
