// The page: its header, tabs and four views, and what happens when it is loaded.
//
// The ids of elements, for tests and links; they do not change.
//
//   page      #tab-trace #tab-models #tab-fit #tab-deploy · #panel-trace … · #import #import-file #theme
//             #status (passing messages) · #server-gone · #alerts > [role=alert] (error sentences)
//             #fit/JOB, #deploy/JOB in the address: the link of a job
//   Trace     #trace-empty #import-first · #recordings > li > .entry · #refused #import-dt #import-retry (after a refusal; -N for more files)
//             #add-current #current-file · #cannot-be-fitted #warnings #notes #facts
//             #sweep #sweep-previous #sweep-next #sweep-all · #trace-voltage #trace-current #decimated
//             #window-start #window-end (handles) #window #measure #features
//   Models    #cards > [data-model=NAME] · [data-testid=open-NAME] #cards-word
//             #bench #model #all-models #word #bench-dt #preset #setting-NAME #driven #bench-sweep #stimulus-amplitude …
//             #p-NAME (slider) #n-NAME (typed) #minus-NAME #plus-NAME · #ideal #bench-voltage #bench-residual #bench-raster
//             #bench-score #bench-state #codes #bench-deploy
//   Auto-Fit  #fit-new (details; open unless a fit is shown at load) #fit-form #fit-recording #fit-models #fit-model-NAME #fit-target #fit-word #fit-dt #fit-budget #fit-seed #fit-top
//             #held-auto #held-amplitudes #held-tail #held-folds #held-none #fit-folds #fit-start #fit-error
//             #recommended #fit-features #f-i · #fit-job #fit-state #fit-pause #fit-resume #fit-cancel
//             #fit-label #fit-time · #ranking tr[data-key=NAME] · [data-testid=row-NAME] #losses #fit-outcome #not-validated #fit-notices
//             #fit-overlay #fit-voltage #fit-current #fit-sweep [data-sweep=N] #fit-parameters #fit-to-bench #fit-to-deploy #fit-files #fits
//   Deploy    #neuron #neuron-about #boards #board-NAME #verify-steps #verify-start #build-seed #build-start #export-start
//             #deploy-error #job #job-label #job-time #job-state #job-cancel #job-resume #job-steps #job-log #checks #verdict
//             #report #floorplan #bitstream #job-files #jobs
//
// Files in src/ import one way, without circles (tests/house keeps it): state/ (data and requests to the server; it
// does not touch elements) <- ui/ (elements and controls) <- charts/ <- views/ <- main.ts. Each may import what stands left of it.
//
// Timings: performance.mark "trace-drawn"; performance.measure "slider-to-trace". Ready: window.__spikefab.ready.
import { job, load, loadCards, project, watch } from "./state/project";
import { reportWith } from "./state/report";
import { keep, session } from "./state/session";
import { h } from "./ui/elements";
import { complain, messages } from "./ui/messages";
import { startTheme, themeButton } from "./ui/theme";
import { DeployView } from "./views/deploy";
import { FitView } from "./views/fit";
import { importing } from "./views/importing";
import { ModelsView } from "./views/models";
import { TraceView } from "./views/trace";

declare global {
  interface Window {
    __spikefab?: { ready: boolean };
  }
}

interface View {
  el: HTMLElement;
  show(): void | Promise<void>;
  hide?(): void;
}

const TABS = [
  ["trace", "Trace"],
  ["models", "Models"],
  ["fit", "Auto-Fit"],
  ["deploy", "Deploy"],
] as const;
type Tab = (typeof TABS)[number][0];

const named = (hash: string): Tab | undefined => TABS.find(([id]) => `#${id}` === hash.split("/")[0])?.[0];

/** The job whose link the address is: `#fit/ID` or `#deploy/ID`. It is chosen in the session; returns the tab that shows it. */
function linked(hash: string): Tab | undefined {
  const id = hash.split("/")[1];
  if (!id) return undefined;
  const j = job(id);
  if (!j) {
    complain(new Error(`There is no job ${id} in this project: it was deleted, or the link is of another project.`));
    return undefined;
  }
  if (j.kind !== "fit") session.job = id;
  else if (session.fit !== id) Object.assign(session, { fit: id, row: null });
  return j.kind === "fit" ? "fit" : "deploy";
}

