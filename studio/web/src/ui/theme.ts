// The colours of the page for drawing on a canvas, where CSS variables do not work; and the light and dark theme.
import { emit } from "../state/topics";
import { button } from "./elements";

const probe = document.createElement("i");
const cache = new Map<string, string>();

/** The current colour of a CSS variable. */
export function colour(name: string): string {
  let found = cache.get(name);
  if (!found) {
    if (!probe.isConnected) {
      probe.hidden = true;
      document.body.append(probe);
    }
    probe.style.color = `var(--${name})`;
    cache.set(name, (found = getComputedStyle(probe).color));
  }
  return found;
}

function changed(): void {
  cache.clear();
  emit("theme");
}

const dark = matchMedia("(prefers-color-scheme: dark)");
const KEY = "spikefab-theme";

function remembered(): string | null {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null; // a frame without storage: use the theme of the system
  }
}

export function startTheme(): void {
  const was = remembered();
  if (was === "light" || was === "dark") document.documentElement.dataset["theme"] = was;
  dark.addEventListener("change", changed);
}

export function themeButton(): HTMLButtonElement {
  const now = () => document.documentElement.dataset["theme"] ?? (dark.matches ? "dark" : "light");
  const label = () => (now() === "dark" ? "Light" : "Dark");
  const b = button(
    "theme",
    label(),
    () => {
      const next = now() === "dark" ? "light" : "dark";
      document.documentElement.dataset["theme"] = next;
      try {
        localStorage.setItem(KEY, next);
      } catch {
        // the choice cannot be stored, which does no harm
      }
      b.textContent = label();
      changed();
    },
    { title: "Change between the light and the dark theme" },
  );
  dark.addEventListener("change", () => (b.textContent = label()));
  return b;
}
