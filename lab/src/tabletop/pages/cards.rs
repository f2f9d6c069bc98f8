//! The game of cards: its rules, what the seed deals, and the cards to cut out.

use maud::{Markup, html};
use record::attack;

use super::Book;

pub(super) fn page(book: &Book<'_>) -> String {
    let (texts, words, deck) = (book.texts(), book.words(), &book.table.tabletop.file().deck);
    let seed = book.table.ordered.order.plan.seed;
    let deal = deck.deal(seed);
    let title = |id: &str| texts.card.get(id).map_or_else(|| id.to_owned(), |card| card.title.clone());
    let listed = |names: Vec<String>| names.join("; ");
    let content = html! {
        h1 { (words.cards) }
        p.sub { (texts.title) }
        h2 { (words.rules) }
        ol { @for rule in &texts.card_rules { li { (rule) } } }
        h2 { (words.deal.replace("{}", &seed.to_string())) }
        p.small { (words.for_facilitator) }
        dl.facts {
            dt { (words.face_down) } dd { (listed(deal.hidden.iter().map(|card| title(card.id.get_ref())).collect())) }
            dt { (words.practised) } dd { (listed(deal.practised.iter().map(|card| title(card.id.get_ref())).collect())) }
            dt { (words.event_card) } dd { (listed(deal.pile.iter().map(|card| title(card.id.get_ref())).collect())) }
            dt { (words.throws) } dd { (listed(deal.throws.iter().map(|throw| format!("{}, {}", throw.it, throw.ot)).collect())) }
        }
        div.cards.page {
            @for card in &deck.attacks {
                (one(book, card.id.get_ref(), "a", &words.attack_card, texts.stage.get(card.stage.get_ref()).map_or("", String::as_str), html! {
                    p.small { @for id in &card.techniques { (id.get_ref()) " " (attack::technique(id.get_ref()).map_or("", |it| it.name)) br; } }
                    p.small { b { (words.revealed_by) ": " } (listed(card.revealed_by.iter().map(|id| title(id.get_ref())).collect())) }
                }))
            }
            @for card in &deck.procedures {
                (one(book, card.id.get_ref(), "w", &words.procedure_card, book.room(card.room.get_ref()), html! {
                    @if deal.practised.iter().any(|it| it.id.get_ref() == card.id.get_ref()) { p { b { "+" (deck.practised_bonus) " " (words.practised) } } }
                }))
            }
            @for card in &deck.events { (one(book, card.id.get_ref(), "f", &words.event_card, "", html! {})) }
        }
    };
    book.document(&words.cards, &content)
}

fn one(book: &Book<'_>, id: &str, class: &str, kind: &str, belongs: &str, more: Markup) -> Markup {
    html! {
        div.card {
            p class={ "kind " (class) } { (kind) @if !belongs.is_empty() { " \u{b7} " (belongs) } }
            @if let Some(text) = book.texts().card.get(id) { h3 { (text.title) } p { (text.text) } }
            div.foot { (more) }
        }
    }
}
