//! Combines all sources: the value in effect, its source, and what was ignored.

use super::file::{Layer, Problem, Setting, Source};
use super::key::{Key, Rule};
use super::lists;
use super::value::Value;

/// The value in effect of a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolvedSetting {
    pub key: Key,
    pub value: Value,
    pub source: Source,
    /// The file and line, or the variable; empty for a default.
    pub place: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    entries: Vec<ResolvedSetting>,
    pub problems: Vec<Problem>,
    /// Valid values in a project's file that such a file may not set.
    pub ignored: Vec<Problem>,
}

impl Config {
    /// Combines layers; a later one has priority.
    pub fn resolve(layers: Vec<Layer>) -> Self {
        let default = |key: Key| {
            let value = key.spec().default.clone();
            ResolvedSetting { key, value, source: Source::Default, place: String::new() }
        };
        let entries = Key::ALL.into_iter().map(default).collect();
        let mut config = Self { entries, problems: Vec::new(), ignored: Vec::new() };
        for layer in layers {
            config.problems.extend(layer.problems);
            for Setting { key, value, place } in layer.settings {
                config.take(ResolvedSetting { key, value, source: layer.source, place });
            }
        }
        config
    }

    fn take(&mut self, new: ResolvedSetting) {
        let spec = new.key.spec();
        let (mut new, base) = (new, self.value(Key::Carriers).clone());
        let Some(old) = self.entries.get_mut(new.key as usize) else { return };
        if let (Source::Project, Value::Lists(yours), Value::Lists(its)) =
            (new.source, &old.value, &new.value)
            && let Some(both) = lists::narrowed(yours, &base, its)
        {
            new.value = Value::Lists(both.into());
            *old = new;
            return;
        }
        if new.source != Source::Project || spec.rule.allows(spec.kind, &old.value, &new.value) {
            *old = new;
            return;
        }
        let name = spec.name;
        if spec.rule == Rule::Never {
            let what = format!("{name} is a setting of your own file (--user)");
            self.problems.push(Problem { source: new.source, place: new.place, what });
        } else {
            let yours = spec.kind.text(&old.value);
            let what = format!(
                "{name} is ignored: the file of a project may set it {}, and yours is {yours}",
                spec.rule.word()
            );
            self.ignored.push(Problem { source: new.source, place: new.place, what });
        }
    }

    /// The settings, in the order of the keys.
    pub fn entries(&self) -> &[ResolvedSetting] {
        &self.entries
    }

    pub fn value(&self, key: Key) -> &Value {
        self.entries.get(key as usize).map_or(&key.spec().default, |entry| &entry.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(source: Source, text: &str) -> Layer {
        Layer::file(source, source.word(), text)
    }

    #[test]
    fn a_later_source_wins_key_by_key() {
        let config = Config::resolve(vec![
            file(Source::User, "[lease]\nttl = \"1h\"\n[ack]\nescalate = \"all\"\n"),
            file(Source::Project, "[lease]\nttl = \"2h\"\n"),
            Layer::environment(|name| (name == "SWARM_ENFORCE").then(|| "warn".to_owned())),
        ]);
        let told = |key: Key| {
            let entry = &config.entries()[key as usize];
            (entry.source, key.spec().kind.text(&entry.value))
        };
        assert_eq!(told(Key::LeaseTtl), (Source::Project, "2h".into()));
        assert_eq!(told(Key::AckEscalate), (Source::User, "all".into()));
        assert_eq!(told(Key::Enforce), (Source::Environment, "warn".into()));
        assert_eq!(told(Key::Quiet), (Source::Default, "3s".into()));
        assert_eq!((config.problems, config.ignored), (vec![], vec![]));
    }

    #[test]
    fn a_project_can_neither_switch_the_guard_off_nor_open_windows_on_a_persons_screen() {
        let text = "[hooks]\nenforce = \"off\"\n[rate]\ncount = 0\n[human]\npopup = \"urgent\"\n";
        let config = Config::resolve(vec![file(Source::Project, text)]);
        assert_eq!(config.value(Key::Enforce), &Value::Word("deny"));
        assert_eq!(config.value(Key::RateCount), &Value::Number(10));
        assert_eq!(config.value(Key::Popup), &Value::Word("off"));
        let places: Vec<&str> = config.ignored.iter().map(|p| &*p.place).collect();
        assert_eq!(places, ["project:2", "project:4"]);
        assert_eq!(config.problems.len(), 1);
        let yours = file(Source::User, "[delivery]\ncarriers_of = \"a=pane\"\n");
        for (its, told) in [("b=pane", "a=pane b=pane"), ("b=hook", "a=pane")] {
            let its = file(Source::Project, &format!("[delivery]\ncarriers_of = [\"{its}\"]\n"));
            let config = Config::resolve(vec![yours.clone(), its]);
            assert_eq!(Key::CarriersOf.spec().kind.text(config.value(Key::CarriersOf)), told);
            assert_eq!(config.ignored.is_empty(), told.contains('b'));
        }
        let user = file(Source::User, "[hooks]\nenforce = \"off\"\n");
        let both = Config::resolve(vec![user, file(Source::Project, "[hooks]\nenforce = \"warn\"\n")]);
        assert_eq!(both.value(Key::Enforce), &Value::Word("warn"));
    }
}
