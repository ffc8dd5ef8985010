//! Finds the names that match a few letters.
//!
//! Pure. The letters must stand in the text in their order. Letters at the beginning of a word, and adjacent ones,
//! count more.

use crate::core::order;

/// How well `letters` match `text`; `None`: not at all. Case does not count.
pub(super) fn fit(letters: &str, text: &str) -> Option<u32> {
    let text: Vec<char> = text.to_lowercase().chars().collect();
    let (mut score, mut at, mut follows) = (0, 0, false);
    for letter in letters.to_lowercase().chars().filter(|c| !c.is_whitespace()) {
        let starts = |place: usize| place == 0 || !text[place - 1].is_alphanumeric();
        let places = (at..text.len()).filter(|place| text[*place] == letter);
        let value = |place: usize| {
            if follows && place == at {
                4
            } else if starts(place) {
                3
            } else {
                1
            }
        };
        let best = places.max_by_key(|place| (value(*place), std::cmp::Reverse(*place)))?;
        score += value(best);
        (at, follows) = (best + 1, true);
    }
    Some(score)
}

/// The indices of the matching texts, the best first; equal ones keep their order. Each text comes with an
/// explanation, which matches only if all the letters stand in it together.
pub(super) fn find<'a>(letters: &str, texts: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<usize> {
    let together = letters.trim().to_lowercase();
    let value = |(name, more): (&str, &str)| {
        fit(letters, name)
            .map(|score| score + 100)
            .or_else(|| more.to_lowercase().contains(&together).then_some(0))
    };
    let mut found: Vec<(u32, usize)> =
        texts.enumerate().filter_map(|(number, text)| value(text).map(|score| (score, number))).collect();
    order::sort_by_key(&mut found, |(score, number)| (std::cmp::Reverse(*score), *number));
    found.into_iter().map(|(_, number)| number).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beginning_of_words_and_what_stands_together_count_more() {
        let texts = [("write", "to it"), ("write-all", "to all agents"), ("release", "give it back to all")];
        let found = |letters: &str| find(letters, texts.into_iter());
        assert_eq!(found(""), [0, 1, 2]);
        assert_eq!(found("wra"), [1]);
        assert_eq!(found("rel"), [2, 1]);
        assert_eq!(found("to all"), [1, 2], "what explains it is searched as well");
        assert_eq!(found("xyz"), [] as [usize; 0]);
        assert!(fit("ack", "ack acknowledge").unwrap() > fit("ack", "a bucket back").unwrap());
    }
}
