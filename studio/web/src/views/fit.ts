// The Auto-Fit view: starts a fit, follows it, and shows its ranking.
import { Losses } from "../charts/losses";
import type { Job, JobState } from "../state/api";
import type { JobEvent, Ranking, Split } from "../state/events";
import { command, follow, over } from "../state/jobs";
import { brief, job, project } from "../state/project";
import { keep, session } from "../state/session";
import { emit, on } from "../state/topics";
import { button, h, set } from "../ui/elements";
import { finite } from "../ui/format";
import { act } from "../ui/messages";
import { SameBox } from "../ui/sameBox";
import { Table } from "../ui/table";
import { FitSetup } from "./fitSetup";
import { type Live, Fitted } from "./fittedModel";
import { JobLabel } from "./jobLabel";
import { jobTable, told } from "./jobTable";
import { JobTime } from "./jobTime";
import { mark, rankingTable } from "./rankingTable";
import { type Mark, ScaleLines } from "./scaleLines";
import { LOSSES } from "./scoreTiles";

const SHOWN = 3; // number of models on the scale, at most

export class FitView {
  readonly el = h("div", { class: "view" });
  private readonly setup: FitSetup;
  private readonly table: Table<Live>;
  private readonly earlier: Table<Job>;
  private readonly losses = new Losses();
  private readonly scale = new ScaleLines("fit-scale");
  private readonly fitted: Fitted;
  private readonly running = h("section", { id: "fit-job", class: "card", "aria-label": "Fit", hidden: true });
  readonly title = h("h2");
  readonly badge = h("span", { id: "fit-state", role: "status" });
  private readonly pause = button("fit-pause", "Pause", () => this.order(this.pause, "pause"));
  readonly resume = button("fit-resume", "Resume", () => this.order(this.resume, "resume"));
  readonly cancel = button("fit-cancel", "Cancel", () => this.order(this.cancel, "cancel"));
  readonly near = h("p", { class: "bad", hidden: true });
  private readonly verdict = h("div", { id: "fit-outcome" });
  private readonly notices = h("ul", { id: "fit-notices", class: "soft" });
  readonly files = h("div", { id: "fit-files" });
  readonly same = new SameBox();
  readonly label = new JobLabel("fit-label");
  readonly time = new JobTime("fit-time", () => this.fitted.visible);
  private models = new Map<string, Live>();
  private found: Ranking | null = null;
  private held: Split["held_out"] = [];
  private told: string[] = [];
  private ended: JobState | null = null;
  private stop: (() => void) | null = null;
  private following: string | null = null;
  private first = true;
  private readonly fresh = h("details", { id: "fit-new", open: true });

  constructor(openBench: () => void, openDeploy: () => void) {
    this.fitted = new Fitted(
      () => this.showing,
      () => this.held,
      openBench,
      openDeploy,
    );
    this.table = rankingTable(
      () => this.found,
      (model) => this.pick(model),
    );
    this.earlier = jobTable("fits", "Fits", (j) => this.open(j.id));
    this.setup = new FitSetup((j) => this.open(j.id));
    this.layout();
    on("jobs", () => this.head());
    on("recording", () => this.setup.show());
    on("recordings", () => this.fitted.soon());
  }

  private layout(): void {
    set(
      this.running,
      h(
        "div",
        { class: "row" },
        this.title,
        this.badge,
        this.time.el,
        h("span", { class: "push row" }, this.label.tools, this.pause, this.resume, this.cancel),
      ),
      this.label.el,
      this.near,
      this.verdict,
      this.table.el,
      this.scale.el,
      this.losses.el,
      this.notices,
      this.fitted.el,
      this.files,
      this.same.el,
    );
    set(
      this.fresh,
      h("summary", null, "New fit"),
      h("div", { class: "halves" }, h("div", { class: "card" }, this.setup.el), this.setup.measured),
    );
    set(this.el, this.fresh, this.running, h("section", { class: "card" }, h("h2", null, "Fits of this project"), this.earlier.el));
  }

  show(): void {
    this.fitted.visible = true;
    this.setup.show();
    if (!job(session.fit)) session.fit = project.jobs.findLast((j) => j.kind === "fit")?.id ?? null;
    if (session.fit && session.fit !== this.following) this.open(session.fit, false);
    if (this.first && session.fit) this.fresh.open = false; // after a reload, the fit is shown and the form is closed
    this.first = false;
    if (session.fit) history.replaceState(null, "", `#fit/${session.fit}`);
    this.head();
    this.fitted.soon();
    emit("seen");
  }

  hide(): void {
    this.fitted.visible = false;
    emit("seen");
  }

  /** The model that the user has chosen, or else the best so far. */
  private get showing(): Live | undefined {
    return this.models.get(session.row ?? "") ?? this.ranked().find((l) => l.row ?? l.better);
  }

