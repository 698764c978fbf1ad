// The fields of the current step that drives a model on the bench if there is no recording.
import { keep, session } from "../state/session";
import { field, h, number } from "../ui/elements";
import { guard } from "../ui/numberField";

const LONGEST = 2_000_000; // steps that the server simulates, at most

const FIELDS = [
  ["amplitude", "amplitude, nA", { min: -1000, max: 1000 }],
  ["start", "from, ms", { min: 0 }],
  ["stop", "to, ms", { min: 0 }],
  ["duration", "duration, ms", { min: 1 }],
] as const;

/** The fields of the current step; `moved` is called when one of their numbers has changed. */
export function stimulusFields(moved: () => void): HTMLElement {
  const el = h("div", { id: "stimulus", class: "row ends" });
  for (const [name, label, bounds] of FIELDS) {
    const input = number(`stimulus-${name}`, session.stimulus[name], bounds);
    guard(
      input,
      label,
      () => session.stimulus[name],
      (x) => {
        session.stimulus[name] = x;
        keep();
        moved();
      },
      (x) => senseless({ ...session.stimulus, [name]: x }),
    );
    el.append(field(label, input));
  }
  return el;
}

function senseless(s: typeof session.stimulus): string {
  if (s.start >= s.stop) return `The step must end after it begins: from ${s.start} to ${s.stop} ms is none.`;
  if (s.duration / session.dt > LONGEST) return `At ${session.dt} ms a step, at most ${LONGEST * session.dt} ms can be simulated.`;
  return "";
}
