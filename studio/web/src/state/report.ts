// Errors that nobody waits for: of what the state does by itself. The state knows no elements: `main` says how they are shown.

type Shown = { remove(): void };
let show: (error: unknown) => Shown = () => ({ remove: () => {} });

export function reportWith(shows: (error: unknown) => Shown): void {
  show = shows;
}

/** Show an error; returns what takes it away again. */
export const report = (error: unknown): Shown => show(error);
