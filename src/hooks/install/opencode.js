// swarm's plugin for OpenCode: reports OpenCode's events to swarm, and gives OpenCode swarm's answers.
// Written by `swarm hooks install opencode`, removed by `swarm hooks uninstall opencode`. No error here stops OpenCode.
import { spawnSync } from "node:child_process"

const SWARM = "@SWARM@"

function ask(event, input, cwd) {
  try {
    const told = spawnSync(SWARM, ["hook", "opencode", event], { input: JSON.stringify(input), cwd, timeout: 10000, encoding: "utf8" })
    return told.stdout ? JSON.parse(told.stdout) : {}
  } catch {
    return {}
  }
}

export const Swarm = async ({ directory }) => {
  let started = false
  const calls = new Map()
  return {
    "chat.message": async (input, output) => {
      const texts = output.parts.filter((part) => part.type === "text")
      const said = [started ? {} : ask("SessionStart", {}, directory)]
      started = true
      said.push(ask("UserPromptSubmit", { prompt: texts.map((part) => part.text).join("\n") }, directory))
      const context = said.map((one) => one.context).filter(Boolean).join("\n\n")
      if (context && texts.length > 0) texts[texts.length - 1].text += "\n\n" + context
    },
    "tool.execute.before": async (input, output) => {
      const said = ask("PreToolUse", { tool_name: input.tool, tool_input: output.args }, directory)
      if (said.deny) throw new Error(said.deny)
      // The arguments of a call whose end is not reported stay here.
      if (calls.size > 100) calls.clear()
      calls.set(input.callID, output.args)
    },
    "tool.execute.after": async (input) => {
      ask("PostToolUse", { tool_name: input.tool, tool_input: calls.get(input.callID) ?? input.args }, directory)
      calls.delete(input.callID)
    },
    event: async ({ event }) => {
      if (event.type === "session.idle") ask("Stop", {}, directory)
      if (event.type === "permission.asked" || event.type === "permission.updated") ask("PermissionRequest", {}, directory)
    },
    dispose: async () => {
      ask("SessionEnd", {}, directory)
    },
  }
}
