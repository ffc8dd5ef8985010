//! The clocks of this machine.
//!
//! Awake time stands still while the machine is suspended: `CLOCK_MONOTONIC` on Linux, `CLOCK_UPTIME_RAW` on macOS.

use super::process;
use crate::core::moment::Moment;
use anyhow::{Context as _, Result};
use nix::time::{ClockId, clock_gettime};
use std::time::{SystemTime, UNIX_EPOCH};

/// Now, by both clocks.
pub fn now() -> Result<Moment> {
    #[cfg(target_os = "macos")]
    let clock = ClockId::from_raw(nix::libc::CLOCK_UPTIME_RAW);
    #[cfg(not(target_os = "macos"))]
    let clock = ClockId::CLOCK_MONOTONIC;
    let awake = std::time::Duration::from(clock_gettime(clock).context("cannot read the clock")?);
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let ms = |d: std::time::Duration| u64::try_from(d.as_millis()).unwrap_or(u64::MAX);
    Ok(Moment { wall_ms: ms(wall), awake_ms: ms(awake), boot: process::boot_id()? })
}
