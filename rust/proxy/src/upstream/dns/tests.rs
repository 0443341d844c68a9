//! Tests of backends behind names, against a name server of their own.

use super::*;
use fastingress_route::Compiler;
use fastingress_route::schema::{ChangeSet, EndpointSet, Key, Kind, Upsert, VERSION};
use hickory_resolver::config::{NameServerConfig, ResolveHosts};
use hickory_resolver::proto::op::{Message, MessageType, ResponseCode};
use hickory_resolver::proto::rr::{RData, Record, RecordType};
use hickory_resolver::proto::xfer::Protocol;
use std::net::UdpSocket;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

/// How long a test waits for what must happen.
const PATIENCE: Duration = Duration::from_secs(30);
/// Names are looked up this often here, since a TTL counts whole seconds.
const FAST: Pace = Pace {
    shortest: Duration::from_millis(10),
    longest: Duration::from_secs(300),
    longest_retry: Duration::from_millis(20),
};

#[derive(Clone)]
enum Reply {
    /// Addresses, and a TTL in seconds.
    Addresses(Vec<IpAddr>, u32),
    Error(ResponseCode),
    Silence,
}

#[derive(Default)]
struct Zone {
    replies: HashMap<String, Reply>,
    /// Each question that came.
    asked: Vec<(String, RecordType)>,
}

/// A name server on loopback.
struct NameServer {
    address: SocketAddr,
    zone: Arc<Mutex<Zone>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl NameServer {
    fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        let address = socket.local_addr().unwrap();
        let (zone, stop) = (Arc::new(Mutex::new(Zone::default())), Arc::new(AtomicBool::new(false)));
        let thread = thread::spawn({
            let (zone, stop) = (zone.clone(), stop.clone());
            move || serve(&socket, &zone, &stop)
        });
        Self {
            address,
            zone,
            stop,
            thread: Some(thread),
        }
    }

    fn set(&self, name: &str, reply: Reply) {
        self.zone.lock().unwrap().replies.insert(format!("{name}."), reply);
    }

    fn set_addresses(&self, name: &str, addresses: &[&str], ttl: u32) {
        self.set(
            name,
            Reply::Addresses(addresses.iter().map(|text| text.parse().unwrap()).collect(), ttl),
        );
    }

    /// How often this name was asked for.
    fn asked(&self, name: &str) -> usize {
        let name = format!("{name}.");
        self.zone
            .lock()
            .unwrap()
            .asked
            .iter()
            .filter(|(other, kind)| *other == name && *kind == RecordType::A)
            .count()
    }

