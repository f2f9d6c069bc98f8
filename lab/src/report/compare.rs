//! Several runs of one scenario side by side: what teams, or one team on several days, made of the same attack.

use maud::{Markup, html};
use record::VirtualTime;

use super::page::document;
use super::{Called, Report, timeline_svg};

fn earliest(report: &Report, fits: impl Fn(&&Called) -> bool) -> Option<VirtualTime> {
    report.calls.iter().filter(fits).map(|it| it.call.t).min()
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(|| "\u{2013}".to_owned(), |value| format!("{value:.1}").replace('-', "\u{2212}"))
}

fn row(name: &str, report: &Report) -> Markup {
    let clock =
        |t: Option<VirtualTime>| t.map_or_else(|| "never".to_owned(), |t| report.start.time_of_day(t));
    let score = report.detection.as_ref();
    let first_action = report.actions.iter().find(|it| it.refused.is_none()).map(|it| it.t);
    let fate = report.fates.first();
    let limit = fate.and_then(|fate| fate.limits.iter().filter_map(|limit| limit.2).min());
    html! {
        tr {
            th scope="row" { (name) }
            td.n { @if let Some(seed) = report.seed { (seed) } }
            td.n { (number(score.and_then(|score| score.detect))) }
            td.n { (number(report.points.containment.as_ref().and_then(|part| part.points))) }
            td.n { (number(report.points.process.as_ref().and_then(|process| process.points))) }
            td.n { (number(report.points.recovery.as_ref().and_then(|part| part.points))) }
            td.n { (number(report.points.total.as_ref().and_then(|part| part.points))) }
            td.n { (clock(earliest(report, |it| !it.steps.is_empty()))) }
            td.n { @if let Some(score) = score { (score.metrics.found) " of " (score.metrics.attack_steps) } }
            td.n { @if let Some(score) = score { (score.metrics.false_calls) } }
            td.n { (clock(first_action)) }
            td.n { (clock(limit)) }
            td.n { @if let Some(fate) = fate { (format!("{:.0}", fate.harm)) " " (fate.currency) } }
        }
    }
}

/// One page for several runs, each with its name, best detection first; runs that were not scored come last.
pub(crate) fn compare_html(runs: &[(String, Report)]) -> String {
    let mut ranked: Vec<&(String, Report)> = runs.iter().collect();
    let detect = |report: &Report| {
        report.detection.as_ref().and_then(|score| score.detect).unwrap_or(f64::NEG_INFINITY)
    };
    ranked.sort_by(|a, b| detect(&b.1).total_cmp(&detect(&a.1)));
    let title = runs.first().map_or("", |(_, report)| report.title.as_str());
    let marking = runs.first().map_or("EXERCISE", |(_, report)| report.marking.as_str());
    let content = html! {
        h1 { (title) ": " (runs.len()) " runs side by side" }
        table {
            thead { tr {
                th scope="col" { "Run" } th.n scope="col" { "Seed" } th.n scope="col" { "D" } th.n scope="col" { "C" } th.n scope="col" { "P" } th.n scope="col" { "R" } th.n scope="col" { "S" } th.n scope="col" { "First right call" } th.n scope="col" { "Steps found" }
                th.n scope="col" { "False calls" } th.n scope="col" { "First action" } th.n scope="col" { "First limit" } th.n scope="col" { "Harm" }
            } }
            tbody { @for (name, report) in &ranked { (row(name, report)) } }
        }
        @for (name, report) in &ranked {
            h2 { (name) }
            div.timeline { (timeline_svg(report)) }
        }
    };
    document(&format!("{marking}: {title}"), marking, &content)
}
