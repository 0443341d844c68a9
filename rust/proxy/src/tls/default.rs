//! The certificate that serves when there is no other: self-signed, made anew at each start.

use super::config::TlsError;
use rustls::crypto::aws_lc_rs::sign;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// The common name, so that whoever sees it in a browser knows where it comes from.
pub const COMMON_NAME: &str = "fastingress default certificate";

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Makes a key and a certificate for no name at all, valid for ten years.
///
/// # Errors
/// [`TlsError::Default`] when there is no randomness to make a key from.
pub fn self_signed() -> Result<Arc<CertifiedKey>, TlsError> {
    let failed = |error: rcgen::Error| TlsError::Default(error.to_string());
    let key = rcgen::KeyPair::generate().map_err(failed)?;
    let mut params = rcgen::CertificateParams::default();
    params.distinguished_name.push(rcgen::DnType::CommonName, COMMON_NAME);
    let now = SystemTime::now();
    params.not_before = (now - DAY).into();
    params.not_after = (now + 3650 * DAY).into();
    let certificate = params.self_signed(&key).map_err(failed)?;
    let der = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let signer = sign::any_supported_type(&der).map_err(|error| TlsError::Default(error.to_string()))?;
    Ok(Arc::new(CertifiedKey::new(vec![certificate.der().clone()], signer)))
}
