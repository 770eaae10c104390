// What makes pages quicker: parts that update themselves, forms that do not leave the page, keys, and countdowns.
// Every page works without this file. A page says by attributes what it wants:
//   data-live       on an element with an id: fetched again and put in place whenever something changes
//   data-swap       on a form: it is sent in place, and the answer's parts are put in place
//   data-dialog     on a link: the form of that page is shown in a dialog
//   data-row        on a row with an id: the keys j and k go from row to row
//   data-done       on a row for which nothing is left to do: after an action the next row is chosen
//   data-opens="id" on a button: the dialog with this id is shown
//   data-key="a"    on a link or button, in a row or anywhere: what the key does
//   data-due        on a time: a countdown
//   data-fades="10" on a notice: it goes after so many seconds
//   data-checks     on a checkbox: it checks all of that name
//   data-copies     on a field: all of it is selected, to be copied
//   data-submits    on a field: its form is sent when it changes
//   data-sends      on a text field: Ctrl+Enter sends its form
//   data-form       on the form of a page that a dialog shows; data-close in it: the dialog closes
//   data-topics     on main: the changes that the page is about
//   data-lead       on main: the one lead that it is about
//   data-keep       on a checkbox: it stops no update while it is checked
//   data-jump       on a button: the jump menu is shown
//   data-then="t"   on a link that calls or writes to somebody, in a row or anywhere: what that key does comes next
"use strict";

const EDITABLE = "input, textarea, select";
const FIRST = "input:not([type=hidden], details *), textarea, select, button";
let refreshing = null;
let lastRow = null; // the row that was chosen last, and its place: rows go while one works on them
let again = false;
let suggested = ""; // the value of the button that a dialog begins with

function parse(text) {
  return new DOMParser().parseFromString(text, "text/html");
}

function isBeingUsed(region) {
  const active = document.activeElement;
  return (active && region.contains(active) && active.matches(EDITABLE)) || region.querySelector("input[type=checkbox]:checked:not([data-keep])");
}

// The row that was chosen is chosen again; the one in its place when it has gone, or when nothing is left to do for it.
function chooseAgain({ goesOn = false } = {}) {
  const rows = [...document.querySelectorAll("[data-row]")];
  if (!rows.length) return;
  let place = rows.findIndex((row) => row.id === lastRow.id);
  if (place < 0) place = lastRow.place;
  else if (goesOn) while (place < rows.length && "done" in rows[place].dataset) place += 1;
  rows[Math.min(place, rows.length - 1)].focus({ preventScroll: true });
}

// Put the live parts of a fetched page in the place of ours; the row that was chosen stays chosen.
function putInPlace(fetched, { force = false } = {}) {
  const chosen = lastRow && (force || document.activeElement?.closest("[data-row]"));
  const known = new Set([...document.querySelectorAll("[data-row]")].map((row) => row.id));
  for (const region of document.querySelectorAll("[data-live][id]")) {
    const other = fetched.getElementById(region.id);
    if (!other || other.outerHTML === region.outerHTML || (!force && isBeingUsed(region))) continue;
    if (!force && region.querySelector("[data-going]") && other.querySelector("[data-fades]")) continue; // it goes as it would
    const fresh = document.adoptNode(other);
    for (const open of region.querySelectorAll("details[open][id]")) fresh.querySelector(`#${CSS.escape(open.id)}`)?.setAttribute("open", "");
    region.replaceWith(fresh);
    for (const row of fresh.querySelectorAll("[data-row]")) if (!known.has(row.id)) row.classList.add("new");
  }
  start();
  if (chosen) chooseAgain({ goesOn: force });
}

async function refresh() {
  if (document.hidden || document.querySelector("dialog[open]")) { again = true; return; }
  if (refreshing) { again = true; return; }
  again = false;
  const asked = location.href;
  refreshing = fetch(asked, { headers: { "X-Refresh": "1" }, redirect: "manual" });
  try {
    const answer = await refreshing;
    if (answer.type === "opaqueredirect" || answer.status === 401) location.reload();
    else if (answer.ok) {
      const text = await answer.text();
      if (location.href === asked) putInPlace(parse(text));
      else again = true; // a form was answered meanwhile: this page is of before
    }
  } catch { /* the server is away: the stream comes back with it */ } finally {
    refreshing = null;
    if (again) refresh();
  }
}

function listen() {
  if (!document.querySelector("[data-live]")) return;
  const about = document.querySelector("main").dataset;
  const wanted = (about.topics || "").split(" ");
  const stream = new EventSource(about.lead ? `/live?lead=${about.lead}` : "/live");
  let first = true;
  stream.addEventListener("changed", (event) => {
    const changes = event.data.split(" ").filter(Boolean);
    if (changes.length ? changes.some((change) => wanted.includes(change)) : !first) refresh();
    first = false;
  });
  addEventListener("pagehide", () => stream.close());
  document.addEventListener("visibilitychange", () => { if (!document.hidden && again) refresh(); });
}

