// The Trace view: shows a recording.
import { Cursors } from "../charts/cursors";
import { Group } from "../charts/group";
import { ticks, times } from "../charts/marks";
import { Plot } from "../charts/plot";
import { StimulusWindow } from "../charts/stimulusWindow";
import type { Feature, Recording, Trace } from "../state/api";
import { later } from "../state/later";
import { choose, chooseSweep, project, recording, sweep } from "../state/project";
import { put, remove, trace } from "../state/server";
import { keep, session } from "../state/session";
import { emit, on } from "../state/topics";
import { forget, under, whole } from "../state/traces";
import { button, check, choices, h, say, select, set } from "../ui/elements";
import { fix, plural } from "../ui/format";
import { act, complain, tell } from "../ui/messages";
import { SameBox } from "../ui/sameBox";
import { Table } from "../ui/table";
import { FEATURE_COLUMNS } from "./featureColumns";
import { refused } from "./importing";
import { Measurements } from "./measurements";
import { noRecording, showFacts } from "./recordingFacts";

const MANY = 30; // number of other sweeps that are shown faintly, at most
const ROOM = 4e6; // samples of these sweeps together, at most

export class TraceView {
  readonly el = h("div", { class: "view" });
  private readonly list = h("ul", { id: "recordings", class: "list", "aria-label": "Recordings" });
  private readonly facts = h("div", { id: "facts" });
  private readonly picker = select("sweep", []);
  private readonly group = new Group("trace");
  private readonly voltage: Plot;
  private readonly current: Plot;
  private readonly handles: StimulusWindow;
  private readonly windowText = h("span", { id: "window", class: "soft" });
  private readonly features: Table<Feature>;
  private readonly featuresOf = h("p", { class: "soft" });
  private readonly near = h("p", { class: "bad", hidden: true });
  private readonly cursors: Cursors;
  private readonly measurements = new Measurements(this.near);
  private readonly othersNote = h("span", { id: "sweep-others", class: "soft" });
  private readonly same = new SameBox();
  private readonly empty: HTMLElement;
  private readonly full = h("div", { class: "split" });
  private readonly bucket = h("span", { id: "decimated", class: "soft" });
  private readonly setWindow: HTMLButtonElement;
  private overview: Trace | null = null;
  private detail: Trace | null = null;
  private spikes: number[] = [];
  private loaded = "";
  private of: string | null = null; // recording to which the zoom belongs
  private readonly windows = new Map<string, [number, number]>(); // stimulus windows that the user has set, by sweep
  private faint: string | null = null; // recording whose other sweeps are shown faintly
  private turn = 0; // number of the latest choice; answers to older ones are ignored

  constructor() {
    this.voltage = new Plot(this.group, {
      id: "trace-voltage",
      label: "Recorded voltage over time",
      unit: "mV",
      height: 320,
      top: 26,
      series: [{ label: "voltage", colour: "recorded" }],
      before: (u) => this.handles.shade(u),
      after: (u) => {
        ticks(u, this.spikes, 4 * devicePixelRatio, 15 * devicePixelRatio, "accent");
        this.handles.place();
        this.cursors.place();
      },
    });
    this.current = new Plot(this.group, {
      id: "trace-current",
      label: "Injected current over time",
      unit: "nA",
      height: 170,
      time: "time, ms",
      series: [{ label: "current", colour: "current" }],
      before: (u) => this.handles.shade(u),
    });
    this.handles = new StimulusWindow(
      () => this.voltage,
      (w) => {
        this.say(w);
        this.current.u.redraw(false, false);
      },
      (w) => void this.release(w),
    );
    this.handles.attach();
    this.cursors = new Cursors(
      () => this.voltage,
      () => recording()?.dt ?? 1,
      () => this.read(),
    );
    this.cursors.attach();
    this.features = new Table<Feature>(FEATURE_COLUMNS, { id: "features", label: "Features of the sweep", key: (f) => f.name });
    this.setWindow = button("measure", "Measure", () => {
      const s = sweep();
      const w = this.handles.window ?? (s ? ([0.1 * s.duration, 0.9 * s.duration] as [number, number]) : null);
      if (w) void act(this.setWindow, this.near, () => this.release(w));
    });
    this.group.moved.push(() => {
      if ((this.overview?.bucket ?? 1) > 1) {
        if (this.detail && !covers(this.detail, this.group)) {
          this.detail = null;
          this.draw();
        }
        this.refine();
      }
    });
    this.picker.addEventListener("change", () => chooseSweep(Number(this.picker.value)));
    this.empty = noRecording();
    set(this.el, refused, this.empty, this.full);
    this.layout();
    on("recordings", () => this.lists());
    on("recording", () => void this.show());
    on("sweep", () => void this.load());
  }

