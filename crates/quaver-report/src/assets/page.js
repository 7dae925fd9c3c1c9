"use strict";
for (const ranking of document.querySelectorAll(".ranking")) {
  const body = ranking.querySelector("tbody");
  const headers = [...ranking.querySelectorAll("th")];
  const filter = ranking.querySelector(".filter");
  const status = ranking.querySelector("output");
  const rows = [...body.rows];

  const value = (row, index) => {
    const cell = row.cells[index];
    return cell.dataset.value ?? cell.textContent.trim();
  };
  const collator = new Intl.Collator("en", { numeric: true });

  const sort = (index) => {
    const header = headers[index];
    const isNumber = header.dataset.sort === "number";
    const now = header.getAttribute("aria-sort");
    const order = now === "none" ? (isNumber ? "descending" : "ascending")
      : now === "ascending" ? "descending" : "ascending";
    const sign = order === "ascending" ? 1 : -1;
    rows.sort((a, b) => {
      const [x, y] = [value(a, index), value(b, index)];
      // What is missing comes last whichever way.
      if (x === "" || y === "") return (x === "") - (y === "");
      if (!isNumber) return sign * collator.compare(x, y);
      return Number(x) === Number(y) ? 0 : sign * (Number(x) < Number(y) ? -1 : 1);
    });
    body.append(...rows);
    for (const other of headers) {
      if (other.dataset.sort) other.setAttribute("aria-sort", other === header ? order : "none");
    }
    status.textContent = `Sorted by ${header.textContent.trim()}, ${order}.`;
  };

  headers.forEach((header, index) => {
    if (!header.dataset.sort) return;
    const button = document.createElement("button");
    button.type = "button";
    button.append(...header.childNodes);
    button.addEventListener("click", () => sort(index));
    header.append(button);
  });

  const texts = new Map(rows.map((row) => {
    const pictures = [...row.querySelectorAll("img")].map((picture) => picture.alt);
    const cells = [...row.cells].map((cell) => cell.textContent);
    return [row, [...cells, ...pictures].join(" ").toLowerCase()];
  }));
  filter.hidden = false;
  filter.querySelector("input").addEventListener("input", (event) => {
    const words = event.target.value.toLowerCase().split(/\s+/);
    let shown = 0;
    for (const row of rows) {
      row.hidden = !words.every((word) => texts.get(row).includes(word));
      shown += !row.hidden;
    }
    status.textContent = `${shown} of ${rows.length} rows.`;
  });
}

// Paper cannot be unfolded.
let folded = [];
addEventListener("beforeprint", () => {
  folded = [...document.querySelectorAll("details:not([open])")];
  for (const details of folded) details.open = true;
});
addEventListener("afterprint", () => {
  for (const details of folded) details.open = false;
});
