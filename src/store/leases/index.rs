//! The index of leases, `leases.index/`: finds the records that matter to a decision, without reading all of them.
//!
//! | File | What |
//! |---|---|
//! | `sorted` | a line for each path of each lease, in the order of paths; replaced as a whole |
//! | `recent` | later changes: `-NUMBER` removes the lines of a lease, `+LINE` adds one; appended |
//! | `mark` | sealed: the state of `leases/` and of these two files for which the index is right, and who holds how many leases until when |
//!
//! It is derived: only the records count, and each record that matters is read and verified before a decision. The
//! index is written under the mutex, after the records. Each change gives the directory `leases/` and the file
//! `recent` a time that no clock gives, and notes that time in the mark. A later change of a record, by hand, by an
//! older version or by a process that is killed half-way, gives the directory another time. An index that does not
//! match is not used: all records are read, and the holder of the mutex makes the index again. Readers take no lock:
//! they use the index only if mark, files and directory match.
//!
//! The time of a directory does not show that a record was overwritten in place. Such a record is read when it
//! matters. `swarm gc`, `swarm doctor` and, once a minute, the courier read all of them.

use crate::core::lease::index::{self, Line, Tenant};
use crate::core::lease::{Changes, Lease, LeaseTable, PathPattern, Write};
use crate::core::moment::Moment;
use crate::store::{Store, entropy, fault, now_ms, record};
use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{Read, Write as _};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::PathBuf;
use std::time::{Duration, UNIX_EPOCH};

/// How many leases have an index at least: fewer are read about as fast without one.
pub(super) const MANY: usize = 32;

/// How many lines `recent` may have before they are merged: each command reads them all.
const RECENT: usize = 256;

/// How many records one decision reads one by one; beyond that, the lines are faster.
const ONE_BY_ONE: usize = 128;

/// How much of `sorted` one read takes: some lines.
const CHUNK: usize = 1024;

/// The name for which the mark is sealed.
const NAME: &str = "leases.index/mark";

/// The state of a file or a directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Stamp {
    inode: u64,
    size: u64,
    seconds: i64,
    nanos: i64,
}

impl Stamp {
    fn of(meta: &Metadata) -> Self {
        Self { inode: meta.ino(), size: meta.size(), seconds: meta.mtime(), nanos: meta.mtime_nsec() }
    }

    /// Gives a file or directory a unique time. Fails if the file system does not keep nanoseconds.
    fn give(file: &File) -> Result<Self> {
        let time = Duration::from_millis(now_ms()) + Duration::from_nanos(entropy()? % 1_000_000);
        file.set_modified(UNIX_EPOCH + time)?;
        let stamp = Self::of(&file.metadata()?);
        if u128::try_from(stamp.seconds).unwrap_or_default() != u128::from(time.as_secs())
            || stamp.nanos != i64::from(time.subsec_nanos())
        {
            bail!("the file system does not keep times to the nanosecond");
        }
        Ok(stamp)
    }
}

/// The contents of the mark: the state for which the index is valid, and its totals.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct IndexRecord {
    boot: String,
    leases: Stamp,
    sorted: Stamp,
    recent: Stamp,
    /// The number of lines in `recent`.
    changes: usize,
    /// The highest number of a lease that it has ever contained.
    highest: u64,
    tenants: Vec<Tenant>,
}

/// An index that matches the records.
#[derive(Debug)]
pub(super) struct Index {
    place: IndexPaths,
    record: IndexRecord,
    sorted: File,
    recent: String,
}

/// The paths of an index.
#[derive(Clone, Debug)]
struct IndexPaths {
    leases: PathBuf,
    dir: PathBuf,
    tmp: PathBuf,
}

