//! OpenBao, which speaks Vault's API, in its development mode: everything in memory, unsealed, KV v2 at `secret/`.

use std::{net::Ipv4Addr, time::Duration};

use anyhow::{Context, bail, ensure};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use uuid::Uuid;

use crate::{
    http, ports,
    process::{self, Process, START_DEADLINE, with_fresh_ports},
    programs,
};

/// A login for a machine.
#[derive(Clone, Debug)]
pub struct AppRole {
    /// Who it is.
    pub role_id: String,
    /// Its secret.
    pub secret_id: String,
}

/// A running OpenBao.
#[derive(Debug)]
pub struct Bao {
    /// Its URL, without a slash at the end.
    pub address: String,
    /// A token that may do everything.
    pub root_token: String,
    /// The process.
    pub process: Process,
    unseal_key: String,
    _directory: TempDir,
}

impl Bao {
    /// Starts it.
    ///
    /// # Errors
    /// When the program is missing or does not start.
    pub async fn start() -> anyhow::Result<Self> {
        with_fresh_ports(Self::start_once).await
    }

    /// Enables AppRole at `approle/` and makes a role `acme-manager` with the rights in `policy` (see [`kv_policy`]),
    /// whose tokens live for `token_lifetime`, renewed up to four times that. A second call makes a new secret.
    ///
    /// # Errors
    /// When OpenBao refuses, for instance because `policy` is not one.
    pub async fn approle(&self, policy: &str, token_lifetime: Duration) -> anyhow::Result<AppRole> {
        let (_, methods) = self.call(Method::GET, "sys/auth", None).await?;
        if methods["data"]["approle/"].is_null() {
            self.must(Method::POST, "sys/auth/approle", json!({"type": "approle"})).await?;
        }
        self.must(Method::PUT, "sys/policies/acl/acme-manager", json!({ "policy": policy })).await?;
        let seconds = token_lifetime.as_secs();
        let role = json!({
            "token_policies": ["acme-manager"],
            "token_ttl": format!("{seconds}s"),
            "token_max_ttl": format!("{}s", seconds * 4),
        });
        self.must(Method::POST, "auth/approle/role/acme-manager", role).await?;
        let id = self.must(Method::GET, "auth/approle/role/acme-manager/role-id", Value::Null).await?;
        let secret = self.must(Method::POST, "auth/approle/role/acme-manager/secret-id", json!({})).await?;
        Ok(AppRole {
            role_id: text(&id, "role_id").context("no role_id in the answer")?,
            secret_id: text(&secret, "secret_id").context("no secret_id in the answer")?,
        })
    }

    /// Newest version of the secret at `path` in the mount `secret`: `data` and `metadata`; `None` if it is deleted or
    /// was never there.
    ///
    /// # Errors
    /// When OpenBao is sealed or gone.
    pub async fn kv_get(&self, path: &str) -> anyhow::Result<Option<Value>> {
        let (status, body) = self.call(Method::GET, &format!("secret/data/{path}"), None).await?;
        match status {
            StatusCode::OK => Ok(Some(body["data"].clone())),
            StatusCode::NOT_FOUND => Ok(None),
            _ => bail!("reading {path}: status {status}: {body}"),
        }
    }

    /// Writes a new version of the secret at `path` in the mount `secret`.
    ///
    /// # Errors
    /// When OpenBao refuses.
    pub async fn kv_put(&self, path: &str, data: &Value) -> anyhow::Result<()> {
        self.must(Method::POST, &format!("secret/data/{path}"), json!({ "data": data })).await.map(drop)
    }

    /// The names below `path` in the mount `secret`; folders end in a slash. Empty when there are none.
    ///
    /// # Errors
    /// When OpenBao refuses.
    pub async fn kv_list(&self, path: &str) -> anyhow::Result<Vec<String>> {
        let (status, body) = self.call(Method::GET, &format!("secret/metadata/{path}?list=true"), None).await?;
        ensure!(status == StatusCode::OK || status == StatusCode::NOT_FOUND, "listing {path}: {status}: {body}");
        let keys = body["data"]["keys"].as_array().cloned().unwrap_or_default();
        Ok(keys.iter().filter_map(Value::as_str).map(str::to_owned).collect())
    }

    /// Seals it: from now on it answers 503.
    ///
    /// # Errors
    /// When it does not become sealed.
    pub async fn seal(&self) -> anyhow::Result<()> {
        self.must(Method::PUT, "sys/seal", json!({})).await?;
        self.until_sealed(true).await
    }

    /// Unseals it; what it held is there again.
    ///
    /// # Errors
    /// When it does not become unsealed.
    pub async fn unseal(&self) -> anyhow::Result<()> {
        self.must(Method::PUT, "sys/unseal", json!({"key": self.unseal_key})).await?;
        self.until_sealed(false).await
    }

