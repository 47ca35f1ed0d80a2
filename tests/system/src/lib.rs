//! Set-up shared by the system tests.

pub mod site;
