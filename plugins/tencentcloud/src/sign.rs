//! Signature version 3, `TC3-HMAC-SHA256`.
//!
//! Reference: <https://cloud.tencent.com/document/api/1427/56189>

use acme_manager_plugin::auth::{hex, hmac_sha256, sha256};
use acme_manager_plugin::http::Unsigned;
use acme_manager_plugin::{Error, time};

const ALGORITHM: &str = "TC3-HMAC-SHA256";
const SIGNED_HEADERS: &str = "content-type;host;x-tc-action";

/// The credentials for one product.
pub(crate) struct Signer {
    pub(crate) service: &'static str,
    pub(crate) secret_id: String,
    pub(crate) secret_key: String,
    pub(crate) session_token: Option<String>,
}

impl Signer {
    /// Signs the method, the path, the body and the headers `content-type`, `host` and `x-tc-action`. Requests of
    /// this API have no query.
    pub(crate) fn sign(&self, request: &mut Unsigned<'_>) -> Result<(), Error> {
        let now = time::now();
        let (timestamp, date) = (now.unix().to_string(), now.date());
        request.set_header("x-tc-timestamp", &timestamp);
        if let Some(token) = &self.session_token {
            request.set_header("x-tc-token", token);
        }
        let scope = format!("{date}/{}/tc3_request", self.service);
        let to_sign = format!("{ALGORITHM}\n{timestamp}\n{scope}\n{}", hex(sha256(canonical_request(request))));
        let key = hmac_sha256(format!("TC3{}", self.secret_key), date);
        let key = [self.service, "tc3_request"].into_iter().fold(key, hmac_sha256);
        let signature = hex(hmac_sha256(key, to_sign));
        let secret_id = &self.secret_id;
        let value = format!(
            "{ALGORITHM} Credential={secret_id}/{scope}, SignedHeaders={SIGNED_HEADERS}, Signature={signature}"
        );
        request.set_header("authorization", &value);
        Ok(())
    }
}

/// What is signed; the values of headers in lower case.
fn canonical_request(request: &Unsigned<'_>) -> String {
    let header = |name: &str| request.header(name).unwrap_or_default().trim().to_ascii_lowercase();
    let (content_type, action) = (header("content-type"), header("x-tc-action"));
    let host = request.authority().to_ascii_lowercase();
    let lines = format!("content-type:{content_type}\nhost:{host}\nx-tc-action:{action}\n");
    let body = hex(sha256(request.body()));
    format!("{}\n{}\n{}\n{lines}\n{SIGNED_HEADERS}\n{body}", request.method(), request.path(), request.query())
}

#[cfg(test)]
mod tests {
    use acme_manager_plugin::http::Client;
    use acme_manager_plugin::testing::MockApi;

    use super::*;

    /// The example of the reference, with the asterisks that it has in the place of a real key.
    #[test]
    fn the_signature_is_that_of_the_documentation() {
        let api = MockApi::new();
        // 2019-02-25T16:44:25Z
        api.clock(1_551_113_065);
        api.expect("POST", "https://cvm.tencentcloudapi.com/")
            .header("x-tc-timestamp", "1551113065")
            .header("x-tc-token", "token")
            .header(
                "authorization",
                "TC3-HMAC-SHA256 Credential=AKIDz8krbsJ5yKBZQpn74WFkmLPx3*******/2019-02-25/cvm/tc3_request, \
                 SignedHeaders=content-type;host;x-tc-action, \
                 Signature=be4f67d323c78ab9acb7395e43c0dbcf822a9cfac32fea2449a7bc7726b770a3",
            )
            .answer(200, "");
        let signer = Signer {
            service: "cvm",
            secret_id: "AKIDz8krbsJ5yKBZQpn74WFkmLPx3*******".into(),
            secret_key: "Gu5t9xGARNpq86cd98joQYCN3*******".into(),
            // Not among what is signed.
            session_token: Some("token".into()),
        };
        let client = Client::new("https://cvm.tencentcloudapi.com").unwrap();
        let client = client.sign_with(move |request| signer.sign(request));
        let body = r#"{"Limit": 1, "Filters": [{"Values": ["\u672a\u547d\u540d"], "Name": "instance-name"}]}"#;
        let request = client.post("").header("x-tc-action", "DescribeInstances");
        request.body("application/json; charset=utf-8", body).send().unwrap();
    }
}
