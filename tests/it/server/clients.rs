//! Clients with certificates, and without.

use std::fs;

use hyper::StatusCode;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::json;

use super::client::{PATIENCE, pod_review, post, start};

/// An authority (PEM), and a certificate of it with its key.
fn authority() -> (String, (CertificateDer<'static>, PrivateKeyDer<'static>)) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let pem = params.self_signed(&key).unwrap().pem();
    let issuer = Issuer::new(params, key);
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["api-server".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    (pem, (certificate.der().clone(), key))
}

#[tokio::test(flavor = "multi_thread")]
async fn reviews_are_judged_for_those_alone_whom_the_operator_knows() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("clients.crt");
    let ((pem, known), (other_pem, other)) = (authority(), authority());
    fs::write(&file, &pem).unwrap();
    let server = start(&[], |settings| {
        settings.client_authority = Some(file.clone());
    })
    .await;
    let review = || post("/validate", pod_review(&json!({})).to_string());
    let ask = async |(certificate, key): &(CertificateDer<'static>, PrivateKeyDer<'static>)| {
        let client = (certificate.clone(), key.clone_key());
        server.send_as(client, review()).await
    };
    assert!(ask(&known).await.unwrap().allowed());
    assert!(
        ask(&other).await.is_none(),
        "another authority's is believed"
    );
    for path in ["/validate", "/validate/ignore", "/mutate"] {
        let refused = server.send(post(path, "{}")).await;
        assert_eq!(refused.status, StatusCode::UNAUTHORIZED, "{path}");
    }
    assert_eq!(server.get("/health/readiness").await.status, StatusCode::OK);

    // What cannot be used changes nothing.
    fs::write(&file, "no certificate").unwrap();
    server.running.reload();
    assert!(ask(&known).await.unwrap().allowed());
    fs::write(&file, &other_pem).unwrap();
    server.running.reload();
    let renewed = async { while ask(&other).await.is_none() {} };
    let renewed = tokio::time::timeout(PATIENCE, renewed).await;
    renewed.expect("the file was not read again");
    assert!(
        ask(&known).await.is_none(),
        "who is known no more is believed"
    );
}
