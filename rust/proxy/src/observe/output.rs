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

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, pipe};
    use std::os::fd::OwnedFd;

    #[test]
    fn a_torn_line_is_ended_before_the_next_one() {
        let (mut reader, writer) = pipe().unwrap();
        let mut output = Output {
            file: OwnedFd::from(writer).into(),
            torn: true,
        };
        output.write(b"a\n").unwrap();
        output.write(b"b\n").unwrap();
        drop(output);
        let mut read = String::new();
        reader.read_to_string(&mut read).unwrap();
        assert_eq!(read, "\na\nb\n");
    }

    #[test]
    fn an_error_is_not_the_end() {
        let mut output = Output::new(File::options().write(true).open("/dev/full").unwrap());
        for _ in 0..2 {
            assert_eq!(output.write(b"a\n").unwrap_err().raw_os_error(), Some(libc::ENOSPC));
        }
    }

    #[test]
    fn an_output_that_others_made_non_blocking_is_waited_for() {
        let (mut reader, writer) = pipe().unwrap();
        // SAFETY: the descriptor is open, and the flag is an integer.
        let set = unsafe { libc::fcntl(writer.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) };
        assert_eq!(set, 0);
        let lines = b"0123456789abcde\n".repeat(64 << 10);
        let sent = lines.clone();
        let sender = std::thread::spawn(move || Output::new(OwnedFd::from(writer).into()).write(&sent));
        let mut read = Vec::new();
        reader.read_to_end(&mut read).unwrap();
        sender.join().unwrap().unwrap();
        assert!(read == lines);
    }
}
