use super::header::{FIXED, SIGNATURE};
use super::*;
use proptest::prelude::*;
use std::net::{IpAddr, SocketAddr};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

fn both(source: &str, destination: &str) -> Addresses {
    Addresses {
        source: source.parse().expect("an address"),
        destination: destination.parse().expect("an address"),
    }
}

/// A header of version 2 with this command, family and rest.
fn v2(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let mut bytes = SIGNATURE.to_vec();
    bytes.extend_from_slice(&[command, family]);
    bytes.extend_from_slice(&u16::try_from(rest.len()).expect("short").to_be_bytes());
    bytes.extend_from_slice(rest);
    bytes
}

fn v4_rest() -> Vec<u8> {
    vec![192, 0, 2, 1, 198, 51, 100, 2, 0x9c, 0x40, 0x01, 0xbb]
}

/// Each prefix is the beginning of a header, and what follows a whole one changes nothing.
fn whole(bytes: &[u8]) -> Option<Addresses> {
    for cut in 0..bytes.len() {
        assert_eq!(
            parse(&bytes[..cut]),
            Ok(None),
            "{:?}",
            String::from_utf8_lossy(&bytes[..cut])
        );
    }
    let header = parse(bytes).expect("a header").expect("a whole one");
    assert_eq!(header.length, bytes.len());
    for after in [&b"\r"[..], b"GET / HTTP/1.1\r\n", b"\x16\x03\x01", bytes] {
        assert_eq!(parse(&[bytes, after].concat()), Ok(Some(header)));
    }
    header.addresses
}

fn is_malformed(bytes: &[u8]) -> bool {
    parse(bytes).is_err()
}

#[test]
fn a_line_tells_both_ends() {
    let v4 = whole(b"PROXY TCP4 192.0.2.1 198.51.100.2 40000 443\r\n");
    assert_eq!(v4, Some(both("192.0.2.1:40000", "198.51.100.2:443")));
    let v6 = whole(b"PROXY TCP6 2001:db8::1 2001:db8::2 0 65535\r\n");
    assert_eq!(v6, Some(both("[2001:db8::1]:0", "[2001:db8::2]:65535")));
    let mapped = whole(b"PROXY TCP6 ::ffff:192.0.2.1 ::ffff:198.51.100.2 1 2\r\n");
    assert_eq!(mapped, Some(both("192.0.2.1:1", "198.51.100.2:2")));
}

