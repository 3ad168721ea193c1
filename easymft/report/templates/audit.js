"use strict";
// One screen a domain, sortable tables, and decisions that leave as CSV; nothing is sent anywhere.
const all = (selector, from = document) => [...from.querySelectorAll(selector)];
const screens = all("main > section");
const links = all("nav a");
const decided = document.getElementById("decided");
let unsaved = false;

function show(id) {
  const shown = screens.find((screen) => screen.id === id) || screens[0];
  screens.forEach((screen) => { screen.hidden = screen !== shown; });
  links.forEach((link) => {
    if (link.hash === "#" + shown.id) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  });
}

function step(by) {
  const now = screens.findIndex((screen) => !screen.hidden);
  location.hash = screens[(now + by + screens.length) % screens.length].id;
}

function valueOf(row, place) {
  const cell = row.cells[place];
  return "value" in cell.dataset ? Number(cell.dataset.value) : cell.textContent;
}

function sort(head) {
  const table = head.closest("table"), place = head.cellIndex;
  const rising = head.getAttribute("aria-sort") === "descending";
  all("th", table).forEach((other) => other.removeAttribute("aria-sort"));
  head.setAttribute("aria-sort", rising ? "ascending" : "descending");
  const rows = all("tbody tr", table).map((row) => [valueOf(row, place), row]);
  rows.sort(([a], [b]) => (typeof a === "number" ? a - b : a.localeCompare(b)));
  if (!rising) rows.reverse();
  table.tBodies[0].append(...rows.map(([, row]) => row));
}

function move(by) {
  const rows = all("section:not([hidden]) tbody tr[data-id]");
  if (!rows.length) return;
  const now = rows.indexOf(document.activeElement.closest("tr"));
  rows[Math.min(Math.max(now + by, 0), rows.length - 1)].focus();
}

function note(row) {
  const chosen = row.querySelector("select").value;
  if (chosen) row.dataset.decision = chosen;
  else delete row.dataset.decision;
  unsaved = true;
  const count = all("tr[data-decision]").length;
  decided.textContent = count + (count === 1 ? " decision" : " decisions") + ", not saved.";
}

function decide(kind) {
  const row = document.activeElement.closest("tr[data-id]");
  if (!row) return;
  const select = row.querySelector("select");
  const index = [...select.options].findIndex((option) => option.value === kind &&
    (kind !== "relabel" || option.dataset.label === row.dataset.suggested));
  if (index < 0) return;
  select.selectedIndex = index;
  note(row);
  move(1);
}

// As easymft's own CSV: no cell is a formula, and the mark of UTF-8 comes first.
function cell(text) {
  const guarded = /^[ ']*[=+\-@\t\r]/.test(text) ? "'" + text : text;
  return '"' + guarded.replaceAll('"', '""') + '"';
}

function save() {
  const lines = ["id,suggested_label,decision,checksum"];
  for (const row of all("tr[data-decision]")) {
    const option = row.querySelector("select").selectedOptions[0];
    const label = option.dataset.label || row.dataset.suggested;
    lines.push([row.dataset.id, label, option.value, row.dataset.checksum].map(cell).join(","));
  }
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob(["\ufeff" + lines.join("\r\n") + "\r\n"], { type: "text/csv" }));
  link.download = "decisions.csv";
  link.click();
  unsaved = false;
  decided.textContent = (lines.length - 1) + " saved; name the file in data.corrections.";
}

const KEYS = {
  j: () => move(1), k: () => move(-1), n: () => step(1), p: () => step(-1),
  y: () => decide("keep"), r: () => decide("relabel"), d: () => decide("drop"), u: () => decide(""),
};

all(".keys, .save").forEach((part) => { part.hidden = false; });
all(".audit thead span").forEach((name) => {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = name.textContent;
  button.addEventListener("click", () => sort(button.closest("th")));
  name.replaceWith(button);
});
all("tr[data-id]").forEach((row) => { row.tabIndex = 0; });
all("select").forEach((select) => {
  select.disabled = false;
  select.addEventListener("change", () => note(select.closest("tr")));
});
document.getElementById("save").addEventListener("click", save);
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.tagName === "SELECT") return;
  if (KEYS[event.key]) { event.preventDefault(); KEYS[event.key](); }
});
addEventListener("hashchange", () => show(location.hash.slice(1)));
addEventListener("beforeunload", (event) => { if (unsaved) event.preventDefault(); });
show(location.hash.slice(1));
