//! What belongs together on one link: requests, responses, confirmations, repetitions.
//!
//! # Theory of operation
//! A master has one request under way per outstation (IEEE 1815-2012, clause 4.1.2); its answer bears the request's
//! sequence number, and further fragments of the answer the numbers behind it. Unsolicited responses have a sequence of
//! their own. So the state of a link is one request, one answer, one unsolicited response, each with its number and a
//! digest by which a repetition is told from another message of the same number.
//!
//! What nothing on the link led to is *unawaited*: a confirmation of a number that was not to be confirmed, a response
//! whose number is that of no request. Late ones (the number before) and repetitions are not, and nothing is where octets
//! are missing or the link is seen from the middle, until its two sides have been seen to fit.
//!
//! Nothing is concluded here. A retry over a bad line and a replayed command look the same; the rules see both the
//! repetition and what surrounds it.

use wire::dnp3::{AppControl, Fragment, FunctionCode, Iin};

/// One message.
#[derive(Clone, Copy, Debug)]
struct Said {
    sequence: u8,
    digest: u64,
    at: u64,
}

#[derive(Clone, Copy, Debug)]
struct Request {
    said: Said,
    function: FunctionCode,
    answered: bool,
    /// Number of the request before.
    before: Option<u8>,
    /// Digest of its objects.
    objects: u64,
}

#[derive(Clone, Copy, Debug)]
struct Response {
    said: Said,
    /// Its last fragment was seen.
    ended: bool,
    wants_confirm: bool,
    /// Number of the response before.
    before: Option<u8>,
}

/// The state of a link.
#[derive(Debug, Default)]
pub(crate) struct Talk {
    request: Option<Request>,
    response: Option<Response>,
    unsolicited: Option<Response>,
    /// The last confirmation: its number, and whether of an unsolicited response.
    confirmed: Option<(u8, bool)>,
    /// Requests since the last answer.
    unanswered: u32,
    /// Indications of the last response.
    iin: Option<Iin>,
    /// Messages may be missing.
    unseen: bool,
}

/// What a fragment is to those before it.
#[expect(clippy::struct_excessive_bools, reason = "each is a field that rules ask for by name")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Told {
    /// Of a response: it answers the request under way (or goes on with such an answer). Of a confirmation: something
    /// asked for it. `None` where nothing is to match: requests, unsolicited responses.
    pub(crate) matched: Option<bool>,
    /// Function of the request that a response answers.
    pub(crate) request: Option<FunctionCode>,
    /// Nanoseconds from the request to the first fragment of its answer.
    pub(crate) elapsed: Option<u64>,
    /// The same fragment, to the octet, as the one before from this sender.
    pub(crate) repeated: bool,
    /// Its number neither follows the one before nor repeats it. Of requests and unsolicited responses.
    pub(crate) out_of_sequence: bool,
    /// A response to a request that has been answered in full, and not a repetition of that answer.
    pub(crate) second_answer: bool,
    /// A confirmation or response that nothing on this link led to.
    pub(crate) unawaited: bool,
    /// Requests on this link since it last answered, this one included; 0 for everything else.
    pub(crate) unanswered: u32,
    /// An operate that does not follow a select of the same objects.
    pub(crate) unselected: bool,
    /// A request, and the first on this link, which was seen from its start.
    pub(crate) first: bool,
    /// Of a request: the outstation's indications before it, where it said any on this link.
    pub(crate) iin_before: Option<Iin>,
}

impl Talk {
    /// `unseen`: messages before may have been missed.
    pub(crate) fn new(unseen: bool) -> Self {
        Self { unseen, ..Self::default() }
    }

    /// Octets were missed.
    pub(crate) fn missed(&mut self) {
        self.unseen = true;
    }

    /// Takes the next fragment; `at` is its time in nanoseconds.
    pub(crate) fn observe(&mut self, fragment: &Fragment<'_>, at: u64) -> Told {
        let (Some(control), Some(function)) = (fragment.control(), fragment.function()) else {
            return Told::default();
        };
        let said = Said { sequence: control.sequence(), digest: digest(fragment.octets()), at };
        let told = if function == FunctionCode::CONFIRM {
            self.confirmation(control)
        } else if !function.is_response() {
            self.request(function, said, fragment.octets().get(2..).unwrap_or_default())
        } else if function == FunctionCode::UNSOLICITED_RESPONSE || control.is_unsolicited() {
            self.unsolicited(control, said)
        } else {
            self.response(control, said)
        };
        self.iin = fragment.iin().or(self.iin);
        self.unseen &= told.matched != Some(true);
        told
    }

