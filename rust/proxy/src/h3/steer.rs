//! Datagrams of one connection reach the worker that has it, whatever port its client sends from.
//!
//! The first two bytes of every connection id that a worker gives out are a random number whose remainder by the number of
//! workers is the worker's index. A filter in the kernel does that division for each datagram and so picks the socket.
//! Ids that clients make up for their first packet are divided likewise, or, having another length, leave the choice to
//! the hash of the addresses; either way all packets of one handshake go to one worker.

use quinn::{ConnectionId, ConnectionIdGenerator};
use rustls::crypto::{SecureRandom, aws_lc_rs};
use std::io;
use std::net::UdpSocket;
use std::os::fd::AsRawFd;
use std::time::Duration;

/// Bytes of a connection id: two to steer by, the rest for chance.
pub const ID_LENGTH: usize = 12;

/// Gives out the connection ids of one worker.
#[derive(Debug, Clone, Copy)]
pub struct Ids {
    worker: u16,
    workers: u16,
    /// Who sees ids must not be able to tell which belong together.
    random: &'static dyn SecureRandom,
}

impl ConnectionIdGenerator for Ids {
    fn generate_cid(&mut self) -> ConnectionId {
        let mut id = [0; ID_LENGTH];
        if self.random.fill(&mut id).is_err() {
            fastrand::fill(&mut id);
        }
        let chance = u16::from_be_bytes([id[0], id[1]]);
        id[..2].copy_from_slice(&self.mark(chance).to_be_bytes());
        ConnectionId::new(&id)
    }

    fn cid_len(&self) -> usize {
        ID_LENGTH
    }

    fn cid_lifetime(&self) -> Option<Duration> {
        None
    }
}

impl Ids {
    /// Of worker `worker` of `workers`, which are more.
    pub fn new(worker: u16, workers: u16) -> Self {
        Self {
            worker,
            workers,
            random: aws_lc_rs::default_provider().secure_random,
        }
    }

    /// A number near `chance` that leads to this worker.
    fn mark(self, chance: u16) -> u16 {
        let whole = chance - chance % self.workers;
        // Past the end of the range: one round less.
        whole
            .checked_add(self.worker)
            .unwrap_or_else(|| whole - self.workers + self.worker)
    }
}

/// One step of a filter: what to do, where to go if so and if not, and a number.
type Step = (u32, u8, u8, u32);

/// The program: it sees a datagram from the QUIC header on (RFC 9000 section 17; RFC 8999 for what all versions share)
/// and answers with the index of a socket. An index that no socket has means: choose by the hash of the addresses.
fn program(workers: u16) -> [Step; 10] {
    const LONG_HEADER: u32 = 0x80;
    const LONG_ID_LENGTH: u32 = 5;
    const LONG_ID: u32 = 6;
    const SHORT_ID: u32 = 1;
    let load = libc::BPF_LD | libc::BPF_ABS;
    [
        (load | libc::BPF_B, 0, 0, 0),
        (libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K, 0, 4, LONG_HEADER),
        (load | libc::BPF_B, 0, 0, LONG_ID_LENGTH),
        (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 5, ID_LENGTH as u32),
        (load | libc::BPF_H, 0, 0, LONG_ID),
        (libc::BPF_JMP | libc::BPF_JA, 0, 0, 1),
        (load | libc::BPF_H, 0, 0, SHORT_ID),
        (libc::BPF_ALU | libc::BPF_MOD | libc::BPF_K, 0, 0, u32::from(workers)),
        (libc::BPF_RET | libc::BPF_A, 0, 0, 0),
        (libc::BPF_RET | libc::BPF_K, 0, 0, u32::MAX),
    ]
}

/// Has the kernel choose among the sockets that share the port of this one. They are numbered in the order in which they
/// were bound.
///
/// # Errors
/// What the system says, for example that the port is not shared.
pub fn attach(socket: &UdpSocket, workers: u16) -> io::Result<()> {
    let steps = program(workers).map(|(code, jt, jf, k)| libc::sock_filter {
        code: code as u16,
        jt,
        jf,
        k,
    });
    let program = libc::sock_fprog {
        len: steps.len() as u16,
        filter: steps.as_ptr().cast_mut(),
    };
    // SAFETY: the option takes a `sock_fprog`, whose instructions live across the call; the kernel copies both.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_REUSEPORT_CBPF,
            (&raw const program).cast(),
            std::mem::size_of::<libc::sock_fprog>() as libc::socklen_t,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
