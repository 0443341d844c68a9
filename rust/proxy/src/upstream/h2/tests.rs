//! Connections with many requests on them, against endpoints that do as they are told.

use super::super::testing::{PATIENCE, cell, eventually, shared};
use super::super::{Choice, Connection, Manner, PoolConfig, Tried, Upstreams};
use super::*;
use crate::buffers::Budget;
use crate::head::HeadError;
use crate::messages::Ending;
use crate::relay::{Sink, Source};
use fastingress_http1::{Framing, Head, Version};
use fastingress_route::BackendCell;
use fastingress_route::schema::{Balance, Protocol};
use h2::Reason;
use h2::server::SendResponse;
use std::future::poll_fn;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::LocalSet;

/// A request at the endpoint.
struct Arrived {
    /// Which connection it came on.
    connection: usize,
    body: h2::RecvStream,
    answer: SendResponse<Bytes>,
}

impl Arrived {
    fn answer(&mut self, body: &'static str) {
        let mut stream = self.answer.send_response(http::Response::new(()), false).unwrap();
        stream.send_data(Bytes::from_static(body.as_bytes()), true).unwrap();
    }
}

/// An endpoint and the worker that uses it.
struct Bench {
    upstreams: Rc<Upstreams>,
    budget: Arc<Budget>,
    cell: Arc<BackendCell>,
    arrived: RefCell<mpsc::UnboundedReceiver<Arrived>>,
    /// Tells the newest connection to go.
    go_away: Rc<Notify>,
    opened: Rc<Cell<usize>>,
}

impl Bench {
    async fn new(config: PoolConfig, streams: u32) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let cell = cell(&[listener.local_addr().unwrap()]);
        let (tell, arrived) = mpsc::unbounded_channel();
        let (go_away, opened) = (Rc::new(Notify::new()), Rc::new(Cell::new(0)));
        let (leave, count) = (go_away.clone(), opened.clone());
        tokio::task::spawn_local(async move {
            while let Ok((socket, _)) = listener.accept().await {
                count.set(count.get() + 1);
                tokio::task::spawn_local(endpoint(socket, count.get(), streams, tell.clone(), leave.clone()));
            }
        });
        let budget = Budget::new(usize::MAX);
        Self {
            upstreams: Rc::new(Upstreams::new(shared(), config, budget.clone())),
            budget,
            cell,
            arrived: RefCell::new(arrived),
            go_away,
            opened,
        }
    }

    fn choice(&self) -> Choice {
        let choice = self
            .upstreams
            .choose(&self.cell, Balance::RoundRobin, &Tried::default());
        choice.expect("an endpoint").speaking(&self.manner())
    }

    fn manner(&self) -> Manner {
        self.upstreams.manner(&Arc::default(), Protocol::H2c, false, b"")
    }

    async fn stream(&self) -> Connection {
        let choice = self.choice();
        match self.upstreams.checkout(&choice, true) {
            Some(connection) => connection,
            None => self
                .upstreams
                .connect(&choice, PATIENCE)
                .await
                .map_err(|f| f.to_string())
                .unwrap(),
        }
    }

    async fn next(&self) -> Arrived {
        let next = poll_fn(|cx| self.arrived.borrow_mut().poll_recv(cx));
        tokio::time::timeout(PATIENCE, next)
            .await
            .expect("in time")
            .expect("the endpoint is there")
    }
}

async fn endpoint(
    socket: tokio::net::TcpStream,
    number: usize,
    streams: u32,
    tell: mpsc::UnboundedSender<Arrived>,
    go_away: Rc<Notify>,
) {
    let mut builder = h2::server::Builder::new();
    let mut connection = builder
        .max_concurrent_streams(streams)
        .handshake::<_, Bytes>(socket)
        .await
        .unwrap();
    loop {
        tokio::select! {
            request = connection.accept() => match request {
                Some(Ok((request, answer))) => {
                    let body = request.into_body();
                    let _ = tell.send(Arrived { connection: number, body, answer });
                }
                _ => return,
            },
            () = go_away.notified() => connection.graceful_shutdown(),
        }
    }
}

fn request(method: &[u8]) -> Head {
    let mut head = Head::new();
    head.set_version(Version::Http11);
    head.set_method(method);
    head.set_target(b"/there");
    head.append(b"host", b"shop.example.com");
    head
}

fn send(connection: &mut Connection) {
    let stream = connection.stream.messages().expect("it is HTTP/2");
    stream.send_request(&request(b"POST"), Ending::Now).unwrap();
}

