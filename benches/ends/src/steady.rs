//! Requests of HTTP/1.1 at a rate that is held, whatever the proxy does to connections; how long each took.
//!
//! Each connection is a thread, and each request has its time to be sent. What it took counts from that time, also when
//! the answer before it came late: waiting is not left out. A connection that the proxy closes is made anew for the next
//! request, as browsers do, and its time counts with the request's. A request that was sent and got no whole answer has
//! failed, and is sent once more on a new connection.

use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};
use std::error::Error;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::num::NonZeroU64;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

const STACK: usize = 128 * 1024;
/// What has no answer by then has failed.
const PATIENCE: Duration = Duration::from_secs(5);
const TRIES: usize = 3;
/// By then all threads are awake.
const SOON: Duration = Duration::from_millis(10);

/// What is asked.
pub(crate) struct Steady {
    pub(crate) port: u16,
    /// Head of a request without a body.
    pub(crate) request: String,
    pub(crate) connections: u32,
    /// Requests a second, of all connections together; with 0 as many as there are answers.
    pub(crate) rate: u32,
    pub(crate) seconds: u32,
}

/// What came of the requests of one connection.
#[derive(Default)]
struct Found {
    /// Of each request that has its answer.
    took: Vec<Duration>,
    /// Requests that were sent and got no whole answer, or another one than 200.
    failed: u64,
    /// Connections that were made because one was gone.
    again: u64,
}

impl Steady {
    /// Runs to its end, and says how many requests were answered and failed, how often it had to connect again, and
    /// percentiles in microseconds.
    ///
    /// # Errors
    /// When a connection cannot be made at the start, or nothing was answered.
    pub(crate) fn run(&self) -> Result<String, Box<dyn Error>> {
        let connections = (0..self.connections)
            .map(|_| Connection::open(self.port))
            .collect::<io::Result<Vec<_>>>()?;
        let begin = Barrier::new(connections.len());
        let found = thread::scope(|scope| {
            let threads = connections.into_iter().zip(0..).map(|(connection, number)| {
                let begin = &begin;
                let work = move || self.converse(connection, number, begin);
                thread::Builder::new().stack_size(STACK).spawn_scoped(scope, work)
            });
            let threads = threads.collect::<io::Result<Vec<_>>>()?;
            let ended = threads
                .into_iter()
                .map(|one| one.join().map_err(|_| io::Error::other("a thread panicked")));
            ended.collect::<io::Result<Vec<_>>>()
        })?;
        summary(found).ok_or_else(|| "nothing was answered".into())
    }

    /// One connection: its requests are evenly between those of the others.
    fn converse(&self, mut connection: Connection, number: u32, begin: &Barrier) -> Found {
        // By default the kernel is up to 50 us late.
        let _ = rustix::thread::set_current_timer_slack(NonZeroU64::new(1));
        let mut found = Found::default();
        begin.wait();
        let start = Instant::now() + SOON;
        let mut ask_at = |due: Instant| {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            if self.ask(&mut connection, &mut found) {
                found.took.push(due.elapsed());
            }
        };
        if self.rate == 0 {
            let end = start + Duration::from_secs(self.seconds.into());
            while Instant::now() < end {
                ask_at(Instant::now());
            }
        } else {
            let every = Duration::from_secs(1) * self.connections / self.rate;
            let first = start + every * number / self.connections;
            for turn in 0..self.rate * self.seconds / self.connections {
                ask_at(first + every * turn);
            }
        }
        found
    }

    /// True when the answer has come, if not at once.
    fn ask(&self, connection: &mut Connection, found: &mut Found) -> bool {
        for _ in 0..TRIES {
            if connection.is_closed() {
                found.again += 1;
                match Connection::open(self.port) {
                    Ok(anew) => *connection = anew,
                    Err(_) => {
                        found.failed += 1;
                        continue;
                    }
                }
            }
            match connection.exchange(self.request.as_bytes()) {
                Ok(()) => return true,
                Err(_) => {
                    found.failed += 1;
                    connection.closed = true;
                }
            }
        }
        false
    }
}

struct Connection {
    stream: TcpStream,
    /// It was, or the last answer said that it will be.
    closed: bool,
    buffer: Vec<u8>,
}

