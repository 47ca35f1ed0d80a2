//! moto, which answers AWS Route 53's protocol from memory.

use std::net::Ipv4Addr;

use anyhow::{Context, ensure};
use reqwest::Method;
use tempfile::TempDir;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::{
    ChallTestSrv, http, ports,
    process::{self, Process, START_DEADLINE, with_fresh_ports},
    programs,
    zones::absolute,
};

/// A running moto.
#[derive(Debug)]
pub struct Moto {
    /// What `AWS_ENDPOINT_URL` wants. Any key and secret are accepted.
    pub endpoint_url: String,
    /// The process.
    pub process: Process,
    publishers: JoinSet<()>,
    _directory: TempDir,
}

impl Moto {
    /// Starts it, without zones.
    ///
    /// # Errors
    /// When the program is missing or does not start.
    pub async fn start() -> anyhow::Result<Self> {
        with_fresh_ports(Self::start_once).await
    }

    /// Makes a public hosted zone and returns its id, without `/hostedzone/`.
    ///
    /// # Errors
    /// When moto refuses.
    pub async fn create_hosted_zone(&self, name: &str) -> anyhow::Result<String> {
        let body = format!(
            "<CreateHostedZoneRequest xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\"><Name>{}</Name>\
             <CallerReference>{}</CallerReference></CreateHostedZoneRequest>",
            absolute(name),
            Uuid::new_v4()
        );
        let answer = call(&self.endpoint_url, Method::POST, "hostedzone", body).await?;
        let id = elements(&answer, "Id").into_iter().next().context("no zone id in the answer")?;
        Ok(id.trim_start_matches("/hostedzone/").to_owned())
    }

    /// The TXT values at `name` in a zone, without their quotes, in alphabetical order.
    ///
    /// # Errors
    /// When there is no such zone.
    pub async fn txt(&self, zone_id: &str, name: &str) -> anyhow::Result<Vec<String>> {
        let sets = txt_sets(&self.endpoint_url, zone_id).await?;
        let name = absolute(name);
        Ok(sets.into_iter().filter(|(owner, _)| *owner == name).flat_map(|(_, values)| values).collect())
    }

    /// Serves the zone's TXT values through `dns` from now on, so that a CA sees what a provider writes.
    pub fn publish_to(&mut self, dns: &ChallTestSrv, zone_id: &str) {
        let publisher = Publisher {
            endpoint_url: self.endpoint_url.clone(),
            zone_id: zone_id.to_owned(),
            management_url: dns.management_url.clone(),
        };
        self.publishers.spawn(publisher.run());
    }

    async fn start_once() -> anyhow::Result<Self> {
        let directory = tempfile::tempdir()?;
        let port = ports::free_tcp()?;
        let mut command = process::command(&programs::python("moto_server")?);
        command.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
        let mut process = Process::spawn("moto_server", command, &directory.path().join("log"))?;
        let endpoint_url = format!("http://{}:{port}", Ipv4Addr::LOCALHOST);
        let ready = || call(&endpoint_url, Method::GET, "hostedzone", String::new());
        process.until_ready(START_DEADLINE, ready).await?;
        Ok(Self { endpoint_url, process, publishers: JoinSet::new(), _directory: directory })
    }
}

/// Copies TXT values from a zone to a name server whenever they change.
struct Publisher {
    endpoint_url: String,
    zone_id: String,
    management_url: String,
}

impl Publisher {
    async fn run(self) {
        const INTERVAL: std::time::Duration = std::time::Duration::from_millis(50);
        let mut published = Vec::new();
        loop {
            // Moto or the name server may be gone already at the end of a test; the test sees to that.
            if let Ok(sets) = txt_sets(&self.endpoint_url, &self.zone_id).await
                && sets != published
                && self.publish(&published, &sets).await.is_ok()
            {
                published = sets;
            }
            tokio::time::sleep(INTERVAL).await;
        }
    }

    async fn publish(&self, old: &[TxtSet], new: &[TxtSet]) -> anyhow::Result<()> {
        for (name, _) in old.iter().chain(new) {
            crate::challtestsrv::post(&self.management_url, "clear-txt", &serde_json::json!({ "host": name })).await?;
        }
        for (name, values) in new {
            for value in values {
                let record = serde_json::json!({"host": name, "value": value});
                crate::challtestsrv::post(&self.management_url, "set-txt", &record).await?;
            }
        }
        Ok(())
    }
}

/// An absolute name and its values.
type TxtSet = (String, Vec<String>);

async fn txt_sets(endpoint_url: &str, zone_id: &str) -> anyhow::Result<Vec<TxtSet>> {
    let answer = call(endpoint_url, Method::GET, &format!("hostedzone/{zone_id}/rrset"), String::new()).await?;
    let sets = elements(&answer, "ResourceRecordSet").into_iter().filter(|set| elements(set, "Type") == ["TXT"]);
    let sets = sets.filter_map(|set| {
        let mut values: Vec<String> = elements(&set, "Value")
            .iter()
            .map(|value| value.replace("&quot;", "\"").trim_matches('"').to_owned())
            .collect();
        values.sort();
        Some((elements(&set, "Name").into_iter().next()?, values))
    });
    Ok(sets.collect())
}

/// moto checks no signature, but finds the service by the credential's scope.
async fn call(endpoint_url: &str, method: Method, path: &str, body: String) -> anyhow::Result<String> {
    let scope =
        "AWS4-HMAC-SHA256 Credential=test/20200101/us-east-1/route53/aws4_request, SignedHeaders=host, Signature=0";
    let request = http::client().request(method, format!("{endpoint_url}/2013-04-01/{path}"));
    let response = request.header("Authorization", scope).body(body).send().await?;
    let status = response.status();
    let text = response.text().await?;
    ensure!(status.is_success(), "{path}: status {status}: {text}");
    Ok(text)
}

/// The contents of each element `tag`, which carries no attributes and does not contain itself.
fn elements(xml: &str, tag: &str) -> Vec<String> {
    let (start, end) = (format!("<{tag}>"), format!("</{tag}>"));
    let parts = xml.split(&start).skip(1);
    parts.filter_map(|part| Some(part.split_once(&end)?.0.trim().to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns;

    #[tokio::test]
    async fn a_zone_takes_records_and_they_are_published() {
        let mut moto = Moto::start().await.unwrap();
        let dns = ChallTestSrv::start().await.unwrap();
        let zone = moto.create_hosted_zone("example.test").await.unwrap();
        moto.publish_to(&dns, &zone);
        let name = "_acme-challenge.example.test";
        let change = format!(
            "<ChangeResourceRecordSetsRequest xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\"><ChangeBatch>\
             <Changes><Change><Action>UPSERT</Action><ResourceRecordSet><Name>{name}.</Name><Type>TXT</Type><TTL>60</TTL>\
             <ResourceRecords><ResourceRecord><Value>\"two\"</Value></ResourceRecord>\
             <ResourceRecord><Value>\"one\"</Value></ResourceRecord></ResourceRecords></ResourceRecordSet></Change>\
             </Changes></ChangeBatch></ChangeResourceRecordSetsRequest>"
        );
        call(&moto.endpoint_url, Method::POST, &format!("hostedzone/{zone}/rrset/"), change).await.unwrap();
        assert_eq!(moto.txt(&zone, name).await.unwrap(), ["one", "two"]);
        assert!(moto.txt(&zone, "example.test").await.unwrap().is_empty());
        let end = tokio::time::Instant::now() + START_DEADLINE;
        while dns::txt(dns.dns, name).await.unwrap() != ["one", "two"] {
            assert!(tokio::time::Instant::now() < end, "the records are not published");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }
}
