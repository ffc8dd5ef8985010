//! swarm's plugin in `OpenCode`: a socket that takes texts for the conversation on the screen.
//!
//! `swarm hooks install opencode` installs the plugin, and `OpenCode` runs it in its own process after the next start.
//! swarm uses it only if its record belongs to the agent (owner, mode, process and its start time), the protocol has
//! swarm's version, the socket and its directory belong to this user, and the agent's process listens there. On each
//! connection the plugin first says which conversation is shown, or why it can take nothing; then another carrier is
//! used. So a text only goes into the conversation that the person sees.
//!
//! The paths follow from the agent's own variables; no path is read from the record. The plugin confirms nothing. The
//! proof is `OpenCode`'s own events, which the plugin appends to a file: one says that a text is in the conversation,
//! another that an answer to it has begun. Nothing here is shared: each text has its own connection, and a lock lets
//! one courier at a time give it.

use super::own::{check_namespace, check_peer, check_socket, read_own};
use super::transcript::Follower;
use super::{Channel, Said, Trace, Unfit, speaks_of};
use crate::core::agent::Agent;
use crate::core::carrier::Carrier;
use crate::core::escape;
use crate::os::{peer, process, program};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The version of the protocol. The plugin's source has the same number.
const PROTOCOL: u64 = 1;

/// The time limit for each step. It moves a few bytes, but the process at the other end also draws its screen, perhaps
/// on a busy machine.
const PATIENCE: Duration = Duration::from_millis(1500);

/// The longest first line of the plugin, in bytes.
const LONGEST: usize = 4096;

/// The files of the plugin of one process.
struct PluginFiles {
    dir: PathBuf,
    stem: String,
}

impl PluginFiles {
    /// The files of an agent. The error says, for people, why they are unknown.
    fn of(agent: &Agent) -> Result<Self, String> {
        let namespace = process::namespace().ok_or("there is no way to it on this system")?;
        check_namespace(agent.place.namespace)?;
        let pid = agent.process.pid;
        let environment = program::Environment::of(pid);
        let named = |name: &str| environment.get(name).map(PathBuf::from).filter(|p| p.is_absolute());
        let state = named("XDG_STATE_HOME").or_else(|| Some(named("HOME")?.join(".local/state")));
        let state = state.ok_or("its home directory is not known")?;
        Ok(Self { dir: state.join("swarm/opencode"), stem: format!("{namespace}.{pid}") })
    }

    fn file(&self, end: &str) -> PathBuf {
        self.dir.join(format!("{}.{end}", self.stem))
    }
}

/// The record that the plugin writes.
fn record(agent: &Agent, place: &PluginFiles) -> Result<Value, String> {
    const AGAIN: &str = "(swarm hooks install opencode, and start it again)";
    let path = place.file("json");
    if !path.exists() {
        return Err(format!("swarm's plugin does not run in it {AGAIN}"));
    }
    let record: Value = serde_json::from_slice(read_own(&path, 0o077)?.as_bytes()).unwrap_or_default();
    match record["protocol"].as_u64() {
        Some(PROTOCOL) => {}
        other => {
            let told = other.map_or("none".to_owned(), |n| n.to_string());
            return Err(format!(
                "swarm's plugin in it speaks protocol {told}, and this swarm {PROTOCOL} {AGAIN}"
            ));
        }
    }
    if record["pid"] != agent.process.pid || record["start"] != agent.process.start.to_string().as_str() {
        return Err(format!("{} is of another process", path.display()));
    }
    Ok(record)
}

/// The state that the plugin reports.
pub(super) fn said(agent: &Agent) -> Option<Said> {
    let record = record(agent, &PluginFiles::of(agent).ok()?).ok()?;
    Said::of(record["status"].as_str()?, record["since"].as_u64()?, "swarm's plugin in it")
}

/// The plugin in one agent, and the conversation on its screen.
pub(super) struct Plugin {
    log: PathBuf,
    stream: UnixStream,
    session: String,
}

impl Plugin {
    /// The plugin in a running agent, if it is there and safe to use, and a conversation is shown.
    pub(super) fn of(agent: &Agent) -> Result<Self, Unfit> {
        let no = |why: String| Unfit::No(why);
        let place = PluginFiles::of(agent).map_err(no)?;
        record(agent, &place).map_err(no)?;
        let socket = place.file("sock");
        check_socket(&socket).map_err(no)?;
        let reach = |why: std::io::Error| {
            let late = why.kind() == std::io::ErrorKind::WouldBlock;
            let why = if late { format!("within {} ms", PATIENCE.as_millis()) } else { why.to_string() };
            no(format!("swarm's plugin in it does not answer ({why})"))
        };
        let mut stream = peer::connect(&socket, PATIENCE).map_err(reach)?;
        check_peer(&stream, &agent.process).map_err(|why| no(why.to_string()))?;
        let hello = hear(&mut stream).map_err(reach)?;
        let Some(session) = hello["session"].as_str() else {
            let why = hello["why"].as_str().unwrap_or("it does not say which conversation it shows");
            return Err(no(escape::short(why, 80)));
        };
        if hello["status"] == "waiting" {
            return Err(Unfit::Asks);
        }
        Ok(Self { log: place.file("jsonl"), stream, session: session.to_owned() })
    }
}

