//! The report as one page: self-contained, printable, without a script.

use maud::{DOCTYPE, Markup, PreEscaped, html};
use quizzes::score::Outcome;
use quizzes::score::part::Part;
use record::{Confidence, EntityId, Role, VirtualTime, attack};

use super::timeline::{channel, verdict};
use super::{AlarmSpan, Called, FateOfPlant, Happened, Report, timeline_svg};

/// Rows of a table in the page; what comes after is counted.
const ROWS_MAX: usize = 400;

const STYLE: &str = include_str!("page.css");

/// A whole page around some content. Nothing is loaded from elsewhere, and nothing runs.
pub(super) fn document(title: &str, marking: &str, content: &Markup) -> String {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width";
                meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                p.marking { (marking) }
                main { (content) }
            }
        }
    }
    .into_string()
}

/// The report as one HTML file.
pub(crate) fn html(report: &Report) -> String {
    document(&format!("{}: {}", report.marking, report.title), &report.marking, &body(report))
}

/// What stands in it, for a page that has a frame of its own.
pub(crate) fn body(report: &Report) -> Markup {
    html! {
        h1 { "After-action report: " (report.title) }
        (facts(report))
        (figures(report))
        @if let Some(reason) = &report.ended_early { p.warn { "The run ended before its time: " (reason) } }
        @for limit in &report.points.own_limits { p.warn { "Crossed in this run, and not where nobody acts: " (limit) "." } }
        h2.page { "Timeline" }
        p.small { "Point at a mark to read what it stands for; the same is in the tables below. A attack, F fault, W authorised work, outlined where it was missed. Where it could be seen: M mirror port, L protocol log, H historian, S operator's screen, O a host's log." }
        div.timeline { (timeline_svg(report)) }
        h2.page { "What happened, and what was made of it" }
        (happened(report))
        (missed(report))
        @if report.detection.is_some() { h2 { "Calls" } (calls(report)) }
        h2 { "Actions" }
        (actions(report))
        @if report.points.total.is_some() || report.points.containment.is_some() { h2 { "Containment, report and the whole" } (accounts(report)) }
        section.keep {
            h2 { "The plant" }
            (plant(report))
        }
        h2 { "Alarms of this run" }
        (alarms(report))
        h2 { "How this was made" }
        p.small {
            "Detection is scored from the record's ground truth and the calls alone. The plant's curves are runs of the same seed: this run again with everything that came from outside, the same with nobody acting, and the same without the attack. Random draws are keyed, so that nothing differs but what people did. "
            "Anyone with the record and the calls gets this page again, word for word: " code { "fieldrange report RUN --calls FILE" } ", version " (report.version) "."
        }
    }
}

fn facts(report: &Report) -> Markup {
    let settings: Vec<String> =
        report.settings.iter().map(|(name, value)| format!("{name} = {value}")).collect();
    html! {
        dl.facts {
            dt { "Scenario" } dd { (report.scenario) @if let Some(seed) = report.seed { ", seed " (seed) } @if !settings.is_empty() { ", " (settings.join(", ")) } }
            dt { "Site" } dd { (report.site) }
            dt { "Time" } dd { (report.start) ", " (report.start.time_of_day(VirtualTime::ZERO)) " to " (report.start.time_of_day(report.end)) " (UTC, simulated)" }
            dt { "Version" } dd { "Fieldrange " (report.version) }
        }
    }
}

fn points(value: Option<f64>) -> String {
    value.map_or_else(|| "\u{2013}".to_owned(), |value| signless(value, 1))
}

/// A number with a minus as typographers write it; never a negative zero.
fn signless(value: f64, digits: usize) -> String {
    let text = format!("{value:.digits$}");
    let is_zero = text.trim_start_matches('-').chars().all(|c| matches!(c, '0' | '.'));
    if is_zero { text.trim_start_matches('-').to_owned() } else { text.replace('-', "\u{2212}") }
}

pub(crate) fn signed(value: f64) -> String {
    let text = signless(value, 1);
    if value > 0.0 && text.chars().any(|c| matches!(c, '1'..='9')) { format!("+{text}") } else { text }
}

/// Money with its thousands apart.
pub(crate) fn money(value: f64) -> String {
    let digits = signless(value.round(), 0);
    let (sign, digits) =
        digits.strip_prefix('\u{2212}').map_or(("", digits.as_str()), |rest| ("\u{2212}", rest));
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    format!("{sign}{text}")
}

