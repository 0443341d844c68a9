//! Tests of what happens to endpoints and backends: they change, go away, refuse, and are counted.

use super::testing::{Bench, PATIENCE, accept, cell, is_closed, listen, replace, shared, upstreams};
use super::*;
use crate::buffers::Budget;
use std::io::Read;
use std::net::SocketAddr;

#[tokio::test]
async fn an_endpoint_that_is_removed_loses_idle_connections_and_ends_busy_ones() {
    let bench = Bench::new(PoolConfig::default());
    let (idle, mut idle_end) = bench.connect().await;
    let (mut busy, mut busy_end) = bench.connect().await;
    bench.upstreams.checkin(idle);
    replace(&bench.cell, &[]);
    assert!(bench.upstreams.next(&bench.cell).is_none());
    bench.sweep();
    assert_eq!(bench.idle(), 0);
    assert!(is_closed(&mut idle_end));

    tokio::io::AsyncWriteExt::write_all(&mut busy.stream, b"still")
        .await
        .unwrap();
    let mut read = [0; 5];
    busy_end.read_exact(&mut read).unwrap();
    assert_eq!(&read, b"still", "what is in use goes on");
    bench.upstreams.checkin(busy);
    assert_eq!(
        bench.upstreams.counts(),
        UpstreamCounts {
            opened: 2,
            ..UpstreamCounts::default()
        }
    );
    assert!(is_closed(&mut busy_end));
}

#[tokio::test]
async fn a_sweep_alone_sees_that_an_endpoint_is_removed() {
    let bench = Bench::new(PoolConfig::default());
    let (connection, mut end) = bench.connect().await;
    replace(&bench.cell, &[]);
    bench.upstreams.checkin(connection);
    assert_eq!(bench.idle(), 1, "nobody has looked at the cell since");
    bench.sweep();
    assert_eq!(bench.idle(), 0);
    assert!(is_closed(&mut end));
}

#[tokio::test]
async fn what_is_known_about_an_endpoint_survives_changes_beside_it() {
    let bench = Bench::new(PoolConfig::default());
    let (_other_listener, other) = listen();
    let (connection, _end) = bench.connect().await;
    bench.upstreams.checkin(connection);
    bench.upstreams.failed(&bench.choice());
    for round in 0..10 {
        let list: &[SocketAddr] = if round % 2 == 0 {
            &[bench.address, other]
        } else {
            &[other, bench.address]
        };
        replace(&bench.cell, list);
        assert_eq!(bench.choice().address(), other, "the first one is still aside");
        bench.sweep();
    }
    replace(&bench.cell, &[bench.address]);
    assert!(bench.upstreams.checkout(&bench.choice(), true).is_some());
}

#[tokio::test]
async fn an_endpoint_of_two_backends_has_one_pool_and_is_gone_with_the_last() {
    let bench = Bench::new(PoolConfig::default());
    let twin = cell(&[bench.address]);
    let (connection, _end) = bench.connect().await;
    bench.upstreams.checkin(connection);
    let choice = bench.upstreams.next(&twin).expect("an endpoint");
    let connection = bench
        .upstreams
        .checkout(&choice, false)
        .expect("the other backend's connection will do");
    bench.upstreams.checkin(connection);
    replace(&bench.cell, &[]);
    bench.sweep();
    assert_eq!(bench.idle(), 1, "the twin still lists it");
    replace(&twin, &[]);
    bench.sweep();
    assert_eq!(bench.idle(), 0);
}

#[tokio::test]
async fn a_backend_that_nobody_uses_is_forgotten() {
    let Bench {
        upstreams,
        cell,
        listener,
        ..
    } = Bench::new(PoolConfig::default());
    let choice = upstreams.next(&cell).expect("an endpoint");
    let connection = upstreams.connect(&choice, PATIENCE).await.expect("it listens");
    let mut end = accept(&listener);
    upstreams.checkin(connection);
    drop(choice);
    drop(cell);
    upstreams.sweep(Instant::now());
    assert_eq!(upstreams.counts().idle, 0);
    assert!(is_closed(&mut end));
    assert!(upstreams.backends.borrow().is_empty());
    assert_eq!(upstreams.peers.borrow().len(), 0);
}

