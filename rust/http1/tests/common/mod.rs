//! Reads the corpus and turns what the engine says into text that can be compared.

#![allow(dead_code)]

use fastingress_http1::{Decoder, Error, Event, Framing, Head, Limits, Scan, request, response};
use std::fmt::Write;
use std::path::Path;

/// What came of a case, as its `=>` line says it.
pub type Outcome = String;

/// One case of the corpus.
pub struct Case {
    /// What it is about.
    pub about: String,
    /// What arrives.
    pub bytes: Vec<u8>,
    /// What must come of it.
    pub outcome: Outcome,
    /// For a response: the method of the request.
    pub method: Vec<u8>,
    /// For a response: the request asked for an upgrade.
    pub upgrade: bool,
}

/// The text of a corpus file.
pub fn read(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../http1/tests/corpus")
        .join(file);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The cases of a corpus file.
pub fn cases(file: &str) -> Vec<Case> {
    let text = read(file);
    let cases: Vec<Case> = text.split("\n== ").skip(1).map(case).collect();
    assert!(cases.len() > 10, "{file} holds few cases");
    cases
}

fn case(text: &str) -> Case {
    let mut lines = text.lines();
    let about = lines.next().expect("a case has a title").to_owned();
    let mut case = Case {
        about,
        bytes: Vec::new(),
        outcome: String::new(),
        method: b"GET".to_vec(),
        upgrade: false,
    };
    for line in lines {
        match line {
            "[HEAD]" => case.method = b"HEAD".to_vec(),
            "[upgrade]" => case.upgrade = true,
            _ if line.starts_with("=>") => {
                case.outcome = escape(&unescape(line.strip_prefix("=> ").unwrap_or_default()));
                return case;
            }
            _ => case.bytes.extend(unescape(line)),
        }
    }
    panic!("{}: no outcome", case.about);
}

/// The bytes that an escaped line stands for.
pub fn unescape(line: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = line.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        if *first != b'\\' {
            bytes.push(*first);
            continue;
        }
        let (kind, after) = rest.split_first().expect("a backslash escapes something");
        rest = after;
        match kind {
            b'r' => bytes.push(b'\r'),
            b'n' => bytes.push(b'\n'),
            b't' => bytes.push(b'\t'),
            b'0' => bytes.push(0),
            b'\\' => bytes.push(b'\\'),
            b'x' => {
                let digits = std::str::from_utf8(&rest[..2]).expect("two digits");
                bytes.push(u8::from_str_radix(digits, 16).expect("two hexadecimal digits"));
                rest = &rest[2..];
            }
            b'{' => {
                let end = rest.iter().position(|byte| *byte == b'}').expect("a closing brace");
                let count = std::str::from_utf8(&rest[2..end])
                    .expect("a count")
                    .parse()
                    .expect("a count");
                bytes.extend(std::iter::repeat_n(rest[0], count));
                rest = &rest[end + 1..];
            }
            other => panic!("{line}: unknown escape {}", char::from(*other)),
        }
    }
    bytes
}

