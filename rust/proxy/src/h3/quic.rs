//! Streams of `quinn` as the `h3` crate wants them, with a way past it for bodies.
//!
//! The crate reads and writes heads, trailers and what concerns the whole connection. Bodies go between the QUIC stream
//! and the relay directly: without further copies, without futures that own them, and with what the crate has no way to
//! tell, such as that the client has lost interest. Both hold the same two halves of a stream.

use super::frames::{Frames, Piece, write_data_header};
use super::shared::Shared;
use crate::h2::floods::Flood;
use bytes::{Buf, Bytes, BytesMut};
use h3::error::Code;
use h3::quic::{self, ConnectionErrorIncoming, StreamErrorIncoming, StreamId, WriteBuf};
use quinn::{ReadError, VarInt, WriteError};
use std::cell::{Cell, RefCell};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// The most that goes into one DATA frame.
const FRAME: usize = 64 * 1024;

/// A stream for the crate, by halves.
type Halves = (Rc<RefCell<Reader>>, Rc<RefCell<Writer>>);
type Coming<T> = Option<Pin<Box<dyn Future<Output = Result<T, quinn::ConnectionError>>>>>;

/// A connection for the crate.
pub struct Connection {
    quic: quinn::Connection,
    shared: Rc<Shared>,
    /// Bytes that a frame other than a body may have.
    longest: u64,
    latest: Rc<Cell<Option<Halves>>>,
    requests: Coming<(quinn::SendStream, quinn::RecvStream)>,
    one_way: Coming<quinn::RecvStream>,
    opening: Coming<quinn::SendStream>,
}

impl Connection {
    /// A connection that has been accepted.
    pub fn new(quic: quinn::Connection, shared: &Rc<Shared>, longest: u64) -> Self {
        Self {
            quic,
            shared: shared.clone(),
            longest,
            latest: Rc::default(),
            requests: None,
            one_way: None,
            opening: None,
        }
    }

    /// Where the halves of the stream that the crate accepted last are found.
    pub fn latest(&self) -> Rc<Cell<Option<Halves>>> {
        self.latest.clone()
    }
}

fn poll_coming<T>(
    cx: &mut Context<'_>,
    coming: &mut Coming<T>,
    begin: impl FnOnce() -> Pin<Box<dyn Future<Output = Result<T, quinn::ConnectionError>>>>,
) -> Poll<Result<T, ConnectionErrorIncoming>> {
    let outcome = ready!(coming.get_or_insert_with(begin).as_mut().poll(cx));
    *coming = None;
    Poll::Ready(outcome.map_err(of_connection))
}

impl quic::Connection<Bytes> for Connection {
    type RecvStream = OneWay;
    type OpenStreams = Connection;

    fn poll_accept_recv(&mut self, cx: &mut Context<'_>) -> Poll<Result<OneWay, ConnectionErrorIncoming>> {
        let quic = &self.quic;
        let stream = ready!(poll_coming(cx, &mut self.one_way, || {
            let quic = quic.clone();
            Box::pin(async move { quic.accept_uni().await })
        }))?;
        let frames = Frames::of_one_way(self.longest);
        Poll::Ready(Ok(OneWay(Reader::new(stream, frames, &self.shared))))
    }

    fn poll_accept_bidi(&mut self, cx: &mut Context<'_>) -> Poll<Result<TwoWay, ConnectionErrorIncoming>> {
        let quic = &self.quic;
        let (send, recv) = ready!(poll_coming(cx, &mut self.requests, || {
            let quic = quic.clone();
            Box::pin(async move { quic.accept_bi().await })
        }))?;
        let frames = Frames::of_request(self.longest);
        let reader = Rc::new(RefCell::new(Reader::new(recv, frames, &self.shared)));
        let writer = Rc::new(RefCell::new(Writer::new(send)));
        self.latest.set(Some((reader.clone(), writer.clone())));
        Poll::Ready(Ok(TwoWay { reader, writer }))
    }

