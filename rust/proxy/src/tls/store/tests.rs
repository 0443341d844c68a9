//! Tests of the certificate store.

use super::*;
use crate::tls::testing::{Recipe, for_names, with_key_of};

type Change = (Box<str>, Option<schema::Certificate>);

fn set(key: &str, certificate: schema::Certificate) -> Change {
    (key.into(), Some(certificate))
}

fn gone(key: &str) -> Change {
    (key.into(), None)
}

/// Scopes with the codes of their problems, sorted.
fn codes(answer: &[Scoped]) -> Vec<(&str, Vec<&str>)> {
    let mut all: Vec<_> = answer
        .iter()
        .map(|(scope, problems)| (&**scope, problems.iter().map(|p| &*p.code).collect()))
        .collect();
    all.sort();
    all
}

#[test]
fn certificates_come_change_and_go() {
    let store = Certificates::new().unwrap();
    assert!(store.is_empty());
    let answer = store.apply(&[
        set("ns/a", for_names(&["a.example"])),
        set("ns/b", for_names(&["b.example"])),
    ]);
    assert_eq!(
        codes(&answer),
        [("certificate:ns/a", vec![]), ("certificate:ns/b", vec![])]
    );
    assert_eq!(store.covers("ns/a", "a.example"), Some(true));
    assert_eq!(store.covers("ns/a", "b.example"), Some(false));
    assert_eq!(store.covers("ns/c", "b.example"), None);

    let answer = store.apply(&[
        set("ns/a", for_names(&["new.example"])),
        gone("ns/b"),
        gone("ns/unknown"),
    ]);
    let nothing = [
        ("certificate:ns/a", vec![]),
        ("certificate:ns/b", vec![]),
        ("certificate:ns/unknown", vec![]),
    ];
    assert_eq!(codes(&answer), nothing);
    let view = store.view();
    assert_eq!(view.len(), 1);
    assert_eq!(
        (&*view[0].key, &view[0].names[..]),
        ("ns/a", &["new.example".to_owned()][..])
    );
    assert!(view[0].not_after > seconds_now());
}

#[test]
fn a_broken_certificate_is_absent_until_it_is_mended() {
    let store = Certificates::new().unwrap();
    store.apply(&[set("ns/a", for_names(&["a.example"]))]);
    let broken = schema::Certificate {
        chain: b"nonsense".to_vec(),
        key: b"nonsense".to_vec(),
        ocsp: Vec::new(),
    };
    let answer = store.apply(&[set("ns/a", broken)]);
    assert_eq!(codes(&answer), [("certificate:ns/a", vec!["InvalidCertificate"])]);
    assert!(
        answer[0].1[0].message.starts_with("Secret ns/a: "),
        "{}",
        answer[0].1[0].message
    );
    assert!(store.is_empty());
    let answer = store.apply(&[set("ns/a", for_names(&["a.example"]))]);
    assert_eq!(codes(&answer), [("certificate:ns/a", vec![])]);
}

#[test]
fn an_expired_certificate_is_a_problem_and_stays() {
    let store = Certificates::new().unwrap();
    let answer = store.apply(&[set(
        "ns/a",
        Recipe {
            expired: true,
            ..Recipe::new(&["a.example"])
        }
        .make(),
    )]);
    assert_eq!(codes(&answer), [("certificate:ns/a", vec!["CertificateExpired"])]);
    assert_eq!(store.covers("ns/a", "a.example"), Some(true));
    assert!(store.verify_pairs().is_empty(), "it has been told");
    assert_eq!(store.problems("ns/a").len(), 1);
}

#[test]
fn verifying_tells_of_wrong_pairs_once_with_all_that_is_wrong() {
    let store = Certificates::new().unwrap();
    let (a, b) = (for_names(&["a.example"]), for_names(&["b.example"]));
    let expired = Recipe {
        expired: true,
        ..Recipe::new(&["c.example"])
    }
    .make();
    let changes = [
        set("ns/good", a.clone()),
        set("ns/wrong", with_key_of(&a, &b)),
        set("ns/both", with_key_of(&expired, &b)),
    ];
    assert_eq!(
        codes(&store.apply(&changes)),
        [
            ("certificate:ns/both", vec!["CertificateExpired"]),
            ("certificate:ns/good", vec![]),
            ("certificate:ns/wrong", vec![])
        ]
    );
    assert_eq!(
        codes(&store.verify_pairs()),
        [
            ("certificate:ns/both", vec!["KeyMismatch", "CertificateExpired"]),
            ("certificate:ns/wrong", vec!["KeyMismatch"])
        ]
    );
    assert!(store.verify_pairs().is_empty());
    assert_eq!(
        codes(&store.apply(&[set("ns/wrong", a)])),
        [("certificate:ns/wrong", vec![])]
    );
}

#[test]
fn names_that_a_certificate_is_not_for_are_told_and_taken_back() {
    let store = Certificates::new().unwrap();
    store.apply(&[set("ns/a", for_names(&["a.example", "*.w.example"]))]);
    let names = [
        ("a.example", "ns/a"),
        ("b.example", "ns/a"),
        ("*.w.example", "ns/a"),
        ("c.example", "ns/absent"),
    ];
    let answer = store.check_names(names);
    assert_eq!(
        codes(&answer),
        [("certificate-name:b.example", vec!["CertificateNameMismatch"])]
    );
    let said = &answer[0].1[0].message;
    assert!(
        said.contains("ns/a") && said.contains("b.example") && said.contains("*.w.example"),
        "{said}"
    );
    assert_eq!(codes(&store.check_names(names)).len(), 1, "told again while it lasts");

    store.apply(&[set("ns/a", for_names(&["b.example"]))]);
    assert_eq!(
        codes(&store.check_names([("b.example", "ns/a"), ("a.example", "ns/a")])),
        [
            ("certificate-name:a.example", vec!["CertificateNameMismatch"]),
            ("certificate-name:b.example", vec![])
        ]
    );
    assert_eq!(codes(&store.check_names([])), [("certificate-name:a.example", vec![])]);
    assert!(store.check_names([]).is_empty());
}

#[test]
fn one_change_among_many_copies_one_shard() {
    let store = Certificates::new().unwrap();
    let certificate = for_names(&["a.example"]);
    let all: Vec<Change> = (0..2_000)
        .map(|at| set(&format!("ns/{at}"), certificate.clone()))
        .collect();
    store.apply(&all);
    assert_eq!(store.len(), 2_000);
    let shards = || store.shards.iter().map(|shard| shard.load_full()).collect::<Vec<_>>();
    let before = shards();
    assert!(
        before.iter().all(|shard| shard.len() < 40),
        "keys are spread over the shards"
    );
    store.apply(&[set("ns/7", for_names(&["b.example"]))]);
    let copied = before
        .iter()
        .zip(shards())
        .filter(|(old, new)| !Arc::ptr_eq(old, new))
        .count();
    assert_eq!(copied, 1);
    assert_eq!(store.covers("ns/7", "b.example"), Some(true));
    assert_eq!(store.covers("ns/8", "a.example"), Some(true));
}

#[test]
fn debugging_shows_no_key() {
    let store = Certificates::new().unwrap();
    store.apply(&[set("ns/a", for_names(&["a.example"]))]);
    assert_eq!(format!("{store:?}"), "Certificates(1)");
}
