//! A clock around whole processes.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

/// Runs before those that count, for the caches.
const WARM_UP: usize = 3;

/// Milliseconds from the start of a command to its end. Whether it succeeds is the caller's affair.
fn once(command: &[&str]) -> f64 {
    let mut process = Command::new(command[0]);
    process.args(&command[1..]);
    timed(&mut process)
}

fn timed(process: &mut Command) -> f64 {
    process.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let begun = Instant::now();
    process.status().unwrap();
    begun.elapsed().as_secs_f64() * 1000.0
}

/// The value below which `percent` of the sorted `values` lie.
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)] // some hundred values
pub(super) fn percentile(values: &mut [f64], percent: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    let nth = (values.len() as f64 * percent as f64 / 100.0).round() as usize;
    values[nth.saturating_sub(1).min(values.len() - 1)]
}

/// Prints the cells of one row. An empty process is started before each run: a machine that is slow for a while is so for both.
pub(super) fn row(runs: usize, command: &[&str]) {
    let (mut base, mut own) = (Vec::new(), Vec::new());
    for n in 0..WARM_UP + runs {
        let times = (once(&["true"]), once(command));
        if n >= WARM_UP {
            base.push(times.0);
            own.push(times.1);
        }
    }
    let [least, middle, high] = [0, 50, 95].map(|p| percentile(&mut own, p));
    println!("{least:.2} | {middle:.2} | {high:.2} | {:.1}", middle / percentile(&mut base, 50));
}

/// A command in the project of a build, as a person has it: `DIR/bin` comes first in `PATH`.
fn in_world(dir: &Path, command: &[&str]) -> Command {
    let path = std::env::var("PATH").unwrap_or_default();
    let path = format!("{}:{path}", dir.join("bin").display());
    // The program is looked for in the PATH of this process, unless `env` does it.
    let mut process = Command::new("env");
    process.arg(format!("PATH={path}")).args(command);
    process.current_dir(dir.join("project")).env("HOME", dir.join("home"));
    let name = dir.file_name().unwrap_or_default().to_string_lossy();
    let tmux = std::env::var("TMUX_TMPDIR").unwrap_or_default();
    process.env("TMUX", format!("{tmux}/tmux-{}/{name},1,0", nix::unistd::getuid()));
    process
}

/// Prints the cells of a row with two builds. The runs take turns, and so does who is first.
pub(super) fn pair(runs: usize, old: &Path, new: &Path, command: &[&str]) {
    let (mut base, mut first, mut second) = (Vec::new(), Vec::new(), Vec::new());
    for n in 0..WARM_UP + runs {
        // `env` is a process of its own before the command becomes it.
        let empty = once(&["env", "true"]);
        let mut times = [0.0; 2];
        for at in [n % 2, 1 - n % 2] {
            times[at] = timed(&mut in_world([old, new][at], command));
        }
        if n >= WARM_UP {
            base.push(empty);
            first.push(times[0]);
            second.push(times[1]);
        }
    }
    let [base, first, second] = [&mut base, &mut first, &mut second].map(|times| percentile(times, 50));
    println!("{first:.2} | {second:.2} | {:.1} | {:.1} | {:.2}", first / base, second / base, second / first);
}
