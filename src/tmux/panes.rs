//! All panes of a server in one call, and the marks swarm leaves on them.

use super::{Server, argument, format, version};
use crate::core::agent::is_pane_id;
use crate::core::badge::LISTS;
use crate::core::escape;
use crate::core::refusal::Refusal;
use anyhow::Result;
use std::path::PathBuf;
use tmux_interface::{DisplayMessage, ListPanes, SetOption, ShowOptions, TmuxCommand};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pane {
    /// The server's pid.
    pub server: i32,
    /// The pane's id, such as `%5`.
    pub id: String,
    /// The pid of its first process.
    pub pid: i32,
    /// Whether that process has ended (remain-on-exit).
    pub dead: bool,
    /// Its place for people: `session:window.pane`.
    pub place: String,
    /// The name that swarm wrote on it.
    pub label: String,
    /// The summary that swarm wrote on it.
    pub badge: String,
    /// The project of that summary.
    pub badge_root: String,
    /// The state that swarm wrote on it.
    pub state: String,
    /// Whether its server shows projects by name in the panes of others.
    pub names_projects: bool,
    /// The name that a person wants its agent to have: an option of the pane, or of its window.
    pub wanted: String,
    /// Its working directory, as tmux knows it.
    pub path: String,
}

/// An option of swarm's on a pane. An empty value removes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaneMark {
    pub pane: String,
    pub option: &'static str,
    pub value: String,
}

/// The beginnings of the server options with a project's root, its counts, and the counts that call a person. The
/// project's id follows.
const NAMED: [&str; 3] = [ROOT, "@swarm_badge_", "@swarm_calls_"];
const ROOT: &str = "@swarm_root_";

// A directory may have any name: a line feed in it must not end a line.
const FORMAT: &str = "#{pid}\t#{version}\t#{pane_id}\t#{pane_pid}\t#{pane_dead}\t#{window_index}.#{pane_index}\t#{@swarm_agent}\t#{@swarm_badge}\t#{@swarm_root}\t#{@swarm_state}\t#{?@swarm_projects,1,}\t#{s/[\n\t]/?/:@swarm-name}\t#{session_name}\t#{s/[\n\t]/?/:pane_current_path}";

impl Pane {
    /// Reads a list of panes, one per line. Skips a malformed line. If the server is too old, the error is its
    /// version.
    pub fn parse_list(text: &str) -> Result<Vec<Self>, String> {
        let mut panes = Vec::new();
        for line in text.lines() {
            let fields: Vec<&str> = line.splitn(14, '\t').collect();
            let [
                server,
                release,
                id,
                pid,
                dead,
                number,
                label,
                badge,
                root,
                state,
                named,
                wanted,
                session,
                path,
            ] = fields[..]
            else {
                continue;
            };
            if !version::is_supported(release) {
                return Err(release.to_owned());
            }
            if let (Ok(server), Ok(pid), true) = (server.parse(), pid.parse(), is_pane_id(id)) {
                panes.push(Self {
                    server,
                    id: id.to_owned(),
                    pid,
                    dead: dead == "1",
                    place: format!("{}:{}", escape::short(session, 40), escape::short(number, 20)),
                    label: label.to_owned(),
                    badge: badge.to_owned(),
                    badge_root: root.to_owned(),
                    state: state.to_owned(),
                    names_projects: named == "1",
                    wanted: wanted.to_owned(),
                    path: path.to_owned(),
                });
            }
        }
        Ok(panes)
    }
}

impl Server {
    /// All panes. One call, whatever their number. A server older than 3.2 is refused.
    pub fn panes(&self) -> Result<Vec<Pane>> {
        let text = self.must(vec![ListPanes::new().all().format(FORMAT).build()], None)?;
        Pane::parse_list(&text).map_err(|release| {
            Refusal::Tmux(format!(
                "the tmux server at {} is version {}; swarm needs {}.{} or newer",
                self.socket(),
                escape::short(&release, 20),
                version::OLDEST.0,
                version::OLDEST.1
            ))
            .into()
        })
    }

    /// Writes agents' names on their panes (`None` removes one), all in one call. Each write repaints every attached
    /// client, so callers pass only differences.
    pub fn label(&self, labels: &[(String, Option<String>)]) -> Result<()> {
        let mark = |(pane, name): &(String, Option<String>)| PaneMark {
            pane: pane.clone(),
            option: "@swarm_agent",
            value: name.clone().unwrap_or_default(),
        };
        self.mark(&labels.iter().map(mark).collect::<Vec<_>>())
    }

