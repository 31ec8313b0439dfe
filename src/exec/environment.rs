//! What Mesa's drivers read from the environment.

/// Sets, where they are not set, the variables that Mesa's drivers want on Linux. `XDG_RUNTIME_DIR`: they ask libwayland for a display,
/// which writes an error to the terminal without it, as in containers. `LP_NUM_THREADS`: its software drivers have as many threads as
/// there are CPUs, wake them all for a dispatch of some hundred microseconds, and Linux then often leaves two of them on one CPU; with
/// twice as many all CPUs get work.
///
/// # Safety
/// No other thread may read the environment meanwhile: call it first in `main`.
pub unsafe fn prepare_environment() {
    if !cfg!(target_os = "linux") {
        return;
    }
    let threads = std::thread::available_parallelism().map_or(1, |cpus| 2 * cpus.get());
    for (name, value) in
        [("XDG_RUNTIME_DIR", std::env::temp_dir().into_os_string()), ("LP_NUM_THREADS", threads.to_string().into())]
    {
        if std::env::var_os(name).is_none() {
            // SAFETY: the caller has no other thread.
            unsafe { std::env::set_var(name, value) };
        }
    }
}
