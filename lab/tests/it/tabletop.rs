//! `fieldrange tabletop`: what the decisions lead to, as physics has it, the score of a sheet, and the pages.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::command::{done, fieldrange};

/// The file of a day of ten minutes: the same attack as at the first shift, and one decision.
const SHORT: &str = r#"
version = 1
rooms = ["it", "ot"]
watch = ["AIT-202", "AIT-301"]
clock_from = "dose"

[[move]]
id = "alarm"
after = "dose"
delay = "40s"
minutes = 5
verdict = "attack"

[[move.inject]]
id = "screen"
to = ["ot"]
channel = "screen"

[[move.inject]]
id = "log"
to = ["it"]
channel = "screen"

[[move.handoff]]
id = "who"
from = "it"
to = "ot"
points = 1
window = "1min"

[[move.decision]]
id = "now"
by = ["ot"]
delay = "20s"

[[move.decision.option]]
id = "wait"
acts = []

[[move.decision.option]]
id = "rewrite"
acts = ["write NAOH.SP 100"]

[[move.decision.option]]
id = "worse"
acts = ["write NAOH.SP 60000"]

[[move.decision.option]]
id = "stop"
acts = ["write NAOH.MAN 0", "write NAOH.MODE 0"]

[[move]]
id = "after"
after = "dose"
delay = "2min"
minutes = 5

[[move.inject]]
id = "calm"
to = ["ot"]
channel = "screen"
when = { now = ["rewrite"] }

[[move.decision]]
id = "station"
by = ["it"]
delay = "10s"

[[move.decision.option]]
id = "wipe"
acts = []
destroys_evidence = true

[[move.decision.option]]
id = "keep"
acts = []

[[move.question]]
id = "q"
csf = ["RS.MI"]
iec = ["SR 2.8"]

[deck]
target = 8
practised_bonus = 2
practised = 1
turns = 3
stages = ["act"]

[[deck.attack]]
id = "dose-card"
stage = "act"
techniques = ["T0836"]
revealed_by = ["look"]

[[deck.procedure]]
id = "look"
room = "ot"

[[deck.event]]
id = "rain"
"#;

const TEXTS: &str = r#"
title = "Short & <sharp>"
aims = ["Aim"]
rules = ["Rule"]
hot_wash = ["What?"]
reveal = ["At {clock dose}."]
card_rules = ["Throw."]
room.it = { title = "IT room", brief = ["IT brief"] }
room.ot = { title = "OT room", brief = ["OT brief"] }
channel.screen = "Screen"
move.alarm = { title = "Alarm", scene = ["It is {clock alarm}."], notes = ["A note for one pair of eyes"] }
move.after = { title = "After", scene = ["Later."], notes = [] }
inject.screen = ["AIT-202 shows {value AIT-202 dose + 40s}, before it was {value AIT-202 dose - 30s}."]
inject.log = ["Only IT knows of the session."]
inject.calm = ["It falls again."]
handoff.who = { what = "Who it was", why = "Because" }
decision.now = { prompt = "Now?", option = { wait = "Wait", rewrite = "Rewrite", worse = "Worse", stop = "Stop" } }
decision.station = { prompt = "Station?", option = { wipe = "Wipe", keep = "Keep" } }
question.q = { ask = "Who?", listen_for = "A name" }
stage.act = "Act"
card.dose-card = { title = "Dose", text = "Much." }
card.look = { title = "Look", text = "There." }
card.rain = { title = "Rain", text = "Wet." }
"#;

/// The first shift with the short tabletop beside it.
fn short(scratch: &Path) -> String {
    let folder = scratch.join("shift");
    let of = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios/scenarios/first-shift");
    fs::create_dir_all(folder.join("texts")).expect("a folder");
    for name in ["scenario.toml", "texts/en.toml"] {
        fs::copy(of.join(name), folder.join(name)).expect("copied");
    }
    fs::write(folder.join("tabletop.toml"), SHORT).expect("written");
    fs::write(folder.join("texts/tabletop.en.toml"), TEXTS).expect("written");
    folder.display().to_string()
}

fn harm(consequence: &Value) -> f64 {
    consequence["harm"].as_f64().expect("a number")
}

/// Lowest and highest value of a tag.
fn extremes(consequence: &Value, tag: &str) -> (f64, f64) {
    let it = consequence["extremes"]
        .as_array()
        .expect("extremes")
        .iter()
        .find(|it| it["tag"] == tag)
        .expect("the tag");
    (it["low"].as_f64().expect("a number"), it["high"].as_f64().expect("a number"))
}