async fn read_head(connection: &mut Connection) -> Result<Head, Failure> {
    let stream = connection.stream.messages().expect("it is HTTP/2");
    let mut head = Head::new();
    let read = poll_fn(|cx| stream.poll_response(cx, b"POST", &mut head)).await;
    match read {
        Ok(answer) => {
            assert!(!answer.interim);
            Ok(head)
        }
        Err(HeadError::Io(error)) => Err(Failure::of_upstream(error)),
        Err(error) => panic!("{error:?}"),
    }
}

async fn read_all(connection: &mut Connection) -> String {
    let head = read_head(connection)
        .await
        .map_err(|failure| failure.to_string())
        .unwrap();
    assert_eq!(head.status(), 200);
    let mut body = String::new();
    connection.stream.read_to_string(&mut body).await.unwrap();
    body
}

async fn local(test: impl Future<Output = ()>) {
    LocalSet::new().run_until(test).await;
}

#[tokio::test]
async fn many_requests_share_one_connection() {
    local(async {
        let bench = Bench::new(PoolConfig::default(), 100).await;
        let (first, second) = tokio::join!(bench.stream(), bench.stream());
        let mut streams = vec![first, second];
        for _ in 0..8 {
            streams.push(bench.stream().await);
        }
        for stream in &mut streams {
            send(stream);
        }
        for _ in 0..10 {
            bench.next().await.answer("hello");
        }
        for stream in &mut streams {
            assert_eq!(read_all(stream).await, "hello");
        }
        assert_eq!(bench.opened.get(), 1);
        let counts = bench.upstreams.counts();
        assert_eq!((counts.opened, counts.busy, counts.idle), (1, 10, 0));
        drop(streams);
        let counts = bench.upstreams.counts();
        assert_eq!((counts.busy, counts.idle), (0, 1));
    })
    .await;
}

#[tokio::test]
async fn another_connection_is_opened_when_one_is_full() {
    local(async {
        let bench = Bench::new(PoolConfig::default(), 2).await;
        let mut streams = Vec::new();
        for connection in [1, 1, 2, 2, 3] {
            let mut stream = bench.stream().await;
            send(&mut stream);
            let mut arrived = bench.next().await;
            assert_eq!(arrived.connection, connection);
            // What the endpoint allows is known once its settings have come.
            arrived.answer("hello");
            assert_eq!(read_all(&mut stream).await, "hello");
            streams.push(stream);
        }
        streams.clear();
        let mut again = bench.stream().await;
        send(&mut again);
        assert_eq!(bench.next().await.connection, 1, "there is room again");
    })
    .await;
}

#[tokio::test]
async fn beyond_all_connections_requests_wait_for_room() {
    local(async {
        let bench = Bench::new(PoolConfig::default(), 1).await;
        let mut streams = Vec::new();
        for _ in 0..MOST_CONNECTIONS {
            let mut stream = bench.stream().await;
            send(&mut stream);
            let mut arrived = bench.next().await;
            assert_eq!(arrived.connection, bench.opened.get());
            arrived.answer("hello");
            read_all(&mut stream).await;
            streams.push(stream);
        }
        let choice = bench.choice();
        assert!(bench.upstreams.checkout(&choice, true).is_none());
        let late = bench.upstreams.connect(&choice, Duration::from_millis(20)).await;
        assert!(matches!(late, Err(Failure::ConnectTimeout)));
        let (waited, ()) = tokio::join!(bench.upstreams.connect(&choice, PATIENCE), async {
            tokio::task::yield_now().await;
            streams.pop();
        });
        assert!(waited.is_ok());
        assert_eq!(bench.opened.get(), MOST_CONNECTIONS);
    })
    .await;
}

#[tokio::test]
async fn what_an_endpoint_has_sent_and_nobody_has_read_counts_against_the_budget() {
    const BODY: &str = "0123456789abcdef";
    local(async {
        let bench = Bench::new(PoolConfig::default(), 100).await;
        let mut streams = Vec::new();
        for _ in 0..3 {
            let mut stream = bench.stream().await;
            send(&mut stream);
            bench.next().await.answer(BODY);
            streams.push(stream);
        }
        eventually(|| bench.budget.used() == 3 * BODY.len()).await;
        assert_eq!(read_all(&mut streams[0]).await, BODY);
        assert_eq!(bench.budget.used(), 2 * BODY.len(), "one was read");
        let mut head_only = streams.pop().unwrap();
        read_head(&mut head_only).await.map_err(|f| f.to_string()).unwrap();
        drop(head_only);
        assert_eq!(bench.budget.used(), BODY.len(), "one was given up");
        streams.clear();
        assert_eq!(bench.budget.used(), 0);
    })
    .await;
}

