//! The admin port answers when the process has no descriptor left. A process of its own, since it takes them all.

use fastingress_proxy::observe::{AdminState, Gauges, Metrics, admin};
use fastingress_route::RouteTable;
use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

struct State(Arc<Metrics>);

impl AdminState for State {
    fn table(&self) -> Arc<RouteTable> {
        RouteTable::empty()
    }

    fn ready(&self) -> Result<(), String> {
        Ok(())
    }

    fn streams(&self) -> String {
        r#"{"ports":[],"passthrough":[]}"#.into()
    }

    fn problems(&self) -> Arc<str> {
        "[]".into()
    }

    fn metrics(&self) -> String {
        self.0.encode(&RouteTable::empty(), &Gauges::default())
    }
}

fn limit_descriptors(to: u64) {
    let limit = libc::rlimit {
        rlim_cur: to,
        rlim_max: to,
    };
    // SAFETY: the pointer is to a live rlimit.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) }, 0);
}

fn take_all() -> Vec<File> {
    let mut taken = Vec::new();
    while let Ok(file) = File::open("/dev/null") {
        taken.push(file);
        assert!(taken.len() < 1_000, "the limit holds");
    }
    taken
}

/// Gives up one descriptor, for our own end of the connection; nothing is left for the other end. One that the admin port
/// sets aside in that moment, after the connection before, is given up besides.
fn connect(address: SocketAddr, taken: &mut Vec<File>) -> TcpStream {
    while taken.pop().is_some() {
        match TcpStream::connect(address) {
            Err(error) if error.raw_os_error() == Some(libc::EMFILE) => {}
            connected => return connected.expect("the admin port listens"),
        }
    }
    panic!("the admin port takes all descriptors");
}

fn ask(stream: &TcpStream, path: &str) -> String {
    answer(stream, path).expect("the admin port answers")
}

fn answer(mut stream: &TcpStream, path: &str) -> io::Result<String> {
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: admin\r\nConnection: close\r\n\r\n").as_bytes())?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}

#[test]
fn the_admin_port_answers_when_descriptors_have_run_out() {
    limit_descriptors(100);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let admin = admin::start(vec![listener], Arc::new(State(Metrics::new(1, true)))).unwrap();
    // An answer shows that it has set its own aside.
    assert!(ask(&TcpStream::connect(address).unwrap(), "/healthz").ends_with("ok\n"));
    let mut taken = take_all();

    let mut open = Vec::new();
    for _ in 0..4 {
        let stream = connect(address, &mut taken);
        assert!(ask(&stream, "/healthz").ends_with("ok\n"));
        open.push(stream);
        taken.extend(take_all());
    }
    let metrics = ask(&connect(address, &mut taken), "/metrics");
    let open_now = metrics
        .lines()
        .find_map(|line| line.strip_prefix("process_open_fds "))
        .unwrap();
    assert!((90..=100).contains(&open_now.parse::<u32>().unwrap()), "{open_now}");
    assert!(metrics.contains("process_max_fds 100"), "{metrics}");

    drop((taken, open));
    admin.stop();
}
