//! A room's handout, and the slips that depend on what was decided.

use std::collections::BTreeMap;

use maud::{Markup, html};
use scenarios::tabletop::{Decision, Move, TableInject};

use super::Book;

/// Lines to write on.
const LINES: usize = 5;

pub(super) fn page(book: &Book<'_>, room: &str) -> String {
    let (texts, words) = (book.texts(), book.words());
    let text = texts.room.get(room);
    let title = words.handout.replace("{}", text.map_or(room, |text| &text.title));
    let content = html! {
        h1 { (text.map_or(room, |text| &text.title)) }
        p.sub { (texts.title) }
        h2 { (words.your_room) }
        @if let Some(text) = text { (book.paragraphs(&text.brief)) }
        h2 { (words.rules) }
        ol { @for rule in &texts.rules { li { (rule) } } }
        (lines(&words.notes))
        @for (number, it) in book.table.tabletop.file().moves.iter().enumerate() { (one_move(book, room, number, it)) }
    };
    book.document(&title, &content)
}

pub(super) fn lines(title: &str) -> Markup {
    html! { h3 { (title) } @for _ in 0..LINES { div.line {} } }
}

fn one_move(book: &Book<'_>, room: &str, number: usize, it: &Move) -> Markup {
    let (texts, words) = (book.texts(), book.words());
    let mine = it.injects.iter().filter(|inject| inject.reaches(room));
    let (always, slips): (Vec<&TableInject>, Vec<&TableInject>) =
        mine.partition(|inject| inject.when.is_empty());
    html! {
        section.page {
            (heading(book, number, it))
            @if let Some(text) = texts.moves.get(it.id.get_ref()) { div.scene { (book.paragraphs(&text.scene)) } }
            @for inject in always { (told(book, inject)) }
            @if !slips.is_empty() { div.slip.empty { (words.slip) } }
            @if it.verdict.is_some() {
                p { b { (words.write_verdict) } }
                p.boxes { @for word in [&words.attack, &words.fault, &words.authorised] { span.box {} (word) } }
                div.line {}
            }
            @for decision in it.decisions.iter().filter(|it| it.by.iter().any(|by| by.get_ref() == room)) { (to_decide(book, decision)) }
            (lines(&words.notes))
        }
    }
}

fn to_decide(book: &Book<'_>, decision: &Decision) -> Markup {
    let words = book.words();
    let rooms: Vec<&str> = decision.by.iter().map(|room| book.room(room.get_ref())).collect();
    html! {
        @if let Some(text) = book.texts().decision.get(decision.id.get_ref()) {
            div.keep {
                h3 { (words.decision) ": " (text.prompt) span.aside { (rooms.join(" + ")) } }
                @for (letter, option) in ('A'..='Z').zip(&decision.options) {
                    p.boxes { span.box {} b { (letter) ". " } (text.option.get(option.id.get_ref()).map_or("", String::as_str)) }
                }
            }
        }
    }
}

fn told(book: &Book<'_>, inject: &TableInject) -> Markup {
    let channel = book.texts().channel.get(inject.channel.get_ref()).map_or("", String::as_str);
    html! {
        div.slip {
            p.small { b { (channel) } }
            @if let Some(text) = book.texts().inject.get(inject.id.get_ref()) { (book.paragraphs(text)) }
        }
    }
}

/// After which options an inject is told, in words.
pub(super) fn condition(book: &Book<'_>, inject: &TableInject) -> String {
    let one = |(decision, options): (&String, &Vec<String>)| {
        let text = book.texts().decision.get(decision);
        let file = book.table.tabletop.decisions().find(|(_, it)| it.id.get_ref() == decision);
        let letter = |option: &String| {
            let place =
                file.as_ref().and_then(|(_, it)| it.options.iter().position(|o| o.id.get_ref() == option));
            place.and_then(|place| ('A'..='Z').nth(place)).unwrap_or('?').to_string()
        };
        let letters: Vec<String> = options.iter().map(letter).collect();
        format!("{} {}", text.map_or("", |text| &text.prompt), letters.join(", "))
    };
    inject.when.iter().map(one).collect::<Vec<_>>().join("; ")
}

pub(super) fn slips(book: &Book<'_>) -> String {
    let words = book.words();
    let content = html! {
        @for (number, it) in book.table.tabletop.file().moves.iter().enumerate() {
            @for inject in it.injects.iter().filter(|inject| !inject.when.is_empty()) {
                div.cut {
                    p.small { (words.turn.replace("{}", &(number + 1).to_string())) " \u{b7} " b { (inject.to.iter().map(|room| book.room(room.get_ref())).collect::<Vec<_>>().join(", ")) } " \u{b7} " (words.only_if) ": " (condition(book, inject)) }
                    (told(book, inject))
                }
            }
        }
    };
    book.document(&words.only_if, &content)
}

/// A move in the browser, as the rooms of one seat may see it after what was chosen.
pub(crate) fn room_move(
    book: &Book<'_>,
    number: usize,
    rooms: &[String],
    choice: &BTreeMap<String, String>,
) -> Markup {
    let texts = book.texts();
    let Some(it) = book.table.tabletop.file().moves.get(number) else { return html! {} };
    let chosen = book.table.effective(choice);
    let is_mine =
        |inject: &&TableInject| inject.is_told(&chosen) && rooms.iter().any(|room| inject.reaches(room));
    html! {
        (heading(book, number, it))
        @if let Some(text) = texts.moves.get(it.id.get_ref()) { div.scene { (book.paragraphs(&text.scene)) } }
        @for inject in it.injects.iter().filter(is_mine) {
            @if rooms.len() > 1 { p.small { (inject.to.iter().map(|room| book.room(room.get_ref())).collect::<Vec<_>>().join(", ")) } }
            (told(book, inject))
        }
    }
}

/// Number, title and clock of a move.
pub(super) fn heading(book: &Book<'_>, number: usize, it: &Move) -> Markup {
    let words = book.words();
    let clock = book.table.schedule.moves.get(number).map(|t| book.table.clock(*t)).unwrap_or_default();
    let id = it.id.get_ref();
    let title = book.texts().moves.get(id).map_or(id.as_str(), |text| &text.title);
    html! {
        h2 { (words.turn.replace("{}", &(number + 1).to_string())) ": " (title) span.aside { (clock) " \u{b7} " (words.minutes.replace("{}", &it.minutes.get_ref().to_string())) } }
    }
}
