// swarm's channel into OpenCode: takes messages of the project's agents and gives them to the conversation that this OpenCode shows.
// Written by `swarm hooks install opencode`, removed by `swarm hooks uninstall opencode`. No error here stops OpenCode.
//
// It listens at a socket that only this user can use, says which conversation is shown, and takes a text. OpenCode's own events about that
// text are in the file beside.
import * as fs from "node:fs"
import { createServer } from "node:net"
import { isAbsolute, join } from "node:path"

// The version of the protocol at the socket and in the files. A swarm with another version uses the pane.
const PROTOCOL = 1
// The longest line that is accepted, in bytes.
const LONGEST = 1 << 20
// When the file beside is this long and no text is under way, it starts again empty.
const LARGEST = 16 << 20

function quietly(what) {
  try {
    return what()
  } catch {
    return undefined
  }
}

// The fields of a process's `stat`: the first is its state, the twentieth the time of its start.
function told(pid) {
  const stat = fs.readFileSync(`/proc/${pid}/stat`, "utf8")
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ")
}

// The directory of the sockets, if only this user can use it.
function place() {
  const { XDG_STATE_HOME: state, HOME: home } = process.env
  const base = state && isAbsolute(state) ? state : home && isAbsolute(home) ? join(home, ".local/state") : undefined
  if (!base) throw new Error("no home")
  const dir = join(base, "swarm", "opencode")
  fs.mkdirSync(dir, { recursive: true, mode: 0o700 })
  const found = fs.lstatSync(dir)
  if (!found.isDirectory() || found.uid !== process.getuid() || found.mode & 0o077) throw new Error("not ours alone")
  // The files of killed processes. Another container may share the directory, and its processes cannot be seen from here.
  const namespace = String(fs.statSync("/proc/self/ns/pid").ino)
  for (const name of fs.readdirSync(dir)) {
    const [of, pid] = name.split(".")
    const dead = pid === String(process.pid) || /^[ZX]?$/.test(quietly(() => told(pid)[0]) ?? "")
    if (of === namespace && dead) quietly(() => fs.unlinkSync(join(dir, name)))
  }
  return [dir, namespace]
}