async function main(): Promise<void> {
  startTheme();
  const [away, alerts, status] = messages();
  reportWith(complain);
  await load().catch(complain);
  const go = (tab: Tab) => {
    if (named(location.hash) === tab) void open(tab);
    else location.hash = tab;
  };
  const made = new Map<Tab, Promise<View>>();
  const makers: Record<Tab, () => View> = {
    trace: () => new TraceView(),
    models: () =>
      new ModelsView(() => {
        session.neuron = "bench";
        go("deploy");
      }),
    fit: () =>
      new FitView(
        () => go("models"),
        () => go("deploy"),
      ),
    deploy: () => new DeployView(() => void view("models").then((v) => (v as ModelsView).prepare())),
  };
  /** Views are made when they are first opened; all but the first need the models. */
  const view = (tab: Tab): Promise<View> => {
    let found = made.get(tab);
    if (found) return found;
    const panel = panels[TABS.findIndex(([id]) => id === tab)]!;
    const wait = h("p", { class: "soft", role: "status" }, "Loading the models …");
    if (tab !== "trace") panel.append(wait);
    found = (tab === "trace" ? Promise.resolve() : loadCards())
      .then(() => {
        const v = makers[tab]();
        panel.append(v.el);
        return v;
      })
      .finally(() => wait.remove());
    found.catch(() => made.delete(tab));
    made.set(tab, found);
    return found;
  };
  const tabs = TABS.map(([id, name]) =>
    h("button", { type: "button", role: "tab", id: `tab-${id}`, "aria-controls": `panel-${id}`, onclick: () => go(id) }, name),
  );
  const panels = TABS.map(([id]) =>
    h("div", { role: "tabpanel", id: `panel-${id}`, "aria-labelledby": `tab-${id}`, hidden: true }),
  );
  const list = h("div", { role: "tablist", "aria-label": "Views" }, tabs);
  list.addEventListener("keydown", (e) => {
    const at = tabs.indexOf(document.activeElement as HTMLButtonElement);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1 }[e.key];
    if (at < 0 || to === undefined) return;
    e.preventDefault();
    const next = (to + tabs.length) % tabs.length;
    tabs[next]!.focus();
    go(TABS[next]![0]);
  });

  let now: Tab | null = null;
  const open = async (tab: Tab): Promise<void> => {
    TABS.forEach(([id], k) => {
      const here = id === tab;
      tabs[k]!.setAttribute("aria-selected", String(here));
      tabs[k]!.tabIndex = here ? 0 : -1;
      panels[k]!.hidden = !here;
    });
    const before = now;
    now = tab;
    session.tab = tab;
    keep();
    if (before && before !== tab)
      void made.get(before)?.then(
        (v) => v.hide?.(),
        () => {},
      );
    try {
      const v = await view(tab);
      if (now === tab) await v.show();
    } catch (error) {
      complain(error);
    }
  };

  const { control, busy } = importing(() => go("trace"));
  document.body.prepend(
    h(
      "div",
      { class: "top" },
      h(
        "header",
        null,
        h(
          "h1",
          null,
          h("span", { class: "brand" }, "spikefab"),
          h("span", { class: "project", id: "project" }, project.name || "Studio"),
        ),
        list,
        h("span", { class: "push row" }, busy, control, themeButton()),
      ),
      away,
      alerts,
    ),
    h("main", null, panels),
    status,
  );
  const head = document.querySelector("header")!; // what sticks below it needs its height
  new ResizeObserver(() => document.documentElement.style.setProperty("--head", `${head.offsetHeight}px`)).observe(head);
  document.title = project.name ? `${project.name} – spikefab Studio` : "spikefab Studio";
  addEventListener("hashchange", () => void open(linked(location.hash) ?? named(location.hash) ?? "trace"));
  const first = open(linked(location.hash) ?? named(location.hash) ?? named(`#${session.tab}`) ?? "trace");
  if (now && named(location.hash) !== now) history.replaceState(null, "", `#${now}`);
  watch();
  await first;
  // wait for two frames: the charts are laid out in the first and drawn after the second
  requestAnimationFrame(() => requestAnimationFrame(() => (window.__spikefab = { ready: true })));
}

void main();
