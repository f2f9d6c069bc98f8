//! What the rows of one message begin with: its time, its connection and its direction, written once for all of them.
//!
//! A message of DNP3 gives several rows, in several logs, that begin alike; and but for the time, so do those of all
//! messages that a connection brings in one direction. The text of the latter is kept for as many connections as there
//! are places; where two share one, each finds it taken by the other and writes its text anew.

use crate::flow::Uid;
use crate::log::{Log, LogFormat};
use crate::row::{Field, write_field};

/// Letters and digits that a connection's id is made of lie below this, each a place for both directions.
const PLACES: usize = 128;

/// What several rows in a row begin with. A log may have room for the first of these columns only.
pub(crate) struct Front<F> {
    /// Rows of the same number begin alike.
    pub(crate) number: u64,
    /// Nanoseconds since 1970: the first column.
    pub(crate) at: u64,
    pub(crate) uid: Uid,
    pub(crate) from_orig: bool,
    /// A log that has all of these columns.
    pub(crate) like: Log,
    /// Makes their fields, that of the time included. All but that one follow from `uid` and `from_orig`.
    pub(crate) fields: F,
}

/// The columns behind the time.
#[derive(Clone, Debug, Default)]
struct Ends {
    of: Option<(Uid, bool)>,
    text: Vec<u8>,
    /// Where in `text` each column ends.
    columns: Vec<usize>,
}

/// Fronts as text.
#[derive(Debug)]
pub(crate) struct Fronts {
    /// The last one: its number, its text, where the time ends in it, and the place of the rest.
    number: Option<u64>,
    text: Vec<u8>,
    time: usize,
    place: usize,
    places: Vec<Ends>,
}

impl Default for Fronts {
    fn default() -> Self {
        let places = vec![Ends::default(); 2 * PLACES];
        Self { number: None, text: Vec::new(), time: 0, place: 0, places }
    }
}

impl Fronts {
    /// The text of the first `columns` of a front, each with what separates it from the next.
    pub(crate) fn text<'a, const N: usize>(
        &mut self,
        format: LogFormat,
        front: &Front<impl Fn() -> [Field<'a>; N]>,
        columns: usize,
    ) -> &[u8] {
        if self.number != Some(front.number) {
            self.number = Some(front.number);
            self.write(format, front);
        }
        let ends = self.places.get(self.place).map_or(&[][..], |rest| &rest.columns);
        let end = columns.checked_sub(2).and_then(|last| ends.get(last)).map_or(0, |end| *end);
        self.text.get(..self.time + end).unwrap_or_default()
    }

    fn write<'a, const N: usize>(&mut self, format: LogFormat, front: &Front<impl Fn() -> [Field<'a>; N]>) {
        let columns = front.like.columns();
        self.text.clear();
        if let Some((name, _)) = columns.first() {
            write_field(format, &mut self.text, name, Field::Time(front.at));
        }
        self.time = self.text.len();
        self.place = 2 * (front.uid.letter() % PLACES) + usize::from(front.from_orig);
        let Some(rest) = self.places.get_mut(self.place) else { return };
        if rest.of != Some((front.uid, front.from_orig)) {
            rest.of = Some((front.uid, front.from_orig));
            rest.text.clear();
            rest.columns.clear();
            for ((name, _), field) in columns.iter().zip((front.fields)()).skip(1) {
                write_field(format, &mut rest.text, name, field);
                rest.columns.push(rest.text.len());
            }
        }
        self.text.extend_from_slice(&rest.text);
    }
}
