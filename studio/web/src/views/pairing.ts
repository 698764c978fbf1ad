// Files that were taken in together: a current in a file of its own is given to the recording that has none.
import type { Recording } from "../state/api";
import { project } from "../state/project";
import { query, remove, upload } from "../state/server";
import { emit } from "../state/topics";
import { forget } from "../state/traces";

export interface Made {
  file: File;
  recording: Recording;
}
export interface Unread {
  file: File;
  error: unknown; // why it is no recording
}

const bare = (r: Recording) => !r.sweeps.some((s) => s.current);

/**
 * Give each recording without a current the current among the other files. Returns the files that are still of no use.
 * `joined` is called for each recording that has changed; without a file if two currents would fit it.
 */
export async function pair(
  made: Made[],
  unread: Unread[],
  joined: (r: Recording, current: File | null) => void,
): Promise<Unread[]> {
  const left = [...unread];
  // a column without a heading is read as a voltage: one that no cell has may be a current
  const odd = made.filter((m) => bare(m.recording) && m.recording.doubts.length > 0);
  for (const { file, recording } of made) {
    if (!bare(recording) || recording.doubts.length > 0) continue;
    const offers = [...left, ...odd].map((x) => ({ x, like: alike(file.name, x.file.name) })).sort((a, b) => b.like - a.like);
    const fitting: { with_: Recording; x: Unread | Made; like: number }[] = [];
    for (const { x, like } of offers) {
      if (fitting.length && like < fitting[0]!.like) break;
      const with_ = await upload(`recordings/${recording.id}/current${query({ name: x.file.name })}`, x.file).catch(() => null);
      if (with_) fitting.push({ with_, x, like });
    }
    forget(recording.id);
    if (fitting.length > 1) {
      // two currents fit as well: neither is chosen, and the voltage is taken in again alone
      await drop(recording);
      joined(await upload(`recordings${query({ name: file.name })}`, file), null);
    } else if (fitting.length) {
      const { with_, x } = fitting[0]!;
      if ("error" in x) left.splice(left.indexOf(x), 1);
      else {
        odd.splice(odd.indexOf(x), 1);
        await drop(x.recording);
      }
      joined(with_, x.file);
    }
  }
  return left;
}

async function drop(r: Recording): Promise<void> {
  await remove(`recordings/${r.id}`);
  forget(r.id);
  project.recordings = project.recordings.filter((x) => x.id !== r.id);
  emit("recordings");
}

/** How many letters two names have in common, at their beginnings and before their suffixes. */
function alike(a: string, b: string): number {
  const [x, y] = [a, b].map((name) => name.replace(/\.[^.]*$/, "").toLowerCase()) as [string, string];
  const most = Math.min(x.length, y.length);
  let [first, last] = [0, 0];
  while (first < most && x[first] === y[first]) first++;
  while (last < most - first && x[x.length - 1 - last] === y[y.length - 1 - last]) last++;
  return first + last;
}
