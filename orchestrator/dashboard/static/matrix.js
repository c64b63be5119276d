// The grid on a canvas of the size of its window, drawn anew for what is scrolled into it.

import { drawShare, drawState, palette } from "./colours.js";
import { drawHeads, drawRowLabels, FONT, HEAD, rowLabel } from "./labels.js";

const NARROWEST = 2.5;
const WIDEST = 72;
const ROW = 18;
const ROOMY_ROW = 24; // of a small grid
const FEW_ROWS = 24;
const GROUP_GAP = 6;

export class Matrix {
  /** `onPoint(index | -1, x, y)` is told the cell under pointer or cursor, `onOpen(index, event)`. */
  constructor(element, { onPoint, onOpen }) {
    this.element = element;
    this.canvas = document.createElement("canvas");
    this.space = document.createElement("div");
    this.space.append(this.canvas); // which sticks to the corner of what is scrolled
    element.append(this.space);
    this.cursor = null; // [row, column]
    this.layout = { rows: [], columns: [], cells: new Int32Array(0) };
    element.addEventListener("scroll", () => this.draw());
    new ResizeObserver(() => this.resize()).observe(element);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
    this.canvas.addEventListener("pointermove", (event) => {
      const index = this.at(event.offsetX, event.offsetY);
      element.classList.toggle("pointing", index >= 0);
      onPoint(index, event.clientX, event.clientY);
    });
    this.canvas.addEventListener("pointerleave", () => onPoint(-1));
    for (const type of ["click", "auxclick"]) {
      this.canvas.addEventListener(type, (event) => {
        const index = this.at(event.offsetX, event.offsetY);
        if (index >= 0 && event.button < 2) onOpen(index, event);
      });
    }
    element.addEventListener("keydown", (event) => this.key(event, onPoint, onOpen));
    element.addEventListener("blur", () => onPoint(-1));
  }

  /** `paint(index)` gives letter, progress, the share of the scale or null, and the number. */
  show(layout, paint) {
    this.layout = layout;
    this.paint = paint;
    if (this.cursor && this.cellAt(...this.cursor) === undefined) this.cursor = null;
    this.resize();
  }

  resize() {
    const { rows, columns } = this.layout;
    const width = this.element.clientWidth;
    const context = this.canvas.getContext("2d");
    context.font = FONT;
    const widest = Math.max(0, ...rows.map((row) => context.measureText(rowLabel(row)).width));
    this.gutter = Math.ceil(Math.min(widest + 12, Math.max(90, width * 0.3)));
    this.head = columns[0]?.length ? columns[0].length * HEAD + 4 : 0;
    // A gap before each column where an outer parameter changes.
    let gaps = 0;
    const lefts = columns.map((column, i) => {
      const outer = column.length > 1 && i > 0;
      if (outer && column[0].code !== columns[i - 1][0].code) gaps += GROUP_GAP;
      return gaps;
    });
    const room = (width - this.gutter - gaps - 4) / Math.max(columns.length, 1);
    const fitting = room < 6 ? room : Math.floor(room);
    this.cellWidth = Math.min(Math.max(fitting, NARROWEST), WIDEST);
    // Whole pixels, or edges blur.
    this.lefts = lefts.map((gap, i) => this.gutter + gap + Math.round(i * this.cellWidth));
    const fullWidth = (this.lefts.at(-1) ?? 0) + this.cellWidth + 2;
    this.rowHeight = rows.length <= FEW_ROWS ? ROOMY_ROW : ROW;
    const fullHeight = this.head + rows.length * this.rowHeight + 4;
    this.height = Math.min(fullHeight, Math.max(320, innerHeight * 0.75));
    this.element.style.height = `${this.height + (fullWidth > width ? 18 : 2)}px`;
    this.space.style.width = `${fullWidth}px`;
    this.space.style.height = `${fullHeight}px`;
    const ratio = devicePixelRatio;
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(this.height * ratio);
    this.canvas.style.width = `${width}px`;
    this.canvas.style.height = `${this.height}px`;
    this.draw();
  }

