//! A settings file of anybody's making, read, changed, and read again.

use super::assert_plain;
use swarm::core::config::{Config, Key, Layer, Source, edit};

pub fn settings(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let read = |text: &str| Layer::file(Source::Project, "fuzz.toml", text);
    let config = Config::resolve(vec![read(text)]);
    for problem in config.problems.iter().chain(&config.ignored) {
        assert_plain(&problem.to_string());
    }
    for entry in config.entries() {
        let spec = entry.key.spec();
        // Whatever serves can be said again.
        assert_eq!(spec.kind.parse(&spec.kind.text(&entry.value)), Ok(entry.value.clone()), "{}", spec.name);
    }
    for problem in Layer::environment(|_| Some(text.to_owned())).problems {
        assert_plain(&problem.to_string());
    }
    for key in Key::ALL {
        let spec = key.spec();
        let Ok(with) = edit::set(text, key, &spec.default) else { continue };
        let layer = read(&with);
        assert!(layer.settings.iter().any(|s| s.key == key && s.value == spec.default), "{with:?}");
        assert_eq!(edit::set(&with, key, &spec.default).as_ref(), Ok(&with));
        if let Ok(Some(without)) = edit::unset(&with, spec.name) {
            assert!(!read(&without).settings.iter().any(|s| s.key == key), "{without:?}");
        }
    }
}
