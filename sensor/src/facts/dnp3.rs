//! The DNP3 side of a pair: who masters whom, with which functions, and which points it operates.

use super::learn_range;

/// Link address pairs kept per pair of hosts.
const ADDRESSES_MAX: usize = 256;

/// What the baseline wants to know of a DNP3 request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dnp3Request<'a> {
    /// Application function code.
    pub(crate) function: u8,
    /// Link addresses, source and destination.
    pub(crate) addresses: (u16, u16),
    /// Points that it selects or operates: whether analog (group 41) rather than binary (group 12), and the index.
    pub(crate) controls: &'a [(bool, u32)],
    pub(crate) at: u64,
}

/// What is new about a DNP3 request.
#[expect(clippy::struct_excessive_bools, reason = "each is a field that rules ask for by name")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Dnp3News {
    /// This host never was a master of that one.
    pub(crate) new_master: bool,
    pub(crate) new_function: bool,
    /// The host pair is known, these link addresses between them are not.
    pub(crate) new_address: bool,
    /// A point that it never operated.
    pub(crate) new_control: bool,
    /// How many times the learnt most this second has brought.
    pub(crate) rate: u32,
}

/// What was learnt about the DNP3 requests of a pair.
#[derive(Clone, Debug, Default)]
pub(crate) struct Dnp3Facts {
    /// Something was learnt of the pair, if only that one reports and the other confirms.
    pub(crate) known: bool,
    /// Function codes of requests, one bit each; all of the standard's are below 64.
    pub(crate) functions: u64,
    pub(crate) addresses: Vec<(u16, u16)>,
    /// Points operated: binary outputs, analog outputs; first and last index.
    pub(crate) controls: [Vec<(u16, u16)>; 2],
}

impl Dnp3Facts {
    /// A response, a report or a confirmation.
    pub(crate) fn other(&mut self, learning: bool) -> Dnp3News {
        self.known |= learning;
        Dnp3News { new_master: !self.known, ..Dnp3News::default() }
    }

    pub(crate) fn request(&mut self, request: &Dnp3Request<'_>, learning: bool) -> Dnp3News {
        let bit = 1u64 << (request.function & 63);
        if learning {
            self.known = true;
            self.functions |= bit;
            if !self.addresses.contains(&request.addresses) && self.addresses.len() < ADDRESSES_MAX {
                self.addresses.push(request.addresses);
            }
            for (analog, index) in request.controls {
                let index = u16::try_from(*index).unwrap_or(u16::MAX);
                learn_range(&mut self.controls[usize::from(*analog)], index, index);
            }
            return Dnp3News::default();
        }
        let new_control = request.controls.iter().any(|(analog, index)| {
            let known = &self.controls[usize::from(*analog)];
            !known.iter().any(|(from, to)| (u32::from(*from)..=u32::from(*to)).contains(index))
        });
        let new_master = !self.known;
        Dnp3News {
            new_master,
            new_function: self.functions & bit == 0,
            new_address: !new_master && !self.addresses.contains(&request.addresses),
            new_control,
            rate: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(function: u8, destination: u16, controls: &[(bool, u32)]) -> Dnp3Request<'_> {
        Dnp3Request { function, addresses: (1, destination), controls, at: 0 }
    }

    #[test]
    fn a_master_is_known_by_its_functions_addresses_and_points() {
        let mut facts = Dnp3Facts::default();
        assert!(facts.request(&request(1, 10, &[]), false).new_master && facts.other(false).new_master);
        assert_eq!(facts.request(&request(1, 10, &[]), true), Dnp3News::default());
        facts.request(&request(5, 10, &[(false, 4)]), true);
        assert_eq!(facts.request(&request(5, 10, &[(false, 4)]), false), Dnp3News::default());
        assert!(facts.request(&request(5, 10, &[(false, 5)]), false).new_control);
        assert!(facts.request(&request(5, 10, &[(true, 4)]), false).new_control);
        let news = facts.request(&request(13, 11, &[]), false);
        assert!(news.new_function && news.new_address && !news.new_master);
    }
}
