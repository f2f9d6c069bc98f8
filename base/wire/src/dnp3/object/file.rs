//! File objects (group 70; IEEE 1815-2012, annex A.31): what is done to which file.

use super::value::{CommandStatus, little};

/// What an object of group 70 says, as far as it is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileObject<'a> {
    /// Variation 2: authentication.
    Authentication {
        /// Who asks.
        user: &'a [u8],
        /// 0 in a request.
        key: u32,
    },
    /// Variation 3: a command to a file by its name.
    Command {
        /// The file.
        name: &'a [u8],
        /// 1 read, 2 write, 3 append; 0 for deletions.
        mode: u16,
        /// Octets, of files to be written.
        size: u32,
        /// Largest block that the master takes.
        block_max: u16,
        /// Pairs an answer with its request.
        request_id: u16,
    },
    /// Variation 4: what became of a command; of a request, which handle to close or abort.
    CommandStatus {
        /// Names the open file from now on.
        handle: u32,
        /// Octets.
        size: u32,
        /// Largest block that the outstation takes.
        block_max: u16,
        /// Pairs an answer with its request.
        request_id: u16,
        /// 0 for success.
        status: CommandStatus,
    },
    /// Variation 5: a block of the file.
    Transport {
        /// The open file.
        handle: u32,
        /// Block number from 0, the high bit marks the last.
        block: u32,
        /// Content; of a request to read, none.
        data: &'a [u8],
    },
    /// Variation 6: what became of a block.
    TransportStatus {
        /// The open file.
        handle: u32,
        /// Block number from 0, the high bit marks the last.
        block: u32,
        /// 0 for success.
        status: CommandStatus,
    },
    /// Variation 7: a file's description.
    Descriptor {
        /// The file.
        name: &'a [u8],
        /// 0 for a directory, 1 for a file.
        kind: u16,
        /// Octets, or files in a directory.
        size: u32,
    },
    /// Variation 8: a name alone.
    Specification {
        /// The file.
        name: &'a [u8],
    },
}

impl<'a> FileObject<'a> {
    /// Reads an object of this variation; `None` where its fixed part is not whole or the variation has no fields here.
    /// A name that its offset and length put beyond the object is as long as what is there.
    pub fn parse(variation: u8, octets: &'a [u8]) -> Option<Self> {
        let word = |at: usize| octets.get(at..at + 2).map(|octets| little(octets) as u16);
        let long = |at: usize| octets.get(at..at + 4).map(|octets| little(octets) as u32);
        let text = |offset: usize, length: usize| {
            let (start, length) = (usize::from(word(offset)?), usize::from(word(length)?));
            let rest = octets.get(start..).unwrap_or_default();
            Some(&rest[..rest.len().min(length)])
        };
        Some(match variation {
            2 => Self::Authentication { user: text(0, 2)?, key: long(8)? },
            3 => Self::Command {
                name: text(0, 2)?,
                size: long(16)?,
                mode: word(20)?,
                block_max: word(22)?,
                request_id: word(24)?,
            },
            4 => Self::CommandStatus {
                handle: long(0)?,
                size: long(4)?,
                block_max: word(8)?,
                request_id: word(10)?,
                status: CommandStatus(*octets.get(12)?),
            },
            5 => Self::Transport { handle: long(0)?, block: long(4)?, data: octets.get(8..)? },
            6 => Self::TransportStatus {
                handle: long(0)?,
                block: long(4)?,
                status: CommandStatus(*octets.get(8)?),
            },
            7 => Self::Descriptor { name: text(0, 2)?, kind: word(4)?, size: long(6)? },
            8 => Self::Specification { name: octets },
            _ => return None,
        })
    }

    /// The file's name, where it is said.
    pub const fn name(&self) -> Option<&'a [u8]> {
        match *self {
            Self::Command { name, .. } | Self::Descriptor { name, .. } | Self::Specification { name } => {
                Some(name)
            }
            _ => None,
        }
    }
}
