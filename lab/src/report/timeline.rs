//! The timeline: what was done, who could see it, what was called and done about it, alarms and the plant's curves, on
//! one axis.
//!
//! # Theory of operation
//! Lanes are stacked downwards. Marks and bars of a lane that would overlap move to a further row of it; what finds no
//! row is counted at the lane's end, and stands in the tables below the picture. Only presentation attributes are used,
//! so that the picture can stand in a page with a strict content security policy. Every mark has a `title`, which
//! browsers show under the pointer.

use maud::{Markup, html};
use quizzes::score::Outcome;
use record::{Channel, Role, Verdict, VirtualTime};

use super::{Curve, Report};

const WIDTH: f64 = 1180.0;
const LEFT: f64 = 168.0;
const RIGHT: f64 = 1150.0;
const ROW: f64 = 22.0;
const CHART: f64 = 92.0;
/// Room between two lanes.
const GAP: f64 = 10.0;
/// Most rows of a lane.
const ROWS_MAX: usize = 6;
/// Fewest pixels that two marks of a row are apart.
const APART: f64 = 20.0;

const INK: &str = "#1F2328";
const MUTED: &str = "#4F5863";
const LINE: &str = "#B8B8B8";
const PANEL: &str = "#F2F2F2";

/// Colour and dashes of each course's curve, and its letter.
const COURSES: [(&str, &str, &str); 4] =
    [("#1F2328", "", "T"), ("#AD1457", "7 3", "N"), ("#2E7D32", "2 3", "C"), ("#1565C0", "9 3 2 3", "I")];

/// Letter, colour and word of a verdict.
pub(super) const fn verdict(verdict: Verdict) -> (&'static str, &'static str, &'static str) {
    match verdict {
        Verdict::Attack => ("A", "#AD1457", "attack"),
        Verdict::Fault => ("F", "#6D4C41", "fault"),
        Verdict::Authorised => ("W", "#2E7D32", "authorised work"),
    }
}

/// Letter and words of a channel.
pub(super) const fn channel(channel: Channel) -> (&'static str, &'static str) {
    match channel {
        Channel::Network => ("M", "at the mirror port"),
        Channel::ProtocolLog => ("L", "in a protocol log"),
        Channel::Historian => ("H", "in the historian"),
        Channel::Hmi => ("S", "on the operator's screen"),
        Channel::HostLog => ("O", "in a host's log"),
    }
}

/// The axis of time.
struct Axis<'a> {
    report: &'a Report,
    end_s: f64,
}

impl Axis<'_> {
    fn x(&self, seconds: f64) -> f64 {
        let share = (seconds / self.end_s).clamp(0.0, 1.0);
        ((LEFT + share * (RIGHT - LEFT)) * 10.0).round() / 10.0
    }

    fn at(&self, t: VirtualTime) -> f64 {
        self.x(t.as_secs_f64())
    }

    fn clock(&self, t: VirtualTime) -> String {
        self.report.start.time_of_day(t)
    }

    /// Moments of the ticks, at most about ten, on round times of the day's clock.
    fn ticks(&self) -> Vec<(f64, String)> {
        const STEPS: [u64; 15] =
            [5, 10, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400];
        let end = self.end_s as u64;
        let step = STEPS.into_iter().find(|step| end / step <= 10).unwrap_or(604_800);
        let first = self.report.start.unix_nanos(VirtualTime::ZERO) / 1_000_000_000 % step;
        let mut ticks = Vec::new();
        let mut at = (step - first) % step;
        while at <= end {
            let clock = self.clock(VirtualTime::from_secs(at));
            let shown = if step.is_multiple_of(60) { clock.get(..5).unwrap_or(&clock) } else { &clock };
            ticks.push((self.x(at as f64), shown.to_owned()));
            at += step;
        }
        ticks
    }
}

/// One mark or bar of a lane.
struct Mark {
    x: f64,
    /// Where its bar ends; the mark's own place where it has none.
    until: f64,
    shape: Shape,
    colour: &'static str,
    letter: String,
    title: String,
    /// Outlined instead of filled.
    hollow: bool,
}

#[derive(Clone, Copy)]
enum Shape {
    Square,
    Circle,
    Diamond,
    Triangle,
    Flag,
}

