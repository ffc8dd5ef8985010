//! Hosts that only ssh connects: a private sshd is the one way from the second host to the engine of the first.
//!
//! Where no sshd is installed these are skipped and say so.

use super::{Team, inbox, trials};
use crate::support::switch::Switch;
use crate::support::{World, eventually};
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// An sshd of its own, and the keys of one who may log in.
struct Server {
    dir: PathBuf,
    child: Child,
    address: String,
    port: u16,
}

impl Server {
    /// One for the team's machine; `options` are those of the one key that may log in.
    fn new(team: &Team, options: &str) -> Option<Self> {
        Self::at(team, options, "127.0.0.1")
    }

    /// One that listens at that address of this machine.
    fn at(team: &Team, options: &str, address: &str) -> Option<Self> {
        let programs = ["/usr/sbin/sshd", "/usr/bin/ssh", "/usr/bin/ssh-keygen"];
        if let Some(missing) = programs.iter().find(|program| !Path::new(program).exists()) {
            eprintln!("skipped: {missing} is not installed here");
            return None;
        }
        let dir = team.dir.join("ssh");
        fs::create_dir(&dir).unwrap();
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o700)).unwrap();
        for name in ["host", "client", "other"] {
            let key = dir.join(name);
            let made =
                Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(key).status();
            assert!(made.unwrap().success());
        }
        let public = |name: &str| fs::read_to_string(dir.join(format!("{name}.pub"))).unwrap();
        fs::write(dir.join("authorized"), format!("{options}{}", public("client"))).unwrap();
        if nix::unistd::geteuid().is_root() {
            // Where it gives up its rights.
            let _ = fs::create_dir("/run/sshd");
        }
        let programs = Path::new(env!("CARGO_BIN_EXE_swarm-link")).parent().unwrap().display().to_string();
        let port = TcpListener::bind((address, 0)).unwrap().local_addr().unwrap().port();
        let settings = format!(
            "Port {port}\nListenAddress {address}\nHostKey {0}/host\nPidFile none\nAuthorizedKeysFile {0}/authorized\nStrictModes no\n\
             UsePAM no\nPasswordAuthentication no\nPermitRootLogin yes\nLogLevel ERROR\nClientAliveInterval 2\nClientAliveCountMax 2\n\
             SetEnv PATH={programs}:/usr/bin:/bin SWARM_TEAM_DIR={1}\n",
            dir.display(),
            team.dir.display()
        );
        fs::write(dir.join("sshd_config"), settings).unwrap();
        let mut command = Command::new("/usr/sbin/sshd");
        command.args(["-D", "-e", "-f"]).arg(dir.join("sshd_config")).stdin(Stdio::null());
        let log = fs::File::create(dir.join("log")).unwrap();
        let child = command.stdout(Stdio::null()).stderr(log).spawn().unwrap();
        let server = Self { dir, child, address: address.to_owned(), port };
        eventually("sshd listens", || std::net::TcpStream::connect((address, port)).ok());
        Some(server)
    }

    /// How a host logs in, by a port that leads there: what `SWARM_SSH` is set to. `key`: what it takes for the server's.
    fn way(&self, port: u16, key: &str) -> &'static str {
        let public = fs::read_to_string(self.dir.join(format!("{key}.pub"))).unwrap();
        let known = self.dir.join(format!("known-{port}-{key}"));
        fs::write(&known, format!("[{}]:{port} {public}", self.address)).unwrap();
        let user = nix::unistd::User::from_uid(nix::unistd::geteuid()).unwrap().unwrap().name;
        let config = self.dir.join(format!("config-{port}-{key}"));
        let text = format!(
            "Host build\n  HostName {}\n  Port {port}\n  User {user}\n  IdentityFile {}\n  IdentitiesOnly yes\n  UserKnownHostsFile {}\n  \
             StrictHostKeyChecking yes\n  LogLevel ERROR\n",
            self.address,
            self.dir.join("client").display(),
            known.display()
        );
        fs::write(&config, text).unwrap();
        format!("ssh -F {}", config.display()).leak()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A host that knows that way, with a project and nothing else.
