// The events of jobs, with the types of studio/job_events.py: tests/studio/test_answers.py.
import type { JobState, OfBench, Outcome, Scale, Settings } from "./api";

export interface FittedParameter {
  name: string;
  unit: string;
  meaning: string;
  value: number;
  free: boolean;
  at_bound: boolean;
  range: [number, number] | null;
  bounds?: [number, number]; // between which it was searched; missing in fits of earlier versions
}
export interface Row {
  rank: number;
  model: string;
  settings: Settings;
  combined_score: number | null;
  training: number | null;
  float64: number | null;
  voltage?: number | null; // missing, as timing_term, in fits of earlier versions
  timing_term?: number;
  timing: number | null;
  count: number | null;
  masked_rmse: number | null;
  gamma: number | null;
  spikes_model: number;
  spikes_data: number;
  tied: boolean | null;
  word: number;
  dt: number;
  i_span: number;
  codes: Record<string, number>;
  params: FittedParameter[];
}
export interface Ranking {
  type: "ranking";
  rows: Row[];
  how: string;
  tie: string | null;
  outcome: string;
  ended_early: string[];
  validated: boolean;
  scale?: Scale | null;
  scale_sentences?: string[];
}
export interface Better {
  type: "better";
  model: string;
  loss: number;
  settings: Settings;
  i_span?: number;
  codes?: Record<string, number>; // if they are missing, the parameters are used
  params: Record<string, number>;
  units?: Record<string, string>;
}
/** Which parts of the recording are held out. */
export interface Split {
  type: "split";
  held_out: { sweep: number; start: number; stop: number }[]; // ms
  how: string;
}
export interface BuildReport {
  type: "report";
  board: string;
  model: string;
  word: number;
  cells: [number, number];
  multipliers: [number, number];
  block_rams: [number, number];
  mhz: number;
  clock_mhz: number;
  interval: number;
  latency: number;
  neurons: number;
  baud?: number;
  steps_per_second?: number;
  times_real_time?: number;
  possible_neurons?: number;
  pll?: boolean;
  free_run?: number;
  floorplan: string | null;
  bitstream: string;
}
export interface BuildOutcome extends Outcome {
  type: "outcome";
}
/** A neuron at a word and in a form, its score and what it takes of the board, estimated. */
export interface FrontPoint {
  neuron: OfBench;
  form: "shared" | "pipelined"; // one neuron, or as many as fit
  score: number;
  cells: number;
  multipliers: number;
  block_rams: number;
  mhz: number;
  neurons: number;
  knee: boolean;
  command: string; // that builds it
}
/** What the scores of a fit cost on a board: the points to which none is cheaper and as good. */
export interface Front {
  type: "front";
  board: string;
  points: FrontPoint[];
  sentences: string[];
  basis: string; // what the numbers are
  picture: string; // name of a file of the job
  validated: boolean;
}
export interface Check {
  stimulus: string;
  steps: number;
  spikes: number;
  saturations: number;
  mismatches: number;
}
/** New samples of a run in a board: of many, the extremes, so that spikes stay visible. */
export interface Samples {
  type: "samples";
  anew: boolean; // whether the run begins here, for the first time or again: what came before does not count
  times: number[]; // ms
  voltage: number[]; // mV
  spikes: number[]; // ms; of many, some
  fired: number; // all spikes so far
  done: number; // steps so far
  total: number; // steps of the whole run
  dt: number; // ms
}
/** A run in a board that came to its end. */
export interface BoardRun {
  type: "run";
  mode: "lockstep" | "free-run";
  board: string;
  port: string;
  where: string; // the board and its port, or what simulated it, in words
  simulated: boolean;
  steps: number;
  samples: number;
  spikes: number;
  mismatches: number;
  seconds: number; // that the run took
  dt: number; // ms
}
export type JobEvent =
  | { type: "state"; state: JobState; error?: string | null; time?: number } // s since 1970; missing in jobs of earlier versions
  | { type: "notice"; text: string }
  | Split
  | { type: "portion"; model: string; evaluations: number; share: number } // losses are over this share of the training data from here on
  | { type: "progress"; model: string; evaluations: number; budget: number; loss: number; remaining?: number | null } // s
  | Better
  | Ranking
  | { type: "step"; name: string; state: "start" | "done" | "note"; text: string }
  | { type: "log"; step: string; text: string }
  | { type: "checks"; rows: Check[] }
  | BuildReport
  | BuildOutcome
  | Front
  | Samples
  | BoardRun;
