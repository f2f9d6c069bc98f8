"""Plays exercises in the console through a real browser, and looks for what a browser complains about.

usage: console.py FIELDRANGE SCREENSHOTS
Two exercises are played to their debrief: first-shift (the operator takes the setpoint back, the analyst calls it, the
score explains it) and blind oldsmar. Then the facilitator's page, a tabletop played by three rooms to its report, keys alone,
every page's contrast (axe-core), the console's log and the origins that were asked.
"""

import json
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Error, expect, sync_playwright

fieldrange, shots = sys.argv[1], Path(sys.argv[2])
shots.mkdir(parents=True, exist_ok=True)
complaints: list[str] = []
started: list[subprocess.Popen] = []


class Console:
    """The program with a console on a free port."""

    def __init__(self, *arguments: str):
        self.data = tempfile.mkdtemp(prefix="console-")
        self.program = subprocess.Popen(
            [fieldrange, "--port", "0", "--data", self.data, *arguments], stdout=subprocess.PIPE, text=True, bufsize=1
        )
        started.append(self.program)
        self.links, self.address = {}, ""
        for line in self.program.stdout:
            if found := re.search(r"console on (\S+)", line):
                self.address = found[1]
            if found := re.match(r"(play|facilitate)\s+(\S+)", line):
                self.links[found[1]] = found[2]
            if line.startswith("Each link"):
                return
        raise SystemExit("the console did not come up")

    def end(self, *pages) -> str:
        # Closed first: a page whose stream ends with the program would complain.
        for page in pages:
            page.context.close()
        started.remove(self.program)
        self.program.send_signal(signal.SIGINT)
        said = self.program.communicate(timeout=120)[0]
        assert self.program.returncode == 0, self.program.returncode
        return said


def sit(browser, link: str):
    """Takes a seat in a browser of its own, by keyboard alone."""
    context = browser.new_context(viewport={"width": 1400, "height": 1000}, reduced_motion="reduce")
    page = context.new_page()
    origin = link.split("/enter/")[0]
    page.on("console", lambda said: complaints.append(f"console: {said.text}") if said.type in ("error", "warning") and "status of" not in said.text else None)
    page.on("pageerror", lambda error: complaints.append(f"error in a script: {error}"))
    page.on("request", lambda asked: complaints.append(f"another origin: {asked.url}") if not asked.url.startswith((origin, "data:")) else None)
    page.goto(link)
    expect(page.get_by_role("button", name="Take this seat")).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/(team/\d+/\w+|facilitator|)$"))
    return page


def look(page, name: str):
    """A picture, and what axe-core says about contrast and names."""
    page.screenshot(path=shots / f"{name}.png", full_page=True)
    wrong = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa"]}).response["violations"]
    for rule in wrong:
        targets = [" ".join(map(str, node["target"])) for node in rule["nodes"]][:4]
        complaints.append(f"{name}: {rule['id']}: {rule['help']}: {targets}")


def to(page, tab: str):
    page.get_by_role("link", name=tab, exact=True).first.click()
    page.wait_for_url(re.compile(tab.lower()))


def step(page, seconds: int):
    team = re.search(r"/team/(\d+)/", page.url)[1]
    page.evaluate("([team, seconds]) => fetch(`/team/${team}/time`, {method: 'POST', headers: {'content-type': 'application/json'}, body: JSON.stringify({step: seconds})}).then((answer) => { if (!answer.ok) throw new Error(answer.status); })", [team, seconds])


def make_call(page, verdict: str, entities: str, first: str, last: str, technique: str, evidence: str = ""):
    form = page.locator("#call")
    form.locator(f"[value={verdict}]").check()
    for name, value in [("entities", entities), ("from", first), ("to", last), ("technique", technique), ("evidence", evidence)]:
        form.locator(f"[name={name}]").fill(value)
    form.locator("[name=confidence][value=high]").check()
    form.get_by_role("button", name="Hand in").click()
    expect(page.locator("#call-says")).to_contain_text("is in")


