//! Set-up shared by the system tests.

pub mod installation;
pub mod site;
