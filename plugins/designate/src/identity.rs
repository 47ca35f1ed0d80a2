//! Logging in at Keystone, version 3, by password or application credential.
//!
//! Reference: <https://docs.openstack.org/api-ref/identity/v3/index.html#authentication-and-token-management>

use acme_manager_plugin::{Error, Key, auth::session::TokenIn, env, http};
use serde::Deserialize;
use serde_json::{Value, json};

const AUTH_URL: &str = "OS_AUTH_URL";
const USERNAME: &str = "OS_USERNAME";
const USER_ID: &str = "OS_USER_ID";
const PASSWORD: &str = "OS_PASSWORD";
const CREDENTIAL_ID: &str = "OS_APPLICATION_CREDENTIAL_ID";
const CREDENTIAL_NAME: &str = "OS_APPLICATION_CREDENTIAL_NAME";
const CREDENTIAL_SECRET: &str = "OS_APPLICATION_CREDENTIAL_SECRET";
const USER_DOMAIN: Named = Named { id: "OS_USER_DOMAIN_ID", name: "OS_USER_DOMAIN_NAME" };
const PROJECT: Named = Named { id: "OS_PROJECT_ID", name: "OS_PROJECT_NAME" };
const PROJECT_DOMAIN: Named = Named { id: "OS_PROJECT_DOMAIN_ID", name: "OS_PROJECT_DOMAIN_NAME" };
const DOMAIN: Named = Named { id: "OS_DOMAIN_ID", name: "OS_DOMAIN_NAME" };
const REGION: &str = "OS_REGION_NAME";
const INTERFACE: &str = "OS_INTERFACE";

/// Two variables for one thing.
struct Named {
    id: &'static str,
    name: &'static str,
}

/// The identity service, and who logs in there.
pub(crate) struct Identity {
    client: http::Client,
    request: Value,
    interface: String,
    region: Option<String>,
}

/// A login: its token, and the services that it opens.
pub(crate) struct Session {
    pub(crate) token: String,
    catalog: Vec<Service>,
}

#[derive(Deserialize)]
struct Answer {
    token: Token,
}

#[derive(Deserialize)]
struct Token {
    #[serde(default)]
    catalog: Vec<Service>,
}

#[derive(Deserialize)]
struct Service {
    r#type: String,
    endpoints: Vec<Endpoint>,
}

#[derive(Deserialize)]
struct Endpoint {
    interface: String,
    region_id: Option<String>,
    url: String,
}

impl Identity {
    pub(crate) fn keys() -> Vec<Key> {
        vec![
            Key::new(AUTH_URL).required().endpoint().help("Address of the identity service (Keystone)"),
            Key::new(CREDENTIAL_ID).help("Id of an application credential"),
            Key::new(CREDENTIAL_NAME).help("Its name, instead of the id; then the user is needed too"),
            Key::new(CREDENTIAL_SECRET).secret().help("Secret of the application credential"),
            Key::new(USERNAME).help("User name"),
            Key::new(USER_ID).alias("OS_USERID").help("User id, instead of the name"),
            Key::new(PASSWORD).secret().help("Password, where no application credential is used"),
            Key::new(USER_DOMAIN.id).help("Id of the user's domain; with neither id nor name: default"),
            Key::new(USER_DOMAIN.name).help("Name of the user's domain"),
            Key::new(PROJECT.id).alias("OS_TENANT_ID").help("Project id, with a password"),
            Key::new(PROJECT.name).alias("OS_TENANT_NAME").help("Project name, instead of the id"),
            Key::new(PROJECT_DOMAIN.id).help("Id of the project's domain; with neither id nor name: default"),
            Key::new(PROJECT_DOMAIN.name).help("Name of the project's domain"),
            Key::new(DOMAIN.id).help("Id of the domain of both user and project"),
            Key::new(DOMAIN.name).help("Name of the domain of both user and project"),
            Key::new(REGION).help("Region, where the catalogue has several"),
            Key::new(INTERFACE).alias("OS_ENDPOINT_TYPE").default("public").help("Which of its addresses to use"),
        ]
    }

