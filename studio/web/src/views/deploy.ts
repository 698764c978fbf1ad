// The Deploy view: choose a neuron and a board; verify, build, export or run it.
import type { Board, Job, Neuron } from "../state/api";
import type { Row } from "../state/events";
import { over, ranking } from "../state/jobs";
import { brief, chosen, hold, job, project } from "../state/project";
import { get, post } from "../state/server";
import { keep, present, session } from "../state/session";
import { emit, on } from "../state/topics";
import { button, field, h, number, say, select, set } from "../ui/elements";
import { when } from "../ui/duration";
import { count, fix, short } from "../ui/format";
import { act, complain } from "../ui/messages";
import { share } from "../ui/share";
import { Table } from "../ui/table";
import { jobTable } from "./jobTable";
import { JobView } from "./jobView";
import { RunForm } from "./runForm";
import { type Design, type Verdict, verdict } from "./verdicts";

const SEEN = 12; // number of newest fits whose models are offered

/** A neuron that can be deployed, and what is known about it. */
interface Deployed extends Design {
  neuron: Neuron;
  recorded: boolean; // whether there is a recorded current to run
  told: string;
}

export class DeployView {
  readonly el = h("div", { class: "view" });
  private readonly neuron = select("neuron", []);
  private readonly about = h("p", { id: "neuron-about", class: "soft", role: "status" });
  private readonly boards = h("div", { id: "boards", class: "cards", role: "radiogroup", "aria-label": "Board" });
  private readonly steps = number("verify-steps", session.steps, { min: 100, max: 1e7, step: 1, required: true });
  private readonly seed = number("build-seed", session.seed, { min: 0, max: 2 ** 31 - 1, step: 1, required: true });
  private readonly verify = button("verify-start", "Verify", () => this.start(this.verify, "verify"), { class: "primary" });
  private readonly build = button("build-start", "Build the bitstream", () => this.start(this.build, "build"), {
    class: "primary",
  });
  private readonly export = button("export-start", "Export Verilog", () => this.start(this.export, "export"));
  private readonly pareto = button("pareto-start", "Show the front", () => this.weigh());
  private readonly run = new RunForm(() => this.start(this.run.start, "run"));
  private readonly near = h("p", { id: "deploy-error", class: "bad", hidden: true });
  private readonly fits = h("p", { id: "neuron-fits", role: "status" });
  private readonly view = new JobView(
    () => this.visible,
    (j, port) => this.runBuilt(j, port),
    (b, point, board) => this.begin(b, { kind: "build", neuron: point.neuron, board, seed: session.seed }),
  );
  private readonly jobs: Table<Job>;
  private known: Board[] = [];
  private rows = new Map<string, { j: Job; row: Row; validated: boolean }>();
  private ended = ""; // builds that were over when the boards were loaded
  private visible = false;