function listen(api) {
  if (typeof api.client.session.promptAsync !== "function") return
  const start = told("self")[19]
  const [dir, namespace] = place()
  const own = (end) => join(dir, `${namespace}.${process.pid}.${end}`)
  const [record, socket, log] = [own("json"), own("sock"), own("jsonl")]
  const known = { users: new Map(), parents: new Map(), last: new Map(), busy: new Map(), asking: new Map(), waiting: [] }
  let written

  // The conversation to which a task's own conversation belongs.
  function top(session) {
    const above = session && (api.state.session.get(session)?.parentID ?? known.parents.get(session))
    return above ? top(above) : session
  }

  // The agent and the model of the last prompt there: the next text gets the same.
  function like(session) {
    const messages = api.state.session.messages(session) ?? []
    const user = known.last.get(session) ?? messages.findLast((message) => message.role === "user")
    const { agent, model } = user ?? api.state.session.get(session) ?? {}
    if (!agent || !model) return undefined
    return { agent, variant: model.variant, model: { providerID: model.providerID, modelID: model.modelID ?? model.id } }
  }

  function status(session) {
    const asked = api.state.session
    const open = (asked.permission?.(session)?.length ?? 0) + (asked.question?.(session)?.length ?? 0)
    if (open > 0 || [...known.asking.values()].some((id) => top(id) === session)) return "waiting"
    const says = known.busy.get(session) ?? asked.status?.(session)?.type ?? "idle"
    return says === "idle" ? "idle" : "busy"
  }

  // The present state, for a process that connects.
  function now() {
    const { name, params } = api.route.current
    const session = name === "session" && quietly(() => top(params.sessionID))
    if (!session) return { why: "it shows no conversation" }
    if (!quietly(() => like(session))) return { why: "nothing was said yet in the conversation that it shows" }
    return { session, status: status(session) }
  }

  function note(line) {
    quietly(() => fs.appendFileSync(log, JSON.stringify(line) + "\n", { mode: 0o600 }))
  }

  function tell() {
    const state = now().status ?? ""
    if (state === written) return
    written = state
    const since = Date.now()
    const text = JSON.stringify({ protocol: PROTOCOL, pid: process.pid, start, version: api.app.version, status: state, since })
    quietly(() => {
      fs.writeFileSync(own("tmp"), text, { mode: 0o600 })
      fs.renameSync(own("tmp"), record)
    })
  }

  // One after the other, so that they stay in order.
  let before = Promise.resolve()
  function give({ session, text }) {
    if (typeof session !== "string" || typeof text !== "string") return
    before = before.then(async () => {
      if (known.waiting.length === 0 && (quietly(() => fs.statSync(log).size) ?? 0) > LARGEST) quietly(() => fs.truncateSync(log, 0))
      await api.client.session.promptAsync({ sessionID: session, ...like(session), parts: [{ type: "text", text }] })
    }).catch(() => {})
  }

  const begins = ({ info }) => info.parentID && known.parents.set(info.id, info.parentID)
  const asks = ({ id, sessionID }) => known.asking.set(id, sessionID)
  const answered = ({ requestID, permissionID }) => known.asking.delete(requestID ?? permissionID)
  const events = {
    "session.created": begins,
    "session.updated": begins,
    "session.status": ({ sessionID, status }) => known.busy.set(sessionID, status.type),
    "session.idle": ({ sessionID }) => {
      known.busy.set(sessionID, "idle")
      for (const one of known.waiting) if (one.session === sessionID) one.within = false
      // Nobody answers the question of an interrupted turn.
      for (const [id, by] of known.asking) if (by === sessionID || top(by) === sessionID) known.asking.delete(id)
    },
    "permission.asked": asks,
    "permission.replied": answered,
    "question.asked": asks,
    "question.replied": answered,
    "question.rejected": answered,
    "message.updated": ({ info }) => {
      if (info.role === "user") {
        known.last.set(info.sessionID, { agent: info.agent, model: info.model })
        // The text comes with its parts, and is checked once.
        if (!known.users.has(info.id)) known.users.set(info.id, false)
        if (known.users.size > 500) known.users.delete(known.users.keys().next().value)
      } else if (info.parentID) {
        // An answer has begun, to this text and to all before it.
        const given = known.waiting.filter((one) => one.session === info.sessionID && one.message <= info.parentID)
        known.waiting = known.waiting.filter((one) => !given.includes(one))
        for (const { within, text } of given) note({ type: within ? "within" : "given", text })
      }
    },
    "message.part.updated": ({ part }) => {
      const { sessionID: session, messageID: message, text } = part
      if (part.type !== "text" || known.users.get(message) !== false || !text.includes("[swarm ")) return
      known.users.set(message, true)
      note({ type: "queued", text })
      known.waiting.push({ session, message, text, within: status(session) === "busy" })
      if (known.waiting.length > 500) known.waiting.shift()
    },
  }
  for (const [name, does] of Object.entries(events)) {
    const stop = api.event.on(name, (event) => {
      quietly(() => does(event.properties))
      // The pieces of an answer that is being written do not matter here.
      if (name !== "message.part.updated") quietly(tell)
    })
    api.lifecycle.onDispose(stop)
  }

  const server = createServer((peer) => {
    let line = ""
    peer.setEncoding("utf8")
    peer.on("error", () => {})
    peer.on("data", (piece) => {
      line += piece
      const end = line.indexOf("\n")
      if (end < 0 && line.length <= LONGEST) return
      peer.end()
      peer.removeAllListeners("data")
      if (end >= 0) quietly(() => give(JSON.parse(line.slice(0, end))))
    })
    peer.write(JSON.stringify(now()) + "\n")
  })
  const close = () => {
    for (const path of [record, own("tmp"), socket, log]) quietly(() => fs.unlinkSync(path))
    quietly(() => server.close())
    quietly(() => fs.rmdirSync(dir))
  }
  server.on("error", () => {})
  server.once("error", () => {
    // Another process that ended at this moment may have removed the directory.
    server.once("error", close)
    if (quietly(place)) server.listen(socket)
  })
  process.once("exit", close)
  api.lifecycle.onDispose(close)
  server.on("listening", () => {
    quietly(() => fs.chmodSync(socket, 0o600))
    quietly(() => fs.writeFileSync(log, "", { mode: 0o600 }))
    tell()
  })
  server.listen(socket)
  server.unref()
}

export default {
  id: "swarm-carrier",
  tui: async (api) => {
    quietly(() => listen(api))
  },
}
