// The list of studies, and a trial: the server writes them, here they are kept up to date.

import { chart, curveCharts } from "./charts.js";
import { json, keepLive, page, Source, swapLiveParts } from "./live.js";

const self = new Source(page);
const curve = new Source(json);
const curves = document.getElementById("curves");

const log = document.querySelector("pre.log");
if (log) log.scrollTop = log.scrollHeight;

keepLive(async () => {
  const fresh = await self.changed(location.pathname);
  if (fresh) swapLiveParts(fresh);
  if (!curves) return;
  const found = await curve.changed(curves.dataset.curve);
  if (found) {
    const unread = document.getElementById("unread");
    unread.textContent = found.problem;
    unread.hidden = found.problem === null;
    fill(curves, found.terms?.step.length > 0 ? curveCharts(found.terms) : []);
    const scores = Object.entries(found.scores).map(([name, { step, value }]) =>
      chart(name, step, [{ name: "", values: value }]),
    );
    fill(document.getElementById("score-curves"), scores);
  }
});

function fill(section, charts) {
  section.hidden = charts.length === 0;
  section.querySelector(".charts").replaceChildren(...charts);
}
