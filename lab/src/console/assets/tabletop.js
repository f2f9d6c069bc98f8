// Shows the page anew when somebody has done something, unless a text is being written here.
const body = document.querySelector("[data-lines]");
const says = document.getElementById("says");
let writing = false;
document.addEventListener("input", () => { writing = true; });

async function look() {
  try {
    const answer = await fetch(body.dataset.lines, { headers: { accept: "application/json" } });
    const now = await answer.json();
    if (String(now.lines) !== body.dataset.seen) {
      if (!writing) { location.reload(); return; }
      says.textContent = "There is something new: send or discard what you are writing, and load the page again.";
    }
  } catch { /* the console is away for a moment */ }
}

if (body) { setInterval(look, 2000); }
