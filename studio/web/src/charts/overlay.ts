// A simulated neuron over a recording: the voltages, below them the residual, the current, and the spikes. Parts of the sweep
// that are held out of a fit are shaded.
import type uPlot from "uplot";
import type { Simulation, Trace } from "../state/api";
import { type Under, under } from "../state/traces";
import { h } from "../ui/elements";
import { Group } from "./group";
import { ticks, times } from "./marks";
import { colour } from "../ui/theme";
import { Plot } from "./plot";

const ROW = 20; // height of a row of spikes, px

export class Overlay {
  readonly el: HTMLElement;
  readonly group: Group;
  private readonly voltage: Plot;
  private readonly residual: Plot;
  private readonly current: Plot;
  private readonly raster: Plot;
  private recorded: { trace: Trace; spikes: number[] } | null = null;
  private shown: Simulation | null = null;
  private x: Float64Array = new Float64Array();
  private bound = 1; // range of the axis of the residual, mV
  private shaded: [number, number][] = []; // ms

  /** With `driving`, the current of the recording is shown too, not only that of a step. */
  constructor(
    id: string,
    label: string,
    height: number,
    private readonly driving = false,
  ) {
    this.group = new Group(label);
    this.voltage = new Plot(this.group, {
      id: `${id}-voltage`,
      label: `${label}: voltage of the model over the recorded one`,
      unit: "mV",
      height,
      series: [
        { label: "float64", colour: "ideal", width: 0.8, dash: [5, 4] }, // first, so that it is below the line of the hardware
        { label: "model, fixed point", colour: "accent", width: 1.5 },
      ],
      before: (u) => this.shade(u),
    });
    this.residual = new Plot(this.group, {
      id: `${id}-residual`,
      label: `${label}: residual, recorded less model`,
      unit: "mV, spikes cut off",
      height: 120,
      series: [{ label: "residual: recorded − model", colour: "current" }],
      span: () => [-this.bound, this.bound],
    });
    this.current = new Plot(this.group, {
      id: `${id}-current`,
      label: `${label}: injected current`,
      unit: "nA",
      height: 100,
      series: [{ label: driving ? "" : "current", colour: "current" }],
      before: (u) => this.shade(u),
    });
    this.raster = new Plot(this.group, {
      id: `${id}-raster`,
      label: `${label}: spikes, recorded above, model below`,
      unit: "spikes",
      height: 3 * ROW + 46,
      time: "time, ms",
      series: [{ label: "", colour: "soft" }],
      span: () => [0, 3],
      splits: () => [0.5, 1.5, 2.5],
      names: (v) => ["float64", "model", "data"][Math.floor(v)] ?? "",
      after: (u) => this.spikes(u),
    });
    this.el = h("div", { class: "stack tight" }, this.voltage.el, this.residual.el, this.current.el, this.raster.el);
    this.current.el.hidden = true;
  }

  /** Set the recording under the model; null for none. */
  record(recorded: { trace: Trace; spikes: number[] } | null): void {
    this.recorded = recorded;
    if (recorded) {
      const t = recorded.trace;
      this.group.extent([t.t0, t.t0 + t.step * Math.max(1, t.voltage.length - 1)]);
    }
    this.clear();
  }

  /** Remove the model; the recording stays. */
  clear(): void {
    this.shown = null;
    const none = [this.group.full, []] as unknown as uPlot.AlignedData;
    const lines = this.recorded ? [under(this.recorded.trace, "recorded", "recorded")] : [];
    this.voltage.set([this.group.full, [], []] as unknown as uPlot.AlignedData, lines);
    for (const plot of [this.residual, this.raster]) plot.set(none);
    const injected = this.injected();
    this.current.el.hidden = !injected.length;
    this.current.set(none, injected);
  }

  /** Shade parts of the sweep, ms. */
  hold(parts: [number, number][]): void {
    this.shaded = parts;
    for (const plot of [this.voltage, this.current]) plot.draw();
  }

  /** The current of the recording, if it is shown. */
  private injected(): Under[] {
    const t = this.driving ? this.recorded?.trace : null;
    return t?.current ? [{ label: "injected current", colour: "current", t0: t.t0, step: t.step, v: t.current }] : [];
  }

  private shade(u: uPlot): void {
    const { ctx, bbox } = u;
    ctx.fillStyle = colour("held");
    for (const [start, stop] of this.shaded) {
      const [a, b] = [u.valToPos(start, "x", true), u.valToPos(stop, "x", true)];
      ctx.fillRect(a, bbox.top, b - a, bbox.height);
    }
  }

  show(s: Simulation): void {
    const t0 = this.recorded?.trace.t0 ?? 0;
    if (this.x.length !== s.n || this.x[0] !== t0 || this.shown?.dt !== s.dt) {
      this.x = times(s.n, t0, s.dt);
      const to = t0 + s.dt * Math.max(1, s.n - 1);
      const full: [number, number] = [t0, Math.max(to, this.recorded && s.residual ? this.group.full[1] : to)];
      const was = this.group.full;
      this.group.extent(full, full[0] !== was[0] || full[1] !== was[1]);
    }
    this.shown = s;
    this.voltage.set([this.x, s.ideal ?? [], s.voltage] as unknown as uPlot.AlignedData);
    this.residual.el.hidden = !s.residual;
    if (!this.driving) this.current.el.hidden = !!s.residual || !s.current;
    if (s.residual) {
      this.bound = bound(s.residual);
      this.residual.set([this.x, s.residual]);
    } else if (s.current && !this.driving) this.current.set([this.x, s.current]);
    this.raster.set([this.group.full, []] as unknown as uPlot.AlignedData);
  }

  private spikes(u: uPlot): void {
    const rows: [readonly number[] | null | undefined, string][] = [
      [this.shown?.data_spikes?.length ? this.shown.data_spikes : this.recorded?.spikes, "recorded"],
      [this.shown?.spikes, "accent"],
      [this.shown?.ideal ? this.shown.ideal_spikes : null, "ideal"],
    ];
    const row = u.bbox.height / 3;
    rows.forEach(([at, colour], k) => ticks(u, at ?? [], row * (k + 0.15), row * (k + 0.85), colour));
  }
}

/** A range of y that suits the residual between spikes: 1.5 times the 95th percentile of its magnitude. */
function bound(r: Float32Array): number {
  const every = Math.max(1, Math.floor(r.length / 2000));
  const sizes: number[] = [];
  for (let k = 0; k < r.length; k += every) if (Number.isFinite(r[k])) sizes.push(Math.abs(r[k]!));
  sizes.sort((a, b) => a - b);
  return Math.max(1, 1.5 * (sizes[Math.floor(0.95 * (sizes.length - 1))] ?? 1));
}
