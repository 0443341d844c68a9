//! Clients' certificates at work: who is let in, and what the backend is told.

use super::clean::{push, uri};
use super::{Exchange, Local, Verdict};
use crate::tls::client_auth::Outcome;
use fastingress_http1::Head;

/// Answers requests whose client has not the certificate that the host asks for.
pub(super) fn require(_: &mut Head, exchange: &Exchange<'_>, _: &mut Vec<u8>) -> Verdict {
    let Some(admission) = exchange.admission else {
        return Verdict::Continue;
    };
    let reason = match admission.outcome() {
        Outcome::Admitted => return Verdict::Continue,
        Outcome::Unauthorised => return Verdict::refuse(403, "client_certificate_unauthorised"),
        Outcome::NoCertificate => "no_client_certificate",
        Outcome::BadCertificate => "bad_client_certificate",
    };
    let Some(page) = admission.error_page() else {
        return Verdict::refuse(400, reason);
    };
    let mut location = Vec::new();
    push(&mut location, page.as_bytes(), uri);
    Verdict::Respond(Local {
        status: 302,
        location: Some(location),
        reason,
    })
}

/// Tells the backend how the client stands. What clients themselves said of it is gone by now.
pub(super) fn tell(head: &mut Head, exchange: &Exchange<'_>, scratch: &mut Vec<u8>) -> Verdict {
    let Some(admission) = exchange.admission else {
        return Verdict::Continue;
    };
    scratch.clear();
    admission.verify(scratch);
    head.append(b"ssl-client-verify", scratch);
    let told: [(&[u8], &str); 3] = [
        (b"ssl-client-subject-dn", admission.subject()),
        (b"ssl-client-issuer-dn", admission.issuer()),
        (b"ssl-client-cert", admission.pem()),
    ];
    for (name, value) in told {
        if !value.is_empty() {
            head.append(name, value.as_bytes());
        }
    }
    Verdict::Continue
}
