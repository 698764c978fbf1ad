// The losses of all models during a search: one line per model, with its own colour and dash pattern. A line is broken where
// the search moved from a part of the training data to all of it, because losses before and after cannot be compared.
import type uPlot from "uplot";
import { brief, cards } from "../state/project";
import { h, say } from "../ui/elements";
import { count } from "../ui/format";
import { colour } from "../ui/theme";
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
  private readonly told = h("p", { id: "losses-told", class: "soft" });
  private readonly lines = new Map<string, [number, number][]>();
  private readonly shares = new Map<string, number>(); // share of the training data that the search of a model uses
  private readonly moves = new Map<string, number>(); // model -> evaluations at which its search moved to all of the data
  private plot: Plot | null = null;
  private models = "";
  private due = 0;

  reset(): void {
    this.lines.clear();
    this.shares.clear();
    this.moves.clear();
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

  /** From so many evaluations on, the losses of a model are over this share of the training data. */
  portion(model: string, evaluations: number, share: number): void {
    if (share > (this.shares.get(model) ?? share)) this.moves.set(model, evaluations);
    this.shares.set(model, Math.min(share, this.shares.get(model) ?? share));
  }

  /** What the losses are, and where the search moved. */
  private explained(): string {
    const part = Math.min(1, ...this.shares.values());
    const moves = [...this.moves.values()];
    const what = "Search loss: what a search minimises, the score on its training data with a second, wider timing term.";
    if (part >= 1) return `${what} It is no score of the ranking.`;
    const percent = `${Math.max(1, Math.round(100 * part))} %`;
    if (!moves.length) return `${what} So far it is over a part of the training data, ${percent}.`;
    const [first, last] = [Math.min(...moves), Math.max(...moves)];
    const at = first === last ? count(first) : `${count(first)} to ${count(last)}`;
    return `${what} Up to the dashed line, at ${at} evaluations, it is over a part of the training data, ${percent}; from there on over all of it. Losses left and right of the line cannot be compared, so the lines are broken there.`;
  }

  /** A dashed line where the search moved from a part of the training data to all of it, with words on both sides. */
  private moved(u: uPlot): void {
    if (!this.moves.size) return;
    const { ctx, bbox } = u;
    const ratio = devicePixelRatio;
    const at = [...new Set([...this.moves.values()].map((n) => Math.round(u.valToPos(n, "x", true))))].sort((a, b) => a - b);
    const drawn = at.filter((x, k) => k === 0 || x - at[k - 1]! > 6 * ratio);
    ctx.strokeStyle = ctx.fillStyle = colour("soft");
    ctx.lineWidth = ratio;
    ctx.setLineDash([4 * ratio, 3 * ratio]);
    ctx.beginPath();
    for (const x of drawn) {
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
    }
    ctx.stroke();
    ctx.setLineDash([]);
    ctx.font = `${11 * ratio}px system-ui, sans-serif`;
    ctx.textBaseline = "top";
    const y = bbox.top + 3 * ratio;
    ctx.textAlign = "right";
    ctx.fillText("a part of the data", drawn[0]! - 6 * ratio, y);
    ctx.textAlign = "left";
    ctx.fillText("all data", drawn.at(-1)! + 6 * ratio, y);
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
      const group = new Group("search loss", "evaluations");
      this.plot = new Plot(group, {
        id: "losses",
        label: "Search loss over evaluations, a line a model",
        unit: "loss, log",
        height: 220,
        time: "evaluations",
        log: true,
        top: 16,
        series: models.map((m) => ({ ...style(m), gaps: false })), // uPlot draws on across undefined, and breaks at null
        before: (u) => this.moved(u),
      });
      this.el.replaceChildren(this.plot.el, this.told);
    }
    say(this.told, this.explained());
    const breaks = (m: string) => (this.moves.has(m) ? [this.moves.get(m)! - 0.5] : []);
    const x = [...new Set(models.flatMap((m) => [...this.lines.get(m)!.map((p) => p[0]), ...breaks(m)]))].sort((a, b) => a - b);
    const at = new Map(x.map((n, k) => [n, k]));
    const ys = models.map((m) => {
      const y: (number | null | undefined)[] = new Array<undefined>(x.length).fill(undefined);
      for (const [n, loss] of this.lines.get(m)!) y[at.get(n)!] = loss;
      for (const n of breaks(m)) y[at.get(n)!] = null;
      return y;
    });
    this.plot!.group.extent([0, Math.max(1, x.at(-1) ?? 1)]);
    this.plot!.set([x, ...ys] as uPlot.AlignedData);
  }
}
