// What the page knows about the project: its recordings, its jobs and the models.
import type { Card, Job, Project, Recording, Settings, Sweep } from "./api";
import { report } from "./report";
import { get, gone, knock } from "./server";
import { keep, restoreSession, session } from "./session";
import { changes, emit, on } from "./topics";
import { forget } from "./traces";

export const project: Project = { name: "", version: "", recordings: [], jobs: [], session: {} };
export let cards: Card[] = [];

let coming: Promise<void> | null = null;
/** The models. The server may need a while for the first request. */
export function loadCards(): Promise<void> {
  coming ??= get<{ models: Card[] }>("models").then(
    (found) => void (cards = found.models),
    (error: unknown) => {
      coming = null; // request it again the next time
      throw error;
    },
  );
  return coming;
}

export async function load(): Promise<void> {
  const found = await get<Project>("project");
  Object.assign(project, found);
  restoreSession(found.session);
  if (!recording()) session.recording = project.recordings.at(-1)?.id ?? null;
  if (!sweep()) session.sweep = firstShown(recording());
}

/** Load changes that another page of this project has made; report them only if there are any. */
async function compare(): Promise<void> {
  const before = changes();
  const found = await get<Project>("project");
  if (found.version !== project.version) {
    project.version = found.version;
    report(new Error(`The Studio is spikefab ${found.version} now: reload this page.`));
  }
  if (changes() !== before) return; // this page made a change meanwhile, which the answer may not contain yet
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

const OFTEN = 1000; // ms between two looks whether the server is there

/** Reload the project every few seconds while the page is visible, and at once when it becomes visible or the server is back. */
export function watch(): void {
  const look = async (): Promise<void> => {
    if (document.hidden || gone) return;
    try {
      await compare();
    } catch (error) {
      if (!gone) report(error);
    }
  };
  let knocking = false;
  setInterval(() => {
    if (document.hidden || knocking) return;
    knocking = true;
    void knock().finally(() => (knocking = false));
  }, OFTEN);
  setInterval(() => void look(), 5000);
  on("server", () => {
    if (gone) return;
    keep(); // what has changed meanwhile
    emit("seen"); // opens the streams of events again
    void look();
  });
  document.addEventListener("visibilitychange", () => {
    emit("seen");
    void (gone ? knock() : look());
  });
}

export const recording = (id = session.recording): Recording | undefined => project.recordings.find((r) => r.id === id);
export const sweep = (): Sweep | undefined => recording()?.sweeps.find((s) => s.index === session.sweep);
export const card = (name: string): Card | undefined => cards.find((c) => c.name === name);
export const brief = (name: string): string => card(name)?.short ?? name.replace(/Neuron$/, "");
export const job = (id: string | null): Job | undefined => project.jobs.find((j) => j.id === id);

/** The sweep that is shown first: the first one with spikes. */
const firstShown = (r: Recording | undefined): number => (r?.sweeps.find((s) => s.spikes) ?? r?.sweeps[0])?.index ?? 0;

export function choose(id: string | null): void {
  const other = session.recording !== id;
  session.recording = id;
  const r = recording();
  const s = r?.sweeps.find((x) => x.index === session.sweep);
  if (!s || (other && !s.spikes)) session.sweep = firstShown(r);
  keep();
  emit("recording");
}

export function chooseSweep(index: number): void {
  session.sweep = index;
  keep();
  emit("sweep");
}

/** Put the current state of a job into the list. */
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

/** The settings of a model in words, such as "kinetics 1952, m current". */
export function chosen(settings: Settings | undefined): string {
  return Object.entries(settings ?? {})
    .filter(([, x]) => x !== false && x !== "")
    .map(([name, x]) => (x === true ? name.replaceAll("_", " ") : `${name.replaceAll("_", " ")} ${x}`))
    .join(", ");
}
