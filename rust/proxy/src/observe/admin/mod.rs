//! The admin port: what the gateway says of itself, over HTTP.
//!
//! A thread of its own with a small hyper server, so that it answers while workers are busy. It is bounded in
//! connections, time and header size, and keeps some descriptors aside for the moment when the data path has used up all
//! others. It changes nothing: every endpoint is a GET.
//!
//! | module | what it is |
//! |---|---|
//! | [`pages`] | what each path answers |
//! | [`query`] | the query of `/explain`, and the URL in it |
//! | `room` | who goes when there are too many connections |
//! | [`spare`] | descriptors kept aside |

pub mod pages;
pub mod query;
mod room;
pub mod spare;

use super::process::is_out_of_descriptors;
use fastingress_route::RouteTable;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use room::{Place, Room};
use spare::Spares;
use std::convert::Infallible;
use std::io;
use std::net::TcpListener as StdListener;
use std::pin::pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::LocalSet;

/// Connections served at a time. A further one takes the place of one that says nothing.
const CONNECTIONS: usize = 64;

/// For a request head, and between two requests.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// After this a connection ends with the response under way, and after as much again it is cut.
const CONNECTION_TIME: Duration = Duration::from_secs(60);

/// Bytes of a request head.
const HEAD_LIMIT: usize = 16 * 1024;

/// How long to wait when there is no descriptor for a connection.
const BACK_OFF: Duration = Duration::from_millis(50);

/// What the admin port tells of. Called on the admin thread.
pub trait AdminState: Send + Sync {
    /// The live route table.
    fn table(&self) -> Arc<RouteTable>;
    /// Whether new requests should be sent here, or why not.
    fn ready(&self) -> Result<(), String>;
    /// A JSON list of problems.
    fn problems(&self) -> Arc<str>;
    /// TCP and UDP services, and hosts whose TLS passes through: a JSON object.
    fn streams(&self) -> String;
    /// What Prometheus is to read: see `Metrics::encode`.
    fn metrics(&self) -> String;
}

/// The running admin server. Dropping it stops it.
#[derive(Debug)]
pub struct Admin {
    stop: watch::Sender<bool>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// Serves on listeners that are bound and listening.
///
/// # Errors
/// When the thread, its runtime or a listener cannot be set up.
pub fn start(listeners: Vec<StdListener>, state: Arc<dyn AdminState>) -> io::Result<Admin> {
    let (stop, stopped) = watch::channel(false);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let listeners = {
        let _inside = runtime.enter();
        listeners.into_iter().map(adopt).collect::<io::Result<Vec<_>>>()?
    };
    let thread = std::thread::Builder::new().name("admin".into()).spawn(move || {
        crate::limits::block_signals();
        LocalSet::new().block_on(&runtime, serve(listeners, state, stopped));
    })?;
    Ok(Admin {
        stop,
        thread: Mutex::new(Some(thread)),
    })
}

impl Admin {
    /// Closes the listeners and all connections, and joins the thread.
    pub fn stop(&self) {
        self.stop.send_replace(true);
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // A panic there has been reported by the panic hook.
            let _ = thread.join();
        }
    }
}

impl Drop for Admin {
    fn drop(&mut self) {
        self.stop();
    }
}

fn adopt(listener: StdListener) -> io::Result<TcpListener> {
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}

/// What all connections share.
struct Shared {
    state: Arc<dyn AdminState>,
    spares: Spares,
    room: Room,
}

async fn serve(listeners: Vec<TcpListener>, state: Arc<dyn AdminState>, mut stopped: watch::Receiver<bool>) {
    let shared = Rc::new(Shared {
        state,
        spares: Spares::new(),
        room: Room::new(CONNECTIONS),
    });
    for listener in listeners {
        tokio::task::spawn_local(accept(listener, shared.clone()));
    }
    // An error means that the sender is gone, which is a reason to stop too. Tasks end with the runtime.
    let _ = stopped.wait_for(|stop| *stop).await;
}

async fn accept(listener: TcpListener, shared: Rc<Shared>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                shared.spares.refill();
                let (place, was_full) = shared.room.enter();
                tokio::task::spawn_local(connection(stream, place, shared.clone()));
                if was_full {
                    // The other one closes before the next one is accepted.
                    tokio::task::yield_now().await;
                }
            }
            Err(error) if is_out_of_descriptors(&error) && shared.spares.release() => {}
            Err(_) => tokio::time::sleep(BACK_OFF).await,
        }
    }
}

async fn connection(stream: TcpStream, place: Rc<Place>, shared: Rc<Shared>) {
    tokio::select! {
        biased;
        () = place.ended() => {}
        () = talk(stream, &place, &shared) => {}
    }
    shared.spares.refill();
    shared.room.leave(&place);
}

/// Answers requests until either side has enough. Dropping it closes the connection.
async fn talk(stream: TcpStream, place: &Place, shared: &Shared) {
    let answer = |request: hyper::Request<hyper::body::Incoming>| {
        place.ask();
        let response = pages::answer(request.method(), request.uri(), &*shared.state);
        std::future::ready(Ok::<_, Infallible>(response))
    };
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_LIMIT);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service_fn(answer)));
    // Errors are the client's and of no interest to anyone else.
    if tokio::time::timeout(CONNECTION_TIME, connection.as_mut())
        .await
        .is_err()
    {
        connection.as_mut().graceful_shutdown();
        let _ = tokio::time::timeout(CONNECTION_TIME, connection).await;
    }
}

#[cfg(test)]
mod tests;