#[tokio::test]
async fn a_connection_that_is_told_to_go_takes_no_more_and_ends_what_it_has() {
    local(async {
        let bench = Bench::new(PoolConfig::default(), 100).await;
        let mut under_way = bench.stream().await;
        send(&mut under_way);
        let mut arrived = bench.next().await;
        bench.go_away.notify_waiters();
        let choice = bench.choice();
        eventually(|| bench.upstreams.checkout(&choice, true).is_none()).await;
        let mut next = bench.stream().await;
        send(&mut next);
        assert_eq!(bench.next().await.connection, 2);
        arrived.answer("the last one");
        assert_eq!(read_all(&mut under_way).await, "the last one");
    })
    .await;
}

#[tokio::test]
async fn a_refused_stream_was_never_processed_and_a_reset_one_may_have_been() {
    local(async {
        let bench = Bench::new(PoolConfig::default(), 100).await;
        for (reason, refused) in [(Reason::REFUSED_STREAM, true), (Reason::INTERNAL_ERROR, false)] {
            let mut stream = bench.stream().await;
            send(&mut stream);
            bench.next().await.answer.send_reset(reason);
            let failure = read_head(&mut stream).await.expect_err("it was reset");
            assert_eq!(matches!(failure, Failure::UpstreamRefused(_)), refused, "{failure}");
        }
    })
    .await;
}

#[tokio::test]
async fn streams_above_the_last_one_of_a_goaway_were_never_processed() {
    local(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let upstreams = Upstreams::new(shared(), PoolConfig::default(), Budget::new(usize::MAX));
        let cell = cell(&[listener.local_addr().unwrap()]);
        let manner = upstreams.manner(&Arc::default(), Protocol::H2c, false, b"");
        let choice = upstreams.choose(&cell, Balance::RoundRobin, &Tried::default());
        let choice = choice.expect("an endpoint").speaking(&manner);
        let (connected, accepted) = tokio::join!(upstreams.connect(&choice, PATIENCE), listener.accept());
        let mut first = connected.map_err(|failure| failure.to_string()).unwrap();
        let mut second = upstreams.checkout(&choice, true).expect("there is room");
        send(&mut first);
        send(&mut second);
        let (mut socket, _) = accepted.unwrap();
        // SETTINGS, then GOAWAY with 1 as the last stream that was looked at.
        socket.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).await.unwrap();
        socket
            .write_all(&[0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0])
            .await
            .unwrap();
        let failure = read_head(&mut second).await.expect_err("it was refused");
        assert!(matches!(failure, Failure::UpstreamRefused(_)), "{failure}");
        drop(socket);
        let failure = read_head(&mut first).await.expect_err("the connection is gone");
        assert!(matches!(failure, Failure::UpstreamGone(_)), "{failure}");
    })
    .await;
}

#[tokio::test]
async fn those_who_wait_for_a_connection_fail_with_it() {
    local(async {
        // Bound and not listening: it refuses, and nobody else can get the port.
        let refusing = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        refusing
            .bind(&std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into())
            .unwrap();
        let upstreams = Upstreams::new(shared(), PoolConfig::default(), Budget::new(usize::MAX));
        let cell = cell(&[refusing.local_addr().unwrap().as_socket().unwrap()]);
        let manner = upstreams.manner(&Arc::default(), Protocol::H2c, false, b"");
        let choice = upstreams.choose(&cell, Balance::RoundRobin, &Tried::default());
        let choice = choice.expect("an endpoint").speaking(&manner);
        let (one, other) = tokio::join!(
            upstreams.connect(&choice, PATIENCE),
            upstreams.connect(&choice, PATIENCE)
        );
        for failure in [one, other] {
            assert!(failure.err().is_some_and(|failure| failure.is_nobody_there()));
        }
        assert_eq!(upstreams.counts().failed, 1);
    })
    .await;
}

