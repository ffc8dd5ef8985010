//! The fields of a TOML table, taken one by one. A field of the wrong type, a missing one and an unknown one are
//! errors with their lines.
//!
//! This is written by hand: generated code reported only one error at a time, and was forty times as large.

use std::cell::RefCell;
use toml_edit::{Item, TableLike, Value};

/// The errors in the order of the file: where each is, in bytes from the beginning, and its text.
pub(super) type Wrong = RefCell<Vec<(usize, String)>>;

/// One table, of which fields are taken.
pub(super) struct Fields<'t> {
    table: &'t dyn TableLike,
    /// A table with defaults for missing fields.
    usual: Option<&'t dyn TableLike>,
    /// Where the table begins.
    at: usize,
    taken: RefCell<Vec<&'t str>>,
    wrong: &'t Wrong,
}

impl<'t> Fields<'t> {
    pub(super) fn of(table: &'t dyn TableLike, at: usize, wrong: &'t Wrong) -> Self {
        Self { table, usual: None, at, taken: RefCell::default(), wrong }
    }

    /// This table, with the fields of another one as defaults.
    pub(super) fn over(mut self, usual: &Fields<'t>) -> Self {
        self.usual = Some(usual.table);
        self
    }

    fn say(&self, at: usize, what: String) {
        let mut all = self.wrong.borrow_mut();
        // A field that several tables have as a default is reported once.
        if all.contains(&(at, what.clone())) {
            return;
        }
        let place = all.partition_point(|(before, _)| *before <= at);
        all.insert(place, (at, what));
    }

    fn take<T>(&self, key: &'static str, wanted: &str, read: impl Fn(&'t Item) -> Option<T>) -> Option<T> {
        self.taken.borrow_mut().push(key);
        let found = read(self.item(key)?);
        if found.is_none() {
            self.say(self.place(key), format!("'{key}' must be {wanted}"));
        }
        found
    }

    fn item(&self, key: &str) -> Option<&'t Item> {
        self.table.get(key).or_else(|| self.usual?.get(key))
    }

    fn place(&self, key: &str) -> usize {
        let of = |table: &'t dyn TableLike| table.key(key).and_then(toml_edit::Key::span);
        of(self.table).or_else(|| of(self.usual?)).map_or(self.at, |span| span.start)
    }

    pub(super) fn text(&self, key: &'static str) -> Option<String> {
        self.take(key, "a text in quotes", |item| item.as_str().map(str::to_owned))
    }

    /// A required text.
    pub(super) fn needs(&self, key: &'static str) -> String {
        self.expect(key);
        self.text(key).unwrap_or_default()
    }

    /// A required number.
    pub(super) fn needed(&self, key: &'static str) -> u32 {
        self.expect(key);
        self.number(key).unwrap_or_default()
    }

    fn expect(&self, key: &str) {
        if self.item(key).is_none() {
            self.say(self.at, format!("'{key}' is missing"));
        }
    }

    pub(super) fn texts(&self, key: &'static str) -> Vec<String> {
        let all =
            |item: &'t Item| item.as_array()?.iter().map(|one| one.as_str().map(str::to_owned)).collect();
        self.take(key, "a list of texts, such as ['one', 'two']", all).unwrap_or_default()
    }

    pub(super) fn flag(&self, key: &'static str) -> bool {
        self.take(key, "true or false", Item::as_bool).unwrap_or_default()
    }

    pub(super) fn number(&self, key: &'static str) -> Option<u32> {
        self.take(key, "a whole number of 0 or more", |item| u32::try_from(item.as_integer()?).ok())
    }

    pub(super) fn sizes(&self, key: &'static str) -> Option<Vec<(u16, u16)>> {
        let number = |value: &Value| u16::try_from(value.as_integer()?).ok();
        let size = |value: &Value| {
            let pair = value.as_array().filter(|pair| pair.len() == 2)?;
            Some((number(pair.get(0)?)?, number(pair.get(1)?)?))
        };
        let all = |item: &'t Item| item.as_array()?.iter().map(size).collect();
        self.take(key, "a list of sizes, such as [[80, 10]]", all)
    }

    /// One of some words; required.
    pub(super) fn word<T>(
        &self,
        key: &'static str,
        wanted: &str,
        known: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        self.expect(key);
        self.take(key, wanted, |item| known(item.as_str()?))
    }

    /// One of some words.
    pub(super) fn one<T>(
        &self,
        key: &'static str,
        wanted: &str,
        known: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        self.take(key, wanted, |item| known(item.as_str()?))
    }

    /// A list of some words.
    pub(super) fn words<T>(
        &self,
        key: &'static str,
        wanted: &str,
        known: impl Fn(&str) -> Option<T>,
    ) -> Vec<T> {
        let all = |item: &'t Item| item.as_array()?.iter().map(|one| known(one.as_str()?)).collect();
        self.take(key, wanted, all).unwrap_or_default()
    }

    pub(super) fn table(&self, key: &'static str) -> Option<Self> {
        let at = self.place(key);
        self.take(key, "a table", Item::as_table_like).map(|table| Self::of(table, at, self.wrong))
    }

    /// The tables in this one whose names the user chose.
    pub(super) fn named_tables(&self) -> Vec<(&'t str, Self)> {
        let mut found = Vec::new();
        for (name, item) in self.table.iter() {
            self.taken.borrow_mut().push(name);
            let at = self.place(name);
            match item.as_table_like() {
                Some(table) => found.push((name, Self::of(table, at, self.wrong))),
                None => self.say(at, format!("'{name}' must be a table")),
            }
        }
        found
    }

    /// Reports an error about this table.
    pub(super) fn object(&self, what: String) {
        self.say(self.at, what);
    }

    pub(super) fn tables(&self, key: &'static str) -> Vec<Self> {
        let found = self.take(key, "a list of tables: write [[…]] above each", Item::as_array_of_tables);
        let all = found.into_iter().flat_map(toml_edit::ArrayOfTables::iter);
        all.map(|table| Self::of(table, table.span().map_or(self.at, |span| span.start), self.wrong))
            .collect()
    }
}

impl Drop for Fields<'_> {
    /// Reports the keys that nobody took.
    fn drop(&mut self) {
        let taken = self.taken.take();
        for (name, _) in self.table.iter().filter(|(name, _)| !taken.contains(name)) {
            let distance = |known: &&str| strsim::damerau_levenshtein(known, name);
            let near = taken.iter().copied().min_by_key(distance).filter(|known| distance(known) <= 3);
            let hint = near.map(|known| format!("; did you mean '{known}'?")).unwrap_or_default();
            self.say(self.place(name), format!("there is no key '{name}' here{hint}"));
        }
    }
}
