//! The pages of a tabletop, for print: A4, self-contained, without scripts.
//!
//! A room's handout holds what that room may know and nothing else: one move to a page, so that nobody reads ahead, and no
//! slip that depends on a decision. Those are on a sheet of their own, to be cut apart. The facilitator's book has everything.

mod after;
mod cards;
mod facilitator;
mod room;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use record::Verdict;
use scenarios::tabletop::{Furniture, Sheet, TabletopTexts};

use super::{Consequence, Outcome, Table, Worked, shown};
use crate::report::money;

pub(crate) use after::report;
pub(crate) use room::room_move;

const STYLE: &str = include_str!("table.css");

/// What every page is written from.
#[derive(Clone, Copy)]
pub(crate) struct Book<'a> {
    pub(crate) table: &'a Table,
    pub(crate) worked: &'a Worked,
}

impl<'a> Book<'a> {
    fn texts(&self) -> &'a TabletopTexts {
        self.table.tabletop.texts()
    }

    fn words(&self) -> &'a Furniture {
        self.table.tabletop.words()
    }

    /// Title of a room; of what lies outside, its name.
    fn room(&self, id: &'a str) -> &'a str {
        self.texts().room.get(id).map_or(id, |room| room.title.as_str())
    }

    /// Paragraphs with their times and values.
    fn paragraphs(&self, texts: &[String]) -> Markup {
        html! { @for text in texts { p { (self.worked.fill(self.table, text)) } } }
    }

    fn verdict(&self, verdict: Verdict) -> &'a str {
        match verdict {
            Verdict::Attack => &self.words().attack,
            Verdict::Fault => &self.words().fault,
            Verdict::Authorised => &self.words().authorised,
        }
    }

    /// A whole page with a title.
    fn document(&self, title: &str, content: &Markup) -> String {
        let (words, texts) = (self.words(), self.texts());
        html! {
            (DOCTYPE)
            html lang=(self.table.tabletop.language()) {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width";
                    meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'";
                    title { (words.marking) ": " (texts.title) ", " (title) }
                    style { (PreEscaped(STYLE)) }
                }
                body {
                    p.marking { (words.marking) }
                    main { (content) }
                }
            }
        }
        .into_string()
    }

    /// What comes of an option, in the cells of a row.
    fn consequence(&self, it: &Consequence) -> Markup {
        let words = self.words();
        html! {
            td.n { b { (money(it.harm)) } @if it.as_nobody { br; span.small { (words.same_as_nobody) } } }
            td {
                @if it.limits.is_empty() { (words.no_limit) }
                @for limit in &it.limits {
                    div { b { (self.table.clock(limit.first)) } " " (limit.message) @if let Some(after) = limit.after_s { " (" (words.after_clock.replace("{}", &format!("{after:.0}"))) ")" } }
                }
                @for (title, kept) in [(&words.stopped, &it.stopped), (&words.turned_away, &it.turned_away)] {
                    @if !kept.is_empty() { div { b { (title) ": " } (kept.join("; ")) } }
                }
            }
            @for extreme in &it.extremes { td.n { (shown(extreme.low)) " to " (shown(extreme.high)) } }
        }
    }

    fn consequence_head(&self) -> Markup {
        let (words, none) = (self.words(), &self.worked.none);
        html! {
            th.n scope="col" { (words.harm.replace("{}", &none.currency)) }
            th scope="col" { (words.limits) }
            @for extreme in &none.extremes { th.n scope="col" { (extreme.tag) br; span.small { (extreme.unit) ", " (words.lowest) " to " (words.highest) } } }
        }
    }
}

/// Writes all pages and an empty sheet into a directory; what was written.
///
/// # Errors
/// The directory cannot be written.
pub(crate) fn write(book: Book<'_>, into: &Path, played: Option<(&Sheet, &Outcome)>) -> Result<Vec<PathBuf>> {
    fs::create_dir_all(into).with_context(|| into.display().to_string())?;
    let mut pages = vec![
        ("facilitator.html".to_owned(), facilitator::page(&book)),
        ("slips.html".to_owned(), room::slips(&book)),
        ("cards.html".to_owned(), cards::page(&book)),
        ("after-action.html".to_owned(), after::form(&book)),
    ];
    for room in &book.table.tabletop.file().rooms {
        pages.push((format!("room-{}.html", room.get_ref()), room::page(&book, room.get_ref())));
    }
    if let Some((sheet, outcome)) = played {
        pages.push(("report.html".to_owned(), after::report(&book, sheet, outcome)));
    }
    // A sheet that somebody has filled in is never written over.
    let empty = into.join("sheet.toml");
    if !empty.exists() {
        pages.push(("sheet.toml".to_owned(), after::sheet(&book)));
    }
    let mut written = Vec::new();
    for (name, text) in pages {
        let path = into.join(name);
        fs::write(&path, text).with_context(|| path.display().to_string())?;
        written.push(path);
    }
    Ok(written)
}
