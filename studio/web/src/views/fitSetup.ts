// The form for a new fit: recording, models, word, budget, held-out part; and the models recommended for the recording.
import { Group } from "../charts/group";
import { Plot } from "../charts/plot";
import type { Board, Feature, Features, Job } from "../state/api";
import { brief, cards, choose, hold, project, recording } from "../state/project";
import { get, post } from "../state/server";
import { keep, session } from "../state/session";
import { on } from "../state/topics";
import { check, choices, field, h, number, read, select, set } from "../ui/elements";
import { act, complain } from "../ui/messages";
import { SameBox } from "../ui/sameBox";
import { Table } from "../ui/table";
import { FEATURE_COLUMNS } from "./featureColumns";

const HELD: [string, string, string][] = [
  [
    "auto",
    "Automatic",
    "every third stimulus that evokes spikes, never the strongest; if there are too few, the last third of long sweeps",
  ],
  ["amplitudes", "Amplitudes", "every third stimulus in order of its mean current, silent ones too, never the strongest"],
  ["tail", "Tail", "the last third of every sweep that is long enough and fires enough"],
  ["folds", "Folds", "each stimulus is held out once, in K searches: K + 1 times as long"],
  ["none", "Nothing", "all data train: the scores are then not validated"],
];

export class FitSetup {
  readonly el = h("form", { id: "fit-form", class: "stack" });
  readonly measured = h("section", { class: "card", "aria-label": "Features and recommendation" });
  private readonly picker = select("fit-recording", []);
  private readonly word = select(
    "fit-word",
    ["16", "18", "24"].map((w) => [w, `${w} bits`]),
    String(session.setup.word),
  );
  private readonly target = select("fit-target", [["", "any"]]);
  private readonly dt = number("fit-dt", session.setup.dt, { min: 0.005, max: 1, required: true });
  private readonly budget = number("fit-budget", session.setup.budget, { min: 10, max: 1e7, step: 1, required: true });
  private readonly whole = h("input", { type: "checkbox", id: "fit-whole-budget" });
  private readonly seed = number("fit-seed", session.setup.seed, { min: 0, max: 2 ** 31 - 1, step: 1, required: true });
  private readonly top = number("fit-top", 5, { min: 1, max: 100, step: 1, required: true });
  private readonly folds = number("fit-folds", session.setup.folds ?? 3, {
    min: 2,
    max: 100,
    step: 1,
    "aria-label": "Number of folds",
    class: "narrow",
  });
  private readonly models = h("div", { id: "fit-models", class: "checks" });
  private readonly start = h("button", { type: "submit", id: "fit-start", class: "primary" }, "Start the fit");
  private readonly near = h("p", { id: "fit-error", class: "bad", hidden: true });
  private readonly cannot = h("p", { class: "notice warn", hidden: true });
  private readonly doubts = h("div", { id: "fit-doubts", class: "notice warn", hidden: true });
  private readonly anyway = h("input", { type: "checkbox", id: "fit-anyway", onchange: () => this.show() });
  private doubted: string | null = null; // recording to which the tick of `anyway` belongs
  private readonly features: Table<Feature>;
  private readonly advice = h("ol", { id: "recommended" });
  private readonly measuring = h("p", { class: "soft", role: "status" });
  private readonly same = new SameBox();
  private readonly curve: Plot;
  private of: string | null = null;

  constructor(private readonly begun: (j: Job) => void) {
    this.features = new Table<Feature>(FEATURE_COLUMNS, {
      id: "fit-features",
      label: "Features of the recording",
      key: (f) => f.name,
    });
    const group = new Group("f-I curve", "nA");
    this.curve = new Plot(group, {
      id: "f-i",
      label: "Firing rate over current",
      unit: "Hz",
      height: 170,
      time: "current, nA",
      apart: 36,
      series: [{ label: "rate", colour: "accent", points: true }],
    });
    this.picker.addEventListener("change", () => choose(this.picker.value));
    this.el.addEventListener("submit", (e) => {
      e.preventDefault();
      void act(this.start, this.near, () => this.post());
    });
    this.el.addEventListener("change", () => this.remember());
    this.layout();
    void this.boards();
  }

  /** The boards for which can be fitted. Without an answer of the server there are none to choose, and no fit could begin. */
  private async boards(): Promise<void> {
    const wanted = session.setup.target ?? "";
    const known = (await get<{ boards: Board[] }>("boards").catch(() => ({ boards: [] }))).boards;
    for (const b of known.filter((x) => x.estimated)) this.target.append(h("option", { value: b.name }, b.name));
    this.target.value = wanted;
    this.word.disabled = this.target.value !== "";
  }

