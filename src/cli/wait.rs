use super::session::{self, Session};
use super::{inbox, lease, print};
use crate::agents::Profiles;
use crate::core::agent::{Agent, Status};
use crate::core::delivery::{Pause, Stage};
use crate::core::escape;
use crate::core::lease::{PathPattern, words};
use crate::core::message::{Verified, parse_file_name};
use crate::core::name::Name;
use crate::core::refusal::Refusal;
use crate::core::span;
use crate::courier::start;
use crate::os::terminal;
use crate::roster::observe;
use crate::store::leases::Part;
use crate::store::mail::Folder;
use crate::store::now_ms;
use crate::tmux::Server;
use anyhow::{Result, anyhow};
use serde_json::{Value, json};
use std::ffi::OsString;
use std::time::{Duration, Instant};

/// Wait for mail, for an answer, until an agent is idle, or until a path is free
///
/// Without a condition it waits for unread mail, and lists it. With an id it waits until a recipient answers or
/// acknowledges that message. Several conditions must hold at the same moment; with --any one of them is enough. It
/// ends with 1 when the time is up, and prints what is still missing; and with 5 when an agent has ended for good, so
/// that nothing can come.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  swarm-msg wait\n  swarm-msg wait p5kg9tyf --timeout 60\n  swarm-msg wait --idle codex-1 --idle gemini-1 --timeout 10m\n  swarm-msg wait --any --mail --lease src/parser.rs"
)]
pub(super) struct Args {
    /// The message you sent: the same as --answer
    #[arg(value_name = "ID")]
    id: Option<String>,
    /// Wait for the answer to this message of yours, or its acknowledgement; may be repeated
    #[arg(long, value_name = "ID")]
    answer: Vec<String>,
    /// Wait for unread mail
    #[arg(long)]
    mail: bool,
    /// Wait until this agent is idle and no mail waits for it; may be repeated. If it ends, the command waits
    /// `agents.grace` for it to start again
    #[arg(long, value_name = "NAME")]
    idle: Vec<String>,
    /// Wait until nobody else holds this path; may be repeated. It is not leased for you: `lock --wait` does that
    #[arg(long, value_name = "PATH")]
    lease: Vec<OsString>,
    /// One condition is enough
    #[arg(long)]
    any: bool,
    /// The longest time to wait: seconds, or a time such as 90s or 10m
    #[arg(long, value_name = "TIME", default_value = "300", value_parser = timeout)]
    timeout: Duration,
    /// Print one JSON object, also when the time is up
    #[arg(long)]
    json: bool,
}

/// The pause between two checks: one system call each for mail and answers, a few files for the others.
const PAUSE: Duration = Duration::from_millis(50);

/// How often it checks that a courier runs, which could deliver mail, or see that an agent is idle.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// How long an agent must have been idle: mail that it was just given shows as a turn a moment later. Then its screen
/// is looked at.
const STEADY: Duration = Duration::from_secs(1);

/// How many seconds nothing must have been written to its terminal, as an alternative to waiting.
const STILL_S: u64 = 2;

/// How long an agent must have been idle if only the courier sees its screen, which looks within a second or two.
const STEADY_BY_RECORD: Duration = Duration::from_secs(4);

/// How long tmux may take to show a screen.
const PATIENCE: Duration = Duration::from_secs(1);

fn timeout(text: &str) -> Result<Duration, String> {
    let ms = text.parse::<u64>().ok().and_then(|s| s.checked_mul(1000)).or_else(|| span::parse(text));
    ms.map(Duration::from_millis)
        .ok_or_else(|| "it must be a number of seconds, or a time such as 90s or 10m".to_owned())
}

enum Condition {
    Mail,
    Answer(Verified),
    /// The agent, and since when this process has seen it idle.
    Idle(Name, Steady),
    Free(PathPattern),
}

/// Since when an agent has been idle.
#[derive(Default)]
struct Steady {
    since: Option<Instant>,
    /// The time and the result of the last look at its screen; the result is empty if this process cannot see the
    /// screen.
    shown: Option<(Instant, Option<Status>)>,
    /// Whether the courier was asked to look, because this process cannot.
    asked: bool,
}

