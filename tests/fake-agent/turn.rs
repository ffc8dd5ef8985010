//! A turn: what the agent is busy with after a submit, or because a test said so. Its commands run one after the
//! other, then it holds for a while, then it is over. It logs nothing and draws nothing.

use std::collections::VecDeque;

use crate::react::{Job, Outcome, Running};

pub(crate) struct Turn {
    pub(crate) started: u64,
    /// Whether it ends with a reply in the transcript.
    pub(crate) replies: bool,
    /// How long it lasts once its commands are done, and until when, known from then on.
    hold: u64,
    until: Option<u64>,
    jobs: VecDeque<Job>,
    running: Option<Running>,
}

/// A command that has ended.
pub(crate) struct Finished {
    pub(crate) command: String,
    pub(crate) outcome: Outcome,
}

impl Turn {
    pub(crate) fn after_submit(now: u64, hold: u64, jobs: Vec<Job>) -> Self {
        Self { started: now, replies: true, hold, until: None, jobs: jobs.into(), running: None }
    }

    pub(crate) fn ordered(now: u64) -> Self {
        Self { started: now, replies: false, hold: 0, until: None, jobs: VecDeque::new(), running: None }
    }

    pub(crate) fn hold_until(&mut self, until: u64) {
        self.until = Some(until);
    }

    /// When it ends, once only time is lacking.
    pub(crate) fn until(&self) -> Option<u64> {
        self.until.filter(|_| self.running.is_none())
    }

    pub(crate) fn is_over(&self, now: u64) -> bool {
        self.running.is_none() && self.until.is_some_and(|until| now >= until)
    }

    pub(crate) fn running(&self) -> Option<&Running> {
        self.running.as_ref()
    }

    pub(crate) fn running_command(&self) -> Option<&str> {
        self.running.as_ref().map(|r| r.command.as_str())
    }

    /// The command under way, if it has just ended.
    pub(crate) fn finish_running(&mut self) -> Option<Finished> {
        let running = self.running.as_mut()?;
        let outcome = running.advance()?;
        let command = std::mem::take(&mut running.command);
        self.running = None;
        Some(Finished { command, outcome })
    }

    /// Starts the next command, or the hold when there is none. What could not be started is finished at once.
    pub(crate) fn start_next(&mut self, now: u64) -> Option<Finished> {
        if self.running.is_some() {
            return None;
        }
        let Some(job) = self.jobs.pop_front() else {
            self.until.get_or_insert(now + self.hold);
            return None;
        };
        match Running::start(&job) {
            Ok(running) => {
                self.running = Some(running);
                None
            }
            Err(e) => {
                let outcome = Outcome { code: -1, output: e.to_string() };
                Some(Finished { command: job.command, outcome })
            }
        }
    }
}
