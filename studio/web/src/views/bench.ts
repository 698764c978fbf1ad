// The bench: the user moves the sliders of a model, and its fixed-point simulation is shown over the recording.
import { Overlay } from "../charts/overlay";
import type { Parameters, SimulateRequest, Simulation } from "../state/api";
import { later } from "../state/later";
import { card, chooseSweep, recording, sweep } from "../state/project";
import { get, query, simulate } from "../state/server";
import { type Bench, keep, present, session } from "../state/session";
import { emit, on } from "../state/topics";
import { driven, whole } from "../state/traces";
import { check, choices, field, h, number, say, select, set } from "../ui/elements";
import { finite } from "../ui/format";
import { calm, complain } from "../ui/messages";
import { guard } from "../ui/numberField";
import { SameBox } from "../ui/sameBox";
import { Slider } from "../ui/slider";
import { CodeTable } from "./codeTable";
import { ScoreTiles } from "./scoreTiles";
import { MEASURED, StartFrom } from "./startFrom";
import { stimulusFields } from "./stimulusFields";

export class BenchView {
  readonly el = h("div", { id: "bench", class: "split wide-aside" });
  private readonly overlay = new Overlay("bench", "bench", 300);
  private readonly sliders = h("div", { id: "sliders" });
  private readonly presets = new StartFrom();
  private readonly word = select(
    "word",
    ["16", "18", "24"].map((w) => [w, `${w} bits`]),
  );
  private readonly dt = number("bench-dt", session.dt, { min: 0.005, max: 1 });
  private readonly settings = h("div", { class: "row ends" });
  private readonly source = select("driven", [
    ["recording", "the recording"],
    ["step", "a step of current"],
  ]);
  private readonly picker = select("bench-sweep", []);
  private readonly pickerField = field("Sweep", this.picker);
  private readonly step = stimulusFields(() => this.move(null));
  private readonly scores = new ScoreTiles();
  private readonly state = h("p", { id: "bench-state", role: "status", class: "soft" });
  private readonly notDriven = h("p", { id: "not-driven", class: "soft", hidden: true });
  private readonly near = h("p", { class: "bad", hidden: true });
  private readonly codes = new CodeTable();
  private readonly same = new SameBox();
  private parameters: Parameters | null = null;
  private model = "";
  private byName = new Map<string, Slider>();
  private nudges: { param: string; by: 1 | -1 }[] = [];
  private flying = false;
  private wanted: { since: number | null } | null = null;
  private wantIdeal = false;
  private turn = 0;
  private opening = 0;

  constructor(private readonly shown: () => boolean) {
    this.word.addEventListener("change", () => this.again({ word: Number(this.word.value) }));
    guard(
      this.dt,
      "The time step, ms,",
      () => session.dt,
      (dt) => this.again({ dt }),
    );
    this.source.addEventListener("change", () => {
      session.driven = this.source.value as "recording" | "step";
      keep();
      void this.record();
    });
    this.picker.addEventListener("change", () => chooseSweep(Number(this.picker.value)));
    this.presets.select.addEventListener("change", () => this.preset());
    this.layout();
    on("sweep", () => this.shown() && void this.record());
  }

  private layout(): void {
    set(
      this.el,
      h(
        "aside",
        null,
        h(
          "div",
          { class: "row ends" },
          field("Word", this.word),
          field("Time step, ms", this.dt),
          field("Start from", this.presets.select),
        ),
        this.presets.note,
        this.settings,
        h("h2", null, "Parameters"),
        this.scores.beside,
        this.sliders,
      ),
      h(
        "div",
        { class: "main" },
        h(
          "div",
          { class: "row ends bar-top" },
          field("Driven by", this.source),
          this.pickerField,
          this.step,
          h("span", { class: "push" }, this.overlay.group.tools),
        ),
        check("ideal", "float64 ideal, as a dashed line", session.ideal, (onn) => {
          session.ideal = onn;
          keep();
          this.move(null);
        }),
        this.notDriven,
        this.overlay.el,
        this.state,
        this.near,
        this.scores.el,
        this.scores.note,
        this.scores.scale.el,
        this.same.el,
        h("h2", null, "Integer codes"),
        this.codes.el,
      ),
    );
  }

  private get bench(): Bench {
    return (session.benches[this.model] ??= { settings: {}, params: {} });
  }

