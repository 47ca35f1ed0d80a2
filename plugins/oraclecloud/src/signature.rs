//! Signed requests, version 1.
//!
//! Reference: <https://docs.oracle.com/en-us/iaas/Content/API/Concepts/signingrequests.htm>

use acme_manager_plugin::auth::{self, rsa::PrivateKey};
use acme_manager_plugin::{Error, Key, env, http};

const PRIVATE_KEY: &str = "OCI_PRIVKEY";
const TENANCY: &str = "OCI_TENANCY_OCID";
const USER: &str = "OCI_USER_OCID";
const FINGERPRINT: &str = "OCI_PUBKEY_FINGERPRINT";

/// A user's API signing key.
pub(crate) struct Signer {
    key_id: String,
    key: PrivateKey,
}

impl Signer {
    pub(crate) fn keys() -> Vec<Key> {
        vec![
            Key::new(TENANCY).alias("TF_VAR_tenancy_ocid").required().help("OCID of the tenancy"),
            Key::new(USER).alias("TF_VAR_user_ocid").required().help("OCID of the user"),
            Key::new(FINGERPRINT)
                .alias("OCI_FINGERPRINT")
                .alias("TF_VAR_fingerprint")
                .required()
                .help("Fingerprint of the API key, as the console shows it"),
            Key::new(PRIVATE_KEY)
                .alias("OCI_PRIVATE_KEY")
                .alias("OCI_PRIVKEY_BASE64")
                .required()
                .secret()
                .help("Private API key without a passphrase: PEM, or its base64"),
        ]
    }

    pub(crate) fn from_env() -> Result<Self, Error> {
        let key_id = format!("{}/{}/{}", env::required(TENANCY)?, env::required(USER)?, env::required(FINGERPRINT)?);
        Self::new(key_id, &env::required(PRIVATE_KEY)?)
    }

    /// A signer with a key in PEM, or in base64 around that.
    pub(crate) fn new(key_id: String, key: &str) -> Result<Self, Error> {
        let decoded = auth::base64_decode(key).and_then(|bytes| String::from_utf8(bytes).ok());
        let key = PrivateKey::from_pem(decoded.as_deref().unwrap_or(key));
        Ok(Self { key_id, key: key.map_err(|error| error.context(PRIVATE_KEY))? })
    }

    /// Signs a request with the headers that Oracle wants signed; of a body, its digest is one of them.
    pub(crate) fn sign(&self, request: &mut http::Unsigned<'_>, date: &str) -> Result<(), Error> {
        request.set_header("date", date);
        let mut names = vec!["date", "(request-target)", "host"];
        if matches!(request.method(), "POST" | "PUT" | "PATCH") {
            let digest = auth::base64(auth::sha256(request.body()));
            request.set_header("x-content-sha256", &digest);
            names.extend(["content-length", "content-type", "x-content-sha256"]);
        }
        let target = match request.query() {
            "" => request.path().to_owned(),
            query => format!("{}?{query}", request.path()),
        };
        let target = format!("{} {target}", request.method().to_ascii_lowercase());
        let line = |name: &&str| {
            let value = match *name {
                "(request-target)" => &target,
                "host" => request.authority(),
                header => request.header(header).unwrap_or_default(),
            };
            format!("{name}: {value}")
        };
        let lines: Vec<String> = names.iter().map(line).collect();
        let signature = auth::base64(self.key.sign_sha256(lines.join("\n"))?);
        let authorization = format!(
            r#"Signature version="1",keyId="{}",algorithm="rsa-sha256",headers="{}",signature="{signature}""#,
            self.key_id,
            names.join(" ")
        );
        request.set_header("authorization", &authorization);
        Ok(())
    }
}
