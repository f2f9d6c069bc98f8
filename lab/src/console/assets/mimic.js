// Fills a plant mimic with values and alarms.
//
// # Theory of operation
// The SVG holds what never changes: pipes, buses, vessels, and one <g data-tag data-kind transform> for everything
// that does. The first `update` dresses each of them (text, bar, symbol), every further one sets attributes only.
// No style element and no style attribute is used, so that a strict content security policy can stay.
// Grey is normal. What is abnormal gets colour, shape and letter at once: square 1, triangle 2, circle 3, and a
// diamond where the value itself is in doubt. Filled: not acknowledged. Outlined: acknowledged.
//
// # Kinds
// value     tag, number, unit and a bar: range data-low to data-high, band between data-alarm-low and data-alarm-high
// flow      a number with an arrow: data-toward (right, left, up, down) is where a positive value goes
// setpoint  a labelled number in one line
// mode      one letter of data-states in a box
// state     data-label and its word of data-states, quiet while the value is data-normal; then bold with a mark (data-mark 1, 2, 3, d)
// pump, valve, breaker, unit   white and filled where running, open or closed; grey outline where not
// tank      its <rect data-part="level"> is filled from data-low to data-high
//
// `values` is {tag: {value, quality}}, quality "good", "old" or "lost"; `alarms` is [{tag, priority, state}], a tag being
// the element's own, that of one of its alarms (AIT-202.HH), or listed in its data-alarms. States "normal", "shelved"
// and "suppressed" show nothing, "acknowledged" an outline, every other is taken as not acknowledged.
// A click or Enter on an element sends "open-tag" with detail {tag} up from it.

const SVG = "http://www.w3.org/2000/svg";
const INK = "#1F2328";
const MUTED = "#5B6470";
const PANEL = "#F2F2F2";
const GROUND = "#E6E6E6";
const RUNNING = "#FFFFFF";
const STOPPED = "#8A8A8A";
const BAND = "#B8B8B8";
const MARKS = {
  1: { colour: "#C62828", on: "#FFFFFF", letter: "1", path: "M-8-8H8V8H-8Z", says: "priority 1" },
  2: { colour: "#EF6C00", on: INK, letter: "2", path: "M0-10L10 8H-10Z", says: "priority 2" },
  3: { colour: "#B58900", on: INK, letter: "3", path: "M-8.5 0A8.5 8.5 0 1 1 8.5 0A8.5 8.5 0 1 1-8.5 0Z", says: "priority 3" },
  d: { colour: "#6A1B9A", on: "#FFFFFF", letter: "?", path: "M0-10L10 0L0 10L-10 0Z", says: "diagnostic" },
};
const QUIET = new Set(["normal", "shelved", "suppressed"]);
const TURN = { right: 0, down: 90, left: 180, up: 270 };
const BAR = { x: 116, y: 2, width: 9, height: 44 };

const dressed = new WeakMap();

/** Shows these values and alarms in an inlined mimic. */
export function update(svgRoot, values, alarms) {
  let parts = dressed.get(svgRoot);
  if (!parts) {
    parts = [...svgRoot.querySelectorAll("[data-tag]")].map(dress);
    dressed.set(svgRoot, parts);
    listen(svgRoot);
  }
  const active = (alarms ?? []).filter((alarm) => !QUIET.has(alarm.state));
  for (const part of parts) {
    const alarm = worst(active.filter((it) => concerns(part.group, it.tag)));
    const reading = values[part.stateTag] ?? values[part.tag] ?? { quality: "lost" };
    show(part, reading, alarm);
  }
}

function listen(root) {
  const open = (event) => {
    const group = event.target.closest?.("[data-tag]");
    if (!group || !root.contains(group)) return;
    event.preventDefault();
    group.dispatchEvent(new CustomEvent("open-tag", { bubbles: true, detail: { tag: group.dataset.tag } }));
  };
  root.addEventListener("click", open);
  root.addEventListener("keydown", (event) => {
    if (event.key === "Enter" || event.key === " ") open(event);
  });
}

