//! Spans of time as people write and read them.
//!
//! Pure.

/// The longest span that is accepted: one day.
const MAX_SECONDS: u64 = 24 * 60 * 60;

/// Parses a span such as `90`, `90s`, `15m` or `2h`, in milliseconds: from one second to one day.
pub fn duration(text: &str) -> Result<u64, String> {
    let (digits, unit) = match text.as_bytes() {
        [.., b's'] => (&text[..text.len() - 1], 1),
        [.., b'm'] => (&text[..text.len() - 1], 60),
        [.., b'h'] => (&text[..text.len() - 1], 60 * 60),
        _ => (text, 1),
    };
    let seconds = digits.parse::<u64>().ok().and_then(|n| n.checked_mul(unit));
    match seconds {
        Some(seconds @ 1..=MAX_SECONDS) => Ok(seconds * 1000),
        _ => Err("it must be a time from 1s to 24h, such as 90s, 15m or 2h".to_owned()),
    }
}

/// The time from `then_ms` to `now_ms`, in one unit.
pub fn age(then_ms: u64, now_ms: u64) -> String {
    let s = now_ms.saturating_sub(then_ms) / 1000;
    match s {
        0..60 => format!("{s}s"),
        60..3600 => format!("{}m", s / 60),
        3600..86400 => format!("{}h", s / 3600),
        _ => format!("{}d", s / 86400),
    }
}

/// A span that is left, in one unit, to the nearest minute.
pub fn rest(ms: u64) -> String {
    age(0, if ms < 60_000 { ms } else { ms + 30_000 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_with_and_without_a_unit() {
        assert_eq!(duration("90"), Ok(90_000));
        assert_eq!(duration("15m"), Ok(900_000));
        assert!(duration("25h").is_err() && duration("0").is_err() && duration("m").is_err());
    }

    #[test]
    fn spans_are_shown_in_one_unit() {
        assert_eq!((age(0, 59_999), age(0, 60_000), rest(95_000)), ("59s".into(), "1m".into(), "2m".into()));
    }
}
