use super::compose::{self, Reporting};
use super::print;
use super::session::{self, Session};
use crate::core::agent::Agent;
use crate::core::body::Body;
use crate::core::message::MessageType;
use crate::core::name::Name;
use crate::core::refusal::Refusal;
use anyhow::Result;
use std::collections::BTreeMap;

/// Tell each agent, once, how to talk here
///
/// It sends one message to every living agent that has not had it yet, or to the named ones. With --print it sends
/// nothing, and prints a section for AGENTS.md or CLAUDE.md.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  swarm onboard\n  swarm onboard codex-1 @api\n  swarm onboard --print >> AGENTS.md"
)]
pub(super) struct Args {
    /// Tell only these agents, also if they were told before; @api is a group
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Print a section for AGENTS.md or CLAUDE.md instead
    #[arg(long)]
    print: bool,
    /// Also tell agents that were told before
    #[arg(long)]
    again: bool,
    #[command(flatten)]
    report: Reporting,
}

/// One line of less than 400 bytes, so that it is typed as a whole.
pub(super) const TEXT: &str = "You are in a swarm of coding agents; your name is the one after \"to\" above. Others: swarm-msg who. Send: swarm-msg send NAME \"text\". Answer: swarm-msg reply ID \"text\". Mail: swarm-msg inbox, swarm-msg read. Before you edit shared files: swarm-msg lock PATH, then swarm-msg unlock PATH.";

/// The text for an agent that does not find the command by its name. `COMMAND` is replaced by its path, which may be
/// long.
const TEXT_BY_PATH: &str = "You are in a swarm of coding agents; your name is the one after \"to\" above. Your tools do not find swarm-msg by its name; write COMMAND for it. Others: swarm-msg who. Also: send NAME \"text\"; reply ID \"text\"; inbox; read. Before you edit shared files: lock PATH, then unlock PATH.";

const SECTION: &str = "\
## Working beside other agents

Several coding agents may work in this project at once. `swarm-msg` is how you talk and stay out of each other's way.

- `swarm-msg whoami` tells your name, `swarm-msg who` the others.
- `swarm-msg send NAME \"text\"` sends; `-t QUESTION`, `--ack` and `--urgent` where it matters; `-` reads a long text from stdin.
- A line that begins with `[swarm ID` is a message to you: `swarm-msg read ID` prints it whole, `swarm-msg reply ID \"text\"`
  answers, `swarm-msg ack ID` acknowledges.
- Before you edit what others may be working on: `swarm-msg lock PATH --reason \"why\"`; `swarm-msg unlock PATH` afterwards.
  If it is held, do something else, or `swarm-msg lock PATH --wait 10m` to queue for it.
- `swarm-msg verify \"LINE\"` tells whether such a line is genuine.
";

#[inline(never)]
pub(super) fn run(args: &Args) -> Result<()> {
    if args.print {
        return print::out(SECTION);
    }
    let mut session = Session::open()?;
    session.rediscover();
    let asked = |a: &&Agent| a.is_live() && a.name != session.caller.name && (args.again || !a.onboarded);
    let chosen: Vec<Agent> = if args.names.is_empty() {
        session.agents.iter().filter(asked).cloned().collect()
    } else {
        let names = compose::recipients(&mut session, &args.names)?.here;
        session.agents.iter().filter(|a| a.is_live() && names.contains(&a.name)).cloned().collect()
    };
    if chosen.is_empty() {
        return args.report.nothing("every agent was told before (--again tells them again)");
    }
    // One message for all agents with the same command.
    let mut groups: BTreeMap<String, Vec<Name>> = BTreeMap::new();
    for agent in &chosen {
        groups.entry(session::command(&session.store, agent, true)).or_default().push(agent.name.clone());
    }
    let mut all = Vec::new();
    for (command, to) in groups {
        let text =
            if command == "swarm-msg" { TEXT.to_owned() } else { TEXT_BY_PATH.replace("COMMAND", &command) };
        let body = Body::new(&text).map_err(|bad| Refusal::Usage(bad.to_string()))?;
        all.push(compose::post(&session, compose::draft(&session, to, MessageType::Info, body))?);
    }
    // After the message is posted: a crash in between sends it twice rather than never.
    session.store.transact(|tx| {
        for agent in tx.agents()?.into_iter().filter(|a| chosen.iter().any(|c| c.process == a.process)) {
            tx.put_agent(&Agent { onboarded: true, ..agent })?;
        }
        Ok(())
    })?;
    all.iter().try_for_each(|sent| compose::watch(&session, sent, args.report))?;
    // Only JSON goes to stdout.
    session::tell_speechless(&chosen).lines().for_each(|line| print::tell(line.trim()));
    Ok(())
}
