// The list of neurons from which the bench can start: what was measured in the recording, and those of the literature.
import type { Parameters, Trial } from "../state/api";
import { recording } from "../state/project";
import { get, query } from "../state/server";
import { session } from "../state/session";
import { driven } from "../state/traces";
import { choices, h, say, select } from "../ui/elements";
import { plural } from "../ui/format";

export const MEASURED = "start"; // value of the option with what was measured, or with the defaults if nothing was

export class StartFrom {
  readonly select = select("preset", []);
  readonly note = h("p", { id: "preset-note", class: "soft", hidden: true });
  private turn = 0;

  show(p: Parameters, chosen: string): void {
    const r = recording();
    choices(
      this.select,
      [
        ["", "as set below"],
        [MEASURED, driven(r) ? "measured in the recording" : "the defaults"],
        ...p.presets.map((x): [string, string] => [x.name, x.source ? `${x.name} (${x.source})` : x.name]),
      ],
      chosen,
    );
    this.note.hidden = true;
    if (r && driven(r)) void this.judge(p, r.id, r.name);
  }

  /** Say that the measured values are what the recording says only if the model fires with them, where the cell does. */
  private async judge(p: Parameters, id: string, name: string): Promise<void> {
    const turn = ++this.turn;
    const settings = Object.fromEntries(Object.entries(p.settings).map(([key, x]) => [key, String(x)]));
    const asked = query({ word: p.word, dt: p.dt, recording: id, ...settings });
    const found = await get<Trial>(`models/${p.model}/trial${asked}`).catch(() => null); // a fault is shown by the simulation
    const option = [...this.select.options].find((o) => o.value === MEASURED);
    if (turn !== this.turn || session.recording !== id || !found || !option) return;
    const silent = found.recorded > 0 && !found.spikes;
    option.textContent = silent ? "measured in the recording: no spike" : "what the recording says";
    this.note.hidden = !silent;
    if (silent)
      say(
        this.note,
        `With what was measured in ${name}, and defaults for the rest, this model is silent in sweep ${found.sweep}, where the cell has ${plural(found.recorded, "spike")}: set more below, or fit it in Auto-Fit.`,
      );
  }
}
