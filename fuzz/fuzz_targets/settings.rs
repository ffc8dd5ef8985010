//! A settings file of anybody's making, read, changed, and read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use swarm::core::config::{Key, Layer, Source, edit};

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let read = |text: &str| Layer::file(Source::User, "fuzz.toml", text);
    for problem in read(text).problems {
        assert!(!problem.to_string().chars().any(char::is_control));
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
});
