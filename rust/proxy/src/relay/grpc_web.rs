//! gRPC-Web on the client's side, gRPC on the backend's: a stream to a backend that takes and gives bodies in the form of
//! gRPC-Web.
//!
//! Browsers cannot read trailers, so these follow the messages as one more frame; and in the text form all of a body is
//! base64. Everything else is as in gRPC.

use super::{Sink, Source};
use crate::grpc::Form;
use crate::head::HeadError;
use crate::messages::{Ending, ServerStream};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fastingress_http1::{Framing, Head, Trailers, response};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The flag of a frame that holds trailers.
const TRAILERS: u8 = 0x80;
/// Bytes that are encoded or decoded at a time.
const STEP: usize = 8 * 1024;

/// Puts a request into the form of gRPC; its body follows through a [`GrpcWeb`].
pub fn translate_request(head: &mut Head, form: Form) {
    form.rename(head, Form::Native);
    head.remove(b"content-length");
    head.set(b"te", b"trailers");
}

/// A stream to a backend, for a client of gRPC-Web.
pub struct GrpcWeb {
    inner: Box<dyn ServerStream>,
    form: Form,
    /// Decoded, and not taken by the backend yet.
    to_backend: Vec<u8>,
    decoder: Decoder,
    /// Encoded, and not read by the client yet.
    to_client: Vec<u8>,
    read: usize,
    /// The answer has ended, and its trailers are among what is to be read.
    ended: bool,
}

impl GrpcWeb {
    /// Over a stream on which nothing was sent.
    pub fn new(inner: Box<dyn ServerStream>, form: Form) -> Self {
        Self {
            inner,
            form,
            to_backend: Vec::new(),
            decoder: Decoder::default(),
            to_client: Vec::new(),
            read: 0,
            ended: false,
        }
    }

    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.to_backend.is_empty() {
            let taken = ready!(Pin::new(self.inner.as_mut()).poll_write(cx, &self.to_backend))?;
            self.to_backend.drain(..taken);
        }
        Poll::Ready(Ok(()))
    }

    /// Reads some of the answer and makes it what the client is to read.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut scratch = [0; STEP];
        let mut space = ReadBuf::new(&mut scratch);
        ready!(Pin::new(self.inner.as_mut()).poll_read(cx, &mut space))?;
        self.to_client.clear();
        self.read = 0;
        if !space.filled().is_empty() {
            self.give(space.filled());
            return Poll::Ready(Ok(()));
        }
        self.ended = true;
        if let Some(trailers) = self.inner.take_trailers() {
            self.give(&frame_of(&trailers));
        }
        Poll::Ready(Ok(()))
    }

    /// A piece in base64 ends in padding, so that the client can read all of it at once and need not wait for the next.
    fn give(&mut self, bytes: &[u8]) {
        if self.form == Form::WebText {
            self.to_client.extend_from_slice(STANDARD.encode(bytes).as_bytes());
        } else {
            self.to_client.extend_from_slice(bytes);
        }
    }
}

/// Trailers as a frame: a flag, four bytes of length, and lines.
fn frame_of(trailers: &Trailers) -> Vec<u8> {
    let mut lines = Vec::new();
    for (_, name, value) in trailers.iter() {
        lines.extend(name.iter().map(u8::to_ascii_lowercase));
        lines.extend_from_slice(b": ");
        lines.extend_from_slice(value);
        lines.extend_from_slice(b"\r\n");
    }
    let length = u32::try_from(lines.len()).expect("trailers are a few KiB at most");
    let mut frame = vec![TRAILERS];
    frame.extend_from_slice(&length.to_be_bytes());
    frame.append(&mut lines);
    frame
}

/// Base64 that comes in pieces, each of which may end in padding.
#[derive(Debug, Default)]
struct Decoder {
    four: Vec<u8>,
}

impl Decoder {
    fn decode(&mut self, text: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        for &letter in text {
            self.four.push(letter);
            if self.four.len() == 4 {
                STANDARD.decode_vec(&self.four, out).map_err(|_| invalid())?;
                self.four.clear();
            }
        }
        Ok(())
    }

    fn finish(&self) -> io::Result<()> {
        if self.four.is_empty() { Ok(()) } else { Err(invalid()) }
    }
}

fn invalid() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, fastingress_http1::Error::BadChunk)
}

impl ServerStream for GrpcWeb {
    fn send_request(&mut self, head: &Head, ending: Ending) -> io::Result<()> {
        let ending = match ending {
            Ending::Now => Ending::Now,
            Ending::After(_) | Ending::Open => Ending::Open,
        };
        self.inner.send_request(head, ending)
    }

    fn poll_response(
        &mut self,
        cx: &mut Context<'_>,
        method: &[u8],
        head: &mut Head,
    ) -> Poll<Result<response::Response, HeadError>> {
        let mut answer = ready!(self.inner.poll_response(cx, method, head))?;
        Form::Native.rename(head, self.form);
        if let Framing::Length(_) = answer.framing {
            head.remove(b"content-length");
            answer.framing = Framing::UntilClose;
        }
        Poll::Ready(Ok(answer))
    }
}

impl AsyncRead for GrpcWeb {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        while self.read == self.to_client.len() && !self.ended {
            ready!(self.poll_fill(cx))?;
        }
        let rest = &self.to_client[self.read..];
        let count = rest.len().min(buf.remaining());
        buf.put_slice(&rest[..count]);
        self.read += count;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for GrpcWeb {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        if this.form != Form::WebText {
            return Pin::new(this.inner.as_mut()).poll_write(cx, buf);
        }
        ready!(this.poll_drain(cx))?;
        let taken = buf.len().min(STEP);
        this.decoder.decode(&buf[..taken], &mut this.to_backend)?;
        // What does not go now goes before the next is taken.
        if let Poll::Ready(drained) = this.poll_drain(cx) {
            drained?;
        }
        Poll::Ready(Ok(taken))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_drain(cx))?;
        Pin::new(self.inner.as_mut()).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_drain(cx))?;
        Pin::new(self.inner.as_mut()).poll_shutdown(cx)
    }
}

impl Source for GrpcWeb {}

impl Sink for GrpcWeb {
    fn finish(&mut self, _trailers: Option<&Trailers>) -> io::Result<()> {
        self.decoder.finish()?;
        debug_assert!(self.to_backend.is_empty(), "a body ends after it was flushed");
        self.inner.finish(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(pieces: &[&[u8]]) -> io::Result<Vec<u8>> {
        let (mut decoder, mut out) = (Decoder::default(), Vec::new());
        for piece in pieces {
            decoder.decode(piece, &mut out)?;
        }
        decoder.finish().map(|()| out)
    }

    #[test]
    fn text_is_decoded_however_it_is_split() {
        let text = b"aGVsbG8=d29ybGQhAA==";
        for at in 0..text.len() {
            assert_eq!(decoded(&[&text[..at], &text[at..]]).unwrap(), b"helloworld!\0");
        }
    }

    #[test]
    fn what_is_no_base64_is_refused() {
        for text in [&b"aGV"[..], b"aGV$", b"=aaa", b"aGVs\r\n"] {
            assert!(decoded(&[text]).is_err(), "{text:?}");
        }
    }

    #[test]
    fn trailers_are_a_frame_of_lines() {
        let fields = [(&b"grpc-status"[..], &b"5"[..]), (b"grpc-message", b"not there")];
        let trailers = Trailers::assemble(fields.into_iter()).unwrap();
        assert_eq!(
            frame_of(&trailers),
            b"\x80\x00\x00\x00\x29grpc-status: 5\r\ngrpc-message: not there\r\n"
        );
    }
}
