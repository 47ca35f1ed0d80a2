//! Where OVHcloud's API is, and who asks: an application, a service account, or whoever has a token.
//!
//! Reference: <https://docs.ovhcloud.com/en/guides/manage-and-operate/api/manage-service-account>

use acme_manager_plugin::auth::oauth2::TokenRequest;
use acme_manager_plugin::{Error, Key, env, http, time};

use crate::sign::Signer;

const ENDPOINT: &str = "OVH_ENDPOINT";
const DEFAULT_ENDPOINT: &str = "ovh-eu";
const BASE_URL: &str = "OVH_API_URL";
const APPLICATION_KEY: &str = "OVH_APPLICATION_KEY";
const APPLICATION_SECRET: &str = "OVH_APPLICATION_SECRET";
const CONSUMER_KEY: &str = "OVH_CONSUMER_KEY";
const CLIENT_ID: &str = "OVH_CLIENT_ID";
const CLIENT_SECRET: &str = "OVH_CLIENT_SECRET";
const ACCESS_TOKEN: &str = "OVH_ACCESS_TOKEN";

/// The APIs, under the names that they have in OVHcloud's own programs.
const REGIONS: [Region; 7] = [
    Region { name: DEFAULT_ENDPOINT, api: "eu.api.ovh.com", login: Some("www.ovh.com") },
    Region { name: "ovh-ca", api: "ca.api.ovh.com", login: Some("ca.ovh.com") },
    Region { name: "ovh-us", api: "api.us.ovhcloud.com", login: Some("us.ovhcloud.com") },
    Region { name: "soyoustart-eu", api: "eu.api.soyoustart.com", login: None },
    Region { name: "soyoustart-ca", api: "ca.api.soyoustart.com", login: None },
    Region { name: "kimsufi-eu", api: "eu.api.kimsufi.com", login: None },
    Region { name: "kimsufi-ca", api: "ca.api.kimsufi.com", login: None },
];

struct Region {
    name: &'static str,
    /// The host of the API.
    api: &'static str,
    /// The host where service accounts log in, if there are such accounts.
    login: Option<&'static str>,
}

/// The API, and who asks.
pub(crate) struct Login {
    api: http::Client,
    credentials: Credentials,
}

enum Credentials {
    Application(Signer),
    Account { login: http::Client, request: TokenRequest },
    Token(String),
}

/// The hosts of all regions: which of them is used is not known before the environment is.
pub(crate) fn hosts() -> impl Iterator<Item = &'static str> {
    REGIONS.iter().flat_map(|region| std::iter::once(region.api).chain(region.login))
}

impl Login {
    pub(crate) fn keys() -> Vec<Key> {
        vec![
            Key::new(ENDPOINT)
                .default(DEFAULT_ENDPOINT)
                .help("Name of the API: ovh-eu, ovh-ca, ovh-us, kimsufi-eu, ..."),
            Key::new(APPLICATION_KEY).help("Application key"),
            Key::new(APPLICATION_SECRET).secret().help("Secret of the application"),
            Key::new(CONSUMER_KEY).secret().help("Consumer key: what the account allows the application"),
            Key::new(CLIENT_ID).help("Client id of a service account, instead of the three"),
            Key::new(CLIENT_SECRET).secret().help("Client secret of the service account"),
            Key::new(ACCESS_TOKEN).secret().help("Access token that somebody else renews, instead of all of these"),
            Key::new(BASE_URL).endpoint().help("Address of the API; default: that of the name"),
        ]
    }

    pub(crate) fn from_env() -> Result<Self, Error> {
        let region = Region::from_env()?;
        let url = env::optional(BASE_URL).unwrap_or_else(|| region.url());
        Ok(Self { api: http::Client::new(&url)?, credentials: Credentials::from_env(region)? })
    }

    /// The API, for requests that prove who asks.
    pub(crate) fn client(&self) -> Result<http::Client, Error> {
        let api = self.api.clone();
        match &self.credentials {
            Credentials::Application(signer) => {
                // Signatures are refused where the clocks differ by much, so it is the API's clock that counts.
                let there: u64 = api.get("auth/time").send()?.json()?;
                let (here, signer) = (time::now().unix(), signer.clone());
                Ok(api.sign_with(move |request| {
                    signer.sign(request, there.saturating_add(time::now().unix().saturating_sub(here)));
                    Ok(())
                }))
            }
            Credentials::Account { login, request } => Ok(api.bearer(&request.fetch(login, "auth/oauth2/token")?)),
            Credentials::Token(token) => Ok(api.bearer(token)),
        }
    }
}

impl Credentials {
    fn from_env(region: &Region) -> Result<Self, Error> {
        let is_set = |names: &[&str]| names.iter().any(|name| env::optional(name).is_some());
        let application = is_set(&[APPLICATION_KEY, APPLICATION_SECRET, CONSUMER_KEY]);
        match (application, is_set(&[CLIENT_ID, CLIENT_SECRET]), env::optional(ACCESS_TOKEN)) {
            (true, false, None) => Ok(Self::Application(Signer {
                key: env::required(APPLICATION_KEY)?,
                secret: env::required(APPLICATION_SECRET)?,
                consumer: env::required(CONSUMER_KEY)?,
            })),
            (false, true, None) => {
                let none = || Error::config(format!("{} has no service accounts", region.name));
                let request = TokenRequest::client_credentials_in_body(
                    &env::required(CLIENT_ID)?,
                    &env::required(CLIENT_SECRET)?,
                );
                let login = http::Client::new(&format!("https://{}", region.login.ok_or_else(none)?))?;
                Ok(Self::Account { login, request: request.scope("all") })
            }
            (false, false, Some(token)) => Ok(Self::Token(token)),
            _ => Err(Error::config(format!(
                "set {APPLICATION_KEY}, {APPLICATION_SECRET} and {CONSUMER_KEY}, or {CLIENT_ID} and {CLIENT_SECRET}, \
                 or {ACCESS_TOKEN}, and none of the others"
            ))),
        }
    }
}

impl Region {
    fn from_env() -> Result<&'static Self, Error> {
        let name = env::optional_or(ENDPOINT, DEFAULT_ENDPOINT);
        let is_meant = |region: &&Self| region.name == name || region.url() == name.trim_end_matches('/');
        REGIONS.iter().find(is_meant).ok_or_else(|| {
            let names = REGIONS.map(|region| region.name).join(", ");
            Error::config(format!("{ENDPOINT} is none of {names}; {BASE_URL} takes another address"))
        })
    }

    fn url(&self) -> String {
        format!("https://{}/1.0", self.api)
    }
}
