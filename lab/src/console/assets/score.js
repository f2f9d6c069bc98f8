// While the run goes on: what was handed in. When its record is sealed the page becomes the score.

import { ask, base, connect, element, onState } from "./live.js";

const handedIn = document.getElementById("handed-in");

async function showHandedIn() {
  const calls = await ask(`${base}/calls`).catch(() => []);
  handedIn.replaceChildren(element("h2", {}, `${calls.length} calls handed in`), element("ul", {}, ...calls.map((call) => element("li", {}, `${call.clock} ${call.verdict}: ${call.entities.join(", ")} (${call.confidence})`))));
}

if (handedIn) {
  showHandedIn();
  setInterval(showHandedIn, 5000);
}
onState((state) => { if (handedIn && ["sealed", "failed"].includes(state.phase)) location.reload(); });
connect();
