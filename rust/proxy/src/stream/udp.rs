//! UDP services: what a client's address sends makes a session, which has an endpoint and a socket of its own.
//!
//! A session ends when nothing has moved for its idle time, or for [`UNANSWERED`] while the endpoint has never answered:
//! a source address is easily forged. Their number is bounded for the whole process; a datagram that would begin one more
//! is dropped and counted. The kernel gives all datagrams of a client to one worker, so nothing is shared.

use super::account::Account;
use super::datagrams::{Arrived, Datagrams};
use super::relay::End;
use crate::accept::{self, Open};
use crate::error::Failure;
use crate::observe::streams::{PortLabel, Trouble};
use crate::upstream::{Choice, Tried};
use crate::worker::{Phase, Worker};
use arc_swap::ArcSwap;
use fastingress_route::Stream;
use hashbrown::HashMap;
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::sync::watch;
use tokio::time::{Instant, Sleep, sleep_until};

/// How long a session may be silent that was never answered.
const UNANSWERED: Duration = Duration::from_secs(10);
/// How long a session may be silent once its port is closing.
const CLOSING: Duration = Duration::from_secs(1);
/// Datagrams in one wake before others get their turn.
const FAIR: usize = 64;
/// Of the connections that the process may have, sessions may be one in so many.
const SHARE: usize = 4;

/// One port on one worker.
struct Port {
    socket: Datagrams,
    now: Arc<ArcSwap<Stream>>,
    worker: Rc<Worker>,
    sessions: RefCell<HashMap<SocketAddr, Rc<Session>, foldhash::fast::RandomState>>,
    phase: watch::Receiver<Phase>,
    label: PortLabel,
}

/// What one client and one endpoint have to say to each other.
struct Session {
    upstream: UdpSocket,
    choice: Choice,
    client: SocketAddr,
    local: Option<IpAddr>,
    moved: Cell<Instant>,
    answered: Cell<bool>,
    received: Cell<u64>,
    sent: Cell<u64>,
    /// The endpoint's machine said that nobody is there.
    refused: Cell<bool>,
    /// Wakes the task of the session.
    waker: RefCell<Option<Waker>>,
}

