//! Access records on their way out: a queue for each worker, and one thread that formats and writes.
//!
//! A request never waits: a worker copies what its record needs into memory that it used before, and the thread takes
//! the queue as a whole some milliseconds later. What does not fit is dropped and counted. The thread blocks in write(2)
//! as it likes; nobody waits for it longer than a second, and the output is never made non-blocking, since others have it open.

use super::line::{self, Line, Rule};
use super::output::Output;
use crate::options::LogFormat;
use crate::record::Record;
use fastingress_http1::{Head, Name};
use fastingress_route::Route;
use std::fs::File;
use std::io;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// Bytes of records that may wait to be written, of all workers together.
const WAITING: usize = 4 << 20;

/// From this on the thread is told to hurry.
const HURRY: usize = 256 << 10;

const SOMETHING: u8 = 1;
const MUCH: u8 = 2;

/// How long the thread lets records gather: waking it for each would cost more than all the rest.
const GATHER: Duration = Duration::from_millis(10);

/// How long [`AccessLog::stop`] waits for what is still queued.
const STOP: Duration = Duration::from_secs(1);

/// Bytes per write(2).
const BATCH: usize = 64 << 10;

/// The thread, and what it shares with the workers.
#[derive(Debug)]
pub struct AccessLog {
    shared: Arc<Shared>,
}

/// What a worker writes records with. Clones share one queue.
#[derive(Debug, Clone)]
pub struct LogHandle {
    shared: Arc<Shared>,
    queue: Arc<Mutex<Queue>>,
}

#[derive(Debug)]
struct Shared {
    format: LogFormat,
    queues: Mutex<Vec<Arc<Mutex<Queue>>>>,
    waiting: AtomicUsize,
    dropped: AtomicU64,
    /// What the thread has been told since it last looked: nothing, [`SOMETHING`] or [`MUCH`].
    told: AtomicU8,
    state: Mutex<State>,
    wake: Condvar,
    ended: Condvar,
}

#[derive(Debug, Default)]
struct State {
    work: bool,
    stopping: bool,
    ended: bool,
}

#[derive(Debug, Default)]
struct Queue {
    entries: Vec<Entry>,
    /// The texts of all entries, one after the other.
    bytes: Vec<u8>,
}

impl Queue {
    /// Forgets everything but a moderate amount of memory.
    fn clear(&mut self) {
        self.entries.clear();
        self.bytes.clear();
        self.entries.shrink_to(HURRY / size_of::<Entry>());
        self.bytes.shrink_to(HURRY);
    }
}

/// A record with the lengths of its texts.
#[derive(Debug)]
struct Entry {
    time: SystemTime,
    client: IpAddr,
    scheme: &'static str,
    protocol: &'static str,
    route: Option<Arc<Route>>,
    endpoint: Option<Arc<str>>,
    reason: Option<&'static str>,
    bytes_in: u64,
    bytes_out: u64,
    duration_us: u64,
    connect_us: Option<u32>,
    upstream_us: Option<u32>,
    status: u16,
    tries: u8,
    /// Of method, host, path, request id, user agent and referer; `ABSENT` for a header that is not there.
    lengths: [u16; 6],
}

const ABSENT: u16 = u16::MAX;

/// The most bytes that are kept of method, host, path, request id, user agent and referer.
const LONGEST: [usize; 6] = [64, 256, 8192, 128, 1024, 2048];

