// A run in a board as it comes: its voltage, and below it its spikes.
import type uPlot from "uplot";
import type { Samples } from "../state/events";
import { h } from "../ui/elements";
import { Group } from "./group";
import { ticks } from "./marks";
import { Plot } from "./plot";

export class BoardRunChart {
  readonly el: HTMLElement;
  private readonly group = new Group("run in a board");
  private readonly voltage: Plot;
  private readonly raster: Plot;
  private times: number[] = [];
  private mv: number[] = [];
  private spikes: number[] = [];

  constructor() {
    this.voltage = new Plot(this.group, {
      id: "run-voltage",
      label: "Voltage of the run, as it came",
      unit: "mV",
      height: 220,
      series: [{ label: "voltage", colour: "accent", width: 1.25 }],
    });
    this.raster = new Plot(this.group, {
      id: "run-spikes",
      label: "Spikes of the run",
      unit: "",
      height: 70,
      time: "time, ms",
      series: [{ label: "", colour: "soft" }],
      span: () => [0, 1],
      splits: () => [0.5],
      names: () => "spikes",
      after: (u) => ticks(u, this.spikes, u.bbox.height * 0.15, u.bbox.height * 0.85, "accent"),
    });
    this.el = h("div", { class: "stack tight", hidden: true }, this.group.tools, this.voltage.el, this.raster.el);
  }

  reset(): void {
    this.times = [];
    this.mv = [];
    this.spikes = [];
    this.el.hidden = true;
  }

  /** Add what came; `draw` shows it. */
  add(e: Samples): void {
    if (e.anew) this.reset();
    const length = Math.max(e.dt, e.total * e.dt);
    if (e.anew || this.group.full[1] !== length) this.group.extent([0, length]);
    this.times.push(...e.times);
    this.mv.push(...e.voltage);
    this.spikes.push(...e.spikes);
  }

  draw(): void {
    this.el.hidden = !this.times.length && !this.spikes.length;
    if (this.el.hidden) return;
    this.voltage.el.hidden = !this.times.length; // of a run that tells its spikes only, no voltage is known between them
    this.voltage.set([this.times, this.mv]);
    this.raster.set([this.group.full, []] as unknown as uPlot.AlignedData);
  }
}
