//! The serving certificate: read from files and again when they change, or made here.
//!
//! TLS 1.2 and 1.3; HTTP/2 and 1.1 are offered. A pair that does not fit together is never served: the last good one stays.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use aws_lc_rs::digest;
use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, aws_lc_rs as provider};
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use thiserror::Error;

use crate::settings::TlsSettings;
use clients::Clients;
use self_signed::Authority;

pub(crate) mod clients;
mod self_signed;
#[cfg(test)]
mod tests;

/// Why there is no certificate to serve.
#[derive(Debug, Error)]
pub enum TlsError {
    /// A file or directory could not be read or written.
    #[error("{path}: {error}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// A file is not what it should be.
    #[error("{path}: {error}", path = path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: rustls_pki_types::pem::Error,
    },
    /// A file has no certificate.
    #[error("{path}: no certificate in it", path = .0.display())]
    Empty(PathBuf),
    /// Certificate and key do not fit together, or are of a kind that is not spoken.
    #[error("the certificate and its key cannot be used: {0}")]
    Unusable(#[from] rustls::Error),
    /// Certificates that those of clients should chain to.
    #[error("the certificates for clients cannot be used: {0}")]
    Clients(#[from] rustls::server::VerifierBuilderError),
    /// A certificate could not be made.
    #[error("a certificate could not be made: {0}")]
    Make(#[from] rcgen::Error),
}

/// The certificate that is served, swapped under connections.
#[derive(Debug)]
pub struct ServingCertificate {
    source: CertificateSource,
    current: ArcSwap<Current>,
}

#[derive(Debug)]
enum CertificateSource {
    Files {
        certificate: PathBuf,
        key: PathBuf,
    },
    Made {
        authority: Box<Authority>,
        names: Vec<String>,
    },
}

#[derive(Debug)]
struct Current {
    key: Arc<CertifiedKey>,
    /// Digest of the files, or the day on which it was made.
    stamp: Vec<u8>,
}

/// What looking for a new certificate came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renewal {
    /// The old one is still the right one.
    Unchanged,
    /// A new one is served from now on.
    Renewed,
}

impl ServingCertificate {
    /// Reads or makes the first certificate; `now` is in seconds since 1970.
    pub fn load(settings: &TlsSettings, now: u64) -> Result<Arc<Self>, TlsError> {
        let source = match settings {
            TlsSettings::Files { certificate, key } => CertificateSource::Files {
                certificate: certificate.clone(),
                key: key.clone(),
            },
            TlsSettings::SelfSigned { directory, names } => CertificateSource::Made {
                authority: Box::new(Authority::open(directory, now)?),
                names: names.clone(),
            },
        };
        let current = source.current(now)?;
        Ok(Arc::new(Self {
            source,
            current: ArcSwap::from_pointee(current),
        }))
    }

    /// Serves a new certificate if there is one.
    pub fn renew(&self, now: u64) -> Result<Renewal, TlsError> {
        let stamp = self.source.stamp(now)?;
        if stamp == self.current.load().stamp {
            return Ok(Renewal::Unchanged);
        }
        self.current.store(Arc::new(self.source.current(now)?));
        Ok(Renewal::Renewed)
    }
}

impl ResolvesServerCert for ServingCertificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.load().key.clone())
    }
}

impl CertificateSource {
    fn stamp(&self, now: u64) -> Result<Vec<u8>, TlsError> {
        match self {
            Self::Files { certificate, key } => Ok(digest_of(&read(certificate)?, &read(key)?)),
            Self::Made { .. } => Ok(self_signed::period(now).to_be_bytes().to_vec()),
        }
    }

    fn current(&self, now: u64) -> Result<Current, TlsError> {
        match self {
            Self::Files { certificate, key } => {
                let (chain_pem, key_pem) = (read(certificate)?, read(key)?);
                Ok(Current {
                    stamp: digest_of(&chain_pem, &key_pem),
                    key: certified(chain(certificate, &chain_pem)?, private(key, &key_pem)?)?,
                })
            }
            Self::Made { authority, names } => {
                let (chain, key) = authority.certificate(names, now)?;
                Ok(Current {
                    key: certified(chain, key)?,
                    stamp: self.stamp(now)?,
                })
            }
        }
    }
}

/// The TLS side of the webhook's listener.
pub(crate) fn server_config(
    certificate: Arc<ServingCertificate>,
    clients: Option<Arc<Clients>>,
) -> Result<Arc<ServerConfig>, TlsError> {
    let is_known = clients.is_some();
    let builder =
        ServerConfig::builder_with_provider(crypto()).with_safe_default_protocol_versions()?;
    let builder = match clients {
        Some(clients) => builder.with_client_cert_verifier(clients),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_cert_resolver(certificate);
    if is_known {
        // Who is known by an earlier connection may have ceased to be.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
    }
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn crypto() -> Arc<CryptoProvider> {
    Arc::new(provider::default_provider())
}

fn certified(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<Arc<CertifiedKey>, TlsError> {
    // Refuses a key that is not the certificate's.
    Ok(Arc::new(CertifiedKey::from_der(chain, key, &crypto())?))
}

fn chain(path: &Path, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|error| TlsError::Pem {
            path: path.to_owned(),
            error,
        })?;
    if chain.is_empty() {
        return Err(TlsError::Empty(path.to_owned()));
    }
    Ok(chain)
}

fn private(path: &Path, pem: &[u8]) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_slice(pem).map_err(|error| TlsError::Pem {
        path: path.to_owned(),
        error,
    })
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|error| TlsError::File {
        path: path.to_owned(),
        error,
    })
}

fn digest_of(chain: &[u8], key: &[u8]) -> Vec<u8> {
    let mut context = digest::Context::new(&digest::SHA256);
    // The length keeps the two apart.
    context.update(&chain.len().to_be_bytes());
    context.update(chain);
    context.update(key);
    context.finish().as_ref().to_vec()
}
