//! Makes a team, joins one and leaves it, for a person.
//!
//! Each step that others see is one call of the engine, which is all or nothing. The local records come after it, so
//! a command that is killed in between can be run again.

use super::cluster::{self, Cluster};
use super::engine::{self, Engine};
use super::keys::{self, HostKey};
use super::{Invitations, block_on, tunnel};
use crate::core::address::HostName;
use crate::os::child;
use crate::store::team::{Engine as Way, Membership};
use crate::store::{Store, now_ms};
use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a host's session lasts without a sign of life (ms).
const TTL_MS: u64 = 15_000;

/// How long mail waits at the engine (ms).
const KEEP_MS: u64 = 7 * 24 * 3600 * 1000;

/// How long an invitation is valid (minutes).
pub const INVITATION: u64 = 15;

/// The directory of a team's cluster on this machine.
pub fn dir_of(id: &str) -> Result<PathBuf> {
    if id.is_empty() || id.len() > 32 || !id.bytes().all(|b| b.is_ascii_hexdigit()) {
        bail!("'{}' is not the id of a team", crate::core::escape::short(id, 40));
    }
    Ok(cluster::home()?.join(id))
}

/// This machine's name, as a host of a team.
pub fn own_name() -> HostName {
    let name = nix::unistd::gethostname().map(|name| name.to_string_lossy().into_owned());
    HostName::folded(&name.unwrap_or_default())
}

fn refuse_second(store: &Store) -> Result<()> {
    match store.membership()? {
        Some(me) => bail!("this project is in a team already, as {}; swarm team leave removes it", me.host),
        None => Ok(()),
    }
}

fn fresh(id: &str, host: &HostName, engine: Way, admin: &HostName) -> Result<Membership> {
    Ok(Membership {
        id: id.to_owned(),
        host: host.clone(),
        engine,
        token: keys::hex(&keys::random::<32>()?),
        seed: keys::hex(&keys::random::<32>()?),
        admin: admin.clone(),
        admin_key: String::new(),
    })
}

/// Makes a team with a cluster of its own, and this project its first member. `ttl_ms` is for tests of short
/// sessions.
pub fn init(store: &Store, host: &HostName, ttl_ms: Option<u64>) -> Result<Membership> {
    refuse_second(store)?;
    let id = keys::hex(&keys::random::<8>()?);
    let dir = dir_of(&id)?;
    let cluster = Cluster::of(&dir)?;
    let mut me = fresh(&id, host, Way::Own(dir.clone()), host)?;
    let key = HostKey::new(&me.seed)?;
    me.admin_key = key.public();
    let cert = key.sign(&keys::card(&id, host.as_str(), &me.admin_key));
    let ttl = ttl_ms.unwrap_or(TTL_MS);
    // Digits, names and hexadecimal only: nothing in it needs quotes.
    let first = format!(
        "{}\ninsert into swarm.team(id, ttl_ms, keep_ms, admin, admin_key) values ('{id}', {ttl}, {KEEP_MS}, '{host}', '{}');\n\
         insert into swarm.host(name, pubkey, cert, token, rosters) values ('{host}', '{}', '{cert}', decode('{}', 'hex'), 1);\n",
        engine::SCHEMA,
        me.admin_key,
        me.admin_key,
        keys::token_hash(&me.token)?
    );
    if let Err(error) = block_on(cluster.create(&first)) {
        let _ = std::fs::remove_dir_all(&dir);
        return Err(error);
    }
    store.put_membership(&me)?;
    Ok(me)
}

/// One call of the engine for a command.
pub fn call(store: &Store, function: &str, args: Value) -> Result<Value> {
    let me = store
        .membership()?
        .context("this project is in no team: swarm team init makes one, swarm team join enters one")?;
    let socket = super::Keeper::of(store, &me)?.1;
    if let Way::Own(dir) = &me.engine {
        Cluster::of(dir)?.start()?;
    }
    block_on(async { Engine::connect(&socket, &me.token).await?.0.call(function, args).await })
}

/// Invites a host; returns the code with which it joins.
pub fn invite(store: &Store) -> Result<(Membership, String)> {
    let me = store.membership()?.context("this project is in no team: swarm team init makes one")?;
    if me.host != me.admin {
        bail!("only {} can invite: the team was made there", me.admin);
    }
    let code = keys::invitation(&me.admin_key)?;
    let mut all = Invitations::load(store)?;
    all.open.push((code.clone(), now_ms() + INVITATION * 60_000));
    store.put_invitations(&all)?;
    call(store, "invite", json!({"hash": keys::digest(code.as_bytes()), "minutes": INVITATION}))?;
    Ok((me, code))
}

