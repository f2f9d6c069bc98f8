// The facilitator's page: everything is asked for once a second, and every button says what came of it.

import { ask, element } from "./live.js";

const place = (id) => document.getElementById(id);
const says = place("says");
let shown = "";
/** Ways in and keys of the teams for which somebody asked. */
const waysIn = new Map();

async function tell(path, content) {
  // A button keeps the focus, and what holds the focus is not drawn anew.
  if (place("teams").contains(document.activeElement) || place("injects").contains(document.activeElement)) document.activeElement.blur();
  try { const told = await ask(path, content); says.textContent = told.says ?? "done"; await refresh(); return told; }
  catch (error) { says.textContent = error.message; return null; }
}

const all = (time) => tell("/facilitator/all", { time });
const fields = (form) => Object.fromEntries([...new FormData(form)].map(([key, value]) => [key, typeof value === "string" ? value.trim() : value]));
const whole = (text) => {
  if (text === "" || text === undefined) return null;
  if (!Number.isFinite(Number(text))) { says.textContent = `${text} is no number: write seconds of the run, as in 250`; throw new Error(text); }
  return Number(text);
};

place("stop").addEventListener("click", () => tell("/facilitator/all", "stop"));
place("pause-all").addEventListener("click", () => all("pause"));
place("resume-all").addEventListener("click", () => all("resume"));
place("step-all").addEventListener("click", () => all({ step: 60 }));
place("speed-all").addEventListener("change", () => all({ speed: Number(place("speed-all").value) }));
place("end-all").addEventListener("click", () => { if (confirm("End all runs? Their records are sealed and the debrief begins.")) all("end"); });

place("start").addEventListener("submit", (event) => {
  event.preventDefault();
  const form = fields(event.target);
  tell("/facilitator/start", { scenario: form.scenario, seed: Number(form.seed), blind: form.blind === "on", language: form.language, settings: form.level === "medium" ? {} : { level: form.level }, shows: form.shows || null, pace: Number(form.pace), skip: Number(form.skip || 0), paused: form.paused === "on" });
});
place("add-team").addEventListener("submit", async (event) => { event.preventDefault(); if (await tell("/facilitator/team", fields(event.target))) event.target.reset(); });
place("add-seat").addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = fields(event.target);
  const told = await tell("/facilitator/seat", { name: form.name, role: form.role, team: form.role === "facilitator" ? null : whole(form.team) });
  if (told) { showLink(told.link); event.target.reset(); }
});
place("say").addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = fields(event.target);
  if (await tell("/facilitator/say", { team: whole(form.team), role: form.role || null, kind: form.kind, text: form.text, at: whole(form.at) })) event.target.elements.text.value = "";
});

const showLink = (link) => { place("new-link").replaceChildren("Link for one person, once: ", element("code", {}, new URL(link, location.href).href)); };

function seatRow(seat, teams) {
  const renew = element("button", { type: "button", on: { click: async () => { const told = await tell("/facilitator/link", { seat: seat.id }); if (told) showLink(told.link); } } }, "New link");
  return element("tr", {}, element("td", {}, seat.name), element("td", {}, seat.role), element("td", {}, teams.find((team) => team.id === seat.team)?.name ?? "all"), element("td", {}, seat.is_taken ? "yes" : "not yet"), element("td", {}, renew));
}

function injectRow(team, inject) {
  const button = (what, title) => element("button", { type: "button", on: { click: () => tell("/facilitator/inject", { inject: inject.id, what }) } }, title);
  const edit = element("button", { type: "button", on: { click: () => { const text = prompt("Text", inject.text); if (text) tell("/facilitator/inject", { inject: inject.id, what: "edit", text }); } } }, "Edit");
  const open = ["waits", "held"].includes(inject.state);
  return element("tr", {}, element("td", {}, `${inject.t.toFixed?.(0) ?? inject.t} s`), element("td", {}, `${team.name} ${inject.role ?? ""}`), element("td", {}, inject.text), element("td", {}, inject.state), element("td", {}, ...(open ? [button("release", "Release"), inject.state === "held" ? button("wait", "Let wait") : button("hold", "Hold"), edit, button("drop", "Drop")] : [])));
}

const eventRow = (event) => element("tr", {}, element("td", {}, event.clock), element("td", {}, element("strong", {}, event.letter)), element("td", {}, event.summary || event.id));

function callRow(team, call) {
  const change = element("button", { type: "button", "aria-label": `Other points for call ${call.id} of ${team.name}`, on: { click: () => {
    const points = prompt("Points instead of the law's own");
    const reason = points && prompt("Reason");
    if (points && reason) tell("/facilitator/override", { team: team.id, call: call.id, points: Number(points), reason });
  } } }, "Points");
  const other = call.points_override == null ? "" : ` (${call.points_override}: ${call.override_reason})`;
  return element("tr", {}, element("td", {}, call.clock), element("td", {}, `${call.verdict}, ${call.confidence}`), element("td", {}, `${call.entities.join(", ")} ${call.technique ?? ""}${other}`), element("td", {}, change));
}

