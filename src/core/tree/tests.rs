//! Commands and their effects, one per row.

use super::World;
use super::git::{Dirty, DirtyLook, Harm, Paths, Untracked, acts};
use std::path::{Path, PathBuf};

struct Fake;

impl World for Fake {
    fn variable(&self, name: &str) -> Option<String> {
        match name {
            "HOME" => Some("/home/me".into()),
            "SUB" => Some("sub".into()),
            "WORDS" => Some("reset --hard".into()),
            _ => None,
        }
    }

    fn alias(&self, _dir: &Path, name: &str) -> Option<String> {
        match name {
            "co" => Some("checkout".into()),
            "wip" => Some("!git add -A && git commit -m 'work in progress'".into()),
            "undo" => Some("reset --hard HEAD~".into()),
            "again" => Some("undo".into()),
            "ring" => Some("ring".into()),
            "s" => Some("!f() { git stash \"$@\"; }; f".into()),
            _ => None,
        }
    }

    fn setting(&self, dir: &Path, key: &str) -> Option<String> {
        (dir == Path::new("/stashing") && key == "rebase.autoStash").then(|| "true".into())
    }

    fn submodules(&self, dir: &Path) -> Vec<PathBuf> {
        if dir == Path::new("/p") { vec!["/p/lib".into()] } else { Vec::new() }
    }

    fn exists(&self, path: &Path) -> bool {
        path == Path::new("/p/.git")
    }

    fn is_path(&self, _dir: &Path, text: &str) -> bool {
        FILES.iter().any(|(path, _)| *path == text) || matches!(text, "clean.rs" | "sub" | "sub/")
    }
}

/// The dirty files, with their states.
const FILES: [(&str, &str); 7] = [
    ("changed", " M"),
    ("gone", " D"),
    ("staged", "M "),
    ("sub/x", " M"),
    ("new", "??"),
    ("fresh/n", "??"),
    ("ignored", "!!"),
];

fn look(look: &DirtyLook) -> Vec<Dirty> {
    let from = look.dir.strip_prefix("/p").unwrap_or(Path::new("")).to_str().unwrap().trim_end_matches("/..");
    let wanted = |path: &str| match &look.paths {
        Paths::All => true,
        Paths::Only(specs) => specs.iter().any(|spec| {
            let spec = match (from, spec.trim_end_matches('/')) {
                ("", spec) => spec.to_owned(),
                (from, ".") => from.to_owned(),
                (from, spec) => format!("{from}/{spec}"),
            };
            spec == "." || spec == path || path.strip_prefix(&*spec).is_some_and(|rest| rest.starts_with('/'))
        }),
    };
    let mut found = Vec::new();
    for (path, state) in FILES.iter().filter(|(path, _)| wanted(path)) {
        let path = match (*state, look.untracked) {
            ("??", Untracked::No) => continue,
            ("!!", _) if !look.ignored => continue,
            ("??", Untracked::Beside) => {
                path.rsplit_once('/').map_or((*path).to_owned(), |(dir, _)| format!("{dir}/"))
            }
            _ => (*path).to_owned(),
        };
        let mut state = state.chars();
        found.push(Dirty { path, index: state.next().unwrap(), work: state.next().unwrap() });
    }
    found
}

/// The effects of a command: on which paths, and in which directory if it is not the project.
fn told(command: &str) -> String {
    let mut all = Vec::new();
    for act in acts(command, Path::new("/p"), &Fake) {
        let kind = match act.kind {
            Harm::Discard => "discard",
            Harm::Stash => "stash",
            Harm::Commit => "commit",
            Harm::Move => "move",
        };
        let place =
            if act.dir == Path::new("/p") { String::new() } else { format!(" in {}", act.dir.display()) };
        all.push(format!("{kind}{place}: {}", act.taken(&mut |l| look(l)).join(" ")));
    }
    all.join("; ")
}

fn check(rows: &[(&str, &str)]) {
    let wrong = |(command, expected): &&(&str, &str)| told(command) != *expected;
    let told: Vec<String> =
        rows.iter().filter(wrong).map(|(command, _)| format!("{command}: {}", told(command))).collect();
    assert!(told.is_empty(), "{}", told.join("\n"));
}

const ALL: &str = "changed gone staged sub/x";

