//! An agent's usage limit: the words on its screen, and the time until which its mail waits.
//!
//! Pure. Agents word the end of a limit for people, in the time zone of their machine, and leave these words on the
//! screen after the end. So the end is read once, when the words are first seen, and kept on record. Words without an
//! end are believed for an hour. Then a message is tried.

use serde::{Deserialize, Serialize};

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// How long a limit is believed if its words contain no end, or if it is still shown after its end.
const UNKNOWN: u64 = HOUR;

/// An end further away is not believed: the longest limits are those of a month.
const LONGEST: u64 = 32 * DAY;

/// How much longer mail waits after an end, because the clocks of two machines differ.
const SLACK: u64 = MINUTE;

/// A time of day without a date that passed this recently is the end of a limit that is over, and not a time of
/// tomorrow. Limits of a session end within five hours, those of a day within twenty-four.
const PASSED: u64 = 4 * HOUR;

/// The words before an end.
const BEFORE: [&str; 4] = ["resets", "reset at", "try again", "reset "];

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/// A usage limit that an agent has reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageLimit {
    /// Its words on the screen.
    pub text: String,
    /// Until when mail waits (ms since the epoch).
    pub until: u64,
}

impl UsageLimit {
    /// A limit that is seen at `now_ms`, on a machine whose clock is this many seconds ahead of UTC.
    pub fn seen(text: &str, now_ms: u64, offset_s: i64) -> Self {
        let end = end(text, now_ms, offset_s).filter(|end| *end <= now_ms + LONGEST);
        let until = end.map_or(now_ms + UNKNOWN, |end| end + SLACK);
        Self { text: text.to_owned(), until }
    }

    /// Whether mail still waits for its end.
    pub fn holds(&self, now_ms: u64) -> bool {
        now_ms < self.until
    }

    /// Records that a text was given after its end. If the words are still there, they are believed again.
    pub fn tried(&mut self, now_ms: u64) {
        self.until = now_ms + UNKNOWN;
    }
}

/// The end of the limit in these words (ms since the epoch).
fn end(text: &str, now_ms: u64, offset_s: i64) -> Option<u64> {
    let text = text.to_ascii_lowercase();
    let (at, word) = BEFORE.iter().find_map(|word| Some((text.find(word)?, word)))?;
    let rest = text.get(at + word.len()..)?;
    let words: Vec<&str> = rest
        .split(|c: char| c.is_whitespace() || matches!(c, ',' | '(' | ')' | '.' | '·'))
        .filter(|word| !word.is_empty())
        .take(12)
        .collect();
    match words.iter().position(|word| *word == "in") {
        Some(0) => span(&words[1..]).map(|span| now_ms + span),
        _ => moment(&words, now_ms, offset_s),
    }
}

/// `2 days 17 hours 14 minutes`, `13h 17m`.
fn span(words: &[&str]) -> Option<u64> {
    let (mut sum, mut number) = (0_u64, None);
    for word in words {
        let digits = word.chars().take_while(char::is_ascii_digit).count();
        let (count, unit) = word.split_at(digits);
        if digits > 0 {
            number = count.parse::<u64>().ok().filter(|n| *n < 10_000);
        }
        if unit.is_empty() {
            continue;
        }
        let ms = match unit.chars().next() {
            Some('d') => DAY,
            Some('h') => HOUR,
            Some('m') => MINUTE,
            Some('s') => 1000,
            _ => break,
        };
        let Some(count) = number.take() else { break };
        sum += count * ms;
    }
    (sum > 0).then_some(sum)
}