  private layout(): void {
    const step = (by: number) => {
      const all = recording()?.sweeps ?? [];
      const at = all.findIndex((s) => s.index === session.sweep);
      const next = all[at + by];
      if (next) chooseSweep(next.index);
    };
    set(
      this.full,
      h("aside", null, h("h2", null, "Recordings"), this.list, this.facts, this.same.el),
      h(
        "div",
        { class: "main" },
        h(
          "div",
          { class: "row bar-top" },
          h("label", { for: "sweep" }, "Sweep"),
          this.picker,
          button("sweep-previous", "‹", () => step(-1), { class: "small", "aria-label": "Previous sweep" }),
          button("sweep-next", "›", () => step(1), { class: "small", "aria-label": "Next sweep" }),
          check("sweep-all", "all sweeps, the others faintly", session.all, (all) => {
            session.all = all;
            keep();
            void this.others();
          }),
          this.othersNote,
          check("cursors", "cursors", false, (on) => this.cursors.show(on)),
          h("span", { class: "push" }, this.group.tools),
        ),
        this.voltage.el,
        this.current.el,
        this.measurements.el,
        h("p", { class: "row" }, this.windowText, this.setWindow, this.bucket),
        this.near,
        this.featuresOf,
        this.features.el,
      ),
    );
  }

  async show(): Promise<void> {
    const r = recording();
    this.lists();
    if (!r) return;
    choices(
      this.picker,
      r.sweeps.map((s) => [String(s.index), `${s.name} · ${plural(s.spikes, "spike")}`]),
      String(session.sweep),
    );
    this.same.update(r);
    showFacts(this.facts, r);
    await this.load();
  }

  private lists(): void {
    this.empty.hidden = project.recordings.length > 0;
    this.full.hidden = !recording();
    set(
      this.list,
      project.recordings.map((x) => this.entry(x)),
    );
  }

  private entry(r: Recording): HTMLElement {
    const now = r.id === session.recording;
    return h(
      "li",
      null,
      h(
        "button",
        { type: "button", class: "entry", "aria-current": now ? "true" : null, onclick: () => choose(r.id) },
        h("b", null, r.name),
        h(
          "span",
          { class: "soft" },
          `${plural(r.sweeps.length, "sweep")} · ${plural(
            r.sweeps.reduce((n, s) => n + s.spikes, 0),
            "spike",
          )}`,
        ),
      ),
      button(null, "×", (e) => void act(e.currentTarget as HTMLButtonElement, undefined, () => this.discard(r)), {
        class: "small",
        "aria-label": `Remove ${r.name}`,
        title: "Remove this recording from the project",
      }),
    );
  }

  private async discard(r: Recording): Promise<void> {
    const users = project.jobs.filter((j) => j.recording === r.id).map((j) => `"${j.title}"`);
    const lost = users.length ? `\n\nUsed by ${users.join(", ")}: their overlays go with it; a paused fit cannot be resumed.` : "";
    if (!confirm(`Remove ${r.name} from the project? The file it came from is not touched.${lost}`)) return;
    await remove(`recordings/${r.id}`);
    forget(r.id);
    project.recordings = project.recordings.filter((x) => x.id !== r.id);
    if (session.recording === r.id) session.recording = project.recordings.at(-1)?.id ?? null;
    emit("recordings");
    choose(session.recording);
    tell(`${r.name} was removed.`);
  }

  private async load(): Promise<void> {
    const [r, s] = [recording(), sweep()];
    if (!r || !s) return;
    const key = `${r.id}/${s.index}/${s.current !== null}`;
    this.picker.value = String(s.index);
    if (key === this.loaded) return; // unchanged: keep the zoom and the measurements
    const turn = ++this.turn;
    this.loaded = key;
    this.features.update([]);
    this.featuresOf.textContent = "";
    this.near.hidden = true;
    try {
      const { trace: t, spikes } = await whole(r.id, s.index);
      if (turn !== this.turn) return;
      this.overview = t;
      this.detail = null;
      this.spikes = spikes;
      const full: [number, number] = [t.t0, t.t0 + t.step * Math.max(1, t.voltage.length - 1)];
      // keep the zoom when the sweep changes, if the new sweep is long enough
      this.group.extent(full, this.of !== r.id || full.join() !== this.group.full.join());
      this.of = r.id;
      this.current.el.hidden = !t.current;
      const w = this.windows.get(`${r.id}/${s.index}`) ?? s.window;
      this.handles.show(w, this.group.full);
      this.say(w);
      this.draw();
      if (t.bucket > 1) this.refine();
      requestAnimationFrame(() => setTimeout(() => performance.mark("trace-drawn"))); // when it is visible on the screen
      if (session.all) void this.others();
    } catch (error) {
      if (turn !== this.turn) return;
      this.loaded = "";
      complain(error, this.near);
    }
  }

