// What the page knows of the project, and what it looked like: kept by the server, given back at the next load.
import { type Card, type Job, type Project, type Recording, type Settings, type Sweep, get, put } from "./api";
import { forget } from "./traces";
import { complain, later } from "./ui";

/** A neuron on the bench: what its sliders say. */
export interface Bench {
  settings: Settings;
  params: Record<string, number>;
  touched?: boolean; // by the user: another recording then does not set it anew
  preset?: string; // "start", or the name of what its parameters are
  codes?: Record<string, number>; // of a fit, until a slider moves
  i_span?: number; // the one these codes are for
  from?: string; // "rank 1 of cell.abf": where it came from
}
export interface Session {
  tab: string;
  recording: string | null;
  sweep: number;
  all: boolean; // the other sweeps, faintly
  model: string | null;
  word: number;
  dt: number;
  driven: "recording" | "step";
  stimulus: { amplitude: number; start: number; stop: number; duration: number };
  ideal: boolean;
  benches: Record<string, Bench>; // by model
  fit: string | null; // the job that Auto-Fit shows
  setup: {
    models: string[] | null;
    word: number;
    dt: number;
    budget: number;
    held_out: string;
    folds: number | null;
    seed: number;
  };
  row: string | null; // the model that Auto-Fit overlays
  neuron: string; // "bench", JOB:RANK, or "": the best of the newest fit
  board: string | null;
  job: string | null; // the job that Deploy shows
  steps: number;
  seed: number;
}

export const session: Session = {
  tab: "trace",
  recording: null,
  sweep: 0,
  all: false,
  model: null,
  word: 18,
  dt: 0.1,
  driven: "recording",
  stimulus: { amplitude: 0.5, start: 100, stop: 600, duration: 700 },
  ideal: true,
  benches: {},
  fit: null,
  setup: { models: null, word: 18, dt: 0.1, budget: 20000, held_out: "auto", folds: null, seed: 0 },
  row: null,
  neuron: "",
  board: null,
  job: null,
  steps: 20000,
  seed: 1,
};

export const project: Project = { name: "", version: "", recordings: [], jobs: [], session: {} };
export let cards: Card[] = [];

// "seen": the page or a view of it came into sight, or went out of it
type Topic = "recordings" | "recording" | "sweep" | "jobs" | "bench" | "theme" | "seen";
const listeners = new Map<Topic, (() => void)[]>();

/** Returns what ends it. */
export function on(topic: Topic, what: () => void): () => void {
  listeners.set(topic, [...(listeners.get(topic) ?? []), what]);
  return () =>
    void listeners.set(
      topic,
      (listeners.get(topic) ?? []).filter((x) => x !== what),
    );
}

let told = 0; // changes of recordings and jobs by this page

export function emit(topic: Topic): void {
  if (topic === "recordings" || topic === "jobs") told++;
  for (const what of listeners.get(topic) ?? []) what();
}

/** To the server, soon; call it after any change of `session`. */
export const keep = later(500, () => {
  put("session", session).catch(complain);
});

let coming: Promise<void> | null = null;
/** The models: the first time, the server may need a while for them. */
export function loadCards(): Promise<void> {
  coming ??= get<{ models: Card[] }>("models").then(
    (found) => void (cards = found.models),
    (error: unknown) => {
      coming = null; // asked again at the next look
      throw error;
    },
  );
  return coming;
}

type Odd = Record<string, unknown>;
const table = (x: unknown): x is Odd => typeof x === "object" && x !== null && !Array.isArray(x);

/** What was kept into what it is now, field by field, only where it still is of its kind: another version may have kept it. */
function restore(into: Odd, kept: Odd): void {
  for (const [key, now] of Object.entries(into)) {
    const was = kept[key];
    if (key === "benches") into[key] = benches(was);
    else if (table(now)) table(was) && restore(now, was);
    else if (now !== null ? typeof was === typeof now : was === null || kind(key, was)) into[key] = was;
  }
}

