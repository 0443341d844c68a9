//! The second signal ends the process at once, also while Python is busy.
//!
//! Python's own handlers run only between two of its instructions. But the C handler beneath them writes the number of
//! each signal to the wakeup descriptor at once, and a thread that reads it needs no interpreter to act.

use crate::errors;
use pyo3::prelude::*;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};

/// Starts a thread that reads signal numbers from `fd`, the reading end of a pipe or socket pair whose writing end was given to
/// `signal.set_wakeup_fd`. At the second SIGTERM, SIGINT or SIGQUIT it ends the process with status 128 + n. It ends itself when
/// the writing end is closed. The descriptor is duplicated; the caller keeps its own.
#[pyfunction]
#[pyo3(signature = (fd, /))]
pub fn watch_signals(fd: RawFd) -> PyResult<()> {
    let pipe =
        duplicate(fd).map_err(|error| errors::refused(error.raw_os_error(), format!("watch_signals: {error}")))?;
    let masked = Masked::all();
    let spawned = std::thread::Builder::new()
        .name("signals".into())
        .spawn(move || watch(pipe));
    drop(masked);
    spawned
        .map(|_| ())
        .map_err(|error| errors::refused(error.raw_os_error(), format!("watch_signals: {error}")))
}

fn duplicate(fd: RawFd) -> std::io::Result<File> {
    if fd < 0 {
        return Err(std::io::Error::from_raw_os_error(libc::EBADF));
    }
    // SAFETY: the descriptor is only borrowed for this call, which fails with EBADF if nothing is open there.
    unsafe { BorrowedFd::borrow_raw(fd) }
        .try_clone_to_owned()
        .map(File::from)
}

fn watch(mut pipe: File) {
    let mut asked = 0_u32;
    let mut bytes = [0_u8; 64];
    loop {
        let read = match pipe.read(&mut bytes) {
            Ok(0) => return,
            Ok(read) => read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                wait_readable(&pipe);
                continue;
            }
            Err(_) => return,
        };
        for &byte in &bytes[..read] {
            let signal = i32::from(byte);
            asked += u32::from([libc::SIGTERM, libc::SIGINT, libc::SIGQUIT].contains(&signal));
            if asked >= 2 {
                // SAFETY: ends the process; runs no destructor and takes no lock, which is the point.
                unsafe { libc::_exit(128 + signal) };
            }
        }
    }
}

fn wait_readable(pipe: &File) {
    let mut poll = libc::pollfd {
        fd: pipe.as_raw_fd(),
        events: libc::POLLIN,
        revents: 0,
    };
    // SAFETY: one valid pollfd, for the length of the call.
    unsafe { libc::poll(&mut poll, 1, -1) };
}

/// All signals blocked on this thread, and so on threads it starts, until dropped.
struct Masked(libc::sigset_t);

impl Masked {
    fn all() -> Self {
        // SAFETY: both sets are plain data that the calls fill in.
        unsafe {
            let mut all: libc::sigset_t = std::mem::zeroed();
            let mut before: libc::sigset_t = std::mem::zeroed();
            libc::sigfillset(&mut all);
            libc::pthread_sigmask(libc::SIG_SETMASK, &all, &mut before);
            Self(before)
        }
    }
}

impl Drop for Masked {
    fn drop(&mut self) {
        // SAFETY: the set was filled in by `all`.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &self.0, std::ptr::null_mut()) };
    }
}
