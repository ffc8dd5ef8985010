mod hooks;

use super::{print, session, stranger, under};
use crate::core::agent::Agent;
use crate::core::escape;
use crate::core::hook::HookKind;
use crate::core::plural::plural;
use crate::core::refusal::Refusal;
use crate::os::caller::Chain;
use crate::os::{links, tools};
use crate::roster::discovery;
use crate::store::Store;
use crate::tmux::Server;
use crate::view::checklist::{self, Item, StepState};
use anyhow::{Context as _, Result};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Set a project up: find its agents, put swarm into their hooks, tell them how to talk
///
/// At a terminal it shows every step with the changes that it would make, and does those that you leave marked. Each
/// step is a command of its own and can be undone. You can run it again at any time: completed steps are not
/// repeated.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  swarm setup\n  swarm setup --dry-run\n  swarm setup --yes --allow")]
pub(super) struct Args {
    /// Do not ask: do every step, without the rules that let agents run swarm-msg
    #[arg(long)]
    yes: bool,
    /// With --yes, also add the rules that let agents run swarm-msg without asking you
    #[arg(long, requires = "yes")]
    allow: bool,
    /// Only show the steps
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
}

/// A step of the setup.
struct Step {
    /// Its description, for people.
    name: String,
    /// The whole change that it would make.
    text: String,
    act: Act,
    /// The command that undoes it.
    undo: Option<String>,
    /// Whether only a person who saw it may choose it.
    asks: bool,
}

/// How a step is done.
enum Act {
    /// It was done before.
    Done,
    /// It cannot be done here.
    Closed,
    /// By a command of this program.
    Run(Vec<String>),
    /// By a command of this program in another directory.
    RunIn(PathBuf, Vec<String>),
    /// By links to this program's two commands in a directory on the PATH.
    Link(PathBuf),
}

/// The present state.
struct Now {
    root: PathBuf,
    /// The work tree: the root, or a linked work tree outside of it, where agents read settings of their own.
    tree: PathBuf,
    /// The project's store, once there is one.
    store: Option<Store>,
    /// The kinds and panes of the agents here, found now.
    found: Vec<(String, String)>,
    /// Their working directories, with their kinds and processes.
    works: Vec<(PathBuf, String, i32)>,
    /// The number of agents in other directories.
    elsewhere: usize,
    /// Why agents could not be searched for.
    unseen: Option<String>,
}

pub(super) fn run(args: &Args) -> Result<()> {
    if stranger::above(&Chain::look()?)?.is_some() {
        return Err(Refusal::only_human("set a project up").into());
    }
    if !(args.yes || args.dry_run || print::is_interactive()) {
        let text = "there is no terminal to show the steps on: use --dry-run to see them, --yes to do them";
        return Err(Refusal::Usage(text.into()).into());
    }
    let now = Now::look()?;
    if !now.root.is_dir() {
        let text = format!("{} is not a directory; SWARM_ROOT names it", now.root.display());
        return Err(Refusal::Usage(text).into());
    }
    let steps = plan(&now)?;
    if args.dry_run {
        return print::out(&steps.iter().map(Step::told).collect::<String>());
    }
    let wanted = if args.yes {
        steps.iter().map(|step| args.allow || !step.asks).collect()
    } else {
        let title = format!("swarm setup: {}", escape::short(&now.root.display().to_string(), 200));
        match checklist::check(&title, steps.iter().map(Step::item).collect())? {
            Some(marks) => marks,
            None => return print::out("nothing was changed\n"),
        }
    };
    let chosen =
        steps.into_iter().zip(wanted).filter(|(step, wanted)| *wanted && step.state() == StepState::Chosen);
    let mut failed = 0;
    let mut done = 0;
    for (step, _) in chosen {
        done += 1;
        let taken = step.act.take(&now.tree);
        if taken.as_ref().is_err_and(anyhow::Error::is::<under::Ended>) {
            print::out(&format!("✗ {}: interrupted; the steps after it are not done\n", step.name))?;
            return taken.map(drop);
        }
        let (ok, said) = taken.unwrap_or_else(|error| (false, format!("{error:#}\n")));
        failed += usize::from(!ok);
        print::out(&format!("{} {}\n{}", if ok { "✓" } else { "✗" }, step.name, indented(&said)))?;
        if let (true, Some(undo)) = (ok, &step.undo) {
            print::out(&format!("    undo: {undo}\n"))?;
        }
    }
    if done == 0 {
        return print::out("nothing was changed\n");
    }
    print::out(&last_words(&Now::look()?))?;
    anyhow::ensure!(failed == 0, "{failed} of {done} steps failed; repair the cause, then run it again");
    Ok(())
}

/// The advice for the next steps.
fn last_words(now: &Now) -> String {
    match now.living().first() {
        Some(agent) => {
            format!("next: swarm send {} \"say hello to the others\"\n      swarm doctor\n", agent.name)
        }
        None => "next: start agents in tmux panes in this project; swarm finds them\n".to_owned(),
    }
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("    {line}\n")).collect()
}

