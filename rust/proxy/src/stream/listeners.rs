//! The ports of TCP and UDP services: opened and closed while everything else goes on.
//!
//! A port is bound once for each worker, in the thread that applies the change, so that one that cannot be had is a
//! problem in the answer; the sockets are then handed to the workers. Where a service goes is behind a pointer: a change
//! of that swaps it and leaves the sockets alone.

use super::{tcp, udp};
use crate::listen::{BindError, Port};
use crate::worker::{OpenListener, Phase, Shared, Worker};
use arc_swap::ArcSwap;
use fastingress_route::schema::Problem;
use fastingress_route::{BackendCell, Layer, Route, RouteTable, Stream};
use serde::Serialize;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use tokio::sync::{mpsc, watch};

/// Changes of services by key; `None`: gone.
type Changes = [(Box<str>, Option<Arc<Stream>>)];
/// What is wrong now, by scope.
type Scopes = Vec<(Box<str>, Vec<Problem>)>;

/// All ports of services.
pub(crate) struct Listeners {
    shared: Arc<Shared>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    services: BTreeMap<Box<str>, Service>,
    /// Sockets of ports that were closed a moment ago may still be there.
    closing: BTreeMap<Box<str>, Weak<()>>,
    /// How workers get sockets; empty before they serve.
    workers: Vec<mpsc::UnboundedSender<Handed>>,
    draining: bool,
}

struct Service {
    wanted: Arc<Stream>,
    /// `None` while the port cannot be had.
    open: Option<Open>,
    problem: Option<Problem>,
}

struct Open {
    now: Arc<ArcSwap<Stream>>,
    addresses: Vec<SocketAddr>,
    phase: watch::Sender<Phase>,
    alive: Weak<()>,
    /// Of each worker, until they serve.
    waiting: Vec<Vec<Handed>>,
}

/// A socket on its way to a worker.
pub(crate) struct Handed {
    socket: Socket,
    now: Arc<ArcSwap<Stream>>,
    phase: watch::Receiver<Phase>,
    open: OpenListener,
    alive: Arc<()>,
}

enum Socket {
    Tcp(std::net::TcpListener),
    Udp(std::net::UdpSocket),
}

/// A service as the admin port shows it.
#[derive(Debug, Serialize)]
struct StreamView {
    protocol: Layer,
    port: u16,
    service: Box<str>,
    origin: Box<str>,
    endpoints: Vec<Box<str>>,
    /// False while nothing is known about the Service.
    known: bool,
    accept_proxy: bool,
    send_proxy: u8,
    idle_timeout_ms: u32,
    /// Where it listens; empty while the port cannot be had.
    listening: Vec<SocketAddr>,
    problem: Option<Box<str>>,
}

/// A host whose TLS passes through, as the admin port shows it.
#[derive(Debug, Serialize)]
struct PassView<'t> {
    host: &'t str,
    namespace: &'t str,
    ingress: &'t str,
    service: &'t str,
    endpoints: Vec<Box<str>>,
}

impl<'t> PassView<'t> {
    fn new((host, route): (&'t str, &'t Arc<Route>)) -> Self {
        Self {
            host,
            namespace: &route.ingress.of.namespace,
            ingress: &route.ingress.of.name,
            service: &route.target.service,
            endpoints: texts(route),
        }
    }
}

/// The endpoints of a route now.
fn texts(route: &Route) -> Vec<Box<str>> {
    let endpoints = route.target.backend.as_ref().map(|cell| cell.endpoints.load_full());
    let listed = endpoints.iter().flat_map(|all| all.list.iter());
    listed.map(|endpoint| (*endpoint.text).into()).collect()
}

