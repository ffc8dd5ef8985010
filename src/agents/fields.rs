//! The fields of a TOML table, taken one by one. What is of a wrong type, missing or left over is an error with its line.
//!
//! By hand, since generated code says one error at a time, and was forty times as large.

use std::cell::RefCell;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// What is wrong, in the order of the file: where, in bytes from its beginning, and what.
pub(super) type Wrong = RefCell<Vec<(usize, String)>>;

/// One table, of which fields are taken.
pub(super) struct Fields<'t> {
    table: &'t DeTable<'t>,
    /// Where it begins.
    at: usize,
    taken: RefCell<Vec<&'static str>>,
    wrong: &'t Wrong,
}

impl<'t> Fields<'t> {
    pub(super) fn of(table: &'t Spanned<DeTable<'t>>, wrong: &'t Wrong) -> Self {
        Self { table: table.get_ref(), at: table.span().start, taken: RefCell::default(), wrong }
    }

    fn say(&self, at: usize, what: String) {
        let mut all = self.wrong.borrow_mut();
        let place = all.partition_point(|(before, _)| *before <= at);
        all.insert(place, (at, what));
    }

    fn take<T>(
        &self,
        key: &'static str,
        wanted: &str,
        read: impl Fn(&'t DeValue<'t>) -> Option<T>,
    ) -> Option<T> {
        self.taken.borrow_mut().push(key);
        let value = self.table.get(key)?;
        let found = read(value.get_ref());
        if found.is_none() {
            self.say(value.span().start, format!("'{key}' must be {wanted}"));
        }
        found
    }

    pub(super) fn text(&self, key: &'static str) -> Option<String> {
        self.take(key, "a text in quotes", |value| value.as_str().map(str::to_owned))
    }

    /// A text that must be there.
    pub(super) fn needs(&self, key: &'static str) -> String {
        self.expect(key);
        self.text(key).unwrap_or_default()
    }

    /// A number that must be there.
    pub(super) fn needed(&self, key: &'static str) -> u32 {
        self.expect(key);
        self.number(key).unwrap_or_default()
    }

    fn expect(&self, key: &str) {
        if !self.table.contains_key(key) {
            self.say(self.at, format!("'{key}' is missing"));
        }
    }

    pub(super) fn texts(&self, key: &'static str) -> Vec<String> {
        let all = |value: &'t DeValue<'t>| {
            value.as_array()?.iter().map(|one| one.get_ref().as_str().map(str::to_owned)).collect()
        };
        self.take(key, "a list of texts, such as ['one', 'two']", all).unwrap_or_default()
    }

    pub(super) fn flag(&self, key: &'static str) -> bool {
        self.take(key, "true or false", DeValue::as_bool).unwrap_or_default()
    }

    pub(super) fn number(&self, key: &'static str) -> Option<u32> {
        self.take(key, "a whole number of 0 or more", number)
    }

    /// Pairs of numbers.
    pub(super) fn sizes(&self, key: &'static str) -> Option<Vec<(u16, u16)>> {
        let size = |value: &'t Spanned<DeValue<'t>>| match &**value.get_ref().as_array()? {
            [x, y] => Some((number(x.get_ref())?.try_into().ok()?, number(y.get_ref())?.try_into().ok()?)),
            _ => None,
        };
        self.take(key, "a list of sizes, such as [[80, 10]]", |value| {
            value.as_array()?.iter().map(size).collect()
        })
    }

    /// One of some words, which must be there.
    pub(super) fn word<T>(
        &self,
        key: &'static str,
        wanted: &str,
        known: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        self.expect(key);
        self.take(key, wanted, |value| known(value.as_str()?))
    }

    /// A table in this one.
    pub(super) fn table(&self, key: &'static str) -> Option<Self> {
        let at = self.table.get(key).map_or(self.at, |value| value.span().start);
        self.take(key, "a table", DeValue::as_table).map(|table| self.inner(table, at))
    }

    /// Several tables of one name.
    pub(super) fn tables(&self, key: &'static str) -> Vec<Self> {
        let all = |value: &'t DeValue<'t>| -> Option<Vec<(&'t DeTable<'t>, usize)>> {
            value.as_array()?.iter().map(|one| Some((one.get_ref().as_table()?, one.span().start))).collect()
        };
        let found = self.take(key, "a list of tables: write [[…]] above each", all).unwrap_or_default();
        found.into_iter().map(|(table, at)| self.inner(table, at)).collect()
    }

    fn inner(&self, table: &'t DeTable<'t>, at: usize) -> Self {
        Self { table, at, taken: RefCell::default(), wrong: self.wrong }
    }
}

impl Drop for Fields<'_> {
    /// Reports the keys that nobody took.
    fn drop(&mut self) {
        let taken = self.taken.take();
        for key in self.table.keys().filter(|key| !taken.contains(&key.get_ref().as_ref())) {
            let name = key.get_ref();
            let distance = |known: &&str| strsim::damerau_levenshtein(known, name);
            let near = taken.iter().copied().min_by_key(distance).filter(|known| distance(known) <= 3);
            let hint = near.map(|known| format!("; did you mean '{known}'?")).unwrap_or_default();
            self.say(key.span().start, format!("there is no key '{name}' here{hint}"));
        }
    }
}

fn number(value: &DeValue<'_>) -> Option<u32> {
    let number = value.as_integer()?;
    u32::from_str_radix(number.as_str(), number.radix()).ok()
}
