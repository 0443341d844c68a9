//! The golden files that the control plane writes read the same here: every field, every default.

use fastingress_route::schema::{self, ChangeSet, Compiled, IngressRef, Kind, Problem, Report};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/golden")
}

fn read(name: &str) -> Vec<u8> {
    std::fs::read(directory().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn spelt(name: &str) -> Value {
    serde_json::from_slice(&read(&format!("{name}.json"))).expect("the file is JSON")
}

/// The names of the change sets; the report is no change set.
fn change_sets() -> Vec<String> {
    let files = std::fs::read_dir(directory()).expect("the golden files are there");
    let names = files.map(|file| {
        file.expect("the directory can be read")
            .file_name()
            .into_string()
            .expect("UTF-8")
    });
    let names = names.filter_map(|name| name.strip_suffix(".msgpack").map(str::to_owned));
    names.filter(|name| name != "report").collect()
}

fn value<T: DeserializeOwned + Serialize>(blob: &[u8]) -> Value {
    let mut reader = rmp_serde::Deserializer::new(blob).with_human_readable();
    let value = T::deserialize(&mut reader).expect("the value decodes");
    assert!(reader.get_ref().is_empty(), "nothing follows the value");
    serde_json::to_value(value).expect("the value is JSON")
}

/// With every field spelt out, bytes as text.
fn spell(change: &ChangeSet) -> Value {
    let upserts = change.upserts.iter().map(|upsert| {
        let value = match upsert.0 {
            Kind::Settings => value::<schema::Settings>(&upsert.2),
            Kind::Endpoints => value::<schema::EndpointSet>(&upsert.2),
            Kind::Upstream => value::<schema::Upstream>(&upsert.2),
            Kind::Certificate => text_of_bytes(&value::<schema::Certificate>(&upsert.2)),
            Kind::Authority => text_of_bytes(&value::<schema::Authority>(&upsert.2)),
            Kind::Stream => value::<schema::Stream>(&upsert.2),
            Kind::Tickets => text_of_bytes(&value::<schema::Tickets>(&upsert.2)),
            Kind::Fragment => value::<schema::Fragment>(&upsert.2),
        };
        json!([upsert.0, upsert.1, value])
    });
    json!({
        "version": change.version,
        "full": change.full,
        "upserts": upserts.collect::<Vec<_>>(),
        "removals": change.removals,
    })
}

fn text_of_bytes(value: &Value) -> Value {
    match value {
        Value::Object(fields) => fields
            .iter()
            .map(|(name, field)| (name.clone(), text_of_bytes(field)))
            .collect(),
        Value::Array(items) if items.iter().any(Value::is_array) => items.iter().map(text_of_bytes).collect(),
        bytes => {
            let bytes: Vec<u8> = serde_json::from_value(bytes.clone()).expect("a list of bytes");
            String::from_utf8(bytes).expect("PEM is text").into()
        }
    }
}

#[test]
fn change_sets_say_what_is_spelt_out_beside_them() {
    let names = change_sets();
    assert!(!names.is_empty(), "there are golden change sets");
    for name in names {
        let change = ChangeSet::decode(&read(&format!("{name}.msgpack"))).expect("the change set decodes");
        assert_eq!(spell(&change), spelt(&name), "{name}");
    }
}

/// What is encoded here decodes to the same, so the tests that write change sets write what the control plane writes.
#[test]
fn change_sets_survive_a_round_trip() {
    for name in change_sets() {
        let change = ChangeSet::decode(&read(&format!("{name}.msgpack"))).expect("the change set decodes");
        let again = rmp_serde::to_vec_named(&change).expect("it encodes");
        assert_eq!(ChangeSet::decode(&again), Ok(change), "{name}");
    }
}

#[test]
fn golden_values_compile_without_a_problem_of_their_own() {
    for name in change_sets() {
        let change = ChangeSet::decode(&read(&format!("{name}.msgpack"))).expect("the change set decodes");
        let mut compiler = fastingress_route::Compiler::new();
        let report = compiler.apply(&change).expect("the version is right").report;
        compiler.check_invariants();
        let refused = report.problems.iter().filter(|(scope, _)| !scope.starts_with("host:"));
        assert_eq!(
            refused.collect::<Vec<_>>(),
            Vec::<&(Box<str>, Vec<Problem>)>::new(),
            "{name}"
        );
    }
}

#[test]
fn a_report_is_written_as_the_control_plane_reads_it() {
    let shop = IngressRef {
        namespace: "default".into(),
        name: "shop".into(),
        uid: "0b0e8f3c-5d0e-4a53-9a3e-2f6f5a4f0001".into(),
    };
    let problem = |code: &str, ingress: Option<&IngressRef>, message: &str| Problem {
        code: code.into(),
        ingress: ingress.cloned(),
        message: message.into(),
    };
    let report = Report {
        generation: 7,
        digest: "0123456789abcdef0123456789abcdef".into(),
        compiled: Compiled {
            fragments: 1,
            hosts: 2,
            endpoints: 3,
            certificates: 4,
        },
        problems: vec![
            (
                "host:shop.example.com".into(),
                vec![problem(
                    "ConflictLost",
                    Some(&shop),
                    "path /cart is taken by default/older",
                )],
            ),
            (
                "certificate:default/shop-tls".into(),
                vec![problem("InvalidCertificate", None, "no certificate in tls.crt")],
            ),
            ("host:calm.example.com".into(), Vec::new()),
        ],
    };
    let written = rmp_serde::to_vec_named(&report).expect("the report encodes");
    let read_back: Value = rmp_serde::from_slice(&written).expect("it is msgpack");
    assert_eq!(read_back, spelt("report"));
    let theirs: Value = rmp_serde::from_slice(&read("report.msgpack")).expect("the file is msgpack");
    assert_eq!(read_back, theirs);
}
