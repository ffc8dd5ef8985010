//! The texts of rules that are not built in: the person's own (`~/.config/swarm/profiles/*.toml`), the project's
//! (`.swarm-profiles/*.toml`) if the person has allowed exactly these, and a newer set of the shipped ones, if there
//! is one.
//!
//! They are read without a lock: an editor replaces a file as a whole, or the file is read again a moment later. A
//! file that cannot be read is reported, and the others are used. Permission is bound to a hash of the files, so a
//! changed file is not used.

use super::config::config_home;
use super::{foreign, key, lock, record};
use crate::core::escape;
use crate::core::order;
use crate::core::rules::{self, BUILT_IN, RuleSet, RulesFrom};
use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// The largest profile that is read, in bytes.
const MAX: usize = 256 << 10;

/// The largest set of rules that is accepted, in bytes.
pub const MAX_SET: u64 = 1 << 20;

/// The most files that are read.
const MAX_FILES: usize = 200;

/// The directory of a project's own rules.
pub const OF_PROJECT: &str = ".swarm-profiles";

/// The places of these files.
#[derive(Clone, Debug)]
pub struct Shelf {
    /// The person's directory for settings.
    config: Option<PathBuf>,
    /// The root of the project.
    project: Option<PathBuf>,
    /// The newer set of the shipped rules.
    update: Option<PathBuf>,
}

/// The facts that distinguish one state of the files from another.
pub type Stamp = Vec<(PathBuf, Option<(u64, u64, u64, i64, i64, i64)>)>;

/// A file of rules.
#[derive(Clone, Debug)]
pub struct Text {
    pub from: RulesFrom,
    /// Its name for people.
    pub file: String,
    /// Its text, or the reason why it cannot be used.
    pub text: Result<String, String>,
}

/// Whether a project's rules are used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Allowance {
    /// There are none.
    None,
    Allowed,
    /// The person has not been asked about them.
    Unknown,
    /// They differ from those that the person has allowed.
    Changed,
}

/// The texts of all files, and the problems with them.
#[derive(Clone, Debug)]
pub struct Shelved {
    /// The texts in use; a later one has priority.
    pub texts: Vec<Text>,
    pub project: Allowance,
    /// Why the newer set cannot be used, if it cannot.
    pub bad_update: Option<String>,
}

/// The text of a file of rules in any directory; `None` if there is none.
pub fn read(path: &Path) -> Result<Option<String>, String> {
    let found = foreign::text(path)?;
    if found.as_ref().is_some_and(|text| text.len() > MAX) {
        return Err(format!("it is larger than {} KiB", MAX >> 10));
    }
    Ok(found)
}

/// The bytes of a regular file, no link, of at most `most` bytes.
pub fn given(path: &Path, most: u64) -> Result<Vec<u8>, String> {
    use std::io::Read as _;
    let flags = nix::fcntl::OFlag::O_NOFOLLOW | nix::fcntl::OFlag::O_NONBLOCK;
    let file = fs::OpenOptions::new().read(true).custom_flags(flags.bits()).open(path).map_err(|why| {
        if path.is_symlink() {
            "it is a symbolic link".to_owned()
        } else {
            format!("it cannot be read: {why}")
        }
    })?;
    let meta = file.metadata().map_err(|why| why.to_string())?;
    if !meta.is_file() || meta.len() > most {
        return Err(format!("it is not a regular file of at most {} KiB", most >> 10));
    }
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes).map_err(|why| why.to_string())?;
    if bytes.len() as u64 > most { Err(format!("it is larger than {} KiB", most >> 10)) } else { Ok(bytes) }
}

impl Shelf {
    /// The person's own files, and those of the project at `root`.
    pub fn of(root: Option<&Path>) -> Self {
        let update = key::state_home().ok().map(|dir| dir.join("profiles.json"));
        Self { config: config_home(), project: root.map(Path::to_path_buf), update }
    }

    /// The present state. Costs one look at each directory and one call of `stat` per file.
    pub fn stamp(&self) -> Stamp {
        let state = |path: PathBuf| {
            let meta = fs::metadata(&path).ok();
            let state = meta.map(|m| (m.dev(), m.ino(), m.size(), m.mtime(), m.mtime_nsec(), m.ctime_nsec()));
            (path, state)
        };
        let project = self.project_files();
        // If the project has no rules, it does not matter which are allowed.
        let allowed = self.allowed_file().filter(|_| !project.is_empty());
        let own = listed(self.dir().as_deref());
        own.into_iter().chain(project).chain(allowed).chain(self.update.clone()).map(state).collect()
    }

    /// The texts of the person's own files, in the order of their names.
    pub fn own(&self) -> Vec<Text> {
        listed(self.dir().as_deref()).iter().map(|path| text(path, RulesFrom::User)).collect()
    }

    /// The texts of the project's files, used or not.
    pub fn of_project(&self) -> Vec<Text> {
        self.project_files().iter().map(|path| text(path, RulesFrom::Project)).collect()
    }

    /// All texts in use.
    pub fn read(&self) -> Shelved {
        let (mut texts, bad_update) = match self.update_texts() {
            Ok(texts) => (texts, None),
            Err(why) => (Vec::new(), Some(why)),
        };
        let of_project = self.of_project();
        let project = self.allowance(&of_project);
        if project == Allowance::Allowed {
            texts.extend(of_project);
        }
        texts.extend(self.own());
        Shelved { texts, project, bad_update }
    }

