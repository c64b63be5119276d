// Line charts of a trial's curve, as SVG: a log axis where values span decades, numbers on hover.

const NAMESPACE = "http://www.w3.org/2000/svg";
const DECADES = 1.5;
const TITLES = {
  loss: "loss",
  reconstruction_per_image: "reconstruction",
  kl_nats: "KL, nats",
};

/** Charts of what `curve.json` says: loss, reconstruction, KL, KL by latent, then other terms. */
export function curveCharts({ step, kl_nats_by_latent, ...terms }) {
  const first = Object.keys(TITLES).filter((name) => name in terms);
  const names = [...first, ...Object.keys(terms).filter((name) => !first.includes(name))];
  const charts = names.map((name) =>
    chart(TITLES[name] ?? name.replaceAll("_", " "), step, [{ name: "", values: terms[name] }]),
  );
  if (kl_nats_by_latent.length > 0) {
    const lines = kl_nats_by_latent.map((values, i) => ({ name: `latent ${i}`, values }));
    charts.splice(first.length, 0, chart("KL by latent, nats", step, lines));
  }
  return charts;
}

/** The three terms that all frameworks report, small. */
export function smallCharts({ step, ...terms }) {
  return Object.keys(TITLES)
    .filter((name) => terms[name]?.some((value) => value !== null))
    .map((name) => chart(TITLES[name], step, [{ name: "", values: terms[name] }], true));
}

export function chart(title, step, lines, small = false) {
  const [width, height] = small ? [190, 84] : [360, 190];
  const [left, right, top, bottom] = small ? [4, 4, 4, 4] : [52, 10, 8, 22];
  const values = lines.flatMap((one) => one.values).filter(Number.isFinite);
  const low = Math.min(...values);
  const high = Math.max(...values);
  const log = low > 0 && Math.log10(high / low) >= DECADES;
  const y = scale(log ? Math.log10(low) : low, log ? Math.log10(high) : high, height - bottom, top);
  const x = scale(step[0], step.at(-1), left, width - right);
  const yOf = (value) => y(log ? Math.log10(value) : value);

  const svg = element("svg", { viewBox: `0 0 ${width} ${height}`, role: "img" });
  svg.append(element("title", {}, `${title}, ${step.length} reports up to step ${step.at(-1)}`));
  if (!small) {
    for (const tick of ticks(low, high, log)) {
      svg.append(element("line", { class: "tick", x1: left, x2: width - right, ...level(yOf(tick)) }));
      const text = { class: "label", x: left - 6, y: yOf(tick) + 4, "text-anchor": "end" };
      svg.append(element("text", text, short(tick)));
    }
    const ends = [[step[0], "start", left], [step.at(-1), "end", width - right]];
    for (const [value, anchor, at] of step.length > 1 ? ends : ends.slice(1)) {
      const text = { class: "label", x: at, y: height - 6, "text-anchor": anchor };
      svg.append(element("text", text, value.toLocaleString("en")));
    }
  }
  lines.forEach((one, i) => {
    for (const run of runs(one.values)) {
      const path = run.map((at) => `${x(step[at]).toFixed(1)},${yOf(one.values[at]).toFixed(1)}`);
      if (path.length === 1) {
        const [cx, cy] = path[0].split(",");
        svg.append(element("circle", { class: `line line-${i % 8}`, cx, cy, r: 2.5 }));
      } else {
        svg.append(element("polyline", { class: `line line-${i % 8}`, points: path.join(" ") }));
      }
    }
  });

  const figure = document.createElement("figure");
  figure.className = small ? "chart small" : "chart";
  const caption = document.createElement("figcaption");
  const name = document.createElement("span");
  name.textContent = log && !small ? `${title} (log)` : title;
  const number = document.createElement("span");
  number.className = "read";
  caption.append(name, number);
  figure.append(caption, svg);
  const cross = element("line", { class: "cross", y1: top, y2: height - bottom, visibility: "hidden" });
  svg.append(cross);

  const read = (at) => {
    const found = lines
      .map((one) => [one.name, one.values[at]])
      .sort(([, a], [, b]) => b - a)
      .slice(0, 3)
      .map(([line, value]) => `${line ? `${line}: ` : ""}${short(value)}`);
    number.textContent = found.join(" · ");
    if (!small && at < step.length - 1) number.textContent += ` at ${step[at].toLocaleString("en")}`;
  };
  read(step.length - 1);
  svg.addEventListener("pointermove", (event) => {
    const across = (event.offsetX / svg.clientWidth) * width;
    let nearest = 0;
    step.forEach((value, at) => {
      if (Math.abs(x(value) - across) < Math.abs(x(step[nearest]) - across)) nearest = at;
    });
    cross.setAttribute("x1", x(step[nearest]));
    cross.setAttribute("x2", x(step[nearest]));
    cross.setAttribute("visibility", "visible");
    read(nearest);
  });
  svg.addEventListener("pointerleave", () => {
    cross.setAttribute("visibility", "hidden");
    read(step.length - 1);
  });
  return figure;
}

export function short(value) {
  if (!Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e6)) return value.toExponential(1);
  return Number(value.toPrecision(4)).toLocaleString("en", { maximumFractionDigits: 4 });
}

/** Places of values that follow one another without a gap: where there is no number, none is drawn. */
function runs(values) {
  const found = [];
  values.forEach((value, at) => {
    if (!Number.isFinite(value)) return;
    if (at > 0 && Number.isFinite(values[at - 1])) found.at(-1).push(at);
    else found.push([at]);
  });
  return found;
}

function scale(from, to, start, end) {
  const span = to - from || 1;
  return (value) => (to === from ? (start + end) / 2 : start + ((value - from) / span) * (end - start));
}

function ticks(low, high, log) {
  if (!Number.isFinite(low)) return [];
  if (log) {
    const powers = [];
    for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power++) {
      powers.push(10 ** power);
    }
    const factors = powers.length > 3 ? [1] : [1, 2, 5];
    const found = powers.flatMap((power) => factors.map((factor) => factor * power));
    return found.filter((tick) => tick >= low && tick <= high).slice(-7);
  }
  if (high === low) return [low];
  const rough = (high - low) / 4;
  const unit = 10 ** Math.floor(Math.log10(rough));
  const every = [1, 2, 5, 10].map((factor) => factor * unit).find((size) => size >= rough);
  const found = [];
  for (let tick = Math.ceil(low / every) * every; tick <= high; tick += every) found.push(tick);
  return found;
}

const level = (y) => ({ y1: y, y2: y });

function element(name, attributes, text = "") {
  const made = document.createElementNS(NAMESPACE, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text) made.textContent = text;
  return made;
}
