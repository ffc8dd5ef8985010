//! A private `PostgreSQL` cluster that the user makes, starts and stops.
//!
//! It listens only on a Unix socket, in a directory of mode 0700. It accepts the user by identity, as one role that
//! may call the team's functions. Root starts it as the system's `postgres` user, because `PostgreSQL` refuses to run
//! as root. If several processes start it at once, one of them does, under a lock.

use super::engine;
use crate::core::order;
use crate::store::{lock, record};
use anyhow::{Context as _, Result, bail};
use std::io::{Read, Seek};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// How long initdb or a start may take.
const PATIENCE: Duration = Duration::from_secs(90);

/// The settings of a new cluster: small, durable, closed.
const SETTINGS: &str = "
listen_addresses = ''
unix_socket_permissions = 0700
max_connections = 110
superuser_reserved_connections = 3
shared_buffers = 16MB
max_wal_size = 128MB
max_parallel_workers = 0
max_logical_replication_workers = 0
max_wal_senders = 0
wal_level = minimal
jit = off
fsync = on
synchronous_commit = on
full_page_writes = on
# All hosts are one role: what another one does is not shown, and what it does wrong fills no log.
track_activities = off
log_min_messages = fatal
log_min_error_statement = panic
timezone = 'UTC'
";

pub(super) struct Cluster {
    dir: PathBuf,
    owner: Option<(u32, u32)>,
}

/// The directory of the clusters of this user's teams.
pub(super) fn home() -> Result<PathBuf> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|p| p.is_absolute());
    if let Some(dir) = absolute("SWARM_TEAM_DIR") {
        return Ok(dir);
    }
    if nix::unistd::geteuid().is_root() {
        return Ok(PathBuf::from("/var/lib/swarm-team"));
    }
    let data = absolute("XDG_DATA_HOME").or_else(|| absolute("HOME").map(|home| home.join(".local/share")));
    Ok(data.context("neither XDG_DATA_HOME nor HOME is set to an absolute path")?.join("swarm/team"))
}

impl Cluster {
    pub(super) fn of(dir: &Path) -> Result<Self> {
        let owner = if nix::unistd::geteuid().is_root() {
            let user =
                nix::unistd::User::from_name("postgres").context("cannot look up the user postgres")?;
            let user = user.context(
                "PostgreSQL does not run as root, and there is no user postgres to run it as: install the package postgresql",
            )?;
            Some((user.uid.as_raw(), user.gid.as_raw()))
        } else {
            None
        };
        Ok(Self { dir: dir.to_owned(), owner })
    }

    /// Whether the cluster was made.
    pub(super) fn exists(&self) -> bool {
        self.data().join("PG_VERSION").exists()
    }

    fn data(&self) -> PathBuf {
        self.dir.join("data")
    }

    /// The directory of its socket.
    pub(super) fn socket(&self) -> PathBuf {
        self.dir.join("socket")
    }

    /// Makes the cluster, runs `statements` in its database, and starts it.
    pub(super) async fn create(&self, statements: &str) -> Result<()> {
        let socket = self.socket();
        if socket.as_os_str().len() > 85 {
            bail!(
                "{} is too long for the name of a socket; set SWARM_TEAM_DIR to a shorter directory",
                socket.display()
            );
        }
        let bin = binaries()?;
        record::ensure_dir(self.dir.parent().unwrap_or(&self.dir))?;
        for dir in [&self.dir, &socket] {
            record::ensure_dir(dir)?;
            self.give(dir)?;
        }
        if let (Some(_), Some(parent)) = (self.owner, self.dir.parent()) {
            // Its user must be able to enter, and sees nothing else.
            use std::os::unix::fs::PermissionsExt;
            std::fs::set_permissions(parent, std::fs::Permissions::from_mode(0o711))?;
        }
        let data = self.data();
        let mut initdb = self.command(&bin.join("initdb"));
        initdb.arg("-D").arg(&data).args(["-U", "swarm_owner", "-A", "trust", "-E", "UTF8", "--locale=C"]);
        run(&mut initdb)?;
        let conf = data.join("postgresql.conf");
        let mut text = std::fs::read_to_string(&conf)?;
        text.push_str(SETTINGS);
        text.push_str(&format!(
            "unix_socket_directories = '{}'\n",
            socket.display().to_string().replace('\'', "''")
        ));
        std::fs::write(&conf, text)?;
        self.start()?;
        let prepared = async {
            engine::prepare(&socket, "postgres", "create database swarm").await?;
            engine::prepare(&socket, "swarm", statements).await
        };
        let prepared = prepared.await;
        self.stop()?;
        prepared?;
        // From here on nobody is its owner any more: all hosts have one role, which may call functions.
        std::fs::write(data.join("pg_hba.conf"), "local swarm swarm_host peer map=swarm\n")?;
        let me = nix::unistd::User::from_uid(nix::unistd::geteuid())?.context("this user has no name")?.name;
        std::fs::write(data.join("pg_ident.conf"), format!("swarm \"{me}\" swarm_host\n"))?;
        self.start()
    }

