// Shows the scores of a simulated neuron as tiles.
import type { Simulation } from "../state/api";
import { h, set } from "../ui/elements";
import { finite, fix } from "../ui/format";
import { ScaleLines } from "./scaleLines";

export const LOSSES = "Scores are losses: 0 is perfect. Of gamma, 1 is.";

export class ScoreTiles {
  readonly el = h("dl", { id: "bench-score", class: "tiles" });
  readonly scale = new ScaleLines("bench-scale");
  readonly beside = h("p", { id: "bench-beside", class: "beside-sliders", hidden: true });
  readonly note = h("p", { class: "soft losses", hidden: true }, LOSSES);

  show(s: Simulation | null): void {
    const c = s?.score;
    this.note.hidden = !c;
    const level = c &&
      finite(c.combined_score) && {
        score: c.combined_score,
        voltage: c.voltage,
        timing: c.timing_term,
        count: c.count ?? NaN,
      };
    this.beside.hidden = !s;
    set(
      this.beside,
      c
        ? [
            h("span", null, "score ", h("b", null, fix(c.combined_score))),
            h("span", null, "spikes ", h("b", null, `${c.spikes_model} / ${c.spikes_data}`)),
            h("span", { class: "soft" }, "model / data"),
          ]
        : h("span", null, "spikes ", h("b", null, String(s?.spikes.length ?? 0))),
    );
    this.scale.show(s?.scale, level ? [{ name: "model", colour: "accent", level }] : [], s?.scale_sentences ?? []);
    const tiles: [string, string][] = c
      ? [
          ["score", fix(c.combined_score)],
          ["voltage", fix(c.voltage)],
          ["timing", fix(c.timing_term)],
          ["count", fix(c.count)],
          ["masked rmse, mV", fix(c.masked_rmse, 2)],
          ["gamma", fix(c.gamma, 2)],
          ["spikes, model / data", `${c.spikes_model} / ${c.spikes_data}`],
        ]
      : s
        ? [["spikes of the model", String(s.spikes.length)]]
        : [];
    set(
      this.el,
      tiles.map(([name, x]) => h("div", null, h("dt", null, name), h("dd", null, x))),
    );
  }
}
