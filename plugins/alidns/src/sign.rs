//! Signature version 3, `ACS3-HMAC-SHA256`.
//!
//! Reference: <https://www.alibabacloud.com/help/en/sdk/product-overview/v3-request-structure-and-signature>

use std::hash::{BuildHasher as _, RandomState};

use acme_manager_plugin::auth::{hex, hmac_sha256, sha256};
use acme_manager_plugin::http::Unsigned;
use acme_manager_plugin::{Error, time};

const ALGORITHM: &str = "ACS3-HMAC-SHA256";

/// The credentials.
pub(crate) struct Signer {
    pub(crate) access_key: String,
    pub(crate) secret_key: String,
    pub(crate) security_token: Option<String>,
}

impl Signer {
    /// Signs the method, the path, the query, the body, and of the headers `host`, `content-type` and all `x-acs-*`.
    pub(crate) fn sign(&self, request: &mut Unsigned<'_>, nonce: &str) -> Result<(), Error> {
        request.set_header("x-acs-date", &time::now().rfc3339());
        request.set_header("x-acs-signature-nonce", nonce);
        let digest = hex(sha256(request.body()));
        request.set_header("x-acs-content-sha256", &digest);
        if let Some(token) = &self.security_token {
            request.set_header("x-acs-security-token", token);
        }
        let (names, canonical) = canonical_request(request, &digest);
        let to_sign = format!("{ALGORITHM}\n{}", hex(sha256(canonical)));
        let signature = hex(hmac_sha256(&self.secret_key, to_sign));
        let access_key = &self.access_key;
        let value = format!("{ALGORITHM} Credential={access_key},SignedHeaders={names},Signature={signature}");
        request.set_header("authorization", &value);
        Ok(())
    }
}

/// A value that the API has not seen yet; it refuses a request whose nonce it knows.
pub(crate) fn nonce() -> String {
    // The state's keys come from the host's source of randomness, and differ for each state.
    let state = RandomState::new();
    format!("{:016x}{:016x}", state.hash_one(0), state.hash_one(1))
}

/// The names of the signed headers, and what is signed.
fn canonical_request(request: &Unsigned<'_>, digest: &str) -> (String, String) {
    let mut headers = vec![("host", request.authority())];
    headers.extend(request.headers().filter(|(name, _)| *name == "content-type" || name.starts_with("x-acs-")));
    headers.sort_unstable();
    let names = headers.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
    let lines: String = headers.iter().map(|(name, value)| format!("{name}:{}\n", value.trim())).collect();
    let mut query: Vec<&str> = request.query().split('&').collect();
    query.sort_unstable_by_key(|pair| pair.split_once('='));
    let (method, path, query) = (request.method(), request.path(), query.join("&"));
    let canonical = format!("{method}\n{path}\n{query}\n{lines}\n{names}\n{digest}");
    (names, canonical)
}

#[cfg(test)]
mod tests {
    use acme_manager_plugin::http::Client;
    use acme_manager_plugin::testing::MockApi;

    use super::*;

    /// Sends a request of ECS with the nonce of the reference.
    fn send(security_token: Option<String>, query: &[(&str, &str)]) {
        let (access_key, secret_key) = ("YourAccessKeyId".to_owned(), "YourAccessKeySecret".to_owned());
        let signer = Signer { access_key, secret_key, security_token };
        let client = Client::new("https://ecs.cn-shanghai.aliyuncs.com")
            .unwrap()
            .header("x-acs-version", "2014-05-26")
            .sign_with(move |request| signer.sign(request, "3156853299f313e23d1673dc12e1703d"));
        let request = client.post("").header("x-acs-action", "RunInstances");
        query.iter().fold(request, |request, (name, value)| request.query(name, value)).send().unwrap();
    }

    /// The example with fixed parameters of the reference.
    #[test]
    fn the_signature_is_that_of_the_documentation() {
        let image = "win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd";
        let api = MockApi::new();
        // 2023-10-26T10:22:32Z
        api.clock(1_698_315_752);
        api.expect("POST", &format!("https://ecs.cn-shanghai.aliyuncs.com/?RegionId=cn-shanghai&ImageId={image}"))
            .header(
                "authorization",
                "ACS3-HMAC-SHA256 Credential=YourAccessKeyId,\
                 SignedHeaders=host;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version,\
                 Signature=06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0",
            )
            .answer(200, "");
        send(None, &[("RegionId", "cn-shanghai"), ("ImageId", image)]);
    }

    /// Calculated apart from this code.
    #[test]
    fn a_token_is_sent_and_signed() {
        let api = MockApi::new();
        api.expect("POST", "https://ecs.cn-shanghai.aliyuncs.com/")
            .header("x-acs-security-token", "CAIS")
            .header(
                "authorization",
                "ACS3-HMAC-SHA256 Credential=YourAccessKeyId,\
                 SignedHeaders=host;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-security-token;\
                 x-acs-signature-nonce;x-acs-version,\
                 Signature=4c57e241d718c6df053d25ae42eff0c8019cf9d2b9a470d4028550b99c864990",
            )
            .answer(200, "");
        send(Some("CAIS".to_owned()), &[]);
    }

    #[test]
    fn nonces_differ() {
        assert_ne!(nonce(), nonce());
        assert_eq!(nonce().len(), 32);
    }
}