    fn opener(&self) -> Connection {
        Connection::new(self.quic.clone(), &self.shared, self.longest)
    }
}

impl quic::OpenStreams<Bytes> for Connection {
    type BidiStream = TwoWay;
    type SendStream = Writer;

    fn poll_open_bidi(&mut self, _cx: &mut Context<'_>) -> Poll<Result<TwoWay, StreamErrorIncoming>> {
        // Servers open no such streams (RFC 9114, 6.1).
        Poll::Ready(Err(StreamErrorIncoming::Unknown("a server opens no request".into())))
    }

    fn poll_open_send(&mut self, cx: &mut Context<'_>) -> Poll<Result<Writer, StreamErrorIncoming>> {
        let quic = &self.quic;
        let stream = ready!(poll_coming(cx, &mut self.opening, || {
            let quic = quic.clone();
            Box::pin(async move { quic.open_uni().await })
        }));
        let failed = |connection_error| StreamErrorIncoming::ConnectionErrorIncoming { connection_error };
        Poll::Ready(stream.map(Writer::new).map_err(failed))
    }

    fn close(&mut self, code: Code, reason: &[u8]) {
        self.quic.close(number(code.value()), reason);
    }
}

/// What comes on a stream.
pub struct Reader {
    stream: quinn::RecvStream,
    frames: Frames,
    unparsed: Bytes,
    /// What follows the body.
    behind: Option<Bytes>,
    ended: bool,
    shared: Rc<Shared>,
}

/// What ends the reading of a body.
#[derive(Debug)]
pub enum Cut {
    /// The client took it back.
    Reset,
    /// The frames make no sense.
    Malformed,
    /// The connection has gone.
    Gone,
}

impl Reader {
    fn new(stream: quinn::RecvStream, frames: Frames, shared: &Rc<Shared>) -> Self {
        Self {
            stream,
            frames,
            unparsed: Bytes::new(),
            behind: None,
            ended: false,
            shared: shared.clone(),
        }
    }

    /// The next bytes of the body; none at its end, behind which there may be trailers.
    pub fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Cut>> {
        if self.behind.is_some() {
            return Poll::Ready(Ok(None));
        }
        match ready!(self.poll_piece(cx)) {
            Ok(Some(Piece::Body(bytes))) => Poll::Ready(Ok(Some(bytes))),
            Ok(Some(Piece::Frame(bytes))) => {
                self.behind = Some(bytes);
                Poll::Ready(Ok(None))
            }
            Ok(None) if self.frames.is_between() => Poll::Ready(Ok(None)),
            Ok(None) => Poll::Ready(Err(Cut::Malformed)),
            Err(StreamErrorIncoming::StreamTerminated { error_code }) if error_code == EXCESSIVE.value() => {
                Poll::Ready(Err(Cut::Malformed))
            }
            Err(StreamErrorIncoming::StreamTerminated { .. }) => Poll::Ready(Err(Cut::Reset)),
            Err(_) => Poll::Ready(Err(Cut::Gone)),
        }
    }

    /// True once nothing follows, or is known to follow: asks for what has come already.
    pub fn has_ended(&mut self, cx: &mut Context<'_>) -> bool {
        if !self.ended && self.unparsed.is_empty() && self.behind.is_none() {
            // An error comes again when the body is read.
            let _later = self.poll_more(cx);
        }
        self.ended && self.unparsed.is_empty() && self.behind.is_none()
    }