fn guest(way: &'static str) -> World {
    let mut host = World::new();
    host.set("SWARM_SSH", way);
    host.ok(&["init"]);
    host
}

/// The ssh that a host's link runs.
fn tunnel(team: &Team, number: usize) -> Option<i32> {
    let link = team.link(number)?.to_string();
    let out = Command::new("ps").args(["-A", "-o", "pid=,ppid=,comm="]).output().unwrap();
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    text.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        let pid = words.next()?.parse().ok()?;
        (words.next() == Some(&link) && words.next() == Some("ssh")).then_some(pid)
    })
}

#[test]
fn hosts_that_only_ssh_connects_are_a_team_through_kills_of_ssh_and_cuts() {
    let Some(mut team) = Team::new(1) else { return };
    let Some(server) = Server::new(&team, "") else { return };
    let net = Switch::between_ports(server.port);
    let place = format!("ssh://build/{}", team.id);
    // A machine that is not the one whose key is known gets nothing.
    let wrong = guest(server.way(net.port, "other"));
    let (code, why) = wrong.refused(&["team", "join", &place, "--code", "x", "--host", "h1"]);
    assert!(code == 1 && why.contains("Host key verification failed"), "{code} {why}");
    let host = guest(server.way(net.port, "host"));
    team.join(&host, 1, &place);
    team.hosts.push(host);
    let [build, laptop] = [&team.hosts[0], &team.hosts[1]];
    laptop.ok(&["lock", "--name", "deploy"]);
    assert_eq!(build.refused(&["lock", "--name", "deploy"]).0, 3);
    let mut sent = Vec::new();
    for number in 0..trials(1) {
        for (from, to) in [(build, "h1/human"), (laptop, "h0/human")] {
            let text = format!("letter {number} to {to}");
            from.ok(&["send", "--no-wait", to, &text]);
            sent.push(text);
        }
        let old = eventually("ssh runs", || tunnel(&team, 1));
        let _ = Command::new("kill").args(["-KILL", &old.to_string()]).status();
        eventually("ssh runs again", || tunnel(&team, 1).filter(|new| *new != old));
    }
    let mut got = Vec::new();
    eventually("all letters are there", || {
        got = [inbox(build), inbox(laptop)].concat();
        (got.len() >= sent.len()).then_some(())
    });
    sent.sort();
    got.sort();
    assert_eq!(got, sent);
    eventually("the lease is still its own", || team.believes_own(1, "name:deploy").then_some(()));
    // A network that says nothing any more: belief ends by the clock, and ssh by its own signs of life.
    let old = eventually("ssh runs", || tunnel(&team, 1));
    net.cut(true, true);
    eventually("belief is over", || (!team.believes_own(1, "name:deploy")).then_some(()));
    let (code, why) = laptop.refused(&["lock", "--name", "other"]);
    assert!(code == 3 && why.contains("cut off from the team"), "{code} {why}");
    eventually("that ssh gives up", || (tunnel(&team, 1) != Some(old)).then_some(()));
    net.cut(false, false);
    eventually("the link is up", || laptop.ok(&["team"]).contains("link: up").then_some(()));
    eventually("and nobody wanted the lease", || team.believes_own(1, "name:deploy").then_some(()));
}

#[test]
fn a_key_that_opens_nothing_but_the_team_is_enough() {
    let Some(mut team) = Team::new(1) else { return };
    let only = format!("restrict,port-forwarding,command=\"swarm-link serve {}\" ", team.id);
    let Some(server) = Server::new(&team, &only) else { return };
    let way = server.way(server.port, "host");
    let host = guest(way);
    team.join(&host, 1, &format!("ssh://build/{}", team.id));
    team.hosts.push(host);
    let [build, laptop] = [&team.hosts[0], &team.hosts[1]];
    laptop.ok(&["lock", "--name", "deploy"]);
    assert_eq!(build.refused(&["lock", "--name", "deploy"]).0, 3);
    build.ok(&["send", "--no-wait", "h1/human", "through the one door"]);
    eventually("the letter is there", || {
        inbox(laptop).contains(&"through the one door".to_owned()).then_some(())
    });
    // No shell, and no other command, whatever is asked for.
    let mark = team.dir.join("mark");
    for asked in
        [format!("touch {}", mark.display()), format!("touch {}; swarm-link where x", mark.display())]
    {
        let mut words = way.split_whitespace();
        let mut ssh = Command::new(words.next().unwrap());
        let out = ssh
            .args(words)
            .args(["-o", "BatchMode=yes", "build", &asked])
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(out.stdout.is_empty() && !mark.exists(), "{asked}: {out:?}");
    }
}

