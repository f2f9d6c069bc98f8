//! DNP3 in a connection. The connection is recognised; its fragments are not taken apart yet.

use crate::analyser::Items;
use crate::stream::Piece;

/// The DNP3 side of a connection.
#[derive(Debug)]
pub(crate) struct Dnp3Conn {}

impl Dnp3Conn {
    /// `_partial`: the connection is seen from the middle, so that its first segment may not begin a frame.
    pub(crate) fn new(_partial: bool) -> Self {
        Self {}
    }

    /// Takes what a direction of a TCP connection gave out.
    #[expect(clippy::unused_self, reason = "nothing is kept yet")]
    pub(crate) fn deliver(&mut self, _from_orig: bool, _piece: Piece<'_>, _out: &mut Items) {}

    /// Takes a UDP datagram.
    #[expect(clippy::unused_self, reason = "nothing is kept yet")]
    pub(crate) fn datagram(&mut self, _from_orig: bool, _octets: &[u8], _out: &mut Items) {}
}
