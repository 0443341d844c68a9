//! A lingering close: the answer has been sent, the client may still be sending.
//!
//! Closing a socket that holds unread bytes makes the kernel send a reset, which can overtake the answer. So our side is
//! closed for writing, and what comes is read and dropped until the client closes too, or for a bounded time.

use crate::buffers::Buffers;
use crate::transport::Transport;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::ready;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWriteExt, ReadBuf};
use tokio::time::timeout;

/// The longest a connection lingers.
const IN_ALL: Duration = Duration::from_secs(30);
/// The longest it lingers without a byte.
const BETWEEN: Duration = Duration::from_secs(5);

/// Closes for writing and drops what comes. Errors end it: there is nobody left to tell.
pub async fn close(stream: &mut Transport, buffers: &Buffers) {
    close_within(IN_ALL, stream, buffers).await;
}

/// The same, for so long at most.
pub async fn close_within(most: Duration, stream: &mut Transport, buffers: &Buffers) {
    let _bounded = timeout(most, async {
        if stream.shutdown().await.is_err() {
            return;
        }
        while let Ok(Ok(n)) = timeout(BETWEEN, discard(stream, buffers)).await {
            if n == 0 {
                return;
            }
        }
    })
    .await;
}

async fn discard(stream: &mut Transport, buffers: &Buffers) -> std::io::Result<usize> {
    poll_fn(|cx| {
        buffers.with_scratch(|scratch| {
            let mut space = ReadBuf::new(scratch);
            ready!(Pin::new(&mut *stream).poll_read(cx, &mut space))?;
            std::task::Poll::Ready(Ok(space.filled().len()))
        })
    })
    .await
}
