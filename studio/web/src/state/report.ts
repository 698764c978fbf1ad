// Reports errors of actions that the state does by itself. The state has no access to elements: `main` sets how to show them.

type Shown = { remove(): void };
let show: (error: unknown) => Shown = () => ({ remove: () => {} });

export function reportWith(shows: (error: unknown) => Shown): void {
  show = shows;
}

/** Show an error. Returns a function that removes it. */
export const report = (error: unknown): Shown => show(error);
