//! WebSockets: a backend that gives every message back, and a client that sends the next one when it has the last.
//!
//! The text message `seen` is answered with the fields of the head that the backend was asked with, one on a line.

use crate::Outcome;
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use std::error::Error;
use std::fmt::Write;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::{Error as SocketError, Message};

const SEEN: &str = "seen";
/// Of a message, as a chat or a price would have.
const SIZE: usize = 64;

/// All messages of one connection.
pub(crate) async fn answer(stream: TcpStream) -> Outcome {
    let mut fields = String::new();
    #[expect(clippy::result_large_err, reason = "the library's own shape")]
    let asked = |request: &Request, response: Response| -> Result<Response, ErrorResponse> {
        for (name, value) in request.headers() {
            let _ = writeln!(fields, "{name}: {}", String::from_utf8_lossy(value.as_bytes()));
        }
        Ok(response)
    };
    let mut socket = tokio_tungstenite::accept_hdr_async(stream, asked).await?;
    while let Some(message) = socket.next().await {
        match message? {
            Message::Text(text) if text == SEEN => socket.send(Message::text(&fields)).await?,
            message @ (Message::Text(_) | Message::Binary(_)) => socket.send(message).await?,
            _ => {}
        }
    }
    Ok(())
}

/// A client of many connections.
pub(crate) struct Talk {
    pub(crate) port: u16,
    pub(crate) host: String,
    pub(crate) connections: usize,
    pub(crate) seconds: u64,
}

impl Talk {
    /// Opens all, then has each send and await its echo until the time is over: `done=` says how many came back.
    ///
    /// # Errors
    /// A connection that was refused or closed, or a message that came back as another one.
    pub(crate) async fn run(self) -> Result<String, Box<dyn Error>> {
        let mut sockets = Vec::with_capacity(self.connections);
        for _ in 0..self.connections {
            sockets.push(self.opened().await?);
        }
        let end = Instant::now() + Duration::from_secs(self.seconds);
        let tasks: Vec<_> = sockets
            .into_iter()
            .enumerate()
            .map(|(number, socket)| tokio::task::spawn_local(talk(socket, number, end)))
            .collect();
        let mut done = 0;
        for task in tasks {
            done += task.await??;
        }
        Ok(format!("done={done}"))
    }

    async fn opened(&self) -> Result<WebSocketStream<TcpStream>, Box<dyn Error>> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).await?;
        stream.set_nodelay(true)?;
        let (socket, _) = tokio_tungstenite::client_async(format!("ws://{}/echo", self.host), stream).await?;
        Ok(socket)
    }
}

/// How many messages came back.
async fn talk(mut socket: WebSocketStream<TcpStream>, number: usize, end: Instant) -> Result<u64, SocketError> {
    let mut done = 0;
    while Instant::now() < end {
        let sent = message(number, done);
        socket.send(Message::Binary(sent.clone())).await?;
        match socket.next().await.ok_or(SocketError::ConnectionClosed)?? {
            Message::Binary(came) if came == sent => done += 1,
            other => {
                let what = format!("another message than was sent came back: {other:?}");
                return Err(std::io::Error::other(what).into());
            }
        }
    }
    socket.close(None).await?;
    Ok(done)
}

/// No two are alike, so that one that comes twice or to another is noticed.
fn message(number: usize, done: u64) -> Bytes {
    let mut bytes = [b'.'; SIZE];
    bytes[..8].copy_from_slice(&(number as u64).to_be_bytes());
    bytes[8..16].copy_from_slice(&done.to_be_bytes());
    Bytes::copy_from_slice(&bytes)
}
