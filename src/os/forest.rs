//! The processes below others, each read only when it is needed.
//!
//! If the system lists the children of a process (Linux, with a suitable kernel), a look costs only the processes
//! below the panes, however many others the machine runs. Elsewhere all of them are read at once. A process that
//! starts or ends during the look may be missing; the next look shows it.

use super::process::{Process, Table};
use super::system::{boot_id, children, read_one, tells_children};
use crate::core::process_id::ProcessId;
use anyhow::Result;
use std::collections::VecDeque;

/// The most processes below one that are read: a safeguard against a tree that changes without end.
const MOST: usize = 10_000;

/// The processes of this machine, from the top down.
#[derive(Debug)]
pub struct Forest {
    boot: String,
    /// All of them, if the system does not list children.
    whole: Option<Table>,
}

impl Forest {
    pub fn look() -> Result<Self> {
        let whole = if tells_children() { None } else { Some(Table::read()?) };
        Ok(Self { boot: boot_id()?, whole })
    }

    /// `pid` and everything below it, nearest first.
    pub fn tree(&self, pid: i32) -> Tree<'_> {
        let first = match &self.whole {
            Some(table) => table.get(pid).cloned(),
            None => read_one(pid),
        };
        Tree { forest: self, next: first.into_iter().collect(), above: None, seen: 0 }
    }

    /// The full identity of a process.
    pub fn id(&self, process: &Process) -> ProcessId {
        ProcessId { pid: process.pid, start: process.start, boot: self.boot.clone() }
    }

    /// Whether a look reads only the processes that are needed.
    pub fn is_lazy(&self) -> bool {
        self.whole.is_none()
    }

    /// The children of a process.
    pub fn below(&self, process: &Process) -> Vec<Process> {
        let is_child = |p: &Process| p.parent == process.pid && p.pid != process.pid;
        match &self.whole {
            Some(table) => table.all().filter(|p| is_child(p)).cloned().collect(),
            None => children(process.pid).into_iter().filter_map(read_one).filter(is_child).collect(),
        }
    }
}

/// See [`Forest::tree`].
#[derive(Debug)]
pub struct Tree<'f> {
    forest: &'f Forest,
    next: VecDeque<Process>,
    /// The last process that was returned. Its children are read only when the next process is wanted.
    above: Option<Process>,
    seen: usize,
}

impl Iterator for Tree<'_> {
    type Item = Process;

    fn next(&mut self) -> Option<Process> {
        if let Some(above) = self.above.take() {
            self.next.extend(self.forest.below(&above));
        }
        self.seen += 1;
        let process = self.next.pop_front().filter(|_| self.seen <= MOST)?;
        self.above = Some(process.clone());
        Some(process)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn what_is_below_a_process_is_found_from_the_nearest_on_also_below_a_thread() {
        // A thread of this process starts the shell, so the system lists it with that thread.
        let start = || {
            let mut command = Command::new("sh");
            command.args(["-c", "sleep 60 & echo up; read line"]);
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()
        };
        std::thread::scope(|scope| {
            let (go, wait) = std::sync::mpsc::channel::<()>();
            let (tell, told) = std::sync::mpsc::channel();
            scope.spawn(move || {
                let mut shell = start();
                let mut line = String::new();
                let mut out = std::io::BufReader::new(shell.stdout.take().unwrap());
                std::io::BufRead::read_line(&mut out, &mut line).unwrap();
                tell.send(i32::try_from(shell.id()).unwrap()).unwrap();
                let _ = wait.recv();
                shell.kill().unwrap();
                shell.wait().unwrap();
            });
            let shell = told.recv().unwrap();
            // Its child is a shell as well, until its exec.
            let forest = loop {
                let forest = Forest::look().unwrap();
                if forest.tree(shell).any(|process| &*process.comm == "sleep") {
                    break forest;
                }
                std::thread::sleep(std::time::Duration::from_millis(5));
            };
            let whole = Forest { boot: forest.boot.clone(), whole: Some(Table::read().unwrap()) };
            for forest in [&forest, &whole] {
                let below: Vec<Process> = forest.tree(shell).collect();
                assert_eq!((below[0].pid, below[1].parent, &*below[1].comm), (shell, shell, "sleep"));
                assert_eq!(below.len(), 2);
                let own = i32::try_from(std::process::id()).unwrap();
                assert!(forest.tree(own).any(|p| p.pid == below[1].pid));
                assert_eq!(forest.id(&below[0]).start, below[0].start);
            }
            let sleep = forest.tree(shell).nth(1).unwrap().pid;
            let _ =
                nix::sys::signal::kill(nix::unistd::Pid::from_raw(sleep), nix::sys::signal::Signal::SIGKILL);
            drop(go);
        });
    }
}
