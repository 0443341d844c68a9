//! Tests of authorities: what is read of them, and which chains they take.

use super::*;
use crate::tls::testing::{Clients, pem};

fn authority(roots: &[u8], revocations: &[u8]) -> schema::Authority {
    schema::Authority {
        roots: roots.to_vec(),
        revocations: revocations.to_vec(),
    }
}

#[test]
fn a_chain_leads_to_the_authority_over_so_many_links_and_no_more() {
    let root = Clients::new("root");
    let (second, third) = (root.sub("second"), root.sub("second").sub("third"));
    let trust = Trust::parse(&authority(&root.pem(), b"")).unwrap();
    let now = UnixTime::now();
    assert_eq!(trust.verify_client(&root.issue("a"), 0, now), Ok(()));
    assert_eq!(trust.verify_client(&second.issue("a"), 1, now), Ok(()));
    assert!(trust.verify_client(&second.issue("a"), 0, now).is_err());
    assert_eq!(trust.verify_client(&third.issue("a"), 2, now), Ok(()));
    assert!(trust.verify_client(&third.issue("a"), 1, now).is_err());
    assert!(trust.verify_client(&Clients::new("other").issue("a"), 9, now).is_err());
    assert!(trust.verify_client(&[], 9, now).is_err());
}

#[test]
fn a_link_that_is_not_sent_may_be_in_the_bundle_and_is_no_authority_there() {
    let root = Clients::new("root");
    let second = root.sub("second");
    let alone = second.issue("a")[..1].to_vec();
    let now = UnixTime::now();
    let bundle = [root.pem(), second.pem()].concat();
    let trust = Trust::parse(&authority(&bundle, b"")).unwrap();
    assert_eq!(trust.verify_client(&alone, 1, now), Ok(()));
    assert!(
        trust.verify_client(&alone, 0, now).is_err(),
        "it counts as a link although it is in the bundle"
    );
    let only_link = Trust::parse(&authority(&second.pem(), b"")).unwrap();
    assert_eq!(only_link.verify_client(&alone, 0, now), Ok(()));
    assert_eq!(trust.subjects().len(), 2);
}

#[test]
fn what_cannot_be_read_says_why() {
    let good = Clients::new("root").pem();
    let cases: [(&[u8], &[u8], &str); 7] = [
        (b"", b"", "ca.crt holds no PEM certificate"),
        (b"secret", b"", "ca.crt holds no PEM certificate"),
        (
            &good[..good.len() - 30],
            b"",
            "ca.crt has a PEM section without its END line",
        ),
        (&pem("CERTIFICATE", b"secret"), b"", "certificate 1 of ca.crt"),
        (
            &[good.clone(), pem("CERTIFICATE", b"x")].concat(),
            b"",
            "certificate 2 of ca.crt",
        ),
        (&good, b"secret", "ca.crl holds no PEM revocation list"),
        (&good, &pem("X509 CRL", b"secret"), "list 1 of ca.crl"),
    ];
    for (roots, lists, expected) in cases {
        let said = Trust::parse(&authority(roots, lists)).unwrap_err().to_string();
        assert!(
            said.starts_with(expected) && !said.contains("secret"),
            "{said:?} is not {expected:?}"
        );
    }
    assert!(Trust::parse(&authority(&good, b" \n")).is_ok());
}

#[test]
fn a_changed_authority_is_another_and_a_broken_one_is_none() {
    let store = Authorities::default();
    let change = |value: Option<schema::Authority>| store.apply(&[("ns/ca".into(), value)]);
    let value = authority(&Clients::new("root").pem(), b"");
    assert_eq!(change(Some(value.clone())), [("authority:ns/ca".into(), vec![])]);
    let first = store.find("ns/ca").unwrap();
    assert!(Arc::ptr_eq(&first, &store.find("ns/ca").unwrap()));
    change(Some(value.clone()));
    assert!(!Arc::ptr_eq(&first, &store.find("ns/ca").unwrap()));
    let told = change(Some(authority(b"rubbish", b"")));
    assert_eq!(&*told[0].1[0].code, "InvalidAuthority");
    assert!(store.find("ns/ca").is_none());
    change(Some(value));
    change(None);
    assert!(store.find("ns/ca").is_none() && store.find("").is_none());
}
