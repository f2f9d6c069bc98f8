// The operator's page: mimic, tables, alarms, trends, faceplates. Everything that acts goes to the lab as a request.

import { act, ask, base, body, connect, element, onState, short } from "./live.js";
import { drawTrend } from "./trend.js";
import * as mimic from "./mimic.js";

const tags = JSON.parse(document.getElementById("tags").textContent);
const picture = document.querySelector(".mimic svg");
const faceplate = document.getElementById("faceplate");
const pens = (JSON.parse(localStorage.getItem(`pens-${location.pathname}`) ?? "null") ?? Object.keys(tags).filter((tag) => tags[tag].normal_low != null && tags[tag].kind === "measurement").slice(0, 3)).filter((tag) => tags[tag]);
let latest = { values: {}, alarms: [] };
let open = null;

/** What a value says: a number with its decimals, or the word of a state. */
function words(tag, value) {
  const states = tags[tag]?.states ?? [];
  return states.length ? states[Math.round(value)] ?? short(value) : short(value);
}

const isAbnormal = (tag, value) => (tag.normal_low != null && value < tag.normal_low) || (tag.normal_high != null && value > tag.normal_high);

function showValues(state) {
  const shown = {};
  for (const [tag, [value, at]] of Object.entries(state.values)) {
    const quality = state.t - at > 15 ? "old" : "good";
    shown[tag] = { value, quality };
    for (const cell of document.querySelectorAll(`[data-value="${CSS.escape(tag)}"]`)) {
      const text = words(tag, value);
      if (cell.textContent !== text) cell.textContent = text;
      cell.className = `number ${quality} ${isAbnormal(tags[tag] ?? {}, value) ? "abnormal" : ""}`;
    }
  }
  if (picture) mimic.update(picture, shown, state.alarms);
  const lost = document.getElementById("lost");
  const says = state.lost.length ? `No answer from ${state.lost.join(", ")}: its values are old.` : "";
  if (lost.textContent !== says) lost.textContent = says;
}

function alarmRow(alarm) {
  const mayAct = body.operates && alarm.state !== "acknowledged";
  const button = mayAct && element("button", { type: "button", "aria-label": `Acknowledge ${alarm.tag}`, on: { click: () => act(`acknowledge ${alarm.tag}`).catch(report) } }, "Ack");
  const opens = tags[alarm.tag] ? element("button", { class: "link", type: "button", "data-open": alarm.tag }, alarm.tag) : alarm.tag;
  return element("tr", { "data-state": alarm.state, "data-alarm": alarm.tag },
    element("td", {}, element("span", { class: `priority p${alarm.priority}` }, String(alarm.priority))),
    element("td", {}, alarm.clock), element("td", {}, opens, ` ${alarm.description}`), element("td", {}, alarm.state), element("td", {}, button || ""));
}

let alarmsShown = "";
function showAlarms(state) {
  const alarms = [...state.alarms].sort((a, b) => a.priority - b.priority || b.since - a.since);
  const key = JSON.stringify(alarms);
  if (key === alarmsShown) return;
  alarmsShown = key;
  document.getElementById("alarms").replaceChildren(...alarms.map(alarmRow));
  document.getElementById("no-alarms").hidden = alarms.length > 0;
}

function report(error) {
  const place = faceplate.open ? faceplate.querySelector(".says") : document.getElementById("lost");
  if (place) place.textContent = error.message ?? String(error);
}

// ---- trends

async function showTrends() {
  const span = Number(document.getElementById("trend-span").value);
  const drawn = await Promise.all(pens.map(async (tag) => {
    const trend = await ask(`${base}/trend/${encodeURIComponent(tag)}?seconds=${span}`).catch(() => null);
    if (!trend) return null;
    const last = trend.points.at(-1)?.[1];
    return element("div", { "data-pen": tag },
      element("div", { class: "trend-head" }, element("button", { class: "link", type: "button", "data-open": tag }, tag), element("span", {}, `${last === undefined ? "-" : short(last)} ${tags[tag].unit}`),
        element("button", { class: "link", type: "button", "aria-label": `Remove pen ${tag}`, on: { click: () => { pens.splice(pens.indexOf(tag), 1); keepPens(); } } }, "remove")),
      drawTrend(trend.points, trend.now, span, tags[tag]));
  }));
  const place = document.getElementById("trends");
  // A person on the keyboard keeps their place.
  if (!place.contains(document.activeElement)) place.replaceChildren(...drawn.filter(Boolean));
}

function keepPens() {
  localStorage.setItem(`pens-${location.pathname}`, JSON.stringify(pens));
  document.activeElement?.blur();
  showTrends();
}

document.getElementById("add-pen").addEventListener("click", () => {
  const tag = document.getElementById("pen").value;
  if (!pens.includes(tag)) pens.push(tag);
  keepPens();
});
document.getElementById("trend-span").addEventListener("change", showTrends);

// ---- faceplates

