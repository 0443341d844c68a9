//! UDP sockets of a port that workers share: one per worker and address, in the order of the workers.
//!
//! As with TCP, the first socket of an address is bound without SO_REUSEPORT, so that a port in use is an error and is not
//! silently shared.

use super::steer;
use crate::listen::BindError;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{SocketAddr, UdpSocket};

/// Bytes that may wait to be read or sent, per socket; the kernel grants what `net.core.rmem_max` and `wmem_max` allow.
const SOCKET_BUFFER: usize = 4 << 20;

/// The sockets of each worker, bound to these addresses.
///
/// # Errors
/// An address that cannot be had.
pub fn bind(flag: &'static str, addresses: &[SocketAddr], workers: usize) -> Result<Vec<Vec<UdpSocket>>, BindError> {
    let mut sockets: Vec<Vec<UdpSocket>> = (0..workers).map(|_| Vec::new()).collect();
    for address in addresses {
        let group = bind_group(*address, workers).map_err(|source| BindError {
            flag,
            address: *address,
            source,
        })?;
        for (own, socket) in sockets.iter_mut().zip(group) {
            own.push(socket);
        }
    }
    Ok(sockets)
}

fn bind_group(address: SocketAddr, workers: usize) -> io::Result<Vec<UdpSocket>> {
    let first = socket(address)?;
    first.bind(&address.into())?;
    first.set_reuse_port(true)?;
    let mut group = vec![UdpSocket::from(first)];
    for _ in 1..workers {
        let next = socket(address)?;
        next.set_reuse_port(true)?;
        next.bind(&address.into())?;
        group.push(next.into());
    }
    if workers > 1 {
        let workers = u16::try_from(workers).map_err(|_| io::ErrorKind::InvalidInput)?;
        steer::attach(&group[0], workers)?;
    }
    Ok(group)
}

fn socket(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // Smaller ones lose more datagrams under load; that is all.
    let _smaller = socket.set_recv_buffer_size(SOCKET_BUFFER);
    let _smaller = socket.set_send_buffer_size(SOCKET_BUFFER);
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::h3::steer::{ID_LENGTH, Ids};
    use quinn::ConnectionIdGenerator;
    use std::time::Duration;

    const WORKERS: usize = 3;
    const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

    fn shared_port() -> (Vec<UdpSocket>, SocketAddr) {
        let probe = UdpSocket::bind(LOOPBACK).unwrap();
        let address = probe.local_addr().unwrap();
        drop(probe);
        let sockets = bind("--https-port", &[address], WORKERS).unwrap();
        let sockets: Vec<_> = sockets.into_iter().flatten().collect();
        for socket in &sockets {
            socket.set_nonblocking(false).unwrap();
            socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        }
        (sockets, address)
    }

    /// Which socket a datagram from a fresh port came to.
    fn receiver(sockets: &[UdpSocket], address: SocketAddr, datagram: &[u8]) -> usize {
        let client = UdpSocket::bind(LOOPBACK).unwrap();
        client.send_to(datagram, address).unwrap();
        let mut buffer = [0; 64];
        for _ in 0..100 {
            for (index, socket) in sockets.iter().enumerate() {
                if socket.recv(&mut buffer).is_ok() {
                    return index;
                }
            }
        }
        panic!("no socket received the datagram");
    }

    fn short_header(id: &[u8]) -> Vec<u8> {
        [&[0x40][..], id, &[0; 8]].concat()
    }

    fn long_header(id: &[u8]) -> Vec<u8> {
        [&[0xc0, 0, 0, 0, 1, id.len() as u8][..], id, &[0; 8]].concat()
    }

    #[test]
    fn datagrams_with_an_id_of_a_worker_reach_it_from_any_port() {
        let (sockets, address) = shared_port();
        for worker in 0..WORKERS {
            let mut ids = Ids::new(worker as u16, WORKERS as u16);
            for _ in 0..8 {
                let id = ids.generate_cid();
                assert_eq!(id.len(), ID_LENGTH);
                assert_eq!(receiver(&sockets, address, &short_header(&id)), worker);
                assert_eq!(receiver(&sockets, address, &long_header(&id)), worker);
            }
        }
    }

    #[test]
    fn first_packets_with_any_id_reach_some_worker_and_their_repetitions_the_same() {
        let (sockets, address) = shared_port();
        for length in [8, ID_LENGTH, 20] {
            let client = UdpSocket::bind(LOOPBACK).unwrap();
            let datagram = long_header(&vec![0xfe; length]);
            let mut seen = Vec::new();
            for _ in 0..4 {
                client.send_to(&datagram, address).unwrap();
                let mut buffer = [0; 64];
                let mut found = (0..100).flat_map(|_| 0..WORKERS);
                seen.push(found.find(|index| sockets[*index].recv(&mut buffer).is_ok()).unwrap());
            }
            assert!(seen.windows(2).all(|pair| pair[0] == pair[1]), "{length}: {seen:?}");
        }
    }

    #[test]
    fn a_datagram_that_is_too_short_disturbs_nothing() {
        let (sockets, address) = shared_port();
        let client = UdpSocket::bind(LOOPBACK).unwrap();
        client.send_to(&[0x40], address).unwrap();
        let mut ids = Ids::new(1, 3);
        assert_eq!(receiver(&sockets[1..], address, &short_header(&ids.generate_cid())), 0);
    }

    #[test]
    fn a_port_in_use_is_an_error_that_names_the_flag_and_the_address() {
        let taken = UdpSocket::bind(LOOPBACK).unwrap();
        let address = taken.local_addr().unwrap();
        let error = bind("--https-port", &[address], 2).unwrap_err();
        assert_eq!(error.source.kind(), io::ErrorKind::AddrInUse);
        assert!(error.to_string().contains("--https-port"));
        assert!(error.to_string().contains(&address.to_string()));
    }

    #[test]
    fn every_number_leads_to_its_worker() {
        for workers in [1, 2, 3, 7, 255, 256, 1000, u16::MAX] {
            for worker in [0, workers / 2, workers - 1] {
                let mut ids = Ids::new(worker, workers);
                for _ in 0..64 {
                    let id = ids.generate_cid();
                    assert_eq!(u16::from_be_bytes([id[0], id[1]]) % workers, worker);
                }
            }
        }
    }
}
