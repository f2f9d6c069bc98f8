//! A queue on disk between the sensor and one collector.
//!
//! # Theory of operation
//! Records are appended to segment files and read from them by the thread that delivers. What the collector has is
//! acknowledged: the place is written to a file of its own (beside, then renamed over), and segments that lie before
//! it are deleted. After a restart reading goes on at that place, so a record that was sent and not yet acknowledged
//! is sent again: *at least once*, in order.
//!
//! ```text
//! DIR/lock            held while a process uses the queue
//! DIR/identity        a word that no other queue has
//! DIR/acknowledged    SEGMENT OFFSET SEQUENCE: everything before is with the collector
//! DIR/0000000001.seg  records: length 4, CRC-32 4 (of what follows), sequence 8, payload; little-endian
//! ```
//!
//! Appended octets are kept in memory until there are [`BUFFER`] of them or the reader asks for them, which it does
//! several times a second: killing the process loses that much at most.
//!
//! # What can go wrong
//! *Full*: the newest record is dropped and counted, never one that is queued: those tell how a story began, are next
//! in line, and leave no hole behind them; and the reader may be sending them at this moment. When there is room for
//! a segment again, what is appended first is a note that says how many are missing there. *The disk does not take
//! it*: the same. *A torn record at the end*, after a crash: cut off. *Damage in the middle*: the rest of that segment
//! is skipped, and counted.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub(crate) use super::segment::Place;
use super::segment::{
    HEADER, PAYLOAD_MAX, checksum, identity, list, open_segment, path, read_acknowledged, read_record, survey,
};

/// Octets of a segment, about.
const SEGMENT: u64 = 4 << 20;
/// Appended octets kept in memory.
const BUFFER: usize = 64 << 10;
/// Smallest limit, so that there are a few segments at least.
const LIMIT_MIN: u64 = 64 << 10;

/// A record on its way.
#[derive(Clone, Debug)]
pub(crate) struct Queued {
    /// Counted from 1 over the life of the queue.
    pub(crate) sequence: u64,
    pub(crate) payload: Vec<u8>,
    /// The place after it.
    pub(crate) end: Place,
}

#[derive(Debug)]
struct Segment {
    number: u64,
    /// Octets in the file.
    length: u64,
}

#[derive(Debug)]
struct State {
    /// The oldest first; the last is appended to.
    segments: VecDeque<Segment>,
    tail: File,
    /// Records for the tail that are not in the file yet.
    buffer: Vec<u8>,
    next: u64,
    acknowledged: Place,
    acknowledged_sequence: u64,
    /// Dropped since the last note.
    missing: u64,
    counts: Counts,
    closed: bool,
}

/// What happened to records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Not taken because the queue was full.
    pub(crate) dropped: u64,
    /// Lost to damage of the files, as far as it can be told.
    pub(crate) damaged: u64,
}

#[derive(Debug)]
struct Shared {
    directory: PathBuf,
    limit: u64,
    segment: u64,
    state: Mutex<State>,
    woken: Condvar,
    /// Held as long as the queue is in use.
    _lock: File,
}

/// The end that records are put into. Clones are the same queue.
#[derive(Clone, Debug)]
pub(crate) struct Queue {
    shared: Arc<Shared>,
    identity: Arc<str>,
}

