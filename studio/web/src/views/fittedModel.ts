// Shows a model of a fit over its recording: the one chosen in the ranking, with its best codes so far.
import { Overlay } from "../charts/overlay";
import type { Score, Simulation } from "../state/api";
import type { Better, Row, Split } from "../state/events";
import { over } from "../state/jobs";
import { brief, job, recording } from "../state/project";
import { simulate } from "../state/server";
import { keep, session } from "../state/session";
import { emit } from "../state/topics";
import { whole } from "../state/traces";
import { button, h, say, set } from "../ui/elements";
import { fix } from "../ui/format";
import { complain } from "../ui/messages";
import { SameBox } from "../ui/sameBox";
import { FittedParameters } from "./fittedParameters";
import { SweepPicker, heldOut } from "./sweepPicker";

/** What is known so far about a model of a fit. */
export interface Live {
  model: string;
  evaluations: number;
  budget: number;
  loss: number | null; // search loss
  share: number; // of the training data over which the loss is
  folding: boolean; // whether it is searched again without a fold: what the result holds is found by then
  better: Better | null;
  row: Row | null;
}

export class Fitted {
  readonly el = h("section", { id: "fit-overlay", hidden: true, "aria-label": "The chosen model over the recording" });
  private readonly overlay = new Overlay("fit", "fitted model", 260, true);
  private readonly title = h("h3");
  private readonly score = h("p", { class: "soft", role: "status" });
  private readonly same = new SameBox();
  private readonly picker = new SweepPicker(() => this.again());
  private readonly parameters = new FittedParameters();
  private readonly tools = h("span", { class: "push" }, this.overlay.group.tools);
  private drawn = ""; // key of what the overlay shows
  private underneath = "";
  private busy = false;
  private due = 0;
  visible = false;

  constructor(
    private readonly showing: () => Live | undefined,
    private readonly held: () => Split["held_out"],
    private readonly openBench: () => void,
    private readonly openDeploy: () => void,
  ) {
    const to = (text: string, id: string, what: (l: Live) => void) =>
      button(id, text, () => {
        const l = this.showing();
        if (l) what(l);
      });
    set(
      this.el,
      h(
        "div",
        { class: "row bar-top" },
        this.title,
        to("Open in Models", "fit-to-bench", (l) => this.toBench(l)),
        to("Deploy", "fit-to-deploy", (l) => this.toDeploy(l)),
        this.tools,
      ),
      this.picker.el,
      h("div", { class: "fitted" }, h("div", { class: "fitted-charts" }, this.overlay.el, this.score), this.parameters.el),
      this.same.el,
    );
  }

  reset(): void {
    this.drawn = this.underneath = "";
    this.el.hidden = true;
  }

  again(): void {
    this.drawn = "";
    void this.draw();
  }

  /** While the fit runs, update at most once per second, because the search needs the processor. */
  soon(): void {
    const wait = over(job(session.fit)?.state) ? 0 : 1000;
    this.due ||= window.setTimeout(() => {
      this.due = 0;
      void this.draw();
    }, wait);
  }

  /** Draw the chosen model, with its best codes so far, over its recording. */
  private async draw(): Promise<void> {
    const l = this.showing();
    const j = job(session.fit);
    const best = l?.row ?? l?.better;
    const r = recording(j?.recording);
    if (!this.visible || !l || !j || !best) return;
    for (const e of [this.overlay.el, this.tools, this.picker.el]) e.hidden = !r;
    this.parameters.show(l.row, l.better);
    if (!r) {
      this.el.hidden = false;
      this.drawn = "";
      this.title.textContent = this.titled(l);
      this.same.update(null);
      return say(this.score, "Its recording is no longer in this project.");
    }
    if (this.busy) return this.soon();
    const firing =
      r.sweeps.find((s) => r.id === session.recording && s.index === session.sweep && s.spikes) ??
      r.sweeps.reduce((a, b) => (b.spikes > a.spikes ? b : a));
    const held = this.held();
    this.picker.show(r, held, firing.index);
    const sweep = this.picker.value;
    const given = best.codes ? { codes: best.codes, i_span: best.i_span } : { params: l.better!.params };
    const unseen = heldOut(held, sweep);
    const key = JSON.stringify([j.id, l.model, sweep, given, l.row?.rank, unseen]);
    if (key === this.drawn) return;
    this.busy = true;
    this.drawn = key;
    try {
      const word = l.row?.word ?? Number(j.settings["word"] ?? 18);
      const dt = l.row?.dt ?? Number(j.settings["dt"] ?? 0.1);
      if (this.underneath !== `${r.id}/${sweep}`) {
        this.overlay.record(await whole(r.id, sweep));
        this.underneath = `${r.id}/${sweep}`;
      }
      this.overlay.hold(unseen);
      this.el.hidden = false;
      if (l.row) say(this.score, "Simulating …");
      const s = await simulate({
        model: l.model,
        settings: best.settings,
        word,
        dt,
        ...given,
        recording: r.id,
        sweep,
        ideal: l.row !== null,
      });
      this.overlay.show(s);
      this.title.textContent = this.titled(l);
      say(this.score, s.score ? scored(s, s.score, unseen) : "");
      this.same.update(s);
    } catch (error) {
      complain(error, this.score);
    } finally {
      this.busy = false;
    }
  }

  private titled(l: Live): string {
    return `${brief(l.model)}${l.row ? `, rank ${l.row.rank}` : ", its best so far"}`;
  }

  private toBench(l: Live): void {
    const best = l.row ?? l.better;
    const j = job(session.fit);
    if (!best || !j) return;
    const params = l.row ? Object.fromEntries(l.row.params.map((p) => [p.name, p.value])) : { ...l.better!.params };
    const from = `${brief(l.model)}${l.row ? `, rank ${l.row.rank}` : ""} of "${j.title}"`;
    session.benches[l.model] = {
      settings: { ...best.settings },
      params,
      touched: true,
      codes: best.codes,
      i_span: best.i_span,
      from,
    };
    Object.assign(session, {
      model: l.model,
      word: l.row?.word ?? Number(j.settings["word"] ?? 18),
      dt: l.row?.dt ?? Number(j.settings["dt"] ?? 0.1),
      driven: "recording",
    });
    if (recording(j.recording)) {
      const other = session.recording !== j.recording;
      session.recording = j.recording;
      session.sweep = this.picker.value;
      if (other) emit("recording");
      emit("sweep");
    }
    keep();
    this.openBench();
  }

  private toDeploy(l: Live): void {
    if (!l.row)
      return void complain(
        "A model can be deployed once the fit has ranked it: until then, open it in Models and deploy it from there.",
      );
    session.neuron = `${session.fit}:${l.row.rank}`;
    keep();
    this.openDeploy();
  }
}

/** The score of a sweep in words, with its floor and ceiling. `unseen` are its held-out parts, ms. */
function scored(s: Simulation, c: Score, unseen: [number, number][]): string {
  const part = unseen.reduce((sum, [a, b]) => sum + b - a, 0) < 0.99 * s.n * s.dt;
  const held = unseen.length ? (part ? ", a part of which is held out" : ", held out") : "";
  const between = s.scale && `${s.scale.ceiling ? `ceiling ${fix(s.scale.ceiling.score)}, ` : ""}floor ${fix(s.scale.floor.score)}`;
  const of = `This sweep${held}: score ${fix(c.combined_score)}${between ? ` (${between})` : ""}`;
  return `${of}, masked rmse ${fix(c.masked_rmse, 2)} mV, spikes ${c.spikes_model} of the model, ${c.spikes_data} recorded.`;
}