fn escape(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

/// What comes of a request that arrives in these pieces.
pub fn request_outcome(parts: &[&[u8]]) -> Outcome {
    run(parts, |bytes| {
        let mut head = Head::new();
        let request = request::parse(bytes, &Limits::default(), &mut head)?;
        let mut said = String::new();
        let start = [head.method(), head.target(), head.authority()].map(escape).join(" ");
        let _ = write!(
            said,
            "{start} {} {}",
            framing(request.framing),
            persistence(request.keep_alive)
        );
        said.push_str(if request.expect_continue { " expect" } else { "" });
        said.push_str(if request.upgrade { " upgrade" } else { "" });
        Ok((said, request.framing))
    })
}

/// What comes of a response that arrives in these pieces.
pub fn response_outcome(parts: &[&[u8]], method: &[u8], upgrade: bool) -> Outcome {
    run(parts, |bytes| {
        let mut head = Head::new();
        let response = response::parse(bytes, &Limits::default(), method, upgrade, &mut head)?;
        let mut said = String::new();
        let _ = write!(
            said,
            "{} {} {}",
            head.status(),
            framing(response.framing),
            persistence(response.keep_alive)
        );
        said.push_str(if response.interim { " interim" } else { "" });
        said.push_str(if response.upgrade { " upgrade" } else { "" });
        Ok((said, response.framing))
    })
}

/// What comes of a chunked body that arrives in these pieces.
pub fn chunked_outcome(parts: &[&[u8]]) -> Outcome {
    let mut body = Body::new(Framing::Chunked);
    parts.iter().for_each(|part| body.feed(part));
    body.outcome().trim_start_matches(" |").trim_start().to_owned()
}

/// Feeds pieces to the scan until the head is whole, parses it, and feeds what follows to the decoder.
fn run(parts: &[&[u8]], parse: impl Fn(&[u8]) -> Result<(String, Framing), Error>) -> Outcome {
    let mut scan = Scan::default();
    let mut received = Vec::new();
    let mut parts = parts.iter();
    for part in parts.by_ref() {
        received.extend_from_slice(part);
        let end = match scan.find_end(&received, &Limits::default()) {
            Ok(None) => continue,
            Ok(Some(end)) => end,
            Err(error) => return format!("refused {}", error.as_str()),
        };
        return match parse(&received[..end]) {
            Err(error) => format!("refused {}", error.as_str()),
            Ok((said, framing)) => {
                let mut body = Body::new(framing);
                body.feed(&received[end..]);
                parts.for_each(|part| body.feed(part));
                said + &body.outcome()
            }
        };
    }
    "incomplete".into()
}

/// A body that arrives in pieces, and what was understood of it.
struct Body {
    decoder: Decoder,
    framing: Framing,
    events: Vec<String>,
    data: Vec<u8>,
    rest: Vec<u8>,
    pending: Vec<u8>,
    error: Option<Error>,
}

impl Body {
    fn new(framing: Framing) -> Self {
        let (events, data, rest, pending) = Default::default();
        Self {
            decoder: Decoder::new(framing),
            framing,
            events,
            data,
            rest,
            pending,
            error: None,
        }
    }

    fn feed(&mut self, part: &[u8]) {
        self.pending.extend_from_slice(part);
        let input = std::mem::take(&mut self.pending);
        let mut at = 0;
        while self.error.is_none() {
            let (taken, event) = match self.decoder.decode(&input[at..]) {
                Ok(step) => step,
                Err(error) => {
                    self.error = Some(error);
                    return;
                }
            };
            at += taken;
            let Some(event) = event else {
                if self.decoder.is_done() {
                    self.rest.extend_from_slice(&input[at..]);
                } else {
                    assert_eq!(at, input.len(), "a decoder that asks for more has taken all");
                }
                return;
            };
            self.note(event);
        }
    }

    fn note(&mut self, event: Event<'_>) {
        if let Event::Data(data) = event {
            assert!(!data.is_empty());
            self.data.extend_from_slice(data);
            return;
        }
        self.flush();
        match event {
            Event::Data(_) => {}
            Event::ChunkStart(size) => self.events.push(format!("chunk={size}")),
            Event::ChunkEnd => self.events.push("done".into()),
            Event::Trailers(trailers) => {
                for (_, name, value) in trailers.iter() {
                    self.events.push(format!("trailer={}: {}", escape(name), escape(value)));
                }
            }
            Event::End => self.events.push("end".into()),
        }
    }

    fn flush(&mut self) {
        if !self.data.is_empty() {
            self.events.push(format!("data={}", escape(&self.data)));
            self.data.clear();
        }
    }

    /// ` |` and the events; nothing for a message without a body and without anything after it.
    fn outcome(mut self) -> String {
        self.flush();
        if let Some(error) = self.error.or_else(|| self.decoder.finish_on_eof().err()) {
            self.events.push(format!("refused {}", error.as_str()));
        }
        if !self.rest.is_empty() {
            self.events.push(format!("rest={}", escape(&self.rest)));
        }
        if self.framing == Framing::Empty && self.rest.is_empty() {
            return String::new();
        }
        let mut said = String::from(" |");
        self.events.iter().for_each(|event| {
            said.push(' ');
            said.push_str(event);
        });
        said
    }
}

fn framing(framing: Framing) -> String {
    match framing {
        Framing::Empty => "empty".into(),
        Framing::Length(length) => format!("length={length}"),
        Framing::Chunked => "chunked".into(),
        Framing::UntilClose => "close".into(),
    }
}

fn persistence(keep_alive: bool) -> &'static str {
    if keep_alive { "keep" } else { "close" }
}