    /// Starts it unless it runs.
    pub(super) fn start(&self) -> Result<()> {
        let Some(_turn) = lock::try_exclusive(&self.dir.join("start.lock"))? else {
            // Another process starts it.
            return Ok(());
        };
        let bin = binaries_for(&self.data())?;
        let mut status = self.command(&bin.join("pg_ctl"));
        status.args(["status", "-s"]).arg("-D").arg(self.data()).stdout(Stdio::null()).stderr(Stdio::null());
        if status.status().is_ok_and(|s| s.success()) {
            return Ok(());
        }
        let mut start = self.command(&bin.join("pg_ctl"));
        start
            .args(["start", "-s", "-w", "-t", "60"])
            .arg("-D")
            .arg(self.data())
            .arg("-l")
            .arg(self.dir.join("log"));
        run(&mut start)
    }

    pub(super) fn stop(&self) -> Result<()> {
        let bin = binaries_for(&self.data())?;
        let mut stop = self.command(&bin.join("pg_ctl"));
        stop.args(["stop", "-s", "-w", "-m", "fast", "-t", "60"]).arg("-D").arg(self.data());
        run(&mut stop)
    }

    /// Gives a directory to the user that the cluster runs as.
    fn give(&self, dir: &Path) -> Result<()> {
        let Some((uid, gid)) = self.owner else { return Ok(()) };
        std::os::unix::fs::chown(dir, Some(uid), Some(gid))
            .with_context(|| format!("cannot give {} to the user postgres", dir.display()))
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir("/").stdin(Stdio::null()).env("LC_ALL", "C");
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("PG")) {
            command.env_remove(name);
        }
        if let Some((uid, gid)) = self.owner {
            command.uid(uid).gid(gid);
        }
        command
    }
}

/// Runs a program of `PostgreSQL` to its end. A server that it starts keeps none of this process's files open.
fn run(command: &mut Command) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let said = tempfile_for_output()?;
    let mut child = command
        .stdout(said.try_clone()?)
        .stderr(said.try_clone()?)
        .spawn()
        .with_context(|| format!("cannot run {name}"))?;
    let begun = std::time::Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if begun.elapsed() > PATIENCE {
            let _ = child.kill();
            let _ = child.wait();
            bail!("{name} did not end within {} s", PATIENCE.as_secs());
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    if status.success() {
        return Ok(());
    }
    let mut said = said;
    let mut text = String::new();
    said.rewind()?;
    said.take(4000).read_to_string(&mut text).unwrap_or_default();
    bail!("{name} failed: {}", crate::core::escape::short(text.trim(), 400))
}

/// An unnamed file for a program's output: a pipe would stay open in the server that the program leaves behind.
fn tempfile_for_output() -> Result<std::fs::File> {
    let path = std::env::temp_dir().join(format!("swarm-team-{:016x}", crate::store::entropy()?));
    let file = std::fs::OpenOptions::new().read(true).write(true).create_new(true).open(&path)?;
    std::fs::remove_file(&path)?;
    Ok(file)
}

/// The directory of `PostgreSQL`'s programs of the newest version.
fn binaries() -> Result<PathBuf> {
    candidates().into_iter().next().context(
        "PostgreSQL is not installed here: install the package postgresql (sudo apt install postgresql), version 13 or newer. Its own server need not run",
    )
}

/// The directory of the programs of a cluster's version.
fn binaries_for(data: &Path) -> Result<PathBuf> {
    let version = std::fs::read_to_string(data.join("PG_VERSION")).context("there is no cluster")?;
    let all = candidates();
    let fits =
        |dir: &&PathBuf| dir.components().any(|c| c.as_os_str().to_string_lossy().contains(version.trim()));
    let found = all.iter().find(fits).or_else(|| all.first());
    found.cloned().with_context(|| format!("PostgreSQL {} is not installed here any more", version.trim()))
}

fn candidates() -> Vec<PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = Vec::new();
    for base in ["/usr/lib/postgresql", "/usr/pgsql", "/opt/homebrew/opt", "/usr/local/opt"] {
        for entry in std::fs::read_dir(base).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let version = name.trim_start_matches("postgresql@").parse().ok();
            if let Some(version) = version.filter(|v| *v >= 13) {
                found.push((version, entry.path().join("bin")));
            }
        }
    }
    order::sort_by_key(&mut found, |(version, _)| std::cmp::Reverse(*version));
    let on_path = std::env::var_os("PATH").unwrap_or_default();
    let more: Vec<PathBuf> = std::env::split_paths(&on_path).collect();
    found
        .into_iter()
        .map(|(_, dir)| dir)
        .chain(more)
        .filter(|dir| dir.join("initdb").exists() && dir.join("pg_ctl").exists())
        .collect()
}