impl Listeners {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            state: Mutex::default(),
        }
    }

    /// Opens, closes and redirects ports. Gives what is wrong now with those that changed.
    pub(crate) fn apply(&self, changes: &Changes) -> Scopes {
        let mut state = self.lock();
        // What closes comes first: its port may be wanted for something else.
        for (key, _) in changes.iter().filter(|(_, stream)| stream.is_none()) {
            state.close(key);
        }
        let changed = changes.iter().filter_map(|(key, stream)| Some((key, stream.as_ref()?)));
        for (key, stream) in changed {
            state.put(key, stream, &self.shared);
        }
        changes.iter().map(|(key, _)| state.told(key)).collect()
    }

    /// Tries once more to get the ports that could not be had. Gives what is wrong now with those for which that is news.
    pub(crate) fn retry(&self) -> Scopes {
        let mut state = self.lock();
        let missing: Vec<Box<str>> = state
            .services
            .iter()
            .filter(|(_, service)| service.open.is_none())
            .map(|(key, _)| key.clone())
            .collect();
        let tried = missing.into_iter().filter(|key| state.open(key, &self.shared));
        let news: Vec<Box<str>> = tried.collect();
        news.iter().map(|key| state.told(key)).collect()
    }

    /// The workers serve from now on: they get what waits for them, and all that opens later.
    pub(crate) fn serve(&self, workers: Vec<mpsc::UnboundedSender<Handed>>) {
        let mut state = self.lock();
        let State {
            services,
            workers: hands,
            ..
        } = &mut *state;
        *hands = workers;
        for open in services.values_mut().filter_map(|service| service.open.as_mut()) {
            hand_out(std::mem::take(&mut open.waiting), hands);
        }
    }

    /// Takes no more streams, for good. Those that are open go on.
    pub(crate) fn drain(&self) {
        let mut state = self.lock();
        state.draining = true;
        for open in state.services.values_mut().filter_map(|service| service.open.as_mut()) {
            open.waiting.clear();
            open.phase.send_replace(Phase::Draining);
        }
    }

    /// All of them, and the hosts whose TLS passes through, for the admin port.
    pub(crate) fn to_json(&self, table: &RouteTable) -> String {
        let ports: Vec<StreamView> = self.lock().services.values().map(Service::view).collect();
        let mut passthrough: Vec<PassView<'_>> = table.passthroughs().map(PassView::new).collect();
        passthrough.sort_unstable_by_key(|view| view.host);
        serde_json::json!({ "ports": ports, "passthrough": passthrough }).to_string()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn close(&mut self, key: &str) {
        if let Some(open) = self.services.remove(key).and_then(|service| service.open) {
            open.phase.send_replace(Phase::Draining);
            self.closing.retain(|_, alive| alive.strong_count() > 0);
            self.closing.insert(key.into(), open.alive);
        }
    }

    fn put(&mut self, key: &str, stream: &Arc<Stream>, shared: &Arc<Shared>) {
        if let Some(service) = self.services.get_mut(key) {
            service.wanted = stream.clone();
            if let Some(open) = &service.open {
                return open.now.store(stream.clone());
            }
        } else {
            let service = Service {
                wanted: stream.clone(),
                open: None,
                problem: None,
            };
            self.services.insert(key.into(), service);
        }
        self.open(key, shared);
    }

    /// Tries to get the port. True when that makes a difference to what is wrong.
    fn open(&mut self, key: &str, shared: &Arc<Shared>) -> bool {
        let is_closing = self.closing.get(key).is_some_and(|alive| alive.strong_count() > 0);
        let Some(service) = self.services.get_mut(key).filter(|_| !is_closing && !self.draining) else {
            return false;
        };
        let before = service.problem.take();
        match bind(&service.wanted, shared) {
            Ok(mut open) => {
                if !self.workers.is_empty() {
                    hand_out(std::mem::take(&mut open.waiting), &self.workers);
                }
                service.open = Some(open);
            }
            Err(error) => service.problem = Some(port_problem(&service.wanted, &error)),
        }
        before != service.problem
    }

    fn told(&self, key: &str) -> (Box<str>, Vec<Problem>) {
        let problem = self.services.get(key).and_then(|service| service.problem.clone());
        (format!("stream:{key}").into(), problem.into_iter().collect())
    }
}

