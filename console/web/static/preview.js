// The chosen row of a list in a panel beside the list, and rows that take less room. It uses console.js.
// A page says by attributes what it wants:
//   data-preview="1" on parts of the page that a row leads to: what the panel shows of it, in this order
//   data-previews    on a button: the panel is shown, or goes; the space bar does the same for the chosen row
//   data-denser      on a button: rows take less room, or as much as before; this browser keeps it
"use strict";

const WAITS = 120; // milliseconds for which a row is chosen before it is fetched: who goes down a list passes most rows
const UNNEEDED = "form, label, hr, .actions, .contents, [data-dialog]"; // the row itself has what can be done
let shown = null; // { panel, address, asked }: the panel, whose row it shows, and what ends the asking

function findPage(row) {
  return row?.querySelector("a[data-key=Enter]")?.href || null;
}

function closePreview() {
  shown?.asked.abort();
  shown?.panel.remove();
  shown = null;
  document.body.classList.remove("previewing");
}

function openPreview(row) {
  if (!findPage(row)) return;
  const panel = Object.assign(document.createElement("aside"), { id: "preview", tabIndex: 0 });
  panel.setAttribute("aria-label", "The chosen row");
  document.body.append(panel);
  document.body.classList.add("previewing");
  shown = { panel, address: "", asked: new AbortController() };
  preview(row);
}

function fillPreview(address, ...content) {
  const close = Object.assign(document.createElement("button"), { className: "small", textContent: "Close " });
  close.append(Object.assign(document.createElement("kbd"), { textContent: "Esc" }));
  close.addEventListener("click", closePreview);
  const open = Object.assign(document.createElement("a"), { className: "button small", href: address, textContent: "Open " });
  open.append(Object.assign(document.createElement("kbd"), { textContent: "Enter" }));
  const bar = Object.assign(document.createElement("div"), { className: "row" });
  bar.append(open, close);
  shown.panel.replaceChildren(bar, ...content);
  shown.panel.scrollTop = 0;
}

// What the page of a row shows of itself, without what would be there twice: ids, keys, and what can be done.
function takeParts(page) {
  const parts = [...page.querySelectorAll("main [data-preview]")].map((part) => document.adoptNode(part));
  parts.sort((one, other) => one.dataset.preview - other.dataset.preview);
  for (const part of parts) {
    for (const each of part.querySelectorAll(UNNEEDED)) each.remove();
    for (const each of [part, ...part.querySelectorAll("*")]) for (const name of ["id", "data-live", "data-key", "data-then", "aria-labelledby"]) each.removeAttribute(name);
  }
  return parts;
}

async function preview(row) {
  const address = findPage(row);
  if (!shown || !address) return;
  const isSame = shown.address === address;
  shown.asked.abort();
  const asked = shown.asked = new AbortController();
  shown.address = address;
  const words = Object.assign(document.createElement("p"), { className: "soft" });
  try {
    if (!isSame) await new Promise((resolve) => { setTimeout(resolve, WAITS); });
    if (asked.signal.aborted) return;
    const answer = await fetch(address, { signal: asked.signal, redirect: "manual" });
    const parts = answer.ok ? takeParts(parse(await answer.text())) : [];
    if (asked.signal.aborted) return;
    words.textContent = "There is nothing to show beside the list. Open the page.";
    fillPreview(address, ...(parts.length ? parts : [words]));
    tick();
  } catch {
    if (asked.signal.aborted) return;
    words.textContent = "The console cannot be reached.";
    fillPreview(address, words);
  }
}

function togglePreview(row) {
  if (shown) closePreview();
  else openPreview(row || (lastRow && document.getElementById(lastRow.id)) || document.querySelector("[data-row]"));
}

document.addEventListener("keydown", (event) => {
  if (document.querySelector("dialog[open]") || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape" && shown) closePreview();
  const row = event.target.closest("[data-row]");
  if (event.key !== " " || !row || event.target.closest("a, button, summary, input, textarea, select")) return;
  event.preventDefault();
  togglePreview(row);
});
document.addEventListener("focusin", (event) => {
  const row = event.target.closest("[data-row]");
  if (row) preview(row);
});

const DENSE = "leadgate-dense";
function isDense() {
  try { return localStorage.getItem(DENSE) === "1"; } catch { return false; }
}
function setDense(dense) {
  document.body.classList.toggle("dense", dense);
  for (const each of document.querySelectorAll("[data-denser]")) each.setAttribute("aria-pressed", String(dense));
}
document.addEventListener("click", (event) => {
  if (event.target.closest("[data-previews]")) togglePreview(null);
  if (!event.target.closest("[data-denser]")) return;
  const dense = !document.body.classList.contains("dense");
  try { localStorage.setItem(DENSE, dense ? "1" : "0"); } catch { /* it holds for this page */ }
  setDense(dense);
});
for (const each of document.querySelectorAll("[data-previews], [data-denser]")) each.hidden = false; // without a script they would do nothing
setDense(isDense());
