//! What a person sees of a project: the dashboard, on one screen with the keys that act on it, and the small views of the
//! plugin's popups (a page, a list to choose from, a text to write, the inbox).
//!
//! The dashboard keeps nothing: `gather` reads the store, `app` decides what a key means, `draw` draws, and `action` runs this program's
//! own commands, so that closing it at any moment loses nothing. Several may be open. Reads take no lock. Idle it wakes four
//! times a second to look at a few directories' times, and reads only if one has changed.

mod action;
mod app;
pub mod checklist;
pub mod choose;
mod draw;
mod editor;
mod feed;
mod filter;
mod form;
mod gather;
pub mod inbox;
mod input;
mod keys;
mod latency;
pub mod pager;
mod snapshot;
mod terminal;
#[cfg(test)]
mod tests;
mod wrap;
pub mod write;

use crate::store::{Store, now_ms};
use crate::tmux::Server;
use action::{Action, ActionOutcome};
use anyhow::Result;
use app::{App, Mode, Wish};
use draw::Palette;
use gather::Gatherer;
use ratatui::crossterm::event::{Event, KeyEventKind};
use std::collections::BTreeMap;
use std::sync::mpsc;
use std::time::{Duration, Instant};
use terminal::Screen;

/// How long a wait for a key is.
const TICK: Duration = Duration::from_millis(250);

/// How often ages are brought up to date, and the courier is asked to look at the agents.
const REFRESH: Duration = Duration::from_secs(3);

/// How often everything is read even if no directory has changed: deadlines pass by themselves.
const REREAD: Duration = Duration::from_secs(15);

/// How often a pane that is being watched is captured.
const CAPTURE: Duration = Duration::from_millis(500);

/// For how long it holds what was found of an agent's hooks.
const HOOKS: Duration = Duration::from_secs(60);

/// How the dashboard was opened.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// In a popup: going to a pane closes it.
    pub popup: bool,
    /// The tmux client that looks at it.
    pub client: Option<String>,
    /// Draw with colours.
    pub colour: bool,
}

/// Shows the dashboard until the person quits. `revive` is called from time to time when no courier listens. `unreached`
/// says why hooks do not reach the agent that is looked at, and what repairs that.
pub fn run(
    store: &Store,
    options: &Options,
    revive: impl Fn(),
    unreached: impl Fn(&str) -> Option<String>,
) -> Result<()> {
    let mut watch = Watch::default();
    let mut gatherer = Gatherer::new(store);
    let mut app = App::new();
    gatherer.changed()?;
    app.update(gatherer.gather()?, now_ms());
    let mut screen = Screen::enter()?;
    let (done, outcomes) = mpsc::channel::<ActionOutcome>();
    let palette = Palette { colour: options.colour };
    let (mut read, mut refreshed, mut dirty) = (Instant::now(), Instant::now(), true);
    loop {
        dirty |= watch.look(&mut app, &unreached);
        if dirty {
            let now = now_ms();
            screen.terminal.draw(|frame| draw::draw(frame, &app, palette, now))?;
            dirty = false;
        }
        if !screen.wait(TICK)? {
            return Ok(());
        }
        if let Some(event) = screen.read(app.is_writing())? {
            let wish = match event {
                Event::Key(key) if key.kind != KeyEventKind::Release && app.is_edited(&key) => {
                    if let Mode::Form(form) = &mut app.mode {
                        let told = screen.edit(&mut form.input)?;
                        app.told = told.err().map(|why| (why, true));
                    }
                    Wish::Nothing
                }
                Event::Key(key) if key.kind != KeyEventKind::Release => app.press(key, now_ms()),
                Event::Paste(text) => {
                    app.paste(&text, now_ms());
                    Wish::Nothing
                }
                _ => Wish::Nothing,
            };
            dirty = true;
            match wish {
                Wish::Nothing => {}
                Wish::Quit => return Ok(()),
                Wish::Run(action) => action.start(store.root(), done.clone()),
                Wish::Jump(agent) => {
                    jump(agent, options).start(store.root(), done.clone());
                    if options.popup {
                        // The popup would stay in front of the pane. The outcome is waited for: closing kills the child.
                        let outcome = outcomes.recv()?;
                        if outcome.ok {
                            return Ok(());
                        }
                        app.finish(outcome);
                    }
                }
            }
        }
        while let Ok(outcome) = outcomes.try_recv() {
            app.finish(outcome);
            dirty = true;
        }
        if refreshed.elapsed() >= REFRESH {
            if !gatherer.courier()? {
                revive();
            }
            refreshed = Instant::now();
            dirty = true;
        }
        if gatherer.changed()? || read.elapsed() >= REREAD {
            app.update(gatherer.gather()?, now_ms());
            read = Instant::now();
            dirty = true;
        }
    }
}

/// The command that goes to an agent's pane.
fn jump(agent: String, options: &Options) -> Action {
    let mut jump = Action::line(&format!("go to {agent}"), &["jump"]);
    jump.args.extend(options.client.iter().map(|client| format!("--client={client}")));
    jump.args.push(agent);
    jump
}

/// Looking at the pane of the agent whose preview is open.
#[derive(Default)]
struct Watch {
    captured: Option<Instant>,
    /// How long the pane is not looked at again.
    pause: Duration,
    /// What was said of each agent's hooks, and when.
    hooks: BTreeMap<String, (Instant, String)>,
}

impl Watch {
    /// Looks if it is time. Returns whether the preview has changed.
    fn look(&mut self, app: &mut App, unreached: impl Fn(&str) -> Option<String>) -> bool {
        let Some(agent) = app.watched() else { return false };
        if self.captured.is_some_and(|at| at.elapsed() < self.pause) {
            return false;
        }
        let begun = Instant::now();
        let lines = capture(&agent.socket, &agent.pane);
        // A server that is slow, or does not answer at all, must not take the time for keys.
        self.pause = CAPTURE.max(10 * begun.elapsed());
        let name = &agent.name;
        if self.hooks.get(name).is_none_or(|(at, _)| at.elapsed() >= HOOKS) {
            let told = unreached(name).map(|why| format!("hooks: {}", crate::core::escape::line(&why)));
            self.hooks.insert(name.clone(), (Instant::now(), told.unwrap_or_default()));
        }
        let told = self.hooks.get(name).map(|(_, told)| told.clone()).unwrap_or_default();
        self.captured = Some(Instant::now());
        let Mode::Preview { lines: shown, hooks, .. } = &mut app.mode else { return false };
        let changed = *shown != lines || *hooks != told;
        (*shown, *hooks) = (lines, told);
        changed
    }
}

/// The content of a pane now, or why it is unknown.
fn capture(socket: &str, pane: &str) -> Vec<String> {
    match Server::new(socket).patient(CAPTURE).look(pane) {
        Ok(Some(look)) => {
            let mut lines: Vec<String> =
                look.screen.rows().iter().map(|row| crate::core::escape::line(&row.text)).collect();
            // An agent that has written little leaves the rest of its pane empty.
            lines.truncate(lines.iter().rposition(|l| !l.is_empty()).map_or(0, |last| last + 1));
            lines
        }
        Ok(None) => vec!["the pane is gone".to_owned()],
        Err(error) => vec![crate::core::escape::short(&format!("{error:#}"), 200)],
    }
}
