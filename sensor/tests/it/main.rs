//! Integration tests of the sensor: frames in, files out.

mod findings;
mod frames;
mod oracle;
mod robust;
mod session;
