//! Where log lines go: a descriptor that may block, fail for a while, or have no reader any more.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsRawFd;

/// Writes whole lines. An error loses the lines of one write, never the thread: a disk may have room again.
#[derive(Debug)]
pub struct Output {
    file: File,
    /// The last write ended within a line.
    torn: bool,
}

impl Output {
    /// Writes to `file`, which is not made non-blocking: others may have it open.
    pub fn new(file: File) -> Self {
        Self { file, torn: false }
    }

    /// Writes lines that end in a line feed; blocks as long as nobody takes them. After a write that ended in the middle
    /// of a line the next one begins a new line.
    ///
    /// # Errors
    /// The system's: some of the lines may be lost.
    pub fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        if self.torn {
            self.write_bytes(b"\n")?;
        }
        self.write_bytes(lines)
    }

    fn write_bytes(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.file.write(bytes) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(written) => {
                    self.torn = bytes[written - 1] != b'\n';
                    bytes = &bytes[written..];
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // Somebody else who has it open made it non-blocking.
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.until_writable()?,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn until_writable(&self) -> io::Result<()> {
        let mut poll = libc::pollfd {
            fd: self.file.as_raw_fd(),
            events: libc::POLLOUT,
            revents: 0,
        };
        // SAFETY: the pointer is to one live pollfd.
        let ready = unsafe { libc::poll(&raw mut poll, 1, -1) };
        match io::Error::last_os_error() {
            error if ready < 0 && error.kind() != ErrorKind::Interrupted => Err(error),
            _ => Ok(()),
        }
    }
}