  constructor(private readonly prepare: () => void) {
    this.jobs = jobTable("jobs", "Verifications, builds, exports and runs", (j) => this.open(j.id));
    this.neuron.addEventListener("change", () => {
      session.neuron = this.neuron.value;
      keep();
      this.fill();
    });
    this.steps.addEventListener("change", () => {
      if (!this.steps.validity.valid) return;
      session.steps = this.steps.valueAsNumber;
      keep();
    });
    this.seed.addEventListener("change", () => {
      if (!this.seed.validity.valid) return;
      session.seed = this.seed.valueAsNumber;
      keep();
    });
    set(
      this.el,
      h("section", null, h("h2", null, "1. Board"), this.boards),
      h("section", { class: "card" }, h("h2", null, "2. Neuron"), field("Deployed", this.neuron), this.about, this.fits),
      h(
        "section",
        { class: "card" },
        h(
          "div",
          { class: "actions" },
          h(
            "div",
            null,
            h("h2", null, "Verify"),
            h("p", { class: "soft" }, "The hardware in simulation against the reference, every state at every step."),
            h("div", { class: "row ends" }, field("Steps", this.steps), this.verify),
            h("p", { class: "soft" }, "As many; more only if it takes more for 50 spikes and every corner of the arithmetic."),
          ),
          h(
            "div",
            null,
            h("h2", null, "Build"),
            h(
              "p",
              { class: "soft" },
              "Synthesis, place and route, bitstream for the chosen board. How to flash and run it is shown with it.",
            ),
            h("div", { class: "row ends" }, field("Seed of placement", this.seed), this.build),
          ),
          h(
            "div",
            null,
            h("h2", null, "Export"),
            h("p", { class: "soft" }, "One Verilog file, and a testbench with golden vectors."),
            h("div", { class: "row ends" }, this.export),
          ),
          h(
            "div",
            null,
            h("h2", null, "What accuracy costs"),
            h(
              "p",
              { class: "soft" },
              "All models of this fit at each word: score against what they take of the chosen board, estimated.",
            ),
            h("div", { class: "row ends" }, this.pareto),
          ),
        ),
      ),
      this.run.el,
      this.near,
      this.view.el,
      h("section", { class: "card" }, h("h2", null, "Jobs"), this.jobs.el),
    );
    on("jobs", () => {
      this.list();
      if (!this.visible) return;
      void this.offer();
      const ended = builds();
      if (ended !== this.ended) void this.load(); // a build has shown more
    });
    on("bench", () => this.visible && void this.offer());
  }

  show(): void {
    this.visible = true;
    if (session.neuron === "bench" && !present.s) this.prepare();
    this.list();
    void this.offer();
    void this.load();
    if (!job(session.job)) session.job = project.jobs.findLast((j) => j.kind !== "fit")?.id ?? null;
    this.view.open(session.job);
    if (session.job) history.replaceState(null, "", `#deploy/${session.job}`);
    emit("seen");
  }

  hide(): void {
    this.visible = false;
    emit("seen");
  }

  private async load(): Promise<void> {
    this.ended = builds();
    try {
      this.known = (await get<{ boards: Board[] }>("boards")).boards;
    } catch (error) {
      complain(error, this.near);
    }
    if (!this.known.some((b) => b.name === session.board)) session.board = this.known[0]?.name ?? null;
    this.fill();
  }

  private list(): void {
    this.jobs.update(project.jobs.filter((j) => j.kind !== "fit").reverse());
    this.jobs.choose(session.job);
  }

  /** The neurons that are offered: the bench and the models of finished fits, whose rankings are loaded one by one. */
  private async offer(): Promise<void> {
    const fits = project.jobs
      .filter((j) => j.kind === "fit" && over(j.state) && j.state !== "failed")
      .slice(-SEEN)
      .reverse();
    this.choices();
    for (const j of fits) {
      if (this.rows.has(`${j.id}:1`)) continue;
      const found = await ranking(j.id);
      for (const row of found?.rows ?? []) this.rows.set(`${j.id}:${row.rank}`, { j, row, validated: found!.validated });
    }
    this.choices();
    this.fill();
  }

  private choices(): void {
    const byJob = new Map<Job, [string, Row][]>();
    for (const [key, { j, row }] of this.rows) {
      const now = job(j.id);
      if (now) byJob.set(now, [...(byJob.get(now) ?? []), [key, row]]);
    }
    const options: (HTMLOptGroupElement | HTMLOptionElement)[] = [...byJob].map(([j, rows]) =>
      h(
        "optgroup",
        { label: `${j.title} · ${when(j.created)}` }, // two fits of one recording may have the same name
        rows.map(([key, r]) =>
          h("option", { value: key }, `${r.rank}. ${brief(r.model)} · ${r.word} bits · ${fix(r.combined_score)}`),
        ),
      ),
    );
    const bench = present.s
      ? `the bench: ${brief(present.model)} · ${present.word} bits`
      : "the bench: open a model in Models first";
    options.push(h("option", { value: "bench", disabled: !present.s }, bench));
    set(this.neuron, options);
    const values = [...this.neuron.options].filter((o) => !o.disabled).map((o) => o.value);
    // keep a choice whose ranking is not loaded yet
    this.neuron.value = values.includes(session.neuron) ? session.neuron : (values[0] ?? "bench");
  }