/** Of those that may be null, the lists and numbers; all others are names. */
function kind(key: string, was: unknown): boolean {
  if (key === "models") return Array.isArray(was) && was.every((x) => typeof x === "string");
  return typeof was === (key === "folds" ? "number" : "string");
}

function benches(was: unknown): Odd {
  return Object.fromEntries(
    Object.entries(table(was) ? was : {}).filter(
      ([, b]) => table(b) && table(b["settings"]) && table(b["params"]) && (b["codes"] === undefined || table(b["codes"])),
    ),
  );
}

export async function load(): Promise<void> {
  const found = await get<Project>("project");
  Object.assign(project, found);
  restore(session as unknown as Odd, found.session);
  if (![16, 18, 24].includes(session.word)) session.word = 18;
  if (!(session.dt >= 0.005 && session.dt <= 1)) session.dt = 0.1;
  if (!recording()) session.recording = project.recordings.at(-1)?.id ?? null;
  if (!sweep()) session.sweep = recording()?.sweeps[0]?.index ?? 0;
}

/** What another page of this project did meanwhile; nothing is told where nothing changed. */
async function compare(): Promise<void> {
  const before = told;
  const found = await get<Project>("project");
  if (told !== before) return; // this answer may be older than what was done here
  const now = (x: unknown) => JSON.stringify(x);
  if (now(found.jobs) !== now(project.jobs)) {
    project.jobs = found.jobs;
    emit("jobs");
  }
  if (now(found.recordings) === now(project.recordings)) return;
  const shown = now(recording());
  const changed = project.recordings.filter((r) => !found.recordings.some((x) => now(x) === now(r)));
  project.recordings = found.recordings;
  for (const r of changed) forget(r.id);
  emit("recordings");
  if (now(recording()) !== shown || !recording()) choose(recording() ? session.recording : (project.recordings.at(-1)?.id ?? null));
}

/** While the page is seen: every few seconds, and at once when it comes back. */
export function watch(): void {
  let away: HTMLElement | null = null;
  const look = async (): Promise<void> => {
    if (document.hidden) return;
    try {
      await compare();
      away?.remove();
      away = null;
    } catch (error) {
      away ??= complain(error);
    }
  };
  setInterval(() => void look(), 5000);
  document.addEventListener("visibilitychange", () => {
    emit("seen");
    void look();
  });
}

export const recording = (id = session.recording): Recording | undefined => project.recordings.find((r) => r.id === id);
export const sweep = (): Sweep | undefined => recording()?.sweeps.find((s) => s.index === session.sweep);
export const card = (name: string): Card | undefined => cards.find((c) => c.name === name);
export const brief = (name: string): string => card(name)?.short ?? name.replace(/Neuron$/, "");
export const job = (id: string | null): Job | undefined => project.jobs.find((j) => j.id === id);

export function choose(id: string | null): void {
  session.recording = id;
  const r = recording();
  if (!r?.sweeps.some((s) => s.index === session.sweep)) session.sweep = r?.sweeps[0]?.index ?? 0;
  keep();
  emit("recording");
}

export function chooseSweep(index: number): void {
  session.sweep = index;
  keep();
  emit("sweep");
}

/** A job as it is now, into the list. */
export function hold(j: Job): void {
  const at = project.jobs.findIndex((x) => x.id === j.id);
  if (at < 0) project.jobs.push(j);
  else project.jobs[at] = j;
  emit("jobs");
}

export function drop(id: string): void {
  if (!job(id)) return;
  project.jobs = project.jobs.filter((j) => j.id !== id);
  emit("jobs");
}

/** Settings in words: "kinetics 1952, m current". */
export function chosen(settings: Settings | undefined): string {
  return Object.entries(settings ?? {})
    .filter(([, x]) => x !== false && x !== "")
    .map(([name, x]) => (x === true ? name.replaceAll("_", " ") : `${name.replaceAll("_", " ")} ${x}`))
    .join(", ");
}
