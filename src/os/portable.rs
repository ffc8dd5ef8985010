//! Processes on systems other than Linux, from `ps`; macOS is supported by design and untested.
//!
//! The programs are run by their full paths, because the environment of a hook may have a short or misleading PATH.
//! Times are requested in UTC: a process is identified by its start time, and local time changes with travel and with
//! the season. `ps` gives all arguments as one line. Which blanks belong to an argument is determined by looking
//! which files exist.

use super::process::Process;
use crate::core::order;
use crate::core::process_id::ProcessId;
use anyhow::{Context as _, Result, bail};
use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};

const PS: &str = "/bin/ps";

/// The first one that exists is run.
const SYSCTL: [&str; 2] = ["/usr/sbin/sysctl", "/sbin/sysctl"];

/// The names of a value that identifies the boot; the first that the system knows is used. The last is that of Linux,
/// for the tests.
const BOOT: [&str; 3] = ["kern.bootsessionuuid", "kern.boottime", "kernel.random.boot_id"];

const FORMAT: &str = "pid=,ppid=,pgid=,tpgid=,stat=,lstart=,args=";

/// The columns of [`FORMAT`] before the arguments; `lstart` is five words, such as `Tue Nov 24 02:09:39 2026`.
const COLUMNS: usize = 10;

/// The most words of a line that are read as arguments. The part that identifies a process is at the beginning.
const MAX_WORDS: usize = 64;

/// The output of a program. A failure counts only with an error message: `ps -p` fails if there is no such process.
fn output(program: &str, args: &[&str]) -> Result<String> {
    let out = Command::new(program)
        .args(args)
        .env("LC_ALL", "C")
        .env("TZ", "UTC0")
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot run {program}"))?;
    if !out.status.success() && !out.stderr.is_empty() {
        bail!("{program}: {}", crate::core::escape::short(&String::from_utf8_lossy(&out.stderr), 200));
    }
    Ok(String::from_utf8_lossy(&out.stdout).into_owned())
}

/// The id of the machine's boot.
pub fn boot_id() -> Result<String> {
    let program = SYSCTL.into_iter().find(|path| Path::new(path).exists()).unwrap_or(SYSCTL[0]);
    for name in BOOT {
        let told = output(program, &["-n", name]).map(|text| text.trim().to_owned());
        match told {
            Ok(id) if !id.is_empty() => return Ok(id),
            // The program cannot be run: another name would not help.
            Err(e) if e.downcast_ref::<std::io::Error>().is_some() => return Err(e),
            // The system does not know this name.
            _ => {}
        }
    }
    bail!("{program} does not say which boot of the machine this is")
}

pub(super) fn read_all() -> Result<Vec<Process>> {
    Ok(output(PS, &["-A", "-ww", "-o", FORMAT])?.lines().filter_map(parse_line).collect())
}

/// The words of a line before its arguments, and the arguments as one text.
fn columns(line: &str) -> Option<([&str; COLUMNS], &str)> {
    let mut words = [""; COLUMNS];
    let mut rest = line;
    for word in &mut words {
        rest = rest.trim_start();
        let end = rest.find(char::is_whitespace)?;
        (*word, rest) = rest.split_at(end);
    }
    Some((words, rest.trim()))
}

fn parse_line(line: &str) -> Option<Process> {
    let (words, args) = columns(line)?;
    let [pid, parent, group, foreground, state, _weekday, month, day, clock, year] = words;
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = months.iter().position(|m| *m == month)? as u64 + 1;
    let clock: Vec<u64> = clock.split(':').filter_map(|n| n.parse().ok()).collect();
    let [hour, minute, second] = clock[..] else { return None };
    let start = [month, day.parse().ok()?, hour, minute, second]
        .into_iter()
        .fold(year.parse().ok()?, |number: u64, field| number * 100 + field);
    // A login shell's name begins with a dash.
    let name = arguments(args).first().map(|first| first.rsplit('/').next().unwrap_or(first).to_owned());
    Some(Process {
        pid: pid.parse().ok()?,
        parent: parent.parse().ok()?,
        group: group.parse().ok()?,
        foreground: foreground.parse().ok()?,
        start,
        stopped: state.starts_with('T'),
        ended: state.starts_with('Z'),
        comm: name.unwrap_or_default().trim_start_matches('-').to_owned(),
        line: Some(args.to_owned()),
    })
}

/// The most likely arguments of a line: a path has as many words as form the name of an existing file, or one.
fn arguments(line: &str) -> Vec<String> {
    split(line, |path| Path::new(path).is_file())
}

fn split(line: &str, is_file: impl Fn(&str) -> bool) -> Vec<String> {
    let words: Vec<&str> = line.split(' ').filter(|word| !word.is_empty()).take(MAX_WORDS).collect();
    let mut found = Vec::new();
    let mut at = 0;
    while at < words.len() {
        let lengths = if words[at].starts_with('/') { 1..=words.len() - at } else { 1..=1 };
        let length = lengths.into_iter().find(|n| is_file(&words[at..at + n].join(" "))).unwrap_or(1);
        found.push(words[at..at + length].join(" "));
        at += length;
    }
    found
}

