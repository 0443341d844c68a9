//! One request on a connection of HTTP/2, and its answer: heads as messages, bodies as bytes.
//!
//! A byte counts as taken, and the endpoint may send another, once the relay comes back for more: it does so when the client
//! has taken what it had.

use super::Lease;
use crate::h2::head;
use crate::head::HeadError;
use crate::messages::{Ending, ServerStream};
use crate::relay::{Sink, Source};
use bytes::Bytes;
use fastingress_http1::scan::Limits;
use fastingress_http1::{Head, Trailers, Version, response};
use h2::client::ResponseFuture;
use h2::{Reason, RecvStream, SendStream};
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Limits of an answer's head: those of HTTP/1.
const LIMITS: Limits = Limits {
    head: 64 * 1024,
    headers: 256,
    target: 0,
};

/// The endpoint has refused the stream before it did anything for it (RFC 9113, 8.7): it may be sent again, whatever it is.
#[derive(Debug, thiserror::Error)]
#[error("the endpoint did not process the request: {0}")]
pub struct NeverProcessed(h2::Error);

fn io_error(error: h2::Error) -> io::Error {
    let refused = error.is_reset() && error.reason() == Some(Reason::REFUSED_STREAM);
    if error.is_remote() && (refused || error.is_go_away()) {
        return io::Error::new(io::ErrorKind::ConnectionAborted, NeverProcessed(error));
    }
    io::Error::new(io::ErrorKind::ConnectionReset, error)
}

/// One request.
pub(super) struct MessageStream {
    lease: Lease,
    answer: Option<ResponseFuture>,
    sending: Option<SendStream<Bytes>>,
    receiving: Option<RecvStream>,
    /// Received, and not read yet.
    rest: Bytes,
    /// Read, and not known to be taken yet.
    lent: usize,
    trailers: Option<Trailers>,
    /// The end of the request has been sent.
    finished: bool,
    /// A head, or a reason why there is none, has come.
    answered: bool,
}

impl MessageStream {
    /// Nothing is sent yet.
    pub(super) fn new(lease: Lease) -> Self {
        Self {
            lease,
            answer: None,
            sending: None,
            receiving: None,
            rest: Bytes::new(),
            lent: 0,
            trailers: None,
            finished: false,
            answered: false,
        }
    }

    fn sending(&mut self) -> io::Result<&mut SendStream<Bytes>> {
        self.sending.as_mut().ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    /// Lets the endpoint send as much again as was read.
    fn give_back(&mut self) {
        let lent = std::mem::take(&mut self.lent);
        if lent == 0 {
            return;
        }
        self.lease.0.taken(lent);
        if let Some(receiving) = &mut self.receiving {
            // It fails if the stream has ended, when there is nothing to let it send.
            let _ended = receiving.flow_control().release_capacity(lent);
        }
    }

    /// The next piece of the body; `None` at its end, with the trailers put by.
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Bytes>>> {
        let Some(receiving) = &mut self.receiving else {
            return Poll::Ready(Ok(None));
        };
        match ready!(receiving.poll_data(cx)) {
            Some(piece) => Poll::Ready(piece.map(Some).map_err(io_error)),
            None => {
                let trailers = ready!(receiving.poll_trailers(cx)).map_err(io_error)?;
                let read = trailers.as_ref().map(head::read_trailers).transpose();
                self.trailers = read.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
                self.receiving = None;
                Poll::Ready(Ok(None))
            }
        }
    }
}

impl Drop for MessageStream {
    fn drop(&mut self) {
        self.give_back();
        if let Some(receiving) = &mut self.receiving {
            self.lease.0.taken(receiving.flow_control().used_capacity());
        }
        if self.answer.is_some() && !self.answered {
            // No answer in time, it may be: is anybody there at all?
            self.lease.0.doubt.notify_one();
        }
    }
}

impl ServerStream for MessageStream {
    fn send_request(&mut self, request: &Head, ending: Ending) -> io::Result<()> {
        let carrier = &self.lease.0;
        let scheme = if carrier.manner.is_secure() { "https" } else { "http" };
        let request = head::write_request(request, scheme, ending)?;
        let ended = ending == Ending::Now;
        let sent = carrier.requests.borrow().clone().send_request(request, ended);
        // Nothing has left, so nothing was processed.
        let (answer, sending) =
            sent.map_err(|error| io::Error::new(io::ErrorKind::ConnectionAborted, NeverProcessed(error)))?;
        self.answer = Some(answer);
        self.sending = Some(sending);
        self.finished = ended;
        Ok(())
    }

    fn poll_response(
        &mut self,
        cx: &mut Context<'_>,
        method: &[u8],
        head: &mut Head,
    ) -> Poll<Result<response::Response, HeadError>> {
        let Some(answer) = &mut self.answer else {
            return Poll::Ready(Err(HeadError::Ended));
        };
        let failed = |error| HeadError::Io(io_error(error));
        let version = Version::Http2;
        if let Poll::Ready(Some(interim)) = answer.poll_informational(cx) {
            let (parts, ()) = interim.map_err(failed)?.into_parts();
            let read = head::read_response(version, &parts, false, method, &LIMITS, head);
            return Poll::Ready(read.map_err(HeadError::Refused));
        }
        let answer = ready!(Pin::new(answer).poll(cx));
        self.answered = true;
        let (parts, receiving) = answer.map_err(failed)?.into_parts();
        let ended = receiving.is_end_stream();
        let read = head::read_response(version, &parts, ended, method, &LIMITS, head);
        self.receiving = Some(receiving);
        Poll::Ready(read.map_err(HeadError::Refused))
    }
}

impl AsyncRead for MessageStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        this.give_back();
        while this.rest.is_empty() {
            match ready!(this.poll_piece(cx))? {
                Some(piece) => this.rest = piece,
                None => return Poll::Ready(Ok(())),
            }
        }
        let piece = this.rest.split_to(this.rest.len().min(buf.remaining()));
        buf.put_slice(&piece);
        this.lent = piece.len();
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for MessageStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let sending = self.sending()?;
        sending.reserve_capacity(buf.len());
        let room = loop {
            match sending.capacity() {
                0 => match ready!(sending.poll_capacity(cx)) {
                    Some(room) => {
                        room.map_err(io_error)?;
                    }
                    None => return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
                },
                room => break room.min(buf.len()),
            }
        };
        sending
            .send_data(Bytes::copy_from_slice(&buf[..room]), false)
            .map_err(io_error)?;
        let stream = sending.stream_id().as_u32();
        self.lease.0.given(stream, room);
        Poll::Ready(Ok(room))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(())) // the connection's own task writes
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.finish(None))
    }
}

impl Source for MessageStream {
    fn take_trailers(&mut self) -> Option<Trailers> {
        self.trailers.take()
    }
}

impl Sink for MessageStream {
    fn finish(&mut self, trailers: Option<&Trailers>) -> io::Result<()> {
        if std::mem::replace(&mut self.finished, true) {
            return Ok(());
        }
        let sending = self.sending()?;
        match trailers {
            Some(trailers) => sending.send_trailers(head::write_trailers(trailers)?),
            None => sending.send_data(Bytes::new(), true),
        }
        .map_err(io_error)
    }
}
