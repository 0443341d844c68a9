//! `Strict-Transport-Security`, as ingress-nginx sends it: over TLS, for hosts that have a certificate, in place of what
//! the backend said.

use fastingress_http1::Head;
use fastingress_route::schema::Settings;
use std::io::Write;

/// Longer than any value is.
const LONGEST: usize = 96;

/// Sets the header where the settings want it. RFC 6797, section 6.1.
pub fn hsts(head: &mut Head, settings: &Settings) {
    if !settings.hsts {
        return;
    }
    let mut space = [0; LONGEST];
    let mut rest = &mut space[..];
    let subdomains = if settings.hsts_include_subdomains {
        "; includeSubDomains"
    } else {
        ""
    };
    let preload = if settings.hsts_preload { "; preload" } else { "" };
    write!(rest, "max-age={}{subdomains}{preload}", settings.hsts_max_age).expect("there is room for any value");
    let left = rest.len();
    head.set(b"Strict-Transport-Security", &space[..LONGEST - left]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(settings: &Settings) -> Vec<String> {
        let mut head = Head::new();
        head.append(b"strict-transport-security", b"max-age=1");
        hsts(&mut head, settings);
        head.iter()
            .map(|(_, _, value)| String::from_utf8(value.to_vec()).unwrap())
            .collect()
    }

    #[test]
    fn the_settings_say_what_is_sent_and_the_backend_does_not() {
        let mut settings = Settings::default();
        assert_eq!(sent(&settings), ["max-age=31536000; includeSubDomains"]);
        settings.hsts_preload = true;
        settings.hsts_max_age = u64::MAX;
        assert_eq!(
            sent(&settings),
            [format!("max-age={}; includeSubDomains; preload", u64::MAX)]
        );
        settings.hsts_include_subdomains = false;
        settings.hsts_preload = false;
        settings.hsts_max_age = 0;
        assert_eq!(sent(&settings), ["max-age=0"]);
        settings.hsts = false;
        assert_eq!(sent(&settings), ["max-age=1"]);
    }
}