impl Queue {
    /// Opens the queue in a directory, which is made if it is not there, for at most about `limit` octets.
    pub(crate) fn open(directory: &Path, limit: u64) -> io::Result<Self> {
        fs::create_dir_all(directory)?;
        let lock = File::create(directory.join("lock"))?;
        lock.try_lock().map_err(|_| {
            io::Error::new(io::ErrorKind::ResourceBusy, "another process delivers from this queue")
        })?;
        let limit = limit.max(LIMIT_MIN);
        let segment = SEGMENT.min(limit / 8);
        let (acknowledged, acknowledged_sequence) = read_acknowledged(directory);
        let mut segments: VecDeque<_> =
            list(directory)?.into_iter().map(|number| Segment { number, length: 0 }).collect();
        // Deleted but for a crash in between.
        while segments.front().is_some_and(|oldest| oldest.number < acknowledged.segment) {
            if let Some(oldest) = segments.pop_front() {
                fs::remove_file(path(directory, oldest.number))?;
            }
        }
        let mut last = acknowledged_sequence;
        if segments.is_empty() {
            segments.push_back(Segment { number: acknowledged.segment.max(1), length: 0 });
        }
        let tail_number = segments.back().map_or(1, |tail| tail.number);
        let tail = open_segment(directory, tail_number)?;
        for segment in &mut segments {
            let (length, newest) = survey(&path(directory, segment.number), segment.number == tail_number)?;
            segment.length = length;
            last = last.max(newest);
        }
        let whole = segments.back().map_or(0, |tail| tail.length);
        if tail.metadata()?.len() > whole {
            tail.set_len(whole)?;
            // Numbers of records that were cut off will be given again: not under the same identity.
            fs::remove_file(directory.join("identity"))?;
        }
        let identity = identity(directory)?;
        let state = State {
            segments,
            tail,
            buffer: Vec::new(),
            next: last + 1,
            acknowledged,
            acknowledged_sequence,
            missing: 0,
            counts: Counts::default(),
            closed: false,
        };
        let shared = Shared {
            directory: directory.to_owned(),
            limit,
            segment,
            state: Mutex::new(state),
            woken: Condvar::new(),
            _lock: lock,
        };
        Ok(Self { shared: Arc::new(shared), identity: identity.into() })
    }

    /// A word that no other queue has.
    pub(crate) fn identity(&self) -> &str {
        &self.identity
    }

    /// Appends a record; `render` gets its sequence number and appends its payload. Never fails and never waits for the
    /// collector: what cannot be taken is counted. `note` renders the record that says how many are missing.
    pub(crate) fn append(
        &self,
        render: impl FnOnce(u64, &mut Vec<u8>),
        note: impl FnOnce(u64, u64, &mut Vec<u8>),
    ) {
        let mut state = self.shared.lock();
        let used = state.octets();
        let limit =
            if state.missing > 0 { self.shared.limit - self.shared.segment } else { self.shared.limit };
        if used >= limit || (state.buffer.len() >= BUFFER && self.shared.flush(&mut state).is_err()) {
            state.missing += 1;
            state.counts.dropped += 1;
            return;
        }
        if state.missing > 0 {
            let missing = std::mem::take(&mut state.missing);
            state.put(|sequence, out| note(sequence, missing, out));
        }
        state.put(render);
    }

    /// Appends the note on what is missing, if anything is: there will be nothing after it.
    pub(crate) fn append_note(&self, note: impl FnOnce(u64, u64, &mut Vec<u8>)) {
        let mut state = self.shared.lock();
        let missing = std::mem::take(&mut state.missing);
        if missing > 0 {
            state.put(|sequence, out| note(sequence, missing, out));
        }
    }

    /// Nothing more will be appended.
    pub(crate) fn close(&self) {
        self.shared.lock().closed = true;
        self.shared.woken.notify_all();
    }

    /// Records that the collector does not have yet, as far as is known.
    pub(crate) fn waiting(&self) -> u64 {
        let state = self.shared.lock();
        state.next - 1 - state.acknowledged_sequence.min(state.next - 1)
    }

    /// What happened to records.
    pub(crate) fn counts(&self) -> Counts {
        self.shared.lock().counts
    }

    /// The end that records are taken from; there should be one at a time.
    pub(crate) fn reader(&self) -> Reader {
        let place = self.shared.lock().acknowledged;
        Reader { shared: Arc::clone(&self.shared), place, file: None }
    }
}

