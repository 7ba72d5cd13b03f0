//! A certificate authority kept in a directory, and serving certificates below it.
//!
//! The authority outlives restarts, so that the `caBundle` of a webhook configuration goes on working.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use x509_cert::Certificate;
use x509_cert::der::DecodePem as _;

use super::TlsError;

const DAY: u64 = 24 * 60 * 60;

/// Ten years: whoever wants a shorter one brings his own files.
const AUTHORITY_LIFE: u64 = 3650 * DAY;

/// An authority with less than this left is replaced at start.
const AUTHORITY_MARGIN: u64 = 90 * DAY;

/// A serving certificate lives as long as Kyverno's.
const CERTIFICATE_LIFE: u64 = 150 * DAY;

/// A new serving certificate is made in every period, so one always has 120 days left.
const PERIOD: u64 = 30 * DAY;

/// Clocks of API servers may be behind.
const BACKDATED: u64 = 60 * 60;

/// Who signs serving certificates.
pub(super) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    path: PathBuf,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Authority")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// Which serving certificate a time belongs to.
pub(super) const fn period(now: u64) -> u64 {
    now / PERIOD
}

impl Authority {
    /// The authority of `directory`: the one that is there if it is good for a while, else a new one.
    pub(super) fn open(directory: &Path, now: u64) -> Result<Self, TlsError> {
        fs::create_dir_all(directory).map_err(|error| file_error(directory, error))?;
        let path = directory.join("ca.crt");
        let key_path = directory.join("ca.key");
        if let Some(authority) = Self::kept(&path, &key_path, now)? {
            return Ok(authority);
        }
        let key = KeyPair::generate()?;
        let params = authority_params(now);
        let certificate = params.self_signed(&key)?;
        write_private(&key_path, &key.serialize_pem())?;
        fs::write(&path, certificate.pem()).map_err(|error| file_error(&path, error))?;
        Ok(Self {
            certificate: certificate.der().clone(),
            issuer: Issuer::new(params, key),
            path,
        })
    }

    fn kept(path: &Path, key_path: &Path, now: u64) -> Result<Option<Self>, TlsError> {
        if !path.exists() || !key_path.exists() {
            return Ok(None);
        }
        let pem = fs::read_to_string(path).map_err(|error| file_error(path, error))?;
        let key_pem = fs::read_to_string(key_path).map_err(|error| file_error(key_path, error))?;
        let key = KeyPair::from_pem(&key_pem)?;
        // A file that is not ours, or not this key's, is an error of whoever put it there: it is not overwritten.
        let Ok(parsed) = Certificate::from_pem(pem.as_bytes()) else {
            return Err(TlsError::Empty(path.to_owned()));
        };
        let ends = parsed.tbs_certificate.validity.not_after.to_unix_duration();
        if ends.as_secs() < now + AUTHORITY_MARGIN {
            return Ok(None);
        }
        let mut chain = super::chain(path, pem.as_bytes())?;
        Ok(Some(Self {
            certificate: chain.remove(0),
            issuer: Issuer::new(authority_params(now), key),
            path: path.to_owned(),
        }))
    }

    /// A new certificate for `names` with its chain, and its key; neither is written anywhere.
    pub(super) fn certificate(
        &self,
        names: &[String],
        now: u64,
    ) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), TlsError> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(names.to_vec())?;
        params
            .distinguished_name
            .push(DnType::CommonName, "Regent webhook");
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        validity(&mut params, now, CERTIFICATE_LIFE);
        let certificate = params.signed_by(&key, &self.issuer)?;
        let chain = vec![certificate.der().clone(), self.certificate.clone()];
        Ok((chain, PrivateKeyDer::Pkcs8(key.serialize_der().into())))
    }
}

fn authority_params(now: u64) -> CertificateParams {
    let mut params = CertificateParams::default();
    params
        .distinguished_name
        .push(DnType::CommonName, "Regent webhook CA");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    validity(&mut params, now, AUTHORITY_LIFE);
    params
}

fn validity(params: &mut CertificateParams, now: u64, life: u64) {
    let at = |seconds| rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(seconds);
    params.not_before = at(now.saturating_sub(BACKDATED));
    params.not_after = at(now + life);
}

fn write_private(path: &Path, text: &str) -> Result<(), TlsError> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let mut file = options
        .open(path)
        .map_err(|error| file_error(path, error))?;
    file.write_all(text.as_bytes())
        .map_err(|error| file_error(path, error))
}

fn file_error(path: &Path, error: std::io::Error) -> TlsError {
    TlsError::File {
        path: path.to_owned(),
        error,
    }
}
