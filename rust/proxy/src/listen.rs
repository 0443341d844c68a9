//! Listening sockets, and those that take datagrams: opened before anything serves, one per worker and address, closed without resetting anybody.
//!
//! The first socket of an address is bound without SO_REUSEPORT, so that a port in use is an error and is not silently
//! shared; the option is set afterwards and the other workers' sockets join. They listen from the start, since only a
//! port that is listened on is safe from others: whoever connects before the first table is live waits for it.

use socket2::{Domain, Protocol, SockRef, Socket, Type};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};

/// Connections that may wait to be accepted, per socket. The kernel caps it by `net.core.somaxconn`.
const BACKLOG: i32 = 4096;
/// Bytes of datagrams that may wait to be taken, per socket.
const DATAGRAMS: usize = 1 << 20;
/// How often a free port is looked for that all addresses have.
const FREE_PORT_TRIES: usize = 16;

/// A port that cannot be had.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address} ({flag}): {source}")]
pub struct BindError {
    /// The flag that asks for it, such as `--http-port`.
    pub flag: &'static str,
    /// What was tried.
    pub address: SocketAddr,
    /// What the system says.
    pub source: io::Error,
}

/// One port on all its addresses, one socket per worker and address.
#[derive(Debug)]
pub struct Port<S = TcpListener> {
    sockets: Vec<Vec<S>>,
    addresses: Vec<SocketAddr>,
}

/// What a port's sockets are.
pub trait Kind: Sized {
    /// A socket that is not bound.
    fn socket(address: SocketAddr) -> io::Result<Socket>;
    /// What a bound socket becomes.
    fn ready(bound: Socket) -> io::Result<Self>;
    /// Where it is bound.
    fn address(&self) -> io::Result<SocketAddr>;
}

impl Kind for TcpListener {
    fn socket(address: SocketAddr) -> io::Result<Socket> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        // Its connections inherit it. Without it, small answers wait for acknowledgements; where it cannot be set, they do.
        let _slower = socket.set_tcp_nodelay(true);
        Ok(socket)
    }

    fn ready(bound: Socket) -> io::Result<Self> {
        bound.listen(BACKLOG)?;
        Ok(bound.into())
    }

    fn address(&self) -> io::Result<SocketAddr> {
        self.local_addr()
    }
}

impl Kind for UdpSocket {
    // With SO_REUSEADDR a port in use would be shared.
    fn socket(address: SocketAddr) -> io::Result<Socket> {
        Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))
    }

    fn ready(bound: Socket) -> io::Result<Self> {
        // Bursts wait here; where the system permits less, there is less.
        let _less = bound.set_recv_buffer_size(DATAGRAMS);
        Ok(bound.into())
    }

    fn address(&self) -> io::Result<SocketAddr> {
        self.local_addr()
    }
}

impl<S: Kind> Port<S> {
    /// Listens at `port` on every address for `workers` workers; nothing is accepted yet. An empty `bind` means all addresses of
    /// IPv4 and, where the machine has it, IPv6. Port 0 finds one that is free on all of them.
    pub fn bind(flag: &'static str, bind: &[IpAddr], port: u16, workers: usize) -> Result<Self, BindError> {
        let everywhere = [IpAddr::from(Ipv4Addr::UNSPECIFIED), IpAddr::from(Ipv6Addr::UNSPECIFIED)];
        let hosts = if bind.is_empty() { &everywhere[..] } else { bind };
        let optional_v6 = bind.is_empty();
        let mut outcome = Self::bind_once(flag, hosts, port, workers, optional_v6);
        for _ in 1..FREE_PORT_TRIES {
            match &outcome {
                Err(error) if port == 0 && error.source.kind() == io::ErrorKind::AddrInUse => {}
                _ => break,
            }
            outcome = Self::bind_once(flag, hosts, port, workers, optional_v6);
        }
        outcome
    }

    fn bind_once(
        flag: &'static str,
        hosts: &[IpAddr],
        port: u16,
        workers: usize,
        optional_v6: bool,
    ) -> Result<Self, BindError> {
        let mut sockets: Vec<Vec<S>> = (0..workers).map(|_| Vec::new()).collect();
        let mut addresses: Vec<SocketAddr> = Vec::new();
        for host in hosts {
            let port = addresses.first().map_or(port, SocketAddr::port);
            let address = SocketAddr::new(*host, port);
            let first: S = match bind_first(address) {
                Ok(first) => first,
                Err(error) if optional_v6 && host.is_ipv6() && lacks_ipv6(&error) => continue,
                Err(source) => return Err(BindError { flag, address, source }),
            };
            let failed = |source| BindError { flag, address, source };
            let address = first.address().map_err(failed)?;
            for sockets in sockets.iter_mut().skip(1) {
                sockets.push(bind_next(address).map_err(failed)?);
            }
            sockets[0].push(first);
            addresses.push(address);
        }
        Ok(Self { sockets, addresses })
    }

    /// Where it is bound.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// The sockets of each worker.
    pub fn into_listeners(self) -> Vec<Vec<S>> {
        self.sockets
    }
}

