//! A compiled table without a data path: for the library, `explain` and `check`.

use crate::errors::{self, detached};
use crate::fork::Owner;
use crate::reading;
use fastingress_proxy::tls::{Authorities, Certificates, Tickets};
use fastingress_route::schema::ChangeSet;
use fastingress_route::{Compiler, RouteTable};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A compiled table. Any thread may use it; applies are done one at a time.
#[pyclass(frozen, module = "fastingress._core")]
pub struct Table {
    owner: Owner,
    compiler: Mutex<Compiler>,
    live: Mutex<Arc<RouteTable>>,
    certificates: Arc<Certificates>,
    /// Used by nobody here: to say what is wrong with them.
    authorities: Authorities,
    tickets: Arc<Tickets>,
}

#[pymethods]
impl Table {
    /// An empty one. From so many seconds before its end on, a certificate is a problem.
    #[new]
    #[pyo3(signature = (certificate_expiry_warning_s = 0))]
    fn new(certificate_expiry_warning_s: u32) -> PyResult<Self> {
        let certificates = Certificates::new().map_err(errors::defect)?;
        certificates.warn_before(certificate_expiry_warning_s);
        Ok(Self {
            owner: Owner::here(),
            compiler: Mutex::new(Compiler::new()),
            live: Mutex::new(RouteTable::empty()),
            certificates,
            authorities: Authorities::default(),
            tickets: Tickets::new(),
        })
    }

    /// Applies a change set; the msgpack of the report.
    #[pyo3(signature = (change_set, /))]
    fn apply<'py>(&self, py: Python<'py>, change_set: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
        self.owner.check()?;
        let report = detached(py, || {
            let change = ChangeSet::decode(change_set).map_err(errors::bad_value)?;
            // A panic in an earlier apply may have left it half done: nothing may build on that.
            let mut compiler = self
                .compiler
                .lock()
                .map_err(|_| errors::defect("an earlier change failed half-way"))?;
            let applied = compiler.apply(&change).map_err(errors::bad_value)?;
            let mut report = applied.report;
            report.problems.extend(self.certificates.apply(&applied.certificates));
            report.problems.extend(self.authorities.apply(&applied.authorities));
            report.problems.extend(self.tickets.apply(&applied.tickets));
            *self.live() = applied.table;
            reading::msgpack(&report)
        })?;
        Ok(PyBytes::new(py, &report))
    }

    /// The digest of the desired state: 32 hexadecimal characters.
    fn digest(&self, py: Python<'_>) -> PyResult<String> {
        self.owner.check()?;
        detached(py, || {
            Ok(self.compiler.lock().unwrap_or_else(PoisonError::into_inner).digest())
        })
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
        self.read(py, |table| reading::verify_certificates(table, &self.certificates))
    }
}

impl Table {
    fn read<'py>(
        &self,
        py: Python<'py>,
        answer: impl FnOnce(&RouteTable) -> PyResult<Vec<u8>> + Send,
    ) -> PyResult<Bound<'py, PyBytes>> {
        self.owner.check()?;
        let bytes = detached(py, || {
            let table = self.live().clone();
            answer(&table)
        })?;
        Ok(PyBytes::new(py, &bytes))
    }

    fn live(&self) -> MutexGuard<'_, Arc<RouteTable>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