fn figures(report: &Report) -> Markup {
    let metrics = report.detection.as_ref().map(|score| &score.metrics);
    html! {
        div.figures {
            div { "Detection (D)" b { (points(report.detection.as_ref().and_then(|score| score.detect))) } span.small { @if report.detection.is_some() { "of 100" } @else { "no calls were handed in" } } }
            @if let Some(metrics) = metrics {
                div { "Attack steps found" b { (metrics.found) " of " (metrics.attack_steps) } span.small { (metrics.claimed) " more claimed, " (metrics.false_calls) " false calls" } }
                @if let Some(mean) = metrics.mean_time_to_detect_s { div { "Mean time to detect" b { (format!("{mean:.0} s")) } span.small { "from when it could be seen" } } }
            }
            @if let Some(part) = &report.points.containment { div { "Containment (C)" b { (points(part.points)) } span.small { (first_reason(part)) } } }
            @if let Some(process) = &report.points.process { div { "The plant (P)" b { (points(process.points)) } span.small { (process.why) } } }
            @if let Some(part) = &report.points.recovery { div { "Report and recovery (R)" b { (points(part.points)) } span.small { @if part.points.is_none() { (first_reason(part)) } @else { "of 100" } } } }
            @if let Some(whole) = &report.points.total { div { "The whole (S)" b { (points(whole.points)) } span.small { "of 100" @if !report.points.own_limits.is_empty() { ", a safety limit was crossed" } } } }
            @for fate in &report.fates { div { "Harm, " (fate.name) b { (money(fate.harm)) } span.small { (fate.currency) } } }
        }
    }
}

fn first_reason(part: &Part) -> &str {
    part.lines.first().map_or("", |line| if part.points.is_some() { &line.what } else { &line.why })
}

/// Every line of C, R and the whole.
fn accounts(report: &Report) -> Markup {
    let of = &report.points;
    let parts = [
        ("Containment (C)", &of.containment),
        ("Report and recovery (R)", &of.recovery),
        ("The whole (S)", &of.total),
    ];
    html! {
        @for (name, part) in parts.into_iter().filter_map(|(name, part)| Some((name, part.as_ref()?))) {
            table {
                caption { (name) ": " (points(part.points)) }
                thead { tr { th.n scope="col" { "Points" } th scope="col" { "What" } th scope="col" { "Why" } } }
                tbody { @for line in &part.lines { tr { td.n { (signed(line.points)) } td { (line.what) } td { (line.why) } } } }
            }
        }
    }
}

fn mark(of: record::Verdict) -> Markup {
    let (letter, _, word) = verdict(of);
    let class = letter.to_lowercase();
    html! { span class=(format!("mark {class}")) title=(word) { (letter) } }
}

fn names(entities: &[EntityId]) -> String {
    entities.iter().map(EntityId::to_string).collect::<Vec<_>>().join(", ")
}

fn technique(id: &str) -> String {
    attack::technique(id).map_or_else(|| id.to_owned(), |technique| format!("{id} {}", technique.name))
}

fn seen(report: &Report, it: &Happened, role: Role) -> Markup {
    let mut channels: Vec<_> = it.step.observable.get(&role).into_iter().flatten().collect();
    channels.sort_by_key(|(_, t)| **t);
    html! {
        @if channels.is_empty() { "never" }
        @for (index, (by, t)) in channels.into_iter().enumerate() {
            @if index > 0 { br; }
            (report.start.time_of_day(*t)) " " span.small { (channel(*by).1) }
        }
    }
}

const fn outcome_word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Found => "found",
        Outcome::Claimed => "claimed",
        Outcome::Revised => "found, technique revised",
        Outcome::Consequence => "found by what it brought about",
        Outcome::Missed => "missed",
        Outcome::False => "false",
        Outcome::Neutral | Outcome::Base => "neither",
    }
}

