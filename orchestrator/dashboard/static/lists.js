// The running trials with their curves, and the failed ones by what was wrong.

import { smallCharts } from "./charts.js";
import { make } from "./filters.js";
import { json, Source } from "./live.js";

const CARDS = 12; // curves that the server sends at once
const LINKS = 200; // of one error

export class Running {
  constructor(grid) {
    this.grid = grid;
    this.first = 0;
    this.source = new Source(json);
    this.curves = {};
    for (const [id, step] of [["fewer", -CARDS], ["more", CARDS]]) {
      byId(id).addEventListener("click", () => {
        this.first += step;
        this.draw();
        this.refresh();
      });
    }
  }

  /** `running` as in state.json; `shown` is a Set of the places that the filters leave. */
  show(running, shown) {
    this.trials = running.trials
      .map((index, i) => ({ index, done: running.steps_done[i], steps: running.steps[i] }))
      .filter(({ index }) => shown.has(index));
    this.draw();
  }

  draw() {
    const { trials } = this;
    this.first = Math.max(0, Math.min(this.first, Math.ceil(trials.length / CARDS - 1) * CARDS));
    const here = trials.slice(this.first, this.first + CARDS);
    byId("running-section").hidden = trials.length === 0;
    byId("fewer").hidden = this.first === 0;
    byId("more").hidden = this.first + CARDS >= trials.length;
    const part = `${this.first + 1} to ${this.first + here.length} of `;
    byId("running-count").textContent =
      (here.length < trials.length ? part : "") + trials.length.toLocaleString("en");
    byId("running").replaceChildren(...here.map((trial) => this.card(trial)));
    this.address = `curves.json?trials=${here.map(({ index }) => index)}`;
  }

  card({ index, done, steps }) {
    const card = make("article", { className: "card" });
    card.dataset.trial = this.grid.trials[index];
    const name = make("a", { href: trialAddress(this.grid, index) });
    name.textContent = this.grid.words(index);
    const bar = make("progress", { max: steps, value: done });
    bar.setAttribute("aria-label", "steps done");
    const count = make("span", { className: "note" });
    count.textContent = `${done.toLocaleString("en")} of ${steps.toLocaleString("en")} steps`;
    const charts = make("div", { className: "charts" });
    const curve = this.curves[this.grid.trials[index]];
    if (curve?.problem) charts.append(make("p", { className: "note", textContent: curve.problem }));
    else if (curve?.step.length) charts.append(...smallCharts(curve));
    card.append(name, bar, count, charts);
    return card;
  }

  /** Reads the curves of those shown, if there are any. */
  async refresh() {
    if (!this.trials?.length) return;
    const curves = await this.source.changed(this.address);
    if (curves) {
      this.curves = curves;
      this.draw();
    }
  }
}

/** By error, the most frequent first: one cause often fails many trials. */
export function showFailed(grid, { failed, errors }, shown) {
  const groups = errors.map((error) => ({ error, trials: [] }));
  failed.trials.forEach((index, i) => {
    if (shown.has(index)) groups[failed.errors[i]].trials.push(index);
  });
  const found = groups.filter(({ trials }) => trials.length > 0);
  found.sort((one, other) => other.trials.length - one.trials.length);
  const count = found.reduce((sum, { trials }) => sum + trials.length, 0);
  byId("failed-section").hidden = count === 0;
  byId("failed-count").textContent = count.toLocaleString("en");
  const list = byId("failed");
  const open = new Set([...list.querySelectorAll("details[open]")].map((e) => e.dataset.error));
  list.replaceChildren(
    ...found.map(({ error, trials }) => {
      const group = make("details", { className: "failure" });
      group.dataset.error = error;
      group.open = open.has(error) || found.length === 1;
      const summary = make("summary");
      const times = make("b", { textContent: `${trials.length.toLocaleString("en")} × ` });
      summary.append(times, make("code", { textContent: error }));
      const links = make("ul");
      for (const index of trials.slice(0, LINKS)) {
        const link = make("a", { href: trialAddress(grid, index), textContent: grid.words(index) });
        const item = make("li");
        item.append(link);
        links.append(item);
      }
      if (trials.length > LINKS) links.append(make("li", { textContent: "…" }));
      group.append(summary, links);
      return group;
    }),
  );
}

export function trialAddress(grid, index) {
  return `trial/${grid.trials[index]}/`;
}

const byId = (id) => document.getElementById(id);