impl Connection {
    fn open(port: u16) -> io::Result<Self> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self {
            stream,
            closed: false,
            buffer: vec![0; 16 * 1024],
        })
    }

    /// Looks whether the other side has closed it meanwhile.
    fn is_closed(&mut self) -> bool {
        let look = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        self.closed = self.closed || recv(&self.stream, &mut [0], look).err() != Some(Errno::WOULDBLOCK);
        self.closed
    }

    /// Sends a request and takes its answer, which is 200 and says its length.
    fn exchange(&mut self, request: &[u8]) -> io::Result<()> {
        self.stream.write_all(request)?;
        let mut read = 0;
        let mut whole = None;
        while whole.is_none_or(|whole| read < whole) {
            if read == self.buffer.len() {
                self.buffer.resize(read * 2, 0);
            }
            let came = self.stream.read(&mut self.buffer[read..])?;
            if came == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            read += came;
            if whole.is_none()
                && let Some(answer) = Answer::of(&self.buffer[..read])?
            {
                self.closed |= answer.closes;
                whole = Some(answer.size);
            }
        }
        if whole == Some(read) {
            Ok(())
        } else {
            Err(ErrorKind::InvalidData.into())
        }
    }
}

/// What the head of an answer says.
#[derive(Debug, PartialEq)]
struct Answer {
    /// Of head and body.
    size: usize,
    /// The connection ends with it.
    closes: bool,
}

impl Answer {
    /// `None` before the head is whole; an error when it is not 200 or does not say how long its body is.
    fn of(read: &[u8]) -> io::Result<Option<Self>> {
        let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") else {
            return Ok(None);
        };
        let head = String::from_utf8_lossy(&read[..end]).to_ascii_lowercase();
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap_or_default().split(' ').nth(1);
        let fields: Vec<_> = lines.filter_map(|line| line.split_once(':')).collect();
        let field = |name| fields.iter().find(|field| field.0 == name).map(|field| field.1.trim());
        match (
            status,
            field("content-length").and_then(|text| text.parse::<usize>().ok()),
        ) {
            (Some("200"), Some(length)) => Ok(Some(Self {
                size: end + 4 + length,
                closes: field("connection") == Some("close"),
            })),
            _ => Err(io::Error::other(head)),
        }
    }
}

fn summary(found: Vec<Found>) -> Option<String> {
    let (mut took, mut failed, mut again) = (Vec::new(), 0, 0);
    for one in found {
        took.extend(one.took);
        failed += one.failed;
        again += one.again;
    }
    took.sort_unstable();
    let at = |thousandths| percentile(&took, thousandths).map(|found| found.as_secs_f64() * 1e6);
    Some(format!(
        "done={} failed={failed} again={again} p50={:.1} p99={:.1} p999={:.1} most={:.1}",
        took.len(),
        at(500)?,
        at(990)?,
        at(999)?,
        at(1000)?
    ))
}

/// Of what is sorted, by nearest rank: the least that so many thousandths do not exceed.
fn percentile(sorted: &[Duration], thousandths: usize) -> Option<Duration> {
    let rank = (sorted.len() * thousandths).div_ceil(1000);
    sorted.get(rank.max(1) - 1).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(head: &str) -> Option<Answer> {
        Answer::of(head.as_bytes()).expect("this one is 200 and says its length")
    }

    #[test]
    fn an_answer_says_its_size_and_whether_the_connection_ends() {
        assert_eq!(answer("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n"), None);
        let whole = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
        let size = whole.len() + 5;
        assert_eq!(answer(whole), Some(Answer { size, closes: false }));
        let last = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello";
        let size = last.len();
        assert_eq!(answer(last), Some(Answer { size, closes: true }));
    }

    #[test]
    fn another_status_has_failed_and_so_has_a_body_of_unknown_length() {
        assert!(Answer::of(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n").is_err());
        assert!(Answer::of(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").is_err());
    }

    #[test]
    fn a_percentile_is_one_of_the_values() {
        let values: Vec<_> = (1..=2000).map(Duration::from_micros).collect();
        let at = |thousandths| percentile(&values, thousandths).map(|found| found.as_micros());
        assert_eq!((at(500), at(999), at(1000)), (Some(1000), Some(1998), Some(2000)));
        assert_eq!(percentile(&values[..1], 999), Some(Duration::from_micros(1)));
        assert_eq!(percentile(&[], 999), None);
    }
}