fn hand_out(waiting: Vec<Vec<Handed>>, workers: &[mpsc::UnboundedSender<Handed>]) {
    for (sockets, worker) in waiting.into_iter().zip(workers) {
        for socket in sockets {
            // A worker that has ended takes none, and needs none.
            let _ended = worker.send(socket);
        }
    }
}

fn bind(stream: &Arc<Stream>, shared: &Arc<Shared>) -> Result<Open, BindError> {
    let options = &shared.options;
    let (addresses, sockets): (Vec<SocketAddr>, Vec<Vec<Socket>>) = match stream.layer {
        Layer::Tcp => {
            let port = Port::<std::net::TcpListener>::bind("TCP service", &options.bind, stream.port, options.workers)?;
            let addresses = port.addresses().to_vec();
            let sockets = port.into_listeners().into_iter();
            (
                addresses,
                sockets
                    .map(|each| each.into_iter().map(Socket::Tcp).collect())
                    .collect(),
            )
        }
        Layer::Udp => {
            let port = Port::<std::net::UdpSocket>::bind("UDP service", &options.bind, stream.port, options.workers)?;
            let addresses = port.addresses().to_vec();
            let sockets = port.into_listeners().into_iter();
            (
                addresses,
                sockets
                    .map(|each| each.into_iter().map(Socket::Udp).collect())
                    .collect(),
            )
        }
    };
    let now = Arc::new(ArcSwap::new(stream.clone()));
    let phase = watch::Sender::new(Phase::Serving);
    let alive = Arc::new(());
    let hand = |socket| Handed {
        socket,
        now: now.clone(),
        phase: phase.subscribe(),
        open: shared.open_listener(),
        alive: alive.clone(),
    };
    let waiting = sockets
        .into_iter()
        .map(|each| each.into_iter().map(hand).collect())
        .collect();
    Ok(Open {
        alive: Arc::downgrade(&alive),
        now,
        addresses,
        phase,
        waiting,
    })
}

fn port_problem(stream: &Stream, error: &BindError) -> Problem {
    let who = if stream.origin.is_empty() { "" } else { ": " };
    Problem {
        code: "PortUnavailable".into(),
        ingress: None,
        message: format!("{}{who}{error}; it is tried again every second", stream.origin).into(),
    }
}

impl Service {
    fn view(&self) -> StreamView {
        let stream = &self.wanted;
        let target = &stream.route.target;
        let is_known = |cell: &Arc<BackendCell>| cell.endpoints.load().known;
        StreamView {
            protocol: stream.layer,
            port: stream.port,
            service: target.service.clone(),
            origin: stream.origin.clone(),
            endpoints: texts(&stream.route),
            known: target.backend.as_ref().is_some_and(is_known),
            accept_proxy: stream.accept_proxy,
            send_proxy: stream.send_proxy,
            idle_timeout_ms: stream.idle_timeout_ms,
            listening: self.open.as_ref().map_or_else(Vec::new, |open| open.addresses.clone()),
            problem: self.problem.as_ref().map(|problem| problem.message.clone()),
        }
    }
}

/// Serves the sockets that one worker is handed. To be spawned there.
pub(crate) async fn follow(mut handed: mpsc::UnboundedReceiver<Handed>, worker: Rc<Worker>) {
    while let Some(Handed {
        socket,
        now,
        phase,
        open,
        alive,
    }) = handed.recv().await
    {
        let worker = worker.clone();
        tokio::task::spawn_local(async move {
            let _until_it_ends = (open, alive);
            match socket {
                Socket::Tcp(listener) => tcp::listen(listener, now, worker, phase).await,
                Socket::Udp(socket) => udp::listen(socket, now, worker, phase).await,
            }
        });
    }
}
