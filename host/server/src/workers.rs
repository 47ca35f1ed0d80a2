//! What happens without a request: each worker is a function of stored state and the clock, safe to run twice.

pub mod intents;
pub mod restore;
