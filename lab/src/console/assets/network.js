// Zones and talkers as a picture and as tables, and the firewall's rules.

import { act, ask, base, connect, element, onState } from "./live.js";

const NS = "http://www.w3.org/2000/svg";
const drawn = (name, attributes, ...children) => {
  const made = document.createElementNS(NS, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
};
const says = document.getElementById("says");
const report = (error) => { says.textContent = error.message; };
const WIDTH = 1280, BAND = 96, BOX = 118, GAP = 10, LEFT = 200;

/** Zones as bands from the highest level down; hosts stand in their band, talkers are lines between them. */
function picture(data) {
  const places = new Map();
  const svg = drawn("svg", { viewBox: `0 0 ${WIDTH} ${data.zones.length * BAND}`, role: "group", width: "100%", "aria-label": `${data.zones.length} zones; active: ${data.talkers.filter((talk) => talk.is_active).map((talk) => `${talk.client} to ${talk.server}`).join(", ") || "nobody"}` });
  const lines = drawn("g", {});
  const boxes = drawn("g", {});
  data.zones.forEach((zone, row) => {
    const top = row * BAND;
    svg.append(drawn("rect", { x: 0, y: top + 2, width: WIDTH, height: BAND - 4, fill: row % 2 ? "#E6E6E6" : "#F2F2F2", stroke: "#B8B8B8" }));
    const label = (text, y, size, weight) => svg.append(drawn("text", { x: 8, y, "font-size": size, "font-weight": weight, fill: "#1F2328" }, text));
    label(zone.title.length > 24 ? `${zone.title.slice(0, 23)}...` : zone.title, top + 28, 13, 600);
    label(zone.level === "outside" ? "outside" : `level ${zone.level}`, top + 46, 12, 400);
    label(zone.networks.join(" "), top + 64, 11, 400);
    const strangers = data.talkers.flatMap((talk) => [[talk.client, talk.client_address], [talk.server, talk.server_address]]).filter(([name, address]) => name === address && inZone(zone, address)).map(([name, address]) => ({ name, address, title: "not in the documentation", isStranger: true }));
    const hosts = [...zone.hosts, ...strangers.filter((host, n) => strangers.findIndex((other) => other.name === host.name) === n)];
    const step = Math.min(BOX + GAP, (WIDTH - LEFT - GAP) / Math.max(1, hosts.length));
    hosts.forEach((host, n) => {
      const x = LEFT + n * step;
      places.set(host.address, [x + (step - GAP) / 2, top + BAND / 2]);
      const box = drawn("a", { href: `#host-${host.name}` }, drawn("rect", { x, y: top + 22, width: step - GAP, height: 50, fill: "#FFFFFF", stroke: host.isStranger ? "#C62828" : "#5B6470", "stroke-width": host.isStranger ? 3 : 1, "stroke-dasharray": host.isStranger ? "6 3" : "none" }),
        drawn("text", { x: x + 6, y: top + 42, "font-size": 12, fill: "#1F2328", "font-weight": 600 }, host.isStranger ? "? unknown" : host.name.length > 15 ? `${host.name.slice(0, 14)}...` : host.name),
        drawn("text", { x: x + 6, y: top + 60, "font-size": 11, fill: "#1F2328" }, host.address), drawn("title", {}, `${host.name} ${host.address}: ${host.title}`));
      boxes.append(box);
    });
  });
  for (const talk of data.talkers.filter((talk) => talk.is_active)) {
    const [from, to] = [places.get(talk.client_address), places.get(talk.server_address)];
    if (!from || !to) continue;
    const lift = from[1] === to[1] ? 42 : 0;
    lines.append(drawn("path", { d: `M${from[0]} ${from[1] - (lift ? 25 : 0)} Q${(from[0] + to[0]) / 2} ${Math.min(from[1], to[1]) - 25 - lift / 2} ${to[0]} ${to[1] - (lift ? 25 : 0)}`, fill: "none", stroke: talk.is_known ? "#5B6470" : "#C62828", "stroke-width": Math.min(5, 1 + Math.log10(talk.frames + 1)), "stroke-dasharray": talk.is_known ? "none" : "6 3" }, drawn("title", {}, `${talk.client} to ${talk.server}, ${service(talk.service)}: ${talk.frames} frames`)));
  }
  svg.append(lines, boxes);
  return svg;
}

const number = (address) => address.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
const inZone = (zone, address) => zone.networks.some((network) => {
  const [start, length] = network.split("/");
  const size = 2 ** (32 - Number(length ?? 32));
  return Math.floor(number(start) / size) === Math.floor(number(address) / size);
});
const SERVICES = { 502: "Modbus/TCP", 20000: "DNP3", 1433: "historian (TDS)", 5900: "remote desktop (RFB)", 3389: "remote desktop (RDP)", 22: "SSH", 80: "HTTP", 443: "HTTPS" };
const service = (port) => (SERVICES[port] ? `${SERVICES[port]} ${port}` : `TCP ${port}`);

function ruleService(rule) {
  const ports = rule.ports?.length ? rule.ports.join(", ") : "any port";
  const deep = Object.entries(rule).filter(([key, value]) => ["modbus", "dnp3"].includes(key) && value).map(([key, value]) => `${key} ${JSON.stringify(value)}`).join(" ");
  return `${rule.protocol ?? "any"} ${ports} ${deep}`.trim();
}

let shown = "";
async function refresh() {
  const data = await ask(`${base}/network.json`).catch((error) => { report(error); return null; });
  if (!data) return;
  const key = JSON.stringify(data);
  if (key === shown || document.getElementById("rules").contains(document.activeElement)) return;
  shown = key;
  document.getElementById("zones").replaceChildren(picture(data));
  document.getElementById("talkers").replaceChildren(...data.talkers.sort((a, b) => b.frames - a.frames).map((talk) => element("tr", {}, element("td", {}, talk.client), element("td", {}, talk.server), element("td", {}, service(talk.service)), element("td", { class: "number" }, String(talk.frames)), element("td", { class: "number" }, String(talk.octets)), element("td", {}, talk.clock))));
  document.getElementById("unlisted").textContent = data.unlisted_frames ? `${data.unlisted_frames} frames of further pairs are counted, not listed.` : "";
  document.getElementById("sessions").textContent = data.sessions === undefined ? "" : `${data.sessions} sessions pass the firewall now.`;
  const mayChange = document.getElementById("add-rule") !== null;
  document.getElementById("rules").replaceChildren(...data.rules.map(({ id, rule, hits, until }, n) => element("tr", {}, element("td", {}, String(n + 1)), element("td", {}, rule.name), element("td", {}, rule.source), element("td", {}, rule.destination), element("td", {}, ruleService(rule)), element("td", {}, rule.action), element("td", { class: "number" }, String(hits)), element("td", {}, until ?? "stays"), element("td", {}, rule.comment ?? ""),
    element("td", {}, mayChange ? element("button", { type: "button", "aria-label": `Remove rule ${rule.name}`, on: { click: () => { if (confirm(`Remove rule ${rule.name}?`)) act(`rule remove ${id}`).then((told) => { says.textContent = `${told.says}.`; document.activeElement.blur(); refresh(); }).catch(report); } } }, "Remove") : ""))));
}

const list = (text) => text.split(/[\s,]+/).filter(Boolean).map(Number);

document.getElementById("add-rule")?.addEventListener("submit", (event) => {
  event.preventDefault();
  const form = new FormData(event.target);
  const functions = list(form.get("functions"));
  const rule = { name: form.get("name"), source: form.get("from"), destination: form.get("to"), action: form.get("action"), comment: form.get("comment") };
  if (list(form.get("ports")).length) rule.ports = list(form.get("ports"));
  if (functions.length) rule.modbus = { functions };
  if (form.get("duration")) rule.duration = form.get("duration");
  act(`rule add ${JSON.stringify(rule)}`).then((told) => { says.textContent = `${told.says}.`; event.target.reset(); refresh(); }).catch(report);
});

document.getElementById("kill")?.addEventListener("submit", (event) => {
  event.preventDefault();
  const address = new FormData(event.target).get("address");
  act(`session kill ${JSON.stringify({ address })}`).then((told) => { says.textContent = `${told.says}.`; refresh(); }).catch(report);
});

onState(() => {});
connect();
refresh();
setInterval(refresh, 2000);