function concerns(group, tag) {
  const own = group.dataset.tag;
  return tag === own || tag.startsWith(`${own}.`) || (group.dataset.alarms ?? "").split(" ").includes(tag);
}

function worst(alarms) {
  const fresh = (alarm) => (alarm.state === "acknowledged" ? 1 : 0);
  return alarms.sort((a, b) => a.priority - b.priority || fresh(a) - fresh(b))[0];
}

function add(parent, name, attributes, text) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text !== undefined) node.textContent = text;
  parent.append(node);
  return node;
}

function set(node, attributes) {
  for (const [key, value] of Object.entries(attributes)) {
    if (node.getAttribute(key) !== String(value)) node.setAttribute(key, value);
  }
}

// ---- once

function dress(group) {
  const { tag, kind } = group.dataset;
  const part = { group, tag, kind, stateTag: group.dataset.stateTag ?? tag, title: group.getAttribute("aria-label") ?? "" };
  group.setAttribute("cursor", "pointer");
  (DRESS[kind] ?? DRESS.value)(part, group.dataset);
  // A tank's alarms stand beside the number of its level.
  if (kind === "tank") return part;
  part.mark = add(group, "g", { transform: `translate(${group.dataset.markAt ?? part.markAt})`, visibility: "hidden" });
  part.markShape = add(part.mark, "path", { d: "", "stroke-width": 2, "stroke-linejoin": "round" });
  part.markLetter = add(part.mark, "text", { y: 4.5, "text-anchor": "middle", "font-size": 12, "font-weight": 700 });
  return part;
}

/** A ground to click on, and for the focus ring to go round. */
function area(group, x, y, width, height) {
  add(group, "rect", { x, y, width, height, fill: GROUND, "fill-opacity": 0 });
}

function number(part, attributes, size) {
  const text = add(part.group, "text", attributes);
  part.number = add(text, "tspan", { "font-size": size, "font-weight": 600, fill: INK });
  part.unit = add(text, "tspan", { dx: 4, "font-size": 12, fill: MUTED }, part.group.dataset.unit ?? "");
  return text;
}

function caption(part, data) {
  if (!data.label) return;
  const [x, y, anchor] = (data.labelAt ?? "0,34,middle").split(",");
  add(part.group, "text", { x, y, "text-anchor": anchor, "font-size": 12, fill: MUTED }, data.label);
}

