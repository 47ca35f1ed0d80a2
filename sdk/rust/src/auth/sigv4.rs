//! AWS Signature Version 4, which other vendors have taken over.
//!
//! Reference: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>
//!
//! ```
//! use acme_manager_plugin::auth::sigv4::Signer;
//! use acme_manager_plugin::http::Client;
//! use acme_manager_plugin::testing::MockApi;
//!
//! # let api = MockApi::new();
//! # api.expect("GET", "https://route53.amazonaws.com/2013-04-01/hostedzone").answer(200, "");
//! let signer = Signer::new("us-east-1", "route53", "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY");
//! let client = Client::new("https://route53.amazonaws.com/2013-04-01")
//!     .unwrap()
//!     .sign_with(move |request| signer.sign(request));
//! client.get("hostedzone").send().unwrap();
//! ```

use super::{hex, hmac_sha256, sha256};
use crate::http::{Unsigned, segment};
use crate::{Error, time};

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// The credentials for one service in one region.
#[derive(Clone)]
pub struct Signer {
    region: String,
    service: String,
    access_key: String,
    secret_key: String,
    session_token: Option<String>,
}

impl Signer {
    /// A signer with an access key's id and its secret, for a service under the name that it has in signatures.
    pub fn new(region: &str, service: &str, access_key: &str, secret_key: &str) -> Self {
        Self {
            region: region.to_owned(),
            service: service.to_owned(),
            access_key: access_key.to_owned(),
            secret_key: secret_key.to_owned(),
            session_token: None,
        }
    }

    /// Sends the token of temporary credentials too.
    #[must_use]
    pub fn session_token(mut self, token: &str) -> Self {
        self.session_token = Some(token.to_owned());
        self
    }

    /// Signs the method, the path, the query, the body, and of the headers `host`, `content-type` and all `x-amz-*`,
    /// for the present moment. Not for S3, which wants paths encoded once and a header with the body's digest.
    ///
    /// # Errors
    /// None; the result is what [`Client::sign_with`](crate::http::Client::sign_with) wants.
    pub fn sign(&self, request: &mut Unsigned<'_>) -> Result<(), Error> {
        let timestamp = time::now().basic();
        let date = timestamp.split('T').next().unwrap_or_default();
        request.set_header("x-amz-date", &timestamp);
        if let Some(token) = &self.session_token {
            request.set_header("x-amz-security-token", token);
        }
        let (names, canonical) = canonical_request(request);
        let scope = format!("{date}/{}/{}/aws4_request", self.region, self.service);
        let to_sign = format!("{ALGORITHM}\n{timestamp}\n{scope}\n{}", hex(sha256(canonical)));
        let key = hmac_sha256(format!("AWS4{}", self.secret_key), date);
        let key = [self.region.as_str(), self.service.as_str(), "aws4_request"].into_iter().fold(key, hmac_sha256);
        let signature = hex(hmac_sha256(key, to_sign));
        let access_key = &self.access_key;
        let value =
            format!("{ALGORITHM} Credential={access_key}/{scope}, SignedHeaders={names}, Signature={signature}");
        request.set_header("authorization", &value);
        Ok(())
    }
}

/// The names of the signed headers, and what is signed.
fn canonical_request(request: &Unsigned<'_>) -> (String, String) {
    let mut headers = vec![("host", request.authority().to_owned())];
    for (name, value) in request.headers() {
        if name == "content-type" || name.starts_with("x-amz-") {
            headers.push((name, value.split_ascii_whitespace().collect::<Vec<_>>().join(" ")));
        }
    }
    headers.sort();
    let names: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
    let names = names.join(";");
    let lines: String = headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
    let (method, path, query) = (request.method(), canonical_path(request.path()), canonical_query(request.query()));
    let body = hex(sha256(request.body()));
    let canonical = format!("{method}\n{path}\n{query}\n{lines}\n{names}\n{body}");
    (names, canonical)
}

/// The path is encoded once more, as all services but S3 expect it.
fn canonical_path(path: &str) -> String {
    path.split('/').map(segment).collect::<Vec<_>>().join("/")
}

fn canonical_query(query: &str) -> String {
    let mut pairs: Vec<(&str, &str)> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .collect();
    pairs.sort_unstable();
    pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{Client, Request};
    use crate::testing::MockApi;

    /// Sends a request of AWS's test suite and compares its signature.
    fn assert_signature(method: &str, path: &str, token: Option<&str>, names: &str, signature: &str) {
        let api = MockApi::new();
        let scope = "AKIDEXAMPLE/20150830/us-east-1/service/aws4_request";
        api.expect(method, &format!("https://example.amazonaws.com/{path}"))
            .header("x-amz-date", "20150830T123600Z")
            .header(
                "authorization",
                &format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders={names}, Signature={signature}"),
            )
            .answer(200, "");
        let signer = Signer::new("us-east-1", "service", "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY");
        let signer = token.into_iter().fold(signer, |signer, token| signer.session_token(token));
        let client = Client::new("https://example.amazonaws.com").unwrap();
        let client = client.sign_with(move |request| signer.sign(request));
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let request: Request<'_> = client.request(method, path);
        let request = if query.is_empty() { request } else { request.raw_query(query) };
        request.send().unwrap();
    }

    /// From the AWS Signature Version 4 test suite, by the names that the cases have there:
    /// <https://github.com/awslabs/aws-c-auth/tree/main/tests/aws-signing-test-suite/v4>
    #[test]
    fn signatures_are_those_of_the_test_suite() {
        let plain = |method, path, signature| assert_signature(method, path, None, "host;x-amz-date", signature);
        // get-vanilla
        plain("GET", "", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
        // get-vanilla-query-order-key-case
        plain(
            "GET",
            "?Param2=value2&Param1=value1",
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
        );
        // get-vanilla-query-order-encoded
        plain(
            "GET",
            "?Param-3=Value3&Param=Value2&%E1%88%B4=Value1",
            "371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac",
        );
        // post-vanilla-query
        plain("POST", "?Param1=value1", "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11");
        // get-vanilla-with-session-token
        assert_signature(
            "GET",
            "",
            Some("6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267"),
            "host;x-amz-date;x-amz-security-token",
            "07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8",
        );
    }

    /// double-encode-path
    #[test]
    fn paths_are_encoded_once_more() {
        let path = "/test/@connections/JBDvjfGEIAMCERw%3D";
        assert_eq!(canonical_path(path), "/test/%40connections/JBDvjfGEIAMCERw%253D");
    }

    /// post-x-www-form-urlencoded of the suite as it was first published, without the headers for S3.
    #[test]
    fn a_form_is_signed_with_its_type() {
        let api = MockApi::new();
        api.expect("POST", "https://example.amazonaws.com/")
            .header(
                "authorization",
                "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
                 SignedHeaders=content-type;host;x-amz-date, \
                 Signature=ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
            )
            .answer(200, "");
        let signer = Signer::new("us-east-1", "service", "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY");
        let client = Client::new("https://example.amazonaws.com").unwrap();
        let client = client.sign_with(move |request| signer.sign(request));
        client.post("").form([("Param1", "value1")]).send().unwrap();
    }
}
