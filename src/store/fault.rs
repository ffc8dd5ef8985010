//! Named points at which a test can kill the process.
//!
//! With the feature `test-tools`, a process whose `SWARM_CRASH_AT` names a point kills itself there with SIGKILL, so
//! nothing is cleaned up, as in a real crash. `SWARM_CRASH_COUNT` names a file with one byte for each time that the
//! process first passes the point. `SWARM_CRASH_TRACE` names a file that gets a line for each point that is passed.
//! Without the feature, a point does nothing.

/// Kills the process if the environment asks for it.
#[cfg(feature = "test-tools")]
pub fn point(name: &str) {
    if let Some(path) = std::env::var_os("SWARM_CRASH_TRACE") {
        let file = std::fs::OpenOptions::new().append(true).create(true).open(path);
        let _ =
            file.and_then(|mut file| std::io::Write::write_all(&mut file, format!("{name}\n").as_bytes()));
    }
    if std::env::var("SWARM_CRASH_AT").is_ok_and(|at| at == name) && !is_spared() {
        let _ = nix::sys::signal::kill(nix::unistd::getpid(), nix::sys::signal::Signal::SIGKILL);
    }
}

/// Uses up one of the times that the process passes the point, if any is left.
#[cfg(feature = "test-tools")]
fn is_spared() -> bool {
    let Some(path) = std::env::var_os("SWARM_CRASH_COUNT") else { return false };
    let left = std::fs::metadata(&path).map_or(0, |m| m.len());
    left > 0 && std::fs::OpenOptions::new().write(true).open(&path).is_ok_and(|f| f.set_len(left - 1).is_ok())
}

/// Does nothing: crash points exist in test builds only.
#[cfg(not(feature = "test-tools"))]
#[inline]
pub fn point(_name: &str) {}
