//! The Date header of answers we make ourselves, formatted once a second.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// An HTTP date (RFC 9110 section 5.6.7), cached for its second.
#[derive(Debug, Default)]
pub struct Date {
    second: u64,
    text: String,
}

impl Date {
    /// The current second.
    pub fn now(&mut self) -> &[u8] {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
        if now != self.second || self.text.is_empty() {
            self.second = now;
            self.text = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(now));
        }
        self.text.as_bytes()
    }
}
