// The JSON that page and server exchange, with the types of studio/answers.py: tests/studio/test_answers.py.

/** A value of a setting that chooses the variant of a model, such as the kinetics of Hodgkin-Huxley. */
export type Setting = string | number | boolean;
export type Settings = Record<string, Setting>;

export interface Sweep {
  index: number;
  name: string;
  samples: number;
  duration: number; // ms
  spikes: number;
  window: [number, number] | null; // start and stop of the stimulus, ms
  current: [number, number] | null; // lowest and highest, nA
  voltage: [number, number]; // lowest and highest, mV
  baseline_current: number | null;
}
/** The command line and the Python code that do the same without the page. */
export interface Same {
  command?: string | null;
  python?: string | null;
}
export interface Recording extends Same {
  id: string;
  name: string;
  dt: number;
  units: string;
  current_origin: string;
  electrode_resistance: number; // MOhm
  sweeps: Sweep[];
  notes: string[];
  warnings: string[];
  doubts: string[];
  cannot_be_fitted: string | null;
  reading_options: string[]; // options of `read` that its format has
  options: Record<string, unknown>; // those with which it was read
  same_as?: string; // in the answer to an import: the name of an earlier recording with the same content
}
export interface Feature {
  label: string;
  name: string;
  unit: string;
  definition: string;
  value: number | null;
}
export interface Features extends Same {
  features: Feature[];
  recommended: { model: string; reason: string }[];
  f_i: { current: number[]; rate: number[] } | null;
}
/** The spikes of a sweep: times in ms, and the features of their shape, null where a spike does not count for one. */
export interface Shapes {
  spikes: {
    onset_time: number;
    time: number;
    end_time: number;
    ap_height: number | null;
    ap_width: number | null;
    ap_threshold: number | null;
    ahp_depth: number | null;
  }[];
  features: { name: "ap_height" | "ap_width" | "ap_threshold" | "ahp_depth"; label: string; unit: string; definition: string }[];
}
export interface Cost {
  multiplies: number;
  table_bits: number;
  state_bits: number;
  coefficient_bits: number;
}
export interface Card {
  name: string;
  short: string;
  title: string;
  equations: string; // HTML with MathML
  best_for: string;
  source: string;
  settings: Record<string, Setting[]>; // setting: its possible values, the default first
  free: string[];
  cost: Record<string, Cost>;
  builds: { board: string; word: number; cells: number; mhz: number }[];
  thumbnail: { v: number[]; i: number[] };
}
export interface Parameter {
  name: string;
  unit: string;
  doc: string;
  bounds: [number, number];
  log: boolean;
  default: number;
  value: number;
}
export interface Preset {
  name: string;
  source: string;
  params: Record<string, number>;
  settings: Settings;
}
export interface Parameters {
  model: string;
  word: number;
  dt: number;
  i_span: number;
  settings: Settings;
  parameters: Parameter[];
  presets: Preset[];
}
/** What a model does with the values that were measured in a recording, in the sweep in which the cell fires most. */
export interface Trial {
  sweep: string;
  spikes: number; // of the model
  recorded: number; // of the cell
}
export interface Stimulus {
  amplitude: number;
  start: number;
  stop: number;
  duration: number;
}
export interface SimulateRequest {
  model: string;
  settings: Settings;
  word: number;
  dt: number;
  params?: Record<string, number>;
  codes?: Record<string, number>;
  i_span?: number; // span of the input, nA, for which codes were made
  recording?: string;
  sweep?: number;
  stimulus?: Stimulus;
  nudge?: { param: string; by: 1 | -1 };
  ideal?: boolean;
}
export interface Level {
  score: number;
  voltage: number | null;
  timing: number;
  count: number;
}
export interface Scale {
  floor: Level;
  ceiling: Level | null;
}
export interface Score {
  combined_score: number | null;
  voltage: number | null;
  timing_term: number;
  masked_rmse: number | null;
  timing: number | null;
  count: number | null;
  gamma: number | null;
  spikes_model: number;
  spikes_data: number;
}
export interface SimulationHead extends Same {
  n: number;
  dt: number;
  arrays: string[];
  codes: Record<string, number>;
  formats: Record<string, string>;
  values: Record<string, number>;
  spikes: number[];
  ideal_spikes?: number[] | null;
  data_spikes?: number[] | null;
  i_span: number;
  score: Score | null;
  scale?: Scale | null;
  scale_sentences?: string[];
}
export interface Simulation extends SimulationHead {
  voltage: Float32Array;
  ideal?: Float32Array;
  residual?: Float32Array;
  current?: Float32Array;
}
export interface Trace {
  bucket: number; // number of samples that two points stand for; 1: the points are the samples
  t0: number;
  step: number;
  voltage: Float32Array;
  current: Float32Array | null; // as it is used
  recorded: Float32Array | null; // as it was recorded, if the image of spikes was removed from it
}
export type JobState = "queued" | "running" | "paused" | "done" | "cancelled" | "failed" | "stopped";
export interface JobFile {
  name: string;
  what: string;
  bytes: number;
}
export interface Job extends Same {
  id: string;
  kind: "fit" | "pareto" | "verify" | "build" | "export" | "run";
  state: JobState;
  title: string; // the name that is shown: the user's, or one made of recording, models and score
  name: string; // that the user has given; empty if none
  note: string;
  spent: number | null; // s for which it has run, up to `since`; null of jobs of earlier versions
  since: string | null; // since when it runs without a break
  created: string;
  recording: string | null;
  settings: Record<string, unknown>;
  error: string | null;
  files: JobFile[];
}
/** A neuron that is described in full. */
export interface OfBench {
  model: string;
  settings: Settings;
  word: number;
  dt: number;
  i_span: number; // nA
  codes: Record<string, number>;
}
export type Neuron = { fit: string; rank: number } | OfBench;
/** Whether a neuron fits a board, as its build has shown. */
export interface Outcome {
  board: string;
  model: string;
  settings: Settings;
  word: number;
  dt: number;
  i_span: number;
  fits: boolean; // its resources suffice, and it reaches the clock
  why: string; // a sentence if it does not
}
export interface Tried extends Outcome {
  job: string; // the build
}
export interface Board {
  name: string;
  family: string;
  device: string;
  cells: number;
  multipliers: number;
  multiplier_bits: string | number;
  block_rams: number;
  block_ram_bits: number;
  clock_mhz: number;
  words: number[];
  estimated: boolean; // whether it is known what models take of it
  source: string;
  builds: {
    model: string;
    word: number;
    cells: number;
    multipliers: number;
    block_rams: number;
    mhz: number;
    job: string | null;
  }[];
  outcomes: Tried[];
}
export interface Project {
  name: string;
  version: string;
  upload_limit?: number; // bytes of an uploaded file, at most
  recordings: Recording[];
  jobs: Job[];
  session: Record<string, unknown>;
}
/** What a page is given that was open before the server was started anew. */
export interface Again {
  token: string;
  key: string;
}
/** The answer if the server refuses a request or cannot do it. */
export interface Refused {
  error: string; // a sentence
  options?: string[]; // options of the request that would help
}
