//! The inbox of a scripted agent: for a Claude a session file, a key, a socket that acknowledges nothing, and a transcript, as Claude Code has
//! them; for an `OpenCode` what swarm's plugin has there: a record, a socket that says first which conversation is shown, and a file of events. It
//! may swallow what it takes, take its time, or take everything twice.
//!
//! A thread reads the socket; the agent's own loop is woken by a byte and takes the texts from a channel.

use std::fs::{self, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use serde_json::{Value, json};

use crate::options::Style;

/// What it does with a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Take,
    Swallow,
    Twice,
    /// After so many milliseconds.
    Late(u64),
    /// What comes from one that has hung up by the time it is asked who it is, is passed over.
    Ask,
    /// The first time it is asked, it shows no conversation.
    Home,
}

impl Mode {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        match text.split_once(':').unwrap_or((text, "")) {
            ("take", "") => Ok(Self::Take),
            ("swallow", "") => Ok(Self::Swallow),
            ("ask", "") => Ok(Self::Ask),
            ("home", "") => Ok(Self::Home),
            ("twice", "") => Ok(Self::Twice),
            ("late", ms) => ms.parse().map(Self::Late).map_err(|_| format!("{ms} is not a number")),
            _ => Err(format!("no inbox {text}")),
        }
    }
}

/// Whose inbox it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Claude,
    Plugin,
}

pub(crate) struct Inbox {
    kind: Kind,
    mode: Mode,
    texts: Receiver<String>,
    bell: UnixStream,
    session: PathBuf,
    record: Value,
    /// What it does, for who connects.
    status: Arc<Mutex<String>>,
    transcript: PathBuf,
    /// Texts that come late, and when.
    late: Vec<(u64, String)>,
}

impl Inbox {
    pub(crate) fn open(style: Style, mode: Mode, session: Option<&str>) -> io::Result<Self> {
        if style == Style::Opencode { Self::plugin(mode) } else { Self::claude(mode, session) }
    }

    /// Opens that of a plugin, below `$HOME/.local/state/swarm`.
    fn plugin(mode: Mode) -> io::Result<Self> {
        let home = std::env::var("HOME").map_err(io::Error::other)?;
        let dir = Path::new(&home).join(".local/state/swarm/opencode");
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&dir)?;
        let (pid, namespace) = (std::process::id(), fs::metadata("/proc/self/ns/pid")?.ino());
        let own = |end: &str| dir.join(format!("{namespace}.{pid}.{end}"));
        let listener = UnixListener::bind(own("sock"))?;
        fs::set_permissions(own("sock"), fs::Permissions::from_mode(0o600))?;
        let (sender, texts) = channel();
        let (bell, end) = UnixStream::pair()?;
        bell.set_nonblocking(true)?;
        let status = Arc::new(Mutex::new("idle".to_owned()));
        let says = Arc::clone(&status);
        std::thread::spawn(move || serve_plugin(&listener, mode, &says, &sender, &end));
        let (session, transcript) = (own("json"), own("jsonl"));
        let record = json!({"protocol": 1, "pid": pid, "start": own_start()?, "status": "idle", "since": 0});
        let kind = Kind::Plugin;
        let mut inbox =
            Self { kind, mode, texts, bell, session, record, status, transcript, late: Vec::new() };
        inbox.put()?;
        Ok(inbox)
    }

    /// Opens that of a Claude, below `$HOME/.claude`.
    fn claude(mode: Mode, session: Option<&str>) -> io::Result<Self> {
        let home = std::env::var("HOME").map_err(io::Error::other)?;
        let dir = Path::new(&home).join(".claude");
        let (pid, cwd) = (std::process::id(), std::env::current_dir()?);
        let slug: String = cwd
            .display()
            .to_string()
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
            .collect();
        let project = dir.join("projects").join(slug);
        for made in [dir.join("sessions"), dir.join("socks"), project.clone()] {
            fs::create_dir_all(&made)?;
            fs::set_permissions(&made, fs::Permissions::from_mode(0o700))?;
        }
        let socket = dir.join(format!("socks/{pid}.sock"));
        let listener = UnixListener::bind(&socket)?;
        fs::set_permissions(&socket, fs::Permissions::from_mode(0o600))?;
        let id = session.map_or_else(|| format!("session-of-{pid}"), str::to_owned);
        let (start, token) = (own_start()?, format!("token-of-{pid}"));
        let session = dir.join(format!("sessions/{pid}.json"));
        let record = json!({
            "pid": pid, "sessionId": id, "cwd": cwd, "procStart": start, "version": "9.9.9", "peerProtocol": 1,
            "kind": "interactive", "messagingSocketPath": socket, "status": "idle", "statusUpdatedAt": 0,
        });
        let key = json!({"peerToken": token, "procStart": start});
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(dir.join(format!("sessions/{pid}.0.key")))?;
        write!(file, "{key}")?;
        let (sender, texts) = channel();
        let (bell, end) = UnixStream::pair()?;
        bell.set_nonblocking(true)?;
        std::thread::spawn(move || serve(&listener, mode, &token, &sender, &end));
        let transcript = project.join(format!("{id}.jsonl"));
        let (kind, status) = (Kind::Claude, Arc::default());
        let mut inbox =
            Self { kind, mode, texts, bell, session, record, status, transcript, late: Vec::new() };
        inbox.put()?;
        Ok(inbox)
    }

    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }

    /// When the next late text comes.
    pub(crate) fn deadline(&self) -> Option<u64> {
        self.late.iter().map(|(at, _)| *at).min()
    }

    /// The texts that are to be taken now.
    pub(crate) fn read(&mut self, now: u64) -> Vec<String> {
        let mut bytes = [0; 64];
        while matches!(self.bell.read(&mut bytes), Ok(1..)) {}
        let mut taken = Vec::new();
        for text in self.texts.try_iter().collect::<Vec<_>>() {
            match self.mode {
                Mode::Swallow => {}
                Mode::Late(ms) => self.late.push((now + ms, text)),
                Mode::Twice => taken.extend([text.clone(), text]),
                Mode::Take | Mode::Ask | Mode::Home => taken.push(text),
            }
        }
        let due = |(at, _): &(u64, String)| *at <= now;
        taken.extend(self.late.iter().filter(|l| due(l)).map(|(_, text)| text.clone()));
        self.late.retain(|l| !due(l));
        taken
    }

    /// Says what the agent does, if that is news.
    pub(crate) fn show(&mut self, status: &str) {
        if self.record["status"] != status {
            self.record["status"] = status.into();
            if let Ok(mut says) = self.status.lock() {
                status.clone_into(&mut says);
            }
            let _ = self.put();
        }
    }

    /// Notes that a text waits in the queue.
    pub(crate) fn queued(&self, text: &str) {
        self.note(&match self.kind {
            Kind::Claude => json!({"type": "queue-operation", "operation": "enqueue", "content": text}),
            Kind::Plugin => json!({"type": "queued", "text": text}),
        });
    }

    /// Notes that the model was given a text.
    pub(crate) fn given(&self, text: &str) {
        if self.kind == Kind::Plugin {
            return self.note(&json!({"type": "given", "text": text}));
        }
        let told = format!(
            "Another Claude session sent a message:\n{text}\n\nThis came from another Claude session."
        );
        self.note(&json!({"type": "user", "message": {"role": "user", "content": told}, "origin": {"kind": "peer"}}));
    }

    fn note(&self, line: &Value) {
        let file = OpenOptions::new().create(true).append(true).open(&self.transcript);
        let _ = file.and_then(|mut file| file.write_all(format!("{line}\n").as_bytes()));
    }

    fn put(&mut self) -> io::Result<()> {
        let temp = self.session.with_extension("tmp");
        let mode = if self.kind == Kind::Plugin { 0o600 } else { 0o644 };
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&temp)?;
        file.write_all(self.record.to_string().as_bytes())?;
        fs::rename(temp, &self.session)
    }
}