fn happened(report: &Report) -> Markup {
    let scored = report.detection.is_some();
    html! {
        @if scored { p.small { "Times are times of day; those within a reason count from the start of the run." } }
        table {
            thead { tr { th scope="col" { "From" } th scope="col" { "" } th scope="col" { "What" } th scope="col" { "Analyst could see" } th scope="col" { "Operator could see" } @if scored { th scope="col" { "Call" } th.n scope="col" { "Points" } th scope="col" { "Why" } } } }
            tbody {
                @for it in report.happened.iter().take(ROWS_MAX) {
                    tr.missed[it.outcome == Some(Outcome::Missed)] {
                        th.t scope="row" { (report.start.time_of_day(it.step.start)) }
                        td { (mark(it.step.verdict)) }
                        td {
                            (it.step.summary) " " span.small { "[" (it.step.step) "]" }
                            @for id in &it.step.techniques { br; span.small { (technique(id)) } }
                            @if let Some(ticket) = &it.step.ticket { br; span.small { "ticket " (ticket) } }
                            @for consequence in &it.step.consequences { br; span.small { "\u{2192} " (report.start.time_of_day(consequence.time)) " " (consequence.name) " (" (consequence.point.name()) ")" } }
                        }
                        td { (seen(report, it, Role::Analyst)) }
                        td { (seen(report, it, Role::Operator)) }
                        @if scored {
                            td { @if let Some(outcome) = it.outcome { (outcome_word(outcome)) } @if let Some(call) = it.call { ", call " (call) } }
                            td.n { @if it.outcome.is_some() { (signed(it.points)) } }
                            td { (it.why) }
                        }
                    }
                }
            }
        }
        (more(report.happened.len()))
        @if let Some(score) = &report.detection {
            @for line in score.lines.iter().filter(|line| line.subject == quizzes::score::Subject::Total) { p { (signed(line.points)) ": " (line.what) " (" (line.why) ")" } }
        }
    }
}

fn more(count: usize) -> Markup {
    html! { @if count > ROWS_MAX { p.small { "And " (count - ROWS_MAX) " more, which `--json` has." } } }
}

fn missed(report: &Report) -> Markup {
    let missed: Vec<&Happened> =
        report.happened.iter().filter(|it| it.outcome == Some(Outcome::Missed)).collect();
    html! {
        @if !missed.is_empty() {
            h2 { "What was missed, and how it could have been seen" }
            dl {
                @for it in missed {
                    dt { (mark(it.step.verdict)) " " strong { (it.step.summary) } " " span.small { "[" (it.step.step) ", from " (report.start.time_of_day(it.step.start)) "]" } }
                    dd {
                        @if let Some(reveal) = &it.reveal { p { (reveal) } }
                        p.small {
                            "On " (names(&it.step.entities())) "."
                            @match &it.step.frames[..] {
                                [] => {},
                                [one] => { " Frame " (one) " of span.pcapng." },
                                [first, .., last] => { " " (it.step.frames.len()) " frames of span.pcapng, " (first) " to " (last) "." },
                            }
                        }
                    }
                }
            }
        }
    }
}

const fn confidence(of: Confidence) -> &'static str {
    match of {
        Confidence::Low => "low",
        Confidence::Mid => "mid",
        Confidence::High => "high",
    }
}

fn calls(report: &Report) -> Markup {
    let row = |it: &Called| {
        let call = &it.call;
        let clock = |t| report.start.time_of_day(t);
        html! {
            tr.missed[it.is_false] {
                th.n scope="row" { (call.id) }
                td.t { (clock(call.t)) br; span.small { "on " (clock(call.interval[0])) " to " (clock(call.interval[1])) } }
                td { (mark(call.verdict)) " " (confidence(call.confidence)) " confidence" @if let Some(id) = &call.technique { br; span.small { (technique(id)) } } @if let Some(case) = &call.case { br; span.small { "case " (case) } } }
                td { (names(&call.entities)) }
                td { @if it.is_false { "false call" } @else if it.steps.is_empty() { "no step of its own" } @else { (it.steps.join(", ")) } }
                td.n { (signed(it.points)) }
                td { (it.what) br; span.small { (it.why) } }
            }
        }
    };
    html! {
        @if report.calls.is_empty() { p { "None was handed in." } } @else {
            table {
                thead { tr { th.n scope="col" { "No." } th scope="col" { "Handed in" } th scope="col" { "Verdict" } th scope="col" { "On" } th scope="col" { "Matched" } th.n scope="col" { "Points" } th scope="col" { "Why" } } }
                tbody { @for it in report.calls.iter().take(ROWS_MAX) { (row(it)) } }
            }
            (more(report.calls.len()))
        }
    }
}

