// What a plot says at the pointer, at the finger, or at the arrow keys; and the plot as a file of its own.
const tip = document.createElement("div");
tip.className = "tip";
tip.setAttribute("role", "status");
tip.hidden = true;
document.body.append(tip);

const hideTip = () => {
  tip.hidden = true;
  for (const marked of document.querySelectorAll(".at")) marked.classList.remove("at");
  for (const rule of document.querySelectorAll(".rule")) rule.remove();
};
const showTip = (chart, text, x, y) => {
  const box = chart.getBoundingClientRect();
  const [, , width, height] = chart.getAttribute("viewBox").split(" ").map(Number);
  tip.textContent = text;
  tip.hidden = false;
  const [left, top] = [box.left + (x / width) * box.width, box.top + (y / height) * box.height];
  const room = document.documentElement.clientWidth;
  const beside = left + 14 + tip.offsetWidth < room - 8 ? left + 14 : left - 14 - tip.offsetWidth;
  tip.style.left = `${scrollX + Math.min(Math.max(8, beside), Math.max(8, room - 8 - tip.offsetWidth))}px`;
  tip.style.top = `${scrollY + Math.max(8, top - tip.offsetHeight - 10)}px`;
};

// Numbers as the page writes them elsewhere: four significant digits, and powers of ten as such.
const raised = (digits) => [...digits].map((digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[digit] ?? (digit === "-" ? "⁻" : "")).join("");
const number = (value) => {
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size < 1e6 && size >= 1e-4) return Number(value.toPrecision(4)).toString().replace("-", "−");
  const [mantissa, exponent] = value.toExponential(3).split("e");
  return `${mantissa.replace("-", "−")}×10${raised(exponent)}`;
};

const axisOf = (text) => {
  const [scale, low, high, start, end] = text.split(" ").map((part, at) => (at ? Number(part) : part));
  return {
    start, end,
    value: (place) => {
      const share = (place - start) / (end - start);
      return scale === "log" ? low * (high / low) ** share : low + share * (high - low);
    },
  };
};

// Where a curve lies at x: between the two points around it, or where the last step up to there has led.
const heightAt = ({ points, steps }, x) => {
  if (steps !== undefined) {
    if (!points.length || x < points[0][0] || x > points.at(-1)[0]) return null;
    return points.findLast((point) => point[0] <= x)[1];
  }
  for (let at = 1; at < points.length; at++) {
    const [[x0, y0], [x1, y1]] = [points[at - 1], points[at]];
    if (x >= Math.min(x0, x1) && x <= Math.max(x0, x1)) {
      return x0 === x1 ? y1 : y0 + ((x - x0) / (x1 - x0)) * (y1 - y0);
    }
  }
  return null;
};

