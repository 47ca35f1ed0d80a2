//! Proving control over names: DNS-01 through provider plugins, HTTP-01 through answers kept in memory.
//!
//! This module finds the place of a TXT value, has a plugin put it there, waits until the world sees it and has it
//! removed again. It never talks to a CA, never stores anything and never decides when a challenge is due: whoever
//! issues certificates calls it, step by step, and writes down what it is about to do before each step.

pub mod dns01;
mod error;
pub mod http01;
pub mod provider;
pub mod providers;

pub use error::{ChallengeError, Invisible};
