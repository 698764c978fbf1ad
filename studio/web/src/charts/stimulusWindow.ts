// The stimulus window on a chart: two handles, by pointer or by keyboard.
import type uPlot from "uplot";
import { colour } from "../ui/theme";
import { Handle } from "./handle";
import { Plot } from "./plot";

export class StimulusWindow {
  window: [number, number] | null = null;
  private limits: [number, number] = [0, 1];
  private readonly handles: [Handle, Handle];
  private timer = 0;

  constructor(
    private readonly plot: () => Plot,
    private readonly moving: (w: [number, number]) => void,
    private readonly released: (w: [number, number]) => void,
  ) {
    this.handles = [this.handle(0, "Stimulus start"), this.handle(1, "Stimulus end")];
  }

  attach(): void {
    this.plot().u.over.append(...this.handles.map((x) => x.element));
  }

  show(window: [number, number] | null, limits: [number, number]): void {
    this.window = window && [...window];
    this.limits = limits;
    this.place();
  }

  /** Shade the window, under the lines. */
  shade(u: uPlot): void {
    if (!this.window) return;
    const [a, b] = this.window.map((t) => u.valToPos(t, "x", true)) as [number, number];
    u.ctx.fillStyle = colour("window");
    u.ctx.fillRect(a, u.bbox.top, b - a, u.bbox.height);
  }

  place(): void {
    for (const handle of this.handles) handle.place(this.limits, 1);
  }

  private move(end: 0 | 1, t: number): void {
    if (!this.window) return;
    const [a, b] = this.window;
    const least = (this.limits[1] - this.limits[0]) * 1e-3;
    this.window =
      end === 0 ? [Math.max(this.limits[0], Math.min(t, b - least)), b] : [a, Math.min(this.limits[1], Math.max(t, a + least))];
    this.moving(this.window);
    this.place();
    this.plot().u.redraw(false, false);
  }

  private handle(end: 0 | 1, label: string): Handle {
    return new Handle(this.plot, {
      label,
      title: `${label}: drag, or arrow keys (Shift: by 10 ms)`,
      class: `handle ${end ? "end" : "start"}`,
      id: end ? "window-end" : "window-start",
      at: () => this.window?.[end],
      move: (t) => this.move(end, t),
      step: (shift) => (shift ? 10 : 1),
      dropped: () => this.window && this.released(this.window),
      keyed: () => {
        clearTimeout(this.timer);
        this.timer = window.setTimeout(() => this.window && this.released(this.window), 400);
      },
    });
  }
}
