//! Tests of the admin port over raw sockets.

use super::*;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Mutex;

struct State {
    ready: Mutex<Result<(), String>>,
}

impl AdminState for State {
    fn table(&self) -> Arc<RouteTable> {
        RouteTable::empty()
    }

    fn ready(&self) -> Result<(), String> {
        self.ready.lock().unwrap().clone()
    }

    fn streams(&self) -> String {
        r#"{"ports":[],"passthrough":[]}"#.into()
    }

    fn problems(&self) -> Arc<str> {
        r#"[{"code":"ConflictLost"}]"#.into()
    }

    fn metrics(&self) -> String {
        "metrics\n# EOF\n".into()
    }
}

struct Server {
    admin: Admin,
    state: Arc<State>,
    address: SocketAddr,
}

fn server() -> Server {
    let listener = StdListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let state = Arc::new(State {
        ready: Mutex::new(Ok(())),
    });
    Server {
        admin: start(vec![listener], state.clone()).unwrap(),
        state,
        address,
    }
}

struct Response {
    status: u16,
    head: String,
    body: String,
}

impl Server {
    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream
    }

    fn ask(&self, method: &str, target: &str) -> Response {
        self.send(format!("{method} {target} HTTP/1.1\r\nHost: admin\r\nConnection: close\r\n\r\n").as_bytes())
    }

    fn send(&self, bytes: &[u8]) -> Response {
        let mut stream = self.connect();
        stream.write_all(bytes).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let (head, body) = text
            .split_once("\r\n\r\n")
            .unwrap_or_else(|| panic!("no head in {text:?}"));
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Response {
            status,
            head: head.to_lowercase(),
            body: body.into(),
        }
    }
}

#[test]
fn each_page_answers() {
    let server = server();
    let cases = [
        ("/", "text/plain", "fastingress admin\n"),
        ("/metrics", "application/openmetrics-text", "metrics\n# EOF\n"),
        ("/healthz", "text/plain", "ok\n"),
        ("/readyz", "text/plain", "ok\n"),
        ("/routes", "application/json", "["),
        ("/problems", "application/json", r#"[{"code":"ConflictLost"}]"#),
        ("/healthz?verbose=1", "text/plain", "ok\n"),
    ];
    for (path, kind, body) in cases {
        let response = server.ask("GET", path);
        assert_eq!(response.status, 200, "{path}");
        assert!(
            response.head.contains(&format!("content-type: {kind}")),
            "{path}: {}",
            response.head
        );
        assert!(response.body.starts_with(body), "{path}: {}", response.body);
    }
    let index = server.ask("GET", "/").body;
    for page in ["/metrics", "/healthz", "/readyz", "/routes", "/explain", "/problems"] {
        assert!(index.contains(page), "{page} is listed");
    }
}

#[test]
fn not_ready_says_why() {
    let server = server();
    *server.state.ready.lock().unwrap() = Err("waiting for manifests".into());
    let response = server.ask("GET", "/readyz");
    assert_eq!((response.status, &*response.body), (503, "waiting for manifests\n"));
    assert_eq!(server.ask("GET", "/healthz").status, 200);
}

#[test]
fn wrong_methods_and_unknown_paths() {
    let server = server();
    for path in ["/nothing", "/metrics/", "/routes/x", "//"] {
        assert_eq!(server.ask("GET", path).status, 404, "{path}");
    }
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "BREW"] {
        let response = server.ask(method, "/routes");
        assert_eq!(response.status, 405, "{method}");
        assert!(response.head.contains("allow: get, head"), "{}", response.head);
    }
    let head = server.ask("HEAD", "/metrics");
    assert_eq!((head.status, &*head.body), (200, ""));
    assert!(head.head.contains("content-length: 14"), "{}", head.head);
}

#[test]
fn routes_and_explanations_are_json() {
    let server = server();
    let routes: serde_json::Value = serde_json::from_str(&server.ask("GET", "/routes").body).unwrap();
    assert!(routes.is_array());
    let asked = "/explain?url=https%3A%2F%2Fshop.example.com%2Fcart&method=GET&header=Accept:+text/html";
    let response = server.ask("GET", asked);
    assert_eq!(response.status, 200, "{}", response.body);
    let explanation: serde_json::Value = serde_json::from_str(&response.body).unwrap();
    assert!(explanation.is_object());
}

