// Charts over one another that show the same range of time.
import { button, h } from "../ui/elements";
import { fix } from "../ui/format";

let groups = 0;

/** Charts over one another that show the same range of time. */
export class Group {
  readonly key = `group-${++groups}`;
  readonly plots: { draw(): void }[] = [];
  readonly tools: HTMLElement;
  readonly moved: ((range: [number, number]) => void)[] = [];
  full: [number, number] = [0, 1];
  min = 0;
  max = 1;
  private readonly clock = h("span", { class: "clock" });

  constructor(
    label: string,
    private readonly unit = "ms",
  ) {
    const tool = (text: string, name: string, what: () => void) =>
      button(null, text, what, { class: "small", "aria-label": `${name}: ${label}`, title: name });
    this.tools = h(
      "div",
      { class: "row tools", role: "group", "aria-label": `Zoom: ${label}` },
      this.clock,
      tool("+", "Zoom in", () => this.zoom(0.5)),
      tool("−", "Zoom out", () => this.zoom(2)),
      tool("‹", "Earlier", () => this.pan(-0.25)),
      tool("›", "Later", () => this.pan(0.25)),
      tool("Reset", "Reset zoom", () => this.reset()),
    );
  }

  extent(full: [number, number], show = true): void {
    this.full = full;
    if (show || this.min < full[0] || this.max > full[1]) [this.min, this.max] = full;
  }

  view(min: number, max: number): void {
    const [lo, hi] = this.full;
    const width = Math.min(hi - lo, Math.max(max - min, (hi - lo) * 1e-6, 1e-3));
    if (!(width > 0)) return;
    this.min = Math.max(lo, Math.min(min, hi - width));
    this.max = this.min + width;
    for (const p of this.plots) p.draw();
    for (const what of this.moved) what([this.min, this.max]);
  }

  reset = (): void => this.view(...this.full);

  zoom(factor: number, at = (this.min + this.max) / 2): void {
    this.view(at - (at - this.min) * factor, at + (this.max - at) * factor);
  }

  pan(share: number): void {
    const by = (this.max - this.min) * share;
    this.view(this.min + by, this.max + by);
  }

  hover(t: number | null): void {
    this.clock.textContent = t === null ? "" : `${fix(t, this.max - this.min < 20 ? 3 : 1)} ${this.unit}`;
  }
}
