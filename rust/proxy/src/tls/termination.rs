//! Ends TLS: picks the configuration of each handshake, and runs it.
//!
//! Hosts that ask for no certificate of clients share one configuration. As long as there are no others, nothing is looked
//! at before a handshake. Once there are, each ClientHello is read first, and a name that asks for certificates gets a
//! configuration of its own that asks, and resumes nothing.

use super::authority::Authorities;
use super::client_auth::Presented;
use super::config::{Recipe, TlsError};
use arc_swap::ArcSwap;
use fastingress_route::{ClientPolicy, RouteTable};
use rustls::ServerConfig;
use rustls::server::Acceptor;
use std::io;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::server::TlsStream;
use tokio_rustls::{LazyConfigAcceptor, TlsAcceptor};

/// What all handshakes share.
pub struct Termination {
    recipe: Recipe,
    ordinary: Arc<ServerConfig>,
    table: Arc<ArcSwap<RouteTable>>,
    authorities: Arc<Authorities>,
}

/// A stream whose handshake is over.
pub struct Terminated<S> {
    /// The stream.
    pub stream: TlsStream<S>,
    /// What came of asking for a certificate; `None`: nothing was asked.
    pub client: Option<Arc<Presented>>,
}

impl Termination {
    /// `table` is the live one.
    ///
    /// # Errors
    /// What the library refuses.
    pub fn new(
        recipe: Recipe,
        table: Arc<ArcSwap<RouteTable>>,
        authorities: Arc<Authorities>,
    ) -> Result<Self, TlsError> {
        Ok(Self {
            ordinary: recipe.ordinary()?,
            recipe,
            table,
            authorities,
        })
    }

    /// The configuration of hosts that ask for no certificate.
    pub fn ordinary(&self) -> &Arc<ServerConfig> {
        &self.ordinary
    }

    /// Shakes hands. To be bounded in time by the caller.
    ///
    /// # Errors
    /// The client went away, or the two do not agree; the client has been told.
    pub async fn accept<S>(&self, stream: S) -> io::Result<Terminated<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        if !self.table.load().asks_clients() {
            let stream = TlsAcceptor::from(self.ordinary.clone()).accept(stream).await?;
            return Ok(Terminated { stream, client: None });
        }
        let start = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
        let Some(policy) = self.policy(start.client_hello().server_name()) else {
            let stream = start.into_stream(self.ordinary.clone()).await?;
            return Ok(Terminated { stream, client: None });
        };
        let trust = self.authorities.find(&policy.auth.authority);
        let subjects = trust.as_ref().map_or_else(Vec::new, |trust| trust.subjects().to_vec());
        let config = self.recipe.asking(subjects).map_err(io::Error::other)?;
        let stream = start.into_stream(config).await?;
        let chain = stream.get_ref().1.peer_certificates().unwrap_or_default().to_vec();
        Ok(Terminated {
            stream,
            client: Some(Arc::new(Presented::new(policy, trust, chain))),
        })
    }

    fn policy(&self, server_name: Option<&str>) -> Option<Arc<ClientPolicy>> {
        let table = self.table.load();
        table.client_policy(server_name.unwrap_or_default().as_bytes()).cloned()
    }
}
