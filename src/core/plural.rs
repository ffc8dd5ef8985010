//! Counts with their nouns. Pure.

/// `1 record`, `2 records`.
pub fn plural(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}