#[test]
#[allow(clippy::too_many_lines)] // one table
fn commands_that_take_everything_are_known_in_every_form() {
    let stash = format!("stash: {ALL}");
    let hard = format!("discard: {ALL}");
    let mut rows = Vec::new();
    for command in [
        "git stash",
        "git stash -q",
        "git stash push",
        "git stash save my work",
        "git stash push -m 'my work'",
        "/usr/bin/git stash",
        "git --no-pager -c x.y=z stash",
        "cd /p && git stash",
        "cd sub; cd ..; cd /p; git stash",
        "(cd sub && ls); git stash",
        "true && false || git stash",
        "git status | cat; git stash > /dev/null 2>&1",
        "git stash &",
        "if git diff --quiet; then :; else git stash; fi",
        "while true; do git stash; break; done",
        "for i in 1; do git stash; done",
        "case $x in a) git stash;; esac",
        "f() { git stash; }; f",
        "f() { git \"$@\"; }; f stash",
        "f() { git $1; }; f stash",
        "sh -c 'git \"$@\"' _ stash",
        "{ git stash; }",
        "! git stash",
        "time git stash",
        "x=$(git stash)",
        "echo \"`git stash`\"",
        "env A=b git stash",
        "env -u X -i A=b git stash",
        "A=b git stash",
        "sudo -u me git stash",
        "sudo git stash",
        "command git stash",
        "exec git stash",
        "nohup git stash",
        "nice -n 5 git stash",
        "timeout -s KILL 10 git stash",
        "stdbuf -oL git stash",
        "setsid git stash",
        "sh -c 'git stash'",
        "bash -lc \"git stash\"",
        "bash -euo pipefail -c 'git stash'",
        "sudo bash -c 'cd /p && git stash'",
        "eval 'git stash'",
        "eval git stash",
        "bash <<'EOF'\ngit stash\nEOF",
        "cat <<EOF | sh\ngit stash\nEOF",
        "echo git stash | sh",
        "bash <<< 'git stash'",
        "trap 'git stash' EXIT",
        "git st\"a\"sh",
        "cd \"$(git rev-parse --show-toplevel)\" && git stash",
        "X=/p; cd $X && git stash",
        "git s",
        "git stash\nif",
        "env -S 'git stash'",
        "env -iS 'A=b git stash'",
        "env -u X -S'git stash'",
        "env --split-string='git stash -q'",
        "env --chdir=/p git stash",
        "env -S git stash",
        "cd sub && cd - && git stash",
        "pushd sub; ls; popd; git stash",
        "cd sub; cd \"$OLDPWD\"; git stash",
        "[[ -n $(git stash) ]]",
        "[[ a == b && ! ( x = \"$(git stash)\" ) ]] && ls",
        "(( $(git stash | wc -l) > 0 ))",
        "x=$(( $(git stash | wc -l) ))",
        "a=($(git stash))",
        "echo ${x:-$(git stash)}",
        "echo \"${x:=`git stash`}\"",
        "cat <<EOF\nit's $(git stash)\nEOF",
        "cat <<EOF\n\"`git stash`\nEOF",
        "$(which git) stash",
        "\"$(command -v git)\" stash",
        "git \\\n stash",
        "\\git stash",
        "'git' stash",
        "function f { git stash; }; f",
        "coproc git stash",
        "git stash |& tee log",
        "git stash &> log",
        "until git stash; do :; done",
        "flock /tmp/l git stash",
        "flock -w 5 /tmp/l -c 'git stash'",
        "script -qc 'git stash' /dev/null",
        "su - me -c 'git stash'",
        "watch -n 5 git stash",
        "busybox sh -c 'git stash'",
        "taskset -c 1 git stash",
        "uv run git stash",
        "mise exec -- git stash",
        "direnv exec . git stash",
        "ls | parallel git stash push -m {} :::: x",
        "find . -name x -execdir sh -c 'git stash push -m {}' \\;",
        "ls | xargs -I% sh -c 'git stash push -m %'",
    ] {
        rows.push((command, &*stash));
    }
    for command in [
        "git reset --hard",
        "git reset --hard HEAD~3",
        "git reset -q --hard",
        "git reset --har",
        "git $WORDS",
        "git undo",
        "git again",
        "git -c alias.zap='reset --hard' zap",
        "git checkout -f",
        "git checkout -f main",
        "git switch -f main",
        "git switch --discard-changes main",
        "git restore -SW .",
        "git restore --source=HEAD .",
        "git checkout HEAD -- .",
        "git checkout HEAD .",
        "git merge --abort",
        "git rebase --abort",
        "git cherry-pick --abort",
        "git rm -rf .",
        "git read-tree --reset -u HEAD",
        "echo main | xargs git checkout HEAD --",
        "find . -name '*.rs' -exec git checkout HEAD -- {} \\;",
    ] {
        rows.push((command, &*hard));
    }
    check(&rows);
}

