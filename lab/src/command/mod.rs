//! One file per command.

pub(crate) mod blame;
pub(crate) mod check;
pub(crate) mod dataset;
pub(crate) mod doctor;
pub(crate) mod export;
pub(crate) mod incident;
pub(crate) mod judge;
pub(crate) mod key;
pub(crate) mod list;
pub(crate) mod pack;
pub(crate) mod plant;
pub(crate) mod quiz;
pub(crate) mod replay;
pub(crate) mod report;
pub(crate) mod run;
pub(crate) mod score;
pub(crate) mod sense;
pub(crate) mod serve;
pub(crate) mod shift;
pub(crate) mod simulate;
pub(crate) mod tabletop;
pub(crate) mod task;
pub(crate) mod verify;