fn actions(report: &Report) -> Markup {
    html! {
        @if report.actions.is_empty() { p { "Nobody acted." } } @else {
            table {
                thead { tr { th.n scope="col" { "No." } th scope="col" { "When" } th scope="col" { "From" } th scope="col" { "What" } th scope="col" { "Came to" } } }
                tbody {
                    @for it in report.actions.iter().take(ROWS_MAX) {
                        tr { th.n scope="row" { (it.number) } td.t { (report.start.time_of_day(it.t)) } td { (it.source) } td { code { (it.command) } } td { @match &it.refused { Some(reason) => { "refused: " (reason) }, None => "done" } } }
                    }
                }
            }
            (more(report.actions.len()))
        }
    }
}

fn plant(report: &Report) -> Markup {
    let Some(first) = report.fates.first() else { return html! {} };
    let lost =
        |index: usize| report.fates.iter().any(|fate| fate.causes.get(index).is_some_and(|it| it.1 >= 0.5));
    let crossed = |index: usize| {
        report.fates.iter().any(|fate| fate.limits.get(index).is_some_and(|it| it.2.is_some()))
    };
    let head = html! { @for fate in &report.fates { th.n scope="col" { (fate.name) } } };
    let when = |fate: &FateOfPlant, index: usize| {
        let first = fate.limits.get(index).and_then(|limit| limit.2);
        first.map_or_else(|| "never".to_owned(), |t| report.start.time_of_day(t))
    };
    html! {
        table {
            caption { "Harm by cause, " (first.currency) ", by the prices of the plant file" }
            thead { tr { th scope="col" { "Cause" } (head) } }
            tbody {
                @for (index, cause) in first.causes.iter().enumerate().filter(|(index, _)| lost(*index)) {
                    tr { th scope="row" { (cause.0) } @for fate in &report.fates { td.n { (fate.causes.get(index).map_or_else(String::new, |it| money(it.1))) } } }
                }
                tr { th scope="row" { "all" } @for fate in &report.fates { td.n { strong { (money(fate.harm)) } } } }
            }
        }
        @if (0..first.limits.len()).any(crossed) {
            table {
                caption { "Limits, and when each was first crossed" }
                thead { tr { th scope="col" { "Limit" } (head) } }
                tbody {
                    @for (index, limit) in first.limits.iter().enumerate().filter(|(index, _)| crossed(*index)) {
                        tr { th scope="row" { (limit.1) } @for fate in &report.fates { td.n { (when(fate, index)) } } }
                    }
                }
            }
        } @else { p { "No limit was crossed in any of them." } }
        @if report.left_out > 0 { p.small { "The what-if leaves out " (report.left_out) " inputs of real clients: they were meant for the run as it was." } }
    }
}

fn alarms(report: &Report) -> Markup {
    let row = |it: &AlarmSpan| {
        html! {
            tr {
                td { span class=(format!("mark p{}", it.priority.min(3))) { (it.priority) } }
                th.t scope="row" { (report.start.time_of_day(it.raised)) }
                td.t { @match it.cleared { Some(t) => (report.start.time_of_day(t)), None => "still up" } }
                td { (it.tag) } td { (it.message) }
                td { @if it.without_attack { "yes" } @else { "no" } }
            }
        }
    };
    html! {
        @if report.alarms.is_empty() { p { "None." } } @else {
            table {
                thead { tr { th scope="col" { "P" } th scope="col" { "Up" } th scope="col" { "Gone" } th scope="col" { "Tag" } th scope="col" { "What" } th scope="col" { "Without the attack too" } } }
                tbody { @for it in report.alarms.iter().take(ROWS_MAX) { (row(it)) } }
            }
            (more(report.alarms.len()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_people_write_them() {
        assert_eq!(
            [0.4, 999.6, 1_234_567.0, -2500.0].map(money),
            ["0", "1,000", "1,234,567", "\u{2212}2,500"]
        );
        assert_eq!([0.0, -0.01, 12.34, -3.0].map(signed), ["0.0", "0.0", "+12.3", "\u{2212}3.0"]);
    }

    #[test]
    fn a_page_escapes_what_people_wrote() {
        let page = document("<script>", "EXERCISE", &html! { p { "<b>&" } });
        assert!(
            page.contains("&lt;b&gt;&amp;") && page.contains("&lt;script&gt;") && !page.contains("<script")
        );
    }
}
