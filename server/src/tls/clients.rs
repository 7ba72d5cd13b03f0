//! Which clients are known: those with a certificate that chains to one of the operator's, read again when they change.
//!
//! A client without a certificate gets its connection all the same, since a kubelet has none and asks how we are: what it may
//! ask is the webhook's business. One with another certificate gets none.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, RootCertStore, SignatureScheme};
use rustls_pki_types::{CertificateDer, UnixTime};

use super::{Renewal, TlsError, chain, crypto, digest_of, read};

/// Those who may ask, swapped under connections.
#[derive(Debug)]
pub(crate) struct Clients {
    file: PathBuf,
    current: ArcSwap<Current>,
}

#[derive(Debug)]
struct Current {
    verifier: Arc<dyn ClientCertVerifier>,
    /// Digest of the file.
    stamp: Vec<u8>,
}

impl Clients {
    /// Reads the certificates of a file.
    pub(crate) fn load(file: &Path) -> Result<Arc<Self>, TlsError> {
        let current = Current::of(file, &read(file)?)?;
        Ok(Arc::new(Self {
            file: file.to_owned(),
            current: ArcSwap::from_pointee(current),
        }))
    }

    /// Reads them again if the file has changed; where it cannot be used, those from before stay.
    pub(crate) fn renew(&self) -> Result<Renewal, TlsError> {
        let pem = read(&self.file)?;
        if digest_of(&pem, &[]) == self.current.load().stamp {
            return Ok(Renewal::Unchanged);
        }
        self.current.store(Arc::new(Current::of(&self.file, &pem)?));
        Ok(Renewal::Renewed)
    }

    fn verifier(&self) -> Arc<dyn ClientCertVerifier> {
        Arc::clone(&self.current.load().verifier)
    }
}

impl Current {
    fn of(file: &Path, pem: &[u8]) -> Result<Self, TlsError> {
        let mut roots = RootCertStore::empty();
        for certificate in chain(file, pem)? {
            roots.add(certificate)?;
        }
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), crypto())
            .allow_unauthenticated()
            .build()?;
        Ok(Self {
            verifier,
            stamp: digest_of(pem, &[]),
        })
    }
}

impl ClientCertVerifier for Clients {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        // They may change; a client with one certificate needs no hint.
        &[]
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        let verifier = self.verifier();
        verifier.verify_client_cert(certificate, intermediates, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let verifier = self.verifier();
        verifier.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let verifier = self.verifier();
        verifier.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier().supported_verify_schemes()
    }
}
