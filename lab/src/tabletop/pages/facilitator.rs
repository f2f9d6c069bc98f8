//! The facilitator's book: the whole day with its answers.

use maud::{Markup, html};
use scenarios::tabletop::{Decision, Handoff, Move, OUTSIDE, TableInject, standards};

use super::Book;
use super::room::heading;

pub(super) fn page(book: &Book<'_>) -> String {
    let (texts, words, file) = (book.texts(), book.words(), book.table.tabletop.file());
    let plan = &book.table.ordered.order.plan;
    let content = html! {
        h1 { (texts.title) }
        p.sub { (words.facilitator) " \u{b7} " (plan.scenario) ", " (words.seed.replace("{}", &plan.seed.to_string())) " \u{b7} " (words.minutes.replace("{}", &book.table.tabletop.minutes().to_string())) }
        h2 { (words.aims) }
        ul { @for aim in &texts.aims { li { (aim) } } }
        h2 { (words.agenda) }
        (agenda(book))
        h2 { (words.rules) }
        ol { @for rule in &texts.rules { li { (rule) } } }
        p { (words.scoring) }
        section.keep {
            h2 { (words.consequence) }
            p.small { (words.how_computed) }
            table.options {
                thead { tr { th scope="col" { } (book.consequence_head()) } }
                tbody {
                    tr { th scope="row" { (words.nobody_acts) } (book.consequence(&book.worked.none)) }
                    tr { th scope="row" { (words.no_attack) } (book.consequence(&book.worked.clean)) }
                }
            }
        }
        @for (number, it) in file.moves.iter().enumerate() { (one_move(book, number, it)) }
        section.page {
            h2 { (words.hot_wash) }
            ol { @for ask in &texts.hot_wash { li { (ask) } } }
            h2 { (words.reveal) }
            (book.paragraphs(&texts.reveal))
        }
    };
    book.document(&words.facilitator, &content)
}

fn agenda(book: &Book<'_>) -> Markup {
    let words = book.words();
    let moves = book.table.tabletop.file().moves.iter();
    let rows: Vec<(usize, &Move, String, u32)> = moves
        .zip(&book.table.schedule.moves)
        .enumerate()
        .map(|(index, (it, t))| (index + 1, it, book.table.clock(*t), *it.minutes.get_ref()))
        .collect();
    html! {
        table {
            thead { tr { th scope="col" { } th scope="col" { (words.time) } th scope="col" { } th.n scope="col" { } } }
            tbody { @for (number, it, clock, minutes) in rows {
                tr { td { (words.turn.replace("{}", &number.to_string())) } td.t { (clock) } th scope="row" { (title(book, it)) } td.n { (words.minutes.replace("{}", &minutes.to_string())) } }
            } }
        }
    }
}

fn title<'a>(book: &Book<'a>, it: &'a Move) -> &'a str {
    let id = it.id.get_ref();
    book.texts().moves.get(id).map_or(id, |text| &text.title)
}

impl Book<'_> {
    /// A move with everything that the facilitator knows of it.
    pub(crate) fn of_move(&self, number: usize) -> Markup {
        let moves = &self.table.tabletop.file().moves;
        moves.get(number).map_or_else(|| html! {}, |it| one_move(self, number, it))
    }

    /// What comes of a decision: of the option that was chosen, and of the others.
    pub(crate) fn comes_of(&self, decision: &str, chosen: Option<&str>) -> Markup {
        let known = self.table.tabletop.decisions().find(|(_, it)| it.id.get_ref() == decision);
        known.map_or_else(|| html! {}, |(_, decision)| options(self, decision, chosen))
    }
}

fn one_move(book: &Book<'_>, number: usize, it: &Move) -> Markup {
    let (texts, words) = (book.texts(), book.words());
    let text = texts.moves.get(it.id.get_ref());
    html! {
        section.page {
            (heading(book, number, it))
            @if let Some(text) = text {
                div.scene { (book.paragraphs(&text.scene)) }
                div.yours { h3 { (words.for_facilitator) } (book.paragraphs(&text.notes)) }
            }
            @if let Some(verdict) = it.verdict { p { (words.write_verdict) " " b { (words.right_verdict) ": " (book.verdict(verdict)) } } }
            h3 { (words.told) }
            table { tbody { @for inject in &it.injects { (told(book, inject)) } } }
            @if !it.handoffs.is_empty() {
                h3 { (words.handoffs) }
                table {
                    thead { tr { th scope="col" { } th scope="col" { } th.n scope="col" { (words.points) } th scope="col" { (words.made_in) } } }
                    tbody { @for handoff in &it.handoffs { (hand_off(book, handoff)) } }
                }
            }
            @for decision in &it.decisions { (decided(book, decision)) }
            @if !it.questions.is_empty() {
                h3 { (words.questions) }
                @for ask in &it.questions {
                    @if let Some(text) = texts.question.get(ask.id.get_ref()) {
                        div.keep {
                            p.ask { (text.ask) }
                            p.small { b { (words.listen_for) ": " } (text.listen_for) br; (references(ask)) }
                        }
                    }
                }
            }
        }
    }
}

