//! The files of package managers say the same as `Cargo.toml`, and name files that are there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

fn text(file: &str) -> String {
    fs::read_to_string(root().join(file)).unwrap_or_else(|e| panic!("{file}: {e}"))
}

fn manifest() -> toml::Table {
    text("Cargo.toml").parse().unwrap()
}

/// What follows `before` up to `after`, in the first line that has both.
fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let rest = text.split_once(before).unwrap_or_else(|| panic!("no {before}")).1;
    rest.split_once(after).unwrap().0
}

#[test]
fn every_package_is_of_this_version() {
    let version = env!("CARGO_PKG_VERSION");
    let (formula, build, flake) =
        (text("packaging/homebrew/swarm.rb"), text("packaging/aur/PKGBUILD"), text("flake.nix"));
    assert_eq!(between(&formula, "version \"", "\""), version);
    assert!(formula.contains(&format!("/v{version}.tar.gz")));
    assert_eq!(between(&build, "pkgver=", "\n"), version);
    assert_eq!(between(&flake, "version = \"", "\""), version);
    let repository = manifest()["package"]["repository"].as_str().unwrap().to_owned();
    assert_eq!(between(&formula, "homepage \"", "\""), repository);
    assert_eq!(between(&build, "url='", "'"), repository);
    for text in [&formula, &build, &flake] {
        assert!(
            text.contains(
                env!("CARGO_PKG_DESCRIPTION").split(':').next().unwrap().trim_start_matches("A tmux ")
            ),
            "the description"
        );
    }
}

#[test]
fn the_plugin_knows_no_release_but_this_version() {
    let release = text("plugin/release");
    let lines: Vec<&str> = release.lines().filter(|l| !l.starts_with('#')).collect();
    for line in lines {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["version", version] => assert_eq!(version, env!("CARGO_PKG_VERSION")),
            ["url", url] => assert!(url.starts_with("https://"), "{url}"),
            ["sources", sum, bytes] => assert!(sum.parse::<u64>().is_ok() && bytes.parse::<u64>().is_ok()),
            ["file", machine, name, bytes, sum] => {
                assert_eq!(name, format!("swarm-{}-{machine}.tar.gz", env!("CARGO_PKG_VERSION")));
                assert!(bytes.parse::<u64>().is_ok() && sum.len() == 64, "{line}");
            }
            _ => panic!("{line}"),
        }
    }
}

#[test]
fn what_a_debian_package_holds_is_there_or_is_made_first() {
    let manifest = manifest();
    let assets = manifest["package"]["metadata"]["deb"]["assets"].as_array().unwrap();
    for asset in assets {
        let file = asset[0].as_str().unwrap();
        let made = file.starts_with("target/");
        let there = root().join(file.trim_end_matches("/*").trim_end_matches("/**")).exists();
        assert!(made || there, "{file}");
    }
    assert!(assets.iter().any(|a| a[0].as_str() == Some("target/package/man/*")));
}

#[test]
fn binstall_asks_for_the_names_that_a_release_has() {
    let manifest = manifest();
    let binstall = &manifest["package"]["metadata"]["binstall"];
    let script = text("scripts/release.sh");
    assert!(script.contains("swarm-$version-$(machine).tar.gz"));
    let linux = binstall["pkg-url"].as_str().unwrap();
    assert!(linux.ends_with("/v{ version }/swarm-{ version }-linux-{ target-arch }.tar.gz"), "{linux}");
    for target in ["x86_64-apple-darwin", "aarch64-apple-darwin"] {
        let url = binstall["overrides"][target]["pkg-url"].as_str().unwrap();
        assert!(url.ends_with("-macos-universal.tar.gz"), "{url}");
    }
}

/// Whether a checker accepts a file; `None` where it is not installed.
fn accepts(program: &str, args: &[&str], file: &str) -> Option<bool> {
    let found = Command::new(program)
        .arg("--version")
        .stdin(Stdio::null())
        .output()
        .is_ok_and(|o| o.status.success());
    if !found {
        println!("SKIPPED: {file} is not checked: {program} is not installed");
        return None;
    }
    let out = Command::new(program).args(args).arg(root().join(file)).stdin(Stdio::null()).output().unwrap();
    assert!(out.status.success(), "{file}: {}", String::from_utf8_lossy(&out.stderr));
    Some(true)
}

#[test]
fn each_file_is_well_formed_for_its_own_program() {
    accepts("bash", &["-n"], "packaging/aur/PKGBUILD");
    // Its variables are makepkg's, as are the directories that it goes to.
    accepts("shellcheck", &["-s", "bash", "-e", "SC2034,SC2154,SC2164"], "packaging/aur/PKGBUILD");
    accepts("ruby", &["-c"], "packaging/homebrew/swarm.rb");
    accepts("nix-instantiate", &["--parse"], "flake.nix");
}