    /// The roots that projects have left on the server. Two calls, or one if there are none.
    pub fn named_roots(&self) -> Result<Vec<PathBuf>> {
        let names = self.named()?;
        let formats: Vec<String> =
            names.iter().filter(|n| n.starts_with(ROOT)).map(|name| format!("#{{{name}}}")).collect();
        if formats.is_empty() {
            return Ok(Vec::new());
        }
        let all = self.must(vec![DisplayMessage::new().print().message(formats.join("\n")).build()], None)?;
        Ok(all.lines().filter(|line| !line.is_empty()).map(PathBuf::from).collect())
    }

    /// The server options of projects.
    fn named(&self) -> Result<Vec<String>> {
        let text = self.must(vec![ShowOptions::new().server().quiet().build()], None)?;
        let ours = |name: &&str| {
            let id = NAMED.iter().find_map(|part| name.strip_prefix(part));
            id.is_some_and(|id| id.bytes().all(|b| b.is_ascii_alphanumeric()))
        };
        let names = text.lines().filter_map(|line| line.split(' ').next());
        Ok(names.filter(ours).map(str::to_owned).collect())
    }

    /// Lets the panes of other projects, and of none, show a project. `values` are its root, its counts, and the
    /// counts that call a person; empty values remove the options. `shown` are the formats that show them, one for
    /// each of [`LISTS`]. One call, even if several couriers do it at once.
    pub fn name_project(&self, id: &str, values: [&str; 3], shown: &[String]) -> Result<()> {
        let mut commands = Vec::new();
        for (name, value) in NAMED.iter().zip(values) {
            let option = SetOption::new().server().quiet().option(format!("{name}{id}"));
            commands.push(match value {
                "" => option.unset().build(),
                value => option.value(argument(value)).build(),
            });
        }
        if values.iter().any(|value| !value.is_empty()) {
            // The server itself checks whether it is there, so no courier overwrites another's.
            for (list, shown) in LISTS.iter().zip(shown) {
                let mut add = TmuxCommand::new();
                add.name("if-shell").push_flag("-F");
                add.push_param(format!("#{{m:*{ROOT}{id}*,#{{{list}}}}}")).push_param("");
                add.push_param(format!("set-option -as {list} \"{shown}\""));
                commands.push(add);
            }
        }
        self.run(commands, None).map(drop)
    }

    /// Whether any pane, or the server itself, has marks of swarm.
    pub fn bears_marks(&self) -> Result<bool> {
        Ok(!self.marks()?.is_empty() || !self.named()?.is_empty())
    }

    /// Removes all marks from all panes and from the server.
    pub fn take_marks_off(&self) -> Result<()> {
        self.mark(&self.marks()?)?;
        let names = self.named()?.into_iter().chain(LISTS.map(str::to_owned));
        let unset = names.map(|name| SetOption::new().server().quiet().option(name).unset().build());
        self.run(unset.collect(), None).map(drop)
    }

    /// The changes that remove every mark.
    fn marks(&self) -> Result<Vec<PaneMark>> {
        let marks = |pane: Pane| {
            let borne = [
                ("@swarm_agent", pane.label),
                ("@swarm_badge", pane.badge),
                ("@swarm_root", pane.badge_root),
                ("@swarm_state", pane.state),
            ];
            borne.into_iter().filter(|(_, value)| !value.is_empty()).map(move |(option, _)| PaneMark {
                pane: pane.id.clone(),
                option,
                value: String::new(),
            })
        };
        Ok(self.panes()?.into_iter().flat_map(marks).collect())
    }

    /// Writes marks on panes, all in one call; no call without marks.
    pub fn mark(&self, marks: &[PaneMark]) -> Result<()> {
        let commands: Vec<TmuxCommand<'_>> = marks
            .iter()
            .filter(|mark| format::is_literal(&mark.pane))
            .map(|mark| {
                let option =
                    SetOption::new().pane().quiet().target_pane(mark.pane.as_str()).option(mark.option);
                match mark.value.as_str() {
                    "" => option.unset().build(),
                    value => option.value(argument(value)).build(),
                }
            })
            .collect();
        if !commands.is_empty() {
            // A pane may have closed since it was listed. Its marks are gone with it.
            self.run(commands, None)?;
        }
        Ok(())
    }
}
