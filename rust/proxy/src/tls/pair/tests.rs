//! Tests of certificate chains and their keys.

use super::*;
use crate::tls::testing::{Recipe, for_address, for_names, older_form, pem, with_key_of};

fn names_of(source: &schema::Certificate) -> Vec<String> {
    Pair::parse(source).unwrap().names().list()
}

#[test]
fn every_kind_of_key_in_every_form_signs() {
    let p256 = for_names(&["a.example"]);
    let p384 = Recipe {
        algorithm: &rcgen::PKCS_ECDSA_P384_SHA384,
        ..Recipe::new(&["a.example"])
    }
    .make();
    let ed25519 = Recipe {
        algorithm: &rcgen::PKCS_ED25519,
        ..Recipe::new(&["a.example"])
    }
    .make();
    let rsa = Recipe {
        algorithm: &rcgen::PKCS_RSA_SHA256,
        ..Recipe::new(&["a.example"])
    }
    .make();
    let sec1 = |of: &schema::Certificate| schema::Certificate {
        chain: of.chain.clone(),
        key: older_form(&of.key, "EC PRIVATE KEY"),
        ocsp: Vec::new(),
    };
    let pkcs1 = schema::Certificate {
        chain: rsa.chain.clone(),
        key: older_form(&rsa.key, "RSA PRIVATE KEY"),
        ocsp: Vec::new(),
    };
    for source in [&p256, &sec1(&p256), &p384, &sec1(&p384), &ed25519, &rsa, &pkcs1] {
        let pair = Pair::parse(source).unwrap();
        assert_eq!(pair.checked(), None, "the key is not touched before it is needed");
        assert!(pair.signing().is_ok(), "{}", String::from_utf8_lossy(&source.key[..32]));
        assert_eq!(pair.checked(), Some(Ok(())));
    }
}

#[test]
fn text_around_pem_and_parameters_before_a_key_are_skipped() {
    let mut source = for_names(&["a.example"]);
    source.chain = [
        b"subject=CN = a\n\n".to_vec(),
        source.chain,
        b"\ntrailing words\n".to_vec(),
    ]
    .concat();
    source.key = [pem("EC PARAMETERS", &[6, 8, 42, 134, 72, 206, 61, 3, 1, 7]), source.key].concat();
    assert!(Pair::parse(&source).unwrap().signing().is_ok());
}

#[test]
fn a_chain_is_served_whole() {
    let pair = Pair::parse(&Recipe::new(&["a.example"]).make_chain()).unwrap();
    assert_eq!(pair.signing().unwrap().cert.len(), 2);
}

#[test]
fn what_cannot_be_read_says_why_without_a_byte_of_it() {
    let good = for_names(&["a.example"]);
    let text = |bytes: &[u8]| bytes.to_vec();
    let cut = |bytes: &[u8]| bytes[..bytes.len() - 40].to_vec();
    let (not_x509, not_a_key) = (pem("CERTIFICATE", b"secret"), pem("PRIVATE KEY", b"secret"));
    let second_damaged = [good.chain.clone(), not_x509.clone()].concat();
    let cases = [
        (text(b""), text(&good.key), "holds no PEM certificate"),
        (text(b"secret"), text(&good.key), "holds no PEM certificate"),
        (cut(&good.chain), text(&good.key), "without its END line"),
        (text(&good.key), text(&good.key), "holds no PEM certificate"),
        (not_x509, text(&good.key), "certificate 1 of the chain is not"),
        (second_damaged, text(&good.key), "certificate 2 of the chain is not"),
        (text(&good.chain), text(b""), "the private key holds no unencrypted PEM"),
        (
            text(&good.chain),
            cut(&good.key),
            "the private key has a PEM section without",
        ),
        (
            text(&good.chain),
            text(b"-----BEGIN PRIVATE KEY-----\nsec\x01ret\n-----END PRIVATE KEY-----\n"),
            "base64",
        ),
        (
            text(&good.chain),
            text(&good.chain),
            "the private key holds no unencrypted PEM",
        ),
    ];
    for (chain, key, expected) in cases {
        let invalid = Pair::parse(&schema::Certificate {
            chain,
            key,
            ocsp: Vec::new(),
        })
        .unwrap_err();
        let said = invalid.to_string();
        assert!(said.contains(expected), "{said:?} has no {expected:?}");
        assert!(!said.contains("secret") && !said.contains('\u{1}'), "{said}");
        assert_eq!(invalid.code(), "InvalidCertificate");
    }
    let pair = Pair::parse(&schema::Certificate {
        chain: good.chain,
        key: not_a_key,
        ocsp: Vec::new(),
    })
    .unwrap();
    assert_eq!(pair.signing().unwrap_err(), Invalid::UnusableKey);
}

#[test]
fn a_key_of_another_certificate_is_a_mismatch() {
    let others = [
        for_names(&["a.example"]),
        Recipe {
            algorithm: &rcgen::PKCS_ED25519,
            ..Recipe::new(&["a.example"])
        }
        .make(),
    ];
    for other in others {
        let pair = Pair::parse(&with_key_of(&for_names(&["a.example"]), &other)).unwrap();
        assert_eq!(pair.signing().unwrap_err(), Invalid::Mismatch);
        assert_eq!(pair.checked(), Some(Err(Invalid::Mismatch)));
        assert_eq!(Invalid::Mismatch.code(), "KeyMismatch");
    }
}

#[test]
fn names_come_from_the_alternatives_and_only_without_them_from_the_subject() {
    assert_eq!(
        names_of(&for_names(&["b.example", "*.A.example", "b.example"])),
        ["b.example", "*.a.example"]
    );
    assert_eq!(names_of(&for_address("2001:db8::1")), ["2001:db8::1"]);
    let both = Recipe {
        common_name: Some("c.example"),
        ..Recipe::new(&["b.example"])
    };
    assert_eq!(names_of(&both.make()), ["b.example"]);
    let subject = Recipe {
        common_name: Some("C.example"),
        ..Recipe::new(&[])
    };
    assert_eq!(names_of(&subject.make()), ["c.example"]);
    assert!(names_of(&Recipe::new(&[]).make()).is_empty());
}

#[test]
fn a_wildcard_covers_one_label() {
    let pair = Pair::parse(&for_names(&["example.com", "*.example.com", "*.b.example.com"])).unwrap();
    for covered in [
        "example.com",
        "a.example.com",
        "*.example.com",
        "x.b.example.com",
        "b.example.com",
    ] {
        assert!(pair.names().cover(covered), "{covered}");
    }
    for foreign in [
        "",
        "com",
        "a.b.c.example.com",
        "*.com",
        "*.a.example.com",
        "example.org",
        "aexample.com",
    ] {
        assert!(!pair.names().cover(foreign), "{foreign}");
    }
}

#[test]
fn debugging_shows_no_key() {
    let source = for_names(&["a.example"]);
    let pair = Pair::parse(&source).unwrap();
    pair.signing().unwrap();
    let key = String::from_utf8(source.key).unwrap();
    let inside = key.lines().nth(1).unwrap();
    let shown = format!("{pair:?}");
    assert!(
        shown.contains("a.example") && shown.contains("withheld") && !shown.contains(inside),
        "{shown}"
    );
    assert!(!shown.contains("PKCS8"), "{shown}");
}
