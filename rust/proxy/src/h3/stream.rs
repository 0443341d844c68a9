//! One stream of a client's connection, as the spine sees it: a byte stream with heads beside it.
//!
//! What the client may send grows as bytes are read, which is when the other side has taken those before; what is written
//! is taken as far as the client's windows allow. So a slow side slows the other one and nobody else.

use super::quic::{Cut, Reader, TwoWay, Writer};
use super::shared::{Held, STREAM_WINDOW};
use crate::h2::floods::Flood;
use crate::h2::head;
use crate::messages::{ClientStream, Ending};
use crate::relay::{Sink, Source};
use bytes::{Buf, Bytes};
use fastingress_http1::{Error, Framing, Head, Trailers, request as parse};
use h3::error::{Code, StreamError};
use h3::server::RequestStream;
use quinn::WriteError;
use std::cell::RefCell;
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// How long the end of an answer may wait for the client's windows.
const LAST_WORDS: Duration = Duration::from_secs(30);

/// A request and its answer.
pub struct Stream {
    /// The same stream for heads and trailers.
    heads: RequestStream<TwoWay, Bytes>,
    reader: Rc<RefCell<Reader>>,
    writer: Rc<RefCell<Writer>>,
    unread: Bytes,
    incoming: Incoming,
    answer: Answer,
    /// Resolves when the client wants no answer any more.
    stopped: Option<Pin<Box<dyn Future<Output = ()>>>>,
    held: Option<Held>,
}

/// How far the request is.
enum Incoming {
    /// With the bytes that are still to come, if that was said.
    Body(Option<u64>),
    Trailers,
    Whole(Option<Trailers>),
    /// It ended badly: because of a rule that the client broke, or else because it went away.
    Broken(Option<Error>),
}

/// How far the answer is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Answer {
    Unsent,
    /// With the bytes that are still to come, if that was said.
    Body(Option<u64>),
    Whole,
    /// The client took its request back.
    Gone,
}

impl Stream {
    /// A stream whose request head has come.
    pub fn new(
        heads: RequestStream<TwoWay, Bytes>,
        (reader, writer): (Rc<RefCell<Reader>>, Rc<RefCell<Writer>>),
        held: Held,
    ) -> Self {
        Self {
            heads,
            reader,
            writer,
            unread: Bytes::new(),
            incoming: Incoming::Body(None),
            answer: Answer::Unsent,
            stopped: None,
            held: Some(held),
        }
    }

    /// Says how long the body is to be. A longer or shorter one is an error (RFC 9114, 4.1.2).
    pub fn expect(&mut self, request: &parse::Request) {
        let length = match request.framing {
            _ if request.upgrade => None,
            Framing::Empty => Some(0),
            Framing::Length(length) => Some(length),
            Framing::Chunked | Framing::UntilClose => None,
        };
        self.incoming = Incoming::Body(length);
        self.may_have_come(length);
    }

    /// Up to a window of the body may wait unread.
    fn may_have_come(&mut self, left: Option<u64>) {
        let window = u64::from(STREAM_WINDOW);
        let most = left.map_or(window, |left| left.min(window)) as usize;
        self.hold(|held| held.expect(most));
    }

    fn hold(&mut self, change: impl FnOnce(&mut Held)) {
        if let Some(held) = &mut self.held {
            change(held);
        }
    }

    /// Waits for bytes. False when there are no more.
    fn poll_unread(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        while self.unread.is_empty() {
            let next = match self.incoming {
                Incoming::Body(left) => ready!(self.poll_body(cx, left)),
                Incoming::Trailers => ready!(self.poll_trailers(cx)),
                Incoming::Whole(_) => return Poll::Ready(Ok(false)),
                Incoming::Broken(Some(error)) => {
                    return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, error)));
                }
                Incoming::Broken(None) => return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
            };
            self.incoming = next;
        }
        Poll::Ready(Ok(true))
    }

    fn poll_body(&mut self, cx: &mut Context<'_>, left: Option<u64>) -> Poll<Incoming> {
        let Poll::Ready(read) = self.reader.borrow_mut().poll_body(cx) else {
            self.hold(|held| held.expect(0));
            return Poll::Pending;
        };
        let length = |bytes: &Bytes| bytes.len() as u64;
        Poll::Ready(match read {
            Ok(Some(bytes)) if left.is_some_and(|left| left < length(&bytes)) => self.refuse(Error::BadLength),
            Ok(Some(bytes)) => {
                let left = left.map(|left| left - length(&bytes));
                self.unread = bytes;
                self.may_have_come(left);
                Incoming::Body(left)
            }
            Ok(None) if left.is_some_and(|left| left > 0) => self.refuse(Error::BadLength),
            Ok(None) => Incoming::Trailers,
            Err(Cut::Malformed) => self.refuse(Error::Truncated),
            Err(Cut::Reset) => {
                self.note(Flood::RapidReset);
                Incoming::Broken(None)
            }
            Err(Cut::Gone) => Incoming::Broken(None),
        })
    }

    fn poll_trailers(&mut self, cx: &mut Context<'_>) -> Poll<Incoming> {
        let trailers = ready!(self.heads.poll_recv_trailers(cx));
        self.hold(|held| held.expect(0));
        Poll::Ready(match trailers {
            Ok(None) => Incoming::Whole(None),
            Ok(Some(trailers)) => match head::read_trailers(&trailers) {
                Ok(trailers) => Incoming::Whole(Some(trailers)),
                Err(error) => self.refuse(error),
            },
            Err(_gone) => Incoming::Broken(None),
        })
    }

    /// The client broke a rule: an error that is answered.
    fn refuse(&mut self, error: Error) -> Incoming {
        self.note(Flood::ProvokedReset);
        Incoming::Broken(Some(error))
    }

    fn note(&mut self, flood: Flood) {
        self.hold(|held| held.shared().note(flood));
    }

    /// Nothing more will be said.
    fn end(&mut self) {
        self.answer = Answer::Whole;
        let mut writer = self.writer.borrow_mut();
        match writer.poll_drain(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(())) => writer.finish(),
            Poll::Ready(Err(_gone)) => {}
            Poll::Pending => {
                let (writer, held) = (self.writer.clone(), self.held.take());
                tokio::task::spawn_local(last_words(writer, held));
            }
        }
    }

    fn write_failed(&mut self, error: WriteError) -> io::Error {
        if matches!(error, WriteError::Stopped(_)) {
            self.gone();
        }
        error.into()
    }

    fn gone(&mut self) {
        if self.answer != Answer::Gone {
            self.answer = Answer::Gone;
            self.note(Flood::RapidReset);
        }
    }
}