impl Now {
    fn look() -> Result<Self> {
        let here = session::here()?;
        let root = Store::root_to_be(&here);
        let store = Store::root_for_caller(&here).map(|root| Store::open_root(&root)).transpose()?;
        let looked =
            session::profiles().and_then(|profiles| discovery::survey(&Server::current(), &profiles));
        let (mut found, mut works, mut elsewhere, mut unseen) = (Vec::new(), Vec::new(), 0, None);
        match looked {
            Ok(survey) => {
                for (sighting, _) in &survey.found {
                    let cwd = Path::new(&sighting.cwd);
                    let ours = match Store::root_around(cwd) {
                        Some(owner) => owner == root,
                        // By the project that will be made, also in a linked worktree.
                        None => cwd.starts_with(&root) || Store::root_to_be_of(cwd) == root,
                    };
                    if ours {
                        found.push((sighting.kind.clone(), sighting.place.pane.clone()));
                        works.push((cwd.to_owned(), sighting.kind.clone(), sighting.process.pid));
                    } else {
                        elsewhere += 1;
                    }
                }
            }
            Err(error) => unseen = Some(format!("{error:#}")),
        }
        let top = here.ancestors().find(|dir| dir.join(".git").exists());
        let linked = top.filter(|top| {
            !Store::is_root_forced() && !top.starts_with(&root) && Store::root_to_be_of(top) == root
        });
        let tree = linked.map_or_else(|| root.clone(), Path::to_path_buf);
        Ok(Self { root, tree, store, found, works, elsewhere, unseen })
    }

    /// The living agents on record here.
    fn living(&self) -> Vec<Agent> {
        self.store.as_ref().and_then(|store| store.living().ok()).unwrap_or_default()
    }

    /// The kinds of the agents in use here that have hooks.
    fn kinds(&self) -> Vec<HookKind> {
        HookKind::ALL
            .into_iter()
            .filter(|kind| self.found.iter().any(|(found, _)| found == kind.word()))
            .collect()
    }

    /// If no agent runs yet, the kinds that can be started: with hooks installed first, none needs a restart.
    fn to_come(&self) -> Vec<HookKind> {
        if self.found.is_empty() {
            hooks::installed(&std::env::var("PATH").unwrap_or_default())
        } else {
            Vec::new()
        }
    }
}

impl Step {
    /// Its initial mark.
    fn state(&self) -> StepState {
        match self.act {
            Act::Done => StepState::Done,
            Act::Closed => StepState::Closed,
            Act::Run(_) | Act::RunIn(..) | Act::Link(_) => StepState::Chosen,
        }
    }

    fn item(&self) -> Item {
        Item { name: escape::line(&self.name), text: escape::text(&self.text), state: self.state() }
    }

    /// The step as text.
    fn told(&self) -> String {
        let only = if self.asks { " (with --yes only if --allow is given)" } else { "" };
        format!("{} {}{only}\n{}", self.state().sign(), self.name, indented(&self.text))
    }

    /// A step that was done before.
    fn done(name: &str, text: String) -> Self {
        Self { name: name.to_owned(), text, act: Act::Done, undo: None, asks: false }
    }

    /// A step that cannot be done here, and why.
    fn closed(name: &str, text: String) -> Self {
        Self { act: Act::Closed, ..Self::done(name, text) }
    }

    /// A step that a command of this program does.
    fn command(name: String, text: String, args: &[&str], undo: Option<&str>) -> Self {
        let act = Act::Run(args.iter().map(|arg| (*arg).to_owned()).collect());
        Self { name, text, act, undo: undo.map(str::to_owned), asks: false }
    }
}

impl Act {
    /// Does the step in the work tree `root`. Returns whether it succeeded, and the output.
    fn take(&self, root: &Path) -> Result<(bool, String)> {
        match self {
            Act::Done | Act::Closed => Ok((true, String::new())),
            Act::Run(args) => own(root, &args.iter().map(String::as_str).collect::<Vec<_>>()),
            Act::RunIn(dir, args) => own(dir, &args.iter().map(String::as_str).collect::<Vec<_>>()),
            Act::Link(dir) => {
                let made = links::make(dir, &session::tools_dir()?)?;
                Ok((true, made.iter().map(|link| format!("{}\n", link.display())).collect()))
            }
        }
    }
}

fn plan(now: &Now) -> Result<Vec<Step>> {
    let mut steps = vec![project(now), path()?, agents(now)];
    for kind in now.kinds() {
        steps.extend(hooks::steps(now, kind)?);
    }
    for kind in now.to_come() {
        steps.extend(hooks::before(now, kind)?);
    }
    steps.extend(guard(now)?);
    steps.extend(onboarding(now));
    Ok(steps)
}

fn project(now: &Now) -> Step {
    let root = now.root.display();
    if now.store.is_some() {
        return Step::done("this is a project of swarm", format!("{root}/.swarm is there"));
    }
    let text = format!(
        "swarm init\n\n\
         makes {root}/.swarm/, with mail, leases and the log: only you can read it, and git ignores it\n\
         makes a signing key for this project in your state directory"
    );
    let undo = format!("swarm uninstall, then rm -r {}", escape::word(&format!("{root}/.swarm")));
    Step::command(format!("make {root} a project of swarm"), text, &["init"], Some(&undo))
}

