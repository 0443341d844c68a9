//! What the kernel says of this process: open descriptors, resident memory. Needs no free descriptor to say so.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};

/// Reads `/proc/self`. What cannot be read is left out.
#[derive(Debug)]
pub struct Process {
    /// Opened once, so that it can be read when descriptors have run out.
    statm: Option<File>,
    page: u64,
}

impl Process {
    /// Opens what is needed later.
    pub fn new() -> Self {
        // SAFETY: sysconf has no preconditions.
        let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
        Self {
            statm: File::open("/proc/self/statm").ok(),
            page: u64::try_from(page).unwrap_or(4096),
        }
    }

    /// Resident memory in bytes.
    pub fn resident_bytes(&self) -> Option<u64> {
        let mut text = [0; 128];
        let read = self.statm.as_ref()?.read_at(&mut text, 0).ok()?;
        let pages = std::str::from_utf8(&text[..read])
            .ok()?
            .split(' ')
            .nth(1)?
            .parse::<u64>()
            .ok()?;
        Some(pages * self.page)
    }

    /// Open descriptors. The size of `/proc/self/fd` says it on Linux 6.2 and later; before, they are counted.
    pub fn open_descriptors(&self) -> Option<u64> {
        let size = std::fs::metadata("/proc/self/fd").ok()?.size();
        if size > 0 {
            return Some(size);
        }
        match std::fs::read_dir("/proc/self/fd") {
            // One of them is the directory itself.
            Ok(entries) => Some(entries.count().saturating_sub(1) as u64),
            Err(error) if error.raw_os_error() == Some(libc::EMFILE) => self.descriptor_limit(),
            Err(_) => None,
        }
    }

    /// The soft limit on open descriptors.
    pub fn descriptor_limit(&self) -> Option<u64> {
        let mut limit = libc::rlimit {
            rlim_cur: 0,
            rlim_max: 0,
        };
        // SAFETY: the pointer is to a live rlimit.
        let done = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
        (done == 0).then_some(limit.rlim_cur)
    }
}

impl Default for Process {
    fn default() -> Self {
        Self::new()
    }
}

/// True for the errors that mean that no descriptor is free, here or in the whole system.
pub fn is_out_of_descriptors(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_says_is_plausible() {
        let process = Process::new();
        let resident = process.resident_bytes().expect("statm is readable");
        assert!(resident > 1 << 20 && resident < 1 << 40, "{resident}");
        let limit = process.descriptor_limit().expect("there is a limit");
        let open = process.open_descriptors().expect("descriptors can be counted");
        assert!(open >= 3 && open <= limit, "{open} of {limit}");
    }
}