/// The line that the plugin sends first.
fn hear(stream: &mut UnixStream) -> std::io::Result<Value> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let (mut said, mut piece) = (Vec::new(), [0; 512]);
    while !said.contains(&b'\n') && said.len() < LONGEST {
        match stream.read(&mut piece)? {
            0 => break,
            count => said.extend_from_slice(&piece[..count]),
        }
    }
    Ok(serde_json::from_slice(&said).unwrap_or_default())
}

impl Channel for Plugin {
    fn carrier(&self) -> Carrier {
        Carrier::OpencodePlugin
    }

    fn proof(&self) -> (PathBuf, u64) {
        let length = std::fs::metadata(&self.log).map_or(0, |meta| meta.len());
        (self.log.clone(), length)
    }

    fn open(&mut self) -> anyhow::Result<()> {
        // The plugin has just answered: only it knows which conversation is shown.
        Ok(())
    }

    fn give(&mut self, text: &str) -> anyhow::Result<()> {
        let line = format!("{}\n", json!({"session": self.session, "text": text}));
        Ok(self.stream.write_all(line.as_bytes())?)
    }
}

/// How far a text has come since `OpenCode`'s events were last read.
pub(super) fn trace(text: &str, follower: &mut Follower) -> Trace {
    let mut seen = follower.seen;
    follower.read(&mut |line| seen = seen.max(judge(line, text)));
    follower.seen = seen;
    seen
}

/// How far a text has come, by one event.
fn judge(line: &str, text: &str) -> Trace {
    if !speaks_of(line, text) {
        return Trace::None;
    }
    let Ok(value) = serde_json::from_slice::<Value>(line.as_bytes()) else { return Trace::None };
    // A hook may have added text after it.
    if !value["text"].as_str().is_some_and(|said| said.contains(text)) {
        return Trace::None;
    }
    match value["type"].as_str() {
        Some("queued") => Trace::Queued,
        Some("given") => Trace::Given,
        Some("within") => Trace::Within,
        _ => Trace::None,
    }
}

/// Removes the files of plugins whose processes have ended, in the state directory at `home`.
pub fn sweep(home: &Path) {
    let dir = home.join("opencode");
    let Some(namespace) = process::namespace() else { return };
    for entry in std::fs::read_dir(&dir).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let pid = name.to_str().and_then(|name| {
            let (of, rest) = name.split_once('.')?;
            (of == namespace.to_string()).then_some(rest.split_once('.')?.0.parse::<i32>().ok()?)
        });
        if pid.is_some_and(|pid| process::is_free(pid) == Some(true)) {
            // Another process may remove it as well.
            drop(std::fs::remove_file(entry.path()));
        }
    }
    drop(std::fs::remove_dir(dir));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_given_once_an_answer_to_it_has_begun() {
        let text = "[swarm abcdefgh INFO from human to opencode-1 sig:0] hi \"you\" (answer: x)";
        let line = |kind: &str, text: &str| json!({"type": kind, "text": text}).to_string();
        let more = format!("{text}\n\nswarm: abcdefgh is genuine");
        for (line, expected) in [
            (line("queued", text), Trace::Queued),
            (line("given", &more), Trace::Given),
            (line("within", text), Trace::Within),
            (line("given", &text[..text.len() - 3]), Trace::None),
            (line("said", text), Trace::None),
            (format!("{{\"type\":\"given\",\"text\":\"{text}"), Trace::None),
        ] {
            assert_eq!(judge(&line, text), expected, "{line}");
        }
    }

    #[test]
    fn the_plugin_and_this_program_speak_of_the_same_thing() {
        let plugin = include_str!("../hooks/install/carrier.js");
        assert!(plugin.contains(&format!("const PROTOCOL = {PROTOCOL}\n")));
        for word in ["queued", "given", "within", "idle", "busy", "waiting", "session", "status", "why"] {
            assert!(plugin.contains(word), "{word}");
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn what_is_left_of_ended_processes_is_swept_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        // On systems without namespaces this channel is not used.
        let Some(namespace) = process::namespace() else { return };
        let own = std::process::id();
        std::fs::create_dir(dir.path().join("opencode")).unwrap();
        let names = [
            (format!("{namespace}.{own}.json"), true),
            (format!("{namespace}.{}.sock", i32::MAX), false),
            (format!("1.{}.sock", i32::MAX), true),
            ("mine".to_owned(), true),
        ];
        for (name, _) in &names {
            std::fs::write(dir.path().join("opencode").join(name), "").unwrap();
        }
        sweep(dir.path());
        for (name, stays) in names {
            assert_eq!(dir.path().join("opencode").join(&name).exists(), stays, "{name}");
        }
    }
}
