// Formats numbers as text.

export const finite = (x: unknown): x is number => typeof x === "number" && Number.isFinite(x);

/** A number with fixed decimals, or a dash if it is not known. */
export function fix(x: unknown, digits = 3): string {
  return finite(x) ? x.toFixed(digits) : "–";
}

/** A number with about five significant digits, in its shortest form. */
export function short(x: unknown, digits = 5): string {
  return finite(x) ? String(Number(x.toPrecision(digits))) : "–";
}

export const count = (x: unknown): string => (finite(x) ? x.toLocaleString("en-US") : "–");

export function bytes(n: number): string {
  if (n < 1000) return `${n} B`;
  return n < 1e6 ? `${(n / 1e3).toFixed(1)} kB` : `${(n / 1e6).toFixed(1)} MB`;
}

export const plural = (n: number, thing: string) => `${count(n)} ${thing}${n === 1 ? "" : "s"}`;
