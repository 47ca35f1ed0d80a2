//! Sessions: a login with a name and a password, a token that stands for it in the requests that follow, and a logout.
//!
//! Each call of a provider is a fresh instance, so each logs in for itself.
//!
//! ```
//! use acme_manager_plugin::auth::session::{self, TokenIn};
//! use acme_manager_plugin::http::Client;
//! use acme_manager_plugin::testing::MockApi;
//!
//! # let api = MockApi::new();
//! # api.expect("POST", "https://api.example.com/login").answer(200, r#"{"data": {"token": "t"}}"#);
//! # api.expect("GET", "https://api.example.com/zones").header("authorization", "Bearer t").answer(200, "[]");
//! # api.expect("POST", "https://api.example.com/logout").header("authorization", "Bearer t").answer(204, "");
//! let client = Client::new("https://api.example.com").unwrap();
//! let form = [("user", "alice"), ("password", "wonderland")];
//! let token = session::login(client.post("login").form(form), TokenIn::Json("/data/token")).unwrap();
//! let zones = session::within(
//!     client.bearer(&token),
//!     |api| api.get("zones").send()?.json::<Vec<String>>(),
//!     |api| api.post("logout").send().map(drop),
//! );
//! assert!(zones.unwrap().is_empty());
//! ```

use serde_json::Value;

use crate::http::{Request, Response};
use crate::{Error, host};

/// Where in the answer to a login the token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenIn<'a> {
    /// In the header of this name.
    Header(&'a str),
    /// In the cookie of this name. It goes back as [`Client::header`](crate::http::Client::header) `Cookie`,
    /// `name=token`.
    Cookie(&'a str),
    /// In the JSON body, at this pointer (RFC 6901): `/data/token`. A number is taken as its digits.
    Json(&'a str),
}

impl TokenIn<'_> {
    /// The token of an answer.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`](crate::ErrorKind::Unavailable) when the answer has none there, or an empty one.
    pub fn find(self, response: &Response) -> Result<String, Error> {
        let found = match self {
            Self::Header(name) => response.header(name).map(str::to_owned),
            Self::Cookie(name) => response.cookie(name).map(str::to_owned),
            Self::Json(pointer) => match response.json::<Value>()?.pointer(pointer) {
                Some(Value::String(token)) => Some(token.clone()),
                Some(Value::Number(token)) => Some(token.to_string()),
                _ => None,
            },
        };
        found.filter(|token| !token.is_empty()).ok_or_else(|| {
            let place = match self {
                Self::Header(name) => format!("header {name}"),
                Self::Cookie(name) => format!("cookie {name}"),
                Self::Json(pointer) => format!("text at {pointer}"),
            };
            Error::unavailable(format!("{} answered {} without {place}", response.request(), response.status()))
        })
    }
}

/// Sends the request that logs in, and takes the token from its answer.
///
/// # Errors
/// As [`Request::send`] and [`TokenIn::find`].
pub fn login(request: Request<'_>, token: TokenIn<'_>) -> Result<String, Error> {
    token.find(&request.send()?)
}

/// Works within a session, and logs out whatever came of the work. A logout that fails is a line in the log and
/// nothing else: the work is done or failed for its own reason, and a session ends by itself some time.
///
/// # Errors
/// Those of the work.
pub fn within<S, T>(
    session: S,
    work: impl FnOnce(&S) -> Result<T, Error>,
    logout: impl FnOnce(&S) -> Result<(), Error>,
) -> Result<T, Error> {
    let result = work(&session);
    if let Err(error) = logout(&session) {
        host::warn(&format!("the session was not closed: {error}"));
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;
    use crate::http::Client;
    use crate::testing::MockApi;

    const URL: &str = "https://api.example.com/login";

    fn find(headers: &[(&str, &str)], body: &str, token: TokenIn<'_>) -> Result<String, Error> {
        let api = MockApi::new();
        api.expect("POST", URL).answer_with(200, headers, body);
        login(Client::new("https://api.example.com").unwrap().post("login"), token)
    }

    #[test]
    fn tokens_are_found_where_vendors_put_them() {
        let cookies = [("Set-Cookie", "theme=dark; Path=/"), ("set-cookie", "SID=a=b; HttpOnly"), ("X-Token", "h")];
        for (token, expected) in [
            (TokenIn::Header("x-token"), Ok("h")),
            (TokenIn::Cookie("SID"), Ok("a=b")),
            (TokenIn::Json("/data/0/token"), Ok("j")),
            (TokenIn::Json("/id"), Ok("17")),
            (TokenIn::Header("x-other"), Err("header x-other")),
            (TokenIn::Cookie("sid"), Err("cookie sid")),
            (TokenIn::Json("/data"), Err("text at /data")),
            (TokenIn::Json("/empty"), Err("text at /empty")),
        ] {
            let body = r#"{"data": [{"token": "j"}], "id": 17, "empty": ""}"#;
            match (find(&cookies, body, token), expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{token:?}"),
                (Err(error), Err(place)) => {
                    assert_eq!(error.kind(), ErrorKind::Unavailable);
                    let message = format!("POST api.example.com/login answered 200 without {place}");
                    assert_eq!(error.message(), message);
                }
                (found, expected) => panic!("{token:?}: {found:?}, not {expected:?}"),
            }
        }
        assert_eq!(find(&[], "<html>", TokenIn::Json("/token")).unwrap_err().kind(), ErrorKind::Unavailable);
    }

    #[test]
    fn a_session_ends_whatever_came_of_the_work() {
        for work in [Ok(7), Err(Error::rejected("the work failed"))] {
            for end in [Ok(()), Err(Error::unavailable("the logout failed"))] {
                let api = MockApi::new();
                let mut ended = false;
                let warns = end.is_err();
                let result = within(
                    "session",
                    |session| {
                        assert_eq!(*session, "session");
                        work.clone()
                    },
                    |_| {
                        ended = true;
                        end
                    },
                );
                assert_eq!(result, work, "the logout does not change what came of the work");
                assert!(ended);
                assert_eq!(api.log().len(), usize::from(warns));
            }
        }
    }
}