    fn resolver(&self) -> Resolver {
        let address = self.address;
        Resolver::start_with(FAST, move || {
            let mut config = ResolverConfig::new();
            config.add_name_server(NameServerConfig::new(address, Protocol::Udp));
            let mut builder = TokioResolver::builder_with_config(config, TokioConnectionProvider::default());
            builder.options_mut().use_hosts_file = ResolveHosts::Never;
            builder.options_mut().attempts = 1;
            builder.options_mut().timeout = Duration::from_millis(200);
            builder
        })
        .unwrap()
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

fn serve(socket: &UdpSocket, zone: &Mutex<Zone>, stop: &AtomicBool) {
    let mut packet = [0; 4096];
    while !stop.load(Ordering::Relaxed) {
        let Ok((length, client)) = socket.recv_from(&mut packet) else {
            continue;
        };
        if let Some(answer) = answer(&packet[..length], &mut zone.lock().unwrap()) {
            socket.send_to(&answer, client).unwrap();
        }
    }
}

fn answer(packet: &[u8], zone: &mut Zone) -> Option<Vec<u8>> {
    let question = Message::from_vec(packet).unwrap();
    let query = question.queries()[0].clone();
    let name = query.name().to_string().to_lowercase();
    zone.asked.push((name.clone(), query.query_type()));
    let mut message = Message::new();
    message
        .set_id(question.id())
        .set_message_type(MessageType::Response)
        .set_recursion_available(true);
    message.add_query(query.clone());
    match zone
        .replies
        .get_mut(&name)
        .unwrap_or(&mut Reply::Error(ResponseCode::NXDomain))
    {
        Reply::Silence => return None,
        Reply::Error(code) => {
            message.set_response_code(*code);
        }
        Reply::Addresses(addresses, ttl) => {
            // As many name servers do: the order tells nothing.
            if !addresses.is_empty() {
                addresses.rotate_left(1);
            }
            for address in addresses {
                let data = match (*address, query.query_type()) {
                    (IpAddr::V4(v4), RecordType::A) => RData::A(v4.into()),
                    (IpAddr::V6(v6), RecordType::AAAA) => RData::AAAA(v6.into()),
                    _ => continue,
                };
                message.add_answer(Record::from_rdata(query.name().clone(), *ttl, data));
            }
        }
    }
    Some(message.to_vec().unwrap())
}

fn target(name: &str, allow_local: bool) -> DnsTarget {
    DnsTarget {
        name: name.into(),
        port: 8080,
        allow_local,
    }
}

/// A table whose only backends are these.
fn table(compiler: &mut Compiler, targets: &[(&str, DnsTarget)]) -> Arc<RouteTable> {
    let upserts = targets.iter().map(|(key, target)| {
        let set = EndpointSet {
            known: true,
            addresses: Vec::new(),
            dns: Some(target.clone()),
            protocol: None,
        };
        Upsert(Kind::Endpoints, (*key).into(), rmp_serde::to_vec_named(&set).unwrap())
    });
    let change = ChangeSet {
        version: VERSION,
        full: true,
        upserts: upserts.collect(),
        removals: Vec::<Key>::new(),
    };
    compiler.apply(&change).unwrap().table
}

fn cell(table: &RouteTable, key: &str) -> Arc<BackendCell> {
    table
        .backends()
        .find(|cell| &*cell.key == key)
        .expect("a backend of this key")
        .clone()
}

fn list(cell: &BackendCell) -> Vec<String> {
    cell.endpoints
        .load()
        .list
        .iter()
        .map(|endpoint| endpoint.text.to_string())
        .collect()
}

fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = std::time::Instant::now() + PATIENCE;
    while !condition() {
        assert!(std::time::Instant::now() < deadline, "not in time: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// Waits until the cell holds just these.
fn becomes(cell: &BackendCell, addresses: &[&str]) {
    eventually(&format!("{addresses:?}"), || {
        list(cell) == addresses && cell.endpoints.load().known
    });
}

#[test]
fn a_name_fills_its_backend_sorted_and_without_duplicates() {
    let server = NameServer::start();
    server.set_addresses("shop.test", &["10.0.0.9", "10.0.0.10", "10.0.0.9", "2001:db8::1"], 300);
    server.set_addresses("six.test", &["2001:db8::2"], 300);
    let table = table(
        &mut Compiler::new(),
        &[
            ("a/shop:80", target("shop.test", false)),
            ("a/six:80", target("six.test", false)),
        ],
    );
    let resolver = server.resolver();
    resolver.follow(&table);
    becomes(&cell(&table, "a/shop:80"), &["10.0.0.9:8080", "10.0.0.10:8080"]);
    becomes(&cell(&table, "a/six:80"), &["[2001:db8::2]:8080"]);
    assert_eq!(
        cell(&table, "a/six:80").endpoints.load().dns,
        Some(target("six.test", false))
    );
}

#[test]
fn an_answer_is_used_for_its_ttl() {
    let server = NameServer::start();
    server.set_addresses("short.test", &["10.0.0.1"], 0);
    server.set_addresses("long.test", &["10.0.0.2"], 300);
    let table = table(
        &mut Compiler::new(),
        &[
            ("a/short:80", target("short.test", false)),
            ("a/long:80", target("long.test", false)),
        ],
    );
    let resolver = server.resolver();
    resolver.follow(&table);
    becomes(&cell(&table, "a/long:80"), &["10.0.0.2:8080"]);
    becomes(&cell(&table, "a/short:80"), &["10.0.0.1:8080"]);
    server.set_addresses("short.test", &["10.0.0.3", "10.0.0.4"], 0);
    becomes(&cell(&table, "a/short:80"), &["10.0.0.3:8080", "10.0.0.4:8080"]);
    let before = server.asked("short.test");
    eventually("five more lookups", || server.asked("short.test") >= before + 5);
    assert_eq!(server.asked("long.test"), 1, "its answer is still valid");
}

#[test]
fn the_ttl_is_bounded_and_pauses_double() {
    let now = Instant::now();
    let seconds = |seconds| now + Duration::from_secs(seconds);
    for (valid, again) in [(0, 1), (1, 1), (2, 2), (300, 300), (301, 300), (86_400, 300)] {
        assert_eq!(PACE.again(seconds(valid), now), seconds(again), "{valid}");
    }
    assert_eq!(
        PACE.again(now, seconds(5)),
        seconds(6),
        "an answer that is over already"
    );
    let pauses = std::iter::successors(Some(PACE.shortest), |pause| Some(PACE.slower(*pause)));
    let pauses: Vec<u64> = pauses.take(7).map(|pause| pause.as_secs()).collect();
    assert_eq!(pauses, [1, 2, 4, 8, 16, 30, 30]);
}

#[test]
fn the_last_answer_stays_while_lookups_fail() {
    let server = NameServer::start();
    server.set_addresses("shop.test", &["10.0.0.1"], 0);
    let table = table(&mut Compiler::new(), &[("a/shop:80", target("shop.test", false))]);
    let shop = cell(&table, "a/shop:80");
    let resolver = server.resolver();
    resolver.follow(&table);
    becomes(&shop, &["10.0.0.1:8080"]);
    let failures = [
        Reply::Error(ResponseCode::ServFail),
        Reply::Error(ResponseCode::NXDomain),
        Reply::Addresses(Vec::new(), 0),
        Reply::Silence,
    ];
    for failure in failures {
        server.set("shop.test", failure);
        let before = server.asked("shop.test");
        eventually("three failed lookups", || server.asked("shop.test") >= before + 3);
        assert_eq!(list(&shop), ["10.0.0.1:8080"]);
    }
    server.set_addresses("shop.test", &["10.0.0.2"], 0);
    becomes(&shop, &["10.0.0.2:8080"]);
}

#[test]
fn a_name_that_appears_later_is_found() {
    let server = NameServer::start();
    let table = table(&mut Compiler::new(), &[("a/shop:80", target("shop.test", false))]);
    let resolver = server.resolver();
    resolver.follow(&table);
    eventually("a failed lookup", || server.asked("shop.test") > 0);
    assert!(list(&cell(&table, "a/shop:80")).is_empty());
    server.set_addresses("shop.test", &["10.0.0.1"], 300);
    becomes(&cell(&table, "a/shop:80"), &["10.0.0.1:8080"]);
}

#[test]
fn local_addresses_only_with_leave() {
    let server = NameServer::start();
    let all = ["10.0.0.1", "127.0.0.1", "169.254.169.254", "0.0.0.0"];
    server.set_addresses("shop.test", &all, 0);
    server.set_addresses("evil.test", &["10.0.0.1"], 0);
    let table = table(
        &mut Compiler::new(),
        &[
            ("a/open:80", target("shop.test", true)),
            ("a/closed:80", target("shop.test", false)),
            ("a/evil:80", target("evil.test", false)),
        ],
    );
    let resolver = server.resolver();
    resolver.follow(&table);
    becomes(
        &cell(&table, "a/open:80"),
        &[
            "0.0.0.0:8080",
            "10.0.0.1:8080",
            "127.0.0.1:8080",
            "169.254.169.254:8080",
        ],
    );
    becomes(&cell(&table, "a/closed:80"), &["10.0.0.1:8080"]);
    becomes(&cell(&table, "a/evil:80"), &["10.0.0.1:8080"]);
    server.set_addresses("evil.test", &["169.254.169.254"], 0);
    becomes(&cell(&table, "a/evil:80"), &[]);
}

#[test]
fn an_address_in_place_of_a_name_obeys_the_same_rule_and_asks_nobody() {
    let server = NameServer::start();
    let table = table(
        &mut Compiler::new(),
        &[
            ("a/one:80", target("10.0.0.1", false)),
            ("a/two:80", target("[2001:db8::1]", false)),
            ("a/three:80", target("127.0.0.1", true)),
            ("a/four:80", target("::ffff:127.0.0.1", false)),
        ],
    );
    let resolver = server.resolver();
    resolver.follow(&table);
    becomes(&cell(&table, "a/one:80"), &["10.0.0.1:8080"]);
    becomes(&cell(&table, "a/two:80"), &["[2001:db8::1]:8080"]);
    becomes(&cell(&table, "a/three:80"), &["127.0.0.1:8080"]);
    becomes(&cell(&table, "a/four:80"), &[]);
    assert!(server.zone.lock().unwrap().asked.is_empty());
}

#[test]
fn the_same_answer_in_another_order_changes_nothing() {
    let server = NameServer::start();
    server.set_addresses("shop.test", &["10.0.0.1", "10.0.0.2", "10.0.0.3"], 0);
    let table = table(&mut Compiler::new(), &[("a/shop:80", target("shop.test", false))]);
    let shop = cell(&table, "a/shop:80");
    let resolver = server.resolver();
    resolver.follow(&table);
    becomes(&shop, &["10.0.0.1:8080", "10.0.0.2:8080", "10.0.0.3:8080"]);
    let first = shop.endpoints.load_full();
    let before = server.asked("shop.test");
    eventually("five more lookups", || server.asked("shop.test") >= before + 5);
    assert!(Arc::ptr_eq(&first, &shop.endpoints.load_full()));
}

#[test]
fn a_backend_that_changes_its_name_follows_the_new_one_alone() {
    let server = NameServer::start();
    for (name, address) in [
        ("old.test", "10.0.0.1"),
        ("new.test", "10.0.0.2"),
        ("other.test", "10.0.0.3"),
    ] {
        server.set_addresses(name, &[address], 0);
    }
    let mut compiler = Compiler::new();
    let other = ("a/other:80", target("other.test", false));
    let first = table(
        &mut compiler,
        &[("a/shop:80", target("old.test", false)), other.clone()],
    );
    let shop = cell(&first, "a/shop:80");
    let resolver = server.resolver();
    resolver.follow(&first);
    becomes(&shop, &["10.0.0.1:8080"]);
    let second = table(
        &mut compiler,
        &[("a/shop:80", target("new.test", false)), other.clone()],
    );
    resolver.follow(&second);
    becomes(&shop, &["10.0.0.2:8080"]);
    let old = server.asked("old.test");
    let before = server.asked("new.test");
    eventually("five more lookups", || server.asked("new.test") >= before + 5);
    assert!(server.asked("old.test") <= old + 1, "at most one was under way");

    let third = table(&mut compiler, &[other]);
    resolver.follow(&third);
    drop((first, second, shop));
    let seen = |name| server.asked(name);
    let before = seen("other.test");
    eventually("the walk, and a lookup of what is left", || {
        seen("other.test") >= before + 3
    });
    let new = seen("new.test");
    let before = seen("other.test");
    eventually("five more lookups", || seen("other.test") >= before + 5);
    assert_eq!(seen("new.test"), new, "nobody follows it any more");
}

#[test]
fn a_backend_that_was_given_anew_gets_its_answer_back() {
    let server = NameServer::start();
    server.set_addresses("shop.test", &["10.0.0.1"], 300);
    let table = table(&mut Compiler::new(), &[("a/shop:80", target("shop.test", false))]);
    let shop = cell(&table, "a/shop:80");
    let resolver = server.resolver();
    resolver.follow(&table);
    becomes(&shop, &["10.0.0.1:8080"]);
    let anew = Endpoints {
        known: true,
        list: Box::default(),
        dns: Some(target("shop.test", false)),
        protocol: None,
    };
    // The answer may still be on its way from the cell into memory, so this is done until it comes back.
    eventually("the answer again", || {
        shop.endpoints.store(Arc::new(Endpoints {
            known: true,
            list: Box::default(),
            dns: anew.dns.clone(),
            protocol: None,
        }));
        resolver.follow(&table);
        (0..100).any(|_| {
            thread::sleep(Duration::from_millis(1));
            !list(&shop).is_empty()
        })
    });
    assert_eq!(server.asked("shop.test"), 1);
}

#[test]
fn an_answer_for_another_name_is_not_put_into_a_cell() {
    let cell = ArcSwap::from_pointee(Endpoints {
        known: true,
        list: Box::default(),
        dns: Some(target("new.test", false)),
        protocol: None,
    });
    let answer = endpoints(["10.0.0.1".parse().unwrap()].into_iter(), &target("old.test", false));
    publish(&cell, &target("old.test", false), &answer);
    assert!(cell.load().list.is_empty());
    publish(&cell, &target("new.test", false), &answer);
    assert_eq!(cell.load().list.len(), 1);
}

#[test]
fn no_table_is_kept_alive_and_a_lookup_under_way_does_not_hold_up_the_end() {
    let server = NameServer::start();
    server.set("shop.test", Reply::Silence);
    let mut compiler = Compiler::new();
    let table = table(&mut compiler, &[("a/shop:80", target("shop.test", false))]);
    let mut resolver = server.resolver();
    resolver.follow(&table);
    eventually("a lookup", || server.asked("shop.test") > 0);
    let weak = Arc::downgrade(&table);
    drop((table, compiler));
    assert!(weak.upgrade().is_none());
    resolver.stop();
    resolver.stop();
}

#[test]
fn names_with_a_dot_are_complete() {
    for (name, asked) in [
        ("shop.example", "shop.example."),
        ("shop.example.", "shop.example."),
        ("web", "web"),
        ("web.", "web."),
    ] {
        assert_eq!(complete(name), asked);
    }
}
