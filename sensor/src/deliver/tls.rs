//! Whom to trust and who we are, for TLS. rustls with ring; the peer is always verified.

use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use super::destination::Destination;

/// Read once, before the first connection: a sensor that confines itself cannot read them later.
#[derive(Debug)]
pub(super) struct Trust {
    roots: Vec<CertificateDer<'static>>,
    identity: Option<Identity>,
}

#[derive(Debug)]
struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    /// The same for ureq, whose kinds of keys have no public name.
    http_key: ureq::tls::PrivateKey<'static>,
}

fn invalid(problem: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, problem.into())
}

fn certificates(path: &Path) -> io::Result<Vec<CertificateDer<'static>>> {
    let trouble = |error: rustls::pki_types::pem::Error| invalid(format!("{}: {error}", path.display()));
    let found = CertificateDer::pem_file_iter(path)
        .map_err(trouble)?
        .collect::<Result<Vec<_>, _>>()
        .map_err(trouble)?;
    if found.is_empty() {
        return Err(invalid(format!("{}: no certificate in it; name a PEM file", path.display())));
    }
    Ok(found)
}

impl Trust {
    pub(super) fn load(destination: &Destination) -> io::Result<Self> {
        let roots = if let Some(path) = &destination.ca {
            certificates(path)?
        } else {
            let found = rustls_native_certs::load_native_certs();
            if found.certs.is_empty() {
                return Err(invalid(
                    "this machine has no list of certificate authorities; name one with ca=FILE",
                ));
            }
            found.certs
        };
        let identity = match &destination.identity {
            Some((cert, key)) => {
                let trouble = |error: String| invalid(format!("{}: {error}", key.display()));
                let pem = std::fs::read(key).map_err(|error| trouble(error.to_string()))?;
                Some(Identity {
                    chain: certificates(cert)?,
                    key: PrivateKeyDer::from_pem_slice(&pem).map_err(|error| trouble(error.to_string()))?,
                    http_key: ureq::tls::PrivateKey::from_pem(&pem)
                        .map_err(|error| trouble(error.to_string()))?,
                })
            }
            None => None,
        };
        Ok(Self { roots, identity })
    }

    /// For rustls.
    pub(super) fn client(&self) -> io::Result<Arc<ClientConfig>> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(self.roots.iter().cloned());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_root_certificates(roots);
        let config = match &self.identity {
            Some(Identity { chain, key, .. }) => {
                builder.with_client_auth_cert(chain.clone(), key.clone_key()).map_err(io::Error::other)?
            }
            None => builder.with_no_client_auth(),
        };
        Ok(Arc::new(config))
    }

    /// For ureq.
    pub(super) fn http(&self) -> ureq::tls::TlsConfig {
        let roots = self.roots.iter().map(|cert| ureq::tls::Certificate::from_der(cert).to_owned());
        let mut builder = ureq::tls::TlsConfig::builder()
            .root_certs(ureq::tls::RootCerts::from(roots))
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()));
        if let Some(Identity { chain, http_key, .. }) = &self.identity {
            let chain: Vec<_> =
                chain.iter().map(|cert| ureq::tls::Certificate::from_der(cert).to_owned()).collect();
            builder =
                builder.client_cert(Some(ureq::tls::ClientCert::new_with_certs(&chain, http_key.to_owned())));
        }
        builder.build()
    }
}