async function send(form, button) {
  const body = new URLSearchParams(new FormData(form, button));
  const dialog = form.closest("dialog");
  const buttons = form.querySelectorAll("button");
  buttons.forEach((each) => { each.disabled = true; });
  try {
    const answer = await fetch(form.action, { method: "POST", body });
    const fetched = parse(await answer.text());
    if (!answer.ok) { showProblem(form, fetched); return; }
    dialog?.close();
    history.replaceState(null, "", new URL(answer.url).pathname === location.pathname ? answer.url : location.href);
    if (new URL(answer.url).pathname !== location.pathname) { location.assign(answer.url); return; }
    putInPlace(fetched, { force: true });
  } catch {
    showProblem(form, null);
  } finally {
    buttons.forEach((each) => { each.disabled = false; });
  }
}

function showProblem(form, fetched) {
  form.querySelector(".notice")?.remove();
  const found = fetched?.getElementById("problem");
  const notice = document.createElement("div");
  notice.className = "notice bad";
  notice.setAttribute("role", "alert");
  const words = document.createElement("p");
  words.textContent = found ? found.textContent.trim() : "The console cannot be reached. Nothing is known to be changed.";
  notice.append(words);
  form.prepend(notice);
}

async function openDialog(link) {
  const answer = await fetch(link.href);
  const form = parse(await answer.text()).querySelector("main [data-form]");
  if (!answer.ok || !form) { location.assign(link.href); return; }
  const dialog = document.createElement("dialog");
  dialog.append(document.adoptNode(form));
  document.body.append(dialog);
  dialog.addEventListener("close", () => { dialog.remove(); if (document.activeElement === document.body && lastRow) chooseAgain(); if (again) refresh(); });
  dialog.showModal();
  (suggested && dialog.querySelector(`button[value="${suggested}"]`) || dialog.querySelector(FIRST))?.focus();
  suggested = "";
}

function move(by) {
  const rows = [...document.querySelectorAll("[data-row]")];
  const at = rows.indexOf(document.activeElement?.closest("[data-row]"));
  const row = rows[Math.min(rows.length - 1, Math.max(0, at + by))];
  row?.focus();
  row?.scrollIntoView({ block: "nearest" });
}

// What a key does: in the row, else on the page, else everywhere.
function findKey(pressed, row) {
  const key = `[data-key="${CSS.escape(pressed)}"]`;
  return row?.querySelector(key) || document.querySelector(`main ${key}:not([data-row] *)`) || document.querySelector(`.top ${key}`);
}

function press(event) {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && event.target.matches("[data-sends]")) { event.target.form.requestSubmit(); return; }
  if (event.key === "k" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); openJump(); return; }
  if (document.querySelector("dialog#jump[open]")) { pressInJump(event); return; }
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest(EDITABLE)) return;
  const dialog = document.querySelector("dialog[open]");
  if (dialog) {
    const inside = dialog.querySelector(`[data-key="${CSS.escape(event.key)}"]`);
    if (inside) { event.preventDefault(); inside.click(); }
    return;
  }
  if (event.key === "Enter" && event.target.closest("a, button, summary")) return;
  if (event.key === "j") { move(1); return; }
  if (event.key === "k") { move(-1); return; }
  if (event.key === "?") { event.preventDefault(); const keys = document.getElementById("keys"); if (keys) keys.showModal(); else openJump(); return; }
  const target = findKey(event.key, document.activeElement?.closest("[data-row]"));
  if (target) { event.preventDefault(); if (target.matches(EDITABLE) && target.type !== "checkbox") target.focus(); else target.click(); }
}

// The jump menu: what the keys of the chosen row and of this page do, and the pages. Typing narrows it; Enter takes the
// first of what is left, or finds leads by these words.
function nameTarget(target) {
  const words = target.getAttribute("aria-label") || [...target.childNodes].filter((node) => node.nodeName !== "KBD").map((node) => node.textContent).join("");
  return words.trim().replace(/\s+/g, " ").replace(/ …$/, "");
}

function openJump() {
  const dialog = document.getElementById("jump");
  if (!dialog || document.querySelector("dialog[open]")) return;
  const row = document.activeElement?.closest("[data-row]") || (lastRow && document.getElementById(lastRow.id));
  const inRow = row ? [...row.querySelectorAll("[data-key]")].filter((each) => each.dataset.key !== "Enter") : [];
  const ofPage = document.querySelectorAll("main [data-key]:not([data-row] *, [data-key=Enter])");
  const targets = [...inRow, ...ofPage, ...document.querySelectorAll("#pages a, .who a")];
  const list = dialog.querySelector("ul");
  list.replaceChildren(...targets.filter((each) => nameTarget(each)).map((target) => {
    const item = document.createElement("li"), button = document.createElement("button");
    button.append(nameTarget(target));
    if (inRow.includes(target)) button.append(Object.assign(document.createElement("span"), { className: "soft small clip", textContent: row.querySelector("th, td a")?.textContent.trim().slice(0, 60) || "" }));
    if (target.dataset.key) button.append(Object.assign(document.createElement("kbd"), { textContent: target.dataset.key }));
    button.addEventListener("click", () => {
      dialog.close();
      if (target.matches(EDITABLE) && target.type !== "checkbox") target.focus(); else target.click();
    });
    item.append(button);
    return item;
  }));
  const input = dialog.querySelector("input");
  input.value = "";
  dialog.showModal();
  input.focus();
}

