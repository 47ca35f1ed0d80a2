use acme_manager_plugin::testing::{MockApi, run_script};
use acme_manager_plugin::{auth, http};

use super::OracleCloud;
use super::signature::Signer;

/// The key, the requests and the signatures of Oracle's documentation, which has the wrong day of the week.
const EXAMPLE_KEY: &str = include_str!("example.pem");
const DATE: &str = "Thu, 05 Jan 2014 21:31:40 GMT";
const KEY_ID: &str = "ocid1.tenancy.oc1..aaaaaaaaba3pv6wkcr4jqae5f15p2b2m2yt2j6rx32uzr4h25vqstifsfdsq/\
    ocid1.user.oc1..aaaaaaaat5nvwcna5j6aqzjcaty5eqbb6qt2jvpkanghtgdaqedqw3rynjq/\
    20:3b:97:13:55:1c:5b:0d:d3:37:d8:50:4e:c5:3a:34";
const URL: &str = "https://iaas.us-phoenix-1.oraclecloud.com";
const QUERY: &str = "availabilityDomain=Pjwf%3A%20PHX-AD-1&\
    compartmentId=ocid1.compartment.oc1..aaaaaaaam3we6vgnherjq5q2idnccdflvjsnog7mlr6rtdb25gilchfeyjxa&\
    displayName=TeamXInstances&\
    volumeId=ocid1.volume.oc1.phx.abyhqljrgvttnlx73nmrwfaux7kcvzfs3s66izvxf2h4lgvyndsdsnoiwr5q";
const BODY: &str = r#"{
    "compartmentId": "ocid1.compartment.oc1..aaaaaaaam3we6vgnherjq5q2idnccdflvjsnog7mlr6rtdb25gilchfeyjxa",
    "instanceId": "ocid1.instance.oc1.phx.abuw4ljrlsfiqw6vzzxb43vyypt4pkodawglp3wqxjqofakrwvou52gb6s5a",
    "volumeId": "ocid1.volume.oc1.phx.abyhqljrgvttnlx73nmrwfaux7kcvzfs3s66izvxf2h4lgvyndsdsnoiwr5q"
}"#;

#[test]
fn conformance() {
    run_script::<OracleCloud>(include_str!("../conformance.json"));
}

fn client(key: &str) -> http::Client {
    let signer = Signer::new(KEY_ID.to_owned(), key).unwrap();
    http::Client::new(URL).unwrap().sign_with(move |request| signer.sign(request, DATE))
}

fn authorization(headers: &str, signature: &str) -> String {
    format!(
        r#"Signature version="1",keyId="{KEY_ID}",algorithm="rsa-sha256",headers="{headers}",signature="{signature}""#
    )
}

#[test]
fn requests_are_signed_as_in_oracles_documentation() {
    let api = MockApi::new();
    let signature = "GBas7grhyrhSKHP6AVIj/h5/Vp8bd/peM79H9Wv8kjoaCivujVXlpbKLjMPeDUhxkFIWtTtLBj3sUzaFj34XE6YZAHc9r2Dm\
        E4pMwOAy/kiITcZxa1oHPOeRheC0jP2dqbTll8fmTZVwKZOKHYPtrLJIJQHJjNvxFWeHQjMaR7M=";
    // The key as a PEM block, and in base64 around that.
    for key in [EXAMPLE_KEY, &auth::base64(EXAMPLE_KEY)] {
        api.expect("GET", &format!("{URL}/20160918/instances?{QUERY}"))
            .header("date", DATE)
            .header("authorization", &authorization("date (request-target) host", signature))
            .answer(200, "");
        client(key).get("20160918/instances").raw_query(QUERY).send().unwrap();
    }

    let signature = "Mje8vIDPlwIHmD/cTDwRxE7HaAvBg16JnVcsuqaNRim23fFPgQfLoOOxae6WqKb1uPjYEl0qIdazWaBy/Ml8DRhqlocMwoSX\
        v0fbukP8J5N80LCmzT/FFBvIvTB91XuXI3hYfP9Zt1l7S6ieVadHUfqBedWH0itrtPJBgKmrWso=";
    let headers = "date (request-target) host content-length content-type x-content-sha256";
    api.expect("POST", &format!("{URL}/20160918/volumeAttachments"))
        .header("x-content-sha256", "V9Z20UJTvkvpJ50flBzKE32+6m2zJjweHpDMX/U4Uy0=")
        .header("authorization", &authorization(headers, signature))
        .answer(200, "");
    client(EXAMPLE_KEY).post("20160918/volumeAttachments").body("application/json", BODY).send().unwrap();
}

#[test]
fn a_broken_key_is_named_and_not_shown() {
    for key in ["s3cr3t", "czNjcjN0"] {
        let error = Signer::new(KEY_ID.to_owned(), key).err().unwrap();
        assert_eq!(error.message(), "OCI_PRIVKEY: the private key is not a PEM block");
    }
}
