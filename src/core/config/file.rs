//! One source of settings: a file's text, or the variables of the environment.
//!
//! Text of files is untrusted: quoted names are shortened and escaped, and values are not quoted at all.

use super::key::{Key, VariablePart};
use super::value::Value;
use std::fmt;
use toml_edit::{Document, Item, TableLike};

/// The source of a value; a later one has priority.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// Built in.
    Default,
    User,
    Project,
    Environment,
}

impl Source {
    pub fn word(self) -> &'static str {
        match self {
            Source::Default => "default",
            Source::User => "user",
            Source::Project => "project",
            Source::Environment => "environment",
        }
    }
}

/// A value and its origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    pub key: Key,
    pub value: Value,
    /// The file or the variable, with the line of a file: `FILE:3`.
    pub place: String,
}

/// A problem and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub source: Source,
    /// The file or the variable, with the line of a file: `FILE:3`.
    pub place: String,
    /// The error, and how to correct it.
    pub what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}

/// The contents of one source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    pub source: Source,
    /// The valid values.
    pub settings: Vec<Setting>,
    pub problems: Vec<Problem>,
}

impl Layer {
    pub fn empty(source: Source) -> Self {
        Self { source, settings: Vec::new(), problems: Vec::new() }
    }

    /// A source that cannot be read.
    pub fn unreadable(source: Source, place: &str, why: &str) -> Self {
        let problem = Problem { source, place: place.to_owned(), what: why.to_owned() };
        Self { problems: vec![problem], ..Self::empty(source) }
    }

    /// Reads the text of the file at `place`.
    pub fn file(source: Source, place: &str, text: &str) -> Self {
        let mut reader = Reader { text, place, layer: Self::empty(source) };
        match Document::parse(text) {
            Ok(document) => reader.table(document.as_table(), ""),
            Err(error) => {
                // The first line of the error describes it; the rest may quote the file.
                let what =
                    crate::core::escape::short(error.message().lines().next().unwrap_or_default(), 160);
                reader.wrong(error.span().map(|s| s.start), &format!("it is not TOML: {what}"));
            }
        }
        reader.layer
    }

    /// Reads variables; `get` returns the text of one that is set and not empty.
    pub fn environment(get: impl Fn(&str) -> Option<String>) -> Self {
        let mut layer = Self::empty(Source::Environment);
        for key in Key::ALL {
            let spec = key.spec();
            let Some(text) = get(spec.variable) else { continue };
            let text = match spec.part {
                VariablePart::Whole => Some(&*text),
                VariablePart::Before => text.split_once('/').map(|(before, _)| before),
                VariablePart::After => text.split_once('/').map(|(_, after)| after),
            };
            let read = text.ok_or_else(|| "COUNT/SECONDS, such as 10/60".to_owned());
            match read.and_then(|text| spec.kind.parse(text)) {
                Ok(value) => {
                    layer.settings.push(Setting { key, value, place: spec.variable.to_owned() });
                }
                Err(wanted) => layer.problems.push(Problem {
                    source: Source::Environment,
                    place: spec.variable.to_owned(),
                    what: format!("{} must be {wanted}", spec.name),
                }),
            }
        }
        layer.problems.dedup_by(|a, b| a.place == b.place);
        layer
    }
}

struct Reader<'a> {
    text: &'a str,
    place: &'a str,
    layer: Layer,
}

