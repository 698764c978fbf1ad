// A number field that accepts only valid numbers.
import { read } from "./elements";
import { finite, short } from "./format";
import { tell } from "./messages";

/** Why the text of a number field is not accepted (minimum, maximum, step), as a sentence; "" if it is accepted. */
function wrong(input: HTMLInputElement, name: string): string {
  const x = read(input);
  const [lo, hi] = [Number(input.min || -Infinity), Number(input.max || Infinity)];
  if (x === null) return `${name} must be a number.`;
  if (x < lo || x > hi) return `${name} can be ${short(lo)} ${finite(hi) ? `to ${short(hi)}` : "or more"}, not ${short(x)}.`;
  return input.step === "1" && x % 1 ? `${name} must be a whole number.` : "";
}

/** A number field that accepts only valid numbers. It shows why others are refused, and returns to the last valid number. */
export function guard(
  input: HTMLInputElement,
  name: string,
  good: () => number,
  take: (x: number, at: number) => void,
  also: (x: number) => string = () => "", // a further reason to refuse a number, as a sentence
): void {
  input.addEventListener("change", (e) => {
    const x = read(input);
    input.setCustomValidity(wrong(input, name) || also(x!));
    if (input.reportValidity() && x !== null) take(x, e.timeStamp);
  });
  input.addEventListener("input", () => input.setCustomValidity(""));
  input.addEventListener("blur", () => {
    if (!input.validity.customError) return;
    tell(input.validationMessage); // the message of the browser disappears when the field loses the focus
    input.setCustomValidity("");
    input.value = short(good());
  });
}
