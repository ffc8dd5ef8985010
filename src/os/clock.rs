//! The clocks of this machine.
//!
//! Only this module reads them. Awake time stops while the machine is suspended: `CLOCK_MONOTONIC` on Linux,
//! `CLOCK_UPTIME_RAW` on macOS.

use super::{child, process};
use crate::core::moment::Moment;
use crate::core::process_id::ProcessId;
use crate::core::team::Ticks;
use anyhow::{Context as _, Result};
use nix::time::{ClockId, clock_gettime};
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Now, by both clocks.
pub fn now() -> Result<Moment> {
    #[cfg(target_os = "macos")]
    let clock = ClockId::from_raw(nix::libc::CLOCK_UPTIME_RAW);
    #[cfg(not(target_os = "macos"))]
    let clock = ClockId::CLOCK_MONOTONIC;
    let awake = Duration::from(clock_gettime(clock).context("cannot read the clock")?);
    Ok(Moment { wall_ms: wall_ms(), awake_ms: millis(awake), boot: process::boot_id()? })
}

/// Now, by the clock that counts while the machine sleeps: `CLOCK_BOOTTIME` on Linux, `CLOCK_MONOTONIC` on macOS.
pub fn ticks() -> Result<Ticks> {
    #[cfg(target_os = "linux")]
    let clock = ClockId::CLOCK_BOOTTIME;
    #[cfg(not(target_os = "linux"))]
    let clock = ClockId::CLOCK_MONOTONIC;
    let since = Duration::from(clock_gettime(clock).context("cannot read the clock")?);
    Ok(Ticks { ms: millis(since), boot: process::boot_id()? })
}

/// Milliseconds since the epoch, by the system's clock. Somebody may set it, by any amount and in both directions.
pub fn wall_ms() -> u64 {
    shared_ms().saturating_add_signed(set_by())
}

/// The wall clock that all other programs of this machine read, even if a test has set swarm's: for a time that
/// another program compares with its own.
pub fn shared_ms() -> u64 {
    millis(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}

/// How many seconds the local time of this machine is ahead of UTC. It asks `date`, because this is needed rarely; 0
/// if `date` does not answer.
pub fn utc_offset_s() -> i64 {
    let mut date = Command::new("date");
    let told = child::output(date.arg("+%z"), None, Duration::from_secs(2)).ok().flatten();
    told.and_then(|out| offset(std::str::from_utf8(&out.stdout).ok()?.trim())).unwrap_or_default()
}

/// The seconds of an offset such as `+0530`.
fn offset(text: &str) -> Option<i64> {
    let (sign, digits) = match text.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let number: i64 = digits.parse().ok().filter(|_| digits.len() == 4)?;
    Some(sign * (number / 100 * 3600 + number % 100 * 60))
}

/// When a process started (ms since the epoch, within some milliseconds). `None`: this system does not show it so
/// exactly, or the clock cannot be read.
pub fn started_ms(process: &ProcessId) -> Option<u64> {
    if cfg!(any(not(target_os = "linux"), feature = "portable-process")) {
        return None;
    }
    let ticks = ticks().ok().filter(|ticks| ticks.boot == process.boot)?;
    // The kernel counts in hundredths of a second, at any clock rate.
    let age = ticks.ms.checked_sub(process.start.checked_mul(10)?)?;
    shared_ms().checked_sub(age)
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// By how much the clock was set (ms). With the feature `test-tools`, a test sets it while processes run:
/// `SWARM_CLOCK` names a file with the number.
#[cfg(feature = "test-tools")]
fn set_by() -> i64 {
    let text = std::env::var_os("SWARM_CLOCK").and_then(|path| std::fs::read_to_string(path).ok());
    text.and_then(|text| text.trim().parse().ok()).unwrap_or_default()
}

/// Always zero: only tests set the clock.
#[cfg(not(feature = "test-tools"))]
#[inline]
fn set_by() -> i64 {
    0
}