impl Reader<'_> {
    fn at(&self, offset: Option<usize>) -> String {
        match offset.and_then(|at| self.text.get(..at)) {
            Some(before) => format!("{}:{}", self.place, before.matches('\n').count() + 1),
            None => self.place.to_owned(),
        }
    }

    fn wrong(&mut self, offset: Option<usize>, what: &str) {
        let problem = Problem { source: self.layer.source, place: self.at(offset), what: what.to_owned() };
        self.layer.problems.push(problem);
    }

    fn table(&mut self, table: &dyn TableLike, above: &str) {
        for (name, item) in table.iter() {
            let name = if above.is_empty() { name.to_owned() } else { format!("{above}.{name}") };
            let key = table.get_key_value(name.rsplit('.').next().unwrap_or_default()).map(|(key, _)| key);
            let offset = key.and_then(toml_edit::Key::span).or_else(|| item.span()).map(|s| s.start);
            match (item, Key::find(&name)) {
                (Item::Value(value), Ok(key)) => match key.spec().kind.parse_toml(value) {
                    Ok(value) => {
                        let place = self.at(offset);
                        self.layer.settings.push(Setting { key, value, place });
                    }
                    Err(wanted) => self.wrong(offset, &format!("{name} must be {wanted}")),
                },
                (_, Ok(key)) => {
                    self.wrong(offset, &format!("{name} must be {}", key.spec().kind.describe()));
                }
                (item, Err(unknown)) => match item.as_table_like() {
                    Some(table) if above.is_empty() => self.table(table, &name),
                    _ => self.wrong(offset, &unknown),
                },
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Layer {
        Layer::file(Source::User, "f", text)
    }

    fn problems(text: &str) -> Vec<String> {
        read(text).problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_way_to_write_a_value_is_read() {
        let text =
            "[rate]\ncount = 5\nwindow = \"2m\"\n\n[ack]\nwaits = [\"30s\", 60, 0.5]\n[lease]\nttl = 90\n";
        let layer = read(text);
        assert_eq!(layer.problems, []);
        let said: Vec<String> = layer
            .settings
            .iter()
            .map(|s| format!("{}={}", s.place, s.key.spec().kind.text(&s.value)))
            .collect();
        assert_eq!(said, ["f:2=5", "f:3=2m", "f:6=30s,1m,500ms", "f:8=90s"]);
        assert_eq!(
            read("rate.count = 1\nhooks = { enforce = \"off\" }\ncoord.auto = true\n").settings.len(),
            3
        );
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line_and_the_rest_serves() {
        let text =
            "[rate]\ncuont = 5\nwindow = \"2m\"\n[hooks]\nenforce = \"dney\"\n[lease]\nttl = \"100d\"\n";
        let told = [
            "f:2: there is no setting 'rate.cuont'; did you mean rate.count?",
            "f:5: hooks.enforce must be deny, warn or off",
            "f:7: lease.ttl must be a time from 1s to 1d",
        ];
        assert_eq!(problems(text), told);
        assert_eq!(read(text).settings.len(), 1);
    }

    #[test]
    fn types_are_those_of_the_table() {
        for (text, line) in [
            ("[rate]\ncount = \"5\"\n", "f:2: rate.count must be a number from 0 to 100000"),
            ("[coord]\nauto = 1\n", "f:2: coord.auto must be true or false"),
            ("[rate.count]\nx = 1\n", "f:1: rate.count must be a number from 0 to 100000"),
            ("rate = { count = { x = 1 } }\n", "f:1: rate.count must be a number from 0 to 100000"),
            ("lease.ttl = { x = 1 }\n", "f:1: lease.ttl must be a time from 1s to 1d"),
            ("[[rate]]\ncount = 1\n", "f:1: there is no setting 'rate'"),
            ("[lease]\nttl = [1]\n", "f:2: lease.ttl must be a time"),
            ("rate = 5\n", "f:1: there is no setting 'rate'"),
            ("[a.b]\nc = 1\n", "f:1: there is no setting 'a.b'"),
        ] {
            let told = problems(text);
            assert!(told.len() == 1 && told[0].starts_with(line), "{text}: {told:?}");
        }
    }

    #[test]
    fn broken_toml_is_told_with_its_line_and_without_its_text() {
        let told = problems("[rate]\ncount = 5\ncount = = \u{1b}]secret\n");
        assert_eq!(told.len(), 1);
        assert!(told[0].starts_with("f:3: it is not TOML: ") && !told[0].contains("secret"), "{told:?}");
    }

    #[test]
    fn the_variable_of_the_rate_limit_sets_two_keys() {
        let get = |text: &'static str| {
            Layer::environment(move |name| (name == "SWARM_RATE_LIMIT").then(|| text.to_owned()))
        };
        assert_eq!(get("5/90").settings.len(), 2);
        assert_eq!(get("5").problems.len(), 1);
        assert_eq!(
            get("5").problems[0].to_string(),
            "SWARM_RATE_LIMIT: rate.count must be COUNT/SECONDS, such as 10/60"
        );
    }

    #[test]
    fn a_file_that_cannot_be_read_is_one_problem_of_its_source() {
        let layer = Layer::unreadable(Source::Project, "f", "permission denied");
        assert_eq!((layer.source, &layer.settings), (Source::Project, &vec![]));
        let told: Vec<_> = layer.problems.iter().map(|p| (p.source, p.to_string())).collect();
        assert_eq!(told, [(Source::Project, "f: permission denied".to_owned())]);
    }

    #[test]
    fn every_bad_variable_is_told_and_one_that_sets_two_keys_once() {
        let layer = Layer::environment(|name| {
            matches!(name, "SWARM_RATE_LIMIT" | "SWARM_QUIET" | "SWARM_POPUP").then(|| "x/y".to_owned())
        });
        let places: Vec<&str> = layer.problems.iter().map(|p| &*p.place).collect();
        assert_eq!(places, ["SWARM_RATE_LIMIT", "SWARM_QUIET", "SWARM_POPUP"]);
    }

    #[test]
    fn a_source_is_shown_by_its_word() {
        use Source::{Default, Environment, Project, User};
        let words = [Default, User, Project, Environment].map(Source::word);
        assert_eq!(words, ["default", "user", "project", "environment"]);
    }
}