impl AccessLog {
    /// Starts the thread, which writes to `out`, a descriptor of its own: a copy of standard output, say.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn start(format: LogFormat, out: File) -> io::Result<AccessLog> {
        let shared = Arc::new(Shared {
            format,
            queues: Mutex::default(),
            waiting: AtomicUsize::new(0),
            dropped: AtomicU64::new(0),
            told: AtomicU8::new(0),
            state: Mutex::default(),
            wake: Condvar::new(),
            ended: Condvar::new(),
        });
        if format == LogFormat::Off {
            lock(&shared.state).ended = true;
            return Ok(AccessLog { shared });
        }
        let thread = Thread {
            shared: shared.clone(),
            out: Output::new(out),
        };
        std::thread::Builder::new().name("access-log".into()).spawn(move || {
            crate::limits::block_signals();
            thread.run();
        })?;
        Ok(AccessLog { shared })
    }

    /// A queue for one worker.
    pub fn handle(&self) -> LogHandle {
        let queue = Arc::new(Mutex::default());
        lock(&self.shared.queues).push(Arc::clone(&queue));
        LogHandle {
            shared: self.shared.clone(),
            queue,
        }
    }

    /// Records that were dropped: the queue was full, or nobody reads any more.
    pub fn dropped(&self) -> u64 {
        self.shared.dropped.load(Relaxed)
    }

    /// Has what is queued written, for at most a second. True when all of it was. A thread that hangs in a write is
    /// left to itself.
    pub fn stop(&self) -> bool {
        let mut state = lock(&self.shared.state);
        state.stopping = true;
        self.shared.wake.notify_all();
        let until = Instant::now() + STOP;
        while !state.ended {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            state = self
                .shared
                .ended
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        true
    }
}

impl Drop for AccessLog {
    fn drop(&mut self) {
        self.stop();
    }
}

impl LogHandle {
    /// Queues a record with what the log says of the request's head. Never blocks and, once warm, does not allocate.
    /// Long texts are cut: a path at 8 KiB, a User-Agent at 1 KiB, a Referer at 2 KiB.
    pub fn write(&self, record: &Record, head: &Head) {
        let texts = [
            Some(head.method()),
            Some(head.host()),
            Some(head.asked()),
            head.get(Name::XRequestId),
            head.get(Name::UserAgent),
            head.get(Name::Referer),
        ];
        self.queue(record, texts);
    }

    /// Queues the record of a stream that was relayed unread; `target` is what the client connected to.
    pub fn write_stream(&self, record: &Record, target: &[u8]) {
        self.queue(record, [Some(b"STREAM"), Some(target), None, None, None, None]);
    }

    fn queue(&self, record: &Record, texts: [Option<&[u8]>; 6]) {
        if self.shared.format == LogFormat::Off {
            return;
        }
        let mut size = size_of::<Entry>();
        let mut lengths = [ABSENT; 6];
        for ((length, text), longest) in lengths.iter_mut().zip(&texts).zip(LONGEST) {
            if let Some(text) = text {
                *length = text.len().min(longest) as u16;
                size += usize::from(*length);
            }
        }
        // Counted before it is queued: the thread takes off what it finds in the queue, and must not be there first.
        let waiting = self.shared.waiting.fetch_add(size, Relaxed) + size;
        if waiting > WAITING {
            self.shared.waiting.fetch_sub(size, Relaxed);
            self.shared.dropped.fetch_add(1, Relaxed);
            return;
        }
        let mut queue = lock(&self.queue);
        for (text, length) in texts.iter().zip(lengths) {
            if let Some(text) = text {
                queue.bytes.extend_from_slice(&text[..usize::from(length)]);
            }
        }
        queue.entries.push(Entry::new(record, lengths));
        drop(queue);
        self.shared.tell(if waiting > HURRY { MUCH } else { SOMETHING });
    }
}

impl Shared {
    /// Wakes the thread when it has not been told as much since it last looked. A record that is queued before the
    /// thread takes the queue needs no telling, and one queued after that finds `told` at 0: the queue's lock orders it.
    fn tell(&self, what: u8) {
        if self.told.fetch_max(what, Relaxed) < what {
            lock(&self.state).work = true;
            self.wake.notify_all();
        }
    }
}

impl Entry {
    fn new(record: &Record, lengths: [u16; 6]) -> Self {
        let ago = Duration::from_micros(record.duration_us);
        let now = SystemTime::now();
        Self {
            time: now.checked_sub(ago).unwrap_or(now),
            client: record.peer.ip(),
            scheme: record.scheme,
            protocol: record.protocol,
            route: record.route.clone(),
            endpoint: record.endpoint.clone(),
            reason: record.reason,
            bytes_in: record.bytes_in,
            bytes_out: record.bytes_out,
            duration_us: record.duration_us,
            connect_us: record.connect_us,
            upstream_us: record.upstream_us,
            status: record.status,
            tries: record.tries,
            lengths,
        }
    }

