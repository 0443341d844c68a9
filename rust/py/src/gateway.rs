//! The data path, as Python sees it.

use crate::errors::{self, detached};
use crate::fork::Owner;
use crate::reading;
use fastingress_proxy::options::Options;
use fastingress_proxy::{self as proxy, StartError};
use fastingress_route::RouteTable;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};
use serde::Deserialize;
use std::mem::ManuallyDrop;
use std::net::SocketAddr;
use std::time::Duration;

/// A gateway. Its ports are bound when it is made; it accepts from `serve` on. Any thread may use it.
#[pyclass(frozen, module = "fastingress._core")]
pub struct Gateway {
    owner: Owner,
    /// Dropped only in the process it was made in: elsewhere its threads do not exist and could not be joined.
    inner: ManuallyDrop<proxy::Gateway>,
}

#[pymethods]
impl Gateway {
    /// Binds every port. `options` is the msgpack of a map.
    #[new]
    #[pyo3(signature = (options, /))]
    fn new(py: Python<'_>, options: &[u8]) -> PyResult<Self> {
        // Addresses come as text.
        let mut decoder = rmp_serde::Deserializer::from_read_ref(options).with_human_readable();
        let options = Options::deserialize(&mut decoder).map_err(errors::bad_value)?;
        let inner = detached(py, || proxy::Gateway::bind(options).map_err(start_error))?;
        Ok(Self {
            owner: Owner::here(),
            inner: ManuallyDrop::new(inner),
        })
    }

    /// Applies a change set and swaps the table; the msgpack of the report.
    #[pyo3(signature = (change_set, /))]
    fn apply<'py>(&self, py: Python<'py>, change_set: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
        self.bytes(py, |gateway| {
            reading::msgpack(&gateway.apply(change_set).map_err(errors::bad_value)?)
        })
    }

    /// The digest of the desired state: 32 hexadecimal characters.
    fn digest(&self, py: Python<'_>) -> PyResult<String> {
        self.run(py, |gateway| Ok(gateway.digest()))
    }

    /// JSON of the route that takes a request, or `null`.
    fn lookup<'py>(&self, py: Python<'py>, host: &str, path: &str) -> PyResult<Bound<'py, PyBytes>> {
        self.read(py, |table| reading::lookup(table, host, path))
    }

    /// JSON of the route that takes a request, and each that does not with the reason.
    fn explain<'py>(&self, py: Python<'py>, host: &str, path: &str) -> PyResult<Bound<'py, PyBytes>> {
        self.read(py, |table| reading::explain(table, host, path))
    }

    /// JSON list of every route.
    fn routes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        self.read(py, reading::routes)
    }

    /// Checks that each key belongs to its certificate, and each certificate to the hosts that have it; the msgpack of a
    /// list of scopes with their problems.
    fn verify_certificates<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        self.bytes(py, |gateway| {
            reading::verify_certificates(&gateway.table(), gateway.certificates())
        })
    }

    /// Tries once more to open the ports of TCP and UDP services that could not be had; the msgpack of a list of scopes with
    /// their problems, of those in which something has changed.
    fn retry_streams<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        self.bytes(py, |gateway| reading::msgpack(&gateway.retry_streams()))
    }

    /// Listens and starts the workers; once, after the first `apply`.
    fn serve(&self, py: Python<'_>) -> PyResult<()> {
        self.run(py, |gateway| gateway.serve().map_err(start_error))
    }

    /// Where it listens: a list of address and port for each of `http`, `https` and `admin`.
    fn addresses<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        self.owner.check()?;
        let found = self.inner.addresses();
        let all = PyDict::new(py);
        for (name, addresses) in [("http", &found.http), ("https", &found.https), ("admin", &found.admin)] {
            all.set_item(name, addresses.iter().map(pair).collect::<Vec<_>>())?;
        }
        Ok(all)
    }

    /// What `/readyz` answers: ready with `None`, else why not.
    fn set_ready(&self, py: Python<'_>, reason: Option<String>) -> PyResult<()> {
        self.run(py, |gateway| {
            gateway.set_ready(reason.map_or(Ok(()), Err));
            Ok(())
        })
    }

    /// What `/problems` answers: JSON.
    #[pyo3(signature = (problems, /))]
    fn set_problems(&self, py: Python<'_>, problems: &[u8]) -> PyResult<()> {
        let text = std::str::from_utf8(problems).map_err(errors::bad_value)?;
        self.run(py, |gateway| {
            gateway.set_problems(text);
            Ok(())
        })
    }

    /// What `/metrics` says beside the data path's own: families in the format of OpenMetrics without the `# EOF` line.
    #[pyo3(signature = (text, /))]
    fn set_more_metrics(&self, py: Python<'_>, text: &[u8]) -> PyResult<()> {
        let text = std::str::from_utf8(text).map_err(errors::bad_value)?;
        self.run(py, |gateway| {
            gateway.set_more_metrics(text);
            Ok(())
        })
    }

    /// Stops accepting and waits, at most `timeout` seconds, for what is in flight; true when all of it ended.
    fn drain(&self, py: Python<'_>, timeout: f64) -> PyResult<bool> {
        let timeout = Duration::try_from_secs_f64(timeout).map_err(errors::bad_value)?;
        self.run(py, |gateway| Ok(gateway.drain(timeout)))
    }

    /// Ends now and joins all threads. A second call does nothing.
    fn stop(&self, py: Python<'_>) -> PyResult<()> {
        self.run(py, |gateway| {
            gateway.stop();
            Ok(())
        })
    }

    /// All counters in the Prometheus text format.
    fn metrics(&self, py: Python<'_>) -> PyResult<String> {
        self.run(py, |gateway| Ok(gateway.metrics()))
    }
}

impl Gateway {
    fn run<T: Send>(&self, py: Python<'_>, work: impl FnOnce(&proxy::Gateway) -> PyResult<T> + Send) -> PyResult<T> {
        self.owner.check()?;
        detached(py, || work(&self.inner))
    }

    fn bytes<'py>(
        &self,
        py: Python<'py>,
        work: impl FnOnce(&proxy::Gateway) -> PyResult<Vec<u8>> + Send,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let bytes = self.run(py, work)?;
        Ok(PyBytes::new(py, &bytes))
    }

    fn read<'py>(
        &self,
        py: Python<'py>,
        answer: impl FnOnce(&RouteTable) -> PyResult<Vec<u8>> + Send,
    ) -> PyResult<Bound<'py, PyBytes>> {
        self.bytes(py, |gateway| answer(&gateway.table()))
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if self.owner.is_here() {
            // SAFETY: dropped here and nowhere else, and not used afterwards.
            unsafe { ManuallyDrop::drop(&mut self.inner) };
        }
    }
}

fn pair(address: &SocketAddr) -> (String, u16) {
    (address.ip().to_string(), address.port())
}

fn start_error(error: StartError) -> PyErr {
    let message = error.to_string();
    match error {
        StartError::Bind(bind) => errors::refused(bind.source.raw_os_error(), message),
        StartError::System { source, .. } => errors::refused(source.raw_os_error(), message),
        StartError::Tls(_) => errors::bad_value(message),
        StartError::Misuse => errors::defect(message),
    }
}
