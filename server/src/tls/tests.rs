use std::fs;

use rcgen::{CertificateParams, KeyPair};

use super::{Renewal, ServingCertificate, TlsError};
use crate::settings::TlsSettings;

const NOW: u64 = 1_790_000_000;
const DAY: u64 = 24 * 60 * 60;

fn pair(name: &str) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

#[test]
fn a_changed_pair_is_served_and_a_broken_one_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let settings = TlsSettings::Files {
        certificate: directory.path().join("tls.crt"),
        key: directory.path().join("tls.key"),
    };
    let write = |certificate: &str, key: &str| {
        fs::write(directory.path().join("tls.crt"), certificate).unwrap();
        fs::write(directory.path().join("tls.key"), key).unwrap();
    };
    let (first, second) = (pair("first"), pair("second"));
    write(&first.0, &first.1);
    let serving = ServingCertificate::load(&settings, NOW).unwrap();
    let served = || serving.current.load().key.cert[0].clone();
    let first_served = served();
    assert_eq!(serving.renew(NOW).unwrap(), Renewal::Unchanged);

    // The certificate was replaced and its key not yet.
    write(&second.0, &first.1);
    assert!(matches!(serving.renew(NOW), Err(TlsError::Unusable(_))));
    write("no PEM", &second.1);
    assert!(matches!(serving.renew(NOW), Err(TlsError::Empty(_))));
    assert_eq!(served(), first_served);

    write(&second.0, &second.1);
    assert_eq!(serving.renew(NOW).unwrap(), Renewal::Renewed);
    assert_ne!(served(), first_served);
}

#[test]
fn an_authority_outlives_restarts_and_certificates_are_renewed() {
    let directory = tempfile::tempdir().unwrap();
    let settings = TlsSettings::SelfSigned {
        directory: directory.path().join("tls"),
        names: vec!["localhost".to_owned(), "127.0.0.1".to_owned()],
    };
    let authority = || fs::read_to_string(directory.path().join("tls/ca.crt")).unwrap();
    let first = ServingCertificate::load(&settings, NOW).unwrap();
    let kept = authority();
    let again = ServingCertificate::load(&settings, NOW + 1000 * DAY).unwrap();
    assert_eq!(authority(), kept);
    let chain = |serving: &ServingCertificate| serving.current.load().key.cert.clone();
    assert_eq!(chain(&first)[1], chain(&again)[1]);
    assert_ne!(chain(&first)[0], chain(&again)[0]);
    assert_eq!(first.renew(NOW).unwrap(), Renewal::Unchanged);
    assert_eq!(first.renew(NOW + 31 * DAY).unwrap(), Renewal::Renewed);
    ServingCertificate::load(&settings, NOW + 3600 * DAY).unwrap();
    assert_ne!(authority(), kept);
}

#[cfg(unix)]
#[test]
fn keys_are_for_the_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempfile::tempdir().unwrap();
    let settings = TlsSettings::SelfSigned {
        directory: directory.path().to_owned(),
        names: vec!["localhost".to_owned()],
    };
    ServingCertificate::load(&settings, NOW).unwrap();
    let mode = fs::metadata(directory.path().join("ca.key"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
}
