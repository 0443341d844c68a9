//! Once warm, a request and its answer allocate nothing here, bodies in chunks included.

use fastingress_http1::{Decoder, Encoder, Event, Framing, Head, Limits, Scan, encode, hop, path, request, response};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// The system allocator, counting the calls of each thread.
struct Counting;

thread_local! {
    static CALLS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call goes on to the system allocator as it came; counting touches nothing but a thread-local number
// that needs neither allocation nor destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        CALLS.set(CALLS.get() + 1);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

const REQUEST: &[u8] =
    b"POST http://b/a/../%62?x HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, X-Mine\r\nX-Mine: 1\r\n\
    TE: trailers, gzip\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\n\r\n";
const RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nSet-Cookie: a=b\r\n\r\nhi";

/// What a worker keeps from request to request.
#[derive(Default)]
struct Worker {
    request: Head,
    response: Head,
    scratch: Vec<u8>,
    out: Vec<u8>,
}

impl Worker {
    fn serve(&mut self) -> Option<()> {
        let limits = Limits::default();
        self.out.clear();
        let end = Scan::default().find_end(REQUEST, &limits).ok()??;
        let parsed = request::parse(&REQUEST[..end], &limits, &mut self.request).ok()?;
        path::normalise(self.request.path(), true, &mut self.scratch).ok()?;
        hop::strip_hop_by_hop(&mut self.request, parsed.upgrade);
        self.request.set(b"X-Forwarded-Proto", b"http");
        encode::request(&self.request, parsed.framing, true, &mut self.out);
        self.relay(parsed.framing, &REQUEST[end..])?;
        let end = Scan::default().find_end(RESPONSE, &limits).ok()??;
        let parsed = response::parse(&RESPONSE[..end], &limits, b"POST", false, &mut self.response).ok()?;
        hop::strip_hop_by_hop(&mut self.response, parsed.upgrade);
        encode::response(
            &self.response,
            parsed.framing,
            self.request.version(),
            true,
            false,
            &mut self.out,
        );
        self.relay(parsed.framing, &RESPONSE[end..])
    }

    fn relay(&mut self, framing: Framing, mut body: &[u8]) -> Option<()> {
        let (mut decoder, mut encoder) = (Decoder::new(framing), Encoder::new(framing, framing));
        loop {
            let (taken, event) = decoder.decode(body).ok()?;
            body = &body[taken..];
            let event = event?;
            encoder.before(&event, &mut self.out);
            if let Event::Data(data) = event {
                self.out.extend_from_slice(data);
            }
            encoder.after(&event, &mut self.out);
            if event == Event::End {
                return Some(());
            }
        }
    }
}

#[test]
fn a_warm_worker_allocates_nothing() {
    let mut worker = Worker::default();
    worker.serve().expect("the request is good");
    let written = worker.out.clone();
    let before = CALLS.get();
    assert!(before > 0, "the counter counts");
    for _ in 0..100 {
        worker.serve().expect("the request is good");
    }
    assert_eq!(CALLS.get(), before);
    assert_eq!(worker.out, written);
}
