//! Endpoints of tokens. The API key makes, shows and removes them; a token shows itself.

use crate::api::error::{ApiError, Code};
use crate::names::TokenId;

pub(super) mod create;
pub(super) mod delete;
pub(super) mod own;
pub(super) mod read;
pub(super) mod replace;

/// A path that holds no UUID names no token: 404 as in the existing system, which looks it up as it is.
fn id_in_path(text: &str) -> Result<TokenId, ApiError> {
    text.parse().map_err(|error: crate::names::NameError| ApiError::new(Code::TokenNotFound, error.to_string()))
}