    /// The directory of the person's own; `None` if the person has no directory for settings.
    pub fn dir(&self) -> Option<PathBuf> {
        Some(self.config.as_ref()?.join("profiles"))
    }

    /// The person's file of allowed signers of a newer set, in OpenSSH's format.
    pub fn signers_file(&self) -> Option<PathBuf> {
        Some(self.config.as_ref()?.join("rules.signers"))
    }

    /// Whether the person has allowed exactly these files.
    pub fn allowance(&self, texts: &[Text]) -> Allowance {
        if texts.is_empty() {
            return Allowance::None;
        }
        match self.allowed_digest() {
            None => Allowance::Unknown,
            Some(allowed) if digest(texts).as_ref() == Some(&allowed) => Allowance::Allowed,
            Some(_) => Allowance::Changed,
        }
    }

    /// Allows these files of the project; `None`: forbids them. Returns whether anything has changed.
    pub fn allow(&self, texts: Option<&[Text]>) -> Result<bool> {
        let file = self.allowed_file().context("HOME is not set: there is no place for what you allow")?;
        let project = self.project.as_ref().context("there is no project here")?.display().to_string();
        // The file also has other projects: a permission for one of them that is given at this moment stays.
        let path = self.update.as_ref().unwrap_or(&file).with_extension("lock");
        path.parent().map_or(Ok(()), record::ensure_dir)?;
        let (_held, _) = lock::exclusive(&path)?;
        let mut all = foreign::read(&file)?
            .map_or_else(|| Ok(json!({})), |text| serde_json::from_slice(text.as_bytes()));
        let listed = all.as_mut().ok().and_then(Value::as_object_mut);
        let Some(listed) = listed else {
            return Err(foreign::refuse(&file, "it is not valid JSON; repair or remove it"));
        };
        let before = listed.remove(&project);
        let now = match texts {
            None => None,
            Some(texts) => Some(json!(digest(texts).context("one of the files cannot be read")?)),
        };
        listed.extend(now.clone().map(|digest| (project, digest)));
        if before == now {
            return Ok(false);
        }
        foreign::replace(&file, &format!("{:#}\n", json!(listed)))?;
        Ok(true)
    }

    /// The number of the newer set, if it can be read.
    pub fn update_number(&self) -> Option<u64> {
        let text = foreign::text(self.update.as_ref()?).ok()??;
        RuleSet::parse(&text).ok().map(|set| set.number)
    }

    /// Stores a newer set, which the caller has checked.
    pub fn take_in(&self, text: &str) -> Result<()> {
        let file = self.update.as_ref().context("HOME is not set: there is no place for it")?;
        foreign::replace(file, text)
    }

    fn update_texts(&self) -> Result<Vec<Text>, String> {
        let Some(file) = &self.update else { return Ok(Vec::new()) };
        let told = |why: String| {
            escape::short(&format!("the newer rules {} are not used: {why}", file.display()), 300)
        };
        let Some(text) = foreign::text(file).map_err(told)? else { return Ok(Vec::new()) };
        let set = RuleSet::parse(&text).map_err(told)?;
        // A newer program has newer rules.
        if set.number <= BUILT_IN {
            return Ok(Vec::new());
        }
        let from = RulesFrom::Update(set.number);
        let one =
            |(name, text)| Text { from, file: format!("update {}: {name}", set.number), text: Ok(text) };
        Ok(set.profiles.into_iter().map(one).collect())
    }

    fn allowed_file(&self) -> Option<PathBuf> {
        Some(self.config.as_ref()?.join("allowed-profiles.json"))
    }

    fn allowed_digest(&self) -> Option<String> {
        let text = foreign::text(&self.allowed_file()?).ok()??;
        let all: Value = serde_json::from_slice(text.as_bytes()).ok()?;
        all[self.project.as_ref()?.display().to_string()].as_str().map(str::to_owned)
    }

    fn project_files(&self) -> Vec<PathBuf> {
        listed(self.project.as_ref().map(|root| root.join(OF_PROJECT)).as_deref())
    }
}

fn text(path: &Path, from: RulesFrom) -> Text {
    let file = path.display().to_string();
    let found =
        read(path).and_then(|text| text.ok_or_else(|| "it is a symbolic link that leads nowhere".to_owned()));
    let text = found.map_err(|why| escape::short(&format!("the profile {file} cannot be read: {why}"), 300));
    Text { from, file, text }
}

/// The digest of the files; `None` if one of them cannot be read.
fn digest(texts: &[Text]) -> Option<String> {
    let name = |file: &str| file.rsplit('/').next().map(str::to_owned);
    let files: Option<Vec<(String, &str)>> =
        texts.iter().map(|one| Some((name(&one.file)?, one.text.as_ref().ok()?.as_str()))).collect();
    Some(rules::digest(files?.iter().map(|(name, text)| (name.as_str(), *text))))
}

fn listed(dir: Option<&Path>) -> Vec<PathBuf> {
    let entries = dir.into_iter().flat_map(fs::read_dir).flatten().flatten().map(|entry| entry.path());
    let mut paths: Vec<PathBuf> = entries.filter(|p| p.extension().is_some_and(|e| e == "toml")).collect();
    order::sort(&mut paths);
    paths.truncate(MAX_FILES);
    paths
}