/// `10:30pm`, `2:51 pm`, `jul 26 5:59am`, `sep 28th 2026 2:14 am`, `oct 9 at 5pm`.
fn moment(words: &[&str], now_ms: u64, offset_s: i64) -> Option<u64> {
    let (mut month, mut day, mut year, mut time) = (None, None, None, None);
    for (at, word) in words.iter().enumerate() {
        let is_half = |word: &&&str| matches!(**word, "am" | "pm");
        let half = words.get(at + 1).filter(is_half).copied().unwrap_or_default();
        if let Some(found) = clock(word, half) {
            time = Some(found);
            break;
        }
        if let Some(found) = MONTHS.iter().position(|month| word.starts_with(month)) {
            month = Some(found as u64 + 1);
            continue;
        }
        let digits = word.chars().take_while(char::is_ascii_digit).count();
        let (number, behind) = word.split_at(digits);
        match number.parse::<u64>() {
            Ok(n) if (1..=31).contains(&n) && month.is_some() && day.is_none() => day = Some(n),
            Ok(n) if (2000..3000).contains(&n) && behind.is_empty() => year = Some(n),
            Ok(_) => return None,
            Err(_) if matches!(*word, "at" | "on") => {}
            Err(_) => break,
        }
    }
    // Any other zone in the words is the machine's: agents name it like this.
    let offset_s = if words.iter().any(|word| matches!(*word, "utc" | "gmt")) { 0 } else { offset_s };
    let local = i64::try_from(now_ms).ok()? + offset_s * 1000;
    let local = u64::try_from(local).ok()?;
    let midnight = local / DAY * DAY;
    let end = match (month.zip(day), time) {
        (Some((month, day)), time) => {
            let this = year.unwrap_or_else(|| year_of(local));
            let at = |year| days(year, month, day) * DAY + time.unwrap_or_default();
            // Without a year, it is the next such day.
            let is_long_past = year.is_none() && at(this) + 60 * DAY < local;
            at(if is_long_past { this + 1 } else { this })
        }
        (None, Some(time)) => {
            let next = if midnight + time > local { midnight + time } else { midnight + DAY + time };
            if next - local > DAY - PASSED { local } else { next }
        }
        (None, None) => return None,
    };
    u64::try_from(i64::try_from(end).ok()? - offset_s * 1000).ok()
}

/// A time of day (ms), such as `10:30pm`, `5pm`, `14:30`; `half` is a separate am or pm.
fn clock(word: &str, half: &str) -> Option<u64> {
    let (digits, half) = match word.strip_suffix("am").or_else(|| word.strip_suffix("pm")) {
        Some(digits) => (digits, &word[digits.len()..]),
        None => (word, half),
    };
    if !digits.contains(':') && half.is_empty() {
        return None;
    }
    let (hour, minute) = digits.split_once(':').unwrap_or((digits, "0"));
    let (hour, minute) = (hour.parse::<u64>().ok()?, minute.parse::<u64>().ok()?);
    let hour = match half {
        "" => hour,
        _ if !(1..=12).contains(&hour) => return None,
        "am" => hour % 12,
        _ => hour % 12 + 12,
    };
    (hour < 24 && minute < 60).then(|| hour * HOUR + minute * MINUTE)
}

/// Days from 1970-01-01 to a date; years begin in March, so that a leap day comes last.
fn days(year: u64, month: u64, day: u64) -> u64 {
    let (year, from_march) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let of_years = 365 * year + year / 4 - year / 100 + year / 400;
    of_years + (153 * from_march + 2) / 5 + day - 1 - 719_468
}

