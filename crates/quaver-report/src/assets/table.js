for (const ranking of document.querySelectorAll(".ranking")) {
  const body = ranking.querySelector("tbody");
  const headers = [...ranking.querySelectorAll("th")];
  const filter = ranking.querySelector(".filter");
  const status = ranking.querySelector("output");
  const isFirst = headers.findIndex((header) => header.dataset.sort);
  const STEP = 200;

  // A row is its values by column, what is searched in it, and how it becomes an element.
  const standing = [...body.rows].map((element) => {
    const cells = [...element.cells];
    return {
      values: cells.map((cell) => cell.dataset.value ?? cell.textContent.trim()),
      get text() { return element.textContent + [...element.querySelectorAll("img")].map((img) => " " + img.alt).join(""); },
      get element() { return element; },
    };
  });

  const tag = (name, attributes, ...children) => {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.append(...children);
    return element;
  };
  const missing = (kind) => tag("td", { class: `${kind} missing` }, tag("span", { "aria-label": "no value", role: "img" }, "–"));
  const packed = ([cells, picture, remarks]) => {
    const hasPictures = isFirst > 0;
    const hasRemarks = headers.length > cells.length + isFirst;
    const display = (cell) => (Array.isArray(cell) ? cell[0] : String(cell ?? ""));
    const build = () => {
      const row = document.createElement("tr");
      if (hasPictures) {
        const cell = tag("td", { class: "picture" });
        if (picture) {
          const [name, src, alt, width, height] = picture;
          cell.append(tag("img", { class: name, src, alt, width, height }));
        }
        row.append(cell);
      }
      cells.forEach((cell, index) => {
        const kind = headers[index + isFirst].dataset.sort;
        if (cell === null) row.append(missing(kind));
        else if (kind === "number") row.append(tag("td", { class: "number" }, display(cell)));
        else row.append(tag("td", { dir: "auto" }, display(cell)));
      });
      if (hasRemarks) {
        const badges = remarks.flatMap(([tone, shape, text]) => [
          tag("span", { class: `badge ${tone}` }, tag("span", { "aria-hidden": "true" }, shape), ` ${text}`), " "]);
        row.append(tag("td", { class: "remarks" }, ...badges));
      }
      return row;
    };
    let element;
    const values = cells.map((cell) => (Array.isArray(cell) ? cell[1] : cell ?? ""));
    if (hasPictures) values.unshift("");
    if (hasRemarks) values.push(remarks.map((remark) => remark[2]).join(" "));
    return {
      values,
      get text() { return [...cells.map(display), picture ? picture[2] : "", ...remarks.map((remark) => remark[2])].join(" "); },
      get element() { return element ??= build(); },
    };
  };
  const data = ranking.querySelector(".rest");
  const rows = standing.concat(data ? JSON.parse(data.textContent).map(packed) : []);

  let chosen = rows;
  let shown = standing.length;
  const more = tag("button", { type: "button", class: "button" });
  const all = tag("button", { type: "button", class: "button" }, "Show all");
  const rest = tag("p", { class: "more" }, more, " ", all);
  ranking.querySelector(".scroll").after(rest);
  const show = () => {
    body.replaceChildren(...chosen.slice(0, shown).map((row) => row.element));
    rest.hidden = chosen.length <= shown;
    const next = Math.min(STEP, chosen.length - shown);
    more.textContent = `Show ${next} more of ${(chosen.length - shown).toLocaleString("en")}`;
  };
  more.addEventListener("click", () => { shown += STEP; show(); });
  all.addEventListener("click", () => { shown = chosen.length; show(); });

  const collator = new Intl.Collator("en", { numeric: true });
  const sort = (index) => {
    const header = headers[index];
    const isNumber = header.dataset.sort === "number";
    const now = header.getAttribute("aria-sort");
    const order = now === "none" ? (isNumber ? "descending" : "ascending")
      : now === "ascending" ? "descending" : "ascending";
    const sign = order === "ascending" ? 1 : -1;
    const compare = (a, b) => {
      const [x, y] = [a.values[index], b.values[index]];
      // What is missing comes last whichever way.
      if (x === "" || y === "") return (x === "") - (y === "");
      if (!isNumber) return sign * collator.compare(x, y);
      return Number(x) === Number(y) ? 0 : sign * (Number(x) < Number(y) ? -1 : 1);
    };
    rows.sort(compare);
    chosen = chosen === rows ? rows : chosen.sort(compare);
    show();
    for (const other of headers) {
      if (other.dataset.sort) other.setAttribute("aria-sort", other === header ? order : "none");
    }
    status.textContent = `Sorted by ${header.textContent.trim()}, ${order}.`;
  };

  const names = headers.map((header) => header.textContent.trim().toLowerCase());
  headers.forEach((header, index) => {
    if (!header.dataset.sort) return;
    const button = tag("button", { type: "button" }, ...header.childNodes);
    button.addEventListener("click", () => sort(index));
    header.append(button);
  });

  // A word is looked for anywhere in the row; `fi>0.5` or `label=cat` in its column.
  const compares = {
    "<": (x, y) => x < y, ">": (x, y) => x > y, "<=": (x, y) => x <= y, ">=": (x, y) => x >= y,
  };
  const test = (word) => {
    const parts = word.match(/^([^<>=]+)(<=|>=|<|>|=)(.+)$/);
    const index = parts ? names.indexOf(parts[1]) : -1;
    if (index < 0) return (row) => (row.searched ??= row.text.toLowerCase()).includes(word);
    const [, , sign, wanted] = parts;
    const number = Number(wanted.replace(/^(-?)inf$/, "$1Infinity"));
    if (sign === "=") {
      return (row) => {
        const value = row.values[index];
        return String(value).toLowerCase() === wanted || (value !== "" && Number(value) === number);
      };
    }
    return (row) => row.values[index] !== "" && compares[sign](Number(row.values[index]), number);
  };
  filter.hidden = false;
  filter.querySelector("input").addEventListener("input", (event) => {
    const words = event.target.value.toLowerCase().split(/\s+/).filter(Boolean);
    const tests = words.map(test);
    chosen = words.length ? rows.filter((row) => tests.every((passes) => passes(row))) : rows;
    shown = Math.max(standing.length, STEP);
    show();
    status.textContent = words.length ? `${chosen.length.toLocaleString("en")} of ${rows.length.toLocaleString("en")} rows.` : "";
  });
  if (rows.length > standing.length) show();
  else rest.hidden = true;
}
