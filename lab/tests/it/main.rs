//! Whole-lab tests through the command, as a user runs it, and the tests that keep the house in order.

mod bad_input;
mod borrowed_badge;
mod command;
mod far_tank;
mod house;
mod incident;
mod live;
mod mimics;
mod power;
mod record;
mod report;
mod same;
mod score;
mod services;
mod tabletop;
mod task;
