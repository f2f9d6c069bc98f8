//! Whole-lab tests, and the tests that keep the house in order.

mod house;
