// Whether a neuron fits a board: what its builds in this project have shown, and nothing else.
import type { Board, Settings } from "../state/api";
import { card } from "../state/project";

/** What a build depends on. Codes are not among it: they are loaded into registers. */
export interface Design {
  model: string;
  settings: Settings;
  word: number;
  dt: number;
  span: number; // nA
}
export interface Verdict {
  short: "fits" | "does not fit" | "not tried";
  why: string; // a sentence
  job: string | null; // key of the build that has shown it
}

export function verdict(b: Board, d: Design): Verdict {
  const tried = b.outcomes.filter(
    (x) =>
      x.model === d.model && x.word === d.word && x.dt === d.dt && x.i_span === d.span && same(d.model, x.settings, d.settings),
  );
  const good = tried.findLast((x) => x.fits); // another seed of the placement may have failed
  if (good) return { short: "fits", why: `It was built for ${b.name} in this project.`, job: good.job };
  const bad = tried.at(-1);
  if (bad) return { short: "does not fit", why: bad.why, job: bad.job };
  return { short: "not tried", why: `It was not built for ${b.name} yet: Build tells.`, job: null };
}

/** Whether settings are the same; one that is missing has its default. */
function same(model: string, a: Settings, b: Settings): boolean {
  const defaults = card(model)?.settings ?? {};
  const names = new Set([...Object.keys(a), ...Object.keys(b)]);
  return [...names].every((name) => (a[name] ?? defaults[name]?.[0]) === (b[name] ?? defaults[name]?.[0]));
}
