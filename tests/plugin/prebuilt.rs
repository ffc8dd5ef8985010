//! Installing the prebuilt program of a release: from a server on this machine that can be good, slow and wrong.

use super::lab::{Lab, STUB, checkout, stub_cargo};
use crate::support::executable;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const NAME: &str = "swarm-0.1.0-test.tar.gz";

/// A release that was made elsewhere: its archive, and what the checkout's plugin/release says of it.
struct Release {
    archive: Vec<u8>,
}

impl Release {
    /// One with that program, and its checksum in the checkout.
    fn new(lab: &Lab, program: &str) -> Self {
        let dir = lab.base().join("made");
        fs::create_dir_all(dir.join("out")).unwrap();
        for name in ["swarm", "swarm-msg"] {
            executable(dir.join("out").join(name), program);
        }
        let archive = lab.base().join(NAME);
        // As scripts/release.sh packs them, by its own definition; these programs write no manual.
        let pack = r#"epoch=0; documents() { mkdir -p "$2/man"; }; eval "$(sed -n '/^pack() {/,/^}/p' scripts/release.sh)"; pack "$@""#;
        let mut shell = Command::new("bash");
        shell.args(["-euc", pack, "pack"]).arg(&dir).arg(&archive).current_dir(env!("CARGO_MANIFEST_DIR"));
        assert!(shell.status().unwrap().success());
        Self { archive: fs::read(archive).unwrap() }
    }

    /// Writes plugin/release, as the release commit does: for the sources of this checkout and for this machine.
    fn announce(&self, lab: &Lab, url: &str) {
        let said = install(lab, &["stamp"]).1;
        assert!(said.contains("does not know"), "{said}");
        let stamp = r#"eval "$(grep '^stamp()' plugin/install.sh)"; stamp"#;
        let out = lab.command("sh").args(["-c", stamp]).current_dir(&lab.plugin).output().unwrap();
        let sources = String::from_utf8(out.stdout).unwrap();
        let machine = match (std::env::consts::OS, std::env::consts::ARCH) {
            ("macos", _) => "macos-universal".to_owned(),
            (os, arch) => format!("{os}-{arch}"),
        };
        let (size, sum) = (self.archive.len(), checksum(lab));
        let text = format!(
            "# a release\nversion 0.1.0\nurl {url}\nsources {}\nfile other-machine x.tar.gz 1 00\nfile {machine} {NAME} {size} {sum}\n",
            sources.trim()
        );
        fs::write(lab.plugin.join("plugin/release"), text).unwrap();
    }
}

/// The checksum of the archive that was made.
fn checksum(lab: &Lab) -> String {
    let out = lab.command("sha256sum").arg(lab.base().join(NAME)).output().unwrap();
    String::from_utf8(out.stdout).unwrap().split_whitespace().next().unwrap().to_owned()
}

/// What the server answers with.
#[derive(Clone)]
enum Answer {
    Whole(Vec<u8>),
    /// Announces all of it and closes half way.
    Cut(Vec<u8>),
    Missing,
    /// A page that asks to log in, as some networks answer everything.
    Portal,
    /// Redirects to the same server's file.
    Moved(Vec<u8>),
    /// All of it, with a pause in the middle.
    Slow(Vec<u8>),
    /// Accepts and says nothing.
    Mute,
    /// Some bytes now and then, and never an end.
    Trickle,
    /// Never says how much there is, and goes on sending.
    Endless,
}

/// A file server on loopback. It ends with the test's process.
struct Server {
    url: String,
    asked: Arc<AtomicUsize>,
}

impl Server {
    fn new(answer: Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(AtomicUsize::new(0));
        let count = asked.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                count.fetch_add(1, Ordering::SeqCst);
                let answer = answer.clone();
                // A client that went away is no concern of the server's.
                std::thread::spawn(move || serve(stream, &answer).is_ok());
            }
        });
        Self { url, asked }
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

