use acme_manager_plugin::testing::{MockApi, run_script};

use super::Ovh;
use super::login::Login;

#[test]
fn conformance() {
    run_script::<Ovh>(include_str!("../conformance.json"));
}

/// The keys, the requests and the signatures of the tests of OVHcloud's Go client.
#[test]
fn requests_are_signed_as_by_ovhclouds_own_client() {
    const TIME: &str = "1457018875";
    let api = MockApi::new()
        .env("OVH_APPLICATION_KEY", "TDPKJdwZwAQPwKX2")
        .env("OVH_APPLICATION_SECRET", "9ufkBmLaTQ9nz5yMUlg79taH0GNnzDjk")
        .env("OVH_CONSUMER_KEY", "5mBuy6SUQcRw2ZUxg0cG68BoDKpED4KY");
    // Not the machine's clock, but what passed on it.
    api.clock(5);
    api.expect("GET", "https://eu.api.ovh.com/1.0/auth/time").answer(200, TIME);
    let client = Login::from_env().unwrap().client().unwrap();

    let signatures = [
        ("GET", "$1$e9556054b6309771395efa467c22e627407461ad"),
        ("POST", "$1$ec2fb5c7a81f64723c77d2e5b609ae6f58a84fc1"),
        ("PUT", "$1$8a75a9e7c8e7296c9dbeda6a2a735eb6bd58ec4b"),
        ("DELETE", "$1$a1eecd00b3b02b6cf5708b84b9ff42059a950d85"),
    ];
    for (method, signature) in signatures {
        api.expect(method, "https://eu.api.ovh.com/1.0/auth")
            .header("x-ovh-application", "TDPKJdwZwAQPwKX2")
            .header("x-ovh-consumer", "5mBuy6SUQcRw2ZUxg0cG68BoDKpED4KY")
            .header("x-ovh-timestamp", TIME)
            .header("x-ovh-signature", signature)
            .answer(200, "");
        let request = client.request(method, "auth");
        let has_body = matches!(method, "POST" | "PUT");
        let request = if has_body { request.body("application/json", r#"{"a":"b","c":"d"}"#) } else { request };
        request.send().unwrap();
    }

    api.clock(12);
    api.expect("GET", "https://eu.api.ovh.com/1.0/auth").header("x-ovh-timestamp", "1457018882").answer(200, "");
    client.get("auth").send().unwrap();
}
