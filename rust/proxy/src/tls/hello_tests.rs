use super::*;
use proptest::prelude::*;

/// A field with its length before it, in so many bytes.
fn field(width: usize, value: &[u8]) -> Vec<u8> {
    let length = u32::try_from(value.len()).expect("short").to_be_bytes();
    [&length[4 - width..], value].concat()
}

fn extension(kind: u16, value: &[u8]) -> Vec<u8> {
    [&kind.to_be_bytes()[..], &field(2, value)].concat()
}

fn server_name_extension(name: &[u8]) -> Vec<u8> {
    extension(SERVER_NAME, &field(2, &[&[HOST_NAME][..], &field(2, name)].concat()))
}

fn hello_with(extensions: Option<&[u8]>) -> Vec<u8> {
    let mut body = vec![3, 3];
    body.extend_from_slice(&[7; 32]);
    body.extend_from_slice(&field(1, &[9; 32]));
    body.extend_from_slice(&field(2, &[0x13, 0x01, 0x13, 0x02]));
    body.extend_from_slice(&field(1, &[0]));
    if let Some(extensions) = extensions {
        body.extend_from_slice(&field(2, extensions));
    }
    [&[CLIENT_HELLO][..], &field(3, &body)].concat()
}

/// The message in records of at most so many bytes.
fn records(message: &[u8], fragment: usize) -> Vec<u8> {
    let record = |fragment: &[u8]| [&[HANDSHAKE, 3, 1][..], &field(2, fragment)].concat();
    message.chunks(fragment).flat_map(record).collect()
}

fn named(name: &str) -> Vec<u8> {
    let other = [
        extension(0x0a0a, &[]),
        server_name_extension(name.as_bytes()),
        extension(43, &[2, 3, 4]),
    ];
    hello_with(Some(&other.concat()))
}

fn sight(bytes: &[u8]) -> Option<String> {
    match server_name(bytes) {
        Sight::Name(name) => Some(name.into_owned()),
        Sight::Nameless => None,
        Sight::More => panic!("more is wanted"),
    }
}

#[test]
fn the_name_is_read_however_records_cut_the_message_and_not_before_it_is_whole() {
    let message = named("shop.example.com");
    for fragment in [message.len(), 100, 7, 1] {
        let bytes = records(&message, fragment);
        for cut in 0..bytes.len() {
            assert_eq!(server_name(&bytes[..cut]), Sight::More, "{cut} of {}", bytes.len());
        }
        assert_eq!(sight(&bytes).as_deref(), Some("shop.example.com"));
        let and_more = [&bytes[..], b"\x14\x03\x03\0\x01\x01"].concat();
        assert_eq!(sight(&and_more).as_deref(), Some("shop.example.com"));
    }
}

#[test]
fn an_encrypted_hello_does_not_hide_the_outer_name() {
    let extensions = [
        extension(0xfe0d, &[0; 200]),
        server_name_extension(b"outer.example.com"),
        extension(0xfafa, &[0]),
    ];
    let message = hello_with(Some(&extensions.concat()));
    assert_eq!(sight(&records(&message, 4096)).as_deref(), Some("outer.example.com"));
}

#[test]
fn a_large_key_share_is_fine() {
    let extensions = [extension(51, &[1; 6000]), server_name_extension(b"a.example")];
    let message = hello_with(Some(&extensions.concat()));
    assert_eq!(sight(&records(&message, 16384)).as_deref(), Some("a.example"));
}

#[test]
fn what_has_no_name_or_no_sound_one_is_terminated() {
    let twice = [server_name_extension(b"a.example"), server_name_extension(b"b.example")].concat();
    let other_kind = extension(SERVER_NAME, &field(2, &[&[1][..], &field(2, b"a")].concat()));
    for extensions in [
        None,
        Some(Vec::new()),
        Some(extension(43, &[2, 3, 4])),
        Some(twice),
        Some(other_kind),
        Some(server_name_extension(b"")),
        Some(server_name_extension(b"a b")),
        Some(server_name_extension(b"a\0.example")),
        Some(server_name_extension("\u{e9}.example".as_bytes())),
        Some(extension(SERVER_NAME, &[0, 9, 0])),
        Some(extension(SERVER_NAME, &[])),
        Some(vec![0, 0, 0]),
    ] {
        let message = hello_with(extensions.as_deref());
        assert_eq!(sight(&records(&message, 4096)), None, "{extensions:?}");
    }
    let cut_short = [&[CLIENT_HELLO, 0, 0, 2][..], &[3, 3]].concat();
    assert_eq!(sight(&records(&cut_short, 4096)), None);
}

#[test]
fn what_is_no_client_hello_is_known_at_once() {
    for bytes in [
        &b"GET / HTTP/1.1\r\n"[..],
        b"\x80\x2e\x01\x03\x01",
        b"\x15\x03\x01\0\x02\x02\x28",
        b"\x16\x02",
        b"\x16\x03\x01\0\0",
        b"\x16\x03\x01\x40\x01",
        b"\x16\x03\x01\0\x04\x02",
        b"\x16\x03\x01\0\x04\x01\0\x40\x01",
        b"SSH-2.0-x\r\n",
    ] {
        assert_eq!(server_name(bytes), Sight::Nameless, "{bytes:?}");
    }
    let other_inside = [&records(&named("a.example")[..9], 9)[..], b"\x17\x03\x03\0\x01\0"].concat();
    assert_eq!(server_name(&other_inside), Sight::Nameless);
}

proptest! {
    #[test]
    fn nothing_that_comes_later_changes_a_verdict(
        begin in prop::sample::select(vec![0, 1, 2]),
        bytes in prop::collection::vec(any::<u8>(), 0..400),
    ) {
        let begin = [Vec::new(), b"\x16\x03\x01\x01\x00\x01\0\0\xf0".to_vec(), records(&named("a.example"), 40)][begin].clone();
        let bytes = [begin, bytes].concat();
        let last = server_name(&bytes);
        for cut in 0..bytes.len() {
            match server_name(&bytes[..cut]) {
                Sight::More => {}
                early => prop_assert_eq!(&early, &last),
            }
        }
    }

    #[test]
    fn damage_never_makes_another_name_of_known_length(at in 0..100_usize, to: u8) {
        let mut bytes = records(&named("shop.example.com"), 4096);
        let at = at % bytes.len();
        bytes[at] = to;
        if let Sight::Name(name) = server_name(&bytes) {
            prop_assert!(name.len() <= 253 && name.is_ascii());
        }
    }
}
