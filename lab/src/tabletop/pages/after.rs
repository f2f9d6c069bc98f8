//! After the exercise: the form that is filled in by hand, the sheet for the program, and the report that it makes of one.

use std::fmt::Write as _;

use maud::{Markup, html};
use quizzes::score::part::Part;
use scenarios::tabletop::Sheet;

use super::Book;
use super::room::lines;
use crate::report::signed;
use crate::tabletop::Outcome;

/// Rows of an empty improvement plan.
const IMPROVEMENTS: usize = 5;

pub(super) fn form(book: &Book<'_>) -> String {
    let (texts, words) = (book.texts(), book.words());
    let content = html! {
        h1 { (words.after_action) }
        p.sub { (texts.title) }
        p.boxes { (words.team) ": " span.fill {} (words.date) ": " span.fill {} }
        h2 { (words.aims) }
        ul { @for aim in &texts.aims { li { (aim) div.line {} } } }
        h2 { (words.hot_wash) }
        @for ask in &texts.hot_wash { div.keep { p.ask { (ask) } div.line {} div.line {} } }
        section.page {
            (lines(&words.went_well))
            (lines(&words.went_badly))
            (improvement_plan(book))
        }
        section.page { (record(book)) }
    };
    book.document(&words.after_action, &content)
}

fn improvement_plan(book: &Book<'_>) -> Markup {
    let words = book.words();
    html! {
        h2 { (words.improvement_plan) }
        table.plan {
            thead { tr { th scope="col" { (words.improvement) } th scope="col" { (words.belongs_to) } th scope="col" { (words.owner) } th scope="col" { (words.until) } th scope="col" { (words.proof) } } }
            tbody { @for _ in 0..IMPROVEMENTS { tr { td {} td {} td {} td {} td {} } } }
        }
    }
}

/// Where the facilitator writes down what the sheet will want.
fn record(book: &Book<'_>) -> Markup {
    let (texts, words, tabletop) = (book.texts(), book.words(), &book.table.tabletop);
    html! {
        h2 { (words.score) }
        p.small { (words.scoring) }
        table {
            thead { tr { th scope="col" { (words.decision) } th scope="col" { (words.option) } } }
            tbody { @for (_, it) in tabletop.decisions() { @if let Some(text) = texts.decision.get(it.id.get_ref()) {
                tr { td { (text.prompt) } td.boxes { @for (letter, _) in ('A'..='Z').zip(&it.options) { span.box {} (letter) " " } } }
            } } }
        }
        table {
            thead { tr { th scope="col" { (words.handoff) } th scope="col" { (words.due) } th scope="col" { (words.made_in) } } }
            tbody { @for (due, it) in tabletop.handoffs() { @if let Some(text) = texts.handoff.get(it.id.get_ref()) {
                tr { td { (text.what) } td { (due + 1) } td.blank {} }
            } } }
        }
        table {
            thead { tr { th scope="col" { } th scope="col" { (words.write_verdict) } } }
            tbody { @for it in tabletop.file().moves.iter().filter(|it| it.verdict.is_some()) { @if let Some(text) = texts.moves.get(it.id.get_ref()) {
                tr { td { (text.title) } td.boxes { @for word in [&words.attack, &words.fault, &words.authorised] { span.box {} (word) " " } } }
            } } }
        }
    }
}

/// An empty sheet, with what can be written into it.
pub(super) fn sheet(book: &Book<'_>) -> String {
    let (tabletop, texts) = (&book.table.tabletop, book.texts());
    let mut text = String::from("team = \"\"\n\n[choice]\n");
    // Writing to a String cannot fail.
    for (_, decision) in tabletop.decisions() {
        let id = decision.id.get_ref();
        let said = texts.decision.get(id);
        let _ = writeln!(text, "# {}", said.map_or("", |said| &said.prompt));
        for (letter, option) in ('A'..='Z').zip(&decision.options) {
            let words = said.and_then(|said| said.option.get(option.id.get_ref()));
            let _ = writeln!(
                text,
                "#   {letter}. {} = {}",
                option.id.get_ref(),
                words.map_or("", String::as_str)
            );
        }
        let _ = writeln!(text, "# {id} = \"\"");
    }
    let moves: Vec<&str> = tabletop.file().moves.iter().map(|it| it.id.get_ref().as_str()).collect();
    let _ = writeln!(text, "\n# The move in which each was made: {}\n[handoff]", moves.join(", "));
    for (due, handoff) in tabletop.handoffs() {
        let due = moves.get(due).copied().unwrap_or_default();
        let _ = writeln!(text, "# {} = \"{due}\"", handoff.id.get_ref());
    }
    text.push_str("\n# attack, fault or authorised\n[verdict]\n");
    for it in tabletop.file().moves.iter().filter(|it| it.verdict.is_some()) {
        let _ = writeln!(text, "# {} = \"\"", it.id.get_ref());
    }
    text.push_str("\n[notes]\n");
    text
}

