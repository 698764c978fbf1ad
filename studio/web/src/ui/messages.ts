// Messages to the user: short ones that disappear by themselves, and errors that stay until they are dismissed.
import { Refusal, gone } from "../state/server";
import { on } from "../state/topics";
import { button, h, say } from "./elements";

const status = h("div", { id: "status", role: "status", class: "toast" });
const alerts = h("div", { id: "alerts" });
const away = h("div", { id: "server-gone", role: "alert", class: "banner", hidden: true });
let fading = 0;

/** Where messages are shown: that the server is gone, errors, and those that disappear by themselves. */
export function messages(): [HTMLElement, HTMLElement, HTMLElement] {
  on("server", () => {
    if (gone) {
      const more =
        gone.status === 0
          ? " Jobs that run go on without it. Start it again for the same folder and port, and this page connects by itself."
          : "";
      if (away.hidden) away.replaceChildren(h("span"));
      say(away.firstElementChild!, gone.message + more);
    } else if (!away.hidden) tell("The Studio's server is there again.");
    away.hidden = !gone;
  });
  return [away, alerts, status];
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
  if (gone && error instanceof Refusal && (error.status === 0 || text === gone.message)) return h("div"); // is said already, while it holds
  const there = [...alerts.children].find((e) => e.firstElementChild?.textContent === text);
  there?.remove();
  const banner = h(
    "div",
    { role: "alert", class: "banner" },
    h("span", null, text),
    button(null, "Dismiss", () => banner.remove(), { class: "small" }),
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

/** Show a message that is no error, until it is dismissed. */
export function inform(text: string): HTMLElement {
  const banner = complain(text);
  banner.classList.add("calm");
  banner.setAttribute("role", "status");
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
