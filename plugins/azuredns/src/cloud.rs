//! Azure's clouds, and logging in to them.
//!
//! Reference: <https://learn.microsoft.com/en-us/entra/identity-platform/v2-oauth2-client-creds-grant-flow>

use acme_manager_plugin::auth::oauth2::TokenRequest;
use acme_manager_plugin::{Error, Key, env, http};

const ENVIRONMENT: &str = "AZURE_ENVIRONMENT";
const TENANT: &str = "AZURE_TENANT_ID";
const CLIENT_ID: &str = "AZURE_CLIENT_ID";
const CLIENT_SECRET: &str = "AZURE_CLIENT_SECRET";
const LOGIN_URL: &str = "AZURE_AUTHORITY_HOST";
const API_URL: &str = "AZURE_API_URL";

const CLOUDS: [Cloud; 3] = [
    Cloud {
        name: "public",
        login: "login.microsoftonline.com",
        api: "management.azure.com",
        scope: "https://management.azure.com/.default",
    },
    Cloud {
        name: "usgovernment",
        login: "login.microsoftonline.us",
        api: "management.usgovcloudapi.net",
        scope: "https://management.core.usgovcloudapi.net/.default",
    },
    Cloud {
        name: "china",
        login: "login.chinacloudapi.cn",
        api: "management.chinacloudapi.cn",
        scope: "https://management.core.chinacloudapi.cn/.default",
    },
];

struct Cloud {
    name: &'static str,
    /// The host of Entra ID.
    login: &'static str,
    /// The host of the Resource Manager.
    api: &'static str,
    scope: &'static str,
}

/// An application, and where it logs in.
pub(crate) struct Login {
    client: http::Client,
    path: String,
    request: TokenRequest,
    api_url: String,
}

/// The hosts of all clouds: which of them is used is not known before the environment is.
pub(crate) fn hosts() -> impl Iterator<Item = &'static str> {
    CLOUDS.iter().flat_map(|cloud| [cloud.login, cloud.api])
}

impl Login {
    pub(crate) fn keys() -> Vec<Key> {
        vec![
            Key::new(TENANT).required().help("Directory (tenant) id"),
            Key::new(CLIENT_ID).required().help("Application (client) id"),
            Key::new(CLIENT_SECRET).required().secret().help("Secret of the application: the value, not its id"),
            Key::new(ENVIRONMENT).default("public").help("Cloud: public, usgovernment or china"),
            Key::new(LOGIN_URL).endpoint().help("Address of the login; default: that of the cloud"),
            Key::new(API_URL).endpoint().help("Address of the Resource Manager; default: that of the cloud"),
        ]
    }

    pub(crate) fn from_env() -> Result<Self, Error> {
        let name = env::optional_or(ENVIRONMENT, "public");
        let cloud = CLOUDS.iter().find(|cloud| cloud.name.eq_ignore_ascii_case(&name));
        let cloud =
            cloud.ok_or_else(|| Error::config(format!("{ENVIRONMENT} is none of public, usgovernment, china")))?;
        let url = |name: &str, host: &str| env::optional(name).unwrap_or_else(|| format!("https://{host}"));
        let request =
            TokenRequest::client_credentials_in_body(&env::required(CLIENT_ID)?, &env::required(CLIENT_SECRET)?);
        Ok(Self {
            client: http::Client::new(&url(LOGIN_URL, cloud.login))?,
            path: format!("{}/oauth2/v2.0/token", http::segment(&env::required(TENANT)?)),
            request: request.scope(cloud.scope),
            api_url: url(API_URL, cloud.api),
        })
    }

    /// The Resource Manager, with an access token.
    pub(crate) fn client(&self) -> Result<http::Client, Error> {
        let client = http::Client::new(&self.api_url)?;
        Ok(client.bearer(&self.request.fetch(&self.client, &self.path)?))
    }
}
