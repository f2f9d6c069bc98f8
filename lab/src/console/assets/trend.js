// A small trend: a line over time with the normal band behind it, and its numbers beside it.

const NS = "http://www.w3.org/2000/svg";
const drawn = (name, attributes, text) => {
  const made = document.createElementNS(NS, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
};

/** Draws points [[seconds, value], ...] of a tag over the last `span` seconds. */
export function drawTrend(points, now, span, tag) {
  const [width, height] = [400, 96];
  const picture = drawn("svg", { class: "trend", viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", role: "img" });
  const values = points.map(([, value]) => value);
  if (!values.length) {
    picture.setAttribute("aria-label", "no values yet");
    return picture;
  }
  let [low, high] = [Math.min(...values), Math.max(...values)];
  const room = Math.max((high - low) * 0.15, (tag.high - tag.low) * 0.005, 1e-6);
  [low, high] = [low - room, high + room];
  const x = (t) => width - ((now - t) / span) * width;
  const y = (value) => height - ((value - low) / (high - low)) * height;
  if (tag.normal_low != null && tag.normal_high != null) {
    const [top, bottom] = [Math.max(0, y(tag.normal_high)), Math.min(height, y(tag.normal_low))];
    if (bottom > top) picture.append(drawn("rect", { class: "band", x: 0, y: top, width, height: bottom - top }));
  }
  picture.append(drawn("path", { d: points.map(([t, value], n) => `${n ? "L" : "M"}${x(t).toFixed(1)} ${y(value).toFixed(1)}`).join("") }));
  const [first, last] = [values[0], values[values.length - 1]];
  picture.setAttribute("aria-label", `from ${first.toFixed(2)} to ${last.toFixed(2)} ${tag.unit}; lowest ${Math.min(...values).toFixed(2)}, highest ${Math.max(...values).toFixed(2)}`);
  picture.append(drawn("title", {}, picture.getAttribute("aria-label")));
  return picture;
}
