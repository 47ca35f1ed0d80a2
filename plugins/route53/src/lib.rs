//! The `route53` DNS-01 provider, with Amazon's own SDK over WASI HTTP.
//!
//! A record set is read, changed and written back as a whole: Route 53 knows no single values. Removing the last
//! value deletes the set, and only in the form that was read, so that a change in between is a conflict.
//! Reference: <https://docs.aws.amazon.com/Route53/latest/APIReference/API_ChangeResourceRecordSets.html>

mod client;
mod failure;

use acme_manager_plugin::{Description, Error, ErrorKind, Key, Provider, TxtRecord, dns, env, export_provider};
use aws_sdk_route53::types::{
    Change, ChangeAction, ChangeBatch, ChangeStatus, ResourceRecord, ResourceRecordSet, RrType,
};

use client::{Settings, block_on};
use failure::{failed, incomplete};

const ACCESS_KEY_ID: &str = "AWS_ACCESS_KEY_ID";
const SECRET_ACCESS_KEY: &str = "AWS_SECRET_ACCESS_KEY";
const SESSION_TOKEN: &str = "AWS_SESSION_TOKEN";
const REGION: &str = "AWS_REGION";
const HOSTED_ZONE_ID: &str = "AWS_HOSTED_ZONE_ID";
const ENDPOINT_URL: &str = "AWS_ENDPOINT_URL";
/// What this program calls the settings of time, and what lego calls them.
const PREFIXES: [&str; 2] = ["AWS_ROUTE53_", "AWS_"];

/// Route 53 is one service for all regions of a partition; its requests are signed for this one.
const DEFAULT_REGION: &str = "us-east-1";
const DEFAULT_TTL: u32 = 10;

struct Route53 {
    client: aws_sdk_route53::Client,
    hosted_zone_id: Option<String>,
    ttl: u32,
}

impl Provider for Route53 {
    fn describe() -> Description {
        Description::new("route53", env!("CARGO_PKG_VERSION"))
            .homepage(
                "https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/security_iam_id-based-policy-examples.html",
            )
            .host("route53.amazonaws.com")
            .host("route53.us-gov.amazonaws.com")
            .host("route53.amazonaws.com.cn")
            .key(Key::new(ACCESS_KEY_ID).required().help("Access key id of an IAM user or role"))
            .key(Key::new(SECRET_ACCESS_KEY).required().secret().help("Secret access key that belongs to the id"))
            .key(Key::new(SESSION_TOKEN).secret().help("Session token of temporary credentials"))
            .key(
                Key::new(REGION)
                    .alias("AWS_DEFAULT_REGION")
                    .default(DEFAULT_REGION)
                    .help("Region; it matters only in the partitions for China and GovCloud"),
            )
            .key(Key::new(HOSTED_ZONE_ID).help("Id of the hosted zone; found by its name when not set"))
            .key(
                Key::new(ENDPOINT_URL)
                    .alias("AWS_ENDPOINT_URL_ROUTE_53")
                    .endpoint()
                    .help("Base address of a service that speaks the same protocol"),
            )
            .times_of(&PREFIXES, DEFAULT_TTL, 120, 4)
            .reports_ready()
    }

    fn from_env() -> Result<Self, Error> {
        let client = client::build(Settings {
            access_key_id: env::required(ACCESS_KEY_ID)?,
            secret_access_key: env::required(SECRET_ACCESS_KEY)?,
            session_token: env::optional(SESSION_TOKEN),
            region: env::optional_or(REGION, DEFAULT_REGION),
            endpoint_url: env::optional(ENDPOINT_URL),
        });
        Ok(Self { client, hosted_zone_id: env::optional(HOSTED_ZONE_ID), ttl: env::ttl(PREFIXES[0], DEFAULT_TTL)? })
    }

    fn check(&self) -> Result<(), Error> {
        match &self.hosted_zone_id {
            Some(id) => block_on(self.client.get_hosted_zone().id(id).send())
                .map(drop)
                .map_err(|error| failed("GetHostedZone", &error)),
            None => block_on(self.client.list_hosted_zones_by_name().max_items(1).send())
                .map(drop)
                .map_err(|error| failed("ListHostedZonesByName", &error)),
        }
    }

