// What the page knows about the project: its recordings, its jobs and the models.
import type { Card, Job, Project, Recording, Settings, Sweep } from "./api";
import { report } from "./report";
import { get } from "./server";
import { keep, restoreSession, session } from "./session";
import { changes, emit } from "./topics";
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

/** Reload the project every few seconds while the page is visible, and at once when it becomes visible. */
export function watch(): void {
  let away: { remove(): void } | null = null;
  const look = async (): Promise<void> => {
    if (document.hidden) return;
    try {
      await compare();
      away?.remove();
      away = null;
    } catch (error) {
      away ??= report(error);
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
