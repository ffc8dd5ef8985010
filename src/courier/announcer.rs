//! Announces news to the person at the keyboard: a line on the status line, a bell or a command, and for urgent mail
//! the inbox in a popup.

use super::servers::Servers;
use super::summons::Summons;
use crate::core::config::Settings;
use crate::core::escape;
use crate::core::frame;
use crate::core::message::{MessageType, parse_file_name, sent_at};
use crate::core::name::Name;
use crate::core::order;
use crate::core::plural::plural;
use crate::store::mail::Folder;
use crate::store::{Store, now_ms};
use anyhow::{Context as _, Result};
use std::collections::BTreeSet;
use std::time::Duration;

/// When a courier starts, mail younger than this is news (ms).
const NEWS_MS: u64 = 10_000;

#[derive(Default)]
pub(super) struct Announcer {
    /// The unread mail that was announced; `None` before the first look.
    announced: Option<BTreeSet<String>>,
    /// When and how the person is called again.
    summons: Summons,
    /// Whether urgent mail waits to be shown in a popup.
    popup_due: bool,
}

impl Announcer {
    /// Announces new mail, calls the person, and opens the inbox for urgent mail.
    pub(super) fn run(&mut self, store: &Store, settings: &Settings, servers: &mut Servers) -> Result<()> {
        self.announce(store, settings, servers)?;
        self.summons.run(settings.notify.as_deref(), store.root());
        self.pop_up(store, settings.quiet, servers)
    }

    /// Announces mail to the human that came since the last look. When the courier starts, the newest mail counts as
    /// new, because the courier may have been started for that mail.
    #[inline(never)]
    fn announce(&mut self, store: &Store, settings: &Settings, servers: &mut Servers) -> Result<()> {
        let human = Name::human();
        let unread: BTreeSet<String> = order::collect(store.mail_files(&human, Folder::New)?);
        let announced = self.announced.replace(unread.clone()).unwrap_or_else(|| {
            let old = |file: &&String| sent_at(file).is_some_and(|at| at + NEWS_MS < now_ms());
            unread.iter().filter(old).cloned().collect()
        });
        let news: Vec<&String> = unread.difference(&announced).collect();
        self.popup_due |= settings.popup && any_urgent(store, &news)?;
        self.popup_due &= !unread.is_empty();
        // Notices of swarm have their own alerts.
        let by_somebody =
            |file: &str| parse_file_name(file).is_some_and(|(sender, _)| sender != Name::system().as_str());
        let waiting = unread.iter().filter(|file| by_somebody(file)).count();
        // A notice that waits for the person is news as well.
        let is_call = |file: &str| {
            let found = store.genuine(&human, &[], Folder::New, file);
            found.is_ok_and(|message| message.is_some_and(|m| m.kind == MessageType::Blocked))
        };
        let news: Vec<&String> = news.into_iter().filter(|file| by_somebody(file) || is_call(file)).collect();
        let (bell, is_new) = (settings.bell, !news.is_empty());
        let text = match news[..] {
            [] if self.summons.reminds(waiting) => {
                format!("{} in your inbox, not read yet", plural(waiting, "message"))
            }
            [] => return Ok(()),
            [file] => {
                let Some(message) = store.genuine(&human, &[], Folder::New, file)? else {
                    return Ok(());
                };
                format!("{} {}: {}", message.from, message.kind, frame::preview(message.body.as_str()))
            }
            _ => format!("{} new messages for you", news.len()),
        };
        servers.each(|server| server.alert(&text, bell).map(drop));
        if is_new {
            self.summons.news(&text);
        }
        Ok(())
    }

    /// Opens the inbox on the terminals where nobody is typing, if urgent mail waits for that.
    fn pop_up(&mut self, store: &Store, quiet: Duration, servers: &mut Servers) -> Result<()> {
        if !self.popup_due {
            return Ok(());
        }
        let program = std::env::current_exe().context("cannot find this program")?.with_file_name("swarm");
        // A path that does not fit in one line of shell is left to the status line.
        let (Some(root), Some(program)) = (store.root().to_str(), program.to_str()) else {
            return Ok(());
        };
        if [root, program].iter().any(|path| escape::line(path) != *path) {
            return Ok(());
        }
        // The person who opens the popup is the human, even if the tmux server was started inside an agent's pane.
        let command = format!(
            "unset TMUX_PANE; SWARM_ROOT={} exec {} inbox --open",
            escape::word(root),
            escape::word(program)
        );
        let due = &mut self.popup_due;
        // A popup is a courtesy, like the line on the status line.
        servers.each(|server| {
            *due &= !server.popup(quiet, now_ms() / 1000, &command)?;
            Ok(())
        });
        Ok(())
    }
}

fn any_urgent(store: &Store, files: &[&String]) -> Result<bool> {
    for file in files {
        let found = store.message(&Name::human(), &[], Folder::New, file)?;
        if found.is_some_and(|m| m.is_ok_and(|m| m.urgent && !m.from.is_system())) {
            return Ok(true);
        }
    }
    Ok(false)
}
