//! TLS of the listener: a certificate and its key from two PEM files, read again when they change.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use sha2::{Digest as _, Sha256};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::watch,
    time::{MissedTickBehavior, interval},
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        self, ServerConfig,
        crypto::{CryptoProvider, ring},
        pki_types::{
            CertificateDer, PrivateKeyDer,
            pem::{self, PemObject},
        },
        sign::{CertifiedKey, SingleCertAndKey},
    },
    server::TlsStream,
};
use tokio_util::sync::CancellationToken;

use crate::Error;

/// How often the files are looked at.
const EVERY: Duration = Duration::from_secs(2);

/// What may be spoken inside (RFC 7301), best first.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// The first byte of a client that speaks TLS: the content type of a handshake (RFC 8446
/// section 5.1).
const HANDSHAKE: u8 = 22;

/// What a client hears that speaks HTTP where TLS is spoken.
const PLAIN: &[u8] = b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain; charset=utf-8\r\n\
    content-length: 33\r\nconnection: close\r\n\r\nThis port speaks HTTPS, not HTTP\n";

/// How much of such a client's request is read, so that it sees the answer and no reset.
const LARGEST_PLAIN: u64 = 64 << 10;

/// Where an operator keeps the listener's certificate and key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The chain in PEM form, the server's own certificate first.
    pub certificate: PathBuf,
    /// The private key in PEM form, without a password.
    pub key: PathBuf,
}

/// What a listener accepts connections with. Clones share what is current.
#[derive(Clone)]
pub(crate) struct Tls(watch::Receiver<TlsAcceptor>);

/// Puts a new pair in place when the files hold one.
pub(crate) struct Renewal {
    files: TlsFiles,
    /// What the last look found.
    mark: [u8; 32],
    current: watch::Sender<TlsAcceptor>,
}

/// What the two files hold.
struct Pair {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl Tls {
    /// Reads the pair. Fails with the file that cannot be used, and what to do about it.
    pub(crate) fn open(files: TlsFiles) -> Result<(Self, Renewal), Error> {
        let pair = files.read();
        let mark = mark(&pair);
        let (current, accepted) = watch::channel(files.acceptor(&pair?)?);
        Ok((Self(accepted), Renewal { files, mark, current }))
    }

    /// Shakes hands. Whoever speaks plain HTTP is told so.
    pub(crate) async fn accept(&self, mut stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let mut first = [0];
        if stream.peek(&mut first).await? == 1 && first[0] != HANDSHAKE {
            stream.write_all(PLAIN).await?;
            stream.shutdown().await?;
            tokio::io::copy(&mut stream.take(LARGEST_PLAIN), &mut tokio::io::sink()).await?;
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the client speaks no TLS"));
        }
        let acceptor = self.0.borrow().clone();
        acceptor.accept(stream).await
    }
}

impl Renewal {
    /// Looks at the files until `end`. Connections that stand keep what they began with.
    pub(crate) async fn run(mut self, end: CancellationToken) {
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = end.cancelled() => return,
                _ = ticks.tick() => self.look().await,
            }
        }
    }

    /// Compares what the files hold, not when they were written: a link may be turned to other
    /// files that are older. A pair that cannot be used is told once; the last one stays.
    async fn look(&mut self) {
        let files = self.files.clone();
        let Ok(pair) = tokio::task::spawn_blocking(move || files.read()).await else { return };
        let mark = mark(&pair);
        if std::mem::replace(&mut self.mark, mark) == mark {
            return;
        }
        match pair.and_then(|it| self.files.acceptor(&it)) {
            Ok(acceptor) => {
                self.current.send_replace(acceptor);
                tracing::info!(file = %self.files.certificate.display(), "a new certificate");
            }
            Err(cause) => tracing::warn!(%cause, "a new certificate is not used; the last stays"),
        }
    }
}

impl TlsFiles {
    fn read(&self) -> Result<Pair, Error> {
        let read = |file: &Path| {
            fs::read(file).map_err(|cause| {
                unusable(file, format!("cannot be read ({cause}); name a PEM file that can be"))
            })
        };
        Ok(Pair { certificate: read(&self.certificate)?, key: read(&self.key)? })
    }