/// The after-action report of a sheet.
pub(crate) fn report(book: &Book<'_>, sheet: &Sheet, outcome: &Outcome) -> String {
    let (texts, words) = (book.texts(), book.words());
    let plan = &book.table.ordered.order.plan;
    let points =
        |part: Option<f64>| part.map_or_else(|| "\u{2013}".to_owned(), |points| format!("{points:.1}"));
    let process = Part {
        points: outcome.process.points,
        lines: vec![quizzes::score::part::PartLine {
            points: outcome.process.points.unwrap_or_default(),
            what: words.part_p.clone(),
            why: outcome.process.why.clone(),
        }],
    };
    let place = |id: &str| book.table.tabletop.file().moves.iter().position(|it| it.id.get_ref() == id);
    let mut notes: Vec<(&String, &String)> = sheet.notes.iter().collect();
    notes.sort_by_key(|(about, _)| place(about).unwrap_or(usize::MAX));
    let content = html! {
        h1 { (words.after_action_report) ": " (texts.title) }
        p.sub { @if !sheet.team.is_empty() { (words.team) " " (sheet.team) " \u{b7} " } (plan.scenario) ", " (words.seed.replace("{}", &plan.seed.to_string())) }
        div.figures {
            div { (words.whole) b { (points(outcome.total.points)) } }
            div { (words.part_p) b { (points(outcome.process.points)) } }
            div { (words.part_r) b { (points(outcome.report.points)) } }
        }
        h2 { (words.decided) }
        table.options {
            thead { tr { th scope="col" { } (book.consequence_head()) } }
            tbody {
                tr { th scope="row" { (words.team) " " (sheet.team) } (book.consequence(&outcome.consequence)) }
                tr { th scope="row" { (words.nobody_acts) } (book.consequence(&book.worked.none)) }
                tr { th scope="row" { (words.no_attack) } (book.consequence(&book.worked.clean)) }
            }
        }
        (decisions(book, sheet))
        h2 { (words.handoffs) }
        (handoffs(book, sheet, outcome))
        h2 { (words.right_verdict) }
        table { tbody { @for it in book.table.tabletop.file().moves.iter() { @if let (Some(right), Some(text)) = (it.verdict, texts.moves.get(it.id.get_ref())) {
            @let given = sheet.verdict.get(it.id.get_ref());
            tr.missed[given != Some(&right)] { th scope="row" { (text.title) } td { (given.map_or("\u{2013}", |given| book.verdict(*given))) } td { (words.right_verdict) ": " (book.verdict(right)) } }
        } } } }
        section.page {
            h2 { (words.why) }
            @for part in [&process, &outcome.report, &outcome.total] {
                table { tbody { @for line in &part.lines { tr { td.n { (signed(line.points)) } td { (line.what) br; span.small { (line.why) } } } } } }
            }
            p.small { (words.how_computed) }
            @if !sheet.notes.is_empty() {
                h2 { (words.notes) }
                dl { @for (about, note) in notes { dt { (texts.moves.get(about).map_or(about.as_str(), |text| &text.title)) } dd { (note) } } }
            }
        }
        section.page {
            h2 { (words.reveal) }
            (book.paragraphs(&texts.reveal))
            h2 { (words.hot_wash) }
            ol { @for ask in &texts.hot_wash { li { (ask) div.line {} } } }
            (improvement_plan(book))
        }
    };
    book.document(&words.after_action_report, &content)
}

fn decisions(book: &Book<'_>, sheet: &Sheet) -> Markup {
    let (texts, words) = (book.texts(), book.words());
    html! {
        table {
            thead { tr { th scope="col" { (words.decision) } th scope="col" { (words.option) } th scope="col" { (words.carried_out) } } }
            tbody { @for (_, it) in book.table.tabletop.decisions() { @if let Some(text) = texts.decision.get(it.id.get_ref()) {
                @let chosen = sheet.choice.get(it.id.get_ref());
                tr {
                    th scope="row" { (text.prompt) }
                    td { (chosen.and_then(|chosen| text.option.get(chosen)).map_or("\u{2013}", String::as_str)) }
                    td.t { (book.table.schedule.decisions.get(it.id.get_ref()).map(|t| book.table.clock(*t)).unwrap_or_default()) }
                }
            } } }
        }
    }
}

fn handoffs(book: &Book<'_>, sheet: &Sheet, outcome: &Outcome) -> Markup {
    let (texts, words) = (book.texts(), book.words());
    let moves = &book.table.tabletop.file().moves;
    let number = |id: &String| moves.iter().position(|it| it.id.get_ref() == id).map(|place| place + 1);
    html! {
        table {
            thead { tr { th scope="col" { (words.handoff) } th.n scope="col" { (words.due) } th.n scope="col" { (words.made_in) } th.n scope="col" { (words.points) } } }
            tbody { @for ((due, it), (id, earned, most)) in book.table.tabletop.handoffs().zip(&outcome.handoffs) {
                @let made = sheet.handoff.get(id).and_then(number);
                tr.missed[made.is_none()] {
                    th scope="row" { (book.room(it.from.get_ref())) ": " (texts.handoff.get(id).map_or(id.as_str(), |text| &text.what)) }
                    td.n { (due + 1) } td.n { (made.map_or_else(|| "\u{2013}".to_owned(), |made| made.to_string())) } td.n { (format!("{earned:.1}")) " / " (most) }
                }
            } }
        }
    }
}