#[test]
fn what_a_command_takes_is_what_git_takes() {
    check(&[
        // Paths.
        ("git checkout -- changed", "discard: changed"),
        ("git checkout changed", "discard: changed"),
        ("git checkout gone", "discard: gone"),
        ("git checkout .", "discard: changed gone sub/x"),
        ("git checkout -- .", "discard: changed gone sub/x"),
        ("git checkout HEAD changed", "discard: changed"),
        ("git checkout -- clean.rs", "discard: "),
        ("git restore sub", "discard: sub/x"),
        ("git restore --worktree changed staged", "discard: changed"),
        ("for f in changed gone; do git restore $f; done", "discard: changed; discard: gone"),
        ("git restore \"$UNKNOWN\"", "discard: changed gone sub/x"),
        ("git stash push -- changed", "stash: changed"),
        ("git stash -- changed", "stash: changed"),
        ("git stash -u", "stash: changed fresh/n gone new staged sub/x"),
        ("git stash --include-untracked -- new", "stash: new"),
        ("git stash -a", "stash: changed fresh/n gone ignored new staged sub/x"),
        ("git stash push --staged", "stash: staged"),
        ("git rm -f changed", "discard: changed"),
        ("git clean -f", "discard: new"),
        ("git clean -fd", "discard: fresh/n new"),
        ("git clean -fdx", "discard: fresh/n ignored new"),
        ("git clean -fX", "discard: ignored"),
        ("git clean -fd -- fresh", "discard: fresh/n"),
        // Commits.
        ("git commit -m x", "commit: staged"),
        ("git commit -am x", "commit: changed gone staged sub/x"),
        ("git commit --all --message=x", "commit: changed gone staged sub/x"),
        ("git add -A && git commit -m x", "commit: changed fresh/n gone new staged sub/x"),
        ("git add . && git commit -m x", "commit: changed fresh/n gone new staged sub/x"),
        ("git add --all; git commit --amend --no-edit", "commit: changed fresh/n gone new staged sub/x"),
        ("git add -u && git commit -m x", "commit: changed gone staged sub/x"),
        ("git add changed && git commit -m 'git stash'", "commit: changed staged"),
        ("git stage sub && git commit -F - <<EOF\ngit reset --hard\nEOF", "commit: staged sub/x"),
        ("git commit -m x -- changed", "commit: changed"),
        ("git commit changed -m x", "commit: changed"),
        ("git add new && git commit -m x -- new", "commit: "),
        ("git commit -i changed -m x", "commit: changed staged"),
        ("git reset -q && git add changed && git commit -m x", "commit: changed"),
        ("git restore --staged staged && git commit -m x", "commit: "),
        ("git reset HEAD staged; git commit -m x", "commit: "),
        ("git wip", "commit: changed fresh/n gone new staged sub/x"),
        (
            "git commit -m \"$(cat <<'EOF'\nSay it's so\n\ngit reset --hard, git stash\nEOF\n)\"",
            "commit: staged",
        ),
        ("git rebase --continue", "commit: staged"),
        // Another commit is checked out.
        ("git checkout main", "move: changed gone staged sub/x"),
        ("git co -", "move: changed gone staged sub/x"),
        ("git switch main", "move: changed gone staged sub/x"),
        ("git checkout -b new origin/main", "move: changed gone staged sub/x"),
        ("git switch -c new origin/main", "move: changed gone staged sub/x"),
        ("gh pr checkout 12", "move: changed gone staged sub/x"),
        ("git rebase main", "move: changed gone staged sub/x"),
        ("git pull --rebase", "move: changed gone staged sub/x"),
        ("git stash branch b", "move: changed gone staged sub/x"),
        // In other directories.
        ("git -C sub checkout .", "discard in /p/sub: sub/x"),
        ("cd sub && git checkout .", "discard in /p/sub: sub/x"),
        ("cd $SUB && git checkout .", "discard in /p/sub: sub/x"),
        ("(cd /q; git reset --hard)", "discard in /q: changed gone staged sub/x"),
        ("git --work-tree=/q reset --hard", "discard in /q: changed gone staged sub/x"),
        ("GIT_WORK_TREE=/q git reset --hard", "discard in /q: changed gone staged sub/x"),
        ("cd ~/x && git reset --hard", "discard in /home/me/x: changed gone staged sub/x"),
        ("env -C /q git reset --hard", "discard in /q: changed gone staged sub/x"),
        ("git worktree remove --force ../w", "discard in /p/../w: changed fresh/n gone new staged sub/x"),
        // Several commands in a row.
        ("git stash -- changed; git checkout -- gone", "stash: changed; discard: gone"),
        ("cd sub && git add x && cd /p && git commit -m x", "commit: staged sub/x"),
        ("git -C sub add x; git -C /tmp/other commit -m x", "commit in /tmp/other: staged"),
        ("ls | xargs sh -c 'git checkout -- \"$@\"' _", "discard: changed gone sub/x"),
        ("ls | xargs -I% bash -c 'git checkout -- %'", "discard: changed gone sub/x"),
        ("ls | parallel git checkout --", "discard: changed gone sub/x"),
        ("git ls-files -m | parallel 'git checkout -- {}'", "discard: changed gone sub/x"),
        ("git submodule foreach 'git reset --hard'", "discard in /p/lib: changed gone staged sub/x"),
        ("git submodule foreach --recursive git clean -fd", "discard in /p/lib: fresh/n new"),
        ("git submodule update --init --force", "discard in /p/lib: changed gone staged sub/x"),
        ("git submodule update", "move in /p/lib: changed gone staged sub/x"),
        (
            "git checkout -f --recurse-submodules",
            "discard in /p/lib: changed gone staged sub/x; discard: changed gone staged sub/x",
        ),
        ("cd /stashing && git pull", "move in /stashing: changed gone staged sub/x"),
        ("cd /stashing && git pull --no-autostash", ""),
    ]);
}