#[test]
fn decisions_differ_as_the_plant_does_and_a_sheet_is_scored() {
    let scratch = tempfile::tempdir().unwrap();
    let (folder, pages) = (short(scratch.path()), scratch.path().join("pages"));
    let pages_words = pages.to_str().unwrap();
    let sheet = scratch.path().join("sheet.toml");
    let good = "team = \"North\"\n[choice]\nnow = \"rewrite\"\nstation = \"keep\"\n[handoff]\nwho = \"alarm\"\n[verdict]\nalarm = \"attack\"\n[notes]\nalarm = \"<b>quick</b>\"\n";
    fs::write(&sheet, good).unwrap();
    let run = |sheet: &Path| -> Value {
        let words =
            ["tabletop", &folder, "--print", pages_words, "--json", "--played", sheet.to_str().unwrap()];
        serde_json::from_str(&done(words)).expect("JSON")
    };
    let told = run(&sheet);
    let worked = &told["worked"];
    let option = |name: &str| {
        let options = worked["options"].as_array().unwrap();
        options.iter().find(|it| it["option"] == name).unwrap()["consequence"].clone()
    };
    let [wait, rewrite, worse, stop] = ["wait", "rewrite", "worse", "stop"].map(option);
    assert_eq!(harm(&wait), harm(&worked["none"]), "to wait is to do nothing");
    assert_eq!(wait["as_nobody"], true);
    assert!(harm(&worked["clean"]) < harm(&rewrite), "a minute of it costs something");
    assert!(harm(&rewrite) < harm(&wait), "{rewrite} {wait}");
    assert!(harm(&worse) >= harm(&wait), "no pump gives more than it can");
    let raw = 6.15;
    assert!(extremes(&wait, "AIT-202").1 > 10.0 && extremes(&worked["clean"], "AIT-202").1 < 7.6);
    assert!(
        extremes(&stop, "AIT-202").0 < raw + 0.3,
        "without caustic soda the pH falls to that of raw water: {stop}"
    );
    assert!(extremes(&rewrite, "AIT-202").0 > 6.5, "{rewrite}");

    let outcome = &told["outcome"];
    assert_eq!(harm(&outcome["consequence"]), harm(&rewrite), "one decision alone");
    let points = |part: &str, of: &Value| of[part]["points"].as_f64();
    assert_eq!(points("report", outcome), Some(100.0), "{outcome}");
    assert!(points("process", outcome).is_none_or(|points| points > 0.0), "{outcome}");

    let page = |name: &str| fs::read_to_string(pages.join(name)).unwrap();
    let (it, ot, book) = (page("room-it.html"), page("room-ot.html"), page("facilitator.html"));
    assert!(
        it.contains("Only IT knows of the session") && !ot.contains("Only IT knows"),
        "evidence is split"
    );
    assert!(ot.contains("before it was 7.2") && !it.contains("before it was"), "{ot}");
    for hidden in ["It falls again", "one pair of eyes", "A name", "NAOH.SP 100"] {
        assert!(!it.contains(hidden) && !ot.contains(hidden), "{hidden:?} is for the facilitator alone");
    }
    assert!(page("slips.html").contains("It falls again"));
    for said in
        ["one pair of eyes", "write NAOH.SP 60000", "RS.MI Incident Mitigation", "SR 2.8 Auditable events"]
    {
        assert!(book.contains(said), "{said:?} is missing");
    }
    assert!(page("cards.html").contains("T0836 Modify Parameter"));
    assert!(page("after-action.html").contains("Improvement plan"));
    let report = page("report.html");
    assert!(
        report.contains("&lt;b&gt;quick&lt;/b&gt;") && report.contains("Short &amp; &lt;sharp&gt;"),
        "escaped"
    );
    for page in [&it, &ot, &book, &report] {
        assert!(page.contains("EXERCISE") && !page.contains("<script") && !page.contains("http:"));
    }

    // The same again, word for word; a sheet that is there stays as it is.
    fs::write(pages.join("sheet.toml"), "mine").unwrap();
    assert_eq!(run(&sheet)["worked"], *worked);
    assert_eq!((page("facilitator.html"), page("report.html")), (book, report));
    assert_eq!(page("sheet.toml"), "mine");

    // Late, wrong, and with the evidence wiped.
    let bad = "[choice]\nnow = \"rewrite\"\nstation = \"wipe\"\n[handoff]\nwho = \"after\"\n[verdict]\nalarm = \"fault\"\n";
    fs::write(&sheet, bad).unwrap();
    let worse = run(&sheet);
    let report = points("report", &worse["outcome"]).unwrap();
    // The hand-off came 80 s late with a window of 60 s: half of the points by 2^(-80/60), the other half lost.
    let expected = 50.0 * 2_f64.powf(-80.0 / 60.0);
    assert!((report - expected).abs() < 1.0, "{report} is not {expected}");
    assert!(
        points("process", &worse["outcome"]).is_none_or(|points| points <= 0.0),
        "changed with no right verdict"
    );
}

#[test]
fn what_cannot_be_played_is_told() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = short(scratch.path());
    let sheet = scratch.path().join("sheet.toml");
    fs::write(&sheet, "choice = { now = \"run\" }").unwrap();
    let out = scratch.path().join("out").display().to_string();
    let sheet = sheet.display().to_string();
    for (words, says) in [
        (vec!["tabletop", "aurora", "--print", &out], "has no tabletop"),
        (vec!["tabletop", "oldsmar", "--print", &out, "--language", "xx"], "no texts in"),
        (vec!["tabletop", "oldsmar", "--print", &out, "--blind"], "leave --blind out"),
        (vec!["tabletop", "oldsmar", "--print", &out, "--var", "cause=fault"], "does not happen"),
        (vec!["tabletop", &folder, "--print", &out, "--played", &sheet], "no option"),
        (vec!["tabletop", "oldsmar"], "--print"),
    ] {
        let output = fieldrange(&words);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{words:?}: {told}");
        assert!(told.contains(says), "{words:?}: {told}");
    }
}