/// The place of an engine in a person's words: `ssh://HOST/ID`, the id of a team on this machine, or the directory of
/// a socket.
fn way(place: &str) -> Result<(Way, Option<String>)> {
    if let Some(rest) = place.strip_prefix("ssh://") {
        let (to, id) = rest.split_once('/').context("write the place as ssh://HOST/ID")?;
        if to.is_empty() || to.starts_with('-') || to.chars().any(|c| c.is_whitespace() || c.is_control()) {
            bail!("write the place as ssh://HOST/ID");
        }
        dir_of(id)?;
        let mut ask = tunnel::ssh();
        ask.arg("-T").arg("--").arg(to).arg(tunnel::remote(&format!("where {id}")));
        let said = child::output(&mut ask, None, Duration::from_secs(30))
            .context("cannot run ssh")?
            .context("ssh did not answer within 30 s")?;
        if !said.status.success() {
            let text = String::from_utf8_lossy(&said.stderr).trim().to_owned();
            bail!(
                "ssh {to} failed: {} (it must log in without a prompt, and find swarm-link there)",
                crate::core::escape::short(text.lines().last().unwrap_or_default(), 200)
            );
        }
        let socket = String::from_utf8_lossy(&said.stdout).trim().to_owned();
        let socket = PathBuf::from(socket.lines().last().unwrap_or_default());
        if !socket.is_absolute() {
            bail!("{to} did not say where the team's socket is");
        }
        return Ok((Way::Ssh { to: to.to_owned(), socket }, Some(id.to_owned())));
    }
    if Path::new(place).is_absolute() {
        return Ok((Way::Socket(place.into()), None));
    }
    let dir = dir_of(place)?;
    if !Cluster::of(&dir)?.exists() {
        bail!("there is no team {place} on this machine");
    }
    Ok((Way::Own(dir), Some(place.to_owned())))
}

/// Joins the team. Returns a text for the person.
pub fn join(store: &Store, place: &str, code: &str, host: &HostName) -> Result<Membership> {
    refuse_second(store)?;
    let (way, id) = way(place)?;
    let mut me = fresh(id.as_deref().unwrap_or_default(), host, way, host)?;
    let key = HostKey::new(&me.seed)?;
    let public = key.public();
    let (mut keeper, socket) = super::Keeper::of(store, &me)?;
    if let Some(why) = keeper.look(true) {
        bail!("{why}");
    }
    let joined = block_on(async {
        let args = json!({
            "hash": keys::digest(code.as_bytes()), "name": host, "pubkey": public,
            "mac": keys::seal(code, host, &public), "token_hash": keys::token_hash(&me.token)?,
        });
        let mut last = None;
        // A tunnel takes a moment until it works.
        for _ in 0..40 {
            match Engine::connect(&socket, &me.token).await {
                Ok((engine, _notes)) => return engine.call("join", args).await,
                Err(error) => last = Some(error),
            }
            super::desk::pause(Duration::from_millis(250)).await;
        }
        Err(last.unwrap_or_else(|| anyhow::anyhow!("no connection")))
    })?;
    let text = |key: &str| joined[key].as_str().unwrap_or_default().to_owned();
    if !keys::is_invitation_of(code, &text("admin_key")) {
        bail!("this is not the team that the invitation is for: the key of its maker differs");
    }
    me.id = text("id");
    me.admin_key = text("admin_key");
    me.admin = HostName::new(&text("admin")).map_err(|why| anyhow::anyhow!(why))?;
    store.put_membership(&me)?;
    Ok(me)
}

/// Leaves the team. The host that made it leaves last, and ends it. With `force`, an unreachable engine is only
/// forgotten here.
pub fn leave(store: &Store, force: bool) -> Result<bool> {
    let me = store.membership()?.context("this project is in no team")?;
    let told = call(store, "leave", json!({}));
    let gone = |error: &anyhow::Error| engine::refusal(error).is_some_and(|r| r.code == "SW001");
    match told {
        Err(error) if !force && !gone(&error) => {
            return Err(
                error.context("the engine could not be reached; with --force this host leaves anyway")
            );
        }
        _ => {}
    }
    store.drop_membership()?;
    let ends = me.host == me.admin;
    if let Way::Own(dir) = &me.engine
        && ends
    {
        Cluster::of(dir)?.stop()?;
    }
    Ok(ends)
}

/// The directory of the socket of a team on this machine, for a host that came by ssh. Starts the engine.
pub fn place(id: &str) -> Result<PathBuf> {
    let cluster = Cluster::of(&dir_of(id)?)?;
    if !cluster.exists() {
        bail!("there is no team {} on this machine", crate::core::escape::short(id, 40));
    }
    cluster.start()?;
    Ok(cluster.socket())
}
