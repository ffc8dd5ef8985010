//! Durations as people write and read them. Pure.

use std::time::Duration;

/// The units, longest first, in milliseconds.
const UNITS: [(&str, u64); 5] = [("d", DAY), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

/// A day, in milliseconds.
pub const DAY: u64 = 86_400_000;

/// A duration in whole milliseconds, for calculations with times since the epoch.
pub fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// A duration as whole milliseconds in a record.
pub mod as_ms {
    use serde::{Deserialize, Deserializer, Serializer};
    use std::time::Duration;

    pub fn serialize<S: Serializer>(time: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(super::ms(*time))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        u64::deserialize(from).map(Duration::from_millis)
    }
}

/// Parses a span such as `90`, `0.5`, `300ms`, `90s`, `15m`, `2h` or `30d`, in milliseconds; a bare number is seconds.
/// `None`: it is not a duration, or longer than a million days.
pub fn parse(text: &str) -> Option<u64> {
    let text = text.trim();
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let unit = match unit {
        "" => 1000,
        unit => UNITS.iter().find(|(name, _)| *name == unit)?.1,
    };
    let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
    if part.len() > 6 {
        return None;
    }
    let part = part.parse::<u64>().ok()? * unit / 10u64.pow(u32::try_from(part.len()).ok()?);
    let whole = whole.parse::<u64>().ok()?.checked_mul(unit)?;
    whole.checked_add(part).filter(|ms| *ms <= 1_000_000 * DAY)
}

/// The shortest exact form of a span.
pub fn exact(ms: u64) -> String {
    if ms == 0 {
        return "0s".to_owned();
    }
    let (name, unit) = UNITS.into_iter().find(|(_, unit)| ms.is_multiple_of(*unit)).unwrap_or(("ms", 1));
    format!("{}{name}", ms / unit)
}

/// [`parse`] for the duration of a lease: from one second to one day.
pub fn duration(text: &str) -> Result<u64, String> {
    parse(text)
        .filter(|ms| (1000..=DAY).contains(ms))
        .ok_or_else(|| "it must be a time from 1s to 24h, such as 90s, 15m or 2h".to_owned())
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

/// A remaining span, in one unit: seconds rounded up, or else to the nearest minute.
pub fn rest(ms: u64) -> String {
    age(0, if ms <= 59_000 { ms.next_multiple_of(1000) } else { ms + 30_000 })
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
    fn a_span_is_written_as_it_can_be_read() {
        for (given, ms, shown) in [
            ("90", 90_000, "90s"),
            ("0.5", 500, "500ms"),
            ("300ms", 300, "300ms"),
            ("120s", 120_000, "2m"),
            ("1.5m", 90_000, "90s"),
            ("24h", DAY, "1d"),
            ("0", 0, "0s"),
        ] {
            assert_eq!(parse(given), Some(ms), "{given}");
            assert_eq!(exact(ms), shown, "{given}");
            assert_eq!(parse(shown), Some(ms), "{given}");
        }
        for bad in
            ["", "m", "-1s", "1.s", ".5", "1w", "1e3", "99999999999999999999h", "9999999999d", "é", "1 s"]
        {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn spans_are_shown_in_one_unit() {
        assert_eq!((age(0, 59_999), age(0, 60_000), rest(95_000)), ("59s".into(), "1m".into(), "2m".into()));
    }

    #[test]
    fn spans_are_shown_in_the_unit_that_fits() {
        for (seconds, shown) in [
            (0, "0s"),
            (59, "59s"),
            (60, "1m"),
            (3599, "59m"),
            (3600, "1h"),
            (86_399, "23h"),
            (86_400, "1d"),
            (864_000, "10d"),
        ] {
            assert_eq!(age(5, 5 + seconds * 1000), shown);
        }
        assert_eq!(age(10, 5), "0s", "a clock that was set back");
        for (ms, shown) in [
            (2_001, "3s"),
            (3_000, "3s"),
            (59_999, "1m"),
            (60_000, "1m"),
            (89_999, "1m"),
            (90_000, "2m"),
            (DAY - 1, "1d"),
        ] {
            assert_eq!(rest(ms), shown, "{ms}");
        }
    }

    #[test]
    fn a_part_of_a_unit_has_at_most_six_digits_and_a_span_an_end() {
        for (given, ms) in [
            ("1.000001d", Some(DAY + 86)),
            ("1.0000001d", None),
            ("0.25m", Some(15_000)),
            ("1000000d", Some(1_000_000 * DAY)),
            ("1000000.1d", None),
            ("1000001d", None),
            (".", None),
            (" 5s ", Some(5_000)),
        ] {
            assert_eq!(parse(given), ms, "{given}");
        }
    }
}