impl Shape {
    fn path(self) -> &'static str {
        match self {
            Self::Square => "M-8-8H8V8H-8Z",
            Self::Circle => "M-8.5 0A8.5 8.5 0 1 1 8.5 0A8.5 8.5 0 1 1-8.5 0Z",
            Self::Diamond => "M0-10L10 0L0 10L-10 0Z",
            Self::Triangle => "M0-10L10 8H-10Z",
            Self::Flag => "M-8-9H8V5L0 10L-8 5Z",
        }
    }
}

/// Black or white, whichever can be read on a colour of the palette.
fn ink_on(colour: &str) -> &'static str {
    if matches!(colour, "#EF6C00" | "#B58900") { INK } else { "#FFFFFF" }
}

fn draw(mark: &Mark, y: f64) -> Markup {
    let (fill, letter) = if mark.hollow { ("#FFFFFF", INK) } else { (mark.colour, ink_on(mark.colour)) };
    html! {
        g {
            title { (mark.title) }
            @if mark.until > mark.x {
                rect x=(mark.x) y=(y - 4.0) width=(mark.until - mark.x) height="8" fill=(mark.colour) fill-opacity="0.35" stroke=(mark.colour) {}
            }
            g transform=(format!("translate({} {y})", mark.x)) {
                path d=(mark.shape.path()) fill=(fill) stroke=(mark.colour) stroke-width="1.5" stroke-linejoin="round" {}
                text y="4.5" text-anchor="middle" font-size="12" font-weight="700" fill=(letter) { (mark.letter) }
            }
        }
    }
}

/// Rows for the marks of a lane, and how many find none.
fn rows(marks: &[Mark]) -> (Vec<Option<usize>>, usize, usize) {
    let mut taken: Vec<f64> = Vec::new();
    let mut places = Vec::new();
    let mut left = 0;
    for mark in marks {
        let free = taken.iter().position(|until| *until <= mark.x - APART);
        let row = free.or_else(|| {
            (taken.len() < ROWS_MAX).then(|| {
                taken.push(0.0);
                taken.len() - 1
            })
        });
        match row {
            Some(row) => taken[row] = mark.until.max(mark.x),
            None => left += 1,
        }
        places.push(row);
    }
    (places, taken.len().max(1), left)
}

/// A lane and the height it takes.
fn lane(name: &str, hint: &str, mut marks: Vec<Mark>, y: f64) -> (Markup, f64) {
    marks.sort_by(|a, b| a.x.total_cmp(&b.x));
    let (places, count, left) = rows(&marks);
    let height = count as f64 * ROW;
    let drawn = html! {
        g role="group" aria-label=(name) {
            rect x=(LEFT) y=(y) width=(RIGHT - LEFT) height=(height) fill=(PANEL) {}
            text x="8" y=(y + 15.0) font-size="13" font-weight="600" fill=(INK) { (name) }
            @if !hint.is_empty() && count > 1 { text x="8" y=(y + 31.0) font-size="11" fill=(MUTED) { (hint) } }
            @for (mark, row) in marks.iter().zip(&places) {
                @if let Some(row) = row { (draw(mark, y + *row as f64 * ROW + ROW / 2.0)) }
            }
            @if left > 0 { text x=(RIGHT) y=(y + height - 4.0) text-anchor="end" font-size="12" fill=(INK) { (left) " more: see the table" } }
            @if marks.is_empty() { text x=(LEFT + 8.0) y=(y + 15.0) font-size="12" fill=(MUTED) { "none" } }
        }
    };
    (drawn, height)
}

fn happened(axis: &Axis<'_>) -> Vec<Mark> {
    let mark = |it: &super::Happened| {
        let (letter, colour, word) = verdict(it.step.verdict);
        let shape = match it.step.verdict {
            Verdict::Attack => Shape::Diamond,
            Verdict::Fault => Shape::Square,
            Verdict::Authorised => Shape::Circle,
        };
        let (start, end) = (axis.clock(it.step.start), axis.clock(it.step.end));
        let earned =
            if it.why.is_empty() { String::new() } else { format!("\n{:+.1} points: {}", it.points, it.why) };
        Mark {
            x: axis.at(it.step.start),
            until: axis.at(it.step.end),
            shape,
            colour,
            letter: letter.to_owned(),
            title: format!("{start} to {end}, {word}: {} [{}]{earned}", it.step.summary, it.step.step),
            hollow: it.outcome == Some(Outcome::Missed),
        }
    };
    axis.report.happened.iter().map(mark).collect()
}

