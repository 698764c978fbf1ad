// A number field that takes only what it allows.
import { read } from "./elements";
import { finite, short } from "./format";
import { tell } from "./messages";

/** Why a number field's text is not taken, by its least, greatest and step: a sentence, or "" where it is. */
function wrong(input: HTMLInputElement, name: string): string {
  const x = read(input);
  const [lo, hi] = [Number(input.min || -Infinity), Number(input.max || Infinity)];
  if (x === null) return `${name} must be a number.`;
  if (x < lo || x > hi) return `${name} can be ${short(lo)} ${finite(hi) ? `to ${short(hi)}` : "or more"}, not ${short(x)}.`;
  return input.step === "1" && x % 1 ? `${name} must be a whole number.` : "";
}

/** A number field that gives only what it allows; for anything else a sentence, and the last good number when it is left. */
export function guard(
  input: HTMLInputElement,
  name: string,
  good: () => number,
  take: (x: number, at: number) => void,
  also: (x: number) => string = () => "", // what forbids a number that is within its bounds
): void {
  input.addEventListener("change", (e) => {
    const x = read(input);
    input.setCustomValidity(wrong(input, name) || also(x!));
    if (input.reportValidity() && x !== null) take(x, e.timeStamp);
  });
  input.addEventListener("input", () => input.setCustomValidity(""));
  input.addEventListener("blur", () => {
    if (!input.validity.customError) return;
    tell(input.validationMessage); // the browser's own bubble goes with the focus
    input.setCustomValidity("");
    input.value = short(good());
  });
}