impl Steady {
    /// The state on an agent's screen `now`, or a moment ago. If the screen could not be seen, it is not looked at
    /// again at once.
    fn look(
        &mut self,
        session: &Session,
        profiles: Option<&Profiles>,
        agent: &Agent,
        now: bool,
    ) -> Option<Status> {
        if self.shown.is_none_or(|(at, seen)| at.elapsed() >= STEADY || now && seen.is_some()) {
            let server = Server::new(&agent.place.socket).patient(PATIENCE);
            let seen = profiles.and_then(|p| observe::glance(&session.store, p, agent, &server));
            self.shown = Some((Instant::now(), seen));
        }
        self.shown?.1
    }
}

/// The state of a condition, as text and as JSON.
enum Checked {
    /// It holds.
    Met(String, Value),
    /// It holds: there is mail, which is listed last.
    HasMail(Value),
    /// It does not hold, for this reason.
    Open(String, Value),
    /// It can never hold: the agent has ended.
    Gone(Refusal, Value),
}

impl Checked {
    /// Why it can never hold.
    fn gone(&self) -> Option<&Refusal> {
        match self {
            Checked::Gone(why, _) => Some(why),
            _ => None,
        }
    }

    /// Why it does not hold.
    fn open(&self) -> Option<String> {
        match self {
            Checked::Open(why, _) => Some(why.clone()),
            Checked::Gone(why, _) => Some(why.to_string()),
            Checked::Met(..) | Checked::HasMail(_) => None,
        }
    }
}

pub(super) fn run(args: &Args) -> Result<()> {
    let mut session = Session::open()?;
    let deadline = Instant::now().checked_add(args.timeout);
    let profiles = if args.idle.is_empty() { None } else { Some(session::profiles()?) };
    let mut conditions = conditions(&session, profiles.as_ref(), args)?;
    let mut looked = Instant::now();
    loop {
        session.refresh()?;
        let look = |c: &mut Condition| c.look(&session, profiles.as_ref());
        let seen = conditions.iter_mut().map(look).collect::<Result<Vec<Checked>>>()?;
        let met = seen.iter().filter(|seen| seen.open().is_none()).count();
        if met == seen.len() || (args.any && met > 0) {
            return tell(&seen, args.json);
        }
        let gone: Vec<&Refusal> = seen.iter().filter_map(Checked::gone).collect();
        if let [first, ..] = gone[..]
            && (!args.any || gone.len() == seen.len())
        {
            return Err(first.clone().into());
        }
        if looked.elapsed() >= LOOK_EVERY {
            start::revive(&session.store);
            looked = Instant::now();
        }
        if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            let open: Vec<String> = seen.iter().filter_map(Checked::open).collect();
            let late = anyhow!("nothing came within {}: {}", within(args.timeout), open.join("; "));
            if !args.json {
                return Err(late);
            }
            tell(&seen, true)?;
            return Err(print::told(late));
        }
        std::thread::sleep(PAUSE);
    }
}

/// A duration in words.
fn within(time: Duration) -> String {
    if time.subsec_millis() == 0 {
        format!("{} s", time.as_secs())
    } else {
        format!("{} ms", time.as_millis())
    }
}

fn conditions(session: &Session, profiles: Option<&Profiles>, args: &Args) -> Result<Vec<Condition>> {
    let mut all = Vec::new();
    for id in args.id.iter().chain(&args.answer) {
        all.push(Condition::Answer(session.find(id, false)?.1));
    }
    for name in &args.idle {
        let name = Name::new(name).map_err(|_| session.unknown(name))?;
        if name.is_human() {
            return Err(
                Refusal::Usage("a person has no composer that swarm sees: wait for an agent".into()).into()
            );
        }
        // A misspelt name must not wait for ever.
        let agent = session.agent(&name).or_else(|| session.awaited(&name).map(|(ended, _)| ended));
        let agent = agent.ok_or_else(|| session.unknown(name.as_str()))?;
        if let Some(profiles) = profiles.filter(|profiles| profiles.get(&agent.kind).is_none()) {
            let why = profiles.why_not(&agent.kind);
            return Err(Refusal::Usage(format!("swarm cannot see when {} is idle: {why}", agent.name)).into());
        }
        all.push(Condition::Idle(name, Steady::default()));
    }
    all.extend(lease::patterns(session, &args.lease)?.into_iter().map(Condition::Free));
    if args.mail || all.is_empty() {
        all.push(Condition::Mail);
    }
    Ok(all)
}