  private get deployed(): Deployed | null {
    const held = this.rows.get(this.neuron.value);
    if (held) {
      const { j, row, validated } = held;
      const settings = chosen(row.settings);
      return {
        neuron: { fit: j.id, rank: row.rank },
        model: row.model,
        settings: row.settings,
        word: row.word,
        dt: row.dt,
        span: row.i_span,
        recorded: (job(j.id) ?? j).files.some((f) => f.name === "traces.npz"),
        told: `Rank ${row.rank} of "${(job(j.id) ?? j).title}", begun ${when(j.created)}: ${row.model}${settings ? `, ${settings}` : ""}, ${row.word} bits, ${short(row.dt)} ms a step, current within ±${short(row.i_span, 3)} nA. Score ${fix(row.combined_score)}${validated ? " on held-out data" : ", not validated"}.`,
      };
    }
    const s = present.s;
    if (!s) return null;
    return {
      neuron: { model: present.model, settings: present.settings, word: present.word, dt: s.dt, i_span: s.i_span, codes: s.codes },
      model: present.model,
      settings: present.settings,
      word: present.word,
      dt: s.dt,
      span: s.i_span,
      recorded: false,
      told: `${present.model} as on the bench: ${present.word} bits, ${short(s.dt)} ms a step, current within ±${short(s.i_span, 3)} nA.`,
    };
  }

  private fill(): void {
    const d = this.deployed;
    say(this.about, d ? d.told : "Nothing to deploy yet: fit a recording in Auto-Fit, or open a model in Models.");
    const board = this.known.find((b) => b.name === session.board);
    const found = d && board && verdict(board, d);
    set(this.fits, found ? [mark(found), ` ${board.name}. ${found.why}`] : []);
    this.fits.hidden = !found;
    this.verdicts(board);
    this.verify.disabled = this.export.disabled = !d;
    this.pareto.disabled = !d || !("fit" in d.neuron) || !board?.estimated;
    this.build.disabled = !d || !board || !board.words.includes(d.word);
    this.run.fill(d, board?.name ?? null, !this.build.disabled);
    const focused = document.activeElement?.id;
    set(
      this.boards,
      this.known.map((b) => this.board(b, d)),
    );
    if (focused?.startsWith("board-")) document.getElementById(focused)?.focus();
  }

  private board(b: Board, d: Deployed | null): HTMLElement {
    const built = d ? b.builds.filter((x) => x.model === d.model && x.word === d.word) : [];
    const box = h("input", {
      type: "radio",
      name: "board",
      value: b.name,
      id: `board-${b.name}`,
      checked: b.name === session.board,
    });
    box.addEventListener("change", () => {
      session.board = b.name;
      keep();
      this.fill();
    });
    const on = b.name === session.board; // only its figures are shown: there are many boards
    return h(
      "div",
      { class: `card board${on ? " on" : ""}` },
      h("label", { class: "check" }, box, h("b", null, b.name), h("span", { class: "soft" }, `${b.family}, ${b.device}`)),
      on &&
        h(
          "dl",
          null,
          [
            ["cells", count(b.cells)],
            ["multipliers", b.multipliers ? `${count(b.multipliers)} of ${String(b.multiplier_bits)} bits` : "none"],
            ["block RAMs", `${count(b.block_rams)} of ${count(b.block_ram_bits)} bits`],
            ["clock", `${short(b.clock_mhz)} MHz`],
            ["words", b.words.join(", ")],
            ["source", b.source],
          ].map(([a, x]) => x && [h("dt", null, a), h("dd", null, x)]),
        ),
      d && h("p", { class: "board-fits" }, `${brief(d.model)}, ${d.word} bits: `, mark(verdict(b, d))),
      d && !b.words.includes(d.word) && h("p", { class: "warn" }, `Not built for a word of ${d.word} bits.`),
      on && d && h("h3", null, `Earlier builds of ${brief(d.model)}, ${d.word} bits`),
      on && d && !built.length && h("p", { class: "soft" }, "None yet."),
      on &&
        built.map((x) =>
          h(
            "div",
            { class: "shares" },
            share("cells", x.cells, b.cells),
            share("multipliers", x.multipliers, b.multipliers),
            share("block RAMs", x.block_rams, b.block_rams),
            h(
              "p",
              { class: "soft" },
              `${fix(x.mhz, 1)} MHz reached, ${short(b.clock_mhz)} MHz needed (from timing, not measured on a board)`,
            ),
          ),
        ),
    );
  }

