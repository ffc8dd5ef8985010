//! The settings: one table of keys, one set of checks, and what wins over what.
//!
//! Pure: texts and variables are handed in. A value of the defaults gives way to one of the user's file, that to one of the
//! project's, that to the environment; but a project's file comes with a clone, so each key says what such a file may do with
//! it. What is wrong is told with its place and never taken; what is right beside it serves all the same.

pub mod edit;
pub mod file;
pub mod key;
pub mod resolve;
pub mod settings;
pub mod value;

pub use file::{Layer, Problem, Setting, Source};
pub use key::{Key, Rule, Spec};
pub use resolve::{Config, Entry};
pub use settings::{Escalate, Settings};
pub use value::{Kind, Value};