    fn acceptor(&self, pair: &Pair) -> Result<TlsAcceptor, Error> {
        let provider = Arc::new(ring::default_provider());
        let resolver = SingleCertAndKey::from(self.certified(pair, &provider)?);
        let ticketer = ring::Ticketer::new();
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|cause| unusable(&self.certificate, cause.to_string()))?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(resolver));
        config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).into();
        // Whoever comes back is known by a ticket that it keeps itself, up to the next pair.
        config.ticketer =
            ticketer.map_err(|cause| unusable(&self.certificate, cause.to_string()))?;
        Ok(TlsAcceptor::from(Arc::new(config)))
    }

    fn certified(&self, pair: &Pair, provider: &CryptoProvider) -> Result<CertifiedKey, Error> {
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pair.certificate).collect();
        let chain = chain.map_err(|cause| no_pem(&self.certificate, &cause))?;
        if chain.is_empty() {
            let fault = "holds no certificate; put the PEM chain here, the server's own first";
            return Err(unusable(&self.certificate, fault));
        }
        let key = PrivateKeyDer::from_pem_slice(&pair.key).map_err(|cause| match cause {
            pem::Error::NoItemsFound => {
                unusable(&self.key, "holds no private key; put it here as PEM without a password")
            }
            cause => no_pem(&self.key, &cause),
        })?;
        let key = provider.key_provider.load_private_key(key).map_err(|cause| {
            unusable(&self.key, format!("{cause}; use an RSA, ECDSA or Ed25519 key"))
        })?;
        let certified = CertifiedKey::new(chain, key);
        match certified.keys_match() {
            Ok(()) => Ok(certified),
            Err(rustls::Error::InconsistentKeys(_)) => {
                let certificate = self.certificate.display();
                let fault = format!("is not the key of {certificate}; put its own key here");
                Err(unusable(&self.key, fault))
            }
            Err(cause) => {
                let fault = format!("holds no certificate of a server ({cause}); issue it anew");
                Err(unusable(&self.certificate, fault))
            }
        }
    }
}

fn no_pem(file: &Path, cause: &pem::Error) -> Error {
    unusable(file, format!("is no PEM file ({cause}); write it anew"))
}

fn unusable(file: &Path, fault: impl Into<String>) -> Error {
    Error::Tls { file: file.to_owned(), fault: fault.into() }
}

/// Tells what was found from what was found before, without keeping a key.
fn mark(pair: &Result<Pair, Error>) -> [u8; 32] {
    let hash = Sha256::new();
    let hash = match pair {
        Ok(Pair { certificate, key }) => hash
            .chain_update(certificate.len().to_be_bytes())
            .chain_update(certificate)
            .chain_update(key),
        Err(error) => hash.chain_update(error.to_string()),
    };
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};

    use super::*;

    struct Folder(tempfile::TempDir);

    impl Folder {
        fn with(certificate: &str, key: &str) -> Self {
            let folder = Self(tempfile::tempdir().unwrap());
            folder.write(certificate, key);
            folder
        }

        fn files(&self) -> TlsFiles {
            let (certificate, key) = (self.0.path().join("tls.crt"), self.0.path().join("tls.key"));
            TlsFiles { certificate, key }
        }

        fn write(&self, certificate: &str, key: &str) {
            fs::write(self.files().certificate, certificate).unwrap();
            fs::write(self.files().key, key).unwrap();
        }
    }

    fn pair() -> (String, String) {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["loop.test".to_owned()]).unwrap();
        (cert.pem(), signing_key.serialize_pem())
    }

    #[test]
    fn a_pair_that_cannot_be_used_names_its_file_and_the_mend() {
        let (certificate, key) = pair();
        let other = KeyPair::generate().unwrap().serialize_pem();
        let cut = &certificate[..certificate.len() / 2];
        let public = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        for (certificate, key, file, fault) in [
            (&*certificate, &*other, "tls.key", "is not the key of"),
            (&key, &key, "tls.crt", "holds no certificate"),
            (&certificate, &certificate, "tls.key", "holds no private key"),
            (cut, &key, "tls.crt", "is no PEM file"),
            (public, &key, "tls.crt", "holds no certificate of a server"),
            ("", "", "tls.crt", "holds no certificate"),
        ] {
            let folder = Folder::with(certificate, key);
            let error = Tls::open(folder.files()).err().expect(fault).to_string();
            assert!(error.contains(&format!("{file}: {fault}")), "{error}");
            assert!(error.contains("; "), "it says what to do: {error}");
        }
        let nowhere =
            TlsFiles { certificate: "/nowhere/tls.crt".into(), key: "/nowhere/tls.key".into() };
        let error = Tls::open(nowhere).err().unwrap().to_string();
        assert!(error.starts_with("/nowhere/tls.crt: cannot be read"), "{error}");
    }

    #[tokio::test]
    async fn a_new_pair_is_taken_and_a_broken_one_is_not() {
        let (certificate, key) = pair();
        let folder = Folder::with(&certificate, &key);
        let (mut tls, mut renewal) = Tls::open(folder.files()).unwrap();
        renewal.look().await;
        assert!(!tls.0.has_changed().unwrap(), "nothing has changed");

        let (certificate, other) = pair();
        folder.write(&certificate, &key);
        renewal.look().await;
        assert!(!tls.0.has_changed().unwrap(), "half of a pair is none");
        fs::remove_file(folder.files().key).unwrap();
        renewal.look().await;
        assert!(!tls.0.has_changed().unwrap(), "half of a pair is none");

        folder.write(&certificate, &other);
        renewal.look().await;
        assert!(tls.0.has_changed().unwrap());
        tls.0.mark_unchanged();
        renewal.look().await;
        assert!(!tls.0.has_changed().unwrap(), "it is taken once");
    }

    #[test]
    fn the_words_for_plain_http_have_the_length_they_say() {
        let text = std::str::from_utf8(PLAIN).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("content-length: {}\r\n", body.len())), "{}", body.len());
    }
}