/// Receives on one socket until the port closes and its sessions have ended.
pub(crate) async fn listen(
    socket: std::net::UdpSocket,
    now: Arc<ArcSwap<Stream>>,
    worker: Rc<Worker>,
    phase: watch::Receiver<Phase>,
) {
    let Ok(socket) = Datagrams::new(socket) else {
        return worker.metrics.refused("accept_failed");
    };
    let label = PortLabel {
        protocol: "udp",
        port: now.load().port,
    };
    let port = Rc::new(Port {
        socket,
        now,
        worker,
        sessions: RefCell::default(),
        phase: phase.clone(),
        label,
    });
    let mut closing = phase;
    let mut closed = std::pin::pin!(async move {
        // An error says as much: whoever could close it has gone.
        let _ = closing.wait_for(|now| *now != Phase::Serving).await;
    });
    let mut is_closing = false;
    poll_fn(|cx| {
        is_closing = is_closing || closed.as_mut().poll(cx).is_ready();
        port.poll(cx);
        // Sessions that end wake nobody here, so a closing port looks again when something comes or `linger` is over.
        if is_closing { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    port.linger().await;
}

impl Port {
    /// Serves the sessions that are left.
    async fn linger(self: &Rc<Self>) {
        for session in self.sessions.borrow().values() {
            session.wake();
        }
        while !self.sessions.borrow().is_empty() {
            let look_again = tokio::time::sleep(CLOSING / 10);
            tokio::pin!(look_again);
            poll_fn(|cx| {
                self.poll(cx);
                look_again.as_mut().poll(cx)
            })
            .await;
        }
    }

    /// Takes what has come, for as long as it is fair.
    fn poll(self: &Rc<Self>, cx: &mut Context<'_>) {
        let worker = self.worker.clone();
        for _ in 0..FAIR {
            let pending = worker
                .buffers
                .with_scratch(|scratch| match self.socket.poll_receive(cx, scratch) {
                    Poll::Pending => true,
                    // Errors of a socket that is not connected are those of datagrams sent earlier.
                    Poll::Ready(Err(_)) => false,
                    Poll::Ready(Ok(arrived)) => {
                        self.take(&arrived, &scratch[..arrived.bytes]);
                        false
                    }
                });
            if pending {
                return;
            }
        }
        cx.waker().wake_by_ref();
    }

    fn take(self: &Rc<Self>, arrived: &Arrived, bytes: &[u8]) {
        let client = accept::unmapped(arrived.client);
        let known = self.sessions.borrow().get(&client).cloned();
        let Some(session) = known.or_else(|| self.begin(client, arrived.local)) else {
            return;
        };
        let mut session = session;
        // An empty datagram is one, too.
        let (first, rest) = bytes.split_at(arrived.each.min(bytes.len()));
        for datagram in std::iter::once(first).chain(rest.chunks(arrived.each)) {
            if session.forward(datagram) {
                continue;
            }
            if session.refused.get() {
                // Nothing of it was sent: it goes to another endpoint, in a new session.
                self.forget(&session);
                self.worker.upstreams.failed(&session.choice);
                let Some(next) = self.begin(client, arrived.local) else {
                    return;
                };
                session = next;
                if session.forward(datagram) {
                    continue;
                }
            }
            self.worker.metrics.port(self.label).trouble(Trouble::Unsent);
        }
    }

    /// Lets go of a session, unless its client has a newer one.
    fn forget(&self, session: &Rc<Session>) {
        let mut sessions = self.sessions.borrow_mut();
        if sessions
            .get(&session.client)
            .is_some_and(|known| Rc::ptr_eq(known, session))
        {
            sessions.remove(&session.client);
        }
    }

    /// A session for a client that has none.
    fn begin(self: &Rc<Self>, client: SocketAddr, local: Option<IpAddr>) -> Option<Rc<Session>> {
        let worker = &self.worker;
        let counters = worker.metrics.port(self.label);
        let shared = &worker.shared;
        let room = shared.sessions.load(Ordering::Relaxed) < shared.connection_limit / SHARE
            && shared.connections.load(Ordering::Relaxed) < shared.connection_limit;
        if *self.phase.borrow() != Phase::Serving || !room {
            counters.trouble(Trouble::SessionLimit);
            return None;
        }
        let stream = self.now.load_full();
        let Some((choice, upstream)) = connect(&stream, worker) else {
            counters.trouble(Trouble::NoEndpoints);
            return None;
        };
        let session = Rc::new(Session {
            upstream,
            choice,
            client,
            local,
            moved: Cell::new(Instant::now()),
            answered: Cell::new(false),
            received: Cell::new(0),
            sent: Cell::new(0),
            refused: Cell::new(false),
            waker: RefCell::default(),
        });
        self.sessions.borrow_mut().insert(client, session.clone());
        let (port, running) = (self.clone(), session.clone());
        let open = (Open::unnamed(worker), Counted::new(worker));
        tokio::task::spawn_local(async move {
            let _open = open;
            port.run(&running, &stream).await;
        });
        Some(session)
    }

    async fn run(self: Rc<Self>, session: &Rc<Session>, stream: &Stream) {
        let target = SocketAddr::new(session.local.unwrap_or(Ipv4Addr::UNSPECIFIED.into()), stream.port);
        let mut account = Account::open(
            &self.worker,
            self.label,
            session.client,
            &target.to_string(),
            &stream.route,
        );
        account.record.endpoint = Some(session.choice.text().clone());
        account.record.tries = 1;
        let _forget = Forget(&self, session);
        let idle = Duration::from_millis(stream.idle_timeout_ms.into());
        let mut timer = std::pin::pin!(sleep_until(session.moved.get() + idle.min(UNANSWERED)));
        let failure = poll_fn(|cx| {
            let ended = self.poll_session(session, idle, timer.as_mut(), cx);
            session.count(&mut account);
            ended
        })
        .await;
        match failure {
            Some(failure) => {
                self.worker.upstreams.failed(&session.choice);
                account.failed(&failure);
            }
            // A session has no other end than silence.
            None => account.ended(End::Closed),
        }
    }

    /// Sends answers on. Ready when the session is over, with what is wrong with the endpoint.
    fn poll_session(
        &self,
        session: &Session,
        idle: Duration,
        mut timer: std::pin::Pin<&mut Sleep>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Failure>> {
        for _ in 0..FAIR {
            match self
                .worker
                .buffers
                .with_scratch(|scratch| self.answer(session, scratch, cx))
            {
                Poll::Pending => break,
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Some(Failure::Connect(error))),
            }
        }
        session.waker.replace(Some(cx.waker().clone()));
        if session.refused.get() {
            return Poll::Ready(Some(Failure::Connect(std::io::ErrorKind::ConnectionRefused.into())));
        }
        loop {
            let at = session.moved.get() + self.patience(session, idle);
            if timer.deadline() != at {
                timer.as_mut().reset(at);
            }
            if timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            if session.moved.get() + self.patience(session, idle) <= Instant::now() {
                return Poll::Ready(None);
            }
        }
    }

    fn patience(&self, session: &Session, idle: Duration) -> Duration {
        match *self.phase.borrow() {
            Phase::Serving if session.answered.get() => idle,
            Phase::Serving => idle.min(UNANSWERED),
            _ => idle.min(CLOSING),
        }
    }

    fn answer(&self, session: &Session, scratch: &mut [u8], cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        let mut space = tokio::io::ReadBuf::new(scratch);
        std::task::ready!(session.upstream.poll_recv(cx, &mut space))?;
        session.moved.set(Instant::now());
        session.answered.set(true);
        match self.socket.send(session.client, session.local, space.filled()) {
            Ok(()) => session.sent.set(session.sent.get() + space.filled().len() as u64),
            Err(_) => self.worker.metrics.port(self.label).trouble(Trouble::Unsent),
        }
        Poll::Ready(Ok(()))
    }
}

impl Session {
    /// Sends a datagram to the endpoint. False: it was not sent.
    fn forward(&self, datagram: &[u8]) -> bool {
        // Past the event loop, which has not seen a new socket yet.
        match socket2::SockRef::from(&self.upstream).send(datagram) {
            Ok(_) => {
                self.received.set(self.received.get() + datagram.len() as u64);
                self.moved.set(Instant::now());
                true
            }
            Err(error) => {
                if error.kind() == std::io::ErrorKind::ConnectionRefused {
                    self.refused.set(true);
                    self.wake();
                }
                false
            }
        }
    }

    /// Has its task look again.
    fn wake(&self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    fn count(&self, account: &mut Account) {
        let (received, sent) = (self.received.get(), self.sent.get());
        account.counters.bytes_in(received - account.record.bytes_in);
        account.counters.bytes_out(sent - account.record.bytes_out);
        (account.record.bytes_in, account.record.bytes_out) = (received, sent);
    }
}

/// An endpoint and a socket that speaks to it alone. Nothing is sent yet, so nobody knows whether it is there.
fn connect(stream: &Stream, worker: &Worker) -> Option<(Choice, UdpSocket)> {
    let target = &stream.route.target;
    let cell = target.backend.as_ref()?;
    let choice = worker
        .upstreams
        .choose(cell, target.upstream.balance, &Tried::default())?;
    let any: IpAddr = match choice.address() {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = std::net::UdpSocket::bind((any, 0)).ok()?;
    socket.connect(choice.address()).ok()?;
    socket.set_nonblocking(true).ok()?;
    Some((choice, UdpSocket::from_std(socket).ok()?))
}

/// Takes a session out of its port when it ends, however that happens.
struct Forget<'p>(&'p Port, &'p Rc<Session>);

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        self.0.forget(self.1);
    }
}

/// Counts a session among those of the process.
struct Counted(Rc<Worker>);

impl Counted {
    fn new(worker: &Rc<Worker>) -> Self {
        worker.shared.sessions.fetch_add(1, Ordering::Relaxed);
        Self(worker.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.shared.sessions.fetch_sub(1, Ordering::Relaxed);
    }
}
