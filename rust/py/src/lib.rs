//! The binding, `fastingress._core`: thin, and the only crate that names pyo3.
//!
//! | module | what it is |
//! |---|---|
//! | [`table`] | a compiled table without a data path |
//! | [`gateway`] | the data path |
//! | [`reading`] | what both answer about their table, as JSON |
//! | [`signals`] | the second signal ends the process |
//! | [`errors`] | where Rust's errors, panics included, become Python's |
//! | [`fork`] | refusing use after fork |
//!
//! Whatever takes time runs with the interpreter lock released, and no thread of ours ever calls into Python.

mod errors;
mod fork;
mod gateway;
mod reading;
mod signals;
mod table;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The Rust core of fastingress.
#[pyo3::pymodule]
mod _core {
    use pyo3::prelude::*;

    #[pymodule_export]
    use crate::gateway::Gateway;
    #[pymodule_export]
    use crate::signals::watch_signals;
    #[pymodule_export]
    use crate::table::Table;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))?;
        module.add("__profile__", env!("BUILD_PROFILE"))?;
        module.add("__trained__", cfg!(trained))
    }
}
