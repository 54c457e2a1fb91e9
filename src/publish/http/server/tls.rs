//! TLS: certificates that are read again when their files change.

use arc_swap::ArcSwap;
use serde::{Deserialize, Serialize};
use std::{
    convert::Infallible,
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        self, ServerConfig,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, pem, pem::PemObject},
    },
};

/// How often the files are checked for changes.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// `[http.tls]`: the listener speaks TLS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsConfig {
    /// PEM file with the certificate, followed by those that it was issued by.
    pub cert: PathBuf,
    /// PEM file with the certificate's private key.
    pub key: PathBuf,
}

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {path}: {error}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A file does not hold what it should.
    #[error("{path} holds no {wanted} in PEM form: {error}")]
    Pem {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        wanted: &'static str,
        /// Why.
        error: pem::Error,
    },
    /// Certificate and key do not fit together, or not our cryptography.
    #[error("http.tls: certificate and key cannot be used: {0}")]
    Unfit(#[from] rustls::Error),
}

/// The certificate that is shown to new connections.
pub(crate) struct Certificate {
    files: TlsConfig,
    current: ArcSwap<ServerConfig>,
}

impl Certificate {
    /// Reads the files.
    ///
    /// # Errors
    /// When they cannot be read, or do not fit together.
    pub fn load(files: &TlsConfig) -> Result<Self, TlsError> {
        Ok(Self { files: files.clone(), current: ArcSwap::from_pointee(read(files)?) })
    }

    /// For one new connection.
    pub fn acceptor(&self) -> TlsAcceptor {
        self.current.load_full().into()
    }

    /// Reads the files again whenever they have changed; when they cannot be used, the old certificate stays in
    /// use.
    pub async fn follow(&self) -> Infallible {
        let mut known = self.changed_at();
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let now = self.changed_at();
            if now != known {
                known = now;
                self.renew();
            }
        }
    }

    fn changed_at(&self) -> [Option<SystemTime>; 2] {
        let changed = |path: &Path| fs::metadata(path).and_then(|file| file.modified()).ok();
        [changed(&self.files.cert), changed(&self.files.key)]
    }

    fn renew(&self) {
        match read(&self.files) {
            Ok(config) => {
                self.current.store(Arc::new(config));
                tracing::info!(certificate = %self.files.cert.display(), "read anew");
            }
            Err(error) => tracing::error!("{error}; the old certificate stays"),
        }
    }
}

fn read(files: &TlsConfig) -> Result<ServerConfig, TlsError> {
    let bytes = |path: &Path| fs::read(path).map_err(|error| TlsError::Read { path: path.into(), error });
    let unfit = |path: &Path, wanted| {
        let path = path.to_owned();
        move |error| TlsError::Pem { path, wanted, error }
    };
    let chain = CertificateDer::pem_slice_iter(&bytes(&files.cert)?)
        .collect::<Result<Vec<_>, _>>()
        .map_err(unfit(&files.cert, "certificate"))?;
    if chain.is_empty() {
        return Err(unfit(&files.cert, "certificate")(pem::Error::NoItemsFound));
    }
    let key = PrivateKeyDer::from_pem_slice(&bytes(&files.key)?).map_err(unfit(&files.key, "private key"))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(folder: &Path) -> TlsConfig {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let files = TlsConfig { cert: folder.join("cert.pem"), key: folder.join("key.pem") };
        fs::write(&files.cert, made.cert.pem()).unwrap();
        fs::write(&files.key, made.signing_key.serialize_pem()).unwrap();
        files
    }

    #[test]
    fn a_new_certificate_is_taken_and_a_bad_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let certificate = Certificate::load(&write(folder.path())).unwrap();
        let first = certificate.current.load_full();
        write(folder.path());
        certificate.renew();
        let second = certificate.current.load_full();
        assert!(!Arc::ptr_eq(&first, &second));
        fs::write(folder.path().join("cert.pem"), "nonsense").unwrap();
        certificate.renew();
        assert!(Arc::ptr_eq(&second, &certificate.current.load_full()));
    }

    #[test]
    fn mistakes_name_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let files = write(folder.path());
        let refuse = |files: &TlsConfig| Certificate::load(files).err().unwrap().to_string();
        let swapped = TlsConfig { cert: files.key.clone(), key: files.cert.clone() };
        assert!(refuse(&swapped).contains("certificate"), "{}", refuse(&swapped));
        fs::remove_file(&files.key).unwrap();
        assert!(refuse(&files).starts_with(&format!("cannot read {}", files.key.display())));
    }
}