impl State {
    fn octets(&self) -> u64 {
        self.segments.iter().map(|segment| segment.length).sum::<u64>() + self.buffer.len() as u64
    }

    fn put(&mut self, render: impl FnOnce(u64, &mut Vec<u8>)) {
        let start = self.buffer.len();
        self.buffer.extend_from_slice(&[0; HEADER]);
        render(self.next, &mut self.buffer);
        let length = self.buffer.len() - start - HEADER;
        if length > PAYLOAD_MAX {
            self.buffer.truncate(start);
            self.counts.dropped += 1;
            return;
        }
        let (header, payload) = self.buffer[start..].split_at_mut(HEADER);
        header[..4].copy_from_slice(&(length as u32).to_le_bytes());
        header[8..].copy_from_slice(&self.next.to_le_bytes());
        let crc = checksum(&header[8..], payload);
        header[4..8].copy_from_slice(&crc.to_le_bytes());
        self.next += 1;
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic while it was held leaves nothing half done that matters: octets are counted after they are written.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes the buffer to the tail, and begins another segment where that one is long enough.
    fn flush(&self, state: &mut State) -> io::Result<()> {
        if state.buffer.is_empty() {
            return Ok(());
        }
        let Some(tail) = state.segments.back_mut() else { return Ok(()) };
        // At its place, so that a write that failed half-way is written over by the next try.
        state.tail.write_all_at(&state.buffer, tail.length)?;
        tail.length += state.buffer.len() as u64;
        state.buffer.clear();
        if tail.length >= self.segment {
            // What is complete shall survive the machine, too.
            state.tail.sync_data()?;
            let number = tail.number + 1;
            state.tail = open_segment(&self.directory, number)?;
            state.segments.push_back(Segment { number, length: 0 });
        }
        Ok(())
    }
}

/// The end that records are taken from.
#[derive(Debug)]
pub(crate) struct Reader {
    shared: Arc<Shared>,
    place: Place,
    file: Option<(u64, File)>,
}

impl Reader {
    /// The next records, at most so many and about so many octets; none if there are none now.
    pub(crate) fn take(&mut self, most: usize, octets: usize) -> io::Result<Vec<Queued>> {
        let mut taken = Vec::new();
        let mut size = 0;
        while taken.len() < most && size < octets {
            let Some((length, is_tail)) = self.segment()? else { break };
            if self.place.offset >= length {
                if is_tail {
                    break;
                }
                self.place = Place { segment: self.place.segment + 1, offset: 0 };
                continue;
            }
            if let Some(record) = self.read(length)? {
                size += record.payload.len();
                self.place = record.end;
                taken.push(record);
            } else {
                self.shared.lock().counts.damaged += 1;
                self.place.offset = length;
            }
        }
        Ok(taken)
    }

    /// Length of the segment that is read, and whether it is the one appended to.
    fn segment(&mut self) -> io::Result<Option<(u64, bool)>> {
        let mut state = self.shared.lock();
        self.shared.flush(&mut state)?;
        let Some(oldest) = state.segments.front() else { return Ok(None) };
        if self.place.segment < oldest.number {
            self.place = Place { segment: oldest.number, offset: 0 };
        }
        let tail = state.segments.back().map_or(0, |tail| tail.number);
        let place = self.place.segment;
        let found = state.segments.iter().find(|segment| segment.number >= place);
        Ok(found.map(|segment| {
            if segment.number > place {
                self.place = Place { segment: segment.number, offset: 0 };
            }
            (segment.length, segment.number == tail)
        }))
    }

    /// The record at the place; `None` where there is damage.
    fn read(&mut self, length: u64) -> io::Result<Option<Queued>> {
        let number = self.place.segment;
        let file = match &mut self.file {
            Some((open, file)) if *open == number => &*file,
            slot => &slot.insert((number, File::open(path(&self.shared.directory, number))?)).1,
        };
        let left = length - self.place.offset;
        let record = read_record(file, self.place.offset, left)?;
        Ok(record.map(|(sequence, payload)| {
            let offset = self.place.offset + (HEADER + payload.len()) as u64;
            Queued { sequence, payload, end: Place { segment: number, offset } }
        }))
    }

