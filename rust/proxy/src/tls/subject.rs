//! Names of subjects and issuers as text, as RFC 2253 writes them: what backends of nginx have always been told.

use std::fmt::Write;
use x509_parser::x509::{AttributeTypeAndValue, X509Name};

/// The short names that OpenSSL prints.
const KNOWN: [(&str, &str); 15] = [
    ("2.5.4.3", "CN"),
    ("2.5.4.4", "SN"),
    ("2.5.4.5", "serialNumber"),
    ("2.5.4.6", "C"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "ST"),
    ("2.5.4.9", "street"),
    ("2.5.4.10", "O"),
    ("2.5.4.11", "OU"),
    ("2.5.4.12", "title"),
    ("2.5.4.42", "GN"),
    ("2.5.4.97", "organizationIdentifier"),
    ("0.9.2342.19200300.100.1.1", "UID"),
    ("0.9.2342.19200300.100.1.25", "DC"),
    ("1.2.840.113549.1.9.1", "emailAddress"),
];

/// A name, last part first: `CN=alice,O=Example`. Visible ASCII and spaces alone: everything else is escaped.
pub fn text(name: &X509Name<'_>) -> String {
    let mut out = String::new();
    let parts: Vec<_> = name.iter_rdn().collect();
    for part in parts.into_iter().rev() {
        if !out.is_empty() {
            out.push(',');
        }
        let attributes: Vec<_> = part.iter().collect();
        for (at, attribute) in attributes.into_iter().rev().enumerate() {
            if at > 0 {
                out.push('+');
            }
            push(&mut out, attribute);
        }
    }
    out
}

fn push(out: &mut String, attribute: &AttributeTypeAndValue<'_>) {
    let oid = attribute.attr_type().to_id_string();
    let known = KNOWN.iter().find(|(id, _)| *id == oid);
    out.push_str(known.map_or(&*oid, |(_, name)| name));
    out.push('=');
    match attribute.as_str() {
        Ok(text) if known.is_some() => escape(out, text),
        // What is not known, or no text of a common kind: its bytes.
        _ => {
            out.push('#');
            for byte in attribute.attr_value().data {
                write!(out, "{byte:02X}").expect("writing to memory does not fail");
            }
        }
    }
}

/// RFC 2253, section 2.4, with everything beyond ASCII escaped as well.
fn escape(out: &mut String, text: &str) {
    let last = text.len().saturating_sub(1);
    for (at, byte) in text.bytes().enumerate() {
        let special = matches!(byte, b',' | b'+' | b'"' | b'\\' | b'<' | b'>' | b';');
        let edge = byte == b' ' && (at == 0 || at == last) || byte == b'#' && at == 0;
        if special || edge {
            out.push('\\');
            out.push(char::from(byte));
        } else if byte.is_ascii_graphic() || byte == b' ' {
            out.push(char::from(byte));
        } else {
            write!(out, "\\{byte:02X}").expect("writing to memory does not fail");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};
    use x509_parser::prelude::{FromDer, X509Certificate};

    fn written(parts: &[(DnType, &str)]) -> String {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name = DistinguishedName::new();
        for (kind, value) in parts {
            params.distinguished_name.push(kind.clone(), *value);
        }
        let made = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let (_, parsed) = X509Certificate::from_der(made.der()).unwrap();
        text(parsed.subject())
    }

    #[test]
    fn the_last_part_comes_first() {
        let parts = [
            (DnType::CountryName, "CH"),
            (DnType::OrganizationName, "Example"),
            (DnType::CommonName, "alice"),
        ];
        assert_eq!(written(&parts), "CN=alice,O=Example,C=CH");
        assert_eq!(written(&[]), "");
    }

    #[test]
    fn what_would_end_a_part_or_a_line_is_escaped() {
        let nasty = [(DnType::CommonName, " a,b+c\"d\\e<f>g;h=i\r\né ")];
        assert_eq!(
            written(&nasty),
            "CN=\\ a\\,b\\+c\\\"d\\\\e\\<f\\>g\\;h=i\\0D\\0A\\C3\\A9\\ "
        );
        assert_eq!(written(&[(DnType::CommonName, "#1")]), "CN=\\#1");
    }

    #[test]
    fn a_part_of_an_unknown_kind_is_shown_as_its_bytes() {
        let unknown = [(DnType::CustomDnType(vec![1, 2, 3, 4]), "ab")];
        assert_eq!(written(&unknown), "1.2.3.4=#6162");
    }
}
