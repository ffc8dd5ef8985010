//! The times that the courier goes by.

use crate::core::ack::Schedule;
use crate::core::refusal::Refusal;
use anyhow::Result;

/// Times, each with its default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// When to remind of an acknowledgement: 30, 60 and 120 s.
    pub reminders: Schedule,
    /// After how long a sender is told that its message is held (ms): 5 minutes.
    pub held_notice_ms: u64,
    /// How long after a person's key nothing is typed into a pane (s): 3.
    pub quiet_s: u64,
    /// Whether the coordination document has a row for each agent with leases: no.
    pub coord_auto: bool,
}

impl Settings {
    /// From `SWARM_ACK_WAITS` (seconds, such as `30,60,120`), `SWARM_HELD_NOTICE` and `SWARM_QUIET` (seconds), and
    /// `SWARM_COORD_AUTO` (0 or 1).
    pub fn from_env() -> Result<Self> {
        let waits = seconds("SWARM_ACK_WAITS")?;
        let reminders = match waits {
            None => Schedule::default(),
            Some(waits) => {
                Schedule::new(waits).ok_or_else(|| bad("SWARM_ACK_WAITS", "1 to 10 times above 0"))?
            }
        };
        let one = |name: &str, default: u64| -> Result<u64> {
            match seconds(name)?.as_deref() {
                None => Ok(default),
                Some([ms]) => Ok(*ms),
                Some(_) => Err(bad(name, "one time")),
            }
        };
        Ok(Self {
            reminders,
            held_notice_ms: one("SWARM_HELD_NOTICE", 300_000)?,
            quiet_s: one("SWARM_QUIET", 3000)?.div_ceil(1000),
            coord_auto: match std::env::var("SWARM_COORD_AUTO").as_deref() {
                Err(_) | Ok("" | "0") => false,
                Ok("1") => true,
                Ok(_) => return Err(bad("SWARM_COORD_AUTO", "0 or 1")),
            },
        })
    }
}

/// A list of times in seconds, as milliseconds.
fn seconds(name: &str) -> Result<Option<Vec<u64>>> {
    let Some(text) = std::env::var(name).ok().filter(|t| !t.is_empty()) else { return Ok(None) };
    let times: Option<Vec<u64>> = text
        .split(',')
        .map(|t| {
            let time = std::time::Duration::try_from_secs_f64(t.trim().parse().ok()?).ok()?;
            u64::try_from(time.as_millis()).ok().filter(|ms| *ms <= 86_400_000)
        })
        .collect();
    times.map(Some).ok_or_else(|| bad(name, "times in seconds, a day at most, separated by commas"))
}

fn bad(name: &str, wanted: &str) -> anyhow::Error {
    Refusal::Usage(format!("{name} must be {wanted}")).into()
}