  draw() {
    const { rows, columns } = this.layout;
    const context = this.canvas.getContext("2d");
    const colours = palette();
    const { scrollLeft, scrollTop } = this.element;
    const width = this.canvas.width / devicePixelRatio;
    context.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
    context.clearRect(0, 0, width, this.height);
    const gap = this.cellWidth >= 5 ? 1 : 0;
    const cell = Math.ceil(this.cellWidth) - gap;
    const first = Math.max(0, Math.floor(scrollTop / this.rowHeight));
    const last = Math.min(rows.length, Math.ceil((scrollTop + this.height - this.head) / this.rowHeight) + 1);
    context.save();
    context.beginPath();
    context.rect(this.gutter, this.head, width - this.gutter, this.height - this.head);
    context.clip();
    for (let row = first; row < last; row++) {
      const y = this.head + row * this.rowHeight - scrollTop + 2;
      for (let column = 0; column < columns.length; column++) {
        const x = this.lefts[column] - scrollLeft;
        if (x + this.cellWidth < this.gutter || x > width) continue;
        const index = this.layout.cells[row * columns.length + column];
        if (index < 0) continue;
        const { letter, progress, share, number } = this.paint(index);
        if (share === null) {
          drawState(context, colours, letter, x, y, cell, this.rowHeight - 4, progress);
        } else {
          drawShare(context, colours, share, number, x, y, cell, this.rowHeight - 4);
        }
      }
    }
    this.drawCursor(context, colours, scrollLeft, scrollTop);
    context.restore();
    drawRowLabels(context, colours, this, first, last);
    drawHeads(context, colours, this, width);
  }

  drawCursor(context, colours, scrollLeft, scrollTop) {
    if (!this.cursor || document.activeElement !== this.element) return;
    const [row, column] = this.cursor;
    context.strokeStyle = colours.focus;
    context.lineWidth = 2;
    const y = this.head + row * this.rowHeight - scrollTop;
    context.strokeRect(this.lefts[column] - scrollLeft - 1, y, this.cellWidth + 2, this.rowHeight);
  }

  /** The trial at a point of the element, -1 for none. */
  at(x, y) {
    const { columns } = this.layout;
    if (x < this.gutter || y < this.head || y > this.height) return -1;
    const row = Math.floor((y - this.head + this.element.scrollTop) / this.rowHeight);
    const across = x + this.element.scrollLeft;
    const column = this.lefts.findLastIndex((left) => left <= across);
    if (column < 0 || across > this.lefts[column] + this.cellWidth) return -1;
    return row * columns.length + column < this.layout.cells.length
      ? this.layout.cells[row * columns.length + column]
      : -1;
  }

  cellAt(row, column) {
    return this.layout.columns[column] && this.layout.rows[row]
      ? this.layout.cells[row * this.layout.columns.length + column]
      : undefined;
  }

  /** The middle of a trial's cell in the element, scrolled into view. */
  placeOf(index) {
    const at = this.layout.cells.indexOf(index);
    const width = this.layout.columns.length;
    const [row, column] = [Math.floor(at / width), at % width];
    this.reveal(row, column);
    return [
      this.lefts[column] - this.element.scrollLeft + this.cellWidth / 2,
      this.head + row * this.rowHeight - this.element.scrollTop + this.rowHeight / 2,
    ];
  }

  reveal(row, column) {
    const { element } = this;
    const top = row * this.rowHeight;
    const bottom = top + this.rowHeight - (this.height - this.head);
    element.scrollTop = Math.min(top, Math.max(bottom, element.scrollTop));
    const left = this.lefts[column] - this.gutter;
    const right = this.lefts[column] + this.cellWidth + 4 - element.clientWidth;
    element.scrollLeft = Math.min(left, Math.max(right, element.scrollLeft));
  }

  key(event, onPoint, onOpen) {
    const { rows, columns } = this.layout;
    const moves = {
      ArrowUp: [-1, 0],
      ArrowDown: [1, 0],
      ArrowLeft: [0, -1],
      ArrowRight: [0, 1],
      PageUp: [-10, 0],
      PageDown: [10, 0],
      Home: [0, -columns.length],
      End: [0, columns.length],
    };
    if (event.key === "Enter" && this.cursor && this.cellAt(...this.cursor) >= 0) {
      onOpen(this.cellAt(...this.cursor), event);
    } else if (event.key in moves && rows.length > 0) {
      const [down, across] = this.cursor ? moves[event.key] : [0, 0];
      const [row, column] = this.cursor ?? [0, 0];
      this.cursor = [
        Math.min(Math.max(row + down, 0), rows.length - 1),
        Math.min(Math.max(column + across, 0), columns.length - 1),
      ];
      this.reveal(...this.cursor);
      this.draw();
      const box = this.element.getBoundingClientRect();
      const index = this.cellAt(...this.cursor);
      const x = box.left + this.lefts[this.cursor[1]] - this.element.scrollLeft;
      const y = box.top + this.head + this.cursor[0] * this.rowHeight - this.element.scrollTop;
      onPoint(index, x + this.cellWidth, y + this.rowHeight);
    } else {
      return;
    }
    event.preventDefault();
  }
}