  private again(change: { word?: number; dt?: number }): void {
    this.loosen();
    Object.assign(session, change);
    keep();
    void this.open(this.model);
  }

  /** Turn codes from a fit into values that the sliders can change: those that the codes stand for. */
  private loosen(): void {
    const b = this.bench;
    if (!b.codes) return;
    if (present.model === this.model && present.s) b.params = { ...b.params, ...present.s.values };
    delete b.codes;
    delete b.i_span;
    delete b.from;
  }

  async open(model: string): Promise<void> {
    const mine = ++this.opening;
    this.turn++; // answers to earlier requests are ignored from now on
    if (this.model !== model) this.blank();
    this.model = model;
    this.parameters = null; // so that nothing is simulated with the earlier parameters
    const b = this.bench;
    this.word.value = String(session.word);
    this.dt.value = String(session.dt);
    calm(this.near);
    try {
      // settings that have their default, the first value, are omitted
      const settings = Object.fromEntries(
        Object.entries(b.settings)
          .filter(([name, x]) => card(model)?.settings[name]?.[0] !== x)
          .map(([name, x]) => [name, String(x)]),
      );
      const p = await get<Parameters>(
        `models/${model}/parameters${query({ word: session.word, dt: session.dt, recording: driven(recording()) ? session.recording : null, ...settings })}`,
      );
      if (mine !== this.opening) return;
      this.parameters = p;
      b.settings = { ...p.settings };
      // only parameters of this variant, within their bounds in it
      b.params = Object.fromEntries(
        p.parameters.map((q) => {
          const [lo, hi] = q.bounds;
          const was = b.params[q.name];
          return [q.name, !b.touched ? q.value : finite(was) ? Math.min(hi, Math.max(lo, was)) : q.default];
        }),
      );
      this.build(p);
      await this.record();
    } catch (error) {
      if (mine === this.opening) this.fail(error);
    }
  }

  private build(p: Parameters): void {
    this.presets.show(p, this.bench.preset ?? (this.bench.touched || this.bench.codes ? "" : MEASURED));
    const options = card(p.model)?.settings ?? {};
    set(
      this.settings,
      Object.entries(options).map(([name, values]) => {
        const s = select(
          `setting-${name}`,
          values.map((v, k) => [String(k), v === true ? "yes" : v === false ? "no" : String(v)]),
          String(values.indexOf(this.bench.settings[name] ?? "")),
        );
        s.addEventListener("change", () => {
          session.benches[p.model] = { settings: { ...this.bench.settings, [name]: values[Number(s.value)]! }, params: {} };
          keep();
          void this.open(p.model);
        });
        return field(name.replaceAll("_", " "), s);
      }),
    );
    this.byName = new Map(
      p.parameters.map((q) => {
        const slider = new Slider(
          q,
          (x, at) => {
            this.loosen();
            this.bench.params[q.name] = x;
            this.free();
            keep();
            this.move(at);
          },
          (by) => {
            this.loosen();
            this.nudges.push({ param: q.name, by });
            this.move(null);
          },
        );
        slider.set(this.bench.params[q.name] ?? q.value);
        return [q.name, slider];
      }),
    );
    set(
      this.sliders,
      [...this.byName.values()].map((s) => s.el),
    );
  }

  private preset(): void {
    const p = this.parameters;
    const which = this.presets.select.value;
    if (!p || which === "") return;
    const chosen = p.presets.find((x) => x.name === which);
    // parameters that a preset does not give have their default; its settings may have other parameters, which `open` requests
    session.benches[this.model] = {
      settings: { ...(chosen ?? this.bench).settings },
      params: { ...chosen?.params },
      touched: chosen !== undefined,
      preset: which,
    };
    keep();
    void this.open(this.model);
  }

  /** Called when the user has changed a parameter. */
  private free(): void {
    this.bench.touched = true;
    delete this.bench.preset;
    this.presets.select.value = "";
  }

  /** Clear the results when nothing was simulated or it failed, so that no old result stays. */
  private blank(): void {
    present.s = null;
    this.overlay.clear();
    for (const slider of this.byName.values()) slider.stand(undefined);
    this.scores.show(null);
    this.codes.show(null);
    this.same.update(null);
    say(this.state, "");
    emit("bench");
  }

