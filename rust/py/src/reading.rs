//! What a table answers about itself, as JSON: the same for a table alone and for the one a gateway serves.

use crate::errors;
use fastingress_http1::path;
use fastingress_proxy::tls::Certificates;
use fastingress_route::RouteTable;
use pyo3::prelude::*;
use serde::Serialize;

/// The route that takes a request, or `null`. `ValueError` for a path that would be refused.
pub fn lookup(table: &RouteTable, host: &str, raw_path: &str) -> PyResult<Vec<u8>> {
    let mut scratch = Vec::new();
    let path = match_form(table, raw_path, &mut scratch)?;
    json(&table.explain(host, path).winner)
}

/// The route that takes a request, and each that does not with the reason. `ValueError` for a path that would be refused.
pub fn explain(table: &RouteTable, host: &str, raw_path: &str) -> PyResult<Vec<u8>> {
    let mut scratch = Vec::new();
    let path = match_form(table, raw_path, &mut scratch)?;
    json(&table.explain(host, path))
}

/// Every route.
pub fn routes(table: &RouteTable) -> PyResult<Vec<u8>> {
    json(&table.routes())
}

/// What is wrong with the certificates of a table, slowly found out: the scopes in which something has changed.
pub fn verify_certificates(table: &RouteTable, certificates: &Certificates) -> PyResult<Vec<u8>> {
    let mut found = certificates.verify_pairs();
    found.extend(certificates.check_names(table.certificates()));
    msgpack(&found)
}

/// msgpack of a report, or of the problems of some scopes: structs as maps.
pub fn msgpack(value: &impl Serialize) -> PyResult<Vec<u8>> {
    rmp_serde::to_vec_named(value).map_err(errors::defect)
}

fn json(value: &impl Serialize) -> PyResult<Vec<u8>> {
    serde_json::to_vec(value).map_err(errors::defect)
}

fn match_form<'a>(table: &RouteTable, raw_path: &'a str, scratch: &'a mut Vec<u8>) -> PyResult<&'a [u8]> {
    let merge_slashes = table.settings().now.load().merge_slashes;
    path::normalise(raw_path.as_bytes(), merge_slashes, scratch).map_err(|error| {
        errors::bad_value(format!(
            "a request with the path {raw_path:?} is refused: {}",
            error.as_str()
        ))
    })
}
