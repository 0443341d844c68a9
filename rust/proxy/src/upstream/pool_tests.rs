//! Tests of the pool as a whole, over real connections on loopback.

use super::testing::{Bench, PATIENCE, accept, cell, eventually, is_closed, listen, spin_until};
use super::*;
use std::io::Write;
use std::mem::MaybeUninit;

fn socket(connection: &Connection) -> &tokio::net::TcpStream {
    connection.stream.socket().expect("a connection of its own")
}

/// The number of bytes that the kernel has for this connection; 0 when it was closed.
fn peeked(connection: &Connection) -> Option<usize> {
    socket2::SockRef::from(socket(connection))
        .peek(&mut [MaybeUninit::uninit(); 8])
        .ok()
}

#[tokio::test]
async fn a_connection_comes_back_and_the_last_one_first() {
    let bench = Bench::new(PoolConfig::default());
    let (first, _first_end) = bench.connect().await;
    let (second, _second_end) = bench.connect().await;
    assert!(!first.reused());
    assert!(socket(&first).nodelay().unwrap());
    assert_eq!(first.address(), bench.address);
    let local = socket(&second).local_addr().unwrap();
    assert!(
        bench.upstreams.checkout(&bench.choice(), false).is_none(),
        "none has come back yet"
    );
    bench.upstreams.checkin(first);
    bench.upstreams.checkin(second);
    for careful in [false, true] {
        let again = bench.upstreams.checkout(&bench.choice(), careful).expect("one is idle");
        assert!(again.reused());
        assert_eq!(socket(&again).local_addr().unwrap(), local);
        bench.upstreams.checkin(again);
    }
    let counts = bench.upstreams.counts();
    assert_eq!((counts.opened, counts.reused, counts.idle, counts.busy), (2, 2, 2, 0));
}

#[tokio::test]
async fn a_connection_closed_by_the_backend_is_not_handed_out() {
    let bench = Bench::new(PoolConfig::default());
    let (connection, end) = bench.connect().await;
    drop(end);
    spin_until(|| peeked(&connection) == Some(0));
    bench.upstreams.checkin(connection);
    assert!(
        bench.upstreams.checkout(&bench.choice(), true).is_none(),
        "the kernel knows, and careful asks it"
    );
    assert_eq!(bench.idle(), 0);

    let (connection, end) = bench.connect().await;
    drop(end);
    socket(&connection).readable().await.unwrap();
    bench.upstreams.checkin(connection);
    assert!(
        bench.upstreams.checkout(&bench.choice(), false).is_none(),
        "the event loop has seen it"
    );
    assert_eq!(
        bench.upstreams.counts(),
        UpstreamCounts {
            opened: 2,
            ..UpstreamCounts::default()
        }
    );
}

#[tokio::test]
async fn a_connection_on_which_something_came_unasked_is_not_handed_out() {
    let bench = Bench::new(PoolConfig::default());
    for careful in [true, false] {
        let (connection, mut end) = bench.connect().await;
        end.write_all(b"HTTP/1.1 408 Request Timeout\r\n\r\n").unwrap();
        match careful {
            true => spin_until(|| peeked(&connection).is_some()),
            false => socket(&connection).readable().await.unwrap(),
        }
        bench.upstreams.checkin(connection);
        assert!(bench.upstreams.checkout(&bench.choice(), careful).is_none());
        drop(end);
    }
    assert_eq!(bench.idle(), 0);
}

#[tokio::test]
async fn stale_connections_are_passed_over_for_one_that_is_not() {
    let bench = Bench::new(PoolConfig::default());
    let (good, _end) = bench.connect().await;
    let local = socket(&good).local_addr().unwrap();
    bench.upstreams.checkin(good);
    for _ in 0..3 {
        let (stale, end) = bench.connect().await;
        drop(end);
        spin_until(|| peeked(&stale) == Some(0));
        bench.upstreams.checkin(stale);
    }
    let found = bench.upstreams.checkout(&bench.choice(), true).expect("one is good");
    assert_eq!(socket(&found).local_addr().unwrap(), local);
    assert_eq!(bench.idle(), 0);
}

