// Charts made with uPlot: colours of the page, a time axis shared by a group, zoom by wheel, dragging and buttons.
import uPlot from "uplot";
import { on } from "../state/topics";
import type { Under } from "../state/traces";
import { h } from "../ui/elements";
import { short } from "../ui/format";
import { colour } from "../ui/theme";
import { Group } from "./group";
import { type Series, logarithmic, swatch } from "./marks";

interface PlotOptions {
  id: string;
  label: string; // describes the chart for screen readers
  unit: string;
  height: number;
  series: Series[];
  time?: string; // label of the x axis
  apart?: number; // px between the numbers of the x axis, at least
  splits?: () => number[];
  names?: (v: number) => string; // names of the numbers on the y axis
  log?: boolean;
  top?: number; // px that stay free above the lines
  span?: () => [number, number] | null; // fixed range of y
  before?: (u: uPlot) => void; // draws above the grid and below the lines
  after?: (u: uPlot) => void; // draws above the lines
}

const FONT = '12px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif';
const LEFT = 54; // width of every y axis, px, so that charts of a group align

export class Plot {
  readonly el: HTMLElement;
  readonly u: uPlot;
  private readonly values: HTMLElement[] = [];
  private readonly underValue = h("b");
  private readonly underKey: HTMLElement;
  private readonly deaf: () => void;
  private under: Under[] = [];
  private paths = new WeakMap<Under, { key: string; path: Path2D; lo: number; hi: number }>();

  constructor(
    readonly group: Group,
    private readonly options: PlotOptions,
  ) {
    const box = h("div", { class: "plot" });
    this.underKey = h("span", { class: "key", hidden: true });
    const keys = options.series.map((s) => {
      const value = h("b");
      this.values.push(value);
      return s.label && h("span", { class: "key" }, swatch(s), s.label, value);
    });
    this.el = h(
      "div",
      { id: options.id, class: "chart", role: "group", "aria-label": options.label },
      h("div", { class: "keys" }, this.underKey, keys, h("span", { class: "unit" }, options.unit)),
      box,
    );
    this.u = new uPlot(this.settings(), [[], ...options.series.map(() => [])] as uPlot.AlignedData, box);
    group.plots.push(this);
    new ResizeObserver(() => {
      const width = box.clientWidth;
      if (width > 0 && width !== this.u.width) this.u.setSize({ width, height: options.height });
    }).observe(box);
    this.deaf = on("theme", () => this.u.redraw(false));
    this.u.over.addEventListener(
      "wheel",
      (e) => {
        e.preventDefault();
        if (e.shiftKey || Math.abs(e.deltaX) > Math.abs(e.deltaY)) group.pan(Math.sign(e.deltaX || e.deltaY) * 0.1);
        else group.zoom(e.deltaY < 0 ? 0.8 : 1.25, this.u.posToVal(e.clientX - this.u.over.getBoundingClientRect().left, "x"));
      },
      { passive: false },
    );
  }

  private settings(): uPlot.Options {
    const { options, group } = this;
    const grid = { stroke: () => colour("grid"), width: 1 };
    const axis = { stroke: () => colour("soft"), font: FONT, grid, ticks: { ...grid, size: 4 } };
    return {
      width: 600,
      height: options.height,
      legend: { show: false },
      padding: [6, 24, options.time ? 0 : 4, 0],
      cursor: {
        drag: { x: true, y: false, setScale: false },
        sync: { key: group.key, filters: { pub: (type) => type === "mousemove" || type === "mouseleave" } },
        bind: {
          dblclick: () => () => {
            group.reset();
            return null;
          },
        },
        points: { size: 5 },
      },
      scales: { x: { time: false, range: () => [group.min, group.max] }, y: { distr: options.log ? 3 : 1, range: this.range } },
      axes: [
        { ...axis, size: 22, space: options.apart ?? 50, label: options.time, labelSize: 16, labelFont: FONT, labelGap: 0, gap: 3 },
        {
          ...axis,
          size: LEFT,
          gap: 4,
          space: options.height < 200 ? 18 : 26,
          splits: options.splits
            ? () => options.splits!()
            : options.log
              ? (_u, _axis, min, max) => logarithmic(min, max)
              : undefined,
          filter: (_u, splits) => splits, // all numbers that are drawn have names
          values: options.names
            ? (_u, splits) => splits.map((v) => options.names!(v))
            : (_u, splits) => splits.map((v) => (v === null ? "" : short(v, 4))),
        },
      ],
      series: [
        {},
        ...options.series.map((s): uPlot.Series => ({
          label: s.label,
          stroke: () => colour(s.colour),
          width: s.width ?? 1,
          dash: s.dash,
          spanGaps: s.gaps ?? false,
          points: s.points ? { show: true, size: 6 } : s.dash || s.gaps ? { show: false } : {},
        })),
      ],
      hooks: {
        setSelect: [
          (u) => {
            const { left, width } = u.select;
            u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
            if (width > 3) group.view(u.posToVal(left, "x"), u.posToVal(left + width, "x"));
          },
        ],
        setCursor: [() => this.hover()],
        drawAxes: [
          (u) => {
            u.ctx.save();
            u.ctx.beginPath();
            u.ctx.rect(u.bbox.left, u.bbox.top, u.bbox.width, u.bbox.height);
            u.ctx.clip();
            options.before?.(u);
            for (const line of this.under) this.stroke(u, line);
            u.ctx.restore();
          },
        ],
        draw: [(u) => options.after?.(u)],
      },
    };
  }

