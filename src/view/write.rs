//! Writes a text in a popup: the form of the dashboard by itself, for one purpose.

use super::action::ActionOutcome;
use super::form::{Form, Known, Purpose};
use super::form_view;
use super::starting::Starting;
use super::terminal::{Popup, Screen, is_control, show};
use crate::core::config::Settings;
use crate::core::group;
use crate::core::name::Name;
use crate::store::config::Files;
use crate::store::{Store, now_ms};
use anyhow::Result;
use ratatui::Frame;
use ratatui::crossterm::event::{KeyCode, KeyEvent};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::{Duration, Instant};

#[derive(Clone, Debug)]
pub enum Writing {
    /// A message to these recipients, in the form of `send`.
    To(String),
    /// An agent's new name.
    NameOf(String),
    /// The first message of agents that start; with the available kinds.
    Start(Vec<String>),
}

struct Popped<'a> {
    root: &'a Path,
    project: &'a str,
    form: Form,
    running: Option<String>,
    /// Why the text was refused.
    told: Option<String>,
    outcomes: (Sender<ActionOutcome>, Receiver<ActionOutcome>),
    /// When it was last checked whether the person may send.
    looked: Option<Instant>,
}

/// How often this is checked.
const LOOK: Duration = Duration::from_secs(1);

/// Lets a person write, and acts on the text in the project at `root`, called `project`. A refused text stays in the
/// form, with the reason. Returns the last output; `None`: the person left.
pub fn write(root: &Path, project: &str, writing: Writing) -> Result<Option<String>> {
    let form = match writing {
        Writing::To(to) => Form::to(&to).knowing(known(root)),
        Writing::NameOf(agent) => {
            let name = agent.clone();
            Form::new(Purpose::Rename { agent }, &name)
        }
        Writing::Start(kinds) => Form::new(Purpose::Start(Starting::new(kinds, "")), ""),
    };
    let outcomes = mpsc::channel();
    show(Popped { root, project, form, running: None, told: None, outcomes, looked: None })
        .map(Option::flatten)
}

/// The possible recipients in the project. If they cannot be found, the person can write nevertheless.
fn known(root: &Path) -> Vec<Known> {
    let Ok(store) = Store::open_root(root) else { return Vec::new() };
    let agents = store.living().unwrap_or_default();
    let groups = store.groups().unwrap_or_default();
    let agents = agents.iter().map(|agent| Known::agent(agent.name.as_str(), String::new()));
    let away = store.others_of_team().unwrap_or_default();
    let agents = agents.chain(away.iter().map(|address| Known::agent(&address.to_string(), String::new())));
    let group = |(name, members)| Known::group(&format!("@{name}"), &group::list(members), String::new());
    agents.chain(groups.iter().map(group)).collect()
}

/// The warning before a message is sent from the project.
fn warning(root: &Path) -> String {
    let limited = Store::open_root(root).map(|store| limited(&store, now_ms()));
    limited.unwrap_or_default()
}

/// A text that the person has reached the rate limit, and when the next message can be sent; empty otherwise.
pub(super) fn limited(store: &Store, now_ms: u64) -> String {
    let limit = Settings::from(&Files::of(Some(store.root())).load()).own_rate;
    let until = store.limited_until(&Name::human(), limit, now_ms);
    until.map(|until| too_soon(limit.count, until, now_ms)).unwrap_or_default()
}

/// [`limited`] for a known end of the limit; empty when that has passed.
pub(super) fn too_soon(count: usize, until: u64, now_ms: u64) -> String {
    if until <= now_ms {
        return String::new();
    }
    let rest = (until - now_ms).div_ceil(1000);
    format!("you can send again in {rest} s: {count} messages in a row are allowed (rate.count)")
}

impl Popup for Popped<'_> {
    type Outcome = Option<String>;
    const TICK: Duration = Duration::from_millis(250);

    fn draw(&mut self, frame: &mut Frame<'_>) {
        let said = self.running.as_ref().or(self.told.as_ref()).map_or(self.project, String::as_str);
        form_view::writing(frame, &self.form, said, self.told.is_some());
    }

    fn tick(&mut self) -> ControlFlow<Option<String>> {
        if let Ok(outcome) = self.outcomes.1.try_recv() {
            if outcome.ok {
                return ControlFlow::Break(Some(outcome.text));
            }
            (self.running, self.told) = (None, Some(outcome.text));
        }
        if self.form.is_message() && self.looked.is_none_or(|at| at.elapsed() >= LOOK) {
            self.form.warn(warning(self.root));
            self.looked = Some(Instant::now());
        }
        ControlFlow::Continue(())
    }

    fn press(&mut self, key: KeyEvent, screen: &mut Screen) -> Result<ControlFlow<Option<String>>> {
        if self.running.is_some() {
            // The text is on its way and cannot be taken back.
        } else if (key.code == KeyCode::Esc && !self.form.close_list()) || is_control(&key, 'c') {
            return Ok(ControlFlow::Break(None));
        } else if self.form.is_edited(&key) {
            self.told = screen.edit(&mut self.form.input)?.err();
        } else if let Some(action) = self.form.press(key) {
            (self.running, self.told) = (Some(format!("{} …", action.what)), None);
            action.start(self.root, self.outcomes.0.clone());
        }
        Ok(ControlFlow::Continue(()))
    }

    fn is_writing(&self) -> bool {
        true
    }

    fn paste(&mut self, text: &str) {
        if self.running.is_none() {
            self.form.paste(text);
        }
    }
}