  /** Say of each neuron that is offered whether it fits the chosen board. */
  private verdicts(board: Board | undefined): void {
    for (const option of this.neuron.options) {
      const row = this.rows.get(option.value)?.row;
      const s = present.s;
      const d: Design | null = row
        ? { ...row, span: row.i_span }
        : option.value === "bench" && s
          ? { model: present.model, settings: present.settings, word: present.word, dt: s.dt, span: s.i_span }
          : null;
      option.dataset["text"] ??= option.text;
      option.text = `${option.dataset["text"]}${d && board ? ` · ${verdict(board, d).short}` : ""}`;
    }
  }

  /** Choose the board and the neuron of a build, and lead to the form that runs it. */
  private runBuilt(j: Job, port: string): void {
    const which = j.settings["neuron"] as Neuron;
    const value = "fit" in which ? `${which.fit}:${which.rank}` : "bench";
    if ([...this.neuron.options].some((o) => o.value === value && !o.disabled)) session.neuron = this.neuron.value = value;
    session.board = String(j.settings["board"]);
    keep();
    this.fill();
    this.run.choosePort(port);
  }

  private start(b: HTMLButtonElement, kind: "verify" | "build" | "export" | "run"): void {
    const d = this.deployed;
    const asked = { verify: this.steps, build: this.seed, export: null, run: null }[kind];
    const run = kind === "run" ? this.run.asked() : {};
    if (!d || !run || asked?.reportValidity() === false) return;
    const more = {
      verify: { steps: this.steps.valueAsNumber },
      build: { board: session.board, seed: this.seed.valueAsNumber },
      export: {},
      run,
    }[kind];
    this.begin(b, { kind, neuron: d.neuron, ...more });
  }

  /** Show what the scores of the fit cost whose model is chosen. */
  private weigh(): void {
    const d = this.deployed;
    if (d && "fit" in d.neuron) this.begin(this.pareto, { kind: "pareto", fit: d.neuron.fit, board: session.board });
  }

  private begin(b: HTMLButtonElement, asked: object): void {
    void act(b, this.near, async () => {
      const j = await post<Job>("jobs", asked);
      hold(j);
      this.open(j.id);
    }).then(() => this.fill());
  }

  private open(id: string): void {
    session.job = id;
    keep();
    history.pushState(null, "", `#deploy/${id}`);
    this.jobs.choose(id);
    this.view.open(id);
    this.view.el.scrollIntoView({ block: "nearest" });
  }
}

/** The keys of the builds that are over. */
const builds = () =>
  project.jobs
    .filter((j) => j.kind === "build" && over(j.state))
    .map((j) => j.id)
    .join();

function mark(v: Verdict): HTMLElement {
  const [sign, look] = { fits: ["✓", "good"], "does not fit": ["✕", "bad"], "not tried": ["?", "soft"] }[v.short] as [
    string,
    string,
  ];
  return h("b", { class: look, "data-verdict": v.short }, `${sign} ${v.short}`);
}
