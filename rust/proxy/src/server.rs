//! The gateway as a whole: binds, takes changes, serves, drains, stops.
//!
//! Every method may be called from any thread; those that work are meant to be called without the interpreter lock.

use crate::listen::{BindError, Port};
use crate::observe::{self, AccessLog, Admin, AdminState, Gauges, Metrics};
use crate::options::{LogFormat, Options};
use crate::stream::listeners::{self, Listeners};
use crate::tls::responder::Responders;
use crate::tls::{self, Authorities, Certificates, Termination, Tickets, TlsError};
use crate::upstream::{PoolConfig, Resolver as DnsResolver, UpstreamShared, Upstreams};
use crate::worker::{Phase, Shared, Worker};
use crate::{accept, h3, limits};
use arc_swap::ArcSwap;
use fastingress_route::schema::{ChangeSet, Problem, Report};
use fastingress_route::{Compiler, RouteTable, SchemaError};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::runtime::LocalOptions;
use tokio::sync::{mpsc, watch};

/// How often waiting for the last connections looks.
const DRAIN_LOOK: Duration = Duration::from_millis(5);
/// How often a worker looks after its pools.
const SWEEP: Duration = Duration::from_secs(1);
/// Steps of tasks between two looks for events: a millisecond or so of work. A request takes two or three, a look is a system call.
const POLLS: u32 = 128;

/// How often a free port is looked for that both TCP and UDP have.
const FREE_PORT_TRIES: usize = 16;

/// Why a gateway cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A port cannot be had.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// A TLS option makes no sense.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The system refuses a thread, a descriptor or the like.
    #[error("cannot {what}: {source}")]
    System {
        /// What was tried.
        what: &'static str,
        /// What the system says.
        source: std::io::Error,
    },
    /// Called twice, or after `stop`.
    #[error("the gateway is already serving, or has stopped")]
    Misuse,
}

/// Where a gateway listens.
#[derive(Debug, Clone, Default)]
pub struct Addresses {
    /// The plain port.
    pub http: Vec<SocketAddr>,
    /// The TLS port.
    pub https: Vec<SocketAddr>,
    /// The admin port.
    pub admin: Vec<SocketAddr>,
}

/// A gateway.
pub struct Gateway {
    shared: Arc<Shared>,
    addresses: Addresses,
    phase: watch::Sender<Phase>,
    /// Bumped at each swap, so that idle workers let go of the old table.
    swapped: watch::Sender<u64>,
    compiler: Mutex<Compiler>,
    certificates: Arc<Certificates>,
    authorities: Arc<Authorities>,
    tickets: Arc<Tickets>,
    metrics: Arc<Metrics>,
    dns: Mutex<DnsResolver>,
    upstreams: Arc<UpstreamShared>,
    streams: Arc<Listeners>,
    tls: Arc<Termination>,
    quic: Option<quinn::ServerConfig>,
    log: Option<Arc<AccessLog>>,
    condition: Arc<Condition>,
    ports: Mutex<Option<Ports>>,
    running: Mutex<Running>,
}

struct Ports {
    http: Option<Port>,
    https: Option<Port>,
    /// Of each worker; none without HTTP/3.
    http3: Vec<Vec<UdpSocket>>,
}

#[derive(Default)]
struct Running {
    responders: Option<Responders>,
    workers: Vec<JoinHandle<()>>,
    admin: Option<Admin>,
}

/// What the admin port tells and others set.
struct Condition {
    table: Arc<ArcSwap<RouteTable>>,
    metrics: Arc<Metrics>,
    shared: Arc<Shared>,
    upstreams: Arc<UpstreamShared>,
    streams: Arc<Listeners>,
    ready: RwLock<Result<(), String>>,
    problems: RwLock<Arc<str>>,
    /// Metrics of the control plane, as text.
    more_metrics: RwLock<Arc<str>>,
    log: Option<Arc<AccessLog>>,
    certificates: Arc<Certificates>,
}