fn visible(axis: &Axis<'_>, role: Role) -> Vec<Mark> {
    let mut marks = Vec::new();
    for it in &axis.report.happened {
        for (seen, t) in it.step.observable.get(&role).into_iter().flatten() {
            let (letter, words) = channel(*seen);
            let (_, colour, _) = verdict(it.step.verdict);
            marks.push(Mark {
                x: axis.at(*t),
                until: axis.at(*t),
                shape: Shape::Circle,
                colour,
                letter: letter.to_owned(),
                title: format!("{}: {} could be seen {words}", axis.clock(*t), it.step.step),
                hollow: it.step.observable_by(role) != Some(*t),
            });
        }
    }
    marks
}

fn calls(axis: &Axis<'_>) -> Vec<Mark> {
    let mark = |it: &super::Called| {
        let at = axis.at(it.call.t);
        let colour = if it.is_false { "#C62828" } else { "#1565C0" };
        Mark {
            x: at,
            until: at,
            shape: if it.is_false { Shape::Triangle } else { Shape::Flag },
            colour,
            letter: it.call.id.to_string(),
            title: format!(
                "{}, call {}, {:+.1} points: {}\n{}",
                axis.clock(it.call.t),
                it.call.id,
                it.points,
                it.what,
                it.why
            ),
            hollow: !it.is_false && it.steps.is_empty(),
        }
    };
    axis.report.calls.iter().map(mark).collect()
}

fn actions(axis: &Axis<'_>) -> Vec<Mark> {
    let mark = |it: &super::Acted| {
        let refused = it.refused.as_ref().map_or(String::new(), |reason| format!("\nrefused: {reason}"));
        Mark {
            x: axis.at(it.t),
            until: axis.at(it.t),
            shape: Shape::Square,
            colour: "#1565C0",
            letter: it.number.to_string(),
            title: format!(
                "{}, action {} ({}): {}{refused}",
                axis.clock(it.t),
                it.number,
                it.source,
                it.command
            ),
            hollow: it.refused.is_some(),
        }
    };
    axis.report.actions.iter().map(mark).collect()
}

fn alarms(axis: &Axis<'_>) -> Vec<Mark> {
    let mark = |it: &super::AlarmSpan| {
        let (shape, colour) = match it.priority {
            1 => (Shape::Square, "#C62828"),
            2 => (Shape::Triangle, "#EF6C00"),
            _ => (Shape::Circle, "#B58900"),
        };
        let until = it.cleared.map_or_else(|| "the end".to_owned(), |t| axis.clock(t));
        let like = if it.without_attack { "; without the attack too" } else { "" };
        Mark {
            x: axis.at(it.raised),
            until: axis.at(it.cleared.unwrap_or(axis.report.end)),
            shape,
            colour,
            letter: it.priority.to_string(),
            title: format!("{} to {until}, {}: {}{like}", axis.clock(it.raised), it.tag, it.message),
            hollow: it.without_attack,
        }
    };
    axis.report.alarms.iter().map(mark).collect()
}

fn limits(axis: &Axis<'_>) -> Vec<Mark> {
    let fates = axis.report.fates.iter().zip(COURSES);
    let marks = fates.flat_map(|(fate, (colour, _, letter))| {
        fate.limits.iter().filter_map(move |(_, words, first)| {
            let at = axis.at((*first)?);
            Some(Mark {
                x: at,
                until: at,
                shape: Shape::Diamond,
                colour,
                letter: letter.to_owned(),
                title: format!("{}, {}: {words}", axis.clock((*first)?), fate.name),
                hollow: false,
            })
        })
    });
    marks.collect()
}

/// Lowest and highest value that a chart shows.
fn range(curve: &Curve) -> (f64, f64) {
    let values = curve.lines.iter().flatten().map(|(_, value)| *value);
    let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| (a.min(v), b.max(v)));
    if low > high {
        return (0.0, 1.0);
    }
    // A line that does not move stays a line and is not blown up to its noise.
    let room = ((high - low) * 0.08).max(0.01 * high.abs()).max(0.01);
    (low - room, high + room)
}

fn short(value: f64) -> String {
    let digits = if value.abs() >= 100.0 {
        0
    } else if value.abs() >= 10.0 {
        1
    } else {
        2
    };
    format!("{value:.digits$}").replace('-', "\u{2212}")
}