    /// Any call below `/v1/`, with the root token: status and body (`null` when empty).
    ///
    /// # Errors
    /// When nothing comes back.
    pub async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> anyhow::Result<(StatusCode, Value)> {
        let url = format!("{}/v1/{path}", self.address);
        let mut request = http::client().request(method, url).header("X-Vault-Token", &self.root_token);
        if let Some(body) = body {
            request = request.json(body);
        }
        http::exchange(request).await
    }

    async fn must(&self, method: Method, path: &str, body: Value) -> anyhow::Result<Value> {
        let body = (!body.is_null()).then_some(&body);
        let (status, answer) = self.call(method, path, body).await?;
        ensure!(status.is_success(), "{path}: status {status}: {answer}");
        Ok(answer)
    }

    async fn until_sealed(&self, wanted: bool) -> anyhow::Result<()> {
        let end = tokio::time::Instant::now() + START_DEADLINE;
        loop {
            // An unsealed node answers 429 or 503 until it has become the active one.
            let (status, health) = self.call(Method::GET, "sys/health", None).await?;
            if health["sealed"] == wanted && (wanted || status == StatusCode::OK) {
                return Ok(());
            }
            ensure!(tokio::time::Instant::now() < end, "sealed does not become {wanted}: {health}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn start_once() -> anyhow::Result<Self> {
        let directory = tempfile::tempdir()?;
        let address = format!("{}:{}", Ipv4Addr::LOCALHOST, ports::free_tcp()?);
        let root_token = Uuid::new_v4().to_string();
        let mut command = process::command(&programs::python("bao")?);
        command.args(["server", "-dev", "-dev-no-store-token"]);
        command.arg(format!("-dev-root-token-id={root_token}")).arg(format!("-dev-listen-address={address}"));
        command.env("HOME", directory.path());
        let log = directory.path().join("log");
        let mut process = Process::spawn("bao", command, &log)?;
        let health = format!("http://{address}/v1/sys/health");
        let ready = || async {
            http::expect_success(http::client().get(&health)).await?;
            // Printed last, after the mounts are made.
            let log = std::fs::read_to_string(&log)?;
            let key = log.lines().find_map(|line| line.strip_prefix("Unseal Key: "));
            Ok(key.context("it has not printed its unseal key yet")?.trim().to_owned())
        };
        let unseal_key = process.until_ready(START_DEADLINE, ready).await?;
        Ok(Self { address: format!("http://{address}"), root_token, process, unseal_key, _directory: directory })
    }
}

/// A policy with the rights that the server needs on everything below `prefix` of the mount `secret`.
pub fn kv_policy(prefix: &str) -> String {
    format!(
        r#"path "secret/data/{prefix}/*" {{ capabilities = ["create", "read", "update", "delete"] }}
path "secret/metadata/{prefix}/*" {{ capabilities = ["read", "list", "update", "delete"] }}
path "secret/metadata/{prefix}" {{ capabilities = ["list"] }}
path "secret/delete/{prefix}/*" {{ capabilities = ["update"] }}
path "secret/undelete/{prefix}/*" {{ capabilities = ["update"] }}
path "secret/destroy/{prefix}/*" {{ capabilities = ["update"] }}
"#
    )
}

fn text(answer: &Value, key: &str) -> Option<String> {
    answer["data"][key].as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_approle_reads_its_own_secrets_alone_and_a_seal_stops_it() {
        let bao = Bao::start().await.unwrap();
        let role = bao.approle(&kv_policy("certificate"), Duration::from_secs(60)).await.unwrap();
        bao.kv_put("certificate/web/one", &json!({"cert": "PEM"})).await.unwrap();
        bao.kv_put("foreign/one", &json!({"cert": "PEM"})).await.unwrap();
        let login = json!({"role_id": role.role_id, "secret_id": role.secret_id});
        let (_, session) = bao.call(Method::POST, "auth/approle/login", Some(&login)).await.unwrap();
        assert_eq!(session["auth"]["lease_duration"], 60);
        let token = session["auth"]["client_token"].as_str().unwrap();
        let read = |path: &str| {
            let url = format!("{}/v1/secret/data/{path}", bao.address);
            http::exchange(http::client().get(url).header("X-Vault-Token", token))
        };
        assert_eq!(read("certificate/web/one").await.unwrap().1["data"]["data"]["cert"], "PEM");
        assert_eq!(read("foreign/one").await.unwrap().0, StatusCode::FORBIDDEN);
        bao.seal().await.unwrap();
        assert_eq!(read("certificate/web/one").await.unwrap().0, StatusCode::SERVICE_UNAVAILABLE);
        bao.unseal().await.unwrap();
        assert_eq!(bao.kv_get("certificate/web/one").await.unwrap().unwrap()["data"]["cert"], "PEM");
        assert_eq!(bao.kv_list("certificate/web").await.unwrap(), ["one"]);
        assert!(bao.kv_get("certificate/web/two").await.unwrap().is_none());
    }
}
