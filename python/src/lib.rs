//! transect from Python: the library's handles as classes, without logic of their own. What users see of it is in the
//! package `transect`, in Python.

mod capsule;
mod change;
mod coverage;
mod diff;
mod fault;
mod frames;
mod options;
mod report;
mod rows;
mod store;
mod tasks;
mod watch;

use std::ffi::OsString;

use pyo3::prelude::*;

/// The command line, as the console script runs it.
#[pyfunction]
fn main(py: Python<'_>) -> PyResult<u8> {
    // Python's own handler only notes a signal; the command line has its own.
    let signal = py.import("signal")?;
    signal.call_method1("signal", (signal.getattr("SIGINT")?, signal.getattr("SIG_DFL")?))?;
    let arguments: Vec<OsString> = py.import("sys")?.getattr("argv")?.extract()?;
    let arguments = std::iter::once(OsString::from("transect")).chain(arguments.into_iter().skip(1));
    Ok(py.detach(|| transect::cli::main(arguments)))
}

#[pymodule]
fn _transect(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<store::Store>()?;
    module.add_class::<store::Answer>()?;
    module.add_class::<store::Members>()?;
    module.add_class::<diff::Diff>()?;
    module.add_class::<coverage::Coverage>()?;
    module.add_class::<rows::Batch>()?;
    module.add_class::<rows::Column>()?;
    module.add_class::<capsule::Buffer>()?;
    module.add_function(wrap_pyfunction!(change::build, module)?)?;
    module.add_function(wrap_pyfunction!(change::update, module)?)?;
    module.add_function(wrap_pyfunction!(change::append, module)?)?;
    module.add_function(wrap_pyfunction!(change::restore, module)?)?;
    module.add_function(wrap_pyfunction!(change::write, module)?)?;
    module.add_function(wrap_pyfunction!(change::add_source, module)?)?;
    module.add_function(wrap_pyfunction!(change::set_source, module)?)?;
    module.add_function(wrap_pyfunction!(change::rename_source, module)?)?;
    module.add_function(wrap_pyfunction!(change::drop_source, module)?)?;
    module.add_function(wrap_pyfunction!(change::transpose, module)?)?;
    module.add_function(wrap_pyfunction!(change::report, module)?)?;
    module.add_function(wrap_pyfunction!(change::gc, module)?)?;
    module.add_function(wrap_pyfunction!(change::synth, module)?)?;
    module.add_function(wrap_pyfunction!(change::instant, module)?)?;
    module.add_function(wrap_pyfunction!(tasks::plan_tasks, module)?)?;
    module.add_function(wrap_pyfunction!(tasks::plan_update, module)?)?;
    module.add_function(wrap_pyfunction!(tasks::plan_add_source, module)?)?;
    module.add_function(wrap_pyfunction!(tasks::plan_append, module)?)?;
    module.add_function(wrap_pyfunction!(tasks::plan_transpose, module)?)?;
    module.add_function(wrap_pyfunction!(tasks::count_tasks, module)?)?;
    module.add_function(wrap_pyfunction!(tasks::gather, module)?)?;
    module.add_function(wrap_pyfunction!(tasks::seal_with_files, module)?)?;
    module.add_function(wrap_pyfunction!(tasks::assemble, module)?)?;
    module.add_function(wrap_pyfunction!(tasks::assemble_update, module)?)?;
    module.add_function(wrap_pyfunction!(tasks::compare, module)?)?;
    module.add_function(wrap_pyfunction!(tasks::seal, module)?)?;
    module.add_function(wrap_pyfunction!(tasks::write_part, module)?)?;
    module.add_function(wrap_pyfunction!(tasks::commit, module)?)?;
    module.add_function(wrap_pyfunction!(tasks::commit_update, module)?)?;
    module.add_function(wrap_pyfunction!(tasks::commit_output, module)?)?;
    module.add_function(wrap_pyfunction!(watch::look, module)?)?;
    module.add_function(wrap_pyfunction!(main, module)?)?;
    Ok(())
}