  private layout(): void {
    const held = h(
      "fieldset",
      { id: "fit-held-out" },
      h("legend", null, "Held out for the ranking"),
      HELD.map(([value, name, why]) => {
        const on_ = value === (session.setup.folds ? "folds" : session.setup.held_out);
        return h(
          "label",
          { class: "check" },
          h("input", { type: "radio", name: "held-out", value, checked: on_, id: `held-${value}` }),
          h("span", null, h("b", null, name), " ", h("span", { class: "soft" }, why), value === "folds" && " "),
          value === "folds" && this.folds,
        );
      }),
    );
    const all = (onn: boolean) => () => {
      for (const box of this.boxes()) box.checked = onn;
      this.remember();
    };
    set(
      this.models,
      cards.map((c) => check(`fit-model-${c.name}`, c.short, session.setup.models?.includes(c.name) ?? true, () => {})),
    );
    set(
      this.el,
      h("h2", null, "What to fit"),
      field("Recording", this.picker),
      this.cannot,
      this.doubts,
      h(
        "fieldset",
        null,
        h("legend", null, "Models"),
        h(
          "div",
          { class: "row" },
          h("button", { type: "button", class: "small", onclick: all(true) }, "All"),
          h("button", { type: "button", class: "small", onclick: all(false) }, "None"),
        ),
        this.models,
      ),
      h(
        "div",
        { class: "row ends" },
        field("For the board", this.target),
        field("Word, if for any board", this.word),
        field("Time step, ms", this.dt),
        field("Evaluations a model, at most", this.budget),
        field("Seed", this.seed),
        field("Results to keep", this.top),
      ),
      h("label", { class: "check" }, this.whole, h("span", null, "Spend all evaluations, even if a search has converged")),
      held,
      h("div", { class: "row" }, this.start),
      this.near,
    );
    set(
      this.measured,
      h("h2", null, "What the cell does"),
      this.measuring,
      this.advice,
      h("div", { class: "halves beside" }, this.features.el, this.curve.el),
      this.same.el,
    );
    on("recordings", () => this.list());
  }

  private boxes(): HTMLInputElement[] {
    return [...this.models.querySelectorAll("input")];
  }

  private list(): void {
    choices(
      this.picker,
      project.recordings.map((r) => [r.id, r.name]),
      session.recording ?? undefined,
    );
  }

  show(): void {
    this.list();
    const r = recording();
    const doubts = r?.doubts ?? [];
    if (this.doubted !== session.recording) this.anyway.checked = false;
    this.doubted = session.recording;
    this.doubts.hidden = !doubts.length;
    set(
      this.doubts,
      doubts.map((d) => h("p", null, d)),
      h("label", null, this.anyway, " Fit anyway"),
    );
    this.start.disabled = !r || !!r.cannot_be_fitted || (doubts.length > 0 && !this.anyway.checked);
    this.cannot.hidden = !!r && !r.cannot_be_fitted;
    this.cannot.textContent = r ? (r.cannot_be_fitted ?? "") : "Import a recording first, in Trace.";
    this.measured.hidden = !r;
    if (this.of !== session.recording) void this.measure();
  }

  private async measure(): Promise<void> {
    const id = (this.of = session.recording);
    const show = (f: Features | null, told: string) => {
      this.measuring.textContent = told;
      this.features.update(f?.features ?? []);
      set(
        this.advice,
        (f?.recommended ?? []).map((x) => h("li", null, h("b", null, brief(x.model)), `: ${x.reason}`)),
      );
      this.same.update(f);
      const points = f?.f_i?.current.map((i, k): [number, number] => [i, f.f_i!.rate[k]!]).sort((a, b) => a[0] - b[0]) ?? [];
      this.curve.el.hidden = points.length < 2;
      if (points.length < 2) return;
      const slack = 0.04 * (points.at(-1)![0] - points[0]![0]) || 0.1;
      this.curve.group.extent([points[0]![0] - slack, points.at(-1)![0] + slack]);
      this.curve.set([points.map((p) => p[0]), points.map((p) => p[1])]);
    };
    this.measured.hidden = !id;
    if (!id) return;
    show(null, "Measuring the recording …");
    try {
      const f = await get<Features>(`recordings/${id}/features`);
      if (this.of === id)
        show(f, f.recommended.length ? "Recommended from these features (no model is left out of a fit for them):" : "");
    } catch (error) {
      if (this.of !== id) return;
      show(null, error instanceof Error ? error.message : "");
      if (!recording()?.cannot_be_fitted) complain(error);
      this.of = null; // request it again the next time
    }
  }

  private remember(): void {
    const held = this.el.querySelector<HTMLInputElement>("input[name=held-out]:checked")?.value ?? "auto";
    const chosen = this.boxes()
      .filter((b) => b.checked)
      .map((b) => b.id.slice("fit-model-".length));
    const { setup } = session;
    this.folds.required = held === "folds";
    if (held !== "folds" && !this.folds.validity.valid) this.folds.value = "3"; // not used, so it must not prevent the fit
    this.word.disabled = this.target.value !== "";
    Object.assign(setup, {
      target: this.target.value || null,
      models: chosen.length === cards.length ? null : chosen,
      word: Number(this.word.value),
      dt: read(this.dt) ?? setup.dt,
      budget: read(this.budget) ?? setup.budget,
      seed: read(this.seed) ?? 0,
      held_out: held === "folds" ? "auto" : held,
      folds: held === "folds" ? (read(this.folds) ?? 3) : null,
    });
    keep();
  }

  private async post(): Promise<void> {
    this.remember();
    if (session.setup.models?.length === 0) throw new Error("Choose at least one model.");
    const j = await post<Job>("jobs", {
      kind: "fit",
      recording: session.recording,
      ...session.setup,
      word: session.setup.target ? null : session.setup.word,
      top_k: read(this.top) ?? 5,
      anyway: this.anyway.checked,
      whole_budget: this.whole.checked,
    });
    hold(j);
    this.begun(j);
  }
}
