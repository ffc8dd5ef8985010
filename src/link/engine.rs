//! The connection to the team's engine: the only code that talks to `PostgreSQL`.
//!
//! Each call is one statement and one round trip, bounded in time; none holds a lock on the engine when it returns.
//! Calls that are made at once share the line: none waits for the round trip of another. A notification of the engine
//! is only a hint to look.

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_postgres::types::Type;
use tokio_postgres::{AsyncMessage, Client, Config, NoTls};

/// The tables and functions of a new engine.
pub(super) const SCHEMA: &str = include_str!("schema.sql");

/// The schema version of this program.
pub(super) const SCHEMA_VERSION: u64 = 1;

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(5);

/// How long a call may take.
const CALL: Duration = Duration::from_secs(5);

/// A refusal of the engine: the same call is not tried again.
#[derive(Debug)]
pub(super) struct EngineRefusal {
    /// The engine's error code.
    pub(super) code: String,
    pub(super) text: String,
}

impl std::fmt::Display for EngineRefusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&crate::core::escape::short(&self.text, 300))
    }
}

impl std::error::Error for EngineRefusal {}

pub(super) struct Engine {
    client: Client,
    token: String,
}

/// The payloads of the engine's notifications.
pub(super) type Notes = mpsc::Receiver<String>;

/// The most hints that are kept. If the queue is full, everything is looked at anyway.
const NOTES: usize = 256;

impl Engine {
    /// Connects to the engine whose socket is in `dir`.
    pub(super) async fn connect(dir: &Path, token: &str) -> Result<(Self, Notes)> {
        let mut config = Config::new();
        config.host_path(dir).port(5432).user("swarm_host").dbname("swarm").application_name("swarm-link");
        let (client, notes) = open(&config).await?;
        Ok((Self { client, token: token.to_owned() }, notes))
    }

    /// Calls a function of the engine.
    pub(super) async fn call(&self, function: &str, mut args: Value) -> Result<Value> {
        args["token"] = json!(self.token);
        let text = args.to_string();
        let statement = format!("select swarm.{function}($1::text::jsonb)::text");
        let parameters: [(&(dyn tokio_postgres::types::ToSql + Sync), Type); 1] = [(&text, Type::TEXT)];
        let query = self.client.query_typed(&statement, &parameters);
        let rows = tokio::time::timeout(CALL, query)
            .await
            .map_err(|_| anyhow::anyhow!("the engine did not answer within {} s", CALL.as_secs()))?
            .map_err(explain)?;
        let answer: &str = rows.first().context("the engine gave no answer")?.try_get(0)?;
        serde_json::from_slice(answer.as_bytes()).context("an answer of the engine that cannot be read")
    }

    /// Subscribes to the notifications of a channel.
    pub(super) async fn listen(&self, channel: &str) -> Result<()> {
        if !channel.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_') {
            bail!("a channel with the name of none");
        }
        let listen = format!("listen {channel}");
        tokio::time::timeout(CALL, self.client.batch_execute(&listen))
            .await
            .map_err(|_| anyhow::anyhow!("the engine did not answer within {} s", CALL.as_secs()))?
            .map_err(explain)
    }
}

/// Opens a connection, and reads the arriving data.
async fn open(config: &Config) -> Result<(Client, Notes)> {
    let connected = tokio::time::timeout(CONNECT, config.connect(NoTls))
        .await
        .map_err(|_| anyhow::anyhow!("no connection to the engine within {} s", CONNECT.as_secs()))?;
    let (client, mut connection) = connected.map_err(explain)?;
    let (sender, notes) = mpsc::channel(NOTES);
    tokio::spawn(async move {
        while let Some(Ok(message)) = std::future::poll_fn(|cx| connection.poll_message(cx)).await {
            if let AsyncMessage::Notification(note) = message {
                // Full: its reader looks at everything.
                let _ = sender.try_send(note.payload().to_owned());
            }
        }
    });
    Ok((client, notes))
}

/// Runs statements as the owner of a new cluster, before anybody uses it.
pub(super) async fn prepare(dir: &Path, database: &str, statements: &str) -> Result<()> {
    let mut config = Config::new();
    config.host_path(dir).port(5432).user("swarm_owner").dbname(database);
    let (client, _notes) = open(&config).await?;
    tokio::time::timeout(Duration::from_secs(60), client.batch_execute(statements))
        .await
        .context("the engine did not answer within 60 s")?
        .map_err(explain)
}

fn explain(error: tokio_postgres::Error) -> anyhow::Error {
    match error.as_db_error() {
        Some(db) => EngineRefusal { code: db.code().code().to_owned(), text: db.message().to_owned() }.into(),
        None => anyhow::Error::new(error).context("the connection to the engine failed"),
    }
}

/// The engine's refusal that no further try changes, if the error is one.
pub(super) fn refusal(error: &anyhow::Error) -> Option<&EngineRefusal> {
    error.downcast_ref::<EngineRefusal>().filter(|r| r.code.starts_with("SW") || r.code == "28000")
}