#[tokio::test]
async fn a_sweep_closes_what_the_backend_closed() {
    let bench = Bench::new(PoolConfig::default());
    let (closed, closed_end) = bench.connect().await;
    let (open, _open_end) = bench.connect().await;
    bench.upstreams.checkin(closed);
    bench.upstreams.checkin(open);
    drop(closed_end);
    eventually(|| {
        bench.sweep();
        bench.idle() < 2
    })
    .await;
    assert_eq!(bench.idle(), 1);
    assert!(bench.upstreams.checkout(&bench.choice(), true).is_some());
}

#[tokio::test]
async fn over_the_cap_of_an_endpoint_its_oldest_closes() {
    let bench = Bench::new(PoolConfig {
        idle_per_endpoint: 2,
        ..PoolConfig::default()
    });
    let (first, mut first_end) = bench.connect().await;
    let (second, mut second_end) = bench.connect().await;
    let (third, _third_end) = bench.connect().await;
    for connection in [first, second, third] {
        bench.upstreams.checkin(connection);
    }
    assert_eq!(bench.idle(), 2);
    assert!(is_closed(&mut first_end));
    second_end.set_nonblocking(true).unwrap();
    assert!(!is_closed(&mut second_end));
}

#[tokio::test]
async fn over_the_cap_of_the_worker_the_oldest_of_all_closes() {
    let bench = Bench::new(PoolConfig {
        idle_per_worker: 2,
        ..PoolConfig::default()
    });
    let (other_listener, other_address) = listen();
    let other_cell = cell(&[other_address]);
    let other = bench.upstreams.next(&other_cell).expect("an endpoint");
    let oldest = bench.upstreams.connect(&other, PATIENCE).await.expect("it listens");
    let mut oldest_end = accept(&other_listener);
    let (second, _second_end) = bench.connect().await;
    let (third, _third_end) = bench.connect().await;
    for connection in [oldest, second, third] {
        bench.upstreams.checkin(connection);
    }
    assert_eq!(bench.idle(), 2);
    assert!(is_closed(&mut oldest_end));
    assert!(bench.upstreams.checkout(&other, false).is_none());
}

#[tokio::test]
async fn without_room_nothing_is_kept() {
    for config in [
        PoolConfig {
            idle_per_endpoint: 0,
            ..PoolConfig::default()
        },
        PoolConfig {
            idle_per_worker: 0,
            ..PoolConfig::default()
        },
        PoolConfig {
            max_requests: 1,
            ..PoolConfig::default()
        },
    ] {
        let bench = Bench::new(config);
        let (connection, mut end) = bench.connect().await;
        bench.upstreams.checkin(connection);
        assert!(is_closed(&mut end));
        assert_eq!(
            bench.upstreams.counts(),
            UpstreamCounts {
                opened: 1,
                ..UpstreamCounts::default()
            }
        );
    }
}

#[tokio::test]
async fn a_connection_is_used_for_so_many_requests() {
    let bench = Bench::new(PoolConfig {
        max_requests: 3,
        ..PoolConfig::default()
    });
    let (mut connection, mut end) = bench.connect().await;
    for _ in 0..2 {
        bench.upstreams.checkin(connection);
        connection = bench
            .upstreams
            .checkout(&bench.choice(), false)
            .expect("it is not worn out yet");
    }
    bench.upstreams.checkin(connection);
    assert!(is_closed(&mut end));
}

#[tokio::test]
async fn a_connection_that_is_idle_for_too_long_closes() {
    let bench = Bench::new(PoolConfig::default());
    let (connection, mut end) = bench.connect().await;
    tokio::time::pause();
    bench.upstreams.checkin(connection);
    tokio::time::advance(Duration::from_millis(59_999)).await;
    bench.sweep();
    assert_eq!(bench.idle(), 1);
    tokio::time::advance(Duration::from_millis(1)).await;
    bench.sweep();
    assert_eq!(bench.idle(), 0);
    assert!(is_closed(&mut end));
}

#[tokio::test]
async fn a_connection_that_is_too_old_closes_however_busy() {
    let bench = Bench::new(PoolConfig::default());
    let (mut connection, mut end) = bench.connect().await;
    tokio::time::pause();
    for _ in 0..3599 {
        tokio::time::advance(Duration::from_secs(1)).await;
        bench.upstreams.checkin(connection);
        bench.sweep();
        connection = bench
            .upstreams
            .checkout(&bench.choice(), false)
            .expect("it is young enough");
    }
    tokio::time::advance(Duration::from_secs(1)).await;
    bench.upstreams.checkin(connection);
    assert_eq!(bench.idle(), 0);
    assert!(is_closed(&mut end));
}
