// Draws marks on charts, and chooses the numbers of their axes.
import type uPlot from "uplot";
import { h } from "../ui/elements";
import { colour } from "../ui/theme";

/** The style of a line. */
export interface Series {
  label: string;
  colour: string;
  width?: number;
  dash?: number[];
  points?: boolean;
  gaps?: boolean; // whether the line continues across missing values
}

/** Numbers for a logarithmic axis: 1, 2, 3 and 5 of every decade, or fewer if there are many; even steps in a narrow range. */
export function logarithmic(min: number, max: number): number[] {
  const decades: number[] = [];
  for (let k = Math.floor(Math.log10(min)); k <= Math.log10(max); k++) decades.push(k);
  for (const part of [[1, 2, 3, 5], [1, 3], [1]]) {
    const found = decades.flatMap((k) => part.map((m) => Number(`${m}e${k}`))).filter((v) => v >= min && v <= max);
    if (found.length >= 3 && found.length <= 8) return found;
  }
  const rough = (max - min) / 8; // gives at least three numbers, because a step is at most 2.5 times this
  const size = 10 ** Math.floor(Math.log10(rough));
  const step = size * [1, 2, 5, 10].find((m) => m * size >= rough)!;
  const steps: number[] = [];
  for (let k = Math.ceil(min / step); k * step <= max; k++) steps.push(k * step);
  return steps;
}

export function swatch(s: Series): HTMLElement {
  const style = {
    "border-top": `${Math.max(2, s.width ?? 1)}px ${s.points ? "dotted" : s.dash ? "dashed" : "solid"} var(--${s.colour})`,
  };
  return h("i", { class: "swatch", "aria-hidden": "true", style });
}

/** The times of evenly spaced points. */
export function times(count: number, t0: number, step: number): Float64Array {
  const t = new Float64Array(count);
  for (let k = 0; k < count; k++) t[k] = t0 + k * step;
  return t;
}

/** Draw short vertical marks at given times, between two heights in canvas px from the top of the plot. */
export function ticks(u: uPlot, at: readonly number[], top: number, bottom: number, name: string): void {
  const { ctx, bbox } = u;
  const [min, max] = [u.scales["x"]!.min!, u.scales["x"]!.max!];
  ctx.save();
  ctx.strokeStyle = colour(name);
  ctx.lineWidth = 1.25 * devicePixelRatio;
  ctx.setLineDash([]);
  ctx.beginPath();
  for (const t of at) {
    if (t < min || t > max) continue;
    const x = u.valToPos(t, "x", true);
    ctx.moveTo(x, bbox.top + top);
    ctx.lineTo(x, bbox.top + bottom);
  }
  ctx.stroke();
  ctx.restore();
}
