// The losses of all models during a search: one line per model, with its own colour and dash pattern.
import type uPlot from "uplot";
import { brief, cards } from "../state/project";
import { h } from "../ui/elements";
import { Group } from "./group";
import type { Series } from "./marks";
import { Plot } from "./plot";

const MOST = 400; // number of points of a line, at most
const HUES = 7;

/** Colour and dash pattern of a model, the same in all charts. */
export function style(model: string): Series {
  const k = Math.max(
    0,
    cards.findIndex((c) => c.name === model),
  );
  return { label: brief(model), colour: `hue${k % HUES}`, width: 1.5, dash: k >= HUES ? [6, 4] : undefined, gaps: true };
}

export class Losses {
  readonly el = h("div");
  private readonly lines = new Map<string, [number, number][]>();
  private plot: Plot | null = null;
  private models = "";
  private due = 0;

  reset(): void {
    this.lines.clear();
    this.draw();
  }

  add(model: string, evaluations: number, loss: number): void {
    if (!(loss > 0)) return;
    let line = this.lines.get(model);
    if (!line) this.lines.set(model, (line = []));
    const last = line.at(-1);
    if (last && evaluations <= last[0]) return;
    line.push([evaluations, loss]);
    if (line.length > MOST)
      this.lines.set(
        model,
        line.filter((_, k) => k % 2 === 0 || k === line.length - 1),
      ); // of the older points, only some are kept
  }

  /** Redraw at most four times per second. */
  redraw(): void {
    this.due ||= window.setTimeout(() => {
      this.due = 0;
      this.draw();
    }, 250);
  }

  private draw(): void {
    const models = [...this.lines.keys()].sort(
      (a, b) => cards.findIndex((c) => c.name === a) - cards.findIndex((c) => c.name === b),
    );
    this.el.hidden = models.length === 0;
    if (!models.length) return;
    if (this.models !== models.join()) {
      // the lines of a uPlot chart are fixed when it is made
      this.models = models.join();
      this.plot?.destroy();
      const group = new Group("training loss", "evaluations");
      this.plot = new Plot(group, {
        id: "losses",
        label: "Training loss over evaluations, a line a model",
        unit: "loss, log",
        height: 220,
        time: "evaluations",
        log: true,
        series: models.map(style),
      });
      this.el.replaceChildren(this.plot.el);
    }
    const x = [...new Set(models.flatMap((m) => this.lines.get(m)!.map((p) => p[0])))].sort((a, b) => a - b);
    const at = new Map(x.map((n, k) => [n, k]));
    const ys = models.map((m) => {
      const y: (number | null)[] = new Array<null>(x.length).fill(null);
      for (const [n, loss] of this.lines.get(m)!) y[at.get(n)!] = loss;
      return y;
    });
    this.plot!.group.extent([0, Math.max(1, x.at(-1) ?? 1)]);
    this.plot!.set([x, ...ys] as uPlot.AlignedData);
  }
}
