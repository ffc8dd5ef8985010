use super::session::Session;
use super::{inbox, lease, print};
use crate::core::agent::Status;
use crate::core::delivery::Stage;
use crate::core::lease::{PathPattern, words};
use crate::core::message::Verified;
use crate::core::name::Name;
use crate::core::refusal::Refusal;
use crate::core::span;
use crate::courier::start;
use crate::store::leases::Part;
use crate::store::mail::Folder;
use anyhow::{Result, anyhow};
use serde_json::{Value, json};
use std::ffi::OsString;
use std::time::{Duration, Instant};

/// Wait for mail, for an answer, until an agent is idle, or until a path is free
///
/// Without a condition it waits for unread mail, and lists it. With an id it waits until a recipient answers or
/// acknowledges that message. Several conditions must hold at the same moment; with --any one of them is enough. It ends
/// with 1 when the time is up, and says what was still missing.
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
    /// Wait until this agent is idle and no mail waits for it; may be repeated
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

/// Between two looks: one system call each for mail and answers, a few files for the others.
const PAUSE: Duration = Duration::from_millis(50);

/// How often it checks that a courier runs, which could deliver something, or see that an agent is idle.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// How long an agent must have been idle: what it was just given shows as a turn a moment later.
const STEADY: Duration = Duration::from_secs(1);

fn timeout(text: &str) -> Result<Duration, String> {
    let ms = text.parse::<u64>().ok().and_then(|s| s.checked_mul(1000)).or_else(|| span::parse(text));
    ms.map(Duration::from_millis)
        .ok_or_else(|| "it must be a number of seconds, or a time such as 90s or 10m".to_owned())
}

/// What is waited for.
enum Condition {
    Mail,
    Answer(Verified),
    /// The agent, and since when it has been idle, as far as this process has seen.
    Idle(Name, Option<Instant>),
    Free(PathPattern),
}

/// What a condition came to, as text and as JSON.
enum Seen {
    /// It holds.
    Met(String, Value),
    /// It does not, for this reason.
    Open(String, Value),
}

impl Seen {
    /// Why it does not hold.
    fn open(&self) -> Option<&str> {
        match self {
            Seen::Open(why, _) => Some(why),
            Seen::Met(..) => None,
        }
    }
}

pub(super) fn run(args: &Args) -> Result<()> {
    let session = Session::open()?;
    let deadline = Instant::now() + args.timeout;
    let mut conditions = conditions(&session, args)?;
    let mut looked = Instant::now();
    loop {
        let seen = conditions.iter_mut().map(|c| c.look(&session)).collect::<Result<Vec<Seen>>>()?;
        let met = seen.iter().filter(|seen| matches!(seen, Seen::Met(..))).count();
        if met == seen.len() || (args.any && met > 0) {
            return tell(&seen, args.json);
        }
        if looked.elapsed() >= LOOK_EVERY {
            start::revive(&session.store);
            looked = Instant::now();
        }
        if Instant::now() >= deadline {
            let open: Vec<&str> = seen.iter().filter_map(Seen::open).collect();
            let late = anyhow!("nothing came within {} s: {}", args.timeout.as_secs(), open.join("; "));
            if !args.json {
                return Err(late);
            }
            tell(&seen, true)?;
            return Err(print::told(late));
        }
        std::thread::sleep(PAUSE);
    }
}

fn conditions(session: &Session, args: &Args) -> Result<Vec<Condition>> {
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
        all.push(Condition::Idle(name, None));
    }
    all.extend(lease::patterns(session, &args.lease)?.into_iter().map(Condition::Free));
    if args.mail || all.is_empty() {
        all.push(Condition::Mail);
    }
    Ok(all)
}

impl Condition {
    fn look(&mut self, session: &Session) -> Result<Seen> {
        match self {
            Condition::Mail => {
                let unread = session.store.count_unread(&session.caller.name)?;
                let facts = json!({"condition": "mail", "unread": unread});
                Ok(if unread > 0 {
                    Seen::Met(String::new(), facts)
                } else {
                    Seen::Open("no mail".into(), facts)
                })
            }
            Condition::Answer(message) => answered(session, message),
            Condition::Idle(name, since) => idle(session, name, since),
            Condition::Free(path) => free(session, path),
        }
    }
}

fn answered(session: &Session, message: &Verified) -> Result<Seen> {
    let id = &message.id;
    for folder in [Folder::New, Folder::Given, Folder::Cur] {
        let mail = session.store.mail(&session.caller.name, &session.caller.aliases, folder)?;
        print::refused(&mail.refused);
        if let Some(answer) = mail.messages.iter().find(|m| m.reply_to.as_ref() == Some(id)) {
            let facts = json!({"condition": "answer", "id": id, "by": answer.from, "answer": print::message_json(answer)});
            return Ok(Seen::Met(print::message(answer, crate::store::now_ms()), facts));
        }
    }
    for name in &message.to {
        let delivery = session.store.delivery(name, id)?;
        if delivery.is_some_and(|d| d.way.stage == Stage::Acked) {
            let facts = json!({"condition": "answer", "id": id, "by": name, "answer": null});
            return Ok(Seen::Met(format!("{name} acknowledged {id}\n"), facts));
        }
    }
    Ok(Seen::Open(format!("{id} has no answer"), json!({"condition": "answer", "id": id})))
}

fn idle(session: &Session, name: &Name, since: &mut Option<Instant>) -> Result<Seen> {
    let agents = session.store.agents()?;
    let Some(agent) = agents.iter().find(|a| a.is_live() && a.answers_to(name)) else {
        return Err(session.unknown(name.as_str()).into());
    };
    let name = &agent.name;
    let word = agent.status.word();
    let facts = json!({"condition": "idle", "agent": name, "state": word});
    let why = if agent.status != Status::Idle {
        format!("{name} is not idle: {word}")
    } else if session.store.count_mail(name, Folder::New)? > 0 {
        format!("{name} is idle, but mail waits for it")
    } else if since.get_or_insert_with(Instant::now).elapsed() < STEADY {
        return Ok(Seen::Open(format!("{name} has just become idle"), facts));
    } else {
        return Ok(Seen::Met(format!("{name} is idle\n"), facts));
    };
    *since = None;
    Ok(Seen::Open(why, facts))
}

fn free(session: &Session, path: &PathPattern) -> Result<Seen> {
    let own = lease::holder(session);
    let leases = session.store.leases_about(Part::Paths(std::slice::from_ref(path)))?;
    let held = leases.table.holding(path);
    let facts = json!({"condition": "lease", "path": path.to_string()});
    Ok(match held.iter().find(|lease| !lease.holder.is_same(&own)) {
        None => Seen::Met(format!("{path} is free\n"), facts),
        Some(lease) => {
            Seen::Open(format!("{path} is held by {}", words::held_by(lease, leases.table.now())), facts)
        }
    })
}

/// Says what holds. Mail is listed last, as `inbox` does it.
fn tell(seen: &[Seen], as_json: bool) -> Result<()> {
    let (mut met, mut open, mut text, mut mail) = (Vec::new(), Vec::new(), String::new(), false);
    for seen in seen {
        match seen {
            Seen::Met(told, facts) => {
                mail |= facts["condition"] == "mail";
                text.push_str(told);
                met.push(facts);
            }
            Seen::Open(_, facts) => open.push(facts),
        }
    }
    if as_json {
        return print::object(json!({"met": met, "open": open}));
    }
    print::out(&text)?;
    if mail { inbox::run(&inbox::Args { all: false, limit: None, json: false }) } else { Ok(()) }
}