    /// The line, with its texts from the front of `bytes`; and the rest of `bytes`.
    fn line<'a>(&'a self, mut bytes: &'a [u8]) -> (Line<'a>, &'a [u8]) {
        let [method, host, path, request_id, user_agent, referer] = self.lengths.map(|length| {
            if length == ABSENT {
                return None;
            }
            let (text, rest) = bytes.split_at(length.into());
            bytes = rest;
            Some(text)
        });
        let route = self.route.as_deref();
        let line = Line {
            time: self.time,
            client: self.client,
            scheme: self.scheme,
            protocol: self.protocol,
            method: method.unwrap_or_default(),
            host: host.unwrap_or_default(),
            path: path.unwrap_or_default(),
            status: self.status,
            bytes_in: self.bytes_in,
            bytes_out: self.bytes_out,
            duration_us: self.duration_us,
            connect_us: self.connect_us,
            upstream_us: self.upstream_us,
            ingress: route
                .map(|route| (&*route.ingress.of.namespace, &*route.ingress.of.name))
                .filter(|(_, name)| !name.is_empty()),
            // A stream is of no rule.
            rule: route
                .filter(|_| self.protocol.starts_with("HTTP"))
                .map(|route| route.rule.map_or(Rule::Default, |(rule, path)| Rule::Path(rule, path))),
            service: route
                .map(|route| &*route.target.service)
                .filter(|service| !service.is_empty()),
            endpoint: self.endpoint.as_deref(),
            tries: self.tries,
            reason: self.reason,
            request_id,
            user_agent,
            referer,
        };
        (line, bytes)
    }
}

/// The log thread: gathers, formats, writes.
struct Thread {
    shared: Arc<Shared>,
    out: Output,
}

impl Thread {
    fn run(mut self) {
        let mut taken = Queue::default();
        loop {
            let stopping = self.wait();
            let queues = lock(&self.shared.queues).clone();
            for queue in queues {
                std::mem::swap(&mut *lock(&queue), &mut taken);
                self.write_all(&mut taken);
            }
            if stopping {
                break;
            }
        }
        lock(&self.shared.state).ended = true;
        self.shared.ended.notify_all();
    }

    /// Until there is something, and a little longer; true when it is the last time.
    fn wait(&self) -> bool {
        let mut state = lock(&self.shared.state);
        while !state.work && !state.stopping {
            state = self.shared.wake.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if !state.stopping {
            state.work = false;
            let idle = |state: &mut State| !state.work && !state.stopping;
            let waited = self.shared.wake.wait_timeout_while(state, GATHER, idle);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        state.work = false;
        self.shared.told.store(0, Relaxed);
        state.stopping
    }

    fn write_all(&mut self, queue: &mut Queue) {
        let mut batch = Vec::with_capacity(BATCH + BATCH / 4);
        let (mut lines, mut size, mut rest) = (0, 0, &queue.bytes[..]);
        let last = queue.entries.len().saturating_sub(1);
        for (at, entry) in queue.entries.iter().enumerate() {
            let before = rest.len();
            let (line, after) = entry.line(rest);
            rest = after;
            match self.shared.format {
                LogFormat::Json => line::json(&line, &mut batch),
                LogFormat::Text | LogFormat::Off => line::text(&line, &mut batch),
            }
            lines += 1;
            size += size_of::<Entry>() + before - rest.len();
            if batch.len() >= BATCH || at == last {
                if self.out.write(&batch).is_err() {
                    self.shared.dropped.fetch_add(lines, Relaxed);
                }
                self.shared.waiting.fetch_sub(size, Relaxed);
                batch.clear();
                (lines, size) = (0, 0);
            }
        }
        queue.clear();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