  private open(id: string, scroll = true): void {
    if (session.fit !== id) session.row = null;
    session.fit = id;
    keep();
    this.stop?.();
    this.following = id;
    this.reset();
    this.stop = follow(
      id,
      (events) => this.take(events),
      () => this.fitted.visible,
    );
    this.head();
    if (!scroll) return;
    history.pushState(null, "", `#fit/${id}`);
    this.running.scrollIntoView({ block: "start" });
  }

  private reset(): void {
    this.models = new Map();
    this.found = null;
    this.held = [];
    this.told = [];
    this.ended = null;
    this.fitted.reset();
    this.losses.reset();
    const asked = job(session.fit)?.settings["models"];
    if (Array.isArray(asked)) for (const m of asked as string[]) this.live(m);
    this.fill();
  }

  private live(model: string): Live {
    let l = this.models.get(model);
    if (!l)
      this.models.set(
        model,
        (l = {
          model,
          evaluations: 0,
          budget: Number(job(session.fit)?.settings["budget"] ?? 0),
          loss: null,
          share: 1,
          folding: false,
          better: null,
          row: null,
        }),
      );
    return l;
  }

  private take(events: JobEvent[]): void {
    for (const e of events) {
      if (e.type === "progress") {
        const l = this.live(e.model);
        Object.assign(l, { evaluations: e.evaluations, budget: e.budget });
        if (e.remaining !== undefined) this.time.remaining(e.remaining);
        if (l.folding) continue;
        l.loss = e.loss;
        this.losses.add(e.model, e.evaluations, e.loss);
      } else if (e.type === "portion") {
        const l = this.live(e.model);
        // a search without a fold begins anew: its losses and parameters are not those of the result
        l.folding ||= l.evaluations > 0 && e.share <= l.share && this.folded;
        if (l.folding) continue;
        l.share = e.share;
        this.losses.portion(e.model, e.evaluations, e.share);
      } else if (e.type === "split") this.held = e.held_out;
      else if (e.type === "better") {
        const l = this.live(e.model);
        if (l.folding) continue;
        l.better = e;
      } else if (e.type === "notice") this.told.push(e.text);
      else if (e.type === "ranking") {
        this.found = e;
        for (const row of e.rows) this.live(row.model).row = row;
      } else if (e.type === "state") {
        this.ended = over(e.state) ? e.state : null;
        if (e.state !== "running") this.time.remaining(null);
        if (e.state === "failed" && e.error) this.told.push(e.error);
      }
    }
    this.fill();
    this.losses.redraw();
    this.fitted.soon();
  }

  private ranked(): Live[] {
    return [...this.models.values()].sort(
      (a, b) => (a.row?.rank ?? 1e3) - (b.row?.rank ?? 1e3) || (a.loss ?? Infinity) - (b.loss ?? Infinity) || 0,
    );
  }

  private get folded(): boolean {
    return !!job(session.fit)?.settings["folds"];
  }

  private fill(): void {
    this.table.update(this.ranked());
    this.table.choose(this.showing?.model ?? null);
    set(
      this.notices,
      this.told.map((t) => h("li", null, t)),
    );
    const f = this.found;
    this.scale.show(f?.scale, this.marks(), f?.scale_sentences ?? []);
    set(
      this.verdict,
      !f && this.ended === "cancelled" && h("p", null, "It was cancelled before it had a result."),
      f && [
        f.validated
          ? h("p", null, `Ranked on data that the search did not see: ${f.how}.`)
          : h("p", { class: "notice warn", id: "not-validated" }, h("b", null, "Not validated. "), `${f.how}.`),
        f.tie && h("p", null, f.tie),
        f.outcome && h("p", null, f.outcome),
        h("p", { class: "soft" }, LOSSES),
        this.folded && h("p", { class: "soft" }, "The search losses are of the search on everything, not of those without a fold."),
        f.ended_early.length > 0 &&
          h("p", { class: "soft" }, `Stopped early, as they cannot come among the first: ${f.ended_early.map(brief).join(", ")}.`),
      ],
    );
  }

  /** The ranked models on the scale, the chosen one first. */
  private marks(): Mark[] {
    const chosen = this.showing?.model;
    const rows = (this.found?.rows ?? []).filter((r) => finite(r.combined_score));
    rows.sort((a, b) => Number(b.model === chosen) - Number(a.model === chosen) || a.rank - b.rank);
    return rows.slice(0, SHOWN).map(mark);
  }

  private head(): void {
    const fits = project.jobs.filter((j) => j.kind === "fit");
    this.earlier.update([...fits].reverse());
    this.earlier.choose(session.fit);
    const j = job(session.fit);
    this.running.hidden = !j;
    if (!j) {
      this.stop?.();
      this.following = null;
      return;
    }
    this.pause.hidden = j.state !== "running";
    told(this, j);
    this.fill();
  }

  private order(b: HTMLButtonElement, what: "pause" | "resume" | "cancel"): void {
    const j = job(session.fit);
    if (!j) return;
    void act(b, this.near, () => command(j.id, what));
  }

  private pick(model: string): void {
    session.row = model;
    keep();
    this.fill();
    this.fitted.again();
  }
}
