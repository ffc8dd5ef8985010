//! Calls the person at the keyboard: repeatedly until mail is read, and by a command of the person's choice.
//!
//! The caller decides what is shown and where; this module decides when. The courier keeps all of this in memory:
//! after it is killed, the next one announces the unread mail again, and loses none. The command runs in a thread of
//! its own with a time limit, and never two at once, so a hanging command keeps nobody waiting.

use crate::os::child;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The pauses before unread mail is announced again: they double from the first to the second.
const AGAIN: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(1800));

/// The shortest time between two starts of the person's command.
const APART: Duration = Duration::from_secs(5);

/// How long that command may take.
const BOUND: Duration = Duration::from_secs(10);

/// The state between two looks.
#[derive(Debug, Default)]
pub(super) struct Summons {
    /// When unread mail was last announced, and the pause before the next announcement.
    announced: Option<(Instant, Duration)>,
    /// The text for the person's command.
    text: Option<String>,
    started: Option<Instant>,
    runs: Arc<AtomicBool>,
}

impl Summons {
    /// Whether this number of unread messages is announced again now.
    pub(super) fn reminds(&mut self, unread: usize) -> bool {
        if unread == 0 {
            self.announced = None;
            return false;
        }
        let (at, pause) = *self.announced.get_or_insert((Instant::now(), AGAIN.0));
        let due = at.elapsed() >= pause;
        if due {
            self.announced = Some((Instant::now(), (pause * 2).min(AGAIN.1)));
        }
        due
    }

    /// Notes that new mail was announced by this text.
    pub(super) fn news(&mut self, text: &str) {
        self.announced = Some((Instant::now(), AGAIN.0));
        self.text = Some(text.to_owned());
    }

    /// Runs the person's command, if there is one and it is time. The text is on its standard input and in a
    /// variable, never in the command itself. A text that comes meanwhile waits, and only the last one is given.
    pub(super) fn run(&mut self, command: Option<&str>, root: &Path) {
        let Some(command) = command else {
            self.text = None;
            return;
        };
        let is_early = self.started.is_some_and(|at| at.elapsed() < APART);
        if is_early || self.text.is_none() || self.runs.swap(true, Ordering::AcqRel) {
            return;
        }
        let Some(text) = self.text.take() else { return };
        self.started = Some(Instant::now());
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", command]).env("SWARM_TEXT", &text).env("SWARM_PROJECT", root).current_dir("/");
        let runs = Arc::clone(&self.runs);
        std::thread::spawn(move || {
            // The command is a courtesy: the mail is in the inbox.
            let _ = child::output(&mut shell, Some(format!("{text}\n").as_bytes()), BOUND);
            runs.store(false, Ordering::Release);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn unread_mail_is_announced_again_after_pauses_that_grow() {
        let mut summons = Summons::default();
        assert!(!summons.reminds(1), "it was announced as it came");
        for pause in [60, 120, 240, 480, 960, 1800, 1800] {
            let (at, known) = summons.announced.unwrap();
            assert_eq!(known.as_secs(), pause);
            summons.announced = Some((at.checked_sub(known).unwrap(), known));
            assert!(summons.reminds(1) && !summons.reminds(1));
        }
        summons.news("more");
        assert_eq!(summons.announced.unwrap().1, AGAIN.0);
        assert!(!summons.reminds(0) && summons.announced.is_none());
    }

    #[test]
    fn the_persons_command_gets_the_text_as_it_is_and_is_not_run_too_often() {
        let dir = tempfile::tempdir().unwrap();
        let (told, root) = (dir.path().join("told"), dir.path());
        let command = format!("{{ cat; printf '%s' \"$SWARM_TEXT\"; }} >>'{}'", told.display());
        let mut summons = Summons::default();
        let text = "codex-1 QUESTION: $(touch x) `id` \"; exit";
        summons.run(Some(&command), root);
        assert!(!told.exists(), "there is nothing to tell");
        summons.news(text);
        summons.run(Some(&command), root);
        let begun = Instant::now();
        while summons.runs.load(Ordering::Acquire) {
            assert!(begun.elapsed() < Duration::from_secs(60));
            std::thread::sleep(Duration::from_millis(5));
        }
        let said = format!("{text}\n{text}");
        assert_eq!(fs::read_to_string(&told).unwrap(), said);
        // A second text waits, and only the last one is given.
        summons.news("two");
        summons.news("three");
        summons.run(Some(&command), root);
        assert_eq!((fs::read_to_string(&told).unwrap(), summons.text.as_deref()), (said, Some("three")));
        summons.run(None, root);
        assert_eq!(summons.text, None, "without a command nothing is kept");
    }
}
