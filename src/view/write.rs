//! A text written in a popup: the form of the dashboard by itself, for one purpose.

use super::action::ActionOutcome;
use super::draw;
use super::form::{Form, Purpose};
use super::terminal::Screen;
use anyhow::Result;
use ratatui::crossterm::event::{Event, KeyCode, KeyEventKind, KeyModifiers};
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

/// How long a wait for a key is.
const TICK: Duration = Duration::from_millis(250);

/// What is written.
#[derive(Clone, Debug)]
pub enum Writing {
    /// A message to these, as `send` takes them.
    To(String),
    /// An agent's new name.
    NameOf(String),
}

/// Lets a person write, and does what the text is for in the project at `root`, called `project`. What is refused stays in the
/// form, with the reason. Gives what was printed at last; `None`: the person left.
pub fn write(root: &Path, project: &str, writing: Writing) -> Result<Option<String>> {
    let mut form = match writing {
        Writing::To(to) => Form::new(Purpose::Send { to }, ""),
        Writing::NameOf(agent) => {
            let name = agent.clone();
            Form::new(Purpose::Rename { agent }, &name)
        }
    };
    let mut screen = Screen::enter()?;
    let (done, outcomes) = mpsc::channel::<ActionOutcome>();
    let (mut running, mut told) = (None::<String>, None::<String>);
    loop {
        let said = running.as_ref().or(told.as_ref()).map_or(project, String::as_str);
        screen.terminal.draw(|frame| draw::writing(frame, &form, said, told.is_some()))?;
        if !screen.wait(TICK)? {
            return Ok(None);
        }
        if let Ok(outcome) = outcomes.try_recv() {
            if outcome.ok {
                return Ok(Some(outcome.text));
            }
            (running, told) = (None, Some(outcome.text));
        }
        match screen.read(true)? {
            // What was sent is on its way: nothing takes it back.
            Some(_) if running.is_some() => {}
            Some(Event::Paste(text)) => form.paste(&text),
            Some(Event::Key(key)) if key.kind != KeyEventKind::Release => {
                let control = key.modifiers.contains(KeyModifiers::CONTROL);
                if key.code == KeyCode::Esc || (control && key.code == KeyCode::Char('c')) {
                    return Ok(None);
                }
                if form.is_edited(&key) {
                    told = screen.edit(&mut form.input)?.err();
                } else if let Some(action) = form.press(key) {
                    (running, told) = (Some(format!("{} …", action.what)), None);
                    action.start(root, done.clone());
                }
            }
            None | Some(_) => {}
        }
    }
}