impl Gateway {
    /// Opens every port. Whoever connects before [`Gateway::serve`] waits for it; the admin port answers at once, so
    /// that a long first load shows as "starting".
    pub fn bind(mut options: Options) -> Result<Self, StartError> {
        if options.workers == 0 {
            options.workers = std::thread::available_parallelism().map_or(1, usize::from);
        }
        let connection_limit = limits::connections(options.connection_limit)?;
        let (ports, admin) = Ports::bind(&options)?;
        let addresses = ports.addresses(admin.as_ref());
        if options.http3_advertise_port == 0 {
            options.http3_advertise_port = addresses.https.first().map_or(0, SocketAddr::port);
        }
        let table = Arc::new(ArcSwap::new(RouteTable::empty()));
        let certificates = Certificates::new()?;
        certificates.warn_before(options.certificate_expiry_warning_s);
        let resolver = Arc::new(tls::Resolver::new(table.clone(), certificates.clone()));
        let authorities = Arc::<Authorities>::default();
        let tickets = Tickets::new();
        let kept_by_clients = options.ssl_session_tickets.then(|| tickets.clone());
        let recipe = tls::Recipe::parse(
            &options.ssl_protocols,
            &options.ssl_ciphers,
            options.http2,
            kept_by_clients,
            resolver,
        )?;
        let tls = Termination::new(recipe, table.clone(), authorities.clone())?;
        let quic = options.http3.then(|| h3::server_config(tls.ordinary())).transpose()?;
        let metrics = Metrics::new(options.workers, options.metrics_per_ingress);
        let log = start_log(options.access_log)?;
        let shared = Shared::new(options, table.clone(), authorities.clone(), connection_limit);
        let shared = Arc::new(shared);
        let upstreams = UpstreamShared::new(authorities.clone(), certificates.clone());
        let streams = Arc::new(Listeners::new(shared.clone()));
        let condition = Arc::new(Condition {
            table,
            metrics: metrics.clone(),
            shared: shared.clone(),
            upstreams: upstreams.clone(),
            streams: streams.clone(),
            ready: RwLock::new(Err("starting".into())),
            problems: RwLock::new("[]".into()),
            more_metrics: RwLock::new("".into()),
            log: log.clone(),
            certificates: certificates.clone(),
        });
        let responders = (shared.options.enable_ocsp)
            .then(|| Responders::start(certificates.clone(), shared.options.ocsp_allow_local))
            .transpose();
        let responders = responders.map_err(|source| StartError::System {
            what: "start the thread for OCSP",
            source,
        })?;
        let running = Running {
            responders,
            workers: Vec::new(),
            admin: start_admin(admin, &condition)?,
        };
        Ok(Self {
            shared,
            addresses,
            phase: watch::Sender::new(Phase::Serving),
            swapped: watch::Sender::new(0),
            compiler: Mutex::new(Compiler::new()),
            certificates,
            authorities,
            tickets,
            metrics,
            dns: Mutex::new(DnsResolver::start().map_err(|source| StartError::System {
                what: "start the DNS thread",
                source,
            })?),
            upstreams,
            streams,
            tls: Arc::new(tls),
            quic,
            log,
            condition,
            ports: Mutex::new(Some(ports)),
            running: Mutex::new(running),
        })
    }

    /// Decodes and compiles a change set and swaps the table. Requests under way keep their routes.
    pub fn apply(&self, change_set: &[u8]) -> Result<Report, SchemaError> {
        let start = Instant::now();
        let change = ChangeSet::decode(change_set)?;
        let mut compiler = lock(&self.compiler);
        let applied = compiler.apply(&change)?;
        let mut report = applied.report;
        // These first: the new table may name them.
        report.problems.extend(self.certificates.apply(&applied.certificates));
        report.problems.extend(self.authorities.apply(&applied.authorities));
        report.problems.extend(self.tickets.apply(&applied.tickets));
        if !(applied.certificates.is_empty() && applied.authorities.is_empty()) {
            self.upstreams.secrets_changed();
        }
        lock(&self.dns).follow(&applied.table);
        self.shared.table.store(applied.table);
        report.problems.extend(self.streams.apply(&applied.streams));
        self.swapped.send_modify(|count| *count += 1);
        self.metrics.swapped(start.elapsed());
        Ok(report)
    }

