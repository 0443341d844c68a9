//! Moves bytes between two sockets and does nothing else: what a proxy would cost if HTTP cost nothing.
//!
//! `fastingress-bench-relay LISTEN_PORT BACKEND_PORT`, both on 127.0.0.1: one thread, one epoll, one connection to the
//! backend for each client. A read that did not fill its buffer is not followed by another, so that a request and its
//! answer are two reads, two writes and the waiting.

use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use std::collections::HashMap;
use std::error::Error;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::os::fd::OwnedFd;

/// The token of the listener; connections count from 1, and each has two: the client's is even, the backend's odd.
const LISTENER: u64 = 0;
const READ_SIZE: usize = 64 * 1024;
const EVENTS: usize = 256;

/// A client and the backend.
struct Pair {
    ends: [TcpStream; 2],
    /// What the end of that place has not taken.
    waiting: [Vec<u8>; 2],
    /// That end has sent everything.
    ended: [bool; 2],
}

impl Pair {
    /// True when both have sent everything, and have taken it.
    fn is_done(&self) -> bool {
        self.ended == [true; 2] && self.waiting.iter().all(Vec::is_empty)
    }

    /// Moves what there is to move from one end to the other.
    fn shift(&mut self, from: usize, scratch: &mut [u8]) -> io::Result<()> {
        let to = 1 - from;
        loop {
            if !self.waiting[to].is_empty() {
                let n = would_block(self.ends[to].write(&self.waiting[to]))?.unwrap_or(0);
                self.waiting[to].drain(..n);
                if !self.waiting[to].is_empty() {
                    return Ok(());
                }
            }
            if self.ended[from] {
                return Ok(());
            }
            let Some(came) = would_block(self.ends[from].read(scratch))? else {
                return Ok(());
            };
            if came == 0 {
                // Nothing waits here.
                self.ended[from] = true;
                return self.ends[to].shutdown(Shutdown::Write);
            }
            let taken = would_block(self.ends[to].write(&scratch[..came]))?.unwrap_or(0);
            self.waiting[to].extend_from_slice(&scratch[taken..came]);
            if came < scratch.len() && self.waiting[to].is_empty() {
                return Ok(());
            }
        }
    }
}

/// `None` when the socket has nothing, or takes nothing, now.
fn would_block(done: io::Result<usize>) -> io::Result<Option<usize>> {
    match done {
        Ok(n) => Ok(Some(n)),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(None),
        Err(error) => Err(error),
    }
}

struct Relay {
    events: OwnedFd,
    listener: TcpListener,
    backend: u16,
    pairs: HashMap<u64, Pair>,
    next: u64,
    scratch: Vec<u8>,
}

impl Relay {
    fn new(port: u16, backend: u16) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        listener.set_nonblocking(true)?;
        let events = epoll::create(CreateFlags::CLOEXEC)?;
        epoll::add(&events, &listener, EventData::new_u64(LISTENER), EventFlags::IN)?;
        Ok(Self {
            events,
            listener,
            backend,
            pairs: HashMap::new(),
            next: 1,
            scratch: vec![0; READ_SIZE],
        })
    }

    fn run(mut self) -> io::Result<()> {
        let mut ready = Vec::with_capacity(EVENTS);
        loop {
            ready.clear();
            match epoll::wait(&self.events, rustix::buffer::spare_capacity(&mut ready), None) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            for event in &ready {
                match event.data.u64() {
                    LISTENER => self.accept()?,
                    token => self.relay(token / 2, (token % 2) as usize, event.flags),
                }
            }
        }
    }

    fn accept(&mut self) -> io::Result<()> {
        while let Some(client) = match self.listener.accept() {
            Ok((client, _)) => Some(client),
            Err(error) if error.kind() == ErrorKind::WouldBlock => None,
            Err(error) => return Err(error),
        } {
            let ends = [client, TcpStream::connect((Ipv4Addr::LOCALHOST, self.backend))?];
            for (place, end) in ends.iter().enumerate() {
                end.set_nonblocking(true)?;
                end.set_nodelay(true)?;
                let flags = EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET;
                let token = EventData::new_u64(self.next * 2 + place as u64);
                epoll::add(&self.events, end, token, flags)?;
            }
            let pair = Pair {
                ends,
                waiting: Default::default(),
                ended: Default::default(),
            };
            self.pairs.insert(self.next, pair);
            self.next += 1;
        }
        Ok(())
    }

    /// Closing the sockets takes them out of the epoll.
    fn relay(&mut self, number: u64, end: usize, flags: EventFlags) {
        let Some(pair) = self.pairs.get_mut(&number) else {
            return;
        };
        let Self { scratch, .. } = self;
        let mut moved = Ok(());
        if flags.intersects(EventFlags::IN | EventFlags::RDHUP | EventFlags::HUP | EventFlags::ERR) {
            moved = pair.shift(end, scratch);
        }
        if moved.is_ok() && !pair.waiting[end].is_empty() {
            moved = pair.shift(1 - end, scratch);
        }
        if moved.is_err() || pair.is_done() {
            self.pairs.remove(&number);
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut ports = std::env::args().skip(1).map(|text| text.parse::<u16>());
    let (Some(Ok(port)), Some(Ok(backend)), None) = (ports.next(), ports.next(), ports.next()) else {
        return Err("usage: fastingress-bench-relay LISTEN_PORT BACKEND_PORT".into());
    };
    Ok(Relay::new(port, backend).and_then(Relay::run)?)
}