    /// Goes back to the first record that is not acknowledged.
    pub(crate) fn rewind(&mut self) {
        self.place = self.shared.lock().acknowledged;
    }

    /// The collector has everything up to a record.
    pub(crate) fn acknowledge(&mut self, sequence: u64, place: Place) -> io::Result<()> {
        let directory = self.shared.directory.clone();
        let text = format!("{} {} {sequence}\n", place.segment, place.offset);
        fs::write(directory.join("acknowledged.new"), text)?;
        fs::rename(directory.join("acknowledged.new"), directory.join("acknowledged"))?;
        let mut over = Vec::new();
        {
            let mut state = self.shared.lock();
            state.acknowledged = place;
            state.acknowledged_sequence = sequence;
            while state.segments.len() > 1
                && state.segments.front().is_some_and(|oldest| {
                    oldest.number < place.segment
                        || (oldest.number == place.segment && place.offset >= oldest.length)
                })
            {
                over.extend(state.segments.pop_front().map(|segment| segment.number));
            }
        }
        over.into_iter().try_for_each(|number| fs::remove_file(path(&directory, number)))
    }

    /// Waits until there may be something to do.
    pub(crate) fn wait(&self, longest: Duration) {
        let state = self.shared.lock();
        if !state.closed {
            drop(self.shared.woken.wait_timeout(state, longest));
        }
    }