fn chart(axis: &Axis<'_>, curve: &Curve, y: f64) -> Markup {
    let (low, high) = range(curve);
    let height = |value: f64| {
        let share = ((value - low) / (high - low)).clamp(0.0, 1.0);
        ((y + CHART - share * CHART) * 10.0).round() / 10.0
    };
    let band_top = height(curve.normal_high.unwrap_or(f64::INFINITY));
    let band_bottom = height(curve.normal_low.unwrap_or(f64::NEG_INFINITY));
    let has_band = curve.normal_low.is_some() || curve.normal_high.is_some();
    let points = |line: &[(f64, f64)]| {
        let each = line.iter().map(|(t, value)| format!("{},{}", axis.x(*t), height(*value)));
        each.collect::<Vec<_>>().join(" ")
    };
    html! {
        g role="group" aria-label=(format!("{} {}", curve.tag, curve.description)) {
            rect x=(LEFT) y=(y) width=(RIGHT - LEFT) height=(CHART) fill=(if has_band { "#E3E3E3" } else { PANEL }) {}
            @if has_band { rect x=(LEFT) y=(band_top) width=(RIGHT - LEFT) height=((band_bottom - band_top).max(0.0)) fill=(PANEL) { title { "what is usual" } } }
            text x="8" y=(y + 15.0) font-size="13" font-weight="600" fill=(INK) { (curve.tag) }
            @for (row, line) in lines_of(&curve.description).iter().enumerate() { text x="8" y=(y + 31.0 + 14.0 * row as f64) font-size="11" fill=(MUTED) { (line) } }
            text x=(LEFT - 6.0) y=(y + 11.0) text-anchor="end" font-size="11" fill=(MUTED) { (short(high)) " " (curve.unit) }
            text x=(LEFT - 6.0) y=(y + CHART - 2.0) text-anchor="end" font-size="11" fill=(MUTED) { (short(low)) }
            // This run lies on top.
            @for (line, (fate, (colour, dashes, letter))) in curve.lines.iter().zip(axis.report.fates.iter().zip(COURSES)).rev() {
                g {
                    title { (curve.tag) ", " (fate.name) }
                    polyline points=(points(line)) fill="none" stroke=(colour) stroke-width=(if letter == "T" { "2.5" } else { "2" }) stroke-dasharray=[(!dashes.is_empty()).then_some(dashes)] stroke-linejoin="round" {}
                }
            }
            (ends(curve, &height, y + CHART))
        }
    }
}

/// The letters at the right end of the curves, moved apart where they would lie on each other.
fn ends(curve: &Curve, height: &dyn Fn(f64) -> f64, bottom: f64) -> Markup {
    /// Height of a letter.
    const LETTER: f64 = 12.0;
    let mut letters: Vec<(f64, &str, &str)> = curve
        .lines
        .iter()
        .zip(COURSES)
        .filter_map(|(line, (colour, _, letter))| Some((height(line.last()?.1), letter, colour)))
        .collect();
    letters.sort_by(|a, b| a.0.total_cmp(&b.0));
    for n in 1..letters.len() {
        letters[n].0 = letters[n].0.max(letters[n - 1].0 + LETTER);
    }
    let below = letters.last().map_or(0.0, |last| (last.0 - bottom).max(0.0));
    for letter in &mut letters {
        letter.0 -= below;
    }
    html! {
        @for (at, letter, colour) in letters { text x=(RIGHT + 5.0) y=(at + 4.0) font-size="12" font-weight="700" fill=(colour) { (letter) } }
    }
}

/// A description in lines that fit beside a chart.
fn lines_of(text: &str) -> Vec<String> {
    const LONGEST: usize = 22;
    const MOST: usize = 4;
    let mut lines: Vec<String> = vec![String::new()];
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.len() + word.len() < LONGEST => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines.truncate(MOST);
    lines
}

/// Names of the courses with their dashes and letters, in a row.
fn key(report: &Report, y: f64) -> Markup {
    let mut x = LEFT;
    let placed = report.fates.iter().zip(COURSES).map(|(fate, course)| {
        let at = x;
        x += 78.0 + 6.6 * fate.name.chars().count() as f64;
        (at, fate, course)
    });
    let placed: Vec<_> = placed.collect();
    html! {
        g font-size="12" fill=(INK) {
            @for (at, fate, (colour, dashes, letter)) in placed {
                path d=(format!("M{at} {y}h34")) fill="none" stroke=(colour) stroke-width="2.5" stroke-dasharray=[(!dashes.is_empty()).then_some(dashes)] {}
                text x=(at + 40.0) y=(y + 4.0) { tspan font-weight="700" fill=(colour) { (letter) } " " (fate.name) }
            }
        }
    }
}