const DRESS = {
  value(part, data) {
    area(part.group, -4, -2, 154, 52);
    add(part.group, "text", { x: 0, y: 12, "font-size": 12, fill: MUTED }, data.label ?? part.tag);
    number(part, { x: 0, y: 36 }, 20);
    part.markAt = "139 14";
    if (data.low === undefined) return;
    const high = (name, fallback) => heightOf(part, Number(data[name] ?? fallback));
    add(part.group, "rect", { ...BAR, fill: PANEL, stroke: STOPPED });
    if (data.alarmLow !== undefined || data.alarmHigh !== undefined) {
      const top = high("alarmHigh", data.high);
      add(part.group, "rect", { x: BAR.x, width: BAR.width, y: top, height: high("alarmLow", data.low) - top, fill: BAND });
    }
    for (const name of ["alarmLow", "alarmHigh"]) {
      if (data[name] === undefined) continue;
      const y = high(name);
      add(part.group, "path", { d: `M${BAR.x - 2} ${y}H${BAR.x + BAR.width + 2}`, stroke: INK, "stroke-width": 1.5 });
    }
    part.pointer = add(part.group, "path", { d: "M-9-5L0 0L-9 5Z", fill: INK, visibility: "hidden" });
  },
  flow(part) {
    area(part.group, -16, -15, 112, 22);
    part.arrow = add(part.group, "path", { d: "M-6-5L6 0L-6 5Z", fill: INK });
    number(part, { x: 12, y: 5 }, 16);
    part.markAt = "104 -1";
  },
  setpoint(part, data) {
    area(part.group, -3, -13, 112, 18);
    add(part.group, "text", { "font-size": 12, fill: MUTED }, data.label ?? part.tag);
    number(part, { x: data.at ?? 30 }, 14);
    part.markAt = "122 -4";
  },
  mode(part) {
    area(part.group, -2, -2, 22, 22);
    add(part.group, "rect", { width: 18, height: 18, rx: 2, fill: PANEL, stroke: STOPPED });
    part.word = add(part.group, "text", { x: 9, y: 13.5, "text-anchor": "middle", "font-size": 13, "font-weight": 600, fill: INK });
    part.markAt = "28 9";
  },
  state(part, data) {
    area(part.group, -24, -13, 26 + Math.max(24, 7.5 * (data.label ?? part.tag).length), 18);
    part.word = add(part.group, "text", { "font-size": 12, fill: MUTED });
    part.markAt = "-14 -4";
  },
  pump(part, data) {
    area(part.group, -20, -20, 40, 40);
    part.body = add(part.group, "circle", { r: 18, "stroke-width": 2 });
    part.inner = add(part.group, "path", { d: "M-9-13L17 0L-9 13", fill: "none", "stroke-width": 2, transform: `rotate(${TURN[data.toward ?? "right"]})` });
    part.markAt = "24 -20";
    caption(part, data);
  },
  valve(part, data) {
    area(part.group, -20, -14, 40, 28);
    part.body = add(part.group, "path", { d: "M-16-11L16 11V-11L-16 11Z", "stroke-width": 2, "stroke-linejoin": "round" });
    part.inner = add(part.group, "path", { d: "M0 0V-16M-8-16H8", fill: "none", "stroke-width": 2 });
    part.markAt = "24 -18";
    caption(part, data);
  },
  breaker(part, data) {
    area(part.group, -13, -13, 26, 26);
    part.body = add(part.group, "rect", { x: -10, y: -10, width: 20, height: 20, "stroke-width": 2 });
    part.inner = add(part.group, "path", { d: "", fill: "none", "stroke-width": 3 });
    part.markAt = "20 -18";
    caption(part, data);
  },
  unit(part, data) {
    area(part.group, -30, -30, 60, 60);
    part.body = add(part.group, "circle", { r: 27, "stroke-width": 2 });
    part.inner = add(part.group, "path", { d: "M-10 12q5-8 10 0t10 0", fill: "none", "stroke-width": 2 });
    add(part.group, "text", { y: 0, "text-anchor": "middle", "font-size": 14, "font-weight": 600, fill: INK }, data.label ?? "");
    part.markAt = "30 -26";
  },
  tank(part, data) {
    const level = part.group.querySelector("[data-part=level]");
    part.level = level;
    part.full = { y: Number(level.getAttribute("y")), height: Number(level.getAttribute("height")) };
        caption(part, data);
  },
};

// ---- every time

function show(part, reading, alarm) {
  const { group } = part;
  const data = group.dataset;
  const lost = reading.quality === "lost" || !Number.isFinite(reading.value);
  const value = lost ? undefined : reading.value;
  const said = (SHOW[part.kind] ?? SHOW.value)(part, value, data);
  const offNormal = part.kind === "state" && value !== undefined && value !== Number(data.normal ?? 0);
  const doubt = reading.quality === "old" || lost;
  const mark = alarm?.priority ?? (offNormal ? data.mark : undefined) ?? (doubt && part.number ? "d" : undefined);
  if (part.mark) showMark(part, mark, alarm?.state === "acknowledged");
  if (part.pointer) set(part.pointer, { fill: alarm ? MARKS[alarm.priority]?.colour ?? INK : INK });
  if (part.number) set(part.number, { fill: doubt ? MUTED : INK, "font-style": doubt ? "italic" : "normal" });
  const quality = lost ? ", lost" : doubt ? ", old" : "";
  const alarmed = mark === undefined ? "" : `, ${MARKS[mark]?.says ?? "alarm"}${alarm ? ` alarm ${alarm.state}` : ""}`;
  set(group, { "aria-label": `${part.title}, ${part.tag}: ${said}${quality}${alarmed}` });
}