def end_and_debrief(page):
    page.on("dialog", lambda dialog: dialog.accept())
    page.locator("#end").click()
    to(page, "Score")
    page.wait_for_selector(".report .timeline svg", timeout=300_000)


def first_shift(browser):
    began = time.monotonic()
    console = Console("--seed", "1")
    page = sit(browser, console.links["play"])
    expect(page.locator("[data-value='AIT-202']").first).to_have_text(re.compile(r"\d"))
    print(f"first live value {time.monotonic() - began:.2f} s after the start of the program, browser included")
    look(page, "plant")
    # The intruder looks, then writes; the pH behind the mixer answers within minutes.
    page.locator("#speed").select_option("30")
    expect(page.locator("[data-alarm='PH.HIGH']")).to_be_visible(timeout=60_000)
    page.locator("#speed").select_option("1")
    look(page, "plant-alarm")
    page.locator("[data-alarm='PH.HIGH'] button[aria-label^=Acknowledge]").click()
    expect(page.locator("[data-alarm='PH.HIGH']")).to_have_attribute("data-state", "acknowledged")
    # The analyst looks for who wrote.
    to(page, "Analyst")
    page.locator("#filter").fill('func == "WRITE_SINGLE_REGISTER"')
    page.get_by_role("button", name="Show").click()
    row = page.locator("#rows tbody tr", has_text="192.168.1.77").last
    expect(row).to_be_visible()
    row.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#frame")).to_contain_text("writes to PLC-1")
    look(page, "analyst")
    form = page.locator("#call")
    assert "192.168.1.77" in form.locator("[name=entities]").input_value()
    first, last = form.locator("[name=from]").input_value(), form.locator("[name=to]").input_value()
    evidence = form.locator("[name=evidence]").input_value()
    make_call(page, "attack", "192.168.1.77, PLC-1, NAOH.SP", first, last, "T0836", evidence)
    # The operator takes the setpoint back, by keyboard.
    to(page, "Plant")
    page.locator("[data-open='NAOH.SP']").first.evaluate("(button) => { button.closest('details').open = true; button.focus(); }")
    page.keyboard.press("Enter")
    faceplate = page.locator("#faceplate")
    expect(faceplate).to_be_visible()
    entry = faceplate.get_by_label("New value of NAOH.SP")
    entry.focus()
    entry.fill("100")
    page.keyboard.press("Enter")
    expect(faceplate.get_by_role("button", name=re.compile("Yes: .* to 100"))).to_be_visible()
    look(page, "faceplate")
    page.keyboard.press("Enter")
    expect(faceplate.locator(".says")).to_contain_text("writes 100 to NAOH.SP")
    expect(faceplate.locator("[data-value='NAOH.SP']")).to_have_text("100.0")
    page.keyboard.press("Escape")
    expect(faceplate).not_to_be_visible()
    to(page, "Network")
    page.wait_for_selector("#zones svg")
    look(page, "network")
    step(page, 1200)
    end_and_debrief(page)
    look(page, "score")
    text = page.locator("main").inner_text()
    found = float(re.search(r"Detection \(D\)\s+([\d.]+)\s+of 100", text)[1])
    print(f"first-shift: {found} of 100")
    page.locator("[name=what_if]").fill("earlier 30")
    page.get_by_role("button", name="Run it").click()
    page.wait_for_selector("text=every action 30 s earlier", timeout=120_000)
    look(page, "what-if")
    assert found > 20 and "T0836" in text, text
    said = console.end(page)
    record = Path(re.search(r"(\S+): the record of Team 1", said)[1])
    assert subprocess.run([fieldrange, "verify", record]).returncode == 0
    assert subprocess.run([fieldrange, "replay", record]).returncode == 0
    print("first-shift: the record verifies, and replays bit for bit")