    /// Tries once more to open the ports of TCP and UDP services that could not be had. Gives the scopes in which something
    /// has changed, with what is wrong in them now.
    pub fn retry_streams(&self) -> Vec<(Box<str>, Vec<Problem>)> {
        self.streams.retry()
    }

    /// Starts the workers. To be called after the first [`Gateway::apply`].
    pub fn serve(&self) -> Result<(), StartError> {
        let ports = lock(&self.ports).take().ok_or(StartError::Misuse)?;
        let mut running = lock(&self.running);
        let workers = self.shared.options.workers;
        let nothing = || (0..workers).map(|_| Vec::new()).collect();
        let http: Vec<Vec<TcpListener>> = ports.http.map_or_else(nothing, Port::into_listeners);
        let https: Vec<Vec<TcpListener>> = ports.https.map_or_else(nothing, Port::into_listeners);
        let mut http3 = ports.http3.into_iter();
        let (hands, ports): (Vec<_>, Vec<_>) = (0..workers).map(|_| mpsc::unbounded_channel()).unzip();
        for (index, ((http, https), ports)) in http.into_iter().zip(https).zip(ports).enumerate() {
            let http3 = http3.next().unwrap_or_default();
            running
                .workers
                .push(self.spawn_worker(index, http, https, http3, ports)?);
        }
        self.streams.serve(hands);
        Ok(())
    }

