use super::session::{self, Session};
use super::{hooks, print};
use crate::core::escape;
use crate::core::message::Identity;
use crate::core::process_id::ProcessId;
use crate::core::refusal::Refusal;
use crate::courier::start;
use crate::os::links;
use crate::store::{Store, key};
use crate::tmux::{Server, hangs};
use anyhow::{Context as _, Result, bail};
use std::fs;
use std::io::{ErrorKind, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Remove swarm: tmux keys and hooks, the agents' hooks, git's guard, the courier, the built program
///
/// It shows what it will do, and asks. Run it before you remove the plugin, and in each project with hooks of its
/// own.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  swarm uninstall --dry-run\n  swarm uninstall\n  swarm uninstall --state --yes"
)]
pub(super) struct Args {
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// Also remove this project's .swarm/ (with all mail) and the signing keys of all projects
    #[arg(long)]
    state: bool,
    /// Only show what it would do
    #[arg(long)]
    dry_run: bool,
}

/// A step of the removal. A part that could restore another one comes first.
enum RemovalStep {
    /// The plugin in a running tmux server, by its own script.
    Plugin(Server, PathBuf),
    /// The marks on the panes of a server.
    Marks(Server),
    /// Hooks in settings, and git's guard.
    Hooks(hooks::Removal),
    /// The courier of a project.
    Courier(ProcessId),
    /// A link to one of this program's commands on the PATH.
    Link(PathBuf),
    /// A directory, with everything in it.
    Directory(PathBuf, &'static str),
}

pub(super) fn run(args: &Args) -> Result<()> {
    let here = session::here()?;
    let root = Store::root_for_caller(&here);
    if root.is_some() && Session::open().is_ok_and(|s| s.caller.identity != Identity::Human) {
        return Err(Refusal::only_human("uninstall swarm").into());
    }
    let steps = plan(root.as_deref(), args.state)?;
    if steps.is_empty() {
        return print::out(&format!("nothing of swarm is left here\n{}", rest(args.state)));
    }
    let list: String = steps.iter().map(|s| format!("- {}\n", escape::line(&s.tell()))).collect();
    print::out(&list)?;
    if args.dry_run {
        return print::out("nothing was changed\n");
    }
    if !args.yes && !confirmed()? {
        return print::out("nothing was changed\n");
    }
    if let Some(root) = &root {
        // Before it is ended, so that an agent's next command does not start another one.
        if let Err(error) = Store::open_root(root).and_then(|store| store.retire()) {
            print::tell(&format!("a later command may start a courier again: {error:#}"));
        }
    }
    let mut failed = 0;
    for step in steps {
        if let Err(error) = step.take() {
            failed += 1;
            print::tell(&format!("{}: {error:#}", step.tell()));
        }
    }
    if failed > 0 {
        bail!("{failed} of these steps failed; the others are done. Repair the cause, then run it again");
    }
    print::out(&format!("done\n{}", rest(args.state)))
}

/// What is left for the person to do.
fn rest(state: bool) -> &'static str {
    if state {
        "left: the plugin's line in tmux.conf, your own files in ~/.config/swarm, and .swarm/ of other projects\n"
    } else {
        "left: the plugin's line in tmux.conf, and your mail and keys (--state removes them as well)\n"
    }
}

fn confirmed() -> Result<bool> {
    if !std::io::stdin().is_terminal() {
        return Err(Refusal::Usage(
            "there is no terminal to ask at: use --yes to do it, --dry-run to see it".into(),
        )
        .into());
    }
    print::out("Do all of this? [y/N] ")?;
    print::confirmed()
}