for (const chart of document.querySelectorAll(".chart")) {
  // The browser's own tooltips come late and not at all to fingers and keys.
  const said = [...chart.querySelectorAll("title")].map((title) => {
    const element = title.parentNode;
    element.dataset.title = title.textContent;
    title.remove();
    return element;
  });
  const curves = [];
  const things = [];
  let isRead = false;
  const read = () => {
    if (isRead) return;
    isRead = true;
    for (const element of said) {
      const text = element.dataset.title;
      if (element.matches(".line, .reference")) {
        const points = element.getAttribute("d").slice(1).split("L").map((point) => point.split(" ").map(Number));
        curves.unshift({ text, points, steps: element.dataset.steps, isMeasured: "measured" in element.dataset });
      } else if (element.closest(".mark")) {
        const [x, y] = element.getAttribute("d").match(/-?[\d.]+/g).map(Number);
        things.push({ element, text, x, y, reach: 14 });
      } else {
        const box = element.getBBox();
        things.push({ element, text, box, x: box.x + box.width / 2, y: box.y + Math.min(box.height / 2, 60), reach: 0 });
      }
    }
    things.sort((a, b) => a.y - b.y && a.box && b.box && a.box.width !== b.box.width ? a.y - b.y || a.x - b.x : a.x - b.x || a.y - b.y);
  };
  const axes = chart.dataset.x && [axisOf(chart.dataset.x), axisOf(chart.dataset.y)];

  const measured = () => {
    const places = curves.flatMap((curve) => (curve.isMeasured ? curve.points.map((point) => point[0]) : []));
    return [...new Set(places)].sort((a, b) => a - b);
  };
  const sayCurves = (x) => {
    const [across, up] = axes;
    // Where curves join what was measured, the nearest of it.
    const inside = Math.min(Math.max(x, Math.min(across.start, across.end)), Math.max(across.start, across.end));
    const nearer = (best, at) => (Math.abs(at - inside) < Math.abs(best - inside) ? at : best);
    const place = measured().reduce(nearer, measured()[0] ?? inside);
    const lines = curves.map((curve) => {
      const y = heightAt(curve, place);
      if (y === null) return null;
      // Of a share of so many values the count is a whole number, whatever the page's coordinates are rounded to.
      const n = Number(curve.steps ?? 0);
      const count = Math.round((up.value(y) * n) / 100);
      return `${curve.text}: ${n ? `${number((100 * count) / n)} % (${count} of ${n})` : number(up.value(y))}`;
    }).filter(Boolean);
    hideTip();
    const rule = document.createElementNS(chart.namespaceURI, "path");
    rule.setAttribute("class", "rule");
    rule.setAttribute("d", `M${place} ${up.start}V${up.end}`);
    chart.append(rule);
    showTip(chart, [`at ${number(across.value(place))}`, ...lines].join("\n"), place, (up.start + up.end) / 2);
  };
  const sayThing = (thing) => {
    hideTip();
    thing.element.classList.add("at");
    showTip(chart, thing.text, thing.x, thing.y);
  };
  const nearest = (x, y) => {
    let best = null;
    let bestDistance = Infinity;
    for (const thing of things) {
      const { box } = thing;
      const distance = box
        ? (x >= box.x && x <= box.x + box.width && y >= box.y && y <= box.y + box.height ? 0 : Infinity)
        : Math.hypot(x - thing.x, y - thing.y);
      if (distance <= thing.reach && distance < bestDistance) [best, bestDistance] = [thing, distance];
    }
    return best;
  };
  const follow = (event) => {
    read();
    const box = chart.getBoundingClientRect();
    const [, , width, height] = chart.getAttribute("viewBox").split(" ").map(Number);
    const [x, y] = [((event.clientX - box.left) / box.width) * width, ((event.clientY - box.top) / box.height) * height];
    const thing = nearest(x, y);
    if (thing) sayThing(thing);
    else if (axes && curves.length && x >= axes[0].start && x <= axes[0].end) sayCurves(x);
    else hideTip();
  };
  chart.addEventListener("pointermove", follow);
  chart.addEventListener("pointerdown", follow);
  chart.addEventListener("pointerleave", hideTip);

  let at = -1;
  chart.tabIndex = 0;
  chart.addEventListener("blur", hideTip);
  chart.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (event.key === "Escape") return hideTip();
    if (!step) return;
    read();
    event.preventDefault();
    if (axes && curves.length) {
      const evenly = Array.from({ length: 41 }, (_, n) => axes[0].start + (n / 40) * (axes[0].end - axes[0].start));
      const places = measured().length ? measured() : evenly;
      at = Math.min(Math.max(0, at + step), places.length - 1);
      sayCurves(places[at]);
    } else if (things.length) {
      at = (at + step + things.length) % things.length;
      sayThing(things[at]);
    }
  });

  // As a file: with the style sheet's properties on every element, since the file has no style sheet.
  const PROPERTIES = ["fill", "fill-opacity", "stroke", "stroke-width", "stroke-dasharray", "stroke-linejoin",
    "stroke-opacity", "paint-order", "font-family", "font-size", "font-weight", "font-variant-numeric"];
  const figure = chart.closest("figure");
  const title = figure.querySelector(".title");
  const save = document.createElement("button");
  save.type = "button";
  save.className = "save button";
  save.textContent = "Save as SVG";
  save.setAttribute("aria-label", `Save “${title.textContent}” as SVG`);
  save.addEventListener("click", () => {
    hideTip();
    const copy = chart.cloneNode(true);
    const [from, to] = [[chart, ...chart.querySelectorAll("*")], [copy, ...copy.querySelectorAll("*")]];
    from.forEach((element, index) => {
      const style = getComputedStyle(element);
      for (const name of PROPERTIES) to[index].setAttribute(name, style.getPropertyValue(name));
    });
    for (const element of to) {
      element.removeAttribute("class");
      element.removeAttribute("tabindex");
      if (element.dataset.title === undefined) continue;
      const words = document.createElementNS(copy.namespaceURI, "title");
      words.textContent = element.dataset.title;
      element.prepend(words);
      delete element.dataset.title;
      delete element.dataset.steps;
      delete element.dataset.measured;
    }
    const [, , width, height] = chart.getAttribute("viewBox").split(" ");
    const ground = document.createElementNS(copy.namespaceURI, "rect");
    for (const [key, value] of Object.entries({ width, height, fill: getComputedStyle(document.body).backgroundColor })) {
      ground.setAttribute(key, value);
    }
    copy.prepend(ground);
    copy.setAttribute("width", width);
    copy.setAttribute("height", height);
    copy.setAttribute("xmlns", copy.namespaceURI);
    const text = new XMLSerializer().serializeToString(copy);
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "image/svg+xml" }));
    link.download = `${title.textContent.trim().toLowerCase().replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-|-$/g, "") || "figure"}.svg`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  });
  title.after(save);
}
