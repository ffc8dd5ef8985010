//! Named points at which a test can have the process killed.
//!
//! With the feature `test-tools`, a process whose `SWARM_CRASH_AT` names a point kills itself there with SIGKILL,
//! so nothing is cleaned up, as in a real crash. Without the feature a point is nothing at all.

/// Dies here if the environment asks for it.
#[cfg(feature = "test-tools")]
pub fn point(name: &str) {
    if std::env::var("SWARM_CRASH_AT").is_ok_and(|at| at == name) {
        let _ = nix::sys::signal::kill(nix::unistd::getpid(), nix::sys::signal::Signal::SIGKILL);
    }
}

/// Nothing: crash points exist in test builds only.
#[cfg(not(feature = "test-tools"))]
#[inline]
pub fn point(_name: &str) {}