#[inline(never)]
fn plan(root: Option<&Path>, state: bool) -> Result<Vec<RemovalStep>> {
    let mut steps = Vec::new();
    let server = Server::current();
    let health = server.health();
    let hung = health.as_ref().err().filter(|error| hangs(error));
    if let Some(error) = hung {
        super::print::tell(&format!(
            "swarm stays in that tmux server; run this again when it answers: {error:#}"
        ));
    }
    let answers = hung.is_none();
    // If there is no server, it contains nothing to remove.
    let plugin = health.map(|h| h.plugin).unwrap_or_default();
    let script = Path::new(&plugin).join("unload.sh");
    if !plugin.is_empty() && script.is_file() {
        steps.push(RemovalStep::Plugin(server.clone(), script));
    }
    steps.extend(hooks::removals(root)?.into_iter().map(RemovalStep::Hooks));
    let courier = root.and_then(|root| start::courier(&root.join(".swarm")));
    steps.extend(courier.map(RemovalStep::Courier));
    if answers && server.bears_marks().unwrap_or(false) {
        steps.push(RemovalStep::Marks(server));
    }
    steps.extend(links()?.into_iter().map(RemovalStep::Link));
    if let Some(bin) = built(Path::new(&plugin))? {
        steps.push(RemovalStep::Directory(bin, "the programs that the plugin built"));
    }
    if state {
        let project = root.map(|root| (root.join(".swarm"), "this project's mail, leases and log"));
        let keys = (key::state_home()?, "the signing keys of all projects, and the original settings files");
        for (dir, what) in project.into_iter().chain([keys]) {
            if dir.symlink_metadata().is_ok_and(|m| m.is_dir()) {
                steps.push(RemovalStep::Directory(dir, what));
            }
        }
    }
    Ok(steps)
}

/// The links to this program's commands that `swarm setup` made.
fn links() -> Result<Vec<PathBuf>> {
    let own =
        std::env::current_exe().and_then(|own| own.canonicalize()).context("cannot find this program")?;
    let path = std::env::var("PATH").unwrap_or_default();
    let tools = own.parent().unwrap_or(Path::new("/"));
    Ok(links::made(&path, &session::home()?, tools))
}

/// The directory with the plugin's build: beside the loaded plugin, or the directory of this program.
fn built(plugin: &Path) -> Result<Option<PathBuf>> {
    let own = std::env::current_exe().context("cannot find this program")?;
    let beside = plugin.parent().map(|dir| dir.join("bin"));
    let around = own.parent().map(Path::to_path_buf);
    // The stamp distinguishes such a directory from any other with programs.
    Ok(beside
        .into_iter()
        .chain(around)
        .find(|dir| dir.join(".stamp").is_file() && dir.join("swarm").is_file()))
}

impl RemovalStep {
    fn tell(&self) -> String {
        match self {
            RemovalStep::Plugin(server, _) => {
                format!("tmux at {}: remove keys, hooks and options", server.socket())
            }
            RemovalStep::Marks(server) => {
                format!("tmux at {}: remove names and counts from the panes", server.socket())
            }
            RemovalStep::Hooks(removal) => removal.tell(),
            RemovalStep::Courier(id) => format!("end the courier (process {})", id.pid),
            RemovalStep::Link(link) => format!("remove {} (a link to this program)", link.display()),
            RemovalStep::Directory(dir, what) => format!("remove {} ({what})", dir.display()),
        }
    }

    fn take(&self) -> Result<()> {
        match self {
            RemovalStep::Plugin(server, script) => {
                let out = Command::new("/bin/sh")
                    .arg(script)
                    .env("TMUX", format!("{},0,0", server.socket()))
                    .stdin(Stdio::null())
                    .output()
                    .context("cannot run the plugin's script")?;
                if !out.status.success() {
                    bail!("the plugin's script failed: {}", String::from_utf8_lossy(&out.stderr).trim());
                }
                Ok(())
            }
            RemovalStep::Marks(server) => server.take_marks_off(),
            RemovalStep::Hooks(removal) => removal.take(),
            RemovalStep::Courier(id) => start::stop(id, || ()),
            RemovalStep::Link(link) => {
                fs::remove_file(link).with_context(|| format!("cannot remove {}", link.display()))
            }
            RemovalStep::Directory(dir, _) => match fs::remove_dir_all(dir) {
                Err(e) if e.kind() != ErrorKind::NotFound => {
                    Err(e).with_context(|| format!("cannot remove {}", dir.display()))
                }
                _ => Ok(()),
            },
        }
    }
}
