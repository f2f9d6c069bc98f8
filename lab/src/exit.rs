//! Exit codes.

use std::process::ExitCode;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done.
    Done,
    /// Done, and what was looked at is not as it should be.
    FoundWrong,
    /// The input was not usable; the message says where and how to mend it.
    Unusable,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Done => Self::SUCCESS,
            Exit::FoundWrong => Self::from(1),
            Exit::Unusable => Self::from(2),
        }
    }
}