    /// Asks the client to send no more.
    pub fn stop(&mut self, code: Code) {
        if !self.ended {
            // It may have ended meanwhile.
            let _ended = self.stream.stop(number(code.value()));
        }
    }

    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Piece>, StreamErrorIncoming>> {
        loop {
            let shared = &self.shared;
            match self.frames.take(&mut self.unparsed, || shared.note(Flood::EmptyFrames)) {
                Ok(Some(piece)) => return Poll::Ready(Ok(Some(piece))),
                Ok(None) => {}
                Err(_too_long) => {
                    self.shared.note(Flood::HeaderBomb);
                    self.stop(EXCESSIVE);
                    self.ended = true;
                    let error_code = EXCESSIVE.value();
                    return Poll::Ready(Err(StreamErrorIncoming::StreamTerminated { error_code }));
                }
            }
            if self.ended {
                return Poll::Ready(Ok(None));
            }
            ready!(self.poll_more(cx))?;
        }
    }

    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), StreamErrorIncoming>> {
        let chunk = ready!(pin!(self.stream.read_chunk(usize::MAX, true)).poll(cx));
        match chunk.map_err(of_read)? {
            Some(chunk) => self.unparsed = chunk.bytes,
            None => self.ended = true,
        }
        Poll::Ready(Ok(()))
    }

    /// What the crate is to read: no bodies.
    fn poll_frames(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, StreamErrorIncoming>> {
        if let Some(bytes) = self.behind.take() {
            return Poll::Ready(Ok(Some(bytes)));
        }
        let piece = ready!(self.poll_piece(cx))?;
        Poll::Ready(Ok(piece.map(|piece| match piece {
            Piece::Frame(bytes) => bytes,
            // A body in front of the head or behind the trailers: an empty one will do for the crate to see.
            Piece::Body(_) => Bytes::from_static(&[0, 0]),
        })))
    }

    fn id(&self) -> StreamId {
        stream_id(self.stream.id())
    }
}

/// A frame that is too long for us.
const EXCESSIVE: Code = Code::H3_EXCESSIVE_LOAD;

/// What goes out on a stream.
pub struct Writer {
    stream: quinn::SendStream,
    /// Frames that go before anything else: heads, trailers, headers of frames. As much as one head at most.
    before: BytesMut,
    /// Bytes that the DATA frame under way still needs.
    owed: usize,
}

impl Writer {
    fn new(stream: quinn::SendStream) -> Self {
        Self {
            stream,
            before: BytesMut::new(),
            owed: 0,
        }
    }

    /// Takes bytes of a body as far as the client's windows and ours allow.
    pub fn poll_body(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize, WriteError>> {
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        if self.owed == 0 {
            self.owed = bytes.len().min(FRAME);
            write_data_header(self.owed, &mut self.before);
        }
        ready!(self.poll_drain(cx))?;
        let n = ready!(Pin::new(&mut self.stream).poll_write(cx, &bytes[..bytes.len().min(self.owed)]))?;
        self.owed -= n;
        Poll::Ready(Ok(n))
    }

    /// Ready when all that was to go before is on its way.
    pub fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), WriteError>> {
        while !self.before.is_empty() {
            let n = ready!(Pin::new(&mut self.stream).poll_write(cx, &self.before))?;
            self.before.advance(n);
        }
        Poll::Ready(Ok(()))
    }

    /// Says that this was all.
    pub fn finish(&mut self) {
        // One that was stopped or reset needs no end.
        let _gone = self.stream.finish();
    }

    /// Takes back what has not been sent, and tells the client.
    pub fn cancel(&mut self, code: Code) {
        // Likewise.
        let _gone = self.stream.reset(number(code.value()));
    }

    /// Resolves when the client wants no more of it.
    pub fn stopped(&self) -> impl Future<Output = ()> + 'static {
        let stopped = self.stream.stopped();
        async move {
            // Whether the stream or its connection has gone makes no difference.
            let _either = stopped.await;
        }
    }
}