def oldsmar(browser):
    console = Console("--scenario", "oldsmar", "--blind", "--seed", "3", "--speed", "10")
    page = sit(browser, console.links["play"])
    page.wait_for_selector("[data-value='NAOH.SP']", state="attached")
    step(page, 6 * 3600 + 600)
    # Blind: whatever moved last at the setpoint, the operator takes it back, and the analyst says what it was.
    expect(page.locator("#clock")).to_have_text(re.compile("13:[45]|14:"), timeout=120_000)
    page.locator("#pause").click()
    expect(page.locator("#phase")).to_have_text("PAUSED")
    to(page, "Analyst")
    page.locator("#filter").fill('func matches "WRITE"')
    page.get_by_role("button", name="Show").click()
    page.wait_for_timeout(500)
    look(page, "oldsmar-analyst")
    clock = page.locator("#clock").inner_text()
    first = f"{int(clock[:2]):02}:{max(0, int(clock[3:5]) - 12):02}:00"
    make_call(page, "fault", "PLC-1", first, clock[:8], "")
    to(page, "Plant")
    expect(page.locator("#pause")).to_have_text("Go on")
    page.locator("#pause").click()
    expect(page.locator("#pause")).to_have_text("Pause")
    page.locator("[data-open='NAOH.SP']").first.evaluate("(button) => { button.closest('details').open = true; button.focus(); }")
    page.keyboard.press("Enter")
    entry = page.locator("#faceplate").get_by_label("New value of NAOH.SP")
    entry.fill("100")
    entry.press("Enter")
    entry.press("Enter")
    expect(page.locator("#faceplate .says")).to_contain_text("writes 100")
    page.keyboard.press("Escape")
    end_and_debrief(page)
    look(page, "oldsmar-score")
    print("oldsmar, blind: played to its debrief")
    console.end(page)


def facilitator(browser):
    console = Console("--empty")
    page = sit(browser, console.links["facilitate"])
    for team in ["North", "South"]:
        page.locator("#add-team [name=name]").fill(team)
        page.locator("#add-team button").click()
        expect(page.locator("#says")).to_contain_text(team)
    page.locator("#add-seat [name=name]").fill("A. Analyst")
    page.locator("#add-seat [name=role]").select_option("analyst")
    page.locator("#seat-team").select_option(label="North")
    page.locator("#add-seat button").click()
    link = page.locator("#new-link code").inner_text()
    page.locator("#start [name=shows]").select_option("findings")
    page.locator("#start button[type=submit]").click()
    expect(page.locator("#says")).to_contain_text("started for 2 teams", timeout=20_000)
    analyst = sit(browser, link)
    # Another seat in a browser that holds one already: the form of the link has to count as the console's own.
    page.locator("#add-seat [name=name]").fill("O. Observer")
    page.locator("#add-seat [name=role]").select_option("observer")
    page.locator("#add-seat button").click()
    expect(page.locator("#new-link code")).not_to_have_text(link)
    second = browser.new_context()
    visitor = second.new_page()
    visitor.context.add_cookies([{"name": "other", "value": "1", "url": link}])
    visitor.goto(page.locator("#new-link code").inner_text())
    visitor.get_by_role("button", name="Take this seat").click()
    visitor.wait_for_url(re.compile(r"/plant$"))
    second.close()
    page.locator("#say [name=text]").fill("The plant manager is on the phone.")
    page.locator("#say [name=kind]").select_option("inject")
    page.locator("#say button[type=submit]").click()
    expect(analyst.locator("#messages")).to_contain_text("plant manager", timeout=10_000)
    page.locator("#pause-all").click()
    expect(analyst.locator("#phase")).to_have_text("PAUSED", timeout=10_000)
    blank = analyst.evaluate("fetch(location.pathname.replace('analyst', 'logs')).then((answer) => answer.status)")
    assert blank == 423, blank
    page.locator("#resume-all").click()
    page.locator("#stop").click()
    expect(analyst.locator("#messages .stop")).to_contain_text("REAL EVENT", timeout=10_000)
    look(analyst, "stopped")
    page.wait_for_timeout(1500)
    look(page, "facilitator")
    page.get_by_role("link", name="Scoreboard").click()
    look(page, "scoreboard")
    console.end(page, analyst)
    print("facilitator: two teams, a seat, an inject, a pause that blanks evidence, a stop")


