// Traces and spike times of sweeps, fetched once and kept while there is room.
import type { Recording, Trace } from "./api";
import { get, trace } from "./server";

const ROOM = 16e6; // points kept
const held = new Map<string, Promise<{ trace: Trace; spikes: number[] }>>();
const sizes = new Map<string, number>();

/** The whole of a sweep (decimated by the server if it is long) and its spikes. */
export function whole(id: string, sweep: number): Promise<{ trace: Trace; spikes: number[] }> {
  const key = `${id}/${sweep}`;
  let found = held.get(key);
  if (found) {
    held.delete(key); // to the end: the least recently used one goes first
    held.set(key, found);
    return found;
  }
  found = Promise.all([trace(id, sweep), get<{ times: number[] }>(`recordings/${id}/spikes?sweep=${sweep}`)]).then(([t, s]) => {
    sizes.set(key, t.voltage.length);
    let total = 0;
    for (const n of sizes.values()) total += n;
    for (const old of [...sizes.keys()]) {
      if (total <= ROOM || old === key) break;
      total -= sizes.get(old)!;
      sizes.delete(old);
      held.delete(old);
    }
    return { trace: t, spikes: s.times };
  });
  found.catch(() => held.delete(key));
  held.set(key, found);
  return found;
}

/** Forget a recording whose samples changed (a current was added) or that is gone. */
export function forget(id: string): void {
  for (const key of [...held.keys()]) {
    if (key.startsWith(`${id}/`)) {
      held.delete(key);
      sizes.delete(key);
    }
  }
}

/** An evenly sampled line that is drawn by hand under the plot's own: it needs no common time axis with them. */
export interface Under {
  label?: string;
  colour: string;
  alpha?: number;
  t0: number;
  step: number;
  v: Float32Array;
}

export function under(t: Trace, colour = "recorded", label?: string, alpha = 1): Under {
  return { t0: t.t0, step: t.step, v: t.voltage, colour, label, alpha };
}

/** Whether models can be driven by this recording's current. */
export const driven = (r: Recording | undefined): boolean => !!r && !r.cannot_be_fitted;