fn references(ask: &scenarios::tabletop::Ask) -> String {
    let named = |id: &str, name: Option<&str>| format!("{id} {}", name.unwrap_or_default());
    let csf: Vec<String> =
        ask.csf.iter().map(|id| named(id.get_ref(), standards::csf(id.get_ref()))).collect();
    let iec: Vec<String> =
        ask.iec.iter().map(|id| named(id.get_ref(), standards::iec(id.get_ref()))).collect();
    format!("NIST CSF 2.0: {}. IEC 62443-3-3: {}.", csf.join("; "), iec.join("; "))
}

fn told(book: &Book<'_>, inject: &TableInject) -> Markup {
    let (texts, words) = (book.texts(), book.words());
    let rooms: Vec<&str> = inject.to.iter().map(|room| book.room(room.get_ref())).collect();
    let channel = texts.channel.get(inject.channel.get_ref()).map_or("", String::as_str);
    html! {
        tr {
            th scope="row" { @if rooms.is_empty() { (words.everybody) } @else { (rooms.join(", ")) } br; span.small { (channel) } }
            td {
                @if !inject.when.is_empty() { p.small { b { (words.only_if) ": " } (super::room::condition(book, inject)) } }
                @if let Some(text) = texts.inject.get(inject.id.get_ref()) { (book.paragraphs(text)) }
            }
        }
    }
}

fn hand_off(book: &Book<'_>, handoff: &Handoff) -> Markup {
    let to = handoff.to.get_ref().as_str();
    let to = if to == OUTSIDE { "\u{2197}" } else { book.room(to) };
    html! {
        tr {
            th scope="row" { (book.room(handoff.from.get_ref())) " \u{2192} " (to) }
            td { @if let Some(text) = book.texts().handoff.get(handoff.id.get_ref()) { (text.what) br; span.small { (text.why) " (" (handoff.id.get_ref()) ")" } } }
            td.n { (handoff.points.get_ref()) }
            td.blank {}
        }
    }
}

fn decided(book: &Book<'_>, decision: &Decision) -> Markup {
    let (words, id) = (book.words(), decision.id.get_ref().as_str());
    let rooms: Vec<&str> = decision.by.iter().map(|room| book.room(room.get_ref())).collect();
    let text = book.texts().decision.get(id);
    let clock = book.table.schedule.decisions.get(id).map(|t| book.table.clock(*t)).unwrap_or_default();
    let acts = decision.options.iter().any(|option| !option.acts.is_empty());
    html! {
        div.keep {
            h3 { (words.decision) ": " @if let Some(text) = text { (text.prompt) } span.aside { (rooms.join(", ")) " \u{b7} " (words.carried_out) " " (clock) } }
            (options(book, decision, None))
            @if acts { p.small { b { (words.done_as) ": " }
                @for (letter, option) in ('A'..='Z').zip(&decision.options) { (letter) ": " @if option.acts.is_empty() { (words.nothing_done) } @for (index, act) in option.acts.iter().enumerate() { @if index > 0 { ", " } code { (act.get_ref()) } } ". " }
            } }
        }
    }
}

/// The options with what comes of each. Where none of them does anything to plant or network, there is nothing to compute.
fn options(book: &Book<'_>, decision: &Decision, chosen: Option<&str>) -> Markup {
    let (words, id) = (book.words(), decision.id.get_ref().as_str());
    let text = book.texts().decision.get(id);
    let acts = decision.options.iter().any(|option| !option.acts.is_empty());
    html! {
        table.options {
            thead { tr { th scope="col" { (words.option) } @if acts { (book.consequence_head()) } } }
            tbody {
                @for (letter, option) in ('A'..='Z').zip(&decision.options) {
                    @let is_chosen = chosen == Some(option.id.get_ref().as_str());
                    tr.chosen[is_chosen] {
                        th scope="row" { @if is_chosen { "\u{2713} " } (letter) ". " @if let Some(text) = text.and_then(|text| text.option.get(option.id.get_ref())) { (text) } @if option.destroys_evidence { br; span.small { (words.evidence_lost) } } }
                        @if acts && let Some(tried) = book.worked.option(id, option.id.get_ref()) { (book.consequence(&tried.consequence)) }
                    }
                }
            }
        }
    }
}