impl IndexPaths {
    fn of(store: &Store) -> Self {
        Self { leases: store.dir.join("leases"), dir: store.dir.join("leases.index"), tmp: store.tmp() }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Replaces one of the two files.
    fn replace(&self, name: &str, text: &str) -> Result<Stamp> {
        let temp = self.tmp.join(format!("index-{name}.{:016x}", entropy()?));
        let write = || -> Result<Stamp> {
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temp)?;
            file.write_all(text.as_bytes())?;
            let stamp = Stamp::give(&file)?;
            fs::rename(&temp, self.file(name))?;
            Ok(stamp)
        };
        write().inspect_err(|_| {
            let _ = fs::remove_file(&temp);
        })
    }

    fn stamp_leases(&self) -> Result<Stamp> {
        Stamp::give(&File::open(&self.leases)?)
    }
}

/// Whether there is an index, valid or not.
pub(super) fn exists(store: &Store) -> bool {
    IndexPaths::of(store).file("mark").exists()
}

/// Removes the index, if there is one.
pub(super) fn remove(store: &Store) {
    // Without its mark it is not used.
    let _ = fs::remove_file(IndexPaths::of(store).file("mark"));
}

/// Makes the index of this table of all leases. Under the mutex, after the last record was written.
pub(super) fn build(store: &Store, table: &LeaseTable) -> Result<()> {
    let (place, now) = (IndexPaths::of(store), table.now());
    record::ensure_dir(&place.dir)?;
    let lines: Vec<String> = table.leases().map(|lease| index::lines(lease, &now.boot)).collect();
    let lines: Vec<&str> = lines.iter().flat_map(|lines| lines.lines()).collect();
    let (tenants, highest) =
        (tenants(table.leases(), now), table.leases().map(|lease| lease.fence).max().unwrap_or_default());
    let sorted = place.replace("sorted", &sorted(&lines))?;
    fault::point("index-sorted");
    let recent = place.replace("recent", "")?;
    let leases = place.stamp_leases()?;
    put(store, &IndexRecord { boot: now.boot.clone(), leases, sorted, recent, changes: 0, highest, tenants })
}

fn sorted<L: AsRef<str>>(lines: &[L]) -> String {
    let mut lines: Vec<&str> = lines.iter().map(AsRef::as_ref).collect();
    lines.sort_unstable_by(|one, other| index::order(one.as_bytes(), other.as_bytes()));
    let mut text = String::with_capacity(lines.iter().map(|line| line.len() + 1).sum());
    for line in lines {
        text.push_str(line);
        text.push('\n');
    }
    text
}

/// Writes the mark in place: a half-written one has a wrong seal.
fn put(store: &Store, record: &IndexRecord) -> Result<()> {
    let text = serde_json::to_string(record)?;
    let mut bytes = format!("{} {text}", store.key.seal(NAME, text.as_bytes())).into_bytes();
    let path = IndexPaths::of(store).file("mark");
    let mut options = OpenOptions::new();
    let mut file = record::regular(options.write(true).create(true).truncate(false).mode(0o600), &path)?;
    let there = usize::try_from(file.metadata()?.len())?;
    bytes.resize(there.max(bytes.len() + 1), b' ');
    fault::point("before-mark");
    file.write_all(&bytes).context("cannot write the mark of the index")?;
    fault::point("after-mark");
    Ok(())
}

impl Index {
    /// The index, if there is a valid one.
    #[inline(never)]
    pub(super) fn open(store: &Store, now: &Moment) -> Option<Self> {
        let place = IndexPaths::of(store);
        let text = record::text(&place.file("mark"), 1 << 20).ok()?;
        let (seal, text) = text.trim_end().split_once(' ')?;
        if !store.key.is_sealed(NAME, text.as_bytes(), seal) {
            return None;
        }
        let record: IndexRecord = serde_json::from_slice(text.as_bytes()).ok()?;
        let is_at = |file: &File, stamp: &Stamp| file.metadata().is_ok_and(|meta| Stamp::of(&meta) == *stamp);
        let fits = fs::metadata(&place.leases).is_ok_and(|meta| Stamp::of(&meta) == record.leases);
        if record.boot != now.boot || !fits {
            return None;
        }
        let open = |name: &str| record::regular(OpenOptions::new().read(true), &place.file(name)).ok();
        let (sorted, file) = (open("sorted")?, open("recent")?);
        let mut recent = String::new();
        if !is_at(&sorted, &record.sorted)
            || !is_at(&file, &record.recent)
            || (record.recent.size > 0
                && (&file).take(record.recent.size).read_to_string(&mut recent).is_err())
        {
            return None;
        }
        Some(Self { place, record, sorted, recent })
    }