    fn confirmation(&mut self, control: AppControl) -> Told {
        let awaited = if control.is_unsolicited() { &mut self.unsolicited } else { &mut self.response };
        let matched = awaited.as_mut().is_some_and(|response| {
            response.said.sequence == control.sequence() && std::mem::take(&mut response.wants_confirm)
        });
        let number = (control.sequence(), control.is_unsolicited());
        let repeated = self.confirmed.replace(number) == Some(number);
        let is_late = awaited.is_some_and(|response| response.before == Some(control.sequence()));
        let unawaited = !(matched || repeated || is_late || self.unseen);
        Told { matched: Some(matched), repeated, unawaited, ..Told::default() }
    }

    fn request(&mut self, function: FunctionCode, said: Said, objects: &[u8]) -> Told {
        let before = self.request.map(|request| request.said);
        let (repeated, out_of_sequence) = compare(before, said);
        let first = before.is_none() && !self.unseen;
        let objects = digest(objects);
        // IEEE 1815-2012, 4.4.4.3: the very next request, and the same objects to the octet.
        let selects = |request: Request| {
            request.function == FunctionCode::SELECT
                && follows(request.said.sequence, said.sequence)
                && request.objects == objects
        };
        let operates = function == FunctionCode::OPERATE && !repeated && !self.unseen;
        let unselected = operates && !self.request.is_some_and(selects);
        // A master that repeats its request waits for its answer once more.
        let before = if repeated {
            self.request.and_then(|request| request.before)
        } else {
            before.map(|it| it.sequence)
        };
        self.request = Some(Request { said, function, answered: false, before, objects });
        self.unanswered = self.unanswered.saturating_add(u32::from(!function.is_without_response()));
        let (unanswered, iin_before) = (self.unanswered, self.iin);
        Told { repeated, out_of_sequence, unanswered, unselected, first, iin_before, ..Told::default() }
    }

    fn response(&mut self, control: AppControl, said: Said) -> Told {
        let before = self.response;
        let repeated = before.is_some_and(|before| same(before.said, said));
        self.unanswered = 0;
        let response = Response {
            said,
            ended: control.is_last(),
            wants_confirm: control.wants_confirm(),
            before: before.map(|before| before.said.sequence),
        };
        self.response = Some(response);
        let is_late = self.request.is_some_and(|request| request.before == Some(said.sequence));
        let unawaited = !(repeated || is_late || self.unseen);
        let mut told = Told { matched: Some(false), repeated, unawaited, ..Told::default() };
        let Some(request) = &mut self.request else { return told };
        if control.is_first() {
            let fits = request.said.sequence == said.sequence && !request.function.is_without_response();
            if fits && !request.answered {
                request.answered = true;
                told.elapsed = Some(said.at.saturating_sub(request.said.at));
            } else if fits {
                told.second_answer = !repeated;
                told.unawaited = false;
                return told;
            } else {
                return told;
            }
        } else {
            let goes_on =
                before.is_some_and(|before| !before.ended && follows(before.said.sequence, said.sequence));
            if !(goes_on && request.answered) {
                return told;
            }
        }
        told.matched = Some(true);
        told.unawaited = false;
        told.request = Some(request.function);
        told
    }

    fn unsolicited(&mut self, control: AppControl, said: Said) -> Told {
        let before = self.unsolicited.map(|before| before.said);
        let (repeated, out_of_sequence) = compare(before, said);
        let before = before.map(|before| before.sequence);
        self.unsolicited =
            Some(Response { said, ended: true, wants_confirm: control.wants_confirm(), before });
        let out_of_sequence = out_of_sequence && !self.unseen;
        Told { repeated, out_of_sequence, ..Told::default() }
    }
}

/// Whether a message repeats the one before, and whether its number is out of order.
fn compare(before: Option<Said>, said: Said) -> (bool, bool) {
    let Some(before) = before else { return (false, false) };
    let repeated = same(before, said);
    (repeated, !repeated && !follows(before.sequence, said.sequence))
}

fn same(before: Said, said: Said) -> bool {
    before.sequence == said.sequence && before.digest == said.digest
}

const fn follows(before: u8, sequence: u8) -> bool {
    sequence == (before + 1) & 0x0f
}