/// The timeline of a run as one picture, for a page that is at least 900 px wide.
pub(crate) fn timeline_svg(report: &Report) -> Markup {
    let axis = Axis { report, end_s: report.end.as_secs_f64().max(1.0) };
    let lanes = [
        ("What happened", "A attack, F fault, W work", happened(&axis)),
        ("Analyst could see", "filled: the first channel", visible(&axis, Role::Analyst)),
        ("Operator could see", "filled: the first channel", visible(&axis, Role::Operator)),
        ("Calls", "triangle: a false call", calls(&axis)),
        ("Actions", "outlined: refused", actions(&axis)),
        ("Alarms", "outlined: in any case", alarms(&axis)),
        ("Limits crossed", "letters as below", limits(&axis)),
    ];
    let top = 30.0;
    let mut y = top;
    let mut drawn = Vec::new();
    for (name, hint, marks) in lanes {
        let (picture, height) = lane(name, hint, marks, y);
        drawn.push(picture);
        y += height + GAP;
    }
    let key_at = y + 8.0;
    y += 24.0;
    for curve in &report.curves {
        drawn.push(chart(&axis, curve, y));
        y += CHART + GAP;
    }
    let bottom = y;
    let attacks = report.happened.iter().filter(|it| it.step.verdict == Verdict::Attack);
    let starts: Vec<f64> = attacks.map(|it| axis.at(it.step.start)).collect();
    html! {
        svg xmlns="http://www.w3.org/2000/svg" viewBox=(format!("0 0 {WIDTH} {}", bottom + 24.0)) width="100%" role="group" aria-label="Timeline of the run" font-family="system-ui, 'Liberation Sans', Arial, sans-serif" font-variant-numeric="tabular-nums" {
            rect width=(WIDTH) height=(bottom + 24.0) fill="#FFFFFF" {}
            @for (x, clock) in axis.ticks() {
                text x=(x) y="18" text-anchor="middle" font-size="12" fill=(MUTED) { (clock) }
                text x=(x) y=(bottom + 12.0) text-anchor="middle" font-size="12" fill=(MUTED) { (clock) }
            }
            @for picture in drawn { (picture) }
            g stroke=(LINE) stroke-width="1" pointer-events="none" {
                @for (x, _) in axis.ticks() { path d=(format!("M{x} {}V{}", top - 6.0, bottom - GAP)) stroke-opacity="0.5" {} }
            }
            g stroke="#AD1457" stroke-width="1" stroke-dasharray="1 4" pointer-events="none" {
                @for x in starts { path d=(format!("M{x} {top}V{}", bottom - GAP)) {} }
            }
            (key(report, key_at))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(x: f64, until: f64) -> Mark {
        Mark {
            x,
            until,
            shape: Shape::Square,
            colour: INK,
            letter: String::new(),
            title: String::new(),
            hollow: false,
        }
    }

    #[test]
    fn what_would_overlap_goes_to_another_row_and_what_finds_none_is_counted() {
        let apart: Vec<Mark> = [0.0, 20.0, 40.0].map(|x| mark(x, x)).into();
        assert_eq!(rows(&apart), (vec![Some(0), Some(0), Some(0)], 1, 0));
        let bars = [mark(0.0, 100.0), mark(50.0, 60.0), mark(90.0, 95.0), mark(130.0, 130.0)];
        assert_eq!(rows(&bars), (vec![Some(0), Some(1), Some(1), Some(0)], 2, 0));
        let crowd: Vec<Mark> = (0..8).map(|_| mark(10.0, 10.0)).collect();
        let (places, count, left) = rows(&crowd);
        assert_eq!((places.iter().flatten().count(), count, left), (6, 6, 2));
        assert_eq!(rows(&[]), (vec![], 1, 0));
    }

    #[test]
    fn a_flat_line_is_not_blown_up_to_its_noise() {
        let curve = Curve {
            tag: String::new(),
            description: String::new(),
            unit: String::new(),
            normal_low: None,
            normal_high: None,
            lines: vec![vec![(0.0, 60.0), (1.0, 60.001)]],
        };
        let (low, high) = range(&curve);
        assert!(low < 59.5 && high > 60.5, "{low} to {high}");
        assert_eq!(range(&Curve { lines: vec![vec![]], ..curve }), (0.0, 1.0));
    }

    #[test]
    fn long_descriptions_break_between_words() {
        assert_eq!(lines_of("pH at the clearwell outlet"), ["pH at the clearwell", "outlet"]);
        assert_eq!(lines_of(""), [""]);
    }
}