    /// The holders of leases.
    pub(super) fn tenants(&self) -> &[Tenant] {
        &self.record.tenants
    }

    pub(super) fn highest(&self) -> u64 {
        self.record.highest
    }

    pub(super) fn count(&self) -> u64 {
        self.record.tenants.iter().map(|tenant| tenant.leases).sum()
    }

    /// The numbers of the leases that overlap one of `paths`; `None` if there are too many to read them one by one,
    /// or a line is invalid.
    pub(super) fn about<'p>(&self, paths: impl Iterator<Item = &'p PathPattern>) -> Option<BTreeSet<u64>> {
        let mut found = BTreeSet::new();
        for path in paths {
            let keys = index::keys(path);
            let mut these = BTreeSet::new();
            for key in &keys {
                self.stretch(key, |line| {
                    let line = Line::read(line)?;
                    if line.path.overlaps(path) {
                        these.insert(line.fence);
                    }
                    Some(())
                })?;
            }
            for change in self.recent.lines() {
                if let Some(fence) = change.strip_prefix('-') {
                    these.remove(&fence.parse().ok()?);
                } else if let Some(line) = change.strip_prefix('+')
                    && keys.iter().any(|key| line.starts_with(key.as_str()))
                {
                    let line = Line::read(line)?;
                    if line.path.overlaps(path) {
                        these.insert(line.fence);
                    }
                }
            }
            found.extend(these);
        }
        (found.len() <= ONE_BY_ONE).then_some(found)
    }

    /// All leases, and the numbers of those whose records must be read; `None` if something does not match.
    pub(super) fn all(&self) -> Option<(Vec<Lease>, Vec<u64>)> {
        let text = self.text()?;
        let lines = self.current(&text);
        let mut read = Vec::with_capacity(lines.len());
        for line in lines {
            read.push(Line::read(line)?);
        }
        let all = index::gather(read, &self.record.boot)?;
        (all.0.len() + all.1.len()).eq(&usize::try_from(self.count()).ok()?).then_some(all)
    }

    fn text(&self) -> Option<String> {
        let mut text = String::with_capacity(usize::try_from(self.record.sorted.size).ok()?);
        (&self.sorted).read_to_string(&mut text).ok()?;
        Some(text)
    }

    /// All valid lines: those of `sorted`, which is `text`, with the changes in `recent`.
    fn current<'a>(&'a self, text: &'a str) -> Vec<&'a str> {
        let mut changed: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        let mut last = None;
        for change in self.recent.lines() {
            if let Some(fence) = change.strip_prefix('-') {
                changed.insert(fence, Vec::new());
                last = Some(fence);
            } else if let Some(line) = change.strip_prefix('+') {
                // An added lease was removed just before.
                changed.entry(last.unwrap_or_default()).or_default().push(line);
            }
        }
        let fence = |line: &str| line.split('\t').nth(4).is_some_and(|fence| changed.contains_key(fence));
        let mut lines: Vec<&str> = if changed.is_empty() {
            text.lines().collect()
        } else {
            text.lines().filter(|l| !fence(l)).collect()
        };
        lines.extend(changed.into_values().flatten());
        lines
    }

    /// Gives the lines of `sorted` that begin with `key` to `take`, without their line feeds.
    fn stretch(&self, key: &str, mut take: impl FnMut(&str) -> Option<()>) -> Option<()> {
        let (mut low, mut high) = (0, self.record.sorted.size);
        while low < high {
            let middle = low + (high - low) / 2;
            match self.line_from(middle).ok()? {
                Some((at, line)) if at < high && index::order(line.as_bytes(), key.as_bytes()).is_lt() => {
                    low = at + line.len() as u64 + 1;
                }
                _ => high = middle,
            }
        }
        while let Some((at, line)) = self.line_from(low).ok()?.filter(|(_, line)| line.starts_with(key)) {
            take(&line)?;
            low = at + line.len() as u64 + 1;
        }
        Some(())
    }

    /// The first line that begins at `at` or later, and its place.
    fn line_from(&self, at: u64) -> Result<Option<(u64, String)>> {
        // A line begins after a line feed, so that is looked for as well.
        let from = at.saturating_sub(1);
        let size = usize::try_from(self.record.sorted.size - from)?;
        let mut bytes = Vec::new();
        while bytes.len() < size {
            let have = bytes.len();
            bytes.resize((have + CHUNK).min(size), 0);
            self.sorted.read_exact_at(&mut bytes[have..], from + have as u64)?;
            let begin = if at == 0 { Some(0) } else { bytes.iter().position(|b| *b == b'\n').map(|p| p + 1) };
            let Some(begin) = begin else { continue };
            if let Some(end) = bytes[begin..].iter().position(|b| *b == b'\n') {
                let line = std::str::from_utf8(&bytes[begin..begin + end])?;
                return Ok(Some((from + begin as u64, line.to_owned())));
            }
        }
        Ok(None)
    }

    /// Applies changes that were just written to the records. `known` are the changed leases in their earlier form.
    /// `all` is the table after the changes, if it has all leases: the totals of holders are then computed again.
    /// Under the mutex.
    #[inline(never)]
    pub(super) fn take_up(
        mut self,
        store: &Store,
        changes: &Changes,
        known: &BTreeMap<u64, Lease>,
        now: &Moment,
        all: Option<&LeaseTable>,
    ) -> Result<()> {
        let mut latest: BTreeMap<u64, Option<&Lease>> = BTreeMap::new();
        for write in &changes.writes {
            match write {
                Write::Lease(lease) => latest.insert(lease.fence, Some(lease)),
                Write::DropLease(fence) => latest.insert(*fence, None),
                Write::Waiter(_) | Write::DropWaiter(_) => None,
            };
        }
        let mut text = String::new();
        for (fence, after) in &latest {
            text.push_str(&format!("-{fence}\n"));
            if let Some(lease) = after {
                text.extend(index::lines(lease, &now.boot).lines().map(|line| format!("+{line}\n")));
            }
            index::note(&mut self.record.tenants, known.get(fence), *after, now)
                .context("the index does not know a lease")?;
            self.record.highest = self.record.highest.max(*fence);
        }
        if let Some(table) = all {
            self.record.tenants = tenants(table.leases(), now);
        }
        if self.record.tenants.is_empty() {
            remove(store);
            return Ok(());
        }
        if !latest.is_empty() {
            self.write(&text)?;
            self.record.leases = self.place.stamp_leases()?;
        }
        put(store, &self.record)
    }

    /// Adds new lines at the end of `recent`, or merges all of them.
    fn write(&mut self, text: &str) -> Result<()> {
        let lines = text.lines().count();
        self.recent.push_str(text);
        if self.record.changes + lines > RECENT {
            let before = self.text().context("the index cannot be read")?;
            let all = sorted(&self.current(&before));
            self.record.sorted = self.place.replace("sorted", &all)?;
            fault::point("index-sorted");
            self.record.recent = self.place.replace("recent", "")?;
            self.record.changes = 0;
        } else {
            let mut file = record::regular(OpenOptions::new().append(true), &self.place.file("recent"))?;
            file.write_all(text.as_bytes())?;
            fault::point("index-appended");
            self.record.recent = Stamp::give(&file)?;
            self.record.changes += lines;
        }
        Ok(())
    }
}

fn tenants<'l>(leases: impl Iterator<Item = &'l Lease>, now: &Moment) -> Vec<Tenant> {
    let mut tenants = Vec::new();
    for lease in leases {
        // Nothing is removed here.
        let _ = index::note(&mut tenants, None, Some(lease), now);
    }
    tenants
}

#[cfg(test)]
mod tests;
