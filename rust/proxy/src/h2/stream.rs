//! One stream of a client's connection, as the spine sees it: a byte stream with heads beside it.
//!
//! A window is given back when the bytes read before have been taken on, which is when more are asked for: so a slow
//! backend slows its client and nobody else.

use super::floods::Flood;
use super::guard::Shared;
use super::head;
use crate::messages::{ClientStream, Ending};
use crate::relay::{Sink, Source};
use bytes::{Buf, Bytes};
use fastingress_http1::{Head, Trailers};
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::HeaderMap;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, timeout};

/// The most that is given to the connection at once.
const PIECE: usize = 64 * 1024;

/// A client whose window is shut takes so many bytes within its patience, or its answer is given up: any less is a way to
/// hold a stream, and a connection to a backend, for next to nothing.
const LEAST: u64 = 4 * 1024;

/// How long a request goes on behind its answer, and in how many bytes.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 1 << 20;

/// A request and its answer.
pub struct Stream {
    /// Not there if the request had none, nor at the very end.
    body: Option<RecvStream>,
    unread: Bytes,
    /// Bytes that were handed out and whose window has not been given back.
    owed: usize,
    trailers: Option<Trailers>,
    answer: Answer,
    patience: Duration,
    shared: Rc<Shared>,
}

/// How far the answer is.
enum Answer {
    Unsent(SendResponse<Bytes>),
    Body {
        send: SendStream<Bytes>,
        /// Bytes that are still to come, if that was said.
        left: Option<u64>,
        /// The client gives no window.
        shut: bool,
        /// Since when it gives little, and how many bytes that were.
        scant: Option<(Instant, u64)>,
    },
    Whole,
}

impl Stream {
    /// A stream whose request head has come. `body` is what comes behind it, if anything does.
    pub fn new(body: Option<RecvStream>, answer: SendResponse<Bytes>, shared: &Rc<Shared>, patience: Duration) -> Self {
        shared.streams.set(shared.streams.get() + 1);
        Self {
            body,
            unread: Bytes::new(),
            owed: 0,
            trailers: None,
            answer: Answer::Unsent(answer),
            patience,
            shared: shared.clone(),
        }
    }

    /// Waits for bytes. False when there are no more.
    fn poll_unread(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        while self.unread.is_empty() {
            let Some(body) = &mut self.body else {
                return Poll::Ready(Ok(false));
            };
            match ready!(body.poll_data(cx)) {
                Some(bytes) => self.unread = bytes.map_err(to_io)?,
                None => {
                    if let Some(trailers) = ready!(body.poll_trailers(cx)).map_err(to_io)? {
                        let trailers = head::read_trailers(&trailers);
                        self.trailers =
                            Some(trailers.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?);
                    }
                    return Poll::Ready(Ok(false));
                }
            }
        }
        Poll::Ready(Ok(true))
    }

    fn give_back(&mut self) {
        let owed = std::mem::take(&mut self.owed);
        if owed > 0 {
            // A stream that has been reset has no window.
            let _gone = self
                .body
                .as_mut()
                .map(|body| body.flow_control().release_capacity(owed));
            self.shared.taken(owed);
        }
    }

    /// A client may still be sending when its answer is whole, if only the end of the request. Reset at once, some of
    /// them lose the answer; so what comes is dropped for a while first.
    fn linger(&mut self) {
        if let Answer::Whole = self.answer
            && let Some(mut body) = self.body.take_if(|body| !body.is_end_stream())
        {
            let shared = self.shared.clone();
            tokio::task::spawn_local(async move {
                let _bounded = timeout(LINGER, discard(&mut body, &shared)).await;
                forget(&mut body, &shared);
            });
        }
    }

    fn count_head(&self) {
        self.shared.heads_sent.set(self.shared.heads_sent.get() + 1);
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.give_back();
        self.linger();
        if let Some(body) = &mut self.body {
            forget(body, &self.shared);
        }
        let floods = &self.shared.floods;
        match &mut self.answer {
            Answer::Whole => floods.forgive(Flood::SlowWindow, 1),
            Answer::Body { send, scant, .. } => {
                if is_wanted(send) {
                    if scant.is_some() {
                        floods.note(Flood::SlowWindow);
                    }
                    // To be dropped would say CANCEL, which clients of gRPC take for their own doing.
                    send.send_reset(Reason::INTERNAL_ERROR);
                }
            }
            Answer::Unsent(_) => {}
        }
        self.shared.streams.set(self.shared.streams.get().saturating_sub(1));
        self.shared.taken(0); // one that is gone holds nothing
        self.shared.wake();
    }
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.give_back();
        if ready!(self.poll_unread(cx))? {
            let n = self.unread.len().min(buf.remaining());
            buf.put_slice(&self.unread[..n]);
            self.unread.advance(n);
            self.owed = n;
        }
        Poll::Ready(Ok(()))
    }
}

