//! Asks OCSP responders for what is to be stapled, on a thread of its own: no handshake ever waits for one.
//!
//! Whoever brings a certificate says where we connect to. So only `http` is spoken, nothing is followed, size and time are
//! bounded, and in a cluster the address may not be this machine, its link, or a metadata service.

use super::pair::Pair;
use super::staple;
use super::store::{Certificates, seconds_now};
use crate::upstream::is_local;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Between two looks at all certificates.
const LOOK: Duration = Duration::from_secs(2);
/// Until a responder that failed is asked again. Seconds.
const AGAIN: i64 = 300;
const CONNECT: Duration = Duration::from_secs(5);
const ANSWER: Duration = Duration::from_secs(10);
/// Bytes of an answer.
const LARGEST: u64 = 64 * 1024;
/// How long stopping waits for a question that is under way.
const PATIENCE: Duration = Duration::from_secs(1);

/// The thread that asks.
pub struct Responders {
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    ending: Mutex<Ending>,
    changed: Condvar,
}

#[derive(Default, Clone, Copy)]
struct Ending {
    asked: bool,
    done: bool,
}

impl Responders {
    /// Starts to look after `certificates`. `allow_local`: responders may be anywhere.
    ///
    /// # Errors
    /// There is no thread to be had.
    pub fn start(certificates: Arc<Certificates>, allow_local: bool) -> io::Result<Self> {
        let state = Arc::new(State::default());
        let ours = state.clone();
        std::thread::Builder::new()
            .name("fastingress-ocsp".into())
            .spawn(move || {
                while !ours.wait(LOOK, |ending| ending.asked).asked {
                    look(&certificates, allow_local, &ours);
                }
                ours.change(|ending| ending.done = true);
            })?;
        Ok(Self { state })
    }

    /// Ends it. A question that is under way is given up after a moment.
    pub fn stop(&self) {
        self.state.change(|ending| ending.asked = true);
        self.state.wait(PATIENCE, |ending| ending.done);
    }
}

impl State {
    fn change(&self, change: impl FnOnce(&mut Ending)) {
        change(&mut self.ending.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.notify_all();
    }

    /// Waits for something to be so, at most so long.
    fn wait(&self, most: Duration, is: impl Fn(&Ending) -> bool) -> Ending {
        let ending = self.ending.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.changed.wait_timeout_while(ending, most, |ending| !is(ending));
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

fn look(certificates: &Certificates, allow_local: bool, state: &State) {
    for pair in certificates.pairs() {
        if state.wait(Duration::ZERO, |ending| ending.asked).asked {
            return;
        }
        let now = seconds_now();
        let Some(url) = pair.responder_to_ask(now) else {
            continue;
        };
        let outcome = ask(&pair, url, allow_local);
        pair.answered(outcome, now + AGAIN);
    }
}

/// The response, good to be stapled or not.
fn ask(pair: &Pair, url: &str, allow_local: bool) -> Result<Vec<u8>, String> {
    let request = staple::request(pair.chain()).ok_or("the chain has no issuer")?;
    let (host, port, target) = parts(url).ok_or("its address is no http URL")?;
    let addresses = (host, port).to_socket_addrs().map_err(|error| error.to_string())?;
    let address = addresses
        .into_iter()
        .find(|address| allow_local || !is_local(address.ip()))
        .ok_or("it has no address that may be asked")?;
    exchange(address, host, target, &request).map_err(|error| error.to_string())
}

/// Host, port and target of a URL.
fn parts(url: &str) -> Option<(&str, u16, &str)> {
    let rest = url.strip_prefix("http://")?;
    let (authority, target) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
    let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
    if !plain(url) || authority.contains('@') || url.len() > 2048 {
        return None;
    }
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok()?),
        _ => (authority, 80),
    };
    let host = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host);
    (!host.is_empty()).then_some((host, port, target))
}

fn exchange(address: SocketAddr, host: &str, target: &str, request: &[u8]) -> io::Result<Vec<u8>> {
    let until = Instant::now() + ANSWER;
    let mut stream = TcpStream::connect_timeout(&address, CONNECT)?;
    stream.set_write_timeout(Some(CONNECT))?;
    let head = format!(
        "POST {target} HTTP/1.0\r\nHost: {host}\r\nContent-Type: application/ocsp-request\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n",
        request.len()
    );
    stream.write_all(&[head.as_bytes(), request].concat())?;
    let (mut answer, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left))?;
        let n = stream.read(&mut piece)?;
        if n == 0 {
            return body(&answer).ok_or_else(|| io::Error::other("the answer is not a 200 with a body"));
        }
        answer.extend_from_slice(&piece[..n]);
        if answer.len() as u64 > LARGEST {
            return Err(io::Error::other("the answer is too large"));
        }
    }
}

/// The body of a 200, whole as far as its head tells.
fn body(answer: &[u8]) -> Option<Vec<u8>> {
    let at = memchr::memmem::find(answer, b"\r\n\r\n")?;
    let (head, body) = (std::str::from_utf8(&answer[..at]).ok()?, &answer[at + 4..]);
    let mut lines = head.split("\r\n");
    let mut status = lines.next()?.splitn(3, ' ');
    if !status.next()?.starts_with("HTTP/1.") || status.next()? != "200" {
        return None;
    }
    for line in lines {
        let (name, value) = line.split_once(':')?;
        if name.eq_ignore_ascii_case("transfer-encoding")
            || name.eq_ignore_ascii_case("content-length") && value.trim().parse() != Ok(body.len())
        {
            return None;
        }
    }
    Some(body.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_http_urls_are_asked() {
        assert_eq!(parts("http://ocsp.example"), Some(("ocsp.example", 80, "/")));
        assert_eq!(parts("http://ocsp.example:81/a?b"), Some(("ocsp.example", 81, "/a?b")));
        assert_eq!(parts("http://[::1]/x"), Some(("::1", 80, "/x")));
        assert_eq!(parts("http://[::1]:82/x"), Some(("::1", 82, "/x")));
        for wrong in [
            "https://ocsp.example/",
            "ldap://ocsp.example/",
            "http://",
            "http://user@ocsp.example/",
            "http://ocsp.example:x/",
            "http://ocsp.example/a\r\nX: y",
            "http://ocsp.example/ x",
        ] {
            assert_eq!(parts(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn an_answer_is_a_200_that_is_whole() {
        assert_eq!(body(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab").unwrap(), b"ab");
        assert_eq!(body(b"HTTP/1.0 200 OK\r\nA: b\r\n\r\nabc").unwrap(), b"abc");
        for wrong in [
            &b"HTTP/1.1 404 No\r\n\r\nab"[..],
            b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
            b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/\r\n\r\n",
            b"HTTP/1.1 200 OK\r\n",
            b"",
        ] {
            assert!(body(wrong).is_none());
        }
    }
}