    fn spawn_worker(
        &self,
        index: usize,
        http: Vec<TcpListener>,
        https: Vec<TcpListener>,
        http3: Vec<UdpSocket>,
        ports: mpsc::UnboundedReceiver<listeners::Handed>,
    ) -> Result<JoinHandle<()>, StartError> {
        let seed = WorkerSeed {
            shared: self.shared.clone(),
            upstreams: self.upstreams.clone(),
            metrics: self.metrics.clone(),
            log: self.log.as_ref().map(|log| log.handle()),
            tls: self.tls.clone(),
            quic: self.quic.clone(),
            phase: self.phase.subscribe(),
            swapped: self.swapped.subscribe(),
            http,
            https,
            http3,
            ports,
        };
        std::thread::Builder::new()
            .name(format!("fastingress-{index}"))
            .spawn(move || {
                // A gateway that has lost a worker would lose its share of connections in silence.
                if std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| seed.run(index))).is_err() {
                    limits::die("a worker thread has died");
                }
            })
            .map_err(|source| StartError::System {
                what: "start a worker thread",
                source,
            })
    }

    /// Where it listens, ports found included.
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// What `/readyz` answers: ready, or why not.
    pub fn set_ready(&self, ready: Result<(), String>) {
        *self.condition.ready.write().unwrap_or_else(PoisonError::into_inner) = ready;
    }

    /// What `/problems` answers: a JSON list.
    pub fn set_problems(&self, json: &str) {
        *self.condition.problems.write().unwrap_or_else(PoisonError::into_inner) = json.into();
    }

    /// What `/metrics` says beside our own: whole families in the format of OpenMetrics, without the `# EOF` line.
    pub fn set_more_metrics(&self, text: &str) {
        *self
            .condition
            .more_metrics
            .write()
            .unwrap_or_else(PoisonError::into_inner) = text.into();
    }

    /// The live table.
    pub fn table(&self) -> Arc<RouteTable> {
        self.shared.table.load_full()
    }

    /// The digest of the desired state.
    pub fn digest(&self) -> String {
        lock(&self.compiler).digest()
    }

    /// The certificates that are live.
    pub fn certificates(&self) -> &Arc<Certificates> {
        &self.certificates
    }

    /// All counters in the Prometheus text format.
    pub fn metrics(&self) -> String {
        self.condition.metrics()
    }

    /// Stops accepting without resetting anybody, makes every answer the last of its connection, and waits for what is in
    /// flight. True when all of it ended in time.
    pub fn drain(&self, wait: Duration) -> bool {
        let until = Instant::now() + wait;
        self.phase.send_replace(Phase::Draining);
        self.streams.drain();
        loop {
            if self.shared.connections.load(Ordering::Relaxed) == 0 && self.listeners_are_closed() {
                return true;
            }
            if Instant::now() >= until {
                return false;
            }
            std::thread::sleep(DRAIN_LOOK);
        }
    }

    fn listeners_are_closed(&self) -> bool {
        self.shared.listeners.load(Ordering::Acquire) == 0
    }

    /// Ends now, whatever is in flight, and waits for the threads.
    pub fn stop(&self) {
        self.phase.send_replace(Phase::Stopped);
        lock(&self.ports).take();
        let running = std::mem::take(&mut *lock(&self.running));
        for worker in running.workers {
            // A worker that panicked has already ended the process.
            let _ended = worker.join();
        }
        if let Some(responders) = running.responders {
            responders.stop();
        }
        if let Some(admin) = running.admin {
            admin.stop();
        }
        lock(&self.dns).stop();
        if let Some(log) = &self.log {
            // What a blocked reader does not take in time is lost, and was counted.
            let _all_written = log.stop();
        }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Ports {
    /// The ports of clients and, apart from them, the admin port.
    fn bind(options: &Options) -> Result<(Self, Option<Port>), BindError> {
        let bind = |flag, addresses: &[_], port: Option<u16>, sockets| {
            port.map(|port| Port::bind(flag, addresses, port, sockets)).transpose()
        };
        let (https, http3) = Self::bind_tls(options)?;
        let ports = Self {
            http: bind("--http-port", &options.bind, options.http_port, options.workers)?,
            https,
            http3,
        };
        Ok((ports, bind("--admin-port", &options.admin_bind, options.admin_port, 1)?))
    }

    /// The TLS port and, for HTTP/3, the UDP port of the same number.
    fn bind_tls(options: &Options) -> Result<(Option<Port>, Vec<Vec<UdpSocket>>), BindError> {
        let Some(port) = options.https_port else {
            return Ok((None, Vec::new()));
        };
        let mut tries = if port == 0 { FREE_PORT_TRIES } else { 1 };
        loop {
            let https = Port::bind("--https-port", &options.bind, port, options.workers)?;
            if !options.http3 {
                return Ok((Some(https), Vec::new()));
            }
            tries -= 1;
            match h3::udp::bind("--http3", https.addresses(), options.workers) {
                Err(error) if tries > 0 && error.source.kind() == std::io::ErrorKind::AddrInUse => {}
                http3 => return Ok((Some(https), http3?)),
            }
        }
    }

    fn addresses(&self, admin: Option<&Port>) -> Addresses {
        let of = |port: Option<&Port>| port.map_or_else(Vec::new, |port| port.addresses().to_vec());
        Addresses {
            http: of(self.http.as_ref()),
            https: of(self.https.as_ref()),
            admin: of(admin),
        }
    }
}

fn start_admin(port: Option<Port>, condition: &Arc<Condition>) -> Result<Option<Admin>, StartError> {
    let Some(port) = port else { return Ok(None) };
    let sockets = port.into_listeners().into_iter().flatten().collect();
    let admin = observe::admin::start(sockets, condition.clone());
    admin.map(Some).map_err(|source| StartError::System {
        what: "start the admin port",
        source,
    })
}

fn start_log(format: LogFormat) -> Result<Option<Arc<AccessLog>>, StartError> {
    if format == LogFormat::Off {
        return Ok(None);
    }
    let out = limits::standard_output().map_err(|source| StartError::System {
        what: "use standard output",
        source,
    })?;
    let log = AccessLog::start(format, out).map_err(|source| StartError::System {
        what: "start the log thread",
        source,
    })?;
    Ok(Some(Arc::new(log)))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a worker thread is started with.
struct WorkerSeed {
    shared: Arc<Shared>,
    upstreams: Arc<UpstreamShared>,
    metrics: Arc<Metrics>,
    log: Option<observe::LogHandle>,
    tls: Arc<Termination>,
    quic: Option<quinn::ServerConfig>,
    phase: watch::Receiver<Phase>,
    swapped: watch::Receiver<u64>,
    http: Vec<TcpListener>,
    https: Vec<TcpListener>,
    http3: Vec<UdpSocket>,
    ports: mpsc::UnboundedReceiver<listeners::Handed>,
}

impl WorkerSeed {
    fn run(self, index: usize) {
        limits::block_signals();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .event_interval(POLLS)
            .build_local(LocalOptions::default());
        let runtime = runtime.unwrap_or_else(|error| limits::die(&format!("a worker cannot wait for events: {error}")));
        let upstreams = Upstreams::new(self.upstreams, PoolConfig::default(), self.shared.budget.clone());
        let worker = Rc::new(Worker::new(
            self.shared.clone(),
            upstreams,
            self.metrics.worker(index),
            self.log,
        ));
        let listeners = self.http.into_iter().map(|socket| (socket, None));
        let listeners = listeners.chain(self.https.into_iter().map(|socket| (socket, Some(self.tls.clone()))));
        for (socket, tls) in listeners {
            let open = self.shared.open_listener();
            let (worker, phase) = (worker.clone(), self.phase.clone());
            runtime.spawn_local(async move {
                let _open = open;
                let socket = tokio::net::TcpListener::from_std(socket).expect("a listening socket can be polled");
                accept::run(socket, tls, worker, phase).await;
            });
        }
        let place = h3::Place {
            worker: index,
            workers: self.shared.options.workers,
        };
        for (socket, quic) in self.http3.into_iter().zip(std::iter::repeat(self.quic).flatten()) {
            let open = self.shared.open_listener();
            let (worker, phase) = (worker.clone(), self.phase.clone());
            runtime.spawn_local(async move {
                let served = h3::run(socket, quic, place, worker, phase, open).await;
                served.unwrap_or_else(|error| limits::die(&format!("a UDP socket cannot be used: {error}")));
            });
        }
        runtime.spawn_local(listeners::follow(self.ports, worker.clone()));
        runtime.block_on(look_after(worker, self.phase, self.swapped));
    }
}

/// The worker's own housekeeping, until the end.
async fn look_after(worker: Rc<Worker>, mut phase: watch::Receiver<Phase>, mut swapped: watch::Receiver<u64>) {
    let mut sweep = tokio::time::interval(SWEEP);
    sweep.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            changed = phase.changed() => {
                let now = *phase.borrow_and_update();
                if changed.is_err() || now == Phase::Stopped {
                    return;
                }
                worker.drain();
            }
            _ = swapped.changed() => {
                swapped.borrow_and_update();
                worker.refresh();
                worker.upstreams.sweep(tokio::time::Instant::now());
            }
            _ = sweep.tick() => worker.upstreams.sweep(tokio::time::Instant::now()),
        }
    }
}

impl AdminState for Condition {
    fn table(&self) -> Arc<RouteTable> {
        self.table.load_full()
    }

    fn ready(&self) -> Result<(), String> {
        self.ready.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn problems(&self) -> Arc<str> {
        self.problems.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn streams(&self) -> String {
        self.streams.to_json(&self.table())
    }

    fn metrics(&self) -> String {
        let upstream = self.upstreams.counts();
        let gauges = Gauges {
            certificates: self.certificates.expiries(),
            upstream_idle: upstream.idle,
            upstream_busy: upstream.busy,
            buffered_bytes: self.shared.budget.used() as u64,
            log_dropped: self.log.as_ref().map_or(0, |log| log.dropped()),
            problems: self.problems(),
            more: self.more_metrics.read().unwrap_or_else(PoisonError::into_inner).clone(),
            version: self.shared.options.version.clone(),
        };
        self.metrics.encode(&self.table.load(), &gauges)
    }
}