#[test]
fn an_unknown_line_tells_nothing_whatever_else_it_says() {
    assert_eq!(whole(b"PROXY UNKNOWN\r\n"), None);
    assert_eq!(whole(b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n"), None);
    let longest = [b"PROXY UNKNOWN ".as_slice(), &[b'x'; 91], b"\r\n"].concat();
    assert_eq!(longest.len(), 107);
    assert_eq!(whole(&longest), None);
}

#[test]
fn a_line_has_one_spelling() {
    for line in [
        "PROXY\r\n",
        "PROXY \r\n",
        "PROXY TCP4\r\n",
        "PROXY TCP5 192.0.2.1 192.0.2.2 1 2\r\n",
        "PROXY UNKNOWNS\r\n",
        "PROXY tcp4 192.0.2.1 192.0.2.2 1 2\r\n",
        "proxy TCP4 192.0.2.1 192.0.2.2 1 2\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n",
        "PROXY TCP4  192.0.2.1 192.0.2.2 1 2\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 1 2 \r\n",
        "PROXY TCP4 192.0.2.01 192.0.2.2 1 2\r\n",
        "PROXY TCP4 192.0.2 192.0.2.2 1 2\r\n",
        "PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n",
        "PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n",
        "PROXY TCP6 fe80::1%1 2001:db8::2 1 2\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 01 2\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 +1 2\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 1 65536\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 1 \r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\r\n",
        "PROXY\tTCP4 192.0.2.1 192.0.2.2 1 2\r\n",
        "PROXY UNKNOWN \0\r\n",
        "PROXY UNKNOWN \u{e9}\r\n",
    ] {
        assert!(is_malformed(line.as_bytes()), "{line:?}");
    }
}

#[test]
fn what_is_no_header_is_known_by_its_first_wrong_byte() {
    for bytes in [
        &b"G"[..],
        b"\x16\x03\x01",
        b"PR\r",
        b"PROXYX",
        b"\r\n\r\n\0\r\nQUITX",
        b"\n",
        b"\0",
        b"POST /",
    ] {
        assert!(is_malformed(bytes), "{bytes:?}");
    }
    let mut ever_longer = b"PROXY UNKNOWN ".to_vec();
    ever_longer.resize(105, b'x');
    assert_eq!(parse(&ever_longer), Ok(None));
    ever_longer.push(b'x');
    assert!(is_malformed(&ever_longer), "a line that cannot end in time");
}

#[test]
fn a_binary_header_tells_both_ends_and_its_further_fields_are_skipped() {
    let ends = Some(both("192.0.2.1:40000", "198.51.100.2:443"));
    assert_eq!(whole(&v2(0x21, 0x11, &v4_rest())), ends);
    assert_eq!(whole(&v2(0x21, 0x12, &v4_rest())), ends, "a client of QUIC");
    let fields = [v4_rest(), vec![0x04, 0, 3, 1, 2, 3]].concat();
    assert_eq!(whole(&v2(0x21, 0x11, &fields)), ends);
    let mapped = [
        &[0; 10][..],
        &[0xff; 2],
        &[192, 0, 2, 1],
        &[0; 10],
        &[0xff; 2],
        &[192, 0, 2, 2],
        &[0, 1, 0, 2],
    ];
    assert_eq!(
        whole(&v2(0x21, 0x21, &mapped.concat())),
        Some(both("192.0.2.1:1", "192.0.2.2:2"))
    );
}

#[test]
fn a_binary_header_may_tell_nothing() {
    assert_eq!(whole(&v2(0x20, 0x00, &[])), None, "LOCAL");
    assert_eq!(
        whole(&v2(0x20, 0x11, &v4_rest())),
        None,
        "LOCAL with addresses, which do not hold"
    );
    assert_eq!(whole(&v2(0x20, 0x11, &[])), None, "LOCAL without those of its family");
    assert_eq!(whole(&v2(0x21, 0x00, &[])), None, "UNSPEC");
    assert_eq!(whole(&v2(0x21, 0x00, &[7; 40])), None, "UNSPEC with fields");
    assert_eq!(whole(&v2(0x21, 0x31, &[0; 216])), None, "a Unix socket");
}

#[test]
fn a_binary_header_is_refused_as_soon_as_it_is_wrong() {
    for (command, family, rest) in [
        (0x11, 0x11, v4_rest()),
        (0x22, 0x11, v4_rest()),
        (0x31, 0x11, v4_rest()),
        (0x21, 0x10, v4_rest()),
        (0x21, 0x13, v4_rest()),
        (0x21, 0x01, v4_rest()),
        (0x21, 0x41, vec![0; 300]),
        (0x21, 0x11, vec![0; 11]),
        (0x21, 0x21, vec![0; 35]),
        (0x21, 0x31, vec![0; 215]),
        (0x21, 0x11, vec![0; LONGEST - FIXED + 1]),
    ] {
        let bytes = v2(command, family, &rest);
        assert!(is_malformed(&bytes[..FIXED]), "{command:x} {family:x} {}", rest.len());
    }
    assert!(whole(&v2(0x21, 0x11, &[0; LONGEST - FIXED])).is_some(), "the longest");
}

fn any_address() -> impl Strategy<Value = SocketAddr> {
    (any::<IpAddr>(), any::<u16>()).prop_map(|(host, port)| SocketAddr::new(host.to_canonical(), port))
}

proptest! {
    #[test]
    fn what_is_composed_is_read_back(source in any_address(), destination in any_address(), told: bool) {
        let addresses = told.then_some(Addresses { source, destination });
        for compose in [compose_v1, compose_v2] {
            let mut bytes = Vec::new();
            compose(addresses.as_ref(), &mut bytes);
            prop_assert_eq!(whole(&bytes), addresses);
        }
    }

    #[test]
    fn the_verdict_is_the_same_however_bytes_arrive(
        begin in prop::sample::select(vec![0, 1, 2]),
        bytes in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let begin: &[u8] = [&b""[..], b"PROXY ", b"\r\n\r\n\0\r\nQUIT\n\x21"][begin];
        let bytes = [begin, &bytes].concat();
        let last = parse(&bytes);
        for cut in 0..bytes.len() {
            match parse(&bytes[..cut]) {
                Ok(None) => {}
                early => prop_assert_eq!(early, last),
            }
        }
        if let Ok(None) = last {
            prop_assert!(bytes.len() < LONGEST);
        }
    }
}

async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let client = TcpStream::connect(listener.local_addr().expect("bound"))
        .await
        .expect("connects");
    (client, listener.accept().await.expect("accepts").0)
}

const WAIT: std::time::Duration = std::time::Duration::from_secs(20);

#[tokio::test]
async fn what_follows_a_header_stays_in_the_socket() {
    for header in [
        b"PROXY TCP4 192.0.2.1 198.51.100.2 40000 443\r\n".to_vec(),
        v2(0x21, 0x11, &v4_rest()),
    ] {
        let (mut client, mut server) = pair().await;
        client
            .write_all(&[&header[..], b"GET / "].concat())
            .await
            .expect("sends");
        let told = receive(&server, WAIT).await.expect("a header");
        assert_eq!(told, Some(both("192.0.2.1:40000", "198.51.100.2:443")));
        let mut next = [0; 6];
        server.read_exact(&mut next).await.expect("the stream");
        assert_eq!(&next, b"GET / ");
    }
}

#[tokio::test]
async fn a_header_may_drip_in_and_be_long() {
    let long = v2(0x21, 0x11, &[v4_rest(), vec![1; 2000]].concat());
    for (header, piece) in [(b"PROXY UNKNOWN\r\n".to_vec(), 1), (long, 700)] {
        let (mut client, mut server) = pair().await;
        client.set_nodelay(true).expect("sets");
        let sending = async {
            for piece in header.chunks(piece) {
                client.write_all(piece).await.expect("sends");
                tokio::task::yield_now().await;
            }
            client.write_all(b"rest").await.expect("sends");
        };
        let ((), told) = tokio::join!(sending, receive(&server, WAIT));
        told.expect("a header");
        let mut next = [0; 4];
        server.read_exact(&mut next).await.expect("the stream");
        assert_eq!(&next, b"rest");
    }
}

#[tokio::test]
async fn no_header_is_an_error_that_says_why() {
    let (mut client, server) = pair().await;
    client.write_all(b"GET / HTTP/1.1\r\n").await.expect("sends");
    assert_eq!(receive(&server, WAIT).await, Err(Denied("proxy_protocol_malformed")));

    let (mut client, server) = pair().await;
    client.write_all(b"PROXY TC").await.expect("sends");
    client.shutdown().await.expect("ends");
    assert_eq!(receive(&server, WAIT).await, Err(Denied("proxy_protocol_gone")));

    let (_client, server) = pair().await;
    let soon = std::time::Duration::from_millis(20);
    assert_eq!(receive(&server, soon).await, Err(Denied("proxy_protocol_timeout")));
}
