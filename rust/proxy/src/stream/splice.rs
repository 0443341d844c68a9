//! splice(2): bytes go from one socket to another through a pipe, and never into our memory.
//!
//! The only file here that speaks to the kernel by hand. Pipes are pooled by their worker; one that holds bytes belongs to
//! one direction of one stream.

use std::cell::{Cell, RefCell};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::rc::Rc;

/// Bytes asked for at once; the pipe takes what it has room for.
const AT_ONCE: usize = 1 << 20;
/// Bytes that a pipe is to have room for, where the system permits it.
const ROOM: libc::c_int = 256 << 10;
/// Pipes kept per worker.
const POOLED: usize = 32;
/// Pipes of a worker: each may hold bytes for a sink that is slow, which nothing else counts. Further streams copy.
const MOST: usize = 128;

/// A pipe, and how much is in it.
#[derive(Debug)]
pub(super) struct Pipe {
    out: OwnedFd,
    into: OwnedFd,
    held: usize,
    _counted: Counted,
}

impl Pipe {
    fn new(alive: &Rc<Cell<usize>>) -> io::Result<Self> {
        if alive.get() >= MOST {
            return Err(io::ErrorKind::QuotaExceeded.into());
        }
        let mut ends = [0; 2];
        // SAFETY: the call writes two descriptors into an array of two, or fails.
        if unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_NONBLOCK | libc::O_CLOEXEC) } != 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: both were just opened and nobody else knows them.
        let [out, into] = ends.map(|end| unsafe { OwnedFd::from_raw_fd(end) });
        // SAFETY: takes an int. Where it is refused the pipe has its usual room.
        let _less = unsafe { libc::fcntl(into.as_raw_fd(), libc::F_SETPIPE_SZ, ROOM) };
        Ok(Self {
            out,
            into,
            held: 0,
            _counted: Counted::new(alive),
        })
    }

    /// Bytes in it.
    pub(super) fn held(&self) -> usize {
        self.held
    }

    /// Takes what a socket has; to be called while the pipe is empty, so that `WouldBlock` is said of the socket alone.
    /// 0: it has ended.
    pub(super) fn fill(&mut self, socket: BorrowedFd<'_>) -> io::Result<usize> {
        let taken = splice(socket.as_raw_fd(), self.into.as_raw_fd(), AT_ONCE)?;
        self.held += taken;
        Ok(taken)
    }

    /// Gives a socket as much as it takes.
    pub(super) fn drain(&mut self, socket: BorrowedFd<'_>) -> io::Result<usize> {
        let given = splice(self.out.as_raw_fd(), socket.as_raw_fd(), self.held)?;
        self.held -= given;
        Ok(given)
    }
}

fn splice(from: libc::c_int, to: libc::c_int, count: usize) -> io::Result<usize> {
    let flags = libc::SPLICE_F_MOVE | libc::SPLICE_F_NONBLOCK;
    // SAFETY: the descriptors are open while their owners are borrowed, and no memory of ours is involved.
    let moved = unsafe { libc::splice(from, std::ptr::null_mut(), to, std::ptr::null_mut(), count, flags) };
    usize::try_from(moved).map_err(|_| io::Error::last_os_error())
}

/// One pipe among those of its worker.
#[derive(Debug)]
struct Counted(Rc<Cell<usize>>);

impl Counted {
    fn new(alive: &Rc<Cell<usize>>) -> Self {
        alive.set(alive.get() + 1);
        Self(alive.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

/// The pipes of one worker.
#[derive(Debug, Default)]
pub struct Pipes {
    empty: RefCell<Vec<Pipe>>,
    alive: Rc<Cell<usize>>,
}

impl Pipes {
    /// An empty one.
    pub(super) fn take(&self) -> io::Result<Pipe> {
        match self.empty.borrow_mut().pop() {
            Some(pipe) => Ok(pipe),
            None => Pipe::new(&self.alive),
        }
    }

    /// Takes one back, if it is empty.
    pub(super) fn give(&self, pipe: Pipe) {
        let mut pipes = self.empty.borrow_mut();
        if pipe.held == 0 && pipes.len() < POOLED {
            pipes.push(pipe);
        }
    }
}