fn serve(mut stream: TcpStream, answer: &Answer) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let request = lines.next().transpose()?.unwrap_or_default();
    while lines.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
    let head = |status: &str, length: usize, more: &str| {
        format!("HTTP/1.0 {status}\r\nContent-Length: {length}\r\n{more}Connection: close\r\n\r\n")
    };
    match answer {
        Answer::Moved(_) if !request.contains("/elsewhere/") => {
            stream.write_all(head("302 Found", 0, &format!("Location: /elsewhere/{NAME}\r\n")).as_bytes())
        }
        Answer::Whole(bytes) | Answer::Moved(bytes) => {
            stream.write_all(head("200 OK", bytes.len(), "").as_bytes())?;
            stream.write_all(bytes)
        }
        Answer::Cut(bytes) => {
            stream.write_all(head("200 OK", bytes.len(), "").as_bytes())?;
            stream.write_all(&bytes[..bytes.len() / 2])
        }
        Answer::Missing => stream.write_all(head("404 Not Found", 0, "").as_bytes()),
        Answer::Portal => {
            let page = b"<html>please log in</html>";
            stream.write_all(head("200 OK", page.len(), "").as_bytes())?;
            stream.write_all(page)
        }
        Answer::Slow(bytes) => {
            stream.write_all(head("200 OK", bytes.len(), "").as_bytes())?;
            let (first, second) = bytes.split_at(bytes.len() / 2);
            stream.write_all(first)?;
            std::thread::sleep(Duration::from_millis(1500));
            stream.write_all(second)
        }
        Answer::Mute => stream.read_to_end(&mut Vec::new()).map(|_| ()),
        Answer::Trickle => {
            stream.write_all(head("200 OK", 1_000_000, "").as_bytes())?;
            loop {
                stream.write_all(b"x")?;
                std::thread::sleep(Duration::from_millis(50));
            }
        }
        Answer::Endless => {
            stream.write_all(b"HTTP/1.0 200 OK\r\nConnection: close\r\n\r\n")?;
            loop {
                stream.write_all(&[0; 4096])?;
            }
        }
    }
}

/// A PATH with what the system's has, but for one program.
fn without(program: &str, lab: &Lab) -> String {
    let dir = lab.base().join("without");
    fs::create_dir(&dir).unwrap();
    for system in ["/bin", "/usr/bin"] {
        for entry in fs::read_dir(system).unwrap().map(Result::unwrap) {
            // /bin may be /usr/bin: the same once more.
            if entry.file_name() != *program {
                let _ = symlink(entry.path(), dir.join(entry.file_name()));
            }
        }
    }
    format!("{}:{}", lab.base().join("path").display(), dir.display())
}

/// Runs the installation by hand.
fn install(lab: &Lab, args: &[&str]) -> (i32, String) {
    install_with(lab, args, &[])
}

fn install_with(lab: &Lab, args: &[&str], variables: &[(&str, &str)]) -> (i32, String) {
    let mut command = lab.command("/bin/sh");
    command.arg(lab.plugin.join("plugin/install.sh")).args(args);
    // Nothing but loopback is asked.
    for proxy in ["http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy", "https_proxy", "HTTPS_PROXY"] {
        command.env_remove(proxy);
    }
    command.envs(variables.iter().copied());
    let out = command.output().unwrap();
    let said = String::from_utf8_lossy(&out.stdout) + String::from_utf8_lossy(&out.stderr);
    (out.status.code().unwrap(), said.into_owned())
}

/// A checkout of a release, with a cargo that leaves a mark when it builds.
fn released() -> Lab {
    let lab = Lab::new();
    checkout(&lab);
    let built = lab.base().join("built");
    lab.on_path("cargo", &stub_cargo("1.999.0", &format!("touch '{}'", built.display())));
    lab
}

fn was_built(lab: &Lab) -> bool {
    lab.base().join("built").exists()
}

/// What is in bin/ but the log of the stub.
fn left(lab: &Lab) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(lab.plugin.join("bin"))
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "log")
        .collect();
    names.sort();
    names
}

#[test]
fn a_release_is_downloaded_checked_and_needs_no_cargo() {
    for moved in [false, true] {
        let lab = Lab::new();
        checkout(&lab);
        lab.on_path("cargo", "#!/bin/sh\nexit 127\n");
        let release = Release::new(&lab, STUB);
        let bytes = release.archive.clone();
        let server = Server::new(if moved { Answer::Moved(bytes) } else { Answer::Whole(bytes) });
        release.announce(&lab, &server.url);
        let (code, said) = install(&lab, &[]);
        assert!(
            code == 0 && said.contains("downloading swarm 0.1.0") && said.contains("installed in bin/"),
            "{said}"
        );
        assert_eq!(left(&lab), [".stamp", "swarm", "swarm-msg"]);
        let asked = server.asked();
        let (code, said) = install(&lab, &[]);
        assert!(code == 0 && said.contains("up to date"), "{said}");
        assert_eq!(server.asked(), asked, "what is there is not asked for again");
    }
}

#[test]
fn a_file_beside_the_checkout_serves_as_well() {
    let lab = released();
    let release = Release::new(&lab, STUB);
    release.announce(&lab, &format!("file://{}", lab.base().display()));
    let (code, said) = install(&lab, &["download"]);
    assert_eq!(code, 0, "{said}");
    assert!(!was_built(&lab));
}