/** Tags that belong to one loop: NAOH.SP with NAOH.MODE and NAOH.MAN. */
const loopOf = (name) => {
  const stem = name.includes(".") ? name.slice(0, name.indexOf(".")) : name;
  return Object.keys(tags).filter((tag) => tag !== name && tag.startsWith(`${stem}.`));
};

function entry(name) {
  const tag = tags[name];
  const value = latest.values[name]?.[0];
  const input = tag.states.length
    ? element("select", { "aria-label": `New value of ${name}` }, ...tag.states.map((state, n) => element("option", { value: n, selected: Math.round(value) === n }, state)))
    : element("input", { type: "number", step: "any", value: value ?? "", "aria-label": `New value of ${name}`, size: 10 });
  const confirmed = element("button", { type: "submit", class: "primary" }, "Enter");
  const form = element("form", { class: "entry" }, input, ` ${tag.unit} `, confirmed);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const next = Number(input.value);
    const before = latest.values[name]?.[0];
    if (!Number.isFinite(next) || input.value === "") return report(new Error("type a number"));
    if (confirmed.dataset.asked !== input.value) {
      confirmed.dataset.asked = input.value;
      confirmed.textContent = `Yes: ${words(name, before ?? NaN)} to ${words(name, next)} ${tag.unit}`;
      return;
    }
    delete confirmed.dataset.asked;
    confirmed.textContent = "Enter";
    await act(`write ${name} ${next}`).then((told) => report(new Error(`${told.says}.`))).catch(report);
  });
  input.addEventListener("input", () => { delete confirmed.dataset.asked; confirmed.textContent = "Enter"; });
  return form;
}

const isEntered = (tag) => tag.taken_by && ["setpoint", "command"].includes(tag.kind);

async function openTag(name) {
  const tag = tags[name];
  if (!tag) return;
  open = name;
  const fact = (title, text) => [element("dt", {}, title), element("dd", {}, text)];
  const limits = tag.normal_low != null ? `${tag.normal_low} to ${tag.normal_high} ${tag.unit}` : "none written down";
  const related = loopOf(name).map((other) => [element("dt", {}, element("button", { class: "link", type: "button", "data-open": other }, other)), element("dd", {}, element("span", { "data-value": other }, words(other, latest.values[other]?.[0])), ` ${tags[other].unit} ${tags[other].description}`)]).flat();
  faceplate.replaceChildren(
    element("h2", { id: "faceplate-title" }, `${name}: ${tag.description}`),
    element("p", { class: "primary-value" }, element("span", { "data-value": name }, words(name, latest.values[name]?.[0])), ` ${tag.unit}`),
    element("dl", { class: "facts" }, ...fact("Range", `${tag.low} to ${tag.high} ${tag.unit}`), ...fact("Usual", limits), ...fact("Controller", tag.taken_by ?? "reports only"), ...related, element("dt", {}, "Last change here"), element("dd", { class: "changed" }, "none from this console")),
    element("div", { class: "faceplate-trend" }),
    element("p", { class: "says", role: "status" }, ""),
    ...(body.operates && isEntered(tag) ? [entry(name)] : [element("p", { class: "note" }, isEntered(tag) ? "The operator of this team enters values." : "A value that is only shown.")]),
    element("p", {}, element("a", { href: `${location.pathname}?tag=${encodeURIComponent(name)}` }, "Link to this tag"), " ", element("button", { type: "button", on: { click: () => faceplate.close() } }, "Close")));
  if (!faceplate.open) faceplate.showModal();
  const trend = await ask(`${base}/trend/${encodeURIComponent(name)}?seconds=900`).catch(() => null);
  if (trend && open === name) {
    faceplate.querySelector(".faceplate-trend")?.replaceChildren(drawTrend(trend.points, trend.now, 900, tag));
    if (trend.last_change) faceplate.querySelector(".changed").textContent = `${trend.last_change.clock}, ${trend.last_change.who}: ${trend.last_change.what}`;
  }
}

document.addEventListener("click", (event) => {
  const name = event.target.closest?.("[data-open]")?.dataset.open;
  if (name) openTag(name);
});
picture?.addEventListener("open-tag", (event) => openTag(event.detail?.tag ?? event.detail));
faceplate.addEventListener("close", () => { open = null; });

const stop = document.getElementById("safe-stop");
stop?.addEventListener("click", async () => {
  if (!confirm("Safe stop: dosing, inflow and pumps stop now. Do it?")) return;
  stop.disabled = true;
  await act("safe-stop").then((told) => { document.getElementById("lost").textContent = `${told.says}.`; }).catch(report);
  stop.disabled = false;
});

onState((state) => {
  if (!state.values) return;
  latest = state;
  showValues(state);
  showAlarms(state);
});
connect();
setInterval(showTrends, 2000);
showTrends();
const asked = new URLSearchParams(location.search).get("tag");
if (asked) openTag(asked);
if (body.operates && body.role !== "facilitator") act("attend").catch(() => {});
