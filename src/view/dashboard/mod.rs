//! The dashboard: who needs a person, the conversations, the leases and the tasks, with the keys that act on them.
//!
//! It stores nothing: `gather` reads the store, `model` and `act` decide what a key means, `draw` draws, and this
//! program's own commands do the rest, so closing it at any moment loses nothing. Several may be open. Reads take no
//! lock. When idle, it wakes four times a second to check the times of a few directories, and reads only if one has
//! changed. Only a person's key for the dialog of an agent (`dialog`) is not a command line.

mod act;
mod act_life;
mod act_mail;
mod agents;
mod away;
mod dialog;
mod draw;
mod feed;
mod filter;
mod gather;
mod hosts;
mod journal;
mod keymap;
mod keys;
mod leases;
mod model;
mod mouse;
mod overlay;
mod panel;
mod press;
mod sgr;
mod snapshot;
mod tasks;
#[cfg(test)]
mod tests;
mod theme;
mod threads;
mod watch;

use super::action::{Action, ActionOutcome, sequence};
use super::terminal::Screen;
use super::text::{cut, flat};
use crate::core::escape;
use crate::store::{Store, now_ms};
use anyhow::Result;
pub use dialog::Answer;
use gather::Gatherer;
use model::{App, Mode, Wish};
use ratatui::crossterm::event::{Event, KeyEventKind};
use snapshot::ProjectRow;
use std::sync::mpsc;
use std::time::{Duration, Instant};
use theme::Theme;
use watch::Watch;

/// How long one wait for a key takes.
const TICK: Duration = Duration::from_millis(250);

/// How long it takes while a thread's answer is expected.
const SHORT: Duration = Duration::from_millis(40);

/// How often ages are updated, and the courier is asked to look at the agents.
const REFRESH: Duration = Duration::from_secs(3);

/// How often everything is read even if no directory has changed, because deadlines pass by themselves.
const REREAD: Duration = Duration::from_secs(15);

/// How often the other projects on the tmux server are looked at.
const AROUND: Duration = Duration::from_secs(20);

#[derive(Clone, Debug, Default)]
pub struct Options {
    /// In a popup, which closes when the person goes to a pane.
    pub popup: bool,
    /// The tmux client of the person.
    pub client: Option<String>,
    /// Draw with colours.
    pub colour: bool,
    /// Use only ASCII signs.
    pub ascii: bool,
    /// The project's name for people.
    pub label: String,
    /// The person's own keys.
    pub keys: String,
}

/// A project on the tmux server.
pub struct Neighbour {
    pub store: Store,
    pub label: String,
    pub agents: usize,
    pub needs: usize,
    pub unread: usize,
}

/// Facts about an agent beside its records and its screen.
#[derive(Clone, Debug, Default)]
pub struct AgentFacts {
    /// Its place for people: `session:window.pane`.
    pub place: String,
    /// The evidence for its state on the screen.
    pub evidence: String,
    /// The carrier of its mail.
    pub channel: String,
    /// Why hooks do not reach it, and what repairs that.
    pub hooks: String,
}

/// The dashboard's calls to the layers above it.
#[derive(Clone, Copy)]
pub struct Outside {
    /// Called from time to time when no courier listens.
    pub revive: fn(&Store),
    /// The facts about an agent. May take time.
    pub facts: fn(&Store, &str) -> AgentFacts,
    /// The projects on the tmux server. May take time.
    pub projects: fn() -> Vec<Neighbour>,
    /// Gives a key of the person to the dialog of an agent, if it is still the dialog that was seen. May take time.
    pub answer: fn(&Store, &Answer) -> Result<String>,
    /// The kinds of agents that can be started.
    pub kinds: fn() -> Vec<String>,
    /// Copies a text for the person, in addition to the terminal's own clipboard.
    pub copy: fn(&str) -> Result<()>,
}

/// The error in a person's own keys, which the setting `dashboard.keys` contains.
pub fn wrong_keys(own: &str) -> Option<String> {
    keymap::Keymap::new(own).1
}