impl quic::SendStream<Bytes> for Writer {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), StreamErrorIncoming>> {
        self.poll_drain(cx).map_err(of_write)
    }

    fn send_data<T: Into<WriteBuf<Bytes>>>(&mut self, data: T) -> Result<(), StreamErrorIncoming> {
        let mut data = data.into();
        while data.has_remaining() {
            let n = data.chunk().len();
            self.before.extend_from_slice(data.chunk());
            data.advance(n);
        }
        Ok(())
    }

    fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), StreamErrorIncoming>> {
        ready!(self.poll_drain(cx)).map_err(of_write)?;
        self.finish();
        Poll::Ready(Ok(()))
    }

    fn reset(&mut self, code: u64) {
        // One that has gone needs no reset.
        let _gone = self.stream.reset(number(code));
    }

    fn send_id(&self) -> StreamId {
        stream_id(self.stream.id())
    }
}

/// A stream that only the client writes to.
pub struct OneWay(Reader);

impl quic::RecvStream for OneWay {
    type Buf = Bytes;

    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, StreamErrorIncoming>> {
        self.0.poll_frames(cx)
    }

    fn stop_sending(&mut self, code: u64) {
        self.0.stop(Code::from(code));
    }

    fn recv_id(&self) -> StreamId {
        self.0.id()
    }
}

/// The stream of a request.
pub struct TwoWay {
    reader: Rc<RefCell<Reader>>,
    writer: Rc<RefCell<Writer>>,
}

impl quic::RecvStream for TwoWay {
    type Buf = Bytes;

    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, StreamErrorIncoming>> {
        self.reader.borrow_mut().poll_frames(cx)
    }

    fn stop_sending(&mut self, code: u64) {
        self.reader.borrow_mut().stop(Code::from(code));
    }

    fn recv_id(&self) -> StreamId {
        self.reader.borrow().id()
    }
}

impl quic::SendStream<Bytes> for TwoWay {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), StreamErrorIncoming>> {
        quic::SendStream::poll_ready(&mut *self.writer.borrow_mut(), cx)
    }

    fn send_data<T: Into<WriteBuf<Bytes>>>(&mut self, data: T) -> Result<(), StreamErrorIncoming> {
        self.writer.borrow_mut().send_data(data)
    }

    fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), StreamErrorIncoming>> {
        self.writer.borrow_mut().poll_finish(cx)
    }

    fn reset(&mut self, code: u64) {
        self.writer.borrow_mut().reset(code);
    }

    fn send_id(&self) -> StreamId {
        self.writer.borrow().send_id()
    }
}

/// A code as QUIC has it.
pub fn number(value: u64) -> VarInt {
    VarInt::from_u64(value).unwrap_or(VarInt::MAX)
}

fn stream_id(id: quinn::StreamId) -> StreamId {
    u64::from(VarInt::from(id))
        .try_into()
        .expect("the ids of both libraries have 62 bits")
}

fn of_connection(error: quinn::ConnectionError) -> ConnectionErrorIncoming {
    match error {
        quinn::ConnectionError::ApplicationClosed(close) => ConnectionErrorIncoming::ApplicationClose {
            error_code: close.error_code.into_inner(),
        },
        quinn::ConnectionError::TimedOut => ConnectionErrorIncoming::Timeout,
        error => ConnectionErrorIncoming::Undefined(Arc::new(error)),
    }
}

fn of_read(error: ReadError) -> StreamErrorIncoming {
    match error {
        ReadError::Reset(code) => StreamErrorIncoming::StreamTerminated {
            error_code: code.into_inner(),
        },
        ReadError::ConnectionLost(error) => StreamErrorIncoming::ConnectionErrorIncoming {
            connection_error: of_connection(error),
        },
        error => StreamErrorIncoming::Unknown(Box::new(error)),
    }
}

fn of_write(error: WriteError) -> StreamErrorIncoming {
    match error {
        WriteError::Stopped(code) => StreamErrorIncoming::StreamTerminated {
            error_code: code.into_inner(),
        },
        WriteError::ConnectionLost(error) => StreamErrorIncoming::ConnectionErrorIncoming {
            connection_error: of_connection(error),
        },
        error => StreamErrorIncoming::Unknown(Box::new(error)),
    }
}