#[test]
fn harmless_commands_do_nothing() {
    let mut rows = Vec::new();
    for command in [
        "",
        "ls",
        "echo git stash",
        "echo 'git reset --hard' > notes",
        "cat <<EOF > x.sh\ngit reset --hard\nEOF",
        "grep -r 'git stash' .",
        "git status; git diff; git log -p -- x",
        "git log --grep='reset --hard'",
        "git show stash@{0}",
        "git stash list",
        "git stash show -p",
        "git stash apply",
        "git stash pop",
        "git stash drop",
        "git add -A",
        "git add -A -n && git commit --dry-run",
        "git commit --dry-run -a",
        "git reset",
        "git reset --soft HEAD~",
        "git reset HEAD changed",
        "git restore --staged .",
        "git clean -nfd",
        "git clean",
        "git checkout -b new",
        "git checkout -b new HEAD",
        "git switch -c new",
        "git checkout",
        "git checkout HEAD",
        "git merge main",
        "git pull",
        "git fetch && git push",
        "git rm --cached -f changed",
        "git rm changed",
        "git rebase --quit",
        "git worktree add ../w main",
        "git branch -D old",
        "git help stash",
        "git stash --help | head",
        "git config alias.x 'reset --hard'",
        "git ring",
        "command -v git stash",
        "which git",
        "ssh host git reset --hard",
        "ssh host 'cd /p && git stash'",
        "docker exec x git stash",
        "cd \"$(mktemp -d)\" && git init && git add -A && git commit -m x",
        "cd - && git stash",
        "cd $UNKNOWN && git reset --hard",
        "git -C \"$UNKNOWN\" stash",
        "git \"$UNKNOWN\"",
        "git submodule status; git submodule foreach 'git status'; git submodule init",
        "git ls-files -m | xargs git add && true",
        "cat <<'EOF'\n$(git stash)\nEOF",
        "echo '$(git stash)' \"\\$(ls)\" ${x:-git stash}",
        "env -S",
        "env -S '' git",
        "su -c",
        "popd; git stash",
        "swarm-msg send codex-1 'please do not git stash'",
        "# git stash",
        "f() { git stash; }",
        "f() { f; git status; }; f",
        "git",
        "git -C",
        "git 'stash",
        "git stash &&",
        "if",
    ] {
        rows.push((command, ""));
    }
    check(&rows);
}

#[test]
fn hostile_text_is_bounded_and_no_error() {
    for text in [
        "$(".repeat(5000),
        "(".repeat(20_000),
        "sh -c '".repeat(50),
        "git stash; ".repeat(3000),
        "if\n".repeat(3000),
        format!("git add {}", "x ".repeat(100_000)),
        "a".repeat(1 << 20),
        "\u{0}git\u{0}".repeat(100),
        "eval ".repeat(3000) + "git stash",
        "env ".repeat(3000) + "git stash",
        "<<a ".repeat(500),
        "${a:-".repeat(2000),
        "`".repeat(999),
        "$'\\x".repeat(100),
    ] {
        // Callers do the same: the parser is recursive.
        let judged = std::thread::Builder::new().stack_size(512 << 20);
        let count = judged.spawn(move || acts(&text, Path::new("/p"), &Fake).len()).unwrap().join().unwrap();
        assert!(count <= 64);
    }
}