function table(caption, rows) {
  return element("table", {}, element("caption", {}, caption), element("tbody", {}, ...(rows.length ? rows : [element("tr", {}, element("td", {}, "none"))])));
}

function waysInOf(told) {
  const keys = Object.entries(told.keys).map(([zone, key]) => element("tr", {}, element("th", { scope: "row" }, zone), element("td", { class: "mono" }, key)));
  return element("div", {}, element("p", {}, told.ways_in.length ? told.ways_in.join("; ") : "No real client and no real network has a way in."),
    element("table", {}, element("caption", {}, `Keys of the rule interface at ${told.rule_interface}, by zone: hand out one`), element("tbody", {}, ...keys)));
}

function teamColumn(team) {
  const time = (title, content) => element("button", { type: "button", on: { click: () => tell(`/team/${team.id}/time`, content) } }, title);
  const links = ["plant", "network", "analyst", "score"].flatMap((page) => [element("a", { href: `/team/${team.id}/${page}` }, page), " "]);
  const goOn = element("button", { type: "button", on: { click: () => { const at = prompt("From which second of the run? Empty: from where it ended."); if (at !== null) tell("/facilitator/fork", { team: team.id, at: whole(at.trim()) }); } } }, "Go on or fork");
  const join = element("button", { type: "button", on: { click: () => { const form = fields(place("start")); tell("/facilitator/start", { scenario: form.scenario, seed: Number(form.seed), blind: form.blind === "on", language: form.language, settings: form.level === "medium" ? {} : { level: form.level }, shows: form.shows || null, pace: Number(form.pace), team: team.id }); } } }, "Start this team");
  const shows = element("select", { "aria-label": `What ${team.name} sees`, on: { change: (event) => tell("/facilitator/shows", { class: team.class, shows: event.target.value, scores_hidden: team.scores_hidden }) } }, ...["findings", "records", "capture"].map((word) => element("option", { selected: word === team.shows }, word)));
  const hide = element("button", { type: "button", on: { click: () => tell("/facilitator/shows", { class: team.class, shows: team.shows, scores_hidden: !team.scores_hidden }) } }, team.scores_hidden ? "Show scores" : "Hide scores");
  const ways = element("button", { type: "button", "aria-expanded": String(waysIn.has(team.id)), on: { click: async () => {
    if (waysIn.delete(team.id)) return tell("/facilitator/state");
    const told = await ask(`/facilitator/ways-in/${team.id}`).catch((error) => { says.textContent = error.message; return null; });
    if (told) { waysIn.set(team.id, told); await tell("/facilitator/state"); }
  } } }, waysIn.has(team.id) ? "Hide ways in and keys" : "Ways in and keys");
  return element("section", { "data-team": team.id }, element("h2", {}, team.name),
    element("p", {}, `${team.title ?? "no exercise yet"}${team.seed === undefined ? "" : `, seed ${team.seed}, cause: ${team.cause}`}`),
    element("p", {}, element("strong", {}, `${team.clock ?? ""} ${team.phase}${team.pace ? `, ${team.pace} x` : ""}${team.is_live && team.t > 10 && (team.lag_p99_ms === null || team.lag_p99_ms > 50) ? ", LATE: this machine does not keep up" : ""}`), team.reason ? ` ${team.reason}` : ""),
    ...(team.title ? [element("p", {}, ...links)] : []),
    element("p", {}, ...(team.is_live ? [time("Pause", "pause"), time("Go on", "resume"), time("Step 60 s", { step: 60 }), time("End", "end")] : [join, ...(team.title ? [goOn] : [])]), ...(team.title ? [shows, hide, ways] : [])),
    ...(waysIn.has(team.id) ? [waysInOf(waysIn.get(team.id))] : []),
    table("What really happened", team.was.map(eventRow)), table("Calls", team.calls.map((call) => callRow(team, call))), table("Next", team.next.map(eventRow)));
}

async function refresh() {
  const state = await ask("/facilitator/state").catch((error) => { says.textContent = error.message; return null; });
  if (!state) return;
  const key = JSON.stringify([state, [...waysIn.keys()]]);
  if (key === shown) return;
  shown = key;
  const keeps = (id, children) => { if (!place(id).contains(document.activeElement)) place(id).replaceChildren(...children); };
  keeps("teams", state.teams.map(teamColumn));
  keeps("seats", state.seats.map((seat) => seatRow(seat, state.teams)));
  keeps("injects", state.teams.flatMap((team) => team.injects.map((inject) => injectRow(team, inject))));
  const seatTeam = place("seat-team");
  if (document.activeElement !== seatTeam && seatTeam.options.length !== state.teams.length) {
    const chosen = seatTeam.value;
    seatTeam.replaceChildren(...state.teams.map((team) => element("option", { value: team.id, selected: String(team.id) === chosen }, team.name)));
  }
  const say = place("say-team");
  if (document.activeElement !== say && say.options.length !== state.teams.length + 1) say.replaceChildren(element("option", { value: "" }, "all teams"), ...state.teams.map((team) => element("option", { value: team.id }, team.name)));
}

refresh();
setInterval(refresh, 1000);
