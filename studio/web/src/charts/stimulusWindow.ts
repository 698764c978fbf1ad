// The stimulus window on a chart: two handles, by pointer or by keyboard.
import type uPlot from "uplot";
import { h } from "../ui/elements";
import { fix } from "../ui/format";
import { colour } from "../ui/theme";
import { Plot } from "./plot";

export class StimulusWindow {
  window: [number, number] | null = null;
  private limits: [number, number] = [0, 1];
  private readonly handles: [HTMLElement, HTMLElement];
  private timer = 0;

  constructor(
    private readonly plot: () => Plot,
    private readonly moving: (w: [number, number]) => void,
    private readonly released: (w: [number, number]) => void,
  ) {
    this.handles = [this.handle(0, "Stimulus start"), this.handle(1, "Stimulus end")];
  }

  attach(): void {
    this.plot().u.over.append(...this.handles);
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
    const { u } = this.plot();
    this.handles.forEach((e, k) => {
      const t = this.window?.[k];
      const x = t === undefined ? NaN : u.valToPos(t, "x");
      e.hidden = !(x >= -1 && x <= u.over.clientWidth + 1);
      if (t === undefined || e.hidden) return;
      e.style.left = `${x}px`;
      e.setAttribute("aria-valuemin", String(this.limits[0]));
      e.setAttribute("aria-valuemax", String(this.limits[1]));
      e.setAttribute("aria-valuenow", fix(t, 2));
      e.setAttribute("aria-valuetext", `${fix(t, 1)} ms`);
    });
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

  private handle(end: 0 | 1, label: string): HTMLElement {
    const e = h("div", {
      class: `handle ${end ? "end" : "start"}`,
      id: end ? "window-end" : "window-start",
      role: "slider",
      tabindex: 0,
      "aria-label": label,
      "aria-orientation": "horizontal",
      "aria-valuenow": 0,
      hidden: true,
      title: `${label}: drag, or arrow keys (Shift: by 10 ms)`,
    });
    e.addEventListener("mousedown", (down) => down.stopPropagation()); // dragging a handle must not zoom the chart
    e.addEventListener("dblclick", (twice) => twice.stopPropagation());
    e.addEventListener("pointerdown", (down) => {
      down.stopPropagation();
      e.setPointerCapture(down.pointerId);
      e.focus();
      const drag = (m: PointerEvent) => {
        const u = this.plot().u;
        this.move(end, u.posToVal(m.clientX - u.over.getBoundingClientRect().left, "x"));
      };
      e.addEventListener("pointermove", drag);
      e.addEventListener(
        "lostpointercapture",
        () => {
          e.removeEventListener("pointermove", drag);
          if (this.window) this.released(this.window);
        },
        { once: true },
      );
    });
    e.addEventListener("keydown", (key) => {
      const step = key.shiftKey ? 10 : 1;
      const by: Record<string, number> = {
        ArrowLeft: -step,
        ArrowDown: -step,
        ArrowRight: step,
        ArrowUp: step,
        PageDown: -10,
        PageUp: 10,
        Home: -Infinity,
        End: Infinity,
      };
      const d = by[key.key];
      if (d === undefined || !this.window) return;
      key.preventDefault();
      this.move(end, this.window[end] + d);
      clearTimeout(this.timer);
      this.timer = window.setTimeout(() => this.window && this.released(this.window), 400);
    });
    return e;
  }
}