/// Sends what the client's windows did not take at once.
async fn last_words(writer: Rc<RefCell<Writer>>, held: Option<Held>) {
    let drained = std::future::poll_fn(|cx| writer.borrow_mut().poll_drain(cx));
    match tokio::time::timeout(LAST_WORDS, drained).await {
        Ok(Ok(())) => writer.borrow_mut().finish(),
        Ok(Err(_gone)) => {}
        Err(_too_slow) => writer.borrow_mut().cancel(Code::H3_REQUEST_CANCELLED),
    }
    drop(held);
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.reader.borrow_mut().stop(Code::H3_NO_ERROR);
        match self.answer {
            Answer::Whole => {}
            Answer::Gone => self.writer.borrow_mut().cancel(Code::H3_REQUEST_CANCELLED),
            Answer::Unsent | Answer::Body(_) => self.writer.borrow_mut().cancel(Code::H3_INTERNAL_ERROR),
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        while buf.remaining() > 0 {
            match self.poll_unread(cx) {
                Poll::Ready(Ok(true)) => {}
                // What came before an end or an error is taken first; either is still there when asked again.
                Poll::Ready(Ok(false)) => break,
                _ if buf.filled().len() > before => break,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
            let n = self.unread.len().min(buf.remaining());
            buf.put_slice(&self.unread[..n]);
            self.unread.advance(n);
        }
        Poll::Ready(Ok(()))
    }
}

impl Source for Stream {
    fn take_trailers(&mut self) -> Option<Trailers> {
        match &mut self.incoming {
            Incoming::Whole(trailers) => trailers.take(),
            _ => None,
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let Answer::Body(left) = self.answer else {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        };
        let written = ready!(self.writer.borrow_mut().poll_body(cx, buf));
        let n = written.map_err(|error| self.write_failed(error))?;
        self.hold(|held| held.give(n));
        let left = left.map(|left| left.saturating_sub(n as u64));
        self.answer = Answer::Body(left);
        if left == Some(0) {
            self.end();
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
        let Answer::Body(_) = self.answer else {
            return Ok(());
        };
        if let Some(trailers) = trailers {
            let trailers = head::write_trailers(trailers)?;
            at_once(self.heads.send_trailers(trailers))?;
        }
        self.end();
        Ok(())
    }
}

impl ClientStream for Stream {
    fn send_head(&mut self, head: &Head, ending: Ending) -> io::Result<u64> {
        let answer = head::write_response(head, ending)?;
        if self.answer != Answer::Unsent {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        at_once(self.heads.send_response(answer))?;
        let weight = head::weight(head);
        self.hold(|held| held.give(weight as usize));
        match ending {
            Ending::Now => self.end(),
            Ending::After(length) => self.answer = Answer::Body(Some(length)),
            Ending::Open => self.answer = Answer::Body(None),
        }
        // One that has no body to follow soon leaves by itself.
        let _later = self
            .writer
            .borrow_mut()
            .poll_drain(&mut Context::from_waker(Waker::noop()));
        Ok(weight)
    }

    /// The library sends none.
    fn send_interim(&mut self, _head: &Head) -> io::Result<()> {
        Ok(())
    }

    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self.answer {
            Answer::Whole => return Poll::Pending,
            Answer::Gone => return Poll::Ready(()),
            Answer::Unsent | Answer::Body(_) => {}
        }
        let writer = &self.writer;
        let stopped = self.stopped.get_or_insert_with(|| Box::pin(writer.borrow().stopped()));
        ready!(stopped.as_mut().poll(cx));
        self.gone();
        Poll::Ready(())
    }
}

/// Runs what the library has as a future. It only waits until its bytes have left; those that have to wait are kept by
/// the [`Writer`] and go before any others.
fn at_once(sending: impl Future<Output = Result<(), StreamError>>) -> io::Result<()> {
    match pin!(sending).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(sent) => sent.map_err(to_io),
        Poll::Pending => Ok(()),
    }
}

/// The library's error as one of a byte stream.
fn to_io(error: StreamError) -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionReset, error)
}
