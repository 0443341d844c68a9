//! What went wrong with a request, on whose side, and whether trying again is safe.
//!
//! Errors leave the spine sideways and meet in [`Failure::status`], the only place that chooses a status.

use crate::upstream::{NeverProcessed, TlsFailure};
use std::io;

/// Whose doing it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The client's.
    Client,
    /// The backend's.
    Upstream,
    /// Ours, or the configuration's.
    Us,
}

/// Why a request could not be served as asked.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The head or the body framing of the request was refused.
    #[error("the request was refused: {0:?}")]
    BadRequest(fastingress_http1::Error),
    /// No route takes the request.
    #[error("no route")]
    NoRoute,
    /// The connection does not stand for what the host asks of clients, or is not for that host.
    #[error("the request belongs on another connection")]
    Misdirected,
    /// The route names something that cannot be sent to.
    #[error("the backend of this route does not exist")]
    NoBackend,
    /// The Service has no endpoint.
    #[error("no endpoints")]
    NoEndpoints,
    /// No endpoint could be connected to.
    #[error("cannot connect: {0}")]
    Connect(io::Error),
    /// Connecting took too long.
    #[error("connecting took too long")]
    ConnectTimeout,
    /// The endpoint was reached, and there is no TLS with it.
    #[error(transparent)]
    UpstreamTls(TlsFailure),
    /// The endpoint has refused the request before it did anything for it.
    #[error("the backend refused the request unseen: {0}")]
    UpstreamRefused(io::Error),
    /// The endpoint closed or reset the connection before a whole answer head.
    #[error("the backend went away: {0}")]
    UpstreamGone(io::Error),
    /// The endpoint answered something that is not HTTP.
    #[error("the backend's answer was refused: {0:?}")]
    BadResponse(fastingress_http1::Error),
    /// The endpoint sent interim answers and no final one.
    #[error("the backend sent too many interim answers")]
    EndlessInterim,
    /// The endpoint sent nothing for too long.
    #[error("the backend took too long to answer")]
    ReadTimeout,
    /// The client's own deadline has passed.
    #[error("the deadline of the call has passed")]
    Deadline,
    /// The endpoint took nothing for too long.
    #[error("the backend took too long to read the request")]
    SendTimeout,
    /// The client sent nothing for too long.
    #[error("the client took too long to send the request")]
    ClientTimeout,
    /// The client went away.
    #[error("the client went away")]
    ClientGone,
    /// The request body is over its limit.
    #[error("the request body is too large")]
    BodyTooLarge,
    /// Memory for bodies is used up.
    #[error("out of buffer memory")]
    Overload,
}

impl Failure {
    /// A stream to an endpoint broke before there was an answer.
    pub fn of_upstream(error: io::Error) -> Self {
        if error.get_ref().is_some_and(|inner| inner.is::<NeverProcessed>()) {
            return Failure::UpstreamRefused(error);
        }
        Failure::UpstreamGone(error)
    }

    /// How a connect failed, for others who waited for the same connection.
    pub fn of_the_same_connect(&self) -> Self {
        match self {
            Failure::ConnectTimeout => Failure::ConnectTimeout,
            Failure::UpstreamTls(failure) => Failure::UpstreamTls(failure.clone()),
            Failure::Connect(error) => Failure::Connect(error.kind().into()),
            other => Failure::Connect(io::Error::other(other.to_string())),
        }
    }

    /// The status to answer with, if an answer can still be sent.
    pub fn status(&self) -> u16 {
        match self {
            Failure::BadRequest(error) => error.status(),
            Failure::NoRoute => 404,
            Failure::Misdirected => 421,
            Failure::NoBackend | Failure::NoEndpoints | Failure::Overload => 503,
            Failure::UpstreamTls(_)
            | Failure::UpstreamRefused(_)
            | Failure::Connect(_)
            | Failure::UpstreamGone(_)
            | Failure::BadResponse(_)
            | Failure::EndlessInterim => 502,
            Failure::ConnectTimeout | Failure::ReadTimeout | Failure::SendTimeout | Failure::Deadline => 504,
            Failure::ClientTimeout => 408,
            Failure::ClientGone => 499,
            Failure::BodyTooLarge => 413,
        }
    }

    /// A stable word for logs and metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            Failure::BadRequest(error) => error.as_str(),
            Failure::NoRoute => "no_route",
            Failure::Misdirected => "misdirected",
            Failure::NoBackend => "no_backend",
            Failure::NoEndpoints => "no_endpoints",
            Failure::Connect(_) => "connect_failed",
            Failure::ConnectTimeout => "connect_timeout",
            Failure::UpstreamTls(failure) => failure.reason(),
            Failure::UpstreamRefused(_) => "upstream_refused",
            Failure::UpstreamGone(_) => "upstream_gone",
            Failure::BadResponse(_) => "bad_response",
            Failure::EndlessInterim => "endless_interim",
            Failure::ReadTimeout => "upstream_read_timeout",
            Failure::SendTimeout => "upstream_send_timeout",
            Failure::Deadline => "deadline_exceeded",
            Failure::ClientTimeout => "client_timeout",
            Failure::ClientGone => "client_gone",
            Failure::BodyTooLarge => "body_too_large",
            Failure::Overload => "overload",
        }
    }

    /// True when its machine or the network said that nothing is at the endpoint.
    pub fn is_nobody_there(&self) -> bool {
        use io::ErrorKind::{ConnectionRefused, HostUnreachable, NetworkUnreachable};
        matches!(self, Failure::Connect(error)
            if matches!(error.kind(), ConnectionRefused | HostUnreachable | NetworkUnreachable))
    }

    /// Whose doing it is.
    pub fn side(&self) -> Side {
        match self {
            Failure::BadRequest(_)
            | Failure::Misdirected
            | Failure::ClientTimeout
            | Failure::ClientGone
            | Failure::BodyTooLarge => Side::Client,
            Failure::NoRoute | Failure::NoBackend | Failure::NoEndpoints | Failure::Overload => Side::Us,
            Failure::Connect(_)
            | Failure::ConnectTimeout
            | Failure::UpstreamTls(_)
            | Failure::UpstreamRefused(_)
            | Failure::UpstreamGone(_)
            | Failure::BadResponse(_)
            | Failure::EndlessInterim
            | Failure::ReadTimeout
            | Failure::Deadline
            | Failure::SendTimeout => Side::Upstream,
        }
    }
}
