// Traces and spike times of sweeps, loaded once and cached.
import type { Recording, Trace } from "./api";
import { get, trace } from "./server";

const ROOM = 16e6; // number of points in the cache, at most
const held = new Map<string, Promise<{ trace: Trace; spikes: number[] }>>();
const sizes = new Map<string, number>();

/** A whole sweep (with fewer points if it is long) and its spikes. */
export function whole(id: string, sweep: number): Promise<{ trace: Trace; spikes: number[] }> {
  const key = `${id}/${sweep}`;
  let found = held.get(key);
  if (found) {
    held.delete(key); // move it to the end, because the first one, used least recently, is removed first
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

/** Remove a recording from the cache because it was deleted, or its samples have changed (a current was added). */
export function forget(id: string): void {
  for (const key of [...held.keys()]) {
    if (key.startsWith(`${id}/`)) {
      held.delete(key);
      sizes.delete(key);
    }
  }
}

/** An evenly sampled line, drawn under the lines of the plot. It need not have the same times as they do. */
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

/** Whether the current of this recording can drive a model. */
export const driven = (r: Recording | undefined): boolean => !!r && !r.cannot_be_fitted;