function listJumps() {
  return [...document.querySelectorAll("#jump li:not([hidden]) button")];
}

function narrowJump(input) {
  const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const item of document.querySelectorAll("#jump li")) item.hidden = !words.every((word) => item.textContent.toLowerCase().includes(word));
}

function pressInJump(event) {
  if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
  event.preventDefault();
  const jumps = listJumps(), at = jumps.indexOf(document.activeElement) + (event.key === "ArrowDown" ? 1 : -1);
  (at < 0 ? document.querySelector("#jump input") : jumps[Math.min(at, jumps.length - 1)])?.focus();
}

const UNITS = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];
function countdown(time) {
  const left = (new Date(time.dateTime) - Date.now() - skew) / 1000;
  let rest = Math.abs(left);
  const parts = [];
  for (const [unit, size] of UNITS) {
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count || parts.length) parts.push([count, unit]);
  }
  const words = parts.slice(0, 2).filter(([count]) => count).map(([count, unit]) => `${count} ${unit}`).join(" ") || "0 s";
  time.textContent = left > 0 ? `in ${words}` : `${words} overdue`;
  time.className = `due ${left <= 0 ? "overdue" : left <= 3600 ? "soon" : "later"}`;
}

// This computer's clock may be wrong; the page says what time the server had.
const skew = document.body.dataset.now ? new Date(document.body.dataset.now) - Date.now() : 0;
const tick = () => document.querySelectorAll("time[data-due]").forEach(countdown);

// What was done is said once: the address of a page that fetches itself again names it no more.
function forgetDone() {
  const address = new URL(location.href);
  address.searchParams.delete("did");
  history.replaceState(null, "", address);
}

// What new parts of the page need; called again whenever parts are put in place.
function start() {
  for (const row of document.querySelectorAll("[data-row]:not([tabindex])")) row.tabIndex = 0;
  for (const notice of document.querySelectorAll("[data-fades]:not([data-going])")) {
    notice.dataset.going = "";
    setTimeout(() => { if (notice.isConnected) { notice.remove(); forgetDone(); } }, 1000 * Number(notice.dataset.fades));
  }
  tick();
}

document.addEventListener("submit", (event) => {
  if (!event.target.matches("form[data-swap]")) return;
  event.preventDefault();
  send(event.target, event.submitter);
});
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-dialog]");
  if (link && !event.ctrlKey && !event.metaKey) { event.preventDefault(); openDialog(link); return; }
  if (event.target.closest("[data-close]")) { event.preventDefault(); event.target.closest("dialog")?.close(); }
});
document.addEventListener("click", (event) => {
  if (event.target.closest("[data-jump]")) openJump();
  const link = event.target.closest("a[data-then]");
  if (!link) return;
  suggested = link.protocol === "mailto:" ? "email" : "call";
  findKey(link.dataset.then, link.closest("[data-row]"))?.click();
});
document.addEventListener("input", (event) => { if (event.target.matches("#jump input")) narrowJump(event.target); });
document.addEventListener("submit", (event) => {
  if (!event.target.matches("#jump form")) return;
  const first = event.target.elements.search.value.trim() ? listJumps()[0] : null;
  if (first || "noSearch" in event.target.dataset || !event.target.elements.search.value.trim()) event.preventDefault();
  first?.click();
});
document.addEventListener("focusin", (event) => { if (event.target.matches("[data-copies]")) event.target.select(); });
document.addEventListener("change", (event) => {
  if (event.target.matches("[data-checks]")) for (const box of document.getElementsByName(event.target.dataset.checks)) box.checked = event.target.checked; 
  if (event.target.matches("[data-submits]")) event.target.form.requestSubmit();
});
document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-opens]");
  if (opener) document.getElementById(opener.dataset.opens)?.showModal();
});
document.addEventListener("focusin", (event) => {
  const row = event.target.closest("[data-row]");
  if (row) lastRow = { id: row.id, place: [...document.querySelectorAll("[data-row]")].indexOf(row) };
});
document.addEventListener("keydown", press);
for (const each of document.querySelectorAll("[data-jump]")) each.hidden = false; // without a script it would do nothing
const pages = document.getElementById("pages"), here = pages?.querySelector("[aria-current]");
if (here) pages.scrollLeft = here.offsetLeft - pages.offsetLeft - 40; // on a phone not all of them are in sight
start();
listen();
setInterval(tick, 15000);