function showMark(part, mark, acknowledged) {
  const look = MARKS[mark];
  set(part.mark, { visibility: look ? "visible" : "hidden", class: look && !acknowledged && mark !== "d" ? "unacknowledged" : "" });
  if (!look) return;
  set(part.markShape, { d: look.path, fill: acknowledged ? PANEL : look.colour, stroke: look.colour });
  set(part.markLetter, { fill: acknowledged ? INK : look.on, y: mark === 2 || mark === "2" ? 6 : 4.5 });
  if (part.markLetter.textContent !== look.letter) part.markLetter.textContent = look.letter;
}

function write(node, text) {
  if (node && node.textContent !== text) node.textContent = text;
}

/** Minus as typographers write it; a dash where there is nothing. */
function format(value, data) {
  return value === undefined ? "–" : value.toFixed(Number(data.decimals ?? 1)).replace("-", "−");
}

function share(value, data) {
  const low = Number(data.low ?? 0);
  return Math.min(1, Math.max(0, (value - low) / (Number(data.high ?? 1) - low)));
}

function heightOf(part, value) {
  return BAR.y + BAR.height * (1 - share(value, part.group.dataset));
}

function figure(part, value, data) {
  const text = format(value, data);
  write(part.number, text);
  return `${text} ${data.unit ?? ""}`;
}

function symbol(part, on, words) {
  set(part.body, { fill: on ? RUNNING : GROUND, stroke: on ? INK : STOPPED, "stroke-dasharray": on === undefined ? "3 3" : "none" });
  if (part.inner) set(part.inner, { stroke: on ? INK : STOPPED });
  return on === undefined ? "unknown" : words[on ? 1 : 0];
}

const SHOW = {
  value(part, value, data) {
    if (part.pointer) {
      const y = value === undefined ? 0 : heightOf(part, value);
      set(part.pointer, { visibility: value === undefined ? "hidden" : "inherit", transform: `translate(${BAR.x - 1} ${y})` });
    }
    return figure(part, value, data);
  },
  flow(part, value, data) {
    const turn = TURN[data.toward ?? "right"] + ((value ?? 0) < 0 ? 180 : 0);
    const still = Math.abs(value ?? 0) < Number(data.still ?? 0.5);
    set(part.arrow, { transform: `rotate(${turn})`, visibility: still ? "hidden" : "inherit" });
    return figure(part, value === undefined ? undefined : Math.abs(value), data);
  },
  setpoint: figure,
  mode(part, value, data) {
    const word = (data.states ?? "M A").split(" ")[value] ?? "–";
    write(part.word, word);
    return { M: "manual", A: "automatic", C: "cascade", L: "local", R: "remote" }[word] ?? word;
  },
  state(part, value, data) {
    const quiet = value === undefined || value === Number(data.normal ?? 0);
    const word = (data.states ?? "normal|operated").split("|")[value] ?? "unknown";
    const shown = value === undefined ? "–" : quiet && word === "normal" ? "" : word;
    write(part.word, `${data.label ?? part.tag} ${shown}`.trim());
    set(part.word, { fill: quiet ? MUTED : INK, "font-weight": quiet ? 400 : 700 });
    return word;
  },
  pump: (part, value) => symbol(part, value === undefined ? undefined : value > 0.5, ["stopped", "running"]),
  valve: (part, value) => symbol(part, value === undefined ? undefined : value > 0.5, ["closed", "open"]),
  breaker(part, value, data) {
    const closed = value === undefined ? undefined : value > 0.5;
    const along = data.along === "down" ? "M0-6V6" : "M-6 0H6";
    set(part.inner, { d: closed === undefined ? "" : closed ? along : "M-5 0A5 5 0 1 1 5 0A5 5 0 1 1-5 0Z" });
    return symbol(part, closed, ["open", "closed"]);
  },
  unit: (part, value) => symbol(part, value === undefined ? undefined : value > 0.5, ["off the grid", "on the grid"]),
  tank(part, value, data) {
    const height = value === undefined ? 0 : part.full.height * share(value, data);
    set(part.level, { height, y: part.full.y + part.full.height - height });
    return `${format(value, data)} ${data.unit ?? ""}`;
  },
};