#[test]
fn what_does_not_match_is_never_run_and_the_program_is_built_instead() {
    let evil = |lab: &Lab| {
        let ran: PathBuf = lab.base().join("evil");
        (format!("#!/bin/sh\ntouch '{}'\necho 'swarm 0.1.0 (protocol 2)'\n", ran.display()), ran)
    };
    for (case, reason) in [
        ("altered", "does not match the checksum"),
        ("longer", ""),
        ("cut", ""),
        ("missing", "the download failed"),
        ("portal", "bytes instead of"),
        ("nobody listens", "the download failed"),
        ("mute", "the download failed"),
        ("trickle", "the download failed"),
        ("endless", "the download failed"),
    ] {
        let lab = released();
        let release = Release::new(&lab, STUB);
        let (program, ran) = evil(&lab);
        let answer = match case {
            "altered" => {
                let mut bytes = release.archive.clone();
                let last = bytes.len() - 1;
                bytes[last] ^= 1;
                Answer::Whole(bytes)
            }
            "longer" => {
                let other = lab.base().join("other");
                fs::create_dir(&other).unwrap();
                executable(other.join("swarm"), &program);
                Answer::Whole([release.archive.clone(), fs::read(other.join("swarm")).unwrap()].concat())
            }
            "cut" => Answer::Cut(release.archive.clone()),
            "portal" => Answer::Portal,
            "mute" => Answer::Mute,
            "trickle" => Answer::Trickle,
            "endless" => Answer::Endless,
            _ => Answer::Missing,
        };
        let server = Server::new(answer);
        let url = if case == "nobody listens" { "http://127.0.0.1:1".to_owned() } else { server.url.clone() };
        release.announce(&lab, &url);
        // So long is waited for a server that says nothing, or too little.
        let patience = if matches!(case, "mute" | "trickle") { "2" } else { "60" };
        let (code, said) = install_with(&lab, &["download"], &[("SWARM_DOWNLOAD_TIMEOUT", patience)]);
        assert!(code == 1 && said.contains(reason), "{case}: {said}");
        assert_eq!(left(&lab), [".failed"], "{case}: {said}");
        assert!(!was_built(&lab), "{case}: download never builds");
        // What was tried once need not be waited for again.
        if !matches!(case, "mute" | "trickle") {
            let (code, said) = install(&lab, &["auto"]);
            assert!(code == 0 && said.contains("installed in bin/"), "{case}: {said}");
            assert!(was_built(&lab), "{case}");
        }
        assert!(!ran.exists(), "{case}");
    }
}

#[test]
fn a_slow_server_is_waited_for_and_the_progress_is_told() {
    let lab = released();
    let release = Release::new(&lab, STUB);
    let server = Server::new(Answer::Slow(release.archive.clone()));
    release.announce(&lab, &server.url);
    let (code, said) = install(&lab, &["download"]);
    assert_eq!(code, 0, "{said}");
    let told = said.lines().find_map(|l| l.strip_prefix("swarm: downloaded ")).expect(&said);
    let percent: u32 = told.trim_end_matches(" %").parse().unwrap();
    assert!(percent <= 100, "{told}");
    let log = fs::read_to_string(lab.base().join(".local/state/swarm/build.log")).unwrap();
    assert!(log.contains(told), "{log}");
}

#[test]
fn a_time_limit_that_is_no_number_is_refused() {
    let lab = released();
    let (code, said) = install_with(&lab, &[], &[("SWARM_DOWNLOAD_TIMEOUT", "2 min")]);
    assert!(code == 1 && said.contains("SWARM_DOWNLOAD_TIMEOUT is a number"), "{said}");
    assert!(!was_built(&lab));
}

#[test]
fn wget_is_held_to_the_same() {
    if Command::new("wget").arg("--version").output().is_err() {
        println!("SKIPPED: wget is not installed");
        return;
    }
    for (case, reason) in
        [("good", ""), ("altered", "does not match"), ("trickle", "failed"), ("endless", "failed")]
    {
        let lab = released();
        let release = Release::new(&lab, STUB);
        let mut bytes = release.archive.clone();
        let answer = match case {
            "trickle" => Answer::Trickle,
            "endless" => Answer::Endless,
            "altered" => {
                bytes[20] ^= 1;
                Answer::Whole(bytes)
            }
            _ => Answer::Whole(bytes),
        };
        let server = Server::new(answer);
        release.announce(&lab, &server.url);
        let patience = if case == "trickle" { "2" } else { "60" };
        let variables = [("PATH", &*without("curl", &lab)), ("SWARM_DOWNLOAD_TIMEOUT", patience)];
        let (code, said) = install_with(&lab, &["download"], &variables);
        assert_eq!(code, i32::from(case != "good"), "{case}: {said}");
        assert!(said.contains(reason), "{case}: {said}");
        assert_eq!(lab.plugin.join("bin/swarm").exists(), case == "good", "{case}");
    }
}

