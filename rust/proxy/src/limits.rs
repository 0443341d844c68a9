//! What the system gives a process: descriptors, signals, standard output, an end.

use crate::server::StartError;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

/// Descriptors that are not for connections: listeners, pipes, files being read, the admin port.
const RESERVED: u64 = 256;

/// Raises the soft limit of open files to the hard one and gives the number of client connections to take: what is asked
/// for, as far as there are descriptors; else three quarters of them, which leaves one for a backend to every third.
pub fn connections(asked: usize) -> Result<usize, StartError> {
    let raised = raise_descriptor_limit();
    let descriptors = raised.map_err(|source| StartError::System {
        what: "raise RLIMIT_NOFILE",
        source,
    })?;
    Ok(fitting(asked, descriptors))
}

fn fitting(asked: usize, descriptors: u64) -> usize {
    let free = usize::try_from(descriptors.saturating_sub(RESERVED))
        .unwrap_or(usize::MAX)
        .max(16);
    if asked == 0 {
        (free / 4 * 3).max(16)
    } else {
        asked.min(free)
    }
}

fn raise_descriptor_limit() -> io::Result<u64> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: both calls take a pointer to an rlimit that lives across them.
    unsafe {
        if libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) != 0 {
            return Err(io::Error::last_os_error());
        }
        if limit.rlim_cur < limit.rlim_max {
            let raised = libc::rlimit {
                rlim_cur: limit.rlim_max,
                ..limit
            };
            if libc::setrlimit(libc::RLIMIT_NOFILE, &raw const raised) == 0 {
                limit = raised;
            }
        }
    }
    Ok(limit.rlim_cur)
}

/// Blocks all signals on this thread: they are Python's.
pub fn block_signals() {
    // SAFETY: the set is filled before it is used, and the call changes this thread alone.
    unsafe {
        let mut all = std::mem::zeroed::<libc::sigset_t>();
        libc::sigfillset(&raw mut all);
        libc::pthread_sigmask(libc::SIG_BLOCK, &raw const all, std::ptr::null_mut());
    }
}

/// Standard output as a file of its own.
pub fn standard_output() -> io::Result<File> {
    let own: OwnedFd = io::stdout().as_fd().try_clone_to_owned()?;
    Ok(own.into())
}

/// Ends the process at once with a word on standard error.
pub fn die(why: &str) -> ! {
    let line = format!("fastingress: {why}; exiting\n");
    // SAFETY: the bytes live across the call; `_exit` runs no handlers, which other threads may be in the middle of.
    unsafe {
        libc::write(libc::STDERR_FILENO, line.as_ptr().cast(), line.len());
        libc::_exit(70)
    }
}

#[cfg(test)]
mod tests {
    use super::fitting;

    #[test]
    fn connections_follow_the_descriptors() {
        assert_eq!(fitting(0, 20_000), 14_808);
        assert_eq!(fitting(15_000, 20_000), 15_000, "what is asked for, if it fits");
        assert_eq!(fitting(30_000, 20_000), 19_744, "what fits, if it does not");
        assert_eq!(fitting(0, 64), 16, "a few at least");
    }
}
