use std::time::Duration;

use instant_acme::{
    Account, AuthorizationStatus, ChallengeType, ExternalAccountKey, Identifier, NewAccount, NewOrder, RetryPolicy,
};

use super::*;
use crate::{ChallTestSrv, certs::Certificate};

/// Issues a certificate for `name` over DNS-01 and returns its chain.
async fn issue(pebble: &Pebble, dns: &ChallTestSrv, request: &certs::Request, name: &str) -> String {
    let account = NewAccount { contact: &[], terms_of_service_agreed: true, only_return_existing: false };
    let builder = Account::builder_with_root(&pebble.ca_root_file).unwrap();
    let (account, _) = builder.create(&account, pebble.directory_url.clone(), None).await.unwrap();
    let identifiers = [Identifier::Dns(name.to_owned())];
    let mut order = account.new_order(&NewOrder::new(&identifiers)).await.unwrap();
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization.unwrap();
        if authorization.status == AuthorizationStatus::Valid {
            continue;
        }
        let mut challenge = authorization.challenge(ChallengeType::Dns01).unwrap();
        let value = challenge.key_authorization().dns_value();
        dns.set_txt(&format!("_acme-challenge.{name}"), &value).await.unwrap();
        challenge.set_ready().await.unwrap();
    }
    order.poll_ready(&RetryPolicy::default()).await.unwrap();
    order.finalize_csr(&request.der).await.unwrap();
    order.poll_certificate(&RetryPolicy::default()).await.unwrap()
}

#[tokio::test]
async fn it_issues_over_dns_and_openssl_agrees() {
    let dns = ChallTestSrv::start().await.unwrap();
    let lifetime = Duration::from_secs(6 * 24 * 3600);
    let options = PebbleOptions { certificate_lifetime: Some(lifetime), strict: true, ..PebbleOptions::new(dns.dns) };
    let pebble = Pebble::start(options).await.unwrap();
    let request = certs::Request::new(&["www.example.test"]).unwrap();
    let chain = issue(&pebble, &dns, &request, "www.example.test").await;
    let root = pebble.root_pem().await.unwrap();
    certs::openssl_verify(&chain, &root).unwrap();
    let certificate = Certificate::from_pem(&chain).unwrap();
    assert_eq!(certificate.names, ["www.example.test"]);
    assert!(certificate.belongs_to_key(&request.key_pem).unwrap());
    let seconds = certificate.not_after - certificate.not_before;
    assert!((seconds - i64::try_from(lifetime.as_secs()).unwrap()).abs() <= 1, "valid for {seconds} s");
    assert!(chain.contains(pebble.intermediate_pem().await.unwrap().trim()));
    let status = pebble.certificate_status(&certificate.serial).await.unwrap();
    assert_eq!(status["Status"], "Valid");
}

#[tokio::test]
async fn a_demanded_external_account_is_checked() {
    let key = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W";
    let external = ExternalAccount { key_id: "kid-1".to_owned(), hmac_key: key.to_owned() };
    let unused = SocketAddr::from((Ipv4Addr::LOCALHOST, 9));
    let options = PebbleOptions { external_account: Some(external), ..PebbleOptions::new(unused) };
    let pebble = Pebble::start(options).await.unwrap();
    let account = NewAccount { contact: &[], terms_of_service_agreed: true, only_return_existing: false };
    let builder = || Account::builder_with_root(&pebble.ca_root_file).unwrap();
    let refused = builder().create(&account, pebble.directory_url.clone(), None).await;
    assert!(refused.is_err());
    use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
    let key = ExternalAccountKey::new("kid-1".to_owned(), &BASE64_URL_SAFE_NO_PAD.decode(key).unwrap());
    let (_account, _) = builder().create(&account, pebble.directory_url.clone(), Some(&key)).await.unwrap();
}