#[tokio::test]
async fn a_refused_connect_sets_the_endpoint_aside() {
    let bench = Bench::new(PoolConfig::default());
    // Bound and not listening: it refuses, and nobody else can get the port.
    let refusing = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    refusing.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    let refused = refusing.local_addr().unwrap().as_socket().unwrap();
    replace(&bench.cell, &[refused]);
    let choice = bench.choice();
    match bench.upstreams.connect(&choice, PATIENCE).await {
        Err(Failure::Connect(error)) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused),
        other => panic!("{:?}", other.map(|_| "connected").map_err(|error| error.to_string())),
    }
    assert_eq!(bench.upstreams.counts().failed, 1);
    replace(&bench.cell, &[refused, bench.address]);
    assert!((0..10).all(|_| bench.choice().address() == bench.address));

    refusing.listen(1).unwrap();
    bench
        .upstreams
        .connect(&choice, PATIENCE)
        .await
        .expect("now it listens");
    assert!(
        (0..2).any(|_| bench.choice().address() == refused),
        "a connect that succeeds brings it back"
    );
}

#[tokio::test]
async fn a_connect_without_an_answer_ends_in_time_and_sets_the_endpoint_aside() {
    // A listener whose queue is full drops what comes.
    let full = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    full.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    full.listen(0).unwrap();
    let address = full.local_addr().unwrap();
    let _waiting: Vec<socket2::Socket> = (0..8)
        .map(|_| {
            let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
            socket.set_nonblocking(true).unwrap();
            let _ = socket.connect(&address);
            socket
        })
        .collect();
    tokio::time::pause();
    let upstreams = upstreams();
    let cell = cell(&[address.as_socket().unwrap()]);
    let choice = upstreams.next(&cell).expect("an endpoint");
    let start = Instant::now();
    let failure = upstreams
        .connect(&choice, Duration::from_secs(5))
        .await
        .err()
        .expect("nobody answers");
    assert!(matches!(failure, Failure::ConnectTimeout), "{failure}");
    assert_eq!(start.elapsed().as_secs(), 5);
    assert!(choice.peer().eject.is_aside(Instant::now()));
}

#[tokio::test]
async fn retries_are_a_fifth_of_the_requests_of_a_backend() {
    let bench = Bench::new(PoolConfig::default());
    assert!(!bench.upstreams.may_retry(&bench.cell), "it has had no request");
    let mut tried = Tried::default();
    for _ in 0..100 {
        tried.add(&bench.choice());
        bench.upstreams.choose(&bench.cell, Balance::RoundRobin, &tried);
    }
    assert_eq!(
        (0..100).take_while(|_| bench.upstreams.may_retry(&bench.cell)).count(),
        20,
        "second tries are no requests"
    );
    let twin = cell(&[bench.address]);
    bench.upstreams.next(&twin);
    assert!(bench.upstreams.may_retry(&twin), "each backend has its own");
}

#[tokio::test]
async fn counts_are_of_all_workers_that_live() {
    let shared = shared();
    let (listener, address) = listen();
    let cell = cell(&[address]);
    let workers = [
        Upstreams::new(shared.clone(), PoolConfig::default(), Budget::new(usize::MAX)),
        Upstreams::new(shared.clone(), PoolConfig::default(), Budget::new(usize::MAX)),
    ];
    let mut ends = Vec::new();
    let mut busy = Vec::new();
    for worker in &workers {
        for _ in 0..2 {
            let choice = worker.next(&cell).expect("an endpoint");
            busy.push(worker.connect(&choice, PATIENCE).await.expect("it listens"));
            ends.push(accept(&listener));
        }
    }
    assert_eq!(
        shared.counts(),
        UpstreamCounts {
            busy: 4,
            opened: 4,
            ..UpstreamCounts::default()
        }
    );
    workers[1].checkin(busy.pop().expect("four were made"));
    assert_eq!(
        shared.counts(),
        UpstreamCounts {
            busy: 3,
            idle: 1,
            opened: 4,
            ..UpstreamCounts::default()
        }
    );
    let [first, second] = workers;
    drop(second);
    busy.drain(..2);
    assert_eq!(
        first.counts(),
        UpstreamCounts {
            opened: 2,
            ..UpstreamCounts::default()
        }
    );
    drop(busy);
    assert_eq!(
        shared.counts(),
        UpstreamCounts {
            opened: 2,
            ..UpstreamCounts::default()
        },
        "the second has ended"
    );
}