  private draw(): void {
    const t = this.detail ?? this.overview!;
    const x = times(t.voltage.length, t.t0, t.step);
    this.voltage.set([x, t.voltage], session.all && this.faint === session.recording ? undefined : []);
    if (t.current)
      this.current.set(
        [x, t.current],
        t.recorded ? [{ t0: t.t0, step: t.step, v: t.recorded, colour: "recorded", alpha: 0.5, label: "as recorded" }] : [],
      );
    this.read();
    this.bucket.textContent = t.bucket > 1 ? `Drawn from extremes of each ${t.bucket} samples: zoom in for all of them.` : "";
  }

  /** Measure at the cursors. */
  private read(): void {
    this.measurements.show(this.cursors, this.detail ?? this.overview, recording(), sweep());
  }

  /** Long sweeps are sent with fewer points. When the zoom rests, load all samples of the visible part. */
  private readonly refine = later(250, () => {
    const { min, max, full } = this.group;
    const [r, s, turn] = [recording(), sweep(), this.turn];
    if (!r || !s || max - min > 0.98 * (full[1] - full[0])) return;
    if (this.detail && this.detail.bucket === 1 && covers(this.detail, this.group)) return;
    const margin = (max - min) / r.dt < 4e5 ? (max - min) / 2 : 0; // load a margin too, so that a small move needs no new request
    trace(r.id, s.index, [Math.max(full[0], min - margin), Math.min(full[1], max + margin)]).then((t) => {
      if (turn !== this.turn || !t.voltage.length) return;
      this.detail = t;
      this.draw();
    }, complain);
  });

  private async others(): Promise<void> {
    const [r, turn] = [recording(), this.turn];
    if (!r || !this.overview) return;
    const others = r.sweeps.filter((s) => s.index !== session.sweep);
    const wanted = others.slice(0, MANY);
    const long = wanted.reduce((n, s) => n + s.samples, 0) > ROOM;
    say(
      this.othersNote,
      !session.all
        ? ""
        : long
          ? "(too long to be shown together)"
          : others.length > MANY
            ? `(the first ${MANY} of the others)`
            : "",
    );
    if (!session.all || long) return this.voltage.set(this.voltage.u.data, []);
    try {
      const all = await Promise.all(wanted.map((s) => whole(r.id, s.index)));
      if (turn !== this.turn || !session.all) return;
      this.faint = r.id;
      this.voltage.set(
        this.voltage.u.data,
        all.map((x) => under(x.trace, "current", undefined, 0.3)),
      );
    } catch (error) {
      complain(error);
    }
  }

  private say(w: [number, number] | null): void {
    this.windowText.textContent = w ? `Stimulus from ${fix(w[0], 1)} to ${fix(w[1], 1)} ms.` : "No stimulus window was found.";
    this.setWindow.textContent = w ? "Measure within it" : "Set a window";
  }

  private async release(w: [number, number]): Promise<void> {
    const [r, s] = [recording(), sweep()];
    if (!r || !s) return;
    try {
      const found = await put<{ features: Feature[] }>(`recordings/${r.id}/window`, { sweep: s.index, window: w });
      this.windows.set(`${r.id}/${s.index}`, w);
      if (session.recording !== r.id || session.sweep !== s.index) return;
      this.handles.show(w, this.group.full);
      this.say(w);
      this.voltage.u.redraw(false, false);
      this.current.u.redraw(false, false);
      this.features.update(found.features);
      this.featuresOf.textContent = `Features of sweep ${s.name} from ${fix(w[0], 1)} to ${fix(w[1], 1)} ms:`;
      this.near.hidden = true;
    } catch (error) {
      complain(error, this.near);
    }
  }
}

function covers(t: Trace, group: Group): boolean {
  const slack = 2 * t.step;
  return t.t0 <= group.min + slack && t.t0 + t.step * (t.voltage.length - 1) >= group.max - slack;
}