#[test]
fn what_cannot_be_explained_is_an_error_that_says_why() {
    let server = server();
    let cases = [
        ("/explain", "url is missing"),
        ("/explain?url=ftp://h/", "neither http nor https"),
        ("/explain?url=http://", "no valid host"),
        ("/explain?url=http://h/%2500", "is refused"),
        ("/explain?url=http://h/%252e%252e/", "is refused"),
        ("/explain?url=http://h/&method=G%20T", "is not a method"),
        ("/explain?url=http://h/&header=x", "has no colon"),
        ("/explain?url=http://h/&verbose=1", "unknown parameter"),
        ("/explain?url=%zz", "not a valid query parameter"),
    ];
    for (target, expected) in cases {
        let response = server.ask("GET", target);
        let error: serde_json::Value = serde_json::from_str(&response.body).unwrap();
        let said = error["error"].as_str().unwrap();
        assert!(
            response.status == 400 && said.contains(expected),
            "{target}: {} {said}",
            response.status
        );
    }
}

#[test]
fn nonsense_and_long_heads_are_refused() {
    let server = server();
    assert_eq!(server.send(b"nonsense\r\n\r\n").status, 400);
    let long = format!("GET / HTTP/1.1\r\nHost: h\r\nX: {}\r\n\r\n", "x".repeat(HEAD_LIMIT));
    let mut stream = server.connect();
    // The server may answer and close before it has all of it.
    let _ = stream.write_all(long.as_bytes());
    let mut answer = [0; 12];
    if stream.read_exact(&mut answer).is_ok() {
        assert_eq!(&answer, b"HTTP/1.1 431");
    }
    assert_eq!(server.ask("GET", "/healthz").status, 200);
}

/// A request on a connection that stays open.
fn ask_on(stream: &mut TcpStream) {
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
    let mut text = Vec::new();
    while !text.ends_with(b"\r\n\r\nok\n") {
        let mut byte = [0];
        assert_eq!(stream.read(&mut byte).unwrap(), 1);
        text.push(byte[0]);
    }
}

#[test]
fn a_connection_is_kept_for_the_next_request() {
    let server = server();
    let mut stream = server.connect();
    for _ in 0..3 {
        ask_on(&mut stream);
    }
}

#[test]
fn when_there_is_no_room_the_connection_that_was_silent_longest_ends() {
    let server = server();
    let mut idle: Vec<_> = (0..CONNECTIONS).map(|_| server.connect()).collect();
    // The last one is answered: all were accepted.
    ask_on(&mut idle[CONNECTIONS - 1]);
    ask_on(&mut idle[0]);
    assert_eq!(server.ask("GET", "/readyz").status, 200);
    assert_eq!(idle[1].read(&mut [0]).unwrap(), 0, "closed");
    // Nobody else had to go, and nobody waited until time had run out for all.
    for at in (0..CONNECTIONS).filter(|at| *at != 1) {
        ask_on(&mut idle[at]);
    }
}

#[test]
fn a_probe_is_answered_while_others_hold_far_too_many_connections() {
    let server = server();
    let mut held: Vec<_> = (0..4 * CONNECTIONS).map(|_| server.connect()).collect();
    let mut last = server.connect();
    ask_on(&mut last);
    for silent in &mut held[..=3 * CONNECTIONS] {
        assert_eq!(silent.read(&mut [0]).unwrap(), 0, "closed");
    }
    // They made room at once: time has not run out for the others.
    for open in &mut held[3 * CONNECTIONS + 1..] {
        ask_on(open);
    }
    ask_on(&mut last);
}

#[test]
fn stopping_closes_everything() {
    let server = server();
    let mut open = server.connect();
    open.write_all(b"GET /hea").unwrap();
    server.admin.stop();
    server.admin.stop();
    let mut rest = Vec::new();
    // An end or a reset.
    let _ = open.read_to_end(&mut rest);
    assert!(rest.is_empty());
    assert_eq!(Arc::strong_count(&server.state), 1, "nothing of the server is left");
}