    pub(crate) fn from_env() -> Result<Self, Error> {
        let url = env::required(AUTH_URL)?;
        let url = url.trim_end_matches('/');
        let base = if url.ends_with("/v3") { url.to_owned() } else { format!("{url}/v3") };
        let interface = env::optional_or(INTERFACE, "public");
        Ok(Self {
            client: http::Client::new(&base)?,
            request: request()?,
            // Old files of variables say publicURL.
            interface: interface.strip_suffix("URL").unwrap_or(&interface).to_owned(),
            region: env::optional(REGION),
        })
    }

    pub(crate) fn login(&self) -> Result<Session, Error> {
        let response = self.client.post("auth/tokens").json(&self.request).send()?;
        let token = TokenIn::Header("X-Subject-Token").find(&response)?;
        Ok(Session { token, catalog: response.json::<Answer>()?.token.catalog })
    }

    /// Where the catalogue says Designate is.
    pub(crate) fn dns_service(&self, session: &Session) -> Result<String, Error> {
        let services = session.catalog.iter().filter(|service| service.r#type == "dns");
        let mut endpoints = services.flat_map(|service| &service.endpoints);
        let is_here = |endpoint: &&Endpoint| {
            endpoint.interface == self.interface && (self.region.is_none() || endpoint.region_id == self.region)
        };
        endpoints.find(is_here).map(|endpoint| endpoint.url.clone()).ok_or_else(|| {
            let region = self.region.as_deref().map(|region| format!(" in {region}")).unwrap_or_default();
            Error::config(format!(
                "Keystone's catalogue has no {} address of a dns service{region}: set a project, a region, or {}",
                self.interface,
                super::ENDPOINT
            ))
        })
    }
}

/// What Keystone wants to know.
fn request() -> Result<Value, Error> {
    let id = env::optional(CREDENTIAL_ID);
    let mut credential = match (&id, env::optional(CREDENTIAL_NAME)) {
        (Some(id), _) => json!({"id": id}),
        (None, Some(name)) => json!({"name": name, "user": user()?}),
        (None, None) => return by_password(),
    };
    credential["secret"] = env::required(CREDENTIAL_SECRET)?.into();
    // Such a credential is of one project already.
    let identity = json!({"methods": ["application_credential"], "application_credential": credential});
    Ok(json!({"auth": {"identity": identity}}))
}

fn by_password() -> Result<Value, Error> {
    let Some(password) = env::optional(PASSWORD) else {
        return Err(Error::config(format!(
            "set {CREDENTIAL_ID} and {CREDENTIAL_SECRET}, or {USERNAME} and {PASSWORD}"
        )));
    };
    let mut user = user()?;
    user["password"] = password.into();
    let mut auth = json!({"identity": {"methods": ["password"], "password": {"user": user}}});
    // Without a project, Keystone takes the user's default.
    if let Some(project) = PROJECT.read(&PROJECT_DOMAIN) {
        auth["scope"] = json!({"project": project});
    }
    Ok(json!({"auth": auth}))
}

fn user() -> Result<Value, Error> {
    let user = Named { id: USER_ID, name: USERNAME }.read(&USER_DOMAIN);
    user.ok_or_else(|| Error::config(format!("set {USERNAME} or {USER_ID}")))
}

impl Named {
    /// `{"id": …}`, or `{"name": …, "domain": …}`, for a name is unique in its domain only.
    fn read(&self, domain: &Self) -> Option<Value> {
        let by_id = |variables: &Self| env::optional(variables.id).map(|id| json!({"id": id}));
        let by_name = |variables: &Self| env::optional(variables.name).map(|name| json!({"name": name}));
        if let Some(by_id) = by_id(self) {
            return Some(by_id);
        }
        let domains = [domain, &DOMAIN];
        let domain = domains.into_iter().find_map(|variables| by_id(variables).or_else(|| by_name(variables)));
        let mut named = by_name(self)?;
        named["domain"] = domain.unwrap_or_else(|| json!({"id": "default"}));
        Some(named)
    }
}