impl Condition {
    fn look(&mut self, session: &Session, profiles: Option<&Profiles>) -> Result<Checked> {
        match self {
            Condition::Mail => {
                let unread = session.store.count_unread(&session.caller.name)?;
                let facts = json!({"condition": "mail", "unread": unread});
                Ok(if unread > 0 { Checked::HasMail(facts) } else { Checked::Open("no mail".into(), facts) })
            }
            Condition::Answer(message) => answered(session, message),
            Condition::Idle(name, steady) => idle(session, profiles, name, steady),
            Condition::Free(path) => free(session, path),
        }
    }
}

#[inline(never)]
fn answered(session: &Session, message: &Verified) -> Result<Checked> {
    let id = &message.id;
    // After a hand-over, the new owner answers another id.
    let mut ids = vec![id.clone()];
    for name in &message.to {
        let name = session.agent(name).map_or(name, |a| &a.name);
        ids.extend(session.store.delivery(name, id)?.and_then(|d| d.handed));
    }
    for folder in [Folder::New, Folder::Given, Folder::Cur] {
        let mail = session.store.mail(&session.caller.name, &session.caller.aliases, folder)?;
        print::refused(&mail.refused);
        if let Some(answer) =
            mail.messages.iter().find(|m| m.reply_to.as_ref().is_some_and(|of| ids.contains(of)))
        {
            let facts = json!({"condition": "answer", "id": id, "by": answer.from, "answer": print::message_json(answer)});
            return Ok(Checked::Met(print::message(answer, now_ms()), facts));
        }
    }
    for name in &message.to {
        // A renamed recipient's mail has moved with it.
        let name = session.agent(name).map_or(name, |a| &a.name);
        let delivery = session.store.delivery(name, id)?;
        if delivery.is_some_and(|d| d.way.stage == Stage::Acked) {
            let facts = json!({"condition": "answer", "id": id, "by": name, "answer": null});
            return Ok(Checked::Met(format!("{name} acknowledged {id}\n"), facts));
        }
    }
    let facts = json!({"condition": "answer", "id": id});
    let is_gone = |name: &Name| {
        session.agent(name).is_none() && session.ended(name).is_some() && session.awaited(name).is_none()
    };
    Ok(match &message.to[..] {
        [first, ..] if message.to.iter().all(is_gone) => {
            Checked::Gone(session.unknown(first.as_str()), facts)
        }
        _ => Checked::Open(format!("{id} has no answer"), facts),
    })
}

#[inline(never)]
fn idle(session: &Session, profiles: Option<&Profiles>, name: &Name, steady: &mut Steady) -> Result<Checked> {
    let Some(agent) = session.agent(name) else {
        *steady = Steady::default();
        let facts = json!({"condition": "idle", "agent": name, "state": "ended"});
        return Ok(match session.awaited(name) {
            Some((ended, _)) => {
                Checked::Open(format!("{} has ended, and may be started again", ended.name), facts)
            }
            None => Checked::Gone(session.unknown(name.as_str()), facts),
        });
    };
    let name = &agent.name;
    let facts = |state: Status| json!({"condition": "idle", "agent": name, "state": state.word()});
    let not = |state: Status| Checked::Open(format!("{name} is not idle: {}", state.word()), facts(state));
    let open = |why: &str| Checked::Open(format!("{name} {why}"), facts(Status::Idle));
    let idle = || Checked::Met(format!("{name} is idle\n"), facts(Status::Idle));
    // The record may be old: the courier looks at all agents every 15 s, and nobody does if it was killed.
    let recorded = Some(agent.status).filter(|status| *status == Status::Idle);
    let status = recorded.or_else(|| steady.look(session, profiles, agent, false)).unwrap_or(agent.status);
    let waits = waiting_mail(session, agent)?;
    if status != Status::Idle || waits.is_some() {
        (steady.since, steady.asked) = (None, false);
        return Ok(match waits.filter(|_| status == Status::Idle) {
            Some(why) if why.is_empty() => open("is idle, but mail waits for it"),
            Some(why) => open(&format!("is idle, but mail waits for it: {}", escape::short(&why, 200))),
            None => not(status),
        });
    }
    let since = steady.since.get_or_insert_with(Instant::now).elapsed();
    if since < STEADY && !was_quiet(session, agent) {
        let other = steady.shown.and_then(|(_, shown)| shown).filter(|shown| *shown != Status::Idle);
        return Ok(other.map_or_else(|| open("looks idle, and not for a second yet"), not));
    }
    if steady.asked && since < STEADY_BY_RECORD {
        return Ok(open("was idle when it was seen last"));
    }
    match steady.look(session, profiles, agent, true) {
        Some(Status::Idle) => return Ok(idle()),
        Some(other) => {
            steady.since = None;
            return Ok(not(other));
        }
        None => {}
    }
    if let Some(pid) = start::stopped(&session.store) {
        return Ok(open(&format!("was idle when it was seen last; the courier, process {pid}, is stopped")));
    }
    if steady.asked && agent.status == Status::Idle {
        return Ok(idle());
    }
    // Only the courier sees the screen: its next look corrects the record.
    steady.asked = session.store.ring()?;
    Ok(open("was idle when it was seen last"))
}

