//! Dates as the document has them: UTC, in the order year, month, day.

/// The day of a time (ms since the epoch), such as `2026-05-14`.
pub fn day(ms: u64) -> String {
    // Days since 0000-03-01, in eras of 400 years that all have the same length.
    let days = ms / 86_400_000 + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

/// The minute of a time, such as `2026-05-14 10:32`.
pub fn minute(ms: u64) -> String {
    let minutes = ms / 60_000;
    format!("{} {:02}:{:02}", day(ms), minutes / 60 % 24, minutes % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_the_calendar() {
        for (seconds, shown) in [
            (0, "1970-01-01 00:00"),
            (951_782_400, "2000-02-29 00:00"),
            (951_868_799, "2000-02-29 23:59"),
            (951_868_800, "2000-03-01 00:00"),
            (1_709_164_800, "2024-02-29 00:00"),
            (1_767_225_599, "2025-12-31 23:59"),
            (4_107_542_400, "2100-03-01 00:00"),
        ] {
            assert_eq!(minute(seconds * 1000), shown);
        }
    }

    #[test]
    fn every_day_follows_the_one_before_for_more_than_400_years() {
        let (mut year, mut month, mut date) = (1970_u64, 1, 1);
        for n in 0..150_000 {
            assert_eq!(day(n * 86_400_000), format!("{year:04}-{month:02}-{date:02}"));
            let leap = year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
            let length = match month {
                2 => 28 + u64::from(leap),
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            date += 1;
            if date > length {
                (date, month) = (1, month + 1);
            }
            if month > 12 {
                (month, year) = (1, year + 1);
            }
        }
        assert!(year > 2370);
        assert_eq!(minute(1_778_754_779_999), "2026-05-14 10:32");
    }
}
