//! Sorting, compiled once. The standard library's sort is compiled again for each type and each comparison, at about
//! four kilobytes a time. Here one sort of numbers serves all of them. Use the standard library's sort where speed
//! matters.
//!
//! All sorts are stable.

use std::cmp::Ordering;

pub fn sort<T: Ord>(items: &mut [T]) {
    sort_by(items, T::cmp);
}

pub fn sort_by_key<T, K: Ord>(items: &mut [T], key: impl Fn(&T) -> K) {
    sort_by(items, |one, other| key(one).cmp(&key(other)));
}

/// Computes each item's key once.
pub fn sort_by_cached_key<T, K: Ord>(items: &mut [T], key: impl Fn(&T) -> K) {
    let keys: Vec<K> = items.iter().map(key).collect();
    apply(items, swaps(keys.len(), &|one, other| keys[one].cmp(&keys[other])));
}

pub fn sort_by<T>(items: &mut [T], compare: impl Fn(&T, &T) -> Ordering) {
    apply(items, swaps(items.len(), &|one, other| compare(&items[one], &items[other])));
}

fn apply<T>(items: &mut [T], swaps: Vec<(usize, usize)>) {
    for (one, other) in swaps {
        items.swap(one, other);
    }
}

/// Collects into a map or a set item by item, because `collect` sorts first.
pub fn collect<T, C: Default + Extend<T>>(items: impl IntoIterator<Item = T>) -> C {
    let mut all = C::default();
    all.extend(items);
    all
}

/// The swaps that put the items with these numbers in order.
fn swaps(len: usize, compare: &dyn Fn(usize, usize) -> Ordering) -> Vec<(usize, usize)> {
    let mut from: Vec<usize> = (0..len).collect();
    from.sort_by(|one, other| compare(*one, *other));
    let mut swaps = Vec::new();
    for start in 0..len {
        let mut place = start;
        // Each swap puts one item in its place. The item that was there goes to the other's old place.
        loop {
            let next = std::mem::replace(&mut from[place], place);
            if next == start {
                break;
            }
            swaps.push((place, next));
            place = next;
        }
    }
    swaps
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every order of six items, some of which are equal, is sorted as the standard library sorts it.
    #[test]
    fn every_permutation_is_sorted_and_equals_keep_their_order() {
        for number in 0..720 {
            let mut left: Vec<usize> = (0..6).collect();
            let mut items = Vec::new();
            let mut rest = number;
            for base in (1..=6).rev() {
                items.push(left.remove(rest % base));
                rest /= base;
            }
            let mut expected = items.clone();
            expected.sort_by_key(|item| item / 2);
            sort_by_key(&mut items, |item| item / 2);
            assert_eq!(items, expected, "permutation {number}");
        }
        sort::<u8>(&mut []);
    }
}
