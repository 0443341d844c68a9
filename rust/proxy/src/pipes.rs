//! Pipes of the kernel, through which bytes go from one socket to another without ever being copied into this process.
//!
//! A pipe is two descriptors and is worth having only while bytes are in it, so a worker lends them: a direction has one while the
//! sink is behind, and gives it back when it is empty.

use rustix::io::Errno;
use rustix::pipe::{PipeFlags, SpliceFlags, pipe_with, splice};
use std::cell::RefCell;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use tokio::io::Interest;
use tokio::net::TcpStream;

/// Empty pipes kept per worker.
const KEPT: usize = 16;
/// Pipes of a worker at most, lent or kept: what sinks are behind with is memory of the kernel.
const MOST: usize = 64;
/// Where descriptors are few, all workers together have a pipe for so many clients, which have one descriptor each.
const CLIENTS_PER_PIPE: usize = 64;
/// The most that is asked for at once. A pipe holds sixteen pieces of a socket's memory, each of a page or, in some kernels, of
/// 32 KiB; what a slow sink leaves in it counts in the global budget, as much as two reads.
const PIECE: usize = 128 * 1024;

/// The pipes of one worker.
#[derive(Debug)]
pub struct Pipes {
    most: usize,
    empty: RefCell<Vec<Pipe>>,
    /// Each pipe has a share of it.
    open: Rc<()>,
}

impl Default for Pipes {
    fn default() -> Self {
        Self::new(MOST)
    }
}

#[derive(Debug)]
struct Pipe {
    read: OwnedFd,
    write: OwnedFd,
    _open: Rc<()>,
}

impl Pipes {
    /// None yet, and so many at most.
    pub fn new(most: usize) -> Self {
        Self {
            most,
            empty: RefCell::default(),
            open: Rc::default(),
        }
    }

    /// How many a worker may have, of so many, where there may be so many clients.
    pub fn fitting(clients: usize, workers: usize) -> usize {
        (clients / CLIENTS_PER_PIPE / workers.max(1)).clamp(1, MOST)
    }

    fn take(&self) -> io::Result<Pipe> {
        if let Some(pipe) = self.empty.borrow_mut().pop() {
            return Ok(pipe);
        }
        if Rc::strong_count(&self.open) > self.most {
            return Err(Errno::MFILE.into());
        }
        let (read, write) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        Ok(Pipe {
            read,
            write,
            _open: self.open.clone(),
        })
    }

    /// Pipes that wait to be lent.
    #[cfg(test)]
    pub fn empty(&self) -> usize {
        self.empty.borrow().len()
    }

    /// Pipes that there are.
    #[cfg(test)]
    pub fn open(&self) -> usize {
        Rc::strong_count(&self.open) - 1
    }

    /// Takes an empty one back.
    fn give(&self, pipe: Pipe) {
        let mut empty = self.empty.borrow_mut();
        if empty.len() < KEPT {
            empty.push(pipe);
        }
    }
}

/// Bytes of one direction that have left the source and not reached the sink.
#[derive(Debug, Default)]
pub struct Passage {
    pipe: Option<Pipe>,
    /// Bytes in the pipe; without any there is none.
    held: usize,
}

impl Passage {
    /// Bytes in the pipe.
    pub fn held(&self) -> usize {
        self.held
    }

    /// Moves up to `most` bytes into the pipe, which is empty: what would block is the source. Zero when that has ended.
    pub fn poll_fill(
        &mut self,
        cx: &mut Context<'_>,
        source: &TcpStream,
        most: u64,
        pipes: &Pipes,
    ) -> Poll<io::Result<usize>> {
        let most = usize::try_from(most).unwrap_or(PIECE).min(PIECE);
        loop {
            ready!(source.poll_read_ready(cx))?;
            let pipe = pipes.take()?;
            let filled = source.try_io(Interest::READABLE, || move_some(source, &pipe.write, most));
            match filled {
                Ok(bytes @ 1..) => (self.pipe, self.held) = (Some(pipe), bytes),
                _ => pipes.give(pipe),
            }
            match filled {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                filled => return Poll::Ready(filled),
            }
        }
    }

    /// Moves what the sink takes out of the pipe, which is not empty: what would block is the sink.
    pub fn poll_drain(&mut self, cx: &mut Context<'_>, sink: &TcpStream, pipes: &Pipes) -> Poll<io::Result<usize>> {
        let Some(pipe) = &self.pipe else {
            return Poll::Ready(Ok(0));
        };
        let taken = loop {
            ready!(sink.poll_write_ready(cx))?;
            match sink.try_io(Interest::WRITABLE, || move_some(&pipe.read, sink, self.held)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Ok(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                taken => break taken?,
            }
        };
        self.held -= taken;
        if self.held == 0
            && let Some(pipe) = self.pipe.take()
        {
            pipes.give(pipe);
        }
        Poll::Ready(Ok(taken))
    }

    /// Reads what is in the pipe, for where the kernel moves bytes into one and not out of it. Nothing blocks: they are there.
    pub fn take_back(&mut self, bytes: &mut Vec<u8>, pipes: &Pipes) -> io::Result<()> {
        let Some(pipe) = self.pipe.take() else {
            return Ok(());
        };
        while self.held > 0 {
            let start = bytes.len();
            bytes.resize(start + self.held, 0);
            let read = rustix::io::read(&pipe.read, &mut bytes[start..])?;
            bytes.truncate(start + read);
            self.held -= read;
        }
        pipes.give(pipe);
        Ok(())
    }
}

/// True when it is not the sockets that failed: there is no descriptor for a pipe, or the kernel does not do this here.
pub fn is_not_possible(error: &io::Error) -> bool {
    let code = error.raw_os_error().map(Errno::from_raw_os_error);
    matches!(
        code,
        Some(Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::INVAL | Errno::NOSYS | Errno::PERM)
    )
}

fn move_some(from: impl AsFd, to: impl AsFd, most: usize) -> io::Result<usize> {
    let moved = splice(from, None, to, None, most, SpliceFlags::NONBLOCK | SpliceFlags::MOVE);
    Ok(moved?)
}
