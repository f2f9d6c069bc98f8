// The analyst's desk: records through a filter, a frame down to its octets, the call form.

import { ask, base, connect, element, onState } from "./live.js";

const start = JSON.parse(document.getElementById("start").textContent);
const place = (id) => document.getElementById(id);
let latest = { t: 0 };
let before = null;
let selected = null;

/** Clock time of seconds since 1970, and seconds of the run of a clock time. */
const clockOf = (unix) => new Date(unix * 1000).toISOString().slice(11, 23);
function secondsOf(text) {
  const parts = text.trim().split(":").map(Number);
  if (parts.length < 2 || parts.some(Number.isNaN)) return NaN;
  const [hours, minutes, seconds] = [parts[0], parts[1], parts[2] ?? 0];
  const began = start.unix % 86400;
  let at = hours * 3600 + minutes * 60 + seconds - began;
  if (at < 0) at += 86400;
  return at;
}

// ---- records

const SHOWN = { modbus: ["ts", "id.orig_h", "id.resp_h", "func", "pdu_type", "exception"], conn: ["ts", "id.orig_h", "id.resp_h", "id.resp_p", "service", "duration", "conn_state", "orig_bytes", "resp_bytes"], findings: ["t", "level", "title", "entities", "frames"] };

function cell(column, value) {
  if (value === null || value === undefined) return "-";
  if (column === "ts") return clockOf(value);
  return typeof value === "object" ? (Array.isArray(value) ? value.join(" ") : JSON.stringify(value)) : String(value);
}

async function showLogs() {
  const { logs } = await ask(`${base}/logs`);
  const log = place("log");
  const chosen = log.value || new URLSearchParams(location.search).get("log") || "modbus";
  const names = logs.map((known) => known.name);
  if ([...log.options].map((option) => option.value).join() === names.join()) return;
  log.replaceChildren(...names.map((name) => element("option", { value: name, selected: name === chosen }, name)));
}

async function showRows(isOlder = false) {
  const log = place("log").value;
  if (!log) { place("filter-says").textContent = "No records yet, or this exercise shows the capture alone."; return; }
  const query = new URLSearchParams({ filter: place("filter").value, limit: "60" });
  if (isOlder && before !== null) query.set("before", before);
  let page;
  try { page = await ask(`${base}/logs/${log}?${query}`); } catch (error) { place("filter-says").textContent = error.message; return; }
  before = page.before;
  place("older").hidden = before === null;
  place("filter-says").textContent = `${page.rows.length} rows, latest first${before === null ? "" : "; older ones wait"}`;
  const all = page.columns.length ? page.columns : [...new Set(page.rows.flatMap(Object.keys))];
  const columns = (SHOWN[log] ?? all.filter((name) => name !== "uid")).filter((name) => all.includes(name)).slice(0, 12);
  const value = (row, column) => (Array.isArray(row) ? row[all.indexOf(column)] : row[column]);
  const table = place("rows");
  table.tHead.replaceChildren(element("tr", {}, ...columns.map((column) => element("th", { scope: "col" }, column))));
  const rows = page.rows.map((row) => {
    const made = element("tr", { tabindex: "0" }, ...columns.map((column) => element("td", {}, cell(column, value(row, column)))));
    const open = () => choose(log, Object.fromEntries(all.map((column) => [column, value(row, column)])), made);
    made.addEventListener("click", open);
    made.addEventListener("keydown", (event) => {
      if (event.key === "Enter") open();
      if (event.key === "c") { open(); place("call")?.querySelector("[name=verdict]").focus(); event.preventDefault(); }
    });
    return made;
  });
  if (isOlder) table.tBodies[0].append(...rows); else table.tBodies[0].replaceChildren(...rows);
}

/** A row is chosen: its frame opens, and the call form fills itself. */
function choose(log, row, element) {
  document.querySelector("#rows [aria-selected]")?.removeAttribute("aria-selected");
  element.setAttribute("aria-selected", "true");
  selected = { log, row };
  place("live").checked = false;
  if (row.ts) openFrame(`@${row.ts.toFixed(6)}`);
  if (row.frames?.length) openFrame(String(row.frames[0]));
  const form = place("call");
  if (!form) return;
  const at = row.ts ? row.ts - start.unix : row.t;
  const span = row.duration ?? 0;
  form.elements.from.value = clockOf(start.unix + at).slice(0, 8);
  form.elements.to.value = clockOf(start.unix + at + Math.max(span, 1)).slice(0, 8);
  const hosts = [row["id.orig_h"], row["id.resp_h"]].filter(Boolean);
  form.elements.entities.value = (hosts.length ? hosts : (row.entities ?? [])).slice(0, 4).join(", ");
  if (row.uid) form.elements.evidence.value = row.uid;
}