#[tokio::test]
async fn an_endpoint_may_send_no_more_than_was_taken() {
    local(async {
        let bench = Bench::new(PoolConfig::default(), 100).await;
        let mut stream = bench.stream().await;
        send(&mut stream);
        let mut arrived = bench.next().await;
        let mut sending = arrived.answer.send_response(http::Response::new(()), false).unwrap();
        read_head(&mut stream)
            .await
            .map_err(|failure| failure.to_string())
            .unwrap();
        let total = 4 * STREAM_WINDOW as usize;
        sending.reserve_capacity(total);
        let room = |sending: &mut h2::SendStream<Bytes>| sending.capacity();
        eventually(|| room(&mut sending) >= STREAM_WINDOW as usize - 1).await;
        assert!(room(&mut sending) <= STREAM_WINDOW as usize);
        let writer = tokio::task::spawn_local(async move {
            let mut left = total;
            while left > 0 {
                sending.reserve_capacity(left);
                let room = match sending.capacity() {
                    0 => poll_fn(|cx| sending.poll_capacity(cx)).await.unwrap().unwrap(),
                    room => room,
                };
                sending.send_data(Bytes::from(vec![b'x'; room]), room == left).unwrap();
                left -= room;
            }
        });
        let mut body = Vec::new();
        stream.stream.read_to_end(&mut body).await.unwrap();
        assert_eq!(body.len(), total);
        writer.await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn bodies_and_trailers_go_both_ways() {
    local(async {
        let bench = Bench::new(PoolConfig::default(), 100).await;
        let mut connection = bench.stream().await;
        let stream = connection.stream.messages().expect("it is HTTP/2");
        stream.send_request(&request(b"POST"), Ending::Open).unwrap();
        connection.stream.write_all(b"part").await.unwrap();
        let mut arrived = bench.next().await;
        assert_eq!(&arrived.body.data().await.unwrap().unwrap()[..], b"part");
        connection.stream.finish(None).unwrap();
        connection.stream.finish(None).unwrap();
        let rest = arrived.body.data().await;
        assert!(rest.is_none_or(|rest| rest.unwrap().is_empty()));
        let mut sending = arrived.answer.send_response(http::Response::new(()), false).unwrap();
        let mut trailers = http::HeaderMap::new();
        trailers.insert("grpc-status", http::HeaderValue::from_static("0"));
        sending.send_trailers(trailers).unwrap();
        read_head(&mut connection)
            .await
            .map_err(|failure| failure.to_string())
            .unwrap();
        assert_eq!(connection.stream.read(&mut [0; 8]).await.unwrap(), 0);
        let trailers = connection.stream.take_trailers().expect("they came");
        let found: Vec<_> = trailers
            .iter()
            .map(|(_, name, value)| (name.to_vec(), value.to_vec()))
            .collect();
        assert_eq!(found, [(b"grpc-status".to_vec(), b"0".to_vec())]);
    })
    .await;
}

#[tokio::test]
async fn an_answer_that_is_a_head_alone_has_no_body() {
    local(async {
        let bench = Bench::new(PoolConfig::default(), 100).await;
        let mut connection = bench.stream().await;
        send(&mut connection);
        bench
            .next()
            .await
            .answer
            .send_response(http::Response::new(()), true)
            .unwrap();
        let stream = connection.stream.messages().expect("it is HTTP/2");
        let mut head = Head::new();
        let answer = poll_fn(|cx| stream.poll_response(cx, b"POST", &mut head))
            .await
            .unwrap();
        assert_eq!(answer.framing, Framing::Empty);
    })
    .await;
}

#[tokio::test]
async fn what_is_idle_too_long_or_has_served_enough_is_closed() {
    local(async {
        let config = PoolConfig {
            max_requests: 2,
            ..PoolConfig::default()
        };
        let bench = Bench::new(config, 100).await;
        for connection in [1, 1, 2] {
            let mut stream = bench.stream().await;
            send(&mut stream);
            let mut arrived = bench.next().await;
            assert_eq!(arrived.connection, connection);
            arrived.answer("hello");
            read_all(&mut stream).await;
        }
        assert_eq!(bench.upstreams.counts().idle, 1);
        bench.upstreams.sweep(Instant::now() + Duration::from_secs(61));
        assert_eq!(bench.upstreams.counts().idle, 0);
    })
    .await;
}

#[tokio::test]
async fn an_endpoint_that_is_removed_keeps_the_streams_it_has() {
    local(async {
        let bench = Bench::new(PoolConfig::default(), 100).await;
        let mut stream = bench.stream().await;
        send(&mut stream);
        let mut arrived = bench.next().await;
        super::super::testing::replace(&bench.cell, &[]);
        bench.upstreams.sweep(Instant::now());
        arrived.answer("still here");
        assert_eq!(read_all(&mut stream).await, "still here");
        drop(stream);
        assert_eq!(bench.upstreams.counts().idle, 0);
    })
    .await;
}