/// Whether an agent has been idle for a while already: nothing was written to its terminal, and it got nothing. A
/// text that a person has just submitted shows a moment later.
fn was_quiet(session: &Session, agent: &Agent) -> bool {
    let still = |folder: &Folder| session.store.mail_changed(&agent.name, *folder).is_some();
    Duration::from_millis(now_ms().saturating_sub(agent.since)) >= STEADY
        && [Folder::New, Folder::Given, Folder::Cur].iter().all(still)
        && terminal::was_still_at(agent.process.pid, (now_ms() / 1000).saturating_sub(STILL_S)) == Some(true)
}

/// Why mail for an agent waits, if any does. A failed message stays in its inbox.
fn waiting_mail(session: &Session, agent: &Agent) -> Result<Option<String>> {
    let mut why = None;
    for file in session.store.mail_files(&agent.name, Folder::New)? {
        let Some((_, id)) = parse_file_name(&file) else { continue };
        let known = session.store.delivery(&agent.name, &id)?;
        // Only a person can release it.
        if known.as_ref().is_some_and(|d| d.pause == Some(Pause::Held)) {
            continue;
        }
        let way = known.map(|d| d.way).unwrap_or_default();
        if way.stage.is_open() && why.as_ref().is_none_or(String::is_empty) {
            why = Some(way.detail);
        }
    }
    Ok(why)
}

fn free(session: &Session, path: &PathPattern) -> Result<Checked> {
    let own = lease::holder(session);
    let leases = session.store.leases_about(Part::Paths(std::slice::from_ref(path)))?;
    let held = leases.table.holding(path);
    let facts = json!({"condition": "lease", "path": path.to_string()});
    Ok(match held.iter().find(|lease| !lease.holder.is_same(&own)) {
        None => Checked::Met(format!("{path} is free\n"), facts),
        Some(lease) => {
            Checked::Open(format!("{path} is held by {}", words::held_by(lease, leases.table.now())), facts)
        }
    })
}

/// Prints the conditions that hold. Mail is listed last, as by `inbox`.
fn tell(seen: &[Checked], as_json: bool) -> Result<()> {
    let (mut met, mut open, mut text, mut mail) = (Vec::new(), Vec::new(), String::new(), false);
    for seen in seen {
        match seen {
            Checked::HasMail(facts) => {
                mail = true;
                met.push(facts);
            }
            Checked::Met(told, facts) => {
                text.push_str(told);
                met.push(facts);
            }
            Checked::Open(_, facts) | Checked::Gone(_, facts) => open.push(facts),
        }
    }
    if as_json {
        return print::object(json!({"met": met, "open": open}));
    }
    print::out(&text)?;
    if mail {
        inbox::run(&inbox::Args { all: false, limit: None, json: false, open: false, pane: None })
    } else {
        Ok(())
    }
}