    fn present(&self, record: &TxtRecord) -> Result<String, Error> {
        let zone = self.zone(record)?;
        let content = dns::quoted(&record.value);
        let set = self.txt_set(&zone, &record.name)?;
        let mut values = set.and_then(|set| set.resource_records).unwrap_or_default();
        if values.iter().any(|value| value.value == content) {
            // Nothing was changed, so there is no change to wait for.
            return Ok(String::new());
        }
        values.push(ResourceRecord::builder().value(content).build().map_err(incomplete)?);
        let set = ResourceRecordSet::builder()
            .name(dns::absolute(&record.name))
            .r#type(RrType::Txt)
            .ttl(i64::from(dns::ttl_or(record, self.ttl)))
            .set_resource_records(Some(values));
        self.change(&zone, ChangeAction::Upsert, set.build().map_err(incomplete)?)
    }

    fn cleanup(&self, record: &TxtRecord, _handle: &str) -> Result<(), Error> {
        let zone = match self.zone(record) {
            // With its zone the value is gone too.
            Err(error) if error.kind() == ErrorKind::ZoneNotFound => return Ok(()),
            zone => zone?,
        };
        let Some(set) = self.txt_set(&zone, &record.name)? else { return Ok(()) };
        let content = dns::quoted(&record.value);
        let (ours, others): (Vec<_>, Vec<_>) =
            set.resource_records().iter().cloned().partition(|value| value.value == content);
        if ours.is_empty() {
            return Ok(());
        }
        if others.is_empty() {
            return self.change(&zone, ChangeAction::Delete, set).map(drop);
        }
        let mut rest = set;
        rest.resource_records = Some(others);
        self.change(&zone, ChangeAction::Upsert, rest).map(drop)
    }

    fn ready(&self, _record: &TxtRecord, handle: &str) -> Result<bool, Error> {
        if handle.is_empty() {
            return Ok(true);
        }
        let answer =
            block_on(self.client.get_change().id(handle).send()).map_err(|error| failed("GetChange", &error))?;
        Ok(answer.change_info().is_some_and(|change| *change.status() == ChangeStatus::Insync))
    }
}

impl Route53 {
    /// The id of the public zone that holds the record.
    fn zone(&self, record: &TxtRecord) -> Result<String, Error> {
        if let Some(id) = &self.hosted_zone_id {
            return Ok(id.clone());
        }
        for candidate in dns::zone_candidates(record) {
            // Zones come in the order of their names, from this one on.
            let answer = block_on(self.client.list_hosted_zones_by_name().dns_name(candidate).send())
                .map_err(|error| failed("ListHostedZonesByName", &error))?;
            let name = dns::absolute(candidate);
            let zone = answer.hosted_zones().iter().find(|zone| {
                let is_private = zone.config().is_some_and(|config| config.private_zone());
                !is_private && zone.name().eq_ignore_ascii_case(&name)
            });
            if let Some(zone) = zone {
                return Ok(zone.id().trim_start_matches("/hostedzone/").to_owned());
            }
        }
        Err(Error::zone_not_found(&record.name))
    }

    /// The TXT set at a name, if there is one.
    fn txt_set(&self, zone: &str, name: &str) -> Result<Option<ResourceRecordSet>, Error> {
        let name = dns::absolute(name);
        let request = self.client.list_resource_record_sets().hosted_zone_id(zone);
        // Sets come in the order of names and types, from this one on.
        let request = request.start_record_name(&name).start_record_type(RrType::Txt).max_items(1);
        let answer = block_on(request.send()).map_err(|error| failed("ListResourceRecordSets", &error))?;
        let first = answer.resource_record_sets.into_iter().next();
        Ok(first.filter(|set| *set.r#type() == RrType::Txt && set.name().eq_ignore_ascii_case(&name)))
    }

    /// Carries out one change and returns its id.
    fn change(&self, zone: &str, action: ChangeAction, set: ResourceRecordSet) -> Result<String, Error> {
        let change = Change::builder().action(action).resource_record_set(set).build().map_err(incomplete)?;
        let batch = ChangeBatch::builder().comment("acme-manager").changes(change).build().map_err(incomplete)?;
        let request = self.client.change_resource_record_sets().hosted_zone_id(zone).change_batch(batch);
        let answer = block_on(request.send()).map_err(|error| failed("ChangeResourceRecordSets", &error))?;
        let id = answer.change_info().map(|change| change.id().trim_start_matches("/change/").to_owned());
        id.ok_or_else(|| Error::unavailable("Route 53 took the change without giving it an id"))
    }
}

export_provider!(Route53);

#[cfg(test)]
mod tests;
