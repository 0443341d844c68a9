//! Certificates for the tests of this module, made when they are needed.

use fastingress_route::schema;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, SanType};
use rustls::pki_types::CertificateDer;
use std::time::{Duration, SystemTime};

/// What to make.
pub struct Recipe {
    pub names: Vec<String>,
    pub common_name: Option<&'static str>,
    pub algorithm: &'static rcgen::SignatureAlgorithm,
    pub expired: bool,
}

impl Recipe {
    pub fn new(names: &[&str]) -> Self {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        Self {
            names,
            common_name: None,
            algorithm: &rcgen::PKCS_ECDSA_P256_SHA256,
            expired: false,
        }
    }

    fn params(&self) -> CertificateParams {
        let mut params = CertificateParams::new(self.names.clone()).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        if let Some(name) = self.common_name {
            params.distinguished_name.push(DnType::CommonName, name);
        }
        if self.expired {
            params.not_after = (SystemTime::now() - Duration::from_secs(3600)).into();
        }
        params
    }

    /// A self-signed certificate with its key as PKCS#8.
    pub fn make(&self) -> schema::Certificate {
        let key = KeyPair::generate_for(self.algorithm).unwrap();
        let certificate = self.params().self_signed(&key).unwrap();
        schema::Certificate {
            chain: certificate.pem().into_bytes(),
            key: key.serialize_pem().into_bytes(),
            ocsp: Vec::new(),
        }
    }

    /// A certificate with that of its issuer behind it.
    pub fn make_chain(&self) -> schema::Certificate {
        let mut issuer = CertificateParams::new(Vec::new()).unwrap();
        issuer.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer_key = KeyPair::generate().unwrap();
        let issuer_certificate = issuer.self_signed(&issuer_key).unwrap();
        let key = KeyPair::generate_for(self.algorithm).unwrap();
        let certificate = self.params().signed_by(&key, &Issuer::new(issuer, issuer_key)).unwrap();
        let chain = certificate.pem() + &issuer_certificate.pem();
        schema::Certificate {
            chain: chain.into_bytes(),
            key: key.serialize_pem().into_bytes(),
            ocsp: Vec::new(),
        }
    }
}

/// A P-256 certificate for these names.
pub fn for_names(names: &[&str]) -> schema::Certificate {
    Recipe::new(names).make()
}

/// One for an address, which has no DNS name.
pub fn for_address(address: &str) -> schema::Certificate {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.subject_alt_names = vec![SanType::IpAddress(address.parse().unwrap())];
    let certificate = params.self_signed(&key).unwrap();
    schema::Certificate {
        chain: certificate.pem().into_bytes(),
        key: key.serialize_pem().into_bytes(),
        ocsp: Vec::new(),
    }
}

/// The key of one in the certificate of another.
pub fn with_key_of(certificate: &schema::Certificate, other: &schema::Certificate) -> schema::Certificate {
    schema::Certificate {
        chain: certificate.chain.clone(),
        key: other.key.clone(),
        ocsp: Vec::new(),
    }
}

/// The key inside a PKCS#8 PEM in its older form: PKCS#1 for RSA, SEC1 for elliptic curves.
pub fn older_form(pkcs8: &[u8], label: &str) -> Vec<u8> {
    use rustls::pki_types::{PrivatePkcs8KeyDer, pem::PemObject};
    let der = PrivatePkcs8KeyDer::from_pem_slice(pkcs8).unwrap();
    // SEQUENCE { version INTEGER, algorithm SEQUENCE, key OCTET STRING, .. }
    let (_, fields) = element(der.secret_pkcs8_der());
    let (after_version, _) = element(fields);
    let (after_algorithm, _) = element(after_version);
    let (_, key) = element(after_algorithm);
    pem(label, key)
}

/// The rest and the content of one DER element.
fn element(bytes: &[u8]) -> (&[u8], &[u8]) {
    let (length, header) = match bytes[1] {
        short @ 0..=0x7f => (usize::from(short), 2),
        long => {
            let digits = usize::from(long & 0x7f);
            let length = bytes[2..2 + digits]
                .iter()
                .fold(0, |sum, byte| sum << 8 | usize::from(*byte));
            (length, 2 + digits)
        }
    };
    (&bytes[header + length..], &bytes[header..header + length])
}

/// Wraps bytes in PEM.
pub fn pem(label: &str, der: &[u8]) -> Vec<u8> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = Vec::new();
    for three in der.chunks(3) {
        let bits = three.iter().fold(0, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
        for at in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * at) & 63) as usize];
            text.push(if at <= three.len() { digit } else { b'=' });
        }
    }
    let mut out = format!("-----BEGIN {label}-----\n").into_bytes();
    for line in text.chunks(64) {
        out.extend_from_slice(line);
        out.push(b'\n');
    }
    out.extend_from_slice(format!("-----END {label}-----\n").as_bytes());
    out
}

/// An authority of clients.
pub struct Clients {
    params: CertificateParams,
    key: KeyPair,
    /// Its own certificate and those of its issuers, but for the root's.
    links: Vec<CertificateDer<'static>>,
    certificate: Vec<u8>,
}

impl Clients {
    /// One that issued itself.
    pub fn new(name: &str) -> Self {
        let (params, key) = (ca(name), KeyPair::generate().unwrap());
        let certificate = params.self_signed(&key).unwrap().pem().into_bytes();
        Self {
            params,
            key,
            links: Vec::new(),
            certificate,
        }
    }

    /// One that this one issued.
    pub fn sub(&self, name: &str) -> Self {
        let (params, key) = (ca(name), KeyPair::generate().unwrap());
        let made = params.signed_by(&key, &self.issuer()).unwrap();
        Self {
            params,
            key,
            certificate: made.pem().into_bytes(),
            links: [vec![made.der().clone()], self.links.clone()].concat(),
        }
    }

    /// A client's chain, its own certificate first.
    pub fn issue(&self, name: &str) -> Vec<CertificateDer<'static>> {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        let made = params.signed_by(&KeyPair::generate().unwrap(), &self.issuer()).unwrap();
        [vec![made.der().clone()], self.links.clone()].concat()
    }

    /// Its certificate.
    pub fn pem(&self) -> Vec<u8> {
        self.certificate.clone()
    }

    fn issuer(&self) -> Issuer<'_, &KeyPair> {
        Issuer::new(self.params.clone(), &self.key)
    }
}

fn ca(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
}