/// Takes what comes, each connection by itself, and answers nothing.
fn serve(listener: &UnixListener, mode: Mode, token: &str, texts: &Sender<String>, bell: &UnixStream) {
    for stream in listener.incoming().flatten() {
        let (token, texts, bell) = (token.to_owned(), texts.clone(), bell.try_clone());
        std::thread::spawn(move || {
            let mut trusted = false;
            for line in BufReader::new(&stream).lines().map_while(Result::ok) {
                let value: Value = serde_json::from_str(&line).unwrap_or_default();
                match value["type"].as_str() {
                    Some("auth") => trusted = value["token"] == token.as_str(),
                    Some("user") if trusted && (mode != Mode::Ask || is_there(&stream)) => {
                        let text = value["message"]["content"].as_str().unwrap_or_default();
                        let sent = texts.send(text.to_owned());
                        let _ = sent.map(|()| bell.as_ref().map(|mut bell| bell.write_all(b".")));
                    }
                    _ => {}
                }
            }
        });
    }
}

/// Says to each that connects which conversation is shown, and takes one text.
fn serve_plugin(
    listener: &UnixListener,
    mode: Mode,
    status: &Arc<Mutex<String>>,
    texts: &Sender<String>,
    bell: &UnixStream,
) {
    for (n, stream) in listener.incoming().flatten().enumerate() {
        let (status, texts, bell) = (Arc::clone(status), texts.clone(), bell.try_clone());
        std::thread::spawn(move || {
            let status = status.lock().map(|status| status.clone()).unwrap_or_default();
            let hello = match mode {
                Mode::Home if n == 0 => json!({"why": "it shows no conversation"}),
                _ => json!({"session": "s1", "status": status}),
            };
            let _ = (&stream).write_all(format!("{hello}\n").as_bytes());
            let line = BufReader::new(&stream).lines().next().and_then(Result::ok).unwrap_or_default();
            let value: Value = serde_json::from_str(&line).unwrap_or_default();
            if let Some(text) = value["text"].as_str().filter(|_| value["session"] == "s1") {
                let sent = texts.send(text.to_owned());
                let _ = sent.map(|()| bell.as_ref().map(|mut bell| bell.write_all(b".")));
            }
        });
    }
}

/// Whether the other end has not hung up a while later.
fn is_there(stream: &UnixStream) -> bool {
    std::thread::sleep(std::time::Duration::from_millis(300));
    let mut fds = [PollFd::new(stream.as_fd(), PollFlags::POLLIN)];
    let asked = poll(&mut fds, PollTimeout::ZERO);
    asked.is_ok() && !fds[0].revents().is_some_and(|events| events.contains(PollFlags::POLLHUP))
}

/// When this process began, as the system counts it.
fn own_start() -> io::Result<String> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let rest = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
    Ok(rest.split_ascii_whitespace().nth(19).unwrap_or_default().to_owned())
}
