// Shows a running or finished verification, build, export, run or front: steps, log, checks, report, chart, files.
import type { Job } from "../state/api";
import type { BuildReport, Check, Front, FrontPoint, JobEvent } from "../state/events";
import { command, follow, over } from "../state/jobs";
import { brief, job } from "../state/project";
import { source } from "../state/server";
import { on } from "../state/topics";
import { button, h, say, set } from "../ui/elements";
import { count, fix, short } from "../ui/format";
import { act } from "../ui/messages";
import { SameBox } from "../ui/sameBox";
import { share } from "../ui/share";
import { Table } from "../ui/table";
import { afterBuild } from "./afterBuild";
import { FrontResult } from "./frontResult";
import { JobLabel } from "./jobLabel";
import { told } from "./jobTable";
import { JobTime } from "./jobTime";
import { RunResult } from "./runResult";

interface Step {
  name: string;
  state: "start" | "done";
  texts: string[];
}

const LOG = 200_000; // characters of the log that the page keeps; the complete log is among the files

export class JobView {
  readonly el = h("section", { id: "job", class: "card", hidden: true, "aria-label": "Job" });
  readonly title = h("h2");
  readonly badge = h("span", { id: "job-state", role: "status" });
  readonly resume = button("job-resume", "Resume", () => this.order(this.resume, "resume"));
  readonly cancel = button("job-cancel", "Cancel", () => this.order(this.cancel, "cancel"));
  readonly near = h("p", { class: "bad", hidden: true });
  private readonly steps = h("ol", { id: "job-steps", class: "steps" });
  private readonly log = h("pre", { id: "job-log", class: "log", tabindex: 0, "aria-label": "Log", hidden: true });
  private readonly verdict = h("p", { id: "verdict", role: "status" });
  private readonly checks: Table<Check>;
  private readonly report = h("div", { id: "report" });
  private readonly run = new RunResult();
  private readonly front: FrontResult;
  readonly files = h("div", { id: "job-files" });
  readonly same = new SameBox();
  readonly label = new JobLabel("job-label");
  readonly time: JobTime;
  private id: string | null = null;
  private stop: (() => void) | null = null;
  private done: Step[] = [];
  private rows: Check[] = [];
  private built: BuildReport | null = null;
  private costs: Front | null = null;

  /** `rerun` leads to the form that runs the neuron of a build at a port; `build` builds a point of a front for its board. */
  constructor(
    private readonly visible: () => boolean,
    private readonly rerun: (j: Job, port: string) => void,
    build: (b: HTMLButtonElement, point: FrontPoint, board: string) => void,
  ) {
    this.front = new FrontResult(build);
    this.time = new JobTime("job-time", visible);
    const number = (head: string, f: (c: Check) => number) => ({ head, value: f, show: (c: Check) => count(f(c)) });
    this.checks = new Table<Check>(
      [
        { head: "stimulus", value: (c) => c.stimulus, left: true },
        number("steps", (c) => c.steps),
        number("spikes", (c) => c.spikes),
        number("saturations", (c) => c.saturations),
        number("mismatches", (c) => c.mismatches),
      ],
      {
        id: "checks",
        label: "Hardware against the reference",
        key: (c) => c.stimulus,
      },
    );
    set(
      this.el,
      h(
        "div",
        { class: "row" },
        this.title,
        this.badge,
        this.time.el,
        h("span", { class: "push row" }, this.label.tools, this.resume, this.cancel),
      ),
      this.label.el,
      this.near,
      this.verdict,
      this.steps,
      this.checks.el,
      this.run.el,
      this.front.el,
      this.report,
      this.log,
      this.files,
      this.same.el,
    );
    on("jobs", () => this.head());
  }

  open(id: string | null): void {
    if (id !== this.id || id === null) {
      this.stop?.();
      this.id = id;
      this.reset();
      this.stop = id && job(id) ? follow(id, (events) => this.take(events), this.visible) : null;
    }
    this.head();
  }

  private reset(): void {
    this.done = [];
    this.rows = [];
    this.built = this.costs = null;
    this.run.reset();
    this.log.textContent = "";
    this.log.hidden = true;
    this.fill();
  }

  private take(events: JobEvent[]): void {
    const text: string[] = [];
    for (const e of events) {
      if (e.type === "step") {
        let step = this.done.find((s) => s.name === e.name);
        if (!step) this.done.push((step = { name: e.name, state: "start", texts: [] }));
        if (e.state === "note") step.texts.push(e.text);
        else {
          step.state = e.state;
          if (e.text) step.texts = e.state === "done" ? [e.text] : [...step.texts, e.text];
        }
      } else if (e.type === "log") text.push(e.text.endsWith("\n") ? e.text : `${e.text}\n`);
      else if (e.type === "checks") this.rows = e.rows;
      else if (e.type === "report") this.built = e;
      else if (e.type === "front") this.costs = e;
      else if (e.type === "samples" || e.type === "run") this.run.take(e);
      else if (e.type === "notice") this.done.push({ name: "notice", state: "done", texts: [e.text] });
    }
    if (text.length) this.append(text.join(""));
    this.fill();
  }

