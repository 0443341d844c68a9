//! Reads one head, of a request or of an answer: from bytes that are there, then from the stream.
//!
//! The common case, a whole head in one read, is parsed where it was read; only what follows it is copied. A head that
//! drips in is collected, and the search for its end goes on where it left off.

use crate::buffers::{Buffers, HEAD_READ_SIZE};
use fastingress_http1::scan::{Limits, Scan};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, ReadBuf};

/// Why there is no head.
#[derive(Debug)]
pub enum HeadError {
    /// The stream ended, before any byte of a head or in the middle of one.
    Ended,
    /// The stream failed.
    Io(io::Error),
    /// What came is not a head that may pass.
    Refused(fastingress_http1::Error),
}

/// Ready with what `parse` makes of the next head. Bytes that follow it stay in `inbuf`.
pub fn poll_head<S, T>(
    cx: &mut Context<'_>,
    stream: &mut S,
    inbuf: &mut Vec<u8>,
    scan: &mut Scan,
    limits: &Limits,
    buffers: &Buffers,
    mut parse: impl FnMut(&[u8]) -> Result<T, fastingress_http1::Error>,
) -> Poll<Result<T, HeadError>>
where
    S: AsyncRead + Unpin,
{
    loop {
        if !inbuf.is_empty()
            && let Some(end) = scan.find_end(inbuf, limits).map_err(HeadError::Refused)?
        {
            let parsed = parse(&inbuf[..end]).map_err(HeadError::Refused);
            if end == inbuf.len() {
                buffers.give(std::mem::take(inbuf));
            } else {
                inbuf.drain(..end);
            }
            *scan = Scan::default();
            return Poll::Ready(parsed);
        }
        let read = buffers.with_scratch(|scratch| {
            let mut space = ReadBuf::new(&mut scratch[..HEAD_READ_SIZE]);
            std::task::ready!(Pin::new(&mut *stream).poll_read(cx, &mut space)).map_err(HeadError::Io)?;
            let bytes = space.filled();
            if bytes.is_empty() {
                return Poll::Ready(Err(HeadError::Ended));
            }
            let mut parsed = None;
            let mut rest = bytes;
            if inbuf.is_empty()
                && let Some(end) = scan.find_end(bytes, limits).map_err(HeadError::Refused)?
            {
                parsed = Some(parse(&bytes[..end]).map_err(HeadError::Refused)?);
                *scan = Scan::default();
                rest = &bytes[end..];
            }
            if !rest.is_empty() {
                if inbuf.capacity() == 0 {
                    *inbuf = buffers.take();
                }
                inbuf.extend_from_slice(rest);
            }
            Poll::Ready(Ok(parsed))
        });
        if let Some(parsed) = std::task::ready!(read)? {
            return Poll::Ready(Ok(parsed));
        }
    }
}
