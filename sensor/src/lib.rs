//! Passive sensor: frames to records to findings.
