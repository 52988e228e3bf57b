"use strict";
// Sorts a table by a click on its header, and hides the rows that lack the words in its box.
for (const box of document.querySelectorAll(".sortable")) {
  const body = box.querySelector("tbody");
  const heads = [...box.querySelectorAll("thead th")];
  const rows = [...body.rows];
  const key = (row, at) => {
    const cell = row.cells[at];
    return cell.dataset.v === undefined ? cell.textContent.trim() : Number(cell.dataset.v);
  };
  const order = (a, b) => {
    if (typeof a === "number" && typeof b === "number") return a - b;
    // Cells without a figure come after those with one.
    if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1;
    return a.localeCompare(b, undefined, { numeric: true });
  };
  heads.forEach((head, at) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const sorted = rows
        .map((row) => [key(row, at), row])
        .sort(([a], [b]) => {
          const kinds = typeof a !== typeof b;
          return down && !kinds ? order(b, a) : order(a, b);
        });
      body.append(...sorted.map(([, row]) => row));
    });
  });
  const filter = box.querySelector(".filter");
  if (!filter) continue;
  filter.hidden = false;
  const input = filter.querySelector("input");
  const output = filter.querySelector("output");
  const texts = rows.map((row) => row.textContent.toLowerCase());
  input.addEventListener("input", () => {
    const words = input.value.trim().toLowerCase();
    let shown = 0;
    rows.forEach((row, at) => {
      const is = texts[at].includes(words);
      row.hidden = !is;
      shown += is;
    });
    output.textContent = words ? `${shown} of ${rows.length} rows` : "";
  });
}
// What is folded away is printed too, but for the long tables; a link into a fold opens it.
const folds = [];
addEventListener("beforeprint", () => {
  for (const fold of document.querySelectorAll("details.figures:not([open])")) {
    fold.open = true;
    folds.push(fold);
  }
});
addEventListener("afterprint", () => {
  for (const fold of folds.splice(0)) fold.open = false;
});