impl Source for Stream {
    fn take_trailers(&mut self) -> Option<Trailers> {
        self.trailers.take()
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let Answer::Body {
            send,
            left,
            shut,
            scant,
        } = &mut this.answer
        else {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        };
        let room = poll_room(send, buf.len().min(PIECE), shut, cx);
        judge_pace(*shut, scant, this.patience)?;
        let n = match ready!(room)? {
            0 => return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            room => room.min(buf.len()),
        };
        match scant {
            // The window was wide enough: whoever gives the bytes sets the pace.
            _ if n == buf.len() => *scant = None,
            Some((_, taken)) => *taken += n as u64,
            None => {}
        }
        let ends = left.is_some_and(|left| left <= n as u64);
        *left = left.map(|left| left.saturating_sub(n as u64));
        send.send_data(Bytes::copy_from_slice(&buf[..n]), ends).map_err(to_io)?;
        this.shared.given(send.stream_id().as_u32(), n);
        if ends {
            this.answer = Answer::Whole;
        }
        Poll::Ready(Ok(n))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(())) // the connection writes by itself
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.finish(None))
    }
}

impl Sink for Stream {
    fn finish(&mut self, trailers: Option<&Trailers>) -> io::Result<()> {
        let Answer::Body { send, .. } = &mut self.answer else {
            return Ok(());
        };
        match trailers {
            Some(trailers) => {
                let trailers: HeaderMap = head::write_trailers(trailers)?;
                send.send_trailers(trailers).map_err(to_io)?;
                self.count_head();
            }
            None => send.send_data(Bytes::new(), true).map_err(to_io)?,
        }
        self.answer = Answer::Whole;
        Ok(())
    }
}

impl ClientStream for Stream {
    fn send_head(&mut self, head: &Head, ending: Ending) -> io::Result<u64> {
        let answer = head::write_response(head, ending)?;
        let Answer::Unsent(send) = &mut self.answer else {
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        let left = match ending {
            Ending::After(length) => Some(length),
            Ending::Now | Ending::Open => None,
        };
        let send = send.send_response(answer, ending == Ending::Now).map_err(to_io)?;
        self.count_head();
        self.answer = match ending {
            Ending::Now => Answer::Whole,
            _ => Answer::Body {
                send,
                left,
                shut: false,
                scant: None,
            },
        };
        Ok(head::weight(head))
    }

    fn send_interim(&mut self, head: &Head) -> io::Result<()> {
        let interim = head::write_response(head, Ending::Open)?;
        if let Answer::Unsent(send) = &mut self.answer {
            send.send_informational(interim).map_err(to_io)?;
            self.count_head();
        }
        Ok(())
    }

    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.answer {
            Answer::Unsent(send) => send.poll_reset(cx).map(|_| ()),
            Answer::Body { send, .. } => send.poll_reset(cx).map(|_| ()),
            Answer::Whole => Poll::Pending,
        }
    }
}

/// What came of a body and was not taken goes with it.
fn forget(body: &mut RecvStream, shared: &Shared) {
    shared.taken(body.flow_control().used_capacity());
}

async fn discard(body: &mut RecvStream, shared: &Shared) {
    let mut left = LINGER_BYTES;
    while let Some(Ok(bytes)) = body.data().await {
        let _gone = body.flow_control().release_capacity(bytes.len());
        shared.taken(bytes.len());
        left = left.saturating_sub(bytes.len());
        if left == 0 {
            return;
        }
    }
}

/// False when the client has reset the stream, or is gone.
fn is_wanted(send: &mut SendStream<Bytes>) -> bool {
    send.poll_reset(&mut Context::from_waker(Waker::noop())).is_pending()
}

/// Refuses a client that has taken too little for too long.
fn judge_pace(shut: bool, scant: &mut Option<(Instant, u64)>, patience: Duration) -> io::Result<()> {
    match scant {
        None if shut => *scant = Some((Instant::now(), 0)),
        Some((_, taken)) if *taken >= LEAST => *scant = shut.then(|| (Instant::now(), 0)),
        Some((since, _)) if since.elapsed() >= patience => return Err(io::ErrorKind::TimedOut.into()),
        _ => {}
    }
    Ok(())
}

/// How many of these bytes the client's windows take now; 0 when it wants none any more.
fn poll_room(
    send: &mut SendStream<Bytes>,
    wanted: usize,
    shut: &mut bool,
    cx: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    send.reserve_capacity(wanted);
    loop {
        match send.capacity() {
            0 => {}
            room => {
                *shut = false;
                return Poll::Ready(Ok(room));
            }
        }
        match send.poll_capacity(cx) {
            Poll::Ready(Some(room)) => room.map_err(to_io).map(|_| ())?,
            Poll::Ready(None) => return Poll::Ready(Ok(0)),
            Poll::Pending => {
                *shut = true;
                return Poll::Pending;
            }
        }
    }
}

/// The library's error as one of a byte stream.
pub fn to_io(error: h2::Error) -> io::Error {
    if error.is_io() {
        return error
            .into_io()
            .unwrap_or_else(|| io::ErrorKind::ConnectionAborted.into());
    }
    io::Error::new(io::ErrorKind::ConnectionReset, error)
}
