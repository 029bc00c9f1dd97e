// A loopback stand-in for a language model. It speaks just enough of the `openai-completions`
// API for OpenClaw, and answers a turn with the tool calls of a JSON file, one after another,
// then with a final text. It never invents anything: the same turn is played every time.
//
//   node model.mjs TURN.json RECORD_DIR
//
// prints `listening on PORT` and keeps in RECORD_DIR
//   results.jsonl   one line for each tool result that came back: {"step", "result"}
//   requests.log    every request body as it came, for a search of all that the model saw

import { appendFileSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";

const [turnFile, recordDir] = process.argv.slice(2);
const turn = JSON.parse(readFileSync(turnFile, "utf8"));
const recorded = new Set();

// A call's id carries its step, so that a request can be answered from its own messages alone:
// a repeated request gets the same answer, and nothing is counted twice. Some clients rewrite
// ids, so only letters and digits are used.
const callId = (step) => `call${step}x`;
const stepOf = (id) => Number(/^call(\d+)x/.exec(id ?? "")?.[1] ?? NaN);

const textOf = (content) =>
  Array.isArray(content) ? content.map((part) => part.text ?? "").join("") : String(content ?? "");

function record(messages) {
  for (const message of messages) {
    const step = stepOf(message.tool_call_id);
    if (message.role !== "tool" || Number.isNaN(step) || recorded.has(step)) continue;
    recorded.add(step);
    const line = { step: turn.steps[step].name, result: textOf(message.content) };
    appendFileSync(join(recordDir, "results.jsonl"), JSON.stringify(line) + "\n");
  }
}

function answer(body) {
  const results = body.messages.filter((message) => message.role === "tool");
  const next = Math.max(-1, ...results.map((message) => stepOf(message.tool_call_id))) + 1;
  // Requests without tools are OpenClaw's own (a title, a summary), not the turn.
  const step = body.tools?.length ? turn.steps[next] : undefined;
  if (!step) return { delta: { content: turn.final }, finish_reason: "stop" };
  const call = { name: step.tool, arguments: JSON.stringify(step.arguments) };
  return {
    delta: { tool_calls: [{ index: 0, id: callId(next), type: "function", function: call }] },
    finish_reason: "tool_calls",
  };
}

function send(response, body) {
  const { delta, finish_reason } = answer(body);
  const head = { id: "turn", created: 0, model: body.model };
  const usage = { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 };
  const message = { role: "assistant", content: null, ...delta };
  if (!body.stream) {
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ ...head, object: "chat.completion", usage, choices: [{ index: 0, message, finish_reason }] }));
    return;
  }
  response.setHeader("content-type", "text/event-stream");
  const chunk = (part) =>
    response.write(`data: ${JSON.stringify({ ...head, object: "chat.completion.chunk", ...part })}\n\n`);
  chunk({ choices: [{ index: 0, delta: { role: "assistant", ...delta }, finish_reason: null }] });
  chunk({ choices: [{ index: 0, delta: {}, finish_reason }] });
  chunk({ choices: [], usage });
  response.end("data: [DONE]\n\n");
}

const server = createServer(async (request, response) => {
  let text = "";
  for await (const piece of request.setEncoding("utf8")) text += piece;
  if (!request.url.endsWith("/chat/completions")) return response.writeHead(404).end();
  appendFileSync(join(recordDir, "requests.log"), text + "\n");
  const body = JSON.parse(text);
  record(body.messages);
  send(response, body);
});

server.listen(0, "127.0.0.1", () => console.log(`listening on ${server.address().port}`));
