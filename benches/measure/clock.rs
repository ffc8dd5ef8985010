//! A clock around whole processes.

use std::process::{Command, Stdio};
use std::time::Instant;

/// Runs before those that count, for the caches.
const WARM_UP: usize = 3;

/// Milliseconds from the start of a command to its end. Whether it succeeds is the caller's affair.
fn once(command: &[&str]) -> f64 {
    let mut process = Command::new(command[0]);
    process.args(&command[1..]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
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