  /** The range of y: that of the visible parts of all lines, with space above. */
  private readonly range = (u: uPlot, dataMin: number | null, dataMax: number | null): uPlot.Range.MinMax => {
    const fixed = this.options.span?.();
    if (fixed) return fixed;
    let lo = dataMin ?? Infinity;
    let hi = dataMax ?? -Infinity;
    for (const line of this.under) {
      const seen = this.path(u, line, null);
      lo = Math.min(lo, seen.lo);
      hi = Math.max(hi, seen.hi);
    }
    if (!(lo <= hi)) return this.options.log ? [0.1, 1] : [0, 1];
    const free = (this.options.top ?? 0) / this.options.height;
    if (this.options.log) {
      const [low, high] = [Math.max(lo, 1e-6) / 1.15, Math.max(hi, 2e-6) * 1.15];
      return [low, high * (high / low) ** free];
    }
    const pad = (hi - lo || Math.abs(hi) || 1) * 0.05;
    return [lo - pad, hi + pad + (hi - lo + 2 * pad) * free];
  };

  set(data: uPlot.AlignedData, under: Under[] = this.under): void {
    if (under !== this.under) {
      this.under = under;
      const named = under.find((l) => l.label);
      this.underKey.hidden = !named;
      if (named)
        this.underKey.replaceChildren(swatch({ label: "", colour: named.colour, width: 1.5 }), named.label!, this.underValue);
    }
    this.u.batch(() => {
      this.u.setData(data, false);
      this.u.setScale("x", { min: this.group.min, max: this.group.max });
    });
  }

  destroy(): void {
    this.deaf();
    this.u.destroy();
    this.group.plots.splice(this.group.plots.indexOf(this), 1);
  }

  draw(): void {
    this.u.batch(() => this.u.setScale("x", { min: this.group.min, max: this.group.max }));
  }

  private hover(): void {
    const { left, idx } = this.u.cursor;
    const t = left === undefined || left === null || left < 0 ? null : this.u.posToVal(left, "x");
    this.group.hover(t);
    this.values.forEach((e, k) => {
      const y = t === null || idx === null || idx === undefined ? undefined : this.u.data[k + 1]?.[idx];
      e.textContent = y === undefined || y === null ? "" : short(y, 4);
    });
    const named = this.under.find((l) => l.label);
    const y = named && t !== null ? named.v[Math.round((t - named.t0) / named.step)] : undefined;
    this.underValue.textContent = y === undefined ? "" : short(y, 4);
  }

  private stroke(u: uPlot, line: Under): void {
    const { path } = this.path(u, line, u.scales["y"]!);
    u.ctx.globalAlpha = line.alpha ?? 1;
    u.ctx.strokeStyle = colour(line.colour);
    u.ctx.lineWidth = 1.25 * devicePixelRatio;
    u.ctx.lineJoin = "round";
    u.ctx.setLineDash([]); // the last line drawn may have been dashed
    u.ctx.stroke(path);
    u.ctx.globalAlpha = 1;
  }

  /** The visible part of a line: its extremes and, if the y scale is given, a path with at most two points per pixel column. */
  private path(u: uPlot, line: Under, y: uPlot.Scale | null): { path: Path2D; lo: number; hi: number } {
    const { left, top, width, height } = u.bbox;
    const { min, max } = this.group;
    const key = y ? [min, max, y.min, y.max, left, top, width, height].join() : "";
    const held = this.paths.get(line);
    if (held && (y ? held.key === key : held.key.startsWith(`${min},${max},`))) return held;
    const first = Math.max(0, Math.floor((min - line.t0) / line.step));
    const last = Math.min(line.v.length - 1, Math.ceil((max - line.t0) / line.step));
    const many = Math.max(1, Math.floor((last - first + 1) / Math.max(1, width)));
    const path = new Path2D();
    let [lo, hi] = [Infinity, -Infinity];
    const px = (k: number) => left + ((line.t0 + k * line.step - min) / (max - min)) * width;
    const py = y ? (v: number) => top + ((y.max! - v) / (y.max! - y.min!)) * height : () => 0;
    for (let k = first; k <= last; k += many) {
      let [a, b] = [line.v[k]!, line.v[k]!];
      for (let j = k + 1, end = Math.min(k + many, last + 1); j < end; j++) {
        const v = line.v[j]!;
        if (v < a) a = v;
        else if (v > b) b = v;
      }
      if (a < lo) lo = a;
      if (b > hi) hi = b;
      if (!y) continue;
      path.lineTo(px(k), py(a));
      if (b > a) path.lineTo(px(k), py(b));
    }
    const found = { key, path, lo, hi };
    if (y) this.paths.set(line, found);
    return found;
  }
}