#[test]
fn a_program_that_does_not_run_here_is_not_installed() {
    for program in
        ["#!/nowhere/interpreter\n", "#!/bin/sh\necho 'swarm 9.9.9 (protocol 2)'\n", "#!/bin/sh\nexit 1\n"]
    {
        let lab = released();
        executable(lab.plugin.join("bin/swarm"), STUB);
        let release = Release::new(&lab, program);
        release.announce(&lab, &format!("file://{}", lab.base().display()));
        let (code, said) = install(&lab, &["download"]);
        assert!(code == 1 && said.contains("the prebuilt program"), "{said}");
        assert_eq!(fs::read_to_string(lab.plugin.join("bin/swarm")).unwrap(), STUB, "the old one serves");
    }
}

#[test]
fn a_checkout_between_two_releases_is_built() {
    let lab = released();
    let release = Release::new(&lab, STUB);
    let server = Server::new(Answer::Whole(release.archive.clone()));
    release.announce(&lab, &server.url);
    fs::write(lab.plugin.join("src/main.rs"), "fn main() { /* later */ }").unwrap();
    let (code, said) = install(&lab, &[]);
    assert_eq!(code, 0, "{said}");
    assert!(was_built(&lab) && server.asked() == 0);
    let (code, said) = install(&lab, &["download"]);
    assert!(code == 0 && said.contains("up to date"), "{said}");
}

#[test]
fn who_wants_a_build_gets_one() {
    let lab = released();
    let release = Release::new(&lab, STUB);
    let server = Server::new(Answer::Whole(release.archive.clone()));
    release.announce(&lab, &server.url);
    assert_eq!(install(&lab, &["build"]).0, 0);
    assert!(was_built(&lab) && server.asked() == 0);
}

#[test]
fn loading_the_plugin_downloads_behind_the_users_back_and_says_so() {
    let lab = Lab::new();
    checkout(&lab);
    lab.on_path("cargo", "#!/bin/sh\nexit 127\n");
    let release = Release::new(&lab, STUB);
    let server = Server::new(Answer::Whole(release.archive.clone()));
    release.announce(&lab, &server.url);
    lab.start();
    lab.attach();
    lab.load_and_build();
    lab.sees("swarm is installed and ready: prefix S");
    lab.until("hooks call what was downloaded", || lab.log().contains("discover --quiet"));
}

#[test]
fn the_status_line_shows_how_far_a_download_is_while_the_old_program_serves() {
    let lab = Lab::new();
    checkout(&lab);
    let old = "#!/bin/sh\necho 'swarm 0.0.9 (protocol 2)'\n";
    executable(lab.plugin.join("bin/swarm"), old);
    let release = Release::new(&lab, STUB);
    let server = Server::new(Answer::Slow(release.archive.clone()));
    release.announce(&lab, &server.url);
    lab.start();
    lab.attach();
    lab.tmux(&["set-option", "-g", "status-right", "<#{E:@swarm-status}>"]);
    lab.tmux(&["set-option", "-g", "status-interval", "1"]);
    lab.load_and_build();
    lab.dismiss("swarm is being downloaded; the old one serves meanwhile (prefix S, then L: how far it is)");
    assert_eq!(fs::read_to_string(lab.plugin.join("bin/swarm")).unwrap(), old);
    lab.sees("<swarm: downloading");
    lab.dismiss("swarm is installed and ready: prefix S");
    lab.sees("<>");
    assert!(!lab.tmux(&["show-options", "-s"]).contains("@swarm-installing"));
}

#[test]
fn a_plugin_that_was_taken_out_meanwhile_stays_out() {
    let lab = Lab::new();
    checkout(&lab);
    let release = Release::new(&lab, STUB);
    let server = Server::new(Answer::Slow(release.archive.clone()));
    release.announce(&lab, &server.url);
    lab.start();
    let before = lab.state();
    lab.load_and_build();
    lab.until("the download has begun", || server.asked() > 0);
    lab.run("plugin/unload.sh");
    lab.until("it is there", || lab.plugin.join("bin/.stamp").exists() && !lab.is_building());
    assert_eq!(lab.state(), before);
}

#[test]
fn an_unknown_way_to_install_is_told_and_installs_nothing() {
    let lab = released();
    lab.start();
    lab.attach();
    lab.tmux(&["set-option", "-g", "@swarm-install", "fast"]);
    lab.run("swarm.tmux");
    lab.sees("@swarm-install is auto, download, build or off, not 'fast'");
    assert!(!was_built(&lab) && left(&lab).is_empty());
}

#[test]
fn the_former_option_still_switches_it_off() {
    let lab = released();
    lab.start();
    lab.tmux(&["set-option", "-g", "@swarm-build", "off"]);
    lab.run("swarm.tmux");
    lab.attach();
    lab.sees("its program is not installed yet");
    assert!(!was_built(&lab));
}