// ---- frames

async function openFrame(which) {
  let frame;
  try { frame = await ask(`${base}/frames/${encodeURIComponent(which)}`); } catch (error) { place("frame").textContent = error.message; return; }
  place("frame-number").value = frame.number;
  const octets = frame.octets.match(/../g) ?? [];
  const dump = element("pre", { class: "octets", role: "group", tabindex: "0", "aria-label": "Octets of the frame" });
  for (let line = 0; line < octets.length; line += 16) {
    const part = octets.slice(line, line + 16);
    dump.append(`${line.toString(16).padStart(4, "0")}  `, ...part.map((octet, n) => element("span", { "data-octet": line + n }, `${octet} `)), `${"   ".repeat(16 - part.length)} ${part.map((octet) => { const code = parseInt(octet, 16); return code > 31 && code < 127 ? String.fromCharCode(code) : "."; }).join("")}\n`);
  }
  const mark = (layer, isOn) => { for (const span of dump.querySelectorAll("span")) { const n = Number(span.dataset.octet); span.classList.toggle("marked", isOn && n >= layer.at && n < layer.at + layer.length); } };
  const layers = frame.layers.map((layer) => {
    const made = element("details", { open: layer.title.startsWith("Modbus"), on: { mouseenter: () => mark(layer, true), mouseleave: () => mark(layer, false), focusin: () => mark(layer, true), focusout: () => mark(layer, false) } }, element("summary", {}, `${layer.title}, ${layer.length} octets`), element("dl", { class: "facts" }, ...layer.fields.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)])));
    return made;
  });
  place("frame").replaceChildren(element("p", {}, element("a", { href: `${location.pathname}?frame=${frame.number}` }, `Frame ${frame.number}`), ` at ${frame.clock}`, frame.says ? element("strong", {}, `: ${frame.says}`) : ""), ...layers, dump);
  const form = place("call");
  if (form && selected) form.elements.evidence.value = [String(frame.number), selected.row.uid].filter(Boolean).join(", ");
}

place("frame-form").addEventListener("submit", (event) => { event.preventDefault(); openFrame(place("frame-number").value); });
for (const [id, step] of [["frame-before", -1], ["frame-after", 1]]) place(id).addEventListener("click", () => openFrame(String(Math.max(1, Number(place("frame-number").value || 1) + step))));
place("filter-form").addEventListener("submit", (event) => { event.preventDefault(); showRows(); });
place("log").addEventListener("change", () => showRows());
place("older").addEventListener("click", () => { place("live").checked = false; showRows(true); });

// ---- calls

const words = (text) => text.split(",").map((word) => word.trim()).filter(Boolean);

async function showCalls() {
  const calls = await ask(`${base}/calls`).catch(() => []);
  place("calls").replaceChildren(...calls.map((call) => element("tr", {}, element("td", {}, String(call.id)), element("td", {}, call.clock), element("td", {}, call.verdict), element("td", {}, `${call.entities.join(", ")} ${call.technique ?? ""}`), element("td", {}, call.confidence))));
}

place("call")?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = new FormData(event.target);
  const interval = [secondsOf(form.get("from")), secondsOf(form.get("to"))];
  if (interval.some(Number.isNaN)) { place("call-says").textContent = "Write times as on the clock above: 06:04:10"; return; }
  const call = { interval, entities: words(form.get("entities")), verdict: form.get("verdict"), technique: form.get("technique").trim() || null, confidence: form.get("confidence"), evidence: words(form.get("evidence")), case: form.get("case").trim() || null };
  try {
    const taken = await ask(`${base}/calls`, call);
    place("call-says").textContent = `Call ${taken.number} is in.`;
    event.target.reset();
    showCalls();
  } catch (error) { place("call-says").textContent = error.message; }
});

onState((state) => { latest = state; });
connect();
showCalls();
showLogs().then(() => showRows()).catch((error) => { place("filter-says").textContent = error.message; });
const asked = new URLSearchParams(location.search).get("frame");
if (asked) openFrame(asked);
setInterval(() => {
  if (!place("live").checked || latest.phase === "paused") return;
  showLogs().then(() => showRows()).catch((error) => { place("filter-says").textContent = error.message; });
}, 2000);
