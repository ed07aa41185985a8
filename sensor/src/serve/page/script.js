"use strict";
// Keeps the page up to date. Markup comes from the sensor alone, which has escaped what came from the network.

const verdict = document.getElementById("verdict");
const rows = document.getElementById("rows");
const link = document.getElementById("link");
const buttons = [...document.querySelectorAll("thead button")];
const shown = {};
let sorted = null;

// Puts focus back on what has the same address or server after its element was replaced.
function keepingFocus(element, replace) {
  const focused = element.contains(document.activeElement) ? document.activeElement : null;
  const href = focused && focused.getAttribute("href");
  replace();
  if (href) {
    const again = [...element.querySelectorAll("a")].find((a) => a.getAttribute("href") === href);
    if (again) again.focus({ preventScroll: true });
  }
}

function fill(id, html) {
  if (shown[id] === html) return;
  shown[id] = html;
  const element = document.getElementById(id);
  keepingFocus(element, () => { element.innerHTML = html; });
}

function value(row, column) {
  const text = row.cells[column].dataset.value;
  const number = Number(text);
  return column > 0 && !Number.isNaN(number) ? number : text;
}

function sort() {
  if (!sorted) return;
  const { column, down } = sorted;
  const all = [...rows.rows].filter((row) => row.dataset.server);
  all.sort((a, b) => {
    const [x, y] = [value(a, column), value(b, column)];
    const order = typeof x === "number" ? x - y : x.localeCompare(y, "en", { numeric: true });
    return down ? -order : order;
  });
  keepingFocus(rows, () => rows.append(...all));
}

buttons.forEach((button, column) => {
  button.addEventListener("click", () => {
    // Numbers begin with the greatest, names with the first; the third time it is the sensor's own order again.
    const first = column > 0;
    if (!sorted || sorted.column !== column) sorted = { column, down: first };
    else if (sorted.down === first) sorted = { column, down: !first };
    else sorted = null;
    for (const other of buttons) other.parentElement.removeAttribute("aria-sort");
    if (sorted) {
      button.parentElement.setAttribute("aria-sort", sorted.down ? "descending" : "ascending");
      sort();
    } else if (shown.rows) {
      keepingFocus(rows, () => { rows.innerHTML = shown.rows; });
    }
  });
});

function update(next) {
  // A live region speaks whatever changes in it: it is one only while the verdict becomes another.
  const same = verdict.dataset.key === next.key;
  verdict.setAttribute("aria-live", same ? "off" : "polite");
  verdict.dataset.key = next.key;
  document.title = next.title;
  const before = shown.rows;
  for (const [id, html] of Object.entries(next.parts)) fill(id, html);
  if (shown.rows !== before) sort();
}

function say(text) {
  link.textContent = text;
  link.hidden = text === "";
}

shown.rows = rows.innerHTML;
const events = new EventSource("events");
events.addEventListener("parts", (event) => {
  say("");
  update(JSON.parse(event.data));
});
events.addEventListener("error", () => {
  const time = new Date().toISOString().slice(11, 19);
  if (link.hidden) say(`Not connected since ${time} UTC; what is below is older.`);
  // A refusal ends the stream for good: then the page is loaded again after a while.
  if (events.readyState === EventSource.CLOSED) setTimeout(() => location.reload(), 10000);
});
