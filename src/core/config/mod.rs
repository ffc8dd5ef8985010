//! The settings: one table of keys, one set of checks, and the order of the sources.
//!
//! Pure: texts and variables are arguments. The user's file has priority over the defaults, the project's file over
//! the user's, and the environment over all. But a project's file comes with a clone, so each key says what such a
//! file may do with it. A wrong value is reported with its place and ignored; the other values of the file count.

pub mod edit;
pub mod file;
pub mod key;
mod lists;
pub mod resolve;
pub mod settings;
pub mod value;

pub use file::{Layer, Problem, Setting, Source};
pub use key::{Key, Rule, Spec};
pub use resolve::{Config, ResolvedSetting};
pub use settings::{Escalate, Settings};
pub use value::{SettingType, Value};