  private fail(error: unknown): void {
    this.blank();
    complain(error, this.near);
  }

  /** Draw the recording and the current, then simulate the model. */
  private async record(): Promise<void> {
    const [r, s, turn] = [recording(), sweep(), ++this.turn];
    const can = driven(r);
    (this.source.options[0] as HTMLOptionElement).disabled = !can;
    const byRecording = can && session.driven === "recording";
    this.source.value = byRecording ? "recording" : "step";
    this.step.hidden = byRecording;
    this.pickerField.hidden = !byRecording;
    choices(
      this.picker,
      (r?.sweeps ?? []).map((x) => [String(x.index), x.name]),
      String(session.sweep),
    );
    this.notDriven.hidden = !r || byRecording;
    if (r && !byRecording)
      say(
        this.notDriven,
        `${r.name} is not drawn: ${can ? "this step did not drive it" : "it has no current that could drive a model"}, so that the two cannot be compared.`,
      );
    try {
      const found = r && s && byRecording ? await whole(r.id, s.index) : null;
      if (turn !== this.turn) return;
      this.overlay.record(found);
      this.move(null);
    } catch (error) {
      if (turn === this.turn) this.fail(error);
    }
  }

  private move(since: number | null): void {
    this.wanted = { since: since ?? this.wanted?.since ?? null };
    void this.fly();
    if (session.ideal) this.ideal();
  }

  private readonly ideal = later(400, () => {
    this.wantIdeal = true;
    this.wanted ??= { since: null };
    void this.fly();
  });

  /** Send one request at a time. Of requests made meanwhile, only the latest is sent next, but every nudge is. */
  private async fly(): Promise<void> {
    if (this.flying || !this.wanted || !this.parameters || this.parameters.model !== this.model) return;
    const [{ since }, nudge, ideal, turn, model] = [
      this.wanted,
      this.nudges.shift(),
      this.wantIdeal && session.ideal,
      this.turn,
      this.model,
    ];
    this.wanted = this.nudges.length ? { since: null } : null;
    this.wantIdeal = false;
    this.flying = true;
    const slow = setTimeout(
      () => say(this.state, "Simulating. The first time, a model's kernel is compiled at this word: some seconds."),
      700,
    );
    try {
      const asked = this.request(nudge, ideal);
      const s = await simulate(asked);
      if (turn === this.turn && model === this.model) this.draw(s, asked, nudge?.param, since);
    } catch (error) {
      if (turn === this.turn && model === this.model) this.fail(error);
    } finally {
      clearTimeout(slow);
      this.flying = false;
      if (this.wanted) void this.fly();
    }
  }

  private request(nudge: { param: string; by: 1 | -1 } | undefined, ideal: boolean): SimulateRequest {
    const b = this.bench;
    const what: SimulateRequest = { model: this.model, settings: b.settings, word: session.word, dt: session.dt };
    if (b.codes) Object.assign(what, { codes: b.codes, i_span: b.i_span });
    else what.params = b.params;
    if (this.source.value === "recording") Object.assign(what, { recording: session.recording, sweep: session.sweep });
    else what.stimulus = session.stimulus;
    if (nudge) what.nudge = nudge;
    if (ideal) what.ideal = true;
    return what;
  }

  private draw(s: Simulation, asked: SimulateRequest, nudged: string | undefined, since: number | null): void {
    this.overlay.show(s);
    // uPlot draws in a microtask, so that the trace is visible in the next frame
    if (since !== null)
      requestAnimationFrame(() => performance.measure("slider-to-trace", { start: since, end: performance.now() }));
    const b = this.bench;
    if (nudged) {
      const x = s.values[nudged];
      if (x !== undefined) {
        b.params[nudged] = x;
        this.free();
        this.byName.get(nudged)?.set(x);
        keep();
      }
    }
    for (const [name, slider] of this.byName) slider.stand(s.values[name]);
    Object.assign(present, { model: this.model, settings: { ...asked.settings }, word: asked.word, s });
    emit("bench");
    calm(this.near);
    const told = b.codes && b.from ? `The codes of ${b.from}.` : `${s.n.toLocaleString("en-US")} steps of ${s.dt} ms.`;
    say(this.state, told);
    this.scores.show(s);
    this.codes.show(s);
    this.same.update(s);
  }
}
