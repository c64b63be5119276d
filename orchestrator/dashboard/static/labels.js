// The words at the left of the grid and above it.

export const HEAD = 16; // pixels
export const FONT = "12px system-ui, sans-serif";

export function rowLabel(row) {
  return row
    .map((part) => part.word)
    .filter((word) => word)
    .join(", ");
}

/** Of the rows `first` to `last`; that of the cursor stands out. */
export function drawRowLabels(context, colours, matrix, first, last) {
  const { gutter, head, height, layout, cursor, element, rowHeight } = matrix;
  context.save();
  context.font = FONT;
  context.textBaseline = "middle";
  context.textAlign = "right";
  context.beginPath();
  context.rect(0, head, gutter, height - head);
  context.clip();
  for (let row = first; row < last; row++) {
    const text = fitted(context, rowLabel(layout.rows[row]), gutter - 8);
    context.fillStyle = cursor?.[0] === row ? colours.text : colours.muted;
    context.fillText(text, gutter - 6, head + (row + 0.5) * rowHeight - element.scrollTop);
  }
  context.restore();
}

/** A line a parameter that runs across, the outer ones first. */
export function drawHeads(context, colours, matrix, width) {
  const { gutter, head, layout } = matrix;
  context.save();
  context.font = FONT;
  context.textBaseline = "middle";
  context.textAlign = "left";
  context.fillStyle = colours.muted;
  context.beginPath();
  context.rect(gutter, 0, width - gutter, head);
  context.clip();
  for (let level = 0; level < (layout.columns[0]?.length ?? 0); level++) {
    drawHead(context, matrix, level);
  }
  context.restore();
}

/** Each value of a parameter once over the columns that share it, as far as there is room. */
function drawHead(context, { gutter, layout, lefts, cellWidth, element }, level) {
  const { columns } = layout;
  const { scrollLeft } = element;
  const y = level * HEAD + HEAD / 2;
  // Where the columns end that share the values down to a depth with the column `start`.
  const edge = (depth, start) => {
    const same = (column) => columns[start].slice(0, depth).every((p, i) => p.code === column[i].code);
    let end = start + 1;
    while (end < columns.length && same(columns[end])) end++;
    return [end, lefts[end - 1] + cellWidth - scrollLeft];
  };
  let free = -Infinity; // where the label before ends
  let [groupEnd, groupRight] = [0, 0]; // of the columns that share the outer values
  for (let start = 0; start < columns.length; ) {
    const outer = start >= groupEnd;
    if (outer) [groupEnd, groupRight] = edge(level, start);
    const [end, right] = edge(level + 1, start);
    const { word } = columns[start][level];
    // Of numbers in a row the first says of which parameter they are.
    const text = outer ? word : word.split(" ").pop();
    const left = lefts[start] - scrollLeft;
    const single = end - start === 1;
    const at = single ? left : Math.max(left, gutter);
    const room = (single ? groupRight : right) - at;
    const drawn = single && context.measureText(text).width > room ? "" : fitted(context, text, room);
    if (drawn && at >= free && right > gutter) {
      context.fillText(drawn, at, y);
      free = at + context.measureText(drawn).width + 6;
    }
    start = end;
  }
}

function fitted(context, text, room) {
  if (context.measureText(text).width <= room) return text;
  let kept = text.length;
  while (kept > 0 && context.measureText(`${text.slice(0, kept)}…`).width > room) kept--;
  return kept > 1 ? `${text.slice(0, kept)}…` : "";
}
