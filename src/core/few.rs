//! A map with few entries: a list in the order of its keys.
//!
//! The standard library's maps are compiled again for each pair of types, at three to eight kilobytes. This one takes some hundred
//! bytes. Inserting moves all later entries, so it is for agents, servers and panes, and not for messages or leases.

use std::borrow::Borrow;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Few<K, V> {
    entries: Vec<(K, V)>,
}

impl<K, V> Default for Few<K, V> {
    fn default() -> Self {
        Self { entries: Vec::new() }
    }
}

impl<K: Ord, V> Few<K, V> {
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an entry. Returns the value that the key had before.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        match self.find(&key) {
            Ok(at) => Some(std::mem::replace(&mut self.entries[at].1, value)),
            Err(at) => {
                self.entries.insert(at, (key, value));
                None
            }
        }
    }

    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.find(key).ok().map(|at| &self.entries[at].1)
    }

    pub fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        self.find(key).ok().map(|at| &mut self.entries[at].1)
    }

    pub fn contains_key<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.find(key).is_ok()
    }

    /// The value of the key, which begins as the default value.
    pub fn at(&mut self, key: K) -> &mut V
    where
        V: Default,
    {
        let at = match self.find(&key) {
            Ok(at) => at,
            Err(at) => {
                self.entries.insert(at, (key, V::default()));
                at
            }
        };
        &mut self.entries[at].1
    }

    pub fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        self.find(key).ok().map(|at| self.entries.remove(at).1)
    }

    pub fn retain(&mut self, mut keeps: impl FnMut(&K, &V) -> bool) {
        self.entries.retain(|(key, value)| keeps(key, value));
    }

    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.entries.iter().map(|(key, value)| (key, value))
    }

    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.entries.iter().map(|(_, value)| value)
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The place of the key, or the place where it belongs.
    fn find<Q: Ord + ?Sized>(&self, key: &Q) -> Result<usize, usize>
    where
        K: Borrow<Q>,
    {
        self.entries.binary_search_by(|(known, _)| known.borrow().cmp(key))
    }
}

impl<K, V> IntoIterator for Few<K, V> {
    type Item = (K, V);
    type IntoIter = std::vec::IntoIter<(K, V)>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn it_does_what_the_map_of_the_standard_library_does() {
        let (mut few, mut map) = (Few::new(), BTreeMap::new());
        let mut state = 7_u32;
        for step in 0..2_000 {
            state = state.wrapping_mul(1_103_515_245).wrapping_add(12_345);
            let key = format!("{:02}", (state >> 16) % 20);
            match (state >> 24) % 5 {
                0 | 1 => assert_eq!(few.insert(key.clone(), step), map.insert(key, step)),
                2 => assert_eq!(few.remove(key.as_str()), map.remove(key.as_str())),
                3 => {
                    *few.at(key.clone()) += 1;
                    *map.entry(key).or_default() += 1;
                }
                _ => {
                    few.retain(|known, value| *known != key || value % 2 == 0);
                    map.retain(|known, value| *known != key || *value % 2 == 0);
                }
            }
            assert!(few.iter().eq(map.iter()) && few.values().eq(map.values()), "{few:?} {map:?}");
            assert_eq!((few.len(), few.is_empty()), (map.len(), map.is_empty()));
            assert_eq!(few.get("07"), map.get("07"));
            assert_eq!(
                (few.contains_key("03"), few.get_mut("03")),
                (map.contains_key("03"), map.get_mut("03"))
            );
        }
        assert!(few.into_iter().eq(map));
    }
}