fn year_of(ms: u64) -> u64 {
    let year = 1970 + ms / DAY / 366;
    (year..year + 800).find(|year| days(year + 1, 1, 1) > ms / DAY).unwrap_or(year)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-07-20 18:00 UTC.
    const NOW: u64 = 1_784_570_400_000;

    fn at(text: &str, offset_s: i64) -> Option<i64> {
        end(text, NOW, offset_s).map(|end| (end.cast_signed() - NOW.cast_signed()) / 60_000)
    }

    #[test]
    fn the_end_is_read_in_every_form_that_agents_use() {
        let day = 24 * 60;
        for (text, minutes) in [
            ("You've hit your session limit · resets 10:30pm (Europe/Berlin)", 4 * 60 + 30),
            ("You've hit your limit · resets 8pm (Africa/Cairo)", 2 * 60),
            ("5-hour limit reached ∙ resets 4am", 10 * 60),
            ("Weekly limit reached · resets Jul 26, 5:59am (UTC)", 5 * day + 12 * 60 - 1),
            ("Opus weekly limit reached ∙ resets Jul 22 at 6pm", 2 * day),
            (
                "You've hit your usage limit. Upgrade to Pro (https://x.y/z) or try again in 2 days 17 hours 14 minutes.",
                2 * day + 17 * 60 + 14,
            ),
            ("purchase more credits or try again at 8:51 PM.", 2 * 60 + 51),
            ("or try again at Sep 28th, 2026 6:14 PM.", 70 * day + 14),
            ("Access resets at 18:45 GMT", 45),
            ("Resets in 13h 17m", 13 * 60 + 17),
            ("Claude usage limit reached. Your limit will reset at 7pm (UTC).", 60),
        ] {
            assert_eq!(at(text, 0), Some(minutes), "{text}");
        }
    }

    #[test]
    fn a_time_is_one_of_the_agents_own_time_zone() {
        assert_eq!(at("resets 10:30pm (Europe/Berlin)", 7200), Some(2 * 60 + 30));
        assert_eq!(at("resets 11:15am (America/Los_Angeles)", -7 * 3600), Some(15));
        assert_eq!(at("resets Jul 20, 9pm", 7200), Some(60));
        assert_eq!(at("Access resets at 18:45 GMT", 7200), Some(45));
        assert_eq!(at("resets Jul 20, 9pm (UTC)", 7200), Some(180));
    }

    #[test]
    fn a_time_that_has_just_passed_is_not_that_of_tomorrow_and_a_date_may_be_in_the_next_year() {
        assert_eq!(at("resets 5:59pm", 0), Some(0));
        assert_eq!(at("resets 2:01pm", 0), Some(0));
        assert_eq!(at("resets 6:30am", 0), Some(12 * 60 + 30), "it is that of tomorrow");
        assert_eq!(at("resets 1pm", 0), Some(19 * 60));
        assert_eq!(at("resets Jul 20, 5pm", 0), Some(-60));
        let january = at("resets Jan 2, 6pm", 0).unwrap() / (24 * 60);
        assert_eq!(january, 166);
    }

    #[test]
    fn words_that_name_no_end_are_believed_for_an_hour_and_again_after_each_try() {
        for text in [
            "You've hit your usage limit.",
            "resets soon",
            "try again later",
            "resets 7",
            "resets 25:00",
            "resets 0pm",
            "resets 9999999999999999:00",
        ] {
            assert_eq!(at(text, 0), None, "{text}");
            let mut limit = UsageLimit::seen(text, NOW, 0);
            assert!(limit.holds(NOW + HOUR - 1) && !limit.holds(NOW + HOUR), "{text}");
            limit.tried(NOW + HOUR);
            assert!(limit.holds(NOW + HOUR) && !limit.holds(NOW + 2 * HOUR));
        }
        let far = UsageLimit::seen("resets in 9000 days", NOW, 0);
        assert!(!far.holds(NOW + HOUR), "{far:?}");
        let known = UsageLimit::seen("resets 7pm", NOW, 0);
        assert!(known.holds(NOW + HOUR) && !known.holds(NOW + HOUR + SLACK));
    }

    #[test]
    fn days_are_those_of_the_calendar() {
        for (year, month, day, expected) in
            [(1970, 1, 1, 0), (2000, 2, 29, 11_016), (2000, 3, 1, 11_017), (2026, 7, 20, 20_654)]
        {
            assert_eq!(days(year, month, day), expected);
        }
        assert_eq!((year_of(0), year_of(NOW), year_of(days(2027, 1, 1) * DAY)), (1970, 2026, 2027));
        assert_eq!(year_of(days(2027, 1, 1) * DAY - 1), 2026);
    }
}
