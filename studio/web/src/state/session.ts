// The state of the page, which the server stores and returns when the page is loaded again.
import type { Settings, Simulation } from "./api";
import { later } from "./later";
import { report } from "./report";
import { put } from "./server";

/** A neuron on the bench: the values of its sliders. */
export interface Bench {
  settings: Settings;
  params: Record<string, number>;
  touched?: boolean; // the user has changed it: another recording does not reset it
  preset?: string; // "start", or the name of the preset
  codes?: Record<string, number>; // codes of a fit, until a slider is moved
  i_span?: number; // span of the input, nA, for which the codes were made
  from?: string; // where it came from, such as "rank 1 of cell.abf"
}
export interface Session {
  tab: string;
  recording: string | null;
  sweep: number;
  all: boolean; // whether the other sweeps are shown, faintly
  model: string | null;
  word: number;
  dt: number;
  driven: "recording" | "step";
  stimulus: { amplitude: number; start: number; stop: number; duration: number };
  ideal: boolean;
  benches: Record<string, Bench>; // bench of each model
  fit: string | null; // key of the job that Auto-Fit shows
  setup: {
    models: string[] | null;
    target: string | null; // board for which models are fitted; their words are then chosen
    word: number;
    dt: number;
    budget: number;
    held_out: string;
    folds: number | null;
    seed: number;
  };
  row: string | null; // the model that Auto-Fit shows over the recording
  neuron: string; // "bench", JOB:RANK, or "" for the best of the newest fit
  board: string | null;
  job: string | null; // key of the job that Deploy shows
  steps: number;
  seed: number;
  run: {
    port: string; // "other": `path`
    path: string;
    way: string;
    every: number;
    current: string;
    step: number | null; // nA; null: a quarter of what the neuron takes
    seconds: number;
    noise: number;
  };
}

export const session: Session = {
  tab: "trace",
  recording: null,
  sweep: 0,
  all: true,
  model: null,
  word: 18,
  dt: 0.1,
  driven: "recording",
  stimulus: { amplitude: 0.5, start: 100, stop: 600, duration: 700 },
  ideal: true,
  benches: {},
  fit: null,
  setup: { models: null, target: null, word: 18, dt: 0.1, budget: 20000, held_out: "auto", folds: null, seed: 0 },
  row: null,
  neuron: "",
  board: null,
  job: null,
  steps: 20000,
  seed: 1,
  run: { port: "sim", path: "", way: "lockstep", every: 1, current: "recorded", step: null, seconds: 1, noise: 0 },
};

/** What Deploy can take from here: the neuron as it was simulated last. */
export const present: { model: string; settings: Settings; word: number; s: Simulation | null } = {
  model: "",
  settings: {},
  word: 0,
  s: null,
};

/** To the server, soon; call it after any change of `session`. */
export const keep = later(500, () => {
  put("session", session).catch(report);
});

type Odd = Record<string, unknown>;
const table = (x: unknown): x is Odd => typeof x === "object" && x !== null && !Array.isArray(x);

/** Copy stored fields whose type is still right: another version of the page may have stored them. */
function restore(into: Odd, kept: Odd): void {
  for (const [key, now] of Object.entries(into)) {
    const was = kept[key];
    if (key === "benches") into[key] = benches(was);
    else if (table(now)) table(was) && restore(now, was);
    else if (now !== null ? typeof was === typeof now : was === null || kind(key, was)) into[key] = was;
  }
}

/** Types of the fields that may be null and are lists or numbers; all others are texts. */
function kind(key: string, was: unknown): boolean {
  if (key === "models") return Array.isArray(was) && was.every((x) => typeof x === "string");
  return typeof was === (key === "folds" || key === "step" ? "number" : "string");
}

function benches(was: unknown): Odd {
  return Object.fromEntries(
    Object.entries(table(was) ? was : {}).filter(
      ([, b]) => table(b) && table(b["settings"]) && table(b["params"]) && (b["codes"] === undefined || table(b["codes"])),
    ),
  );
}

/** Load the stored session, as far as it is still valid. */
export function restoreSession(kept: Odd): void {
  restore(session as unknown as Odd, kept);
  if (![16, 18, 24].includes(session.word)) session.word = 18;
  if (!(session.dt >= 0.005 && session.dt <= 1)) session.dt = 0.1;
}
