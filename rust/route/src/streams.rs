//! TCP and UDP services: what listens on which port, and the route that its streams take.
//!
//! Ports are opened and closed by the data path; here each is a key, and its backend a cell like any other.

use crate::compiled::{Ingress, Route};
use crate::fragment::Parts;
use crate::schema;
use hashbrown::{HashMap, HashSet};
use std::sync::Arc;

/// What is spoken on a port of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Layer {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

impl Layer {
    /// `tcp` or `udp`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

/// A TCP or UDP service.
#[derive(Debug)]
pub struct Stream {
    /// What is spoken.
    pub layer: Layer,
    /// Where it listens.
    pub port: u16,
    /// Who asks for it, for messages; may be empty.
    pub origin: Box<str>,
    /// Where streams go. Of no Ingress and no host.
    pub route: Arc<Route>,
    /// Clients send a PROXY header first.
    pub accept_proxy: bool,
    /// The version of the PROXY header that endpoints get first; 0 for none.
    pub send_proxy: u8,
    /// Milliseconds without a byte after which a stream ends.
    pub idle_timeout_ms: u32,
}

/// All that there are.
#[derive(Debug, Default)]
pub(crate) struct Streams(HashMap<Box<str>, Living, foldhash::fast::RandomState>);

#[derive(Debug)]
struct Living {
    stream: Arc<Stream>,
    value: schema::Stream,
}

impl Streams {
    /// The service of a key from now on.
    ///
    /// # Errors
    /// The key or the value makes no sense; nothing was taken, and what was there stays.
    pub(crate) fn put(
        &mut self,
        key: &str,
        value: schema::Stream,
        parts: &mut Parts,
        controller: &Arc<Ingress>,
    ) -> Result<Arc<Stream>, Box<str>> {
        let (layer, port) = parse(key).ok_or_else(|| format!("{key:?} is neither tcp/PORT nor udp/PORT"))?;
        if value.send_proxy > 2 {
            return Err(format!("there is no version {} of the PROXY protocol", value.send_proxy).into());
        }
        let stream = Arc::new(Stream {
            layer,
            port,
            origin: value.origin.clone(),
            route: Arc::new(parts.fallback(value.target.clone(), controller)),
            accept_proxy: value.accept_proxy,
            send_proxy: value.send_proxy,
            idle_timeout_ms: value.idle_timeout_ms,
        });
        let living = Living {
            stream: Arc::clone(&stream),
            value,
        };
        // After the new one has taken its cell, so that a cell that both have stays.
        if let Some(old) = self.0.insert(key.into(), living) {
            release(&old.stream, parts);
        }
        Ok(stream)
    }

    /// The service is gone.
    pub(crate) fn remove(&mut self, key: &str, parts: &mut Parts) {
        if let Some(old) = self.0.remove(key) {
            release(&old.stream, parts);
        }
    }

    /// The values of those that name one of these upstream policies, by key: they are to be put once more.
    pub(crate) fn naming(&self, upstreams: &HashSet<Box<str>>) -> Vec<(Box<str>, schema::Stream)> {
        let named = self.0.iter().filter(|(_, living)| {
            let upstream = &living.value.target.upstream;
            !upstream.is_empty() && upstreams.contains(upstream)
        });
        named.map(|(key, living)| (key.clone(), living.value.clone())).collect()
    }

    /// The cells their targets point to, one for each target.
    pub(crate) fn cells(&self) -> impl Iterator<Item = &Arc<crate::BackendCell>> {
        self.0
            .values()
            .filter_map(|living| living.stream.route.target.backend.as_ref())
    }
}

fn release(stream: &Stream, parts: &mut Parts) {
    if let Some(cell) = &stream.route.target.backend {
        parts.backends.release(&cell.key);
    }
}

/// `tcp/9000`.
fn parse(key: &str) -> Option<(Layer, u16)> {
    let (layer, port) = key.split_once('/')?;
    let layer = match layer {
        "tcp" => Layer::Tcp,
        "udp" => Layer::Udp,
        _ => return None,
    };
    let port: u16 = port.parse().ok().filter(|port| *port != 0)?;
    Some((layer, port))
}