/// Tells fragments apart; not against somebody who wants two to look the same.
fn digest(octets: &[u8]) -> u64 {
    let (eights, rest) = octets.as_chunks::<8>();
    let mix = |sum: u64, word: u64| (sum ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    let sum = eights.iter().fold(octets.len() as u64, |sum, eight| mix(sum, u64::from_le_bytes(*eight)));
    rest.iter().fold(sum, |sum, octet| mix(sum, u64::from(*octet)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(talk: &mut Talk, at: u64, octets: &[u8]) -> Told {
        talk.observe(&Fragment::new(octets), at)
    }

    #[test]
    fn an_answer_finds_its_request() {
        let mut talk = Talk::default();
        let asked = told(&mut talk, 5, &[0xc3, 1, 60, 2, 6]);
        assert_eq!(asked, Told { unanswered: 1, first: true, ..Told::default() });
        let answer = told(&mut talk, 9, &[0xe3, 0x81, 0, 0]);
        assert_eq!((answer.matched, answer.request), (Some(true), Some(FunctionCode::READ)));
        assert_eq!(answer.elapsed, Some(4));
        assert_eq!(told(&mut talk, 10, &[0xc3, 0]).matched, Some(true));
        assert_eq!(told(&mut talk, 11, &[0xc3, 0]).matched, Some(false));
        let again = told(&mut talk, 12, &[0xe3, 0x81, 0, 0]);
        assert_eq!((again.matched, again.repeated, again.second_answer), (Some(false), true, false));
        let other = told(&mut talk, 13, &[0xe3, 0x81, 0, 1]);
        assert_eq!((other.repeated, other.second_answer), (false, true));
        assert_eq!(told(&mut talk, 14, &[0xc9, 0x81, 0, 0]).matched, Some(false));
    }

    #[test]
    fn what_nothing_led_to_is_told_from_what_is_late_or_repeated() {
        let mut talk = Talk::default();
        assert!(told(&mut talk, 0, &[0xd5, 0]).unawaited, "a confirmation before all reports");
        assert!(told(&mut talk, 1, &[0xc0, 0x81, 0, 0]).unawaited, "a response before all requests");
        for (octets, unawaited) in [
            ([0xf1, 0x82, 0, 0].as_slice(), false),
            (&[0xd2, 0], true),
            (&[0xd1, 0], false),
            (&[0xd1, 0], false),
            (&[0xf2, 0x82, 0, 0], false),
            (&[0xd1, 0], false),
            (&[0xc4, 1, 60, 1, 6], false),
            (&[0xc5, 1, 60, 2, 6], false),
            (&[0xc4, 0x81, 0, 0], false),
            (&[0xc5, 0x81, 0, 0], false),
            (&[0xc5, 0x81, 0, 1], false),
            (&[0xc9, 0x81, 0, 0], true),
        ] {
            assert_eq!(told(&mut talk, 2, octets).unawaited, unawaited, "{octets:02x?}");
        }
    }

    #[test]
    fn an_operate_belongs_to_the_select_before_it() {
        let mut talk = Talk::default();
        for (octets, unselected) in [
            ([0xc0, 4, 12, 1].as_slice(), true),
            (&[0xc1, 3, 12, 1], false),
            (&[0xc2, 4, 12, 1], false),
            (&[0xc2, 4, 12, 1], false),
            (&[0xc3, 4, 12, 1], true),
            (&[0xc4, 3, 12, 1], false),
            (&[0xc5, 4, 12, 2], true),
            (&[0xc6, 3, 12, 1], false),
            (&[0xc8, 4, 12, 1], true),
            (&[0xc9, 5, 12, 1], false),
        ] {
            assert_eq!(told(&mut talk, 0, octets).unselected, unselected, "{octets:02x?}");
        }
    }

    #[test]
    fn nothing_is_unawaited_on_a_link_seen_from_the_middle_until_it_fits() {
        let mut talk = Talk::new(true);
        assert!(!told(&mut talk, 0, &[0xd5, 0]).unawaited);
        assert!(!told(&mut talk, 1, &[0xc0, 0x81, 0x90, 0]).unawaited);
        let asked = told(&mut talk, 2, &[0xc3, 1, 60, 2, 6]);
        assert_eq!(asked.iin_before, Some(Iin(0x90)));
        told(&mut talk, 3, &[0xc3, 0x81, 0, 0]);
        assert!(told(&mut talk, 4, &[0xc9, 0x81, 0, 0]).unawaited);
        talk.missed();
        assert!(!told(&mut talk, 5, &[0xcc, 0x81, 0, 0]).unawaited);
    }

    #[test]
    fn an_answer_in_fragments_is_one_answer() {
        let mut talk = Talk::default();
        told(&mut talk, 0, &[0xcf, 1]);
        for (octets, matched) in
            [([0xaf, 0x81, 0, 0], true), ([0x20, 0x81, 0, 0], true), ([0x62, 0x81, 0, 0], false)]
        {
            assert_eq!(told(&mut talk, 1, &octets).matched, Some(matched), "{octets:02x?}");
        }
    }

    #[test]
    fn repetitions_and_jumps_are_told_apart() {
        let mut talk = Talk::default();
        told(&mut talk, 0, &[0xc1, 5, 1]);
        assert!(told(&mut talk, 1, &[0xc1, 5, 1]).repeated);
        let next = told(&mut talk, 2, &[0xc2, 5, 1]);
        assert!(!next.repeated && !next.out_of_sequence);
        assert!(told(&mut talk, 3, &[0xc9, 5, 1]).out_of_sequence);
        assert!(told(&mut talk, 4, &[0xc9, 5, 2]).out_of_sequence);
        let first = told(&mut talk, 5, &[0xf0, 0x82, 0, 0]);
        assert_eq!((first.matched, first.out_of_sequence), (None, false));
        assert_eq!(told(&mut talk, 6, &[0xd0, 0]).matched, Some(true));
    }
}
