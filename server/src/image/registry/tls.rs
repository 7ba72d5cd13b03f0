//! TLS towards registries: the platform's certificates, the operator's, or none where he said so.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use super::SettingsError;

/// Trusts the platform's certificates and those in the files.
pub(crate) fn verified(certificates: &[PathBuf]) -> Result<ClientConfig, SettingsError> {
    let mut roots = RootCertStore::empty();
    let platform = rustls_native_certs::load_native_certs();
    for error in &platform.errors {
        tracing::warn!(%error, "some of the platform's certificates cannot be read");
    }
    let (_, ignored) = roots.add_parsable_certificates(platform.certs);
    if ignored > 0 {
        tracing::debug!(
            ignored,
            "certificates of the platform that cannot be parsed"
        );
    }
    for path in certificates {
        add(&mut roots, path)?;
    }
    if roots.is_empty() {
        tracing::warn!(
            "no certificate authority is known: every registry over https will be refused"
        );
    }
    Ok(builder()?
        .with_root_certificates(roots)
        .with_no_client_auth())
}

/// Trusts anyone.
pub(crate) fn unverified() -> Result<ClientConfig, SettingsError> {
    Ok(builder()?
        .dangerous()
        .with_custom_certificate_verifier(anyone())
        .with_no_client_auth())
}

/// Accepts every certificate.
pub(crate) fn anyone() -> Arc<dyn ServerCertVerifier> {
    Arc::new(Anyone(Arc::new(aws_lc_rs::default_provider())))
}

/// What all configurations have in common.
pub(crate) fn builder()
-> Result<rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>, SettingsError> {
    ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| SettingsError::Tls(error.to_string()))
}

/// Adds a file of certificates; one that holds none, or something that is none, is refused.
fn add(roots: &mut RootCertStore, path: &Path) -> Result<(), SettingsError> {
    let fault = |what: String| SettingsError::Certificates(path.to_owned(), what);
    let certificates = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| fault(error.to_string()))?;
    if certificates.is_empty() {
        return Err(fault("it holds no certificate in PEM".to_owned()));
    }
    for certificate in certificates {
        roots
            .add(certificate)
            .map_err(|error| fault(error.to_string()))?;
    }
    Ok(())
}

/// Accepts every certificate, for registries that the operator called insecure.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
