// What is shown, in the address: to be sent to others, and to be found again by going back.

import { STATES } from "./colours.js";
import { defaultColumns } from "./grid.js";

/** Of the hash: `chosen` values by parameter, `columns`, `letters` of states, `by` and `at`. */
export function readAddress(grid) {
  const found = new URLSearchParams(location.hash.slice(1));
  const chosen = new Map();
  for (const { name, values } of grid.parameters) {
    const wanted = found.getAll(name);
    if (wanted.length === 0) continue;
    const codes = [...values.keys()].filter((code) => wanted.includes(String(values[code])));
    chosen.set(name, new Set(codes));
  }
  const across = found.get("across")?.split(",").filter((name) => grid.byName.has(name));
  return {
    chosen,
    columns: across ?? defaultColumns(grid),
    letters: new Set(found.get("states") ?? Object.keys(STATES)),
    by: found.get("by") ?? "",
    at: found.get("at") ?? "last",
  };
}

/** What is as it is at first stays out. */
export function writeAddress(grid, { chosen, columns, letters, by, at }) {
  const written = new URLSearchParams();
  for (const [name, codes] of chosen) {
    const { values } = grid.byName.get(name);
    if (codes.size === 0) written.append(name, "");
    for (const code of codes) written.append(name, String(values[code]));
  }
  if (letters.size < Object.keys(STATES).length) written.set("states", [...letters].join(""));
  if (columns.join() !== defaultColumns(grid).join()) written.set("across", columns);
  if (by) written.set("by", by);
  if (by && at === "best") written.set("at", at);
  const hash = written.size > 0 ? `#${written}` : "";
  if (hash !== location.hash) history.replaceState(null, "", location.pathname + hash);
}
