//! Messages in packets (\[MS-TDS\] section 2.2.3).
//!
//! ```text
//!  0      1        2        4       6           7        8
//! +------+--------+--------+-------+-----------+--------+----------+
//! | type | status | length | SPID  | packet id | window | data     |
//! +------+--------+--------+-------+-----------+--------+----------+
//! ```
//! Length and SPID are big-endian, the length counts the header. Status 1 marks the last packet of a message.

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::TdsError;

/// A SQL batch.
pub const BATCH: u8 = 0x01;
/// Whatever a server answers.
pub const ANSWER: u8 = 0x04;
/// LOGIN7.
pub const LOGIN: u8 = 0x10;
/// Pre-login.
pub const PRELOGIN: u8 = 0x12;

/// Octets of a packet, header included, that both ends send at most.
pub const PACKET_SIZE: usize = 4096;
/// Octets of a packet that are taken at most.
const PACKET_MAX: usize = 32_767;
/// Octets of a message that are taken at most.
pub const MESSAGE_MAX: usize = 4 << 20;

const HEADER_LEN: usize = 8;
const END_OF_MESSAGE: u8 = 1;

/// Sends one message, in as many packets as it takes.
pub(super) async fn write<S>(stream: &mut S, kind: u8, spid: u16, message: &[u8]) -> Result<(), TdsError>
where
    S: AsyncWrite + Unpin,
{
    let pieces = message.chunks(PACKET_SIZE - HEADER_LEN);
    let last = pieces.len().saturating_sub(1);
    let mut out = Vec::with_capacity(message.len() + HEADER_LEN * (last + 1));
    for (at, piece) in pieces.enumerate() {
        let [length_high, length_low] = ((HEADER_LEN + piece.len()) as u16).to_be_bytes();
        let [spid_high, spid_low] = spid.to_be_bytes();
        let status = if at == last { END_OF_MESSAGE } else { 0 };
        let id = (at + 1) as u8;
        out.extend_from_slice(&[kind, status, length_high, length_low, spid_high, spid_low, id, 0]);
        out.extend_from_slice(piece);
    }
    stream.write_all(&out).await?;
    stream.flush().await?;
    Ok(())
}

/// Takes one message of the given type. `None` where the other end has closed before its first octet.
pub(super) async fn read<S>(stream: &mut S, expected: u8) -> Result<Option<Vec<u8>>, TdsError>
where
    S: AsyncRead + Unpin,
{
    let mut message = Vec::new();
    let mut first = true;
    loop {
        let mut header = [0; HEADER_LEN];
        if first && stream.read(&mut header[..1]).await? == 0 {
            return Ok(None);
        }
        stream.read_exact(&mut header[usize::from(first)..]).await?;
        first = false;
        let [got, status, length_high, length_low, ..] = header;
        if got != expected {
            return Err(TdsError::MessageType { expected, got });
        }
        let length = usize::from(u16::from_be_bytes([length_high, length_low]));
        if !(HEADER_LEN..=PACKET_MAX).contains(&length) {
            return Err(TdsError::PacketLength { got: length, max: PACKET_MAX });
        }
        let start = message.len();
        let end = start + length - HEADER_LEN;
        if end > MESSAGE_MAX {
            return Err(TdsError::MessageLength { max: MESSAGE_MAX });
        }
        message.resize(end, 0);
        stream.read_exact(&mut message[start..]).await?;
        if status & END_OF_MESSAGE != 0 {
            return Ok(Some(message));
        }
    }
}
