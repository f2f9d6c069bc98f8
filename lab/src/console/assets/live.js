// The live stream, the header, and how a page asks for something.

export const body = document.body.dataset;
export const base = body.team ? `/team/${body.team}` : "";

/** An element with attributes and children; text is always text. */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "on") for (const [event, handler] of Object.entries(value)) made.addEventListener(event, handler);
    else if (value === true) made.setAttribute(key, "");
    else if (value !== false && value != null) made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child != null));
  return made;
}

/** Asks the console; gives the answer, or throws what it says is wrong. */
export async function ask(path, content) {
  const options = content === undefined ? {} : { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(content) };
  let answer;
  try { answer = await fetch(path, options); } catch { throw new Error("the console does not answer: is it still running?"); }
  const isJson = (answer.headers.get("content-type") ?? "").includes("json");
  const told = isJson ? await answer.json() : await answer.text();
  if (!answer.ok) throw new Error(told.problem ?? String(told) ?? answer.statusText);
  return told;
}

/** Acts on the lab. */
export const act = (command) => ask(`${base}/act`, { command });

const header = (id) => document.getElementById(id);
const listeners = [];
let messagesShown = -1;

/** Calls `listener` with every state of the lab. */
export function onState(listener) { listeners.push(listener); }

function say(id, text, isBad = false) {
  const place = header(id);
  if (!place) return;
  if (place.textContent !== text) place.textContent = text;
  place.classList.toggle("bad", isBad);
}

async function showMessages() {
  const messages = await ask(`${base}/messages`).catch(() => []);
  const shown = messages.slice(-6).map((message) => element("div", { class: message.kind }, message.kind === "message" ? message.text : `${message.kind.toUpperCase()}: ${message.text}`));
  header("messages")?.replaceChildren(...shown);
}

function show(state) {
  say("clock", state.clock ?? "--:--:--");
  const words = { starting: "starting", running: `running, ${state.pace} x`, paused: "PAUSED", debriefing: "ended: the twins are being run", sealed: "ended: the record is sealed", failed: "failed" };
  say("phase", (words[state.phase] ?? state.phase) + (state.reason ? `: ${state.reason}` : ""), state.phase !== "running");
  const counts = [1, 2, 3].map((priority) => `${priority}: ${(state.alarms ?? []).filter((alarm) => alarm.priority === priority).length}`);
  say("alarm-counts", state.alarms ? `alarms ${counts.join("  ")}` : "");
  const pause = header("pause");
  if (pause) {
    pause.textContent = state.phase === "paused" ? "Go on" : "Pause";
    const isOver = !["running", "paused"].includes(state.phase);
    for (const id of ["pause", "speed", "end"]) header(id).disabled = isOver;
    if (document.activeElement !== header("speed") && state.pace) header("speed").value = String(state.pace);
  }
  if (state.messages !== undefined && state.messages !== messagesShown) { messagesShown = state.messages; showMessages(); }
  for (const listener of listeners) listener(state);
}

/** Connects; the browser connects again by itself when the stream breaks. */
export function connect() {
  let stream = null;
  const open = () => {
    if (stream) return;
    stream = new EventSource(`${base}/stream`);
    stream.onopen = () => say("link", "live");
    stream.onerror = () => say("link", "no connection, trying again", true);
    stream.onmessage = (message) => {
      const state = JSON.parse(message.data);
      show(state);
      // Nothing more will come, and a browser has few connections.
      if (["sealed", "failed"].includes(state.phase)) { stream.close(); say("link", "ended"); }
    };
  };
  open();
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) return open();
    stream?.close();
    stream = null;
  });
  const tell = (content) => ask(`${base}/time`, content).catch((error) => say("phase", error.message, true));
  header("pause")?.addEventListener("click", () => tell(header("pause").textContent === "Pause" ? "pause" : "resume"));
  header("speed")?.addEventListener("change", () => tell({ speed: Number(header("speed").value) }));
  header("end")?.addEventListener("click", () => { if (confirm("End the run for this team now? Its record is sealed and the debrief begins.")) tell("end"); });
}

/** Clock time of seconds since midnight of the scenario, from a state's own clock. */
export const short = (value) => {
  if (value === undefined || value === null) return "-";
  const size = Math.abs(value);
  return value.toFixed(size >= 1000 ? 0 : size >= 100 ? 1 : 2);
};
