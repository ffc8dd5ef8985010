//! Decides whether a tmux version is new enough.
//!
//! The version is the server's (`#{version}`), not that of the `tmux` on PATH. 3.2 is the oldest with the formats
//! and popups that swarm needs; development builds count as new.

/// The oldest version that works.
pub const OLDEST: (u32, u32) = (3, 2);

/// Whether the server's version is new enough.
pub fn is_supported(version: &str) -> bool {
    let digits = version.trim_start_matches(|c: char| !c.is_ascii_digit());
    // `master` and `openbsd-…` builds have no release number.
    if digits.is_empty() || version.starts_with("openbsd") {
        return true;
    }
    let mut parts = digits.splitn(2, '.');
    let number = |part: Option<&str>| -> u32 {
        let text: String = part.unwrap_or("").chars().take_while(char::is_ascii_digit).collect();
        text.parse().unwrap_or(0)
    };
    (number(parts.next()), number(parts.next())) >= OLDEST
}

#[cfg(test)]
mod tests {
    use super::is_supported;

    #[test]
    fn releases_from_3_2_on_and_development_builds_are_taken() {
        for good in ["3.2", "3.2a", "3.3a", "next-3.4", "4.0", "master", "openbsd-7.5", "3.10"] {
            assert!(is_supported(good), "{good}");
        }
        for bad in ["3.1c", "2.9", "3.0a", "1.8"] {
            assert!(!is_supported(bad), "{bad}");
        }
    }
}
