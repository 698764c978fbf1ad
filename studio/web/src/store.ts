// What the page knows of the project, and what it looked like: kept by the server, given back at the next load.
import { type Card, type Job, type Project, type Recording, type Settings, type Sweep, get, put } from "./api";
import { complain, later } from "./ui";

/** A neuron on the bench: what its sliders say. */
export interface Bench {
  settings: Settings;
  params: Record<string, number>;
  touched?: boolean; // by the user: another recording then does not set it anew
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

type Topic = "recordings" | "recording" | "sweep" | "jobs" | "bench" | "theme";
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

export function emit(topic: Topic): void {
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

export async function load(): Promise<void> {
  const found = await get<Project>("project");
  Object.assign(project, found);
  for (const key of Object.keys(session) as (keyof Session)[]) {
    const was = found.session[key];
    // only what still has its kind: a session of another version may be odd
    if (was !== undefined && (session[key] === null || was === null || typeof was === typeof session[key]))
      Object.assign(session, { [key]: was });
  }
  if (!recording()) session.recording = project.recordings.at(-1)?.id ?? null;
  if (!sweep()) session.sweep = recording()?.sweeps[0]?.index ?? 0;
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

/** Settings in words: "kinetics 1952, m current". */
export function chosen(settings: Settings | undefined): string {
  return Object.entries(settings ?? {})
    .filter(([, x]) => x !== false && x !== "")
    .map(([name, x]) => (x === true ? name.replaceAll("_", " ") : `${name.replaceAll("_", " ")} ${x}`))
    .join(", ");
}