    /// Whether nothing more will be appended.
    pub(crate) fn is_closed(&self) -> bool {
        self.shared.lock().closed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(queue: &Queue, text: &str) {
        queue.append(
            |_, out| out.extend_from_slice(text.as_bytes()),
            |_, missing, out| out.extend_from_slice(format!("missing {missing}").as_bytes()),
        );
    }

    fn texts(records: &[Queued]) -> Vec<String> {
        records.iter().map(|record| String::from_utf8(record.payload.clone()).unwrap()).collect()
    }

    #[test]
    fn what_was_not_acknowledged_comes_again_after_a_restart() {
        let scratch = tempfile::tempdir().unwrap();
        let queue = Queue::open(scratch.path(), 1 << 20).unwrap();
        for text in ["a", "b", "c"] {
            put(&queue, text);
        }
        let mut reader = queue.reader();
        let taken = reader.take(2, 1000).unwrap();
        assert_eq!(texts(&taken), ["a", "b"]);
        reader.acknowledge(taken[0].sequence, taken[0].end).unwrap();
        assert_eq!(queue.waiting(), 2);
        let identity = queue.identity().to_owned();
        assert!(Queue::open(scratch.path(), 1 << 20).is_err(), "one process at a time");
        drop((queue, reader));
        let queue = Queue::open(scratch.path(), 1 << 20).unwrap();
        assert_eq!(queue.identity(), identity);
        put(&queue, "d");
        let taken = queue.reader().take(10, 1000).unwrap();
        assert_eq!(texts(&taken), ["b", "c", "d"]);
        assert_eq!(taken.iter().map(|record| record.sequence).collect::<Vec<_>>(), [2, 3, 4]);
    }

    #[test]
    fn segments_are_deleted_when_they_are_done_with() {
        let scratch = tempfile::tempdir().unwrap();
        let queue = Queue::open(scratch.path(), LIMIT_MIN).unwrap();
        let mut reader = queue.reader();
        let mut expected = 0;
        for round in 0..200_u64 {
            for index in 0..10_u64 {
                put(&queue, &format!("{:0200}", round * 10 + index));
            }
            let taken = reader.take(7, 1 << 20).unwrap();
            for record in &taken {
                assert_eq!(texts(std::slice::from_ref(record)), [format!("{expected:0200}")]);
                expected += 1;
            }
            while let Some(last) = reader.take(100, 1 << 20).unwrap().last() {
                expected = last.sequence;
                reader.acknowledge(last.sequence, last.end).unwrap();
            }
        }
        assert_eq!(expected, 2000);
        assert_eq!(queue.waiting(), 0);
        assert_eq!(queue.counts().dropped, 0);
        let octets: u64 =
            fs::read_dir(scratch.path()).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum();
        assert!(octets < LIMIT_MIN, "{octets}");
    }

    #[test]
    fn a_full_queue_drops_the_newest_and_says_so_where_they_are_missing() {
        let scratch = tempfile::tempdir().unwrap();
        let queue = Queue::open(scratch.path(), LIMIT_MIN).unwrap();
        let mut reader = queue.reader();
        for index in 0..1000 {
            put(&queue, &format!("{index:0200}"));
        }
        let dropped = queue.counts().dropped;
        assert!(dropped > 500, "{dropped}");
        let mut seen = Vec::new();
        loop {
            let taken = reader.take(50, 1 << 20).unwrap();
            let Some(last) = taken.last() else { break };
            reader.acknowledge(last.sequence, last.end).unwrap();
            seen.extend(texts(&taken));
        }
        put(&queue, "after");
        seen.extend(texts(&reader.take(50, 1 << 20).unwrap()));
        let kept = 1000 - dropped as usize;
        let expected: Vec<_> = (0..kept).map(|index| format!("{index:0200}")).collect();
        assert_eq!(seen[..kept], expected);
        assert_eq!(seen[kept..], [format!("missing {dropped}"), "after".to_owned()]);
    }

    fn segment_files(directory: &Path) -> Vec<PathBuf> {
        let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
        let mut files: Vec<_> =
            entries.filter(|file| file.extension().is_some_and(|ext| ext == "seg")).collect();
        files.sort();
        files
    }

    fn hundred(directory: &Path, limit: u64) -> Vec<PathBuf> {
        let queue = Queue::open(directory, limit).unwrap();
        for index in 0..100 {
            put(&queue, &format!("{index:0200}"));
        }
        // Reading writes what is buffered.
        assert_eq!(queue.reader().take(1, 1).unwrap().len(), 1);
        segment_files(directory)
    }

    #[test]
    fn a_torn_record_is_cut_off() {
        let scratch = tempfile::tempdir().unwrap();
        let files = hundred(scratch.path(), 1 << 20);
        assert_eq!(files.len(), 1);
        let before = fs::read_to_string(scratch.path().join("identity")).unwrap();
        let octets = fs::read(&files[0]).unwrap();
        fs::write(&files[0], &octets[..octets.len() - 3]).unwrap();
        let queue = Queue::open(scratch.path(), 1 << 20).unwrap();
        assert_ne!(queue.identity(), before);
        put(&queue, "after the crash");
        let seen = texts(&queue.reader().take(1000, 1 << 20).unwrap());
        assert_eq!(seen.len(), 100);
        assert_eq!(seen[98], format!("{:0200}", 98));
        assert_eq!(seen[99], "after the crash");
    }

    #[test]
    fn damage_is_skipped_and_counted() {
        let scratch = tempfile::tempdir().unwrap();
        let files = hundred(scratch.path(), LIMIT_MIN);
        assert_eq!(files.len(), 2);
        let mut octets = fs::read(&files[0]).unwrap();
        octets[300] ^= 1;
        fs::write(&files[0], &octets).unwrap();
        let queue = Queue::open(scratch.path(), LIMIT_MIN).unwrap();
        put(&queue, "after");
        let seen = texts(&queue.reader().take(1000, 1 << 20).unwrap());
        assert_eq!(seen, [format!("{:0200}", 0), "after".to_owned()]);
        assert_eq!(queue.counts().damaged, 1);
    }
}