/// Shows the dashboard until the person quits.
pub fn run(store: &Store, options: &Options, outside: Outside) -> Result<()> {
    let mut watch = Watch::new(outside, options.colour);
    let mut gatherer = Gatherer::new(store.clone(), options.label.clone());
    let mut app = App::new(&options.keys);
    app.update(gatherer.gather()?, now_ms());
    let mut screen = Screen::enter()?;
    screen.watch_mouse()?;
    let mut around = Around::default();
    let (done, outcomes) = mpsc::channel::<ActionOutcome>();
    look_back().start(store.root(), done.clone());
    let theme = Theme { colour: options.colour, ascii: options.ascii };
    let (mut read, mut refreshed, mut dirty) = (Instant::now(), Instant::now(), true);
    loop {
        dirty |= watch.take(&mut app.seen) | around.look(outside, &mut app);
        if dirty {
            let now = now_ms();
            screen.terminal.draw(|frame| draw::draw(frame, &mut app, theme, now))?;
            dirty = false;
        }
        let answers = matches!(app.mode, Mode::Dialog(_));
        if let Some(agent) = app.watched() {
            watch.look(&gatherer.store, agent, answers);
        }
        let expects = watch.pending || !app.running.is_empty() || app.shown.more || answers;
        if !screen.wait(if expects { SHORT } else { TICK })? {
            return Ok(());
        }
        while let Some(event) = screen.read(app.is_writing())? {
            dirty = true;
            match take(event, &mut app, &mut screen)? {
                Wish::Nothing => {}
                Wish::Quit => return Ok(()),
                Wish::Copy(text) => app.told = Some(copied(outside, &text)?),
                Wish::Project(root) if root == app.shown.root => {}
                Wish::Project(root) => match around.projects.iter().find(|p| p.store.root() == root) {
                    Some(next) => {
                        gatherer = Gatherer::new(next.store.clone(), next.label.clone());
                        app.leave_project();
                        app.update(gatherer.gather()?, now_ms());
                        look_back().start(gatherer.store.root(), done.clone());
                    }
                    None => app.tell("that project is no more on this tmux server"),
                },
                Wish::Answer(what, answer) => {
                    let (store, done) = (gatherer.store.clone(), done.clone());
                    std::thread::spawn(move || {
                        let said = (outside.answer)(&store, &answer);
                        let (ok, text) = match said {
                            Ok(text) => (true, text),
                            Err(error) => (false, escape::line(&format!("{error:#}"))),
                        };
                        let action = Action { what, ..Action::default() };
                        // Nobody receives it any more once the dashboard is closed.
                        let _ = done.send(ActionOutcome { action, ok, text });
                    });
                }
                Wish::Start => app.start((outside.kinds)()),
                Wish::Run(actions) => sequence(actions, gatherer.store.root().to_owned(), done.clone()),
                Wish::Jump(agent) => {
                    jump(agent, options).start(gatherer.store.root(), done.clone());
                    if options.popup {
                        // The popup would stay in front of the pane. The outcome is awaited, because closing kills
                        // the child.
                        loop {
                            let outcome = outcomes.recv()?;
                            let jumped = outcome.action.args.first().is_some_and(|word| word == "jump");
                            if jumped && outcome.ok {
                                return Ok(());
                            }
                            app.finish(outcome);
                            if jumped {
                                break;
                            }
                        }
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
                (outside.revive)(&gatherer.store);
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

/// Copies a text to where the person can paste it. Returns a text about that, and whether it failed.
fn copied(outside: Outside, text: &str) -> Result<(String, bool)> {
    let taken = Screen::copy(text)?;
    let shown = cut(&flat(text), 60);
    Ok(match (outside.copy)(text) {
        Ok(()) => (format!("copied: {shown}"), false),
        // Outside tmux only the terminal is asked.
        Err(_) if taken => (format!("copied, if your terminal allows it: {shown}"), false),
        Err(error) => (format!("not copied: {error:#}"), true),
    })
}

/// The projects on the tmux server; a thread of their own looks for them.
#[derive(Default)]
struct Around {
    projects: Vec<Neighbour>,
    coming: Option<mpsc::Receiver<Vec<Neighbour>>>,
    asked: Option<Instant>,
}

impl Around {
    /// Looks if it is time. Returns whether anything new is to be shown.
    fn look(&mut self, outside: Outside, app: &mut App) -> bool {
        let came = self.coming.as_ref().and_then(|coming| coming.try_recv().ok());
        if let Some(projects) = came {
            (self.projects, self.coming) = (projects, None);
            let row = |p: &Neighbour| ProjectRow {
                label: p.label.clone(),
                root: p.store.root().to_owned(),
                agents: p.agents,
                needs: p.needs,
                unread: p.unread,
            };
            let rows: Vec<ProjectRow> = self.projects.iter().map(row).collect();
            let changed = rows != app.projects;
            app.projects = rows;
            return changed;
        }
        if self.coming.is_none() && self.asked.is_none_or(|at| at.elapsed() >= AROUND) {
            let (tell, coming) = mpsc::channel();
            std::thread::spawn(move || tell.send((outside.projects)()));
            (self.coming, self.asked) = (Some(coming), Some(Instant::now()));
        }
        false
    }
}

/// Handles one event.
fn take(event: Event, app: &mut App, screen: &mut Screen) -> Result<Wish> {
    match event {
        Event::Key(key) if key.kind != KeyEventKind::Release && app.is_edited(&key) => {
            if let Mode::Form(form) = &mut app.mode {
                let told = screen.edit(&mut form.input)?;
                app.told = told.err().map(|why| (why, true));
            }
        }
        Event::Key(key) if key.kind != KeyEventKind::Release => return Ok(app.press(key, now_ms())),
        Event::Paste(text) => app.paste(&text, now_ms()),
        Event::Mouse(event) => return Ok(app.point(event, now_ms())),
        _ => {}
    }
    Ok(Wish::Nothing)
}

/// The command that shows what happened while the person was away, if they were, and records that they look now.
fn look_back() -> Action {
    Action::line("look back", &["digest", "--back"])
}

/// The command that goes to an agent's pane.
fn jump(agent: String, options: &Options) -> Action {
    let mut jump = Action::line(&format!("go to {agent}"), &["jump"]);
    jump.args.extend(options.client.iter().map(|client| format!("--client={client}")));
    jump.args.push(agent);
    jump
}