fn socket<S: Kind>(address: SocketAddr) -> io::Result<Socket> {
    let socket = S::socket(address)?;
    socket.set_nonblocking(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    Ok(socket)
}

fn bind_first<S: Kind>(address: SocketAddr) -> io::Result<S> {
    let socket = socket::<S>(address)?;
    socket.bind(&address.into())?;
    socket.set_reuse_port(true)?;
    S::ready(socket)
}

fn bind_next<S: Kind>(address: SocketAddr) -> io::Result<S> {
    let socket = socket::<S>(address)?;
    socket.set_reuse_port(true)?;
    socket.bind(&address.into())?;
    S::ready(socket)
}

fn lacks_ipv6(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EAFNOSUPPORT | libc::EADDRNOTAVAIL))
}

/// Lets no further connection in while those that wait, or are in the middle of their handshake, are still accepted: the
/// kernel drops packets that ask for a new one, and their senders ask again a second later. Closing the socket a moment
/// after that resets nobody.
pub fn stop_new_connections(listener: &impl std::os::fd::AsFd) {
    const FLAGS: u32 = 13;
    const SYN: u32 = 0x02;
    const SYN_OR_ACK: u32 = 0x12;
    let step = |code: u32, jt, jf, k| libc::sock_filter {
        code: code as u16,
        jt,
        jf,
        k,
    };
    // The filter sees a packet from its TCP header on (RFC 9293 section 3.1): SYN without ACK is a new connection.
    let drop_new = [
        step(libc::BPF_LD | libc::BPF_B | libc::BPF_ABS, 0, 0, FLAGS),
        step(libc::BPF_ALU | libc::BPF_AND | libc::BPF_K, 0, 0, SYN_OR_ACK),
        step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 1, SYN),
        step(libc::BPF_RET | libc::BPF_K, 0, 0, 0),
        step(libc::BPF_RET | libc::BPF_K, 0, 0, u32::MAX),
    ];
    let program = libc::sock_fprog {
        len: drop_new.len() as u16,
        filter: drop_new.as_ptr().cast_mut(),
    };
    let socket = SockRef::from(listener);
    // SAFETY: the option takes a `sock_fprog`, whose instructions live across the call; the kernel copies both.
    let result = unsafe {
        libc::setsockopt(
            std::os::fd::AsRawFd::as_raw_fd(&*socket),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_FILTER,
            (&raw const program).cast(),
            std::mem::size_of::<libc::sock_fprog>() as libc::socklen_t,
        )
    };
    // Where the system refuses it, closing may reset a connection that came within the same microseconds.
    let _best_effort = result;
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    #[test]
    fn a_port_in_use_is_an_error_that_names_the_flag_and_the_address() {
        let taken = Port::<TcpListener>::bind("--http-port", &[LOOPBACK], 0, 2).expect("a free port");
        let port = taken.addresses()[0].port();
        let error = Port::<TcpListener>::bind("--http-port", &[LOOPBACK], port, 2).expect_err("the port is taken");
        assert_eq!(error.source.kind(), io::ErrorKind::AddrInUse);
        assert!(error.to_string().contains("--http-port"));
        assert!(error.to_string().contains(&port.to_string()));
    }

    #[test]
    fn every_worker_gets_a_socket_on_the_same_port() {
        let port = Port::<TcpListener>::bind("--http-port", &[LOOPBACK], 0, 3).expect("a free port");
        let address = port.addresses()[0];
        let listeners = port.into_listeners();
        assert_eq!(listeners.len(), 3);
        for sockets in &listeners {
            assert_eq!(sockets[0].local_addr().expect("bound"), address);
        }
    }

    #[test]
    fn connections_do_not_hold_small_answers_back() {
        let port = Port::<TcpListener>::bind("--http-port", &[LOOPBACK], 0, 2).expect("a free port");
        let address = port.addresses()[0];
        for listener in port.into_listeners().into_iter().flatten() {
            assert!(socket2::SockRef::from(&listener).tcp_nodelay().expect("says"));
        }
        let port = Port::<TcpListener>::bind("--http-port", &[LOOPBACK], address.port(), 1).expect("it is free again");
        let listener = port.into_listeners().remove(0).remove(0);
        let _client = std::net::TcpStream::connect(address).expect("connects");
        let (accepted, _) = listener.accept().expect("one waits");
        assert!(accepted.nodelay().expect("says"), "accepted connections inherit it");
    }

    #[test]
    fn a_port_for_datagrams_is_not_shared_with_strangers() {
        let taken = Port::<UdpSocket>::bind("--udp", &[LOOPBACK], 0, 2).expect("a free port");
        let port = taken.addresses()[0].port();
        let error = Port::<UdpSocket>::bind("--udp", &[LOOPBACK], port, 2).expect_err("the port is taken");
        assert_eq!(error.source.kind(), io::ErrorKind::AddrInUse);
        assert!(UdpSocket::bind((LOOPBACK, port)).is_err());
    }

    #[test]
    fn connections_that_wait_are_accepted_after_new_ones_are_stopped() {
        let port = Port::<TcpListener>::bind("--http-port", &[LOOPBACK], 0, 1).expect("a free port");
        let address = port.addresses()[0];
        let listener = port.into_listeners().remove(0).remove(0);
        let _waiting = std::net::TcpStream::connect(address).expect("connects");
        stop_new_connections(&listener);
        let late = std::net::TcpStream::connect_timeout(&address, std::time::Duration::from_millis(200));
        assert!(late.is_err());
        assert!(listener.accept().is_ok());
        assert!(listener.accept().is_err());
    }
}