def again(page):
    """Loads a page anew; its own script may be doing so at this moment."""
    try:
        page.goto(page.url)
    except Error:
        page.wait_for_load_state()


def tabletop(browser):
    """Facilitator, IT room, OT room and management: every move, decision and hand-off, and the after-action report."""
    console = Console("--empty")
    lead = sit(browser, console.links["facilitate"])
    lead.locator("#add-team [name=name]").fill("North")
    lead.locator("#add-team button").click()
    expect(lead.locator("#says")).to_contain_text("North")
    rooms, link = {}, ""
    for role in ["analyst", "operator", "observer"]:
        lead.locator("#add-seat [name=name]").fill(f"The {role}")
        lead.locator("#add-seat [name=role]").select_option(role)
        lead.locator("#seat-team").select_option(label="North")
        lead.locator("#add-seat button").click()
        expect(lead.locator("#new-link code")).not_to_have_text(link)
        link = lead.locator("#new-link code").inner_text()
        rooms[role] = sit(browser, link)
    lead.get_by_role("link", name="Lead a tabletop").click()
    lead.locator("[name=value][type=number]").fill("3")
    lead.get_by_role("button", name="Begin anew").click()
    expect(lead.get_by_role("button", name="Next move")).to_be_enabled(timeout=300_000)
    for page in rooms.values():
        # Who waits for a lab is led to the table.
        page.goto(f"{console.address}/")
        page.wait_for_url(re.compile(r"/team/\d+/tabletop$"))
    team = re.search(r"/team/(\d+)/", rooms["analyst"].url)[1]
    seen = {role: "" for role in rooms}
    chosen = heard = 0
    while lead.get_by_role("button", name="Next move").is_enabled():
        lead.get_by_role("button", name="Next move").click()
        for role, page in rooms.items():
            again(page)
            seen[role] += page.locator("main section").first.inner_text()
            for subject in page.locator("input[name=kind][value=choice] + input").evaluate_all("all => all.map((one) => one.value)"):
                options = page.locator(f"form:has(input[value='{subject}']) button:enabled")
                if options.count():
                    options.nth(1).click()
                    chosen += 1
            verdict = page.locator("button[name=value][value=attack]:enabled")
            if verdict.count():
                verdict.first.click()
        rooms["analyst"].get_by_label("Note for the report").fill("We looked at the firewall's log first.")
        rooms["analyst"].get_by_role("button", name="Keep").click()
        again(lead)
        for name in ["Hear", "Show the rooms what comes of it"]:
            while lead.get_by_role("button", name=name, exact=True).and_(lead.locator(":enabled")).count():
                lead.get_by_role("button", name=name, exact=True).and_(lead.locator(":enabled")).first.click()
                heard += name == "Hear"
    for role, page in rooms.items():
        again(page)
        look(page, f"tabletop-{role}")
    look(lead, "tabletop-facilitator")
    assert chosen >= 5 and heard >= 8, (chosen, heard)
    # What one room knows the other does not.
    assert seen["analyst"] != seen["operator"] and len(set(seen.values())) == 3
    refused = rooms["analyst"].evaluate(f"fetch('/team/{team}/tabletop/report.html').then((answer) => answer.status)")
    assert refused == 409, refused
    lead.get_by_role("button", name="End and score").click()
    lead.goto(f"{console.address}/team/{team}/tabletop/report.html")
    look(lead, "tabletop-report")
    report = lead.locator("body").inner_text()
    assert "Nobody acts" in report and "Report and hand-offs (R)" in report and "We looked at the firewall" in report, report[:400]
    print(f"tabletop: oldsmar with seed 3, {chosen} decisions, {heard} hand-offs, report")
    console.end(lead, *rooms.values())


try:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"])
        first_shift(browser)
        facilitator(browser)
        tabletop(browser)
        oldsmar(browser)
        browser.close()
finally:
    for program in started:
        program.kill()
for complaint in complaints:
    print(complaint)
print(json.dumps({"complaints": len(complaints)}))
sys.exit(1 if complaints else 0)
