// Messages to the user: short ones that disappear by themselves, and errors that stay until they are dismissed.
import { Refusal } from "../state/server";
import { button, h } from "./elements";

const status = h("div", { id: "status", role: "status", class: "toast" });
const alerts = h("div", { id: "alerts" });
let fading = 0;

export function messages(): [HTMLElement, HTMLElement] {
  return [alerts, status];
}

/** Show a message that disappears by itself. */
export function tell(text: string): void {
  status.textContent = text;
  status.classList.add("on");
  clearTimeout(fading);
  fading = window.setTimeout(() => {
    status.classList.remove("on");
    status.textContent = "";
  }, 4000);
}

const MOST = 12; // number of error messages shown at once, at most: many files may be refused together
const banners = new WeakMap<HTMLElement, HTMLElement>();

/** Remove an error that was shown next to an action, and its message at the top: it no longer applies. */
export function calm(near: HTMLElement): void {
  near.textContent = "";
  near.hidden = true;
  banners.get(near)?.remove();
}

/** Show an error until it is dismissed; with `near`, also next to the control of the action. */
export function complain(error: unknown, near?: HTMLElement): HTMLElement {
  const text = error instanceof Error ? error.message : String(error);
  const there = [...alerts.children].find((e) => e.firstElementChild?.textContent === text);
  there?.remove();
  const banner = h(
    "div",
    { role: "alert", class: "banner" },
    h("span", null, text),
    h(
      "span",
      { class: "row" },
      error instanceof Refusal &&
        error.status === 403 &&
        button(null, "Reload", () => location.reload(), { class: "small primary" }),
      button(null, "Dismiss", () => banner.remove(), { class: "small" }),
    ),
  );
  alerts.append(banner);
  while (alerts.children.length > MOST) alerts.firstElementChild!.remove();
  if (near) {
    banners.get(near)?.remove();
    banners.set(near, banner);
    near.textContent = text;
    near.hidden = false;
  }
  return banner;
}

/** Run the action of a button, which is disabled meanwhile, and show its errors. */
export async function act(
  control: HTMLButtonElement | null,
  near: HTMLElement | undefined,
  what: () => Promise<void>,
): Promise<void> {
  if (near) calm(near);
  if (control) control.disabled = true;
  try {
    await what();
  } catch (error) {
    complain(error, near);
  } finally {
    if (control) control.disabled = false;
  }
}
