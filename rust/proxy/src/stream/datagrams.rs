//! A UDP socket that knows to which of our addresses a datagram came, so that the answer leaves from there.
//!
//! That is what quinn's socket does; what it sets up for QUIC alone, that no datagram may be fragmented, is taken back.

use quinn::udp::{RecvMeta, Transmit, UdpSocketState};
use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsRawFd;
use std::task::{Context, Poll, ready};
use tokio::io::Interest;
use tokio::net::UdpSocket;

/// The socket of a port.
pub(super) struct Datagrams {
    socket: UdpSocket,
    state: UdpSocketState,
}

/// Where datagrams came from and to, and how long each is; the last may be shorter.
pub(super) struct Arrived {
    pub(super) client: SocketAddr,
    pub(super) local: Option<IpAddr>,
    pub(super) bytes: usize,
    pub(super) each: usize,
}

impl Datagrams {
    pub(super) fn new(socket: std::net::UdpSocket) -> io::Result<Self> {
        let state = UdpSocketState::new((&socket).into())?;
        let fragmenting = match socket.local_addr()? {
            SocketAddr::V4(_) => [(libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, libc::IP_PMTUDISC_WANT); 2],
            SocketAddr::V6(_) => [
                (libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER, libc::IPV6_PMTUDISC_WANT),
                (libc::IPPROTO_IPV6, libc::IPV6_DONTFRAG, 0),
            ],
        };
        for (level, name, value) in fragmenting {
            set(&socket, level, name, value)?;
        }
        Ok(Self {
            socket: UdpSocket::from_std(socket)?,
            state,
        })
    }

    /// Takes datagrams of one client that have come together.
    pub(super) fn poll_receive(&self, cx: &mut Context<'_>, space: &mut [u8]) -> Poll<io::Result<Arrived>> {
        loop {
            ready!(self.socket.poll_recv_ready(cx))?;
            let mut meta = [RecvMeta::default()];
            let received = self.socket.try_io(Interest::READABLE, || {
                let mut slices = [IoSliceMut::new(space)];
                self.state.recv((&self.socket).into(), &mut slices, &mut meta)
            });
            match received {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
                Ok(_) => {
                    let [
                        RecvMeta {
                            addr,
                            len,
                            stride,
                            dst_ip,
                            ..
                        },
                    ] = meta;
                    return Poll::Ready(Ok(Arrived {
                        client: addr,
                        local: dst_ip,
                        bytes: len,
                        each: stride.max(1),
                    }));
                }
            }
        }
    }

    /// Sends one datagram from the address it was asked at. An error, too: there is no room.
    pub(super) fn send(&self, client: SocketAddr, local: Option<IpAddr>, contents: &[u8]) -> io::Result<()> {
        let transmit = Transmit {
            destination: client,
            ecn: None,
            contents,
            segment_size: None,
            src_ip: local,
        };
        self.state.try_send((&self.socket).into(), &transmit)
    }
}

fn set(socket: &std::net::UdpSocket, level: libc::c_int, name: libc::c_int, value: libc::c_int) -> io::Result<()> {
    // SAFETY: the option takes an int, which lives across the call and whose size is given.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            name,
            (&raw const value).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
