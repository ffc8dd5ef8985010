//! What a round shows: counts on the status line, and the news for the person at the keyboard.

use super::Round;
use crate::core::badge::Counts;
use crate::core::delivery::Stage;
use crate::core::escape;
use crate::core::frame;
use crate::core::message::{parse_file_name, sent_at};
use crate::core::name::Name;
use crate::core::plural::plural;
use crate::store::mail::Folder;
use crate::store::{Store, now_ms};
use anyhow::{Context as _, Result};
use std::collections::BTreeSet;

/// Mail that a courier finds as it begins is news if it is younger than this (ms).
const NEWS_MS: u64 = 10_000;

impl Round<'_> {
    /// Brings the status lines up to date, and announces new mail to the person at the keyboard.
    pub fn show(&mut self) -> Result<()> {
        let agents = self.store.agents()?;
        let counts = self.counts()?.agents(&agents, &self.store.askers()?);
        let ascii = self.settings.ascii;
        let (badge, calls) = (counts.badge(ascii), counts.calls().badge(ascii));
        let (board, root) = (&mut self.board, self.store.root());
        // The status line is a courtesy: what it tells is in the store.
        if !self.servers.each(|server| board.show(server, &agents, [&badge, &calls], root)).is_empty() {
            self.quiet.forget();
        }
        self.announce()?;
        self.summons.run(self.settings.notify.as_deref(), self.store.root());
        self.pop_up()
    }

    /// Counts the mail.
    fn counts(&mut self) -> Result<Counts> {
        let mut counts = Counts::default();
        let owners = self.store.mailboxes()?;
        self.counted.keep(&owners);
        self.buried.keep(&owners);
        for owner in owners {
            let counted = self.counted.recall(self.store, &owner, || count(self.store, &owner))?;
            counts.unread += counted.unread;
            counts.held += counted.held;
            counts.overdue += counted.overdue;
        }
        Ok(counts)
    }

    /// Announces mail to the human that came since the last look. When the courier starts, the newest mail counts as new,
    /// because it may have been started for that.
    fn announce(&mut self) -> Result<()> {
        let human = Name::human();
        let unread: BTreeSet<String> = self.store.mail_files(&human, Folder::New)?.into_iter().collect();
        let announced = self.announced.replace(unread.clone()).unwrap_or_else(|| {
            let old = |file: &&String| sent_at(file).is_some_and(|at| at + NEWS_MS < now_ms());
            unread.iter().filter(old).cloned().collect()
        });
        let news: Vec<&String> = unread.difference(&announced).collect();
        self.popup_due |= self.settings.popup && self.any_urgent(&news)?;
        self.popup_due &= !unread.is_empty();
        // Notices of swarm have their own alerts.
        let by_somebody =
            |file: &str| parse_file_name(file).is_some_and(|(sender, _)| sender != Name::system().as_str());
        let waiting = unread.iter().filter(|file| by_somebody(file)).count();
        let news: Vec<&String> = news.into_iter().filter(|file| by_somebody(file)).collect();
        let (bell, is_new) = (self.settings.bell, !news.is_empty());
        let text = match news[..] {
            [] if self.summons.reminds(waiting) => {
                format!("{} in your inbox, not read yet", plural(waiting, "message"))
            }
            [] => return Ok(()),
            [file] => {
                let Some(Ok(message)) = self.store.message(&human, &[], Folder::New, file)? else {
                    return Ok(());
                };
                format!("{} {}: {}", message.from, message.kind, frame::preview(message.body.as_str()))
            }
            _ => format!("{} new messages for you", news.len()),
        };
        self.servers.each(|server| server.alert(&text, bell).map(drop));
        if is_new {
            self.summons.news(&text);
        }
        Ok(())
    }

    fn any_urgent(&self, files: &[&String]) -> Result<bool> {
        for file in files {
            let found = self.store.message(&Name::human(), &[], Folder::New, file)?;
            if found.is_some_and(|m| m.is_ok_and(|m| m.urgent && !m.from.is_system())) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Opens the dashboard on the terminals where nobody is typing, if urgent mail waits for that.
    fn pop_up(&mut self) -> Result<()> {
        if !self.popup_due {
            return Ok(());
        }
        let program = std::env::current_exe().context("cannot find this program")?.with_file_name("swarm");
        // What cannot be said in one line of shell is left to the status line.
        let (Some(root), Some(program)) = (self.store.root().to_str(), program.to_str()) else {
            return Ok(());
        };
        if [root, program].iter().any(|path| escape::line(path) != *path) {
            return Ok(());
        }
        // Whoever opens it is the human, even where the tmux server was started inside somebody's pane.
        let command = format!(
            "unset TMUX_PANE; SWARM_ROOT={} exec {} dashboard --popup",
            escape::word(root),
            escape::word(program)
        );
        let (quiet_s, due) = (self.settings.quiet_s, &mut self.popup_due);
        // A popup is a courtesy, like the line on the status line.
        self.servers.each(|server| {
            *due &= !server.popup(quiet_s, now_ms() / 1000, &command)?;
            Ok(())
        });
        Ok(())
    }
}

/// Counts what one mailbox has to tell of.
fn count(store: &Store, owner: &Name) -> Result<Counts> {
    let mut counts = Counts::default();
    if owner.is_human() {
        counts.unread = store.count_unread(owner)?;
    }
    for (folder, overdue) in [(Folder::New, false), (Folder::Unacked, true)] {
        for file in store.mail_files(owner, folder)? {
            let Some((_, id)) = parse_file_name(&file) else { continue };
            let Some(delivery) = store.delivery(owner, &id)? else { continue };
            if overdue {
                counts.overdue += usize::from(delivery.ack.is_some_and(|a| a.rings > 0));
            } else {
                counts.held += usize::from(delivery.way.stage == Stage::Held);
            }
        }
    }
    Ok(counts)
}
