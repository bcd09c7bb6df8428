//! TLS: the options of one server, and the link in `ureq`'s chain of connectors that wraps a connection.
//!
//! The link is ours because `ureq`'s own takes no verifier, and a registry that shows the very certificate its
//! administrator trusts (self-signed, marked as an authority) must be accepted, as Go's programs do.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, RootCertStore, StreamOwned,
};
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, Either, LazyBuffers, NextTimeout, Transport, TransportAdapter,
};

use super::trust::{self, Found};
use crate::error::{Error, Result};

/// How a server is recognised, and what is shown to it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tls {
    /// Take any certificate.
    pub unchecked: bool,
    /// Directories with more authorities and a client certificate, as `certs.d` has them.
    pub directories: Vec<PathBuf>,
    /// A directory with `ca.pem`, `cert.pem` and `key.pem`, each if it is there, as Docker's daemon has them.
    pub client_directory: Option<PathBuf>,
    /// The file with the system's authorities; the usual places if there is none.
    pub bundle: Option<PathBuf>,
    /// Directories of authorities in place of the usual file.
    pub bundle_dirs: Vec<PathBuf>,
}

/// Wraps connections to `https` addresses.
pub(super) struct TlsConnector {
    options: Tls,
    /// Whether the client certificate is shown: never to a host that another one sent us to.
    identify: bool,
    config: OnceLock<Arc<ClientConfig>>,
}

impl TlsConnector {
    pub fn new(options: Tls, identify: bool) -> Self {
        TlsConnector { options, identify, config: OnceLock::new() }
    }

    /// Reads the certificates, once, when they are first needed.
    fn config(&self) -> Result<Arc<ClientConfig>> {
        if let Some(config) = self.config.get() {
            return Ok(config.clone());
        }
        let made = Arc::new(self.make()?);
        Ok(self.config.get_or_init(|| made).clone())
    }

    fn make(&self) -> Result<ClientConfig> {
        let provider = Arc::new(ring::default_provider());
        let mut found = Found::default();
        for dir in &self.options.directories {
            trust::directory(dir, &mut found)?;
        }
        if let Some(dir) = &self.options.client_directory {
            trust::client_directory(dir, &mut found)?;
        }
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|cause| Error::invalid("cannot set up TLS").because(cause))?;
        let inner = if self.options.unchecked {
            None
        } else {
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates(trust::system(
                self.options.bundle.as_deref(),
                &self.options.bundle_dirs,
            ));
            roots.add_parsable_certificates(found.authorities.iter().cloned());
            // With no authority at all there is no verifier, and nothing is accepted.
            let built =
                WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build();
            Some(built.map_err(|cause| {
                Error::invalid("cannot set up TLS")
                    .because(cause)
                    .hint("install the authorities' certificates (the package ca-certificates)")
            })?)
        };
        let verifier = Verifier { inner, pinned: found.authorities, provider: provider.clone() };
        let builder = builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier));
        match found.identity.filter(|_| self.identify) {
            None => Ok(builder.with_no_client_auth()),
            Some(identity) => builder.with_client_auth_cert(identity.chain, identity.key).map_err(|cause| {
                Error::invalid("cannot use the client certificate")
                    .because(cause)
                    .hint("see that NAME.cert and NAME.key belong together")
            }),
        }
    }
}

impl fmt::Debug for TlsConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsConnector").finish_non_exhaustive()
    }
}

impl<In: Transport> Connector<In> for TlsConnector {
    type Out = Either<In, Wrapped>;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<In>,
    ) -> std::result::Result<Option<Self::Out>, ureq::Error> {
        let Some(below) = chained else { return Ok(None) };
        if !details.needs_tls() || below.is_tls() {
            return Ok(Some(Either::A(below)));
        }
        let config = self.config().map_err(|error| ureq::Error::Other(Box::new(error)))?;
        let host = details.uri.host().unwrap_or_default();
        let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned());
        let name = name.map_err(|_| ureq::Error::Tls("its name is no host name"))?;
        let mut connection = ClientConnection::new(config, name).map_err(of_tls)?;
        let boxed: Box<dyn Transport> = Box::new(below);
        let mut socket = TransportAdapter::new(boxed, details.current_time.clone());
        socket.set_timeout(details.timeout);
        connection.complete_io(&mut socket)?;
        let buffers =
            LazyBuffers::new(details.config.input_buffer_size(), details.config.output_buffer_size());
        Ok(Some(Either::B(Wrapped { buffers, stream: StreamOwned { conn: connection, sock: socket } })))
    }
}

fn of_tls(error: rustls::Error) -> ureq::Error {
    ureq::Error::Io(std::io::Error::other(error))
}

/// A connection inside TLS.
pub(super) struct Wrapped {
    buffers: LazyBuffers,
    stream: StreamOwned<ClientConnection, TransportAdapter>,
}

impl Transport for Wrapped {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(
        &mut self,
        amount: usize,
        timeout: NextTimeout,
    ) -> std::result::Result<(), ureq::Error> {
        use std::io::Write;
        self.stream.get_mut().set_timeout(timeout);
        self.stream.write_all(&self.buffers.output()[..amount])?;
        Ok(())
    }

    fn await_input(&mut self, timeout: NextTimeout) -> std::result::Result<bool, ureq::Error> {
        use std::io::Read;
        self.stream.get_mut().set_timeout(timeout);
        let amount = self.stream.read(self.buffers.input_append_buf())?;
        self.buffers.input_appended(amount);
        Ok(amount > 0)
    }

    fn is_open(&mut self) -> bool {
        self.stream.get_mut().get_mut().is_open()
    }

    fn is_tls(&self) -> bool {
        true
    }
}

impl fmt::Debug for Wrapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wrapped").finish_non_exhaustive()
    }
}

/// The usual rules, and two exceptions: nothing is checked, or the certificate is itself one that is trusted.
#[derive(Debug)]
struct Verifier {
    /// `None` to take any certificate.
    inner: Option<Arc<WebPkiServerVerifier>>,
    /// What the directories name as authorities.
    pinned: Vec<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        let Some(inner) = &self.inner else { return Ok(ServerCertVerified::assertion()) };
        match inner.verify_server_cert(certificate, between, name, ocsp, now) {
            // Said only after the dates were found good; the name is left to check.
            Err(rustls::Error::InvalidCertificate(why))
                if is_authority(&why) && self.pinned.contains(certificate) =>
            {
                rustls::client::verify_server_name(&ParsedCertificate::try_from(certificate)?, name)?;
                Ok(ServerCertVerified::assertion())
            }
            verdict => verdict,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// Whether a certificate was refused because it may sign others.
pub(super) fn is_authority(why: &CertificateError) -> bool {
    match why {
        // The inner type belongs to a crate below `rustls`; its name is all we need of it.
        CertificateError::Other(other) => format!("{other:?}").contains("CaUsedAsEndEntity"),
        _ => false,
    }
}