  private append(text: string): void {
    const low = this.log.scrollHeight - this.log.scrollTop - this.log.clientHeight < 30;
    this.log.hidden = false;
    this.log.append(text);
    if (this.log.textContent!.length > LOG) this.log.textContent = `…\n${this.log.textContent!.slice(-LOG / 2)}`;
    if (low) this.log.scrollTop = this.log.scrollHeight; // follow the log, unless the user scrolled up
  }

  private head(): void {
    const j = job(this.id);
    this.el.hidden = !j;
    if (!j) {
      this.stop?.();
      this.stop = null;
      this.id = null;
      return;
    }
    told(this, j);
    this.fill();
  }

  private fill(): void {
    const j = job(this.id);
    set(
      this.steps,
      this.done.map((s) =>
        h(
          "li",
          { class: s.state },
          h("b", null, `${s.state === "done" ? "✓" : over(j?.state) ? "–" : "▸"} ${s.name}`),
          s.texts.length > 0 && h("span", { class: "soft" }, `  ${s.texts.join("; ")}`),
        ),
      ),
    );
    this.checks.update(this.rows);
    this.checks.el.hidden = this.rows.length === 0;
    this.run.fill();
    this.front.fill(j, this.costs);
    const found = this.run.verdict ?? this.verified();
    say(this.verdict, found?.text ?? "");
    this.verdict.className = found?.good === false ? "bad verdict" : "good verdict";
    this.fillReport(j);
  }

  /** Whether the hardware is the reference, in all checks of a verification; null before they are there. */
  private verified(): { good: boolean; text: string } | null {
    if (!this.rows.length) return null;
    const wrong = this.rows.reduce((n, c) => n + c.mismatches, 0);
    const steps = this.rows.reduce((n, c) => n + c.steps, 0);
    const asked = Number(job(this.id)?.settings["steps"]);
    const more = steps > asked ? `: ${count(asked)} were asked, but 50 spikes and every corner of the arithmetic take as many` : "";
    return wrong
      ? {
          good: false,
          text: `✕ ${count(wrong)} mismatches over ${count(steps)} steps in simulation: the hardware is not the reference.`,
        }
      : { good: true, text: `✓ bit-exact over ${count(steps)} steps in simulation${more}.` };
  }

  private fillReport(j: Job | undefined): void {
    const r = this.built;
    if (!r) return set(this.report);
    if (this.report.dataset["of"] === `${j?.id}${r.mhz}` && this.report.childElementCount) return; // do not load the picture again
    this.report.dataset["of"] = `${j?.id}${r.mhz}`;
    const enough = r.mhz >= r.clock_mhz;
    set(
      this.report,
      h("h3", null, `${brief(r.model)}, ${r.word} bits, on ${r.board}`),
      h(
        "div",
        { class: "shares" },
        share("cells", ...r.cells),
        share("multipliers", ...r.multipliers),
        share("block RAMs", ...r.block_rams),
      ),
      h(
        "dl",
        null,
        h("dt", null, "clock"),
        h(
          "dd",
          { class: enough ? "" : "bad" },
          `${fix(r.mhz, 1)} MHz reached, ${short(r.clock_mhz)} MHz needed${r.pll ? ", from a PLL" : ""}${enough ? "" : ": too slow"} – from timing, not measured on a board`,
        ),
        h("dt", null, "a step"),
        h("dd", null, `${count(r.latency)} clocks until its result, a new neuron every ${count(r.interval)} clocks`),
        // reports of earlier versions say only what the arithmetic could do
        ...(r.steps_per_second === undefined || r.baud === undefined
          ? []
          : [
              h("dt", null, "neurons"),
              h("dd", null, `${count(r.neurons)} in this bitstream`),
              ...(r.free_run === undefined
                ? []
                : [
                    h("dt", null, "free-run"),
                    h("dd", null, `${short(r.free_run, 6)} times real time, counted from the clock, not measured on a board`),
                  ]),
              h("dt", null, "lockstep"),
              h(
                "dd",
                null,
                `${count(r.steps_per_second)} steps a second at ${count(r.baud)} baud: ${r.times_real_time} times real time`,
              ),
            ]),
        h("dt", null, "arithmetic"),
        h(
          "dd",
          null,
          `enough for ${count(r.possible_neurons ?? r.neurons)} neurons in real time – computed from timing, not run on a board`,
        ),
        h("dt", null, "bitstream"),
        h(
          "dd",
          null,
          h(
            "a",
            { href: source(`jobs/${j!.id}/files/${encodeURIComponent(r.bitstream)}`), download: r.bitstream, id: "bitstream" },
            r.bitstream,
          ),
        ),
      ),
      afterBuild(j!, r, (port) => this.rerun(j!, port)),
      r.floorplan &&
        h(
          "figure",
          null,
          h("img", {
            id: "floorplan",
            src: source(`jobs/${j!.id}/files/${encodeURIComponent(r.floorplan)}`),
            alt: `Floorplan of ${brief(r.model)} on ${r.board}, from place and route`,
          }),
          h("figcaption", null, "Floorplan, from place and route."),
        ),
    );
  }

  private order(b: HTMLButtonElement, what: "resume" | "cancel"): void {
    const j = job(this.id);
    if (!j) return;
    void act(b, this.near, () => command(j.id, what));
  }
}