pub(super) fn read_one(pid: i32) -> Option<Process> {
    try_read_one(pid).ok().flatten()
}

/// Reads one process; `None` if it does not exist.
pub(super) fn try_read_one(pid: i32) -> Result<Option<Process>> {
    let listed = output(PS, &["-ww", "-o", FORMAT, "-p", &pid.to_string()])?;
    Ok(listed.lines().find_map(parse_line))
}

pub(super) fn argv_of(process: &Process) -> Vec<String> {
    process.line.as_deref().map(arguments).unwrap_or_default()
}

pub(super) fn read_argv(pid: i32) -> Vec<String> {
    read_one(pid).as_ref().map(argv_of).unwrap_or_default()
}

/// Always `false`: children are not listed here.
pub(super) fn tells_children() -> bool {
    false
}

pub(super) fn children(_pid: i32) -> Vec<i32> {
    Vec::new()
}

pub(super) fn lookup() -> Result<impl Fn(i32) -> Option<Process>> {
    let table: BTreeMap<i32, Process> = order::collect(read_all()?.into_iter().map(|p| (p.pid, p)));
    Ok(move |pid| table.get(&pid).cloned())
}

/// Always `None`: unknown here, so the pane's own directory is used.
pub fn cwd(_pid: i32) -> Option<std::path::PathBuf> {
    None
}

/// Always `false`: unknown here.
pub fn is_foreign(_pid: i32) -> bool {
    false
}

/// There are no pid namespaces here.
pub fn namespace() -> Option<u64> {
    None
}

/// There are no pid namespaces here.
pub fn namespace_of(_pid: i32) -> Option<u64> {
    None
}

/// Always `None`: unknown here.
pub(super) fn holder(_file: &Path, _word: &str) -> Option<ProcessId> {
    None
}

/// Always `false`: unknown here.
pub(super) fn runs(_pid: i32) -> bool {
    false
}

/// Always `None`: unknown here.
pub(super) fn locker(_file: &File) -> Option<i32> {
    None
}

/// Always `false`: unknown here.
pub fn listens(_pid: i32) -> bool {
    false
}

/// Always `None`: unknown here.
pub(super) fn runs_same(_pid: i32, _program: &Path) -> Option<bool> {
    None
}

/// Always `None`: unknown here.
pub(super) fn program(_pid: i32) -> Option<std::path::PathBuf> {
    None
}

/// Always `None`: unknown here.
pub(super) fn environment(_pid: i32) -> Option<Vec<u8>> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_ps_is_read_with_its_arguments_as_they_stand() {
        let line = "  412     1   412    -1 Ss   Tue Nov  3 02:09:39 2026 -zsh --with  two blanks";
        let process = parse_line(line).unwrap();
        assert_eq!((process.pid, process.parent, process.group, process.foreground), (412, 1, 412, -1));
        assert_eq!((process.start, process.comm.as_str()), (20_261_103_020_939, "zsh"));
        assert_eq!(process.line.as_deref(), Some("-zsh --with  two blanks"));
        assert!(!process.stopped && !process.ended);
        let ended = parse_line("7 1 7 -1 Z+ Wed Dec 30 23:59:59 2026 (gone)").unwrap();
        assert!(ended.ended && !ended.stopped);
        for broken in
            ["", "7 1 7", "7 1 7 -1 S Wed Foo 30 23:59:59 2026 x", "7 1 7 -1 S Wed Dec 30 23:59 2026 x"]
        {
            assert_eq!(parse_line(broken), None, "{broken}");
        }
    }

    #[test]
    fn a_blank_in_the_path_of_a_program_or_script_does_not_end_it() {
        let files = ["/Users/me/App Support/gemini", "/opt/My Tools/bin/node", "/bin/cp", "/a"];
        let is_file = |path: &str| files.contains(&path);
        for (line, expected) in [
            (
                "node /Users/me/App Support/gemini --yolo",
                &["node", "/Users/me/App Support/gemini", "--yolo"][..],
            ),
            (
                "/opt/My Tools/bin/node /Users/me/App Support/gemini",
                &["/opt/My Tools/bin/node", "/Users/me/App Support/gemini"],
            ),
            ("/bin/cp /a /gone file", &["/bin/cp", "/a", "/gone", "file"]),
            ("claude  -p", &["claude", "-p"]),
            ("", &[]),
        ] {
            assert_eq!(split(line, is_file), expected, "{line}");
        }
    }

    #[test]
    fn the_time_of_a_start_does_not_depend_on_the_time_zone_of_who_asks() {
        let id = i32::try_from(std::process::id()).unwrap();
        let listed = Command::new(PS)
            .args(["-o", "lstart=", "-p", &id.to_string()])
            .env("TZ", "UTC0")
            .env("LC_ALL", "C")
            .output()
            .unwrap();
        let told = String::from_utf8(listed.stdout).unwrap();
        let line = format!("{id} 1 1 -1 S {} x", told.trim());
        assert_eq!(read_one(id).map(|p| p.start), parse_line(&line).map(|p| p.start));
    }
}