/// A network of its own for one host, and the line that connects it with this machine's.
struct Net {
    name: String,
    card: String,
    address: String,
}

impl Net {
    fn new() -> Option<Self> {
        let pid = std::process::id();
        let place = |last: u32| format!("10.213.{}.{}", (pid >> 6) & 255, (pid & 63) * 4 + last);
        let net = Self { name: format!("swarm{pid}"), card: format!("sw{pid}"), address: place(1) };
        let (there, far) = (format!("sx{pid}"), place(2));
        let steps = [
            format!("netns add {}", net.name),
            format!("link add {} type veth peer name {there}", net.card),
            format!("link set {there} netns {}", net.name),
            format!("addr add {}/30 dev {}", net.address, net.card),
            format!("link set {} up", net.card),
            format!("-n {} addr add {far}/30 dev {there}", net.name),
            format!("-n {} link set {there} up", net.name),
        ];
        if let Some(step) = steps.iter().find(|step| !ip(step)) {
            println!("skipped: no network of its own can be made here (ip {step})");
            return None;
        }
        Some(net)
    }

    fn line(&self, up: bool) {
        assert!(ip(&format!("link set {} {}", self.card, if up { "up" } else { "down" })));
    }
}

fn ip(words: &str) -> bool {
    let mut ip = Command::new("ip");
    ip.args(words.split(' ')).stderr(Stdio::null());
    ip.status().is_ok_and(|status| status.success())
}

impl Drop for Net {
    fn drop(&mut self) {
        ip(&format!("link del {}", self.card));
        ip(&format!("netns del {}", self.name));
    }
}

#[test]
fn a_host_in_a_network_of_its_own_is_cut_off_by_a_dead_line_and_comes_back() {
    let Some(mut team) = Team::new(1) else { return };
    let Some(net) = Net::new() else { return };
    let Some(server) = Server::at(&team, "", &net.address) else { return };
    let way = format!("ip netns exec {} {}", net.name, server.way(server.port, "host"));
    let host = guest(way.leak());
    team.join(&host, 1, &format!("ssh://build/{}", team.id));
    team.hosts.push(host);
    let [build, laptop] = [&team.hosts[0], &team.hosts[1]];
    eventually("it is known", || build.ok(&["who"]).contains("h1/human").then_some(()));
    laptop.ok(&["lock", "--name", "deploy"]);
    assert_eq!(build.refused(&["lock", "--name", "deploy"]).0, 3);
    net.line(false);
    laptop.ok(&["send", "--no-wait", "h0/human", "from beyond"]);
    build.ok(&["send", "--no-wait", "h1/human", "to beyond"]);
    eventually("belief is over", || (!team.believes_own(1, "name:deploy")).then_some(()));
    eventually("the other host has it", || {
        build.swarm(&["lock", "--name", "deploy"]).status.success().then_some(())
    });
    laptop.ok(&["lock", "src/own.rs"]);
    let (code, why) = laptop.refused(&["lock", "--name", "other"]);
    assert!(code == 3 && why.contains("cut off from the team"), "{code} {why}");
    net.line(true);
    eventually("the link is up", || laptop.ok(&["team"]).contains("link: up").then_some(()));
    eventually("its former holder is told", || {
        inbox(laptop).iter().any(|text| text.contains("while this host was cut off")).then_some(())
    });
    let of = |host: &World, text: &str| inbox(host).iter().filter(|body| *body == text).count();
    eventually("both letters are there", || {
        (of(build, "from beyond") == 1 && of(laptop, "to beyond") == 1).then_some(())
    });
    assert!(team.believes_own(0, "name:deploy"));
}