fn agents(now: &Now) -> Step {
    if let Some(why) = &now.unseen {
        return Step::closed("no agents can be looked for", why.clone());
    }
    let mut text: String = now.found.iter().map(|(kind, pane)| format!("{kind} in pane {pane}\n")).collect();
    if now.elsewhere > 0 {
        let others = plural(now.elsewhere, "more agent");
        text.push_str(&format!("{others} outside {}, which stay as they are\n", now.root.display()));
    }
    let retired = now.store.as_ref().is_some_and(Store::is_retired);
    if now.found.is_empty() && !retired {
        text.push_str("start agents in tmux panes in this directory: swarm finds them");
        return Step::closed("no agents run here yet", text);
    }
    let known: Vec<(String, String)> = now
        .living()
        .into_iter()
        .map(|a| (a.place.pane.clone(), format!("{} in pane {}\n", a.name, a.place.pane)))
        .collect();
    if !retired && now.found.iter().all(|(_, pane)| known.iter().any(|(p, _)| p == pane)) {
        return Step::done("the agents here have names", known.into_iter().map(|(_, line)| line).collect());
    }
    text.insert_str(0, "swarm discover\n\n");
    let name = if retired {
        "start swarm again, which was uninstalled here".to_owned()
    } else {
        format!("give {} here a name", plural(now.found.len(), "agent"))
    };
    Step::command(name, text, &["discover"], None)
}

#[inline(never)]
fn path() -> Result<Step> {
    let dir = session::tools_dir()?;
    let path = std::env::var("PATH").unwrap_or_default();
    let Err(why) = tools::find(&path, &dir) else {
        return Ok(Step::done("swarm-msg is on your PATH", String::new()));
    };
    let Some(place) = links::place(&path, &session::home()?) else {
        let text = format!(
            "{why}, and swarm finds no place for a link there. Put this line into your shell's start-up file:\n\n\
             export PATH=\"{}:$PATH\"\n\nUntil then agents are told the whole path of the command.",
            dir.display()
        );
        return Ok(Step::closed("swarm-msg is not on your PATH", text));
    };
    let all = links::NAMES.map(|name| place.join(name).display().to_string());
    let text: String = all
        .iter()
        .zip(links::NAMES)
        .map(|(link, name)| format!("{link} → {}\n", dir.join(name).display()))
        .collect();
    let undo = format!("rm {}", all.map(|link| escape::word(&link)).join(" "));
    let name = format!("put swarm and swarm-msg on your PATH, in {}", place.display());
    let text = format!("{why}\n\n{text}");
    Ok(Step { name, text, act: Act::Link(place), undo: Some(undo), asks: false })
}

fn guard(now: &Now) -> Result<Option<Step>> {
    if !now.root.join(".git").exists() {
        return Ok(None);
    }
    let (ok, change) = own(&now.root, &["hooks", "diff", "git"])?;
    Ok(Some(match (ok, change.trim()) {
        (true, "") => Step::done("git has its guard", "swarm hooks status git".to_owned()),
        (true, change) => {
            let text = format!("swarm hooks install git\n\n{change}");
            let undo = "swarm hooks uninstall git";
            let name = "guard git: no commit of a file that another agent holds".to_owned();
            Step::command(name, text, &["hooks", "install", "git"], Some(undo))
        }
        (false, why) => Step::closed("git's hooks are left alone", why.to_owned()),
    }))
}

fn onboarding(now: &Now) -> Option<Step> {
    if now.found.is_empty() {
        return None;
    }
    let told: Vec<String> = now.living().into_iter().filter(|a| a.onboarded).map(|a| a.place.pane).collect();
    if now.found.iter().all(|(_, pane)| told.contains(pane)) {
        return Some(Step::done(
            "the agents know how to talk",
            "swarm onboard --again tells them again".to_owned(),
        ));
    }
    let text = format!(
        "sends each agent one message, which costs it a turn:\n\n{}\n\nswarm onboard",
        super::onboard::TEXT
    );
    Some(Step::command("tell the agents how to talk".to_owned(), text, &["onboard"], None))
}

/// Runs a command of this program in `root`. Returns whether it succeeded, and its output.
fn own(root: &Path, args: &[&str]) -> Result<(bool, String)> {
    let out = Command::new(std::env::current_exe().context("cannot find this program")?)
        .args(args)
        .current_dir(root)
        .stdin(Stdio::null())
        .output()
        .context("cannot run this program")?;
    let said = [out.stdout, out.stderr].map(|bytes| escape::text(&String::from_utf8_lossy(&bytes))).concat();
    match out.status.signal() {
        Some(signal) => Err(under::Ended(u8::try_from(128 + signal).unwrap_or(1)).into()),
        None => Ok((out.status.success(), said)),
    }
}
