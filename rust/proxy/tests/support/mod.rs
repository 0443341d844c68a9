//! A gateway with one route and a backend that records what it receives.

use fastingress_proxy::Gateway;
use fastingress_proxy::options::{LogFormat, Options};
use fastingress_route::schema::{
    ChangeSet, EndpointSet, Fragment, IngressRef, Key, Kind, PathKind, Policy, Route, Target, Upsert, VERSION,
};
use serde::Serialize;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const WAIT: Duration = Duration::from_secs(20);
const ENDPOINTS: &str = "default/web:80";

/// A gateway on a free port.
pub struct Rig {
    pub gateway: Gateway,
}

impl Rig {
    /// Routes `path` of shop.example.com to `backend`.
    pub fn with_backend(path: &str, backend: &Backend) -> Self {
        let options = Options {
            http_port: Some(0),
            https_port: None,
            admin_port: None,
            bind: vec![IpAddr::V4(Ipv4Addr::LOCALHOST)],
            workers: 1,
            access_log: LogFormat::Off,
            ..Options::default()
        };
        let rig = Self {
            gateway: Gateway::bind(options).expect("free ports"),
        };
        rig.set(Kind::Fragment, "shop.example.com/1", &fragment(path));
        rig.set_endpoints(&[backend.address]);
        rig.gateway.serve().expect("serves");
        rig
    }

    pub fn set_endpoints(&self, addresses: &[SocketAddr]) {
        let addresses = addresses.iter().map(|address| address.to_string().into()).collect();
        self.set(
            Kind::Endpoints,
            ENDPOINTS,
            &EndpointSet {
                known: true,
                addresses,
                dns: None,
                protocol: None,
            },
        );
    }

    fn set(&self, kind: Kind, name: &str, value: &impl Serialize) {
        let blob = rmp_serde::to_vec_named(value).expect("encodes");
        let upserts = vec![Upsert(kind, name.into(), blob)];
        let change = ChangeSet {
            version: VERSION,
            full: false,
            upserts,
            removals: Vec::<Key>::new(),
        };
        let report = self
            .gateway
            .apply(&rmp_serde::to_vec_named(&change).expect("encodes"))
            .expect("applies");
        assert!(
            report.problems.iter().all(|(_, problems)| problems.is_empty()),
            "{report:?}"
        );
    }

    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.gateway.addresses().http[0]).expect("connects");
        stream.set_read_timeout(Some(WAIT)).expect("a timeout");
        stream
    }
}

fn fragment(path: &str) -> Fragment {
    Fragment {
        host: "shop.example.com".into(),
        ingress: IngressRef {
            namespace: "default".into(),
            name: "shop".into(),
            uid: "1".into(),
        },
        age: "1".into(),
        scope: "process".into(),
        weak: false,
        certificate: None,
        client_auth: None,
        passthrough: None,
        policy: Policy::default(),
        regex_host: false,
        routes: vec![Route {
            path: path.into(),
            kind: PathKind::Prefix,
            rule: (0, 0),
            target: Target {
                service: ENDPOINTS.into(),
                endpoints: ENDPOINTS.into(),
                upstream: "".into(),
            },
        }],
        default_backend: None,
    }
}

/// Answers every request head with the same bytes and keeps the connection; one for `/die` is read and the connection
/// closed.
pub struct Backend {
    pub address: SocketAddr,
    seen: Arc<Mutex<Vec<u8>>>,
    connections: Arc<AtomicUsize>,
}

impl Backend {
    pub fn answering(answer: &'static [u8]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound");
        let (seen, connections) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicUsize::new(0)));
        let backend = Self {
            address,
            seen: seen.clone(),
            connections: connections.clone(),
        };
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                connections.fetch_add(1, Ordering::SeqCst);
                let seen = seen.clone();
                std::thread::spawn(move || serve(stream, answer, &seen));
            }
        });
        backend
    }

    /// How often this text was received.
    pub fn times(&self, text: &str) -> usize {
        self.seen().matches(text).count()
    }

    /// Every byte received so far, on all connections.
    pub fn seen(&self) -> String {
        String::from_utf8(self.seen.lock().expect("not poisoned").clone()).expect("text")
    }

    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// A request is over when its head is and, for a chunked one, when the last chunk came.
fn serve(mut stream: TcpStream, answer: &[u8], seen: &Mutex<Vec<u8>>) {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(n @ 1..) = stream.read(&mut buffer) {
        request.extend_from_slice(&buffer[..n]);
        seen.lock().expect("not poisoned").extend_from_slice(&buffer[..n]);
        let text = String::from_utf8_lossy(&request);
        let end = if text.to_ascii_lowercase().contains("transfer-encoding") {
            "0\r\n\r\n"
        } else {
            "\r\n\r\n"
        };
        if text.ends_with(end) {
            if text.contains("/die ") {
                return;
            }
            request.clear();
            if stream.write_all(answer).is_err() {
                return;
            }
        }
    }
}

/// One answer: its head and as many bytes as its Content-Length says.
pub fn read_answer(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut byte = [0];
    while !bytes.ends_with(b"\r\n\r\n") {
        let n = stream.read(&mut byte).expect("an answer in time");
        assert!(n > 0, "closed after {:?}", String::from_utf8_lossy(&bytes));
        bytes.push(byte[0]);
    }
    let head = String::from_utf8(bytes).expect("text");
    let length = head
        .lines()
        .find_map(|line| {
            line.to_ascii_lowercase()
                .strip_prefix("content-length: ")
                .map(str::to_owned)
        })
        .map_or(0, |length| length.trim().parse().expect("a number"));
    let mut body = vec![0; length];
    stream.read_exact(&mut body).expect("a whole body");
    head + &String::from_utf8(body).expect("text")
}

pub fn read_to_end(stream: &mut TcpStream) -> Vec<u8> {
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).expect("an orderly end");
    rest
}
