"use strict";
// What keys and pointer do with the page. Everything of one tracker bears its number as data-t.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const $ = (id) => document.getElementById(id);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const SVG = document.querySelector("svg").namespaceURI;
  const NOT_COUNTED = 255;

  // element("td", {class: "x"}, "text", child): a new element; names of SVG shapes are made as such
  function element(name, attributes = {}, ...children) {
    const drawn = ["svg", "path", "circle"].includes(name);
    const made = drawn ? document.createElementNS(SVG, name) : document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  }

  // The contents of an element become a button, so that keys reach it.
  function button(holder, action, label) {
    const made = element("button", { type: "button", class: "plain" });
    if (label) made.title = label;
    made.append(...holder.childNodes);
    made.addEventListener("click", () => action(made));
    holder.append(made);
    return made;
  }

  // ---- trackers: shown or not, pointed at or not -------------------------------------------------
  const off = new Set();
  let found = new Set(data.trackers.keys());
  let hot = null;
  const rules = document.head.appendChild(element("style"));
  const shown = (t) => found.has(t) && !off.has(t);

  // One style sheet says which trackers are hidden, dimmed or lit; paper shows them all.
  function restyle() {
    const of = (t, ...parts) => parts.map((part) => `${part}[data-t="${t}"]`).join(",");
    const lines = [];
    for (const t of data.trackers.keys()) {
      if (!found.has(t)) lines.push(`${of(t, "", "tr", "li")}{display:none}`);
      else if (off.has(t)) {
        lines.push(`${of(t, ".curve", ".box", "td", "th", "dialog tr")}{display:none}`);
        lines.push(`${of(t, ".headline tr", ".legend li")}{opacity:.4}`);
      }
    }
    if (hot !== null && shown(hot)) {
      lines.push(`.curve:not([data-t="${hot}"]){opacity:.18}`);
      lines.push(`.box:not([data-t="${hot}"]){display:none}${of(hot, ".box")}{display:inline;stroke-width:2.6}`);
      lines.push(`${of(hot, ".curve")} .line{stroke-width:3.4}${of(hot, ".curve")} .band{opacity:.2}`);
      const lit = [".headline tr", ".legend li", "dialog tr", "table.sequences th"];
      lines.push(`${of(hot, ...lit)},tr[data-t="${hot}"]>th{background:var(--lit)}`);
    }
    rules.textContent = `@media screen{${lines.join("\n")}}`;
  }

  function heat(t) {
    if (t !== hot) {
      hot = t;
      restyle();
    }
  }

  function switchTrackers(change) {
    change();
    for (const key of all(".legend button")) {
      key.setAttribute("aria-pressed", String(!off.has(Number(key.closest("[data-t]").dataset.t))));
    }
    restyle();
    count();
  }

  const numberAt = (target) => (target.closest?.("[data-t]") ? Number(target.closest("[data-t]").dataset.t) : null);
  document.addEventListener("pointerover", (event) => {
    if (!event.target.closest?.("svg.plot")) heat(numberAt(event.target));
  });
  document.addEventListener("focusin", (event) => heat(numberAt(event.target)));
  for (const item of all(".legend li")) {
    const t = Number(item.dataset.t);
    const key = button(item, () => switchTrackers(() => off.delete(t) || off.add(t)), "switch on or off");
    key.setAttribute("aria-pressed", "true");
  }

  // ---- filters -----------------------------------------------------------------------------------
  // "siam kcf" finds every name with either part
  function finder(text) {
    const parts = text.toLowerCase().split(/[\s,]+/).filter(Boolean);
    return (name) => !parts.length || parts.some((part) => name.toLowerCase().includes(part));
  }

  function count() {
    const on = [...data.trackers.keys()].filter(shown).length;
    const keys = Object.values(data.benchmarks).flatMap(({ sequences }) => Object.keys(sequences));
    const open = keys.filter(finder($("find-sequences").value)).length;
    $("count").textContent = `${on} of ${data.trackers.length} trackers, ${open} of ${keys.length} sequences`;
  }

  function filter() {
    const tracker = finder($("find-trackers").value);
    const sequence = finder($("find-sequences").value);
    found = new Set([...data.trackers.keys()].filter((t) => tracker(data.trackers[t])));
    for (const one of all("tr[data-k]")) one.hidden = !sequence(one.dataset.k);
    for (const point of all("circle[data-k]")) point.style.opacity = sequence(point.dataset.k) ? 1 : 0.12;
    for (const film of all("figure.film[id]")) film.hidden = !sequence(film.firstChild.textContent);
    restyle();
    count();
  }

  $("tools").addEventListener("input", filter);
  $("tools").addEventListener("submit", (event) => event.preventDefault());
  $("all-on").addEventListener("click", () => switchTrackers(() => off.clear()));
  $("all-off").addEventListener("click", () => switchTrackers(() => data.trackers.forEach((_, t) => off.add(t))));
  $("tools").hidden = false;

  // ---- sorting -----------------------------------------------------------------------------------
  const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

  function cellValue(row, index) {
    const cell = row.cells[index];
    const text = cell.textContent.trim();
    return cell.tagName === "TH" ? text : parseFloat(cell.dataset.v ?? text);
  }

  // Missing scores stay last either way; equal ones keep their order.
  function sort(table, index, direction) {
    const sign = direction === "ascending" ? 1 : -1;
    const rows = [...table.tBodies[0].rows].map((row) => [cellValue(row, index), row]);
    rows.sort(([a], [b]) => {
      if (typeof a === "string") return sign * collator.compare(a, b);
      if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) - Number.isNaN(b);
      return sign * (a - b);
    });
    table.tBodies[0].append(...rows.map(([, row]) => row));
    for (const head of table.tHead.rows[0].cells) head.removeAttribute("aria-sort");
    table.tHead.rows[0].cells[index].setAttribute("aria-sort", direction);
  }

  for (const table of all("table.headline, table.sequences, table.paper")) {
    for (const [index, head] of [...table.tHead.rows[0].cells].entries()) {
      button(head, () => {
        const first = index === 0 || head.querySelector(".arrow")?.textContent === "↓" ? "ascending" : "descending";
        const other = first === "ascending" ? "descending" : "ascending";
        sort(table, index, head.getAttribute("aria-sort") === first ? other : first);
      });
    }
  }

  // ---- curves: the nearest one is told with its value --------------------------------------------
  const tip = $("tip");

  function tell(event, ...lines) {
    tip.replaceChildren(...lines.map((line) => element("div", {}, line)));
    tip.hidden = false;
    tip.style.left = `${Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8)}px`;
    tip.style.top = `${Math.max(4, event.clientY - tip.offsetHeight - 10)}px`;
  }

  // A curve's height at x, between two of its points, and the index of the nearer one; xs ascend.
  function along(xs, ys, x) {
    const after = xs.findIndex((value) => value >= x);
    if (after < 1) return after < 0 ? [ys.at(-1), ys.length - 1] : [ys[0], 0];
    const share = (x - xs[after - 1]) / (xs[after] - xs[after - 1]);
    return [ys[after - 1] + share * (ys[after] - ys[after - 1]), share < 0.5 ? after - 1 : after];
  }

  for (const plot of all("svg.plot")) {
    const curves = data.benchmarks[plot.closest("section").id].curves[plot.dataset.plot];
    const [x0, x1, y0, y1] = plot.dataset.axes.split(" ").map(Number);
    const [left, right, bottom, top] = plot.dataset.frame.split(" ").map(Number);
    const dot = element("circle", { class: "dot", r: 4, visibility: "hidden" });
    plot.append(dot);
    const across = (x) => left + ((x - x0) / (x1 - x0)) * (right - left);
    const up = (y) => bottom - ((y - y0) / (y1 - y0)) * (bottom - top);

    function leave() {
      dot.setAttribute("visibility", "hidden");
      tip.hidden = true;
      heat(null);
    }

    plot.addEventListener("pointerleave", leave);
    plot.addEventListener("pointermove", (event) => {
      const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(plot.getScreenCTM().inverse());
      let best = null;
      for (const [key, [xs, ys]] of Object.entries(curves)) {
        const [t, x] = [Number(key), x0 + ((at.x - left) / (right - left)) * (x1 - x0)];
        const [y, index] = along(xs, ys, x);
        if (!shown(t) || ys[index] === null) continue;
        const beyond = Math.max(0, xs[0] - x, x - xs.at(-1));
        const distance = Math.hypot(across(x0 + beyond) - left, up(y) - at.y);
        if (!best || distance < best.distance) best = { t, distance, x: xs[index], y: ys[index] };
      }
      if (!best || best.distance > 40) return leave();
      heat(best.t);
      dot.setAttribute("cx", across(best.x));
      dot.setAttribute("cy", up(best.y));
      dot.setAttribute("visibility", "visible");
      const score = plot.parentNode.querySelector(`.legend [data-t="${best.t}"] b`).textContent;
      tell(event, `${data.trackers[best.t]} ${score}`, `${best.y.toFixed(3)} at ${+best.x.toFixed(2)}`);
    });
  }

  // ---- where a number comes from -----------------------------------------------------------------
  const why = $("why");

  function explain(cell, opener) {
    const slug = cell.closest("section").id;
    const benchmark = data.benchmarks[slug];
    const t = Number(cell.closest("tr").dataset.t);
    const [heading, rule] = benchmark.metrics[cell.dataset.m];
    const [folder, used, made] = benchmark.origins[t];
    const interval = cell.querySelector("small")?.textContent;
    const terms = {
      "Full digits": cell.dataset.v + (interval ? ` (95 % interval ${interval})` : ""),
      Rule: rule,
      "Result files": `${folder}, ${used} sequences; each with its score in tables/${slug}-sequences.csv`,
      "Made by": made,
      "Ground truth": benchmark.truth,
    };
    const lines = Object.entries(terms).flatMap(([term, text]) => [element("dt", {}, term), element("dd", {}, text)]);
    const title = element("h3", {}, `${heading} of ${data.trackers[t]}, ${benchmark.name}`);
    why.replaceChildren(title, element("dl", {}, ...lines));
    why.showPopover({ source: opener });
    const box = opener.getBoundingClientRect();
    why.style.left = `${Math.max(8, Math.min(box.left, innerWidth - why.offsetWidth - 8))}px`;
    why.style.top = `${Math.max(8, Math.min(box.bottom + 6, innerHeight - why.offsetHeight - 8))}px`;
  }

  for (const cell of all("td[data-m]")) {
    button(cell, (opener) => explain(cell, opener), "where this number comes from");
  }

  // ---- one sequence ------------------------------------------------------------------------------
  const dialog = $("sequence");
  const [WIDE, HIGH] = [640, 44];
  let current = null;

  // A path through the counted frames; it breaks where the benchmark does not count.
  function trace(bytes) {
    const step = WIDE / Math.max(1, bytes.length - 1);
    let [path, pen] = ["", "M"];
    bytes.forEach((value, frame) => {
      if (value === NOT_COUNTED) pen = "M";
      else {
        path += `${pen}${(frame * step).toFixed(1)} ${(HIGH - (value / 100) * HIGH).toFixed(1)}`;
        pen = "L";
      }
    });
    const drawn = element("svg", { class: "trace", viewBox: `0 0 ${WIDE} ${HIGH}`, preserveAspectRatio: "none" });
    for (const [name, d] of [["half", `M0 ${HIGH / 2}H${WIDE}`], ["line", path], ["now", ""]]) {
      drawn.append(element("path", { class: name, d }));
    }
    return drawn;
  }

  function trackerRow([t, scores, file, encoded]) {
    const bytes = Uint8Array.from(atob(encoded), (letter) => letter.charCodeAt(0));
    const drawn = bytes.length ? trace(bytes) : "no overlaps";
    const now = element("output", {});
    const swatch = document.querySelector(`svg.swatch[data-t="${t}"]`).cloneNode(true);
    const cells = scores.map((score) => element("td", {}, score));
    const name = element("th", { scope: "row" }, swatch, " ", data.trackers[t]);
    const row = element("tr", { "data-t": t }, name, ...cells);
    row.append(element("td", { class: "over-time" }, drawn, element("code", {}, file)), element("td", {}, now));
    return { row, bytes, now, drawn };
  }

  // Every line's value at the frame below the pointer.
  function follow(rows, share, frameHead) {
    const frame = Math.round(share * (rows[0].bytes.length - 1));
    frameHead.textContent = `frame ${frame + 1}`;
    for (const { bytes, now, drawn } of rows) {
      now.textContent = bytes[frame] === NOT_COUNTED ? "–" : (bytes[frame] / 100).toFixed(2);
      drawn.lastChild.setAttribute("d", `M${(frame * WIDE) / Math.max(1, bytes.length - 1)} 0V${HIGH}`);
    }
  }

  function openSequence(slug, key) {
    const benchmark = data.benchmarks[slug];
    const sequence = benchmark.sequences[key];
    current = { slug, key };
    const first = ([, scores]) => (scores[0] === "missing" ? -Infinity : Number(scores[0]));
    const rows = [...sequence.rows].sort((a, b) => first(b) - first(a)).map(trackerRow);
    const traced = rows.filter(({ bytes }) => bytes.length);
    const frameHead = element("th", { scope: "col" }, "frame –");
    const heads = benchmark.columns.map((name) => element("th", { scope: "col" }, name));
    const overHead = element("th", { scope: "col", class: "over-time" }, "Overlap of each frame, 0 to 1");
    const head = element("tr", {}, element("th", { scope: "col" }, "Tracker"), ...heads, overHead, frameHead);
    for (const { drawn } of traced) {
      drawn.addEventListener("pointermove", (event) => {
        const box = drawn.getBoundingClientRect();
        follow(traced, (event.clientX - box.left) / box.width, frameHead);
      });
    }
    const title = `${key}, ${benchmark.name}: ${sequence.frames} frames`;
    const bar = element("div", { class: "bar" }, element("h2", { id: "sequence-title", tabindex: -1 }, title));
    const actions = { "← previous": () => move(-1), "next →": () => move(1), close: () => dialog.close() };
    for (const [label, action] of Object.entries(actions)) {
      button(bar.appendChild(element("span", {}, label)), action).classList.remove("plain");
    }
    dialog.replaceChildren(bar);
    if (sequence.film) {
      const film = $(sequence.film).cloneNode(true);
      film.removeAttribute("id");
      film.hidden = false;
      film.firstChild.remove();
      dialog.append(film);
    }
    const table = element("table", {}, element("thead", {}, head), element("tbody", {}, ...rows.map(({ row }) => row)));
    dialog.append(element("div", { class: "scroll" }, table));
    if (!dialog.open) dialog.showModal();
    bar.firstChild.focus();
  }

  // Along the rows as they are sorted and filtered, round the end.
  function move(step) {
    const table = $(current.slug).querySelector(`tr[data-k="${CSS.escape(current.key)}"]`).closest("tbody");
    const keys = [...table.rows].filter((row) => !row.hidden).map((row) => row.dataset.k);
    openSequence(current.slug, keys[(keys.indexOf(current.key) + step + keys.length) % keys.length]);
  }

  for (const row of all("tr[data-k]")) {
    button(row.cells[0], () => openSequence(row.closest("section").id, row.dataset.k), "all trackers on this sequence");
  }
  for (const point of all("circle[data-k]")) {
    point.addEventListener("click", () => openSequence(point.closest("section").id, point.dataset.k));
  }
  for (const film of all("figure.film[id]")) {
    const key = film.firstChild.textContent;
    button(film.firstChild, () => openSequence(film.closest("section").id, key), "all trackers on this sequence");
  }
  dialog.addEventListener("keydown", (event) => {
    if (event.key === "ArrowRight") move(1);
    if (event.key === "ArrowLeft") move(-1);
  });
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());

  // ---- paper: what is folded opens, and folds again ----------------------------------------------
  let folded = [];
  addEventListener("beforeprint", () => {
    folded = all("details:not([open])");
    for (const one of folded) one.open = true;
  });
  addEventListener("afterprint", () => {
    for (const one of folded) one.open = false;
  });

  count();
})();
