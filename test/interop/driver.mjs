// Drives a client of the TypeScript SDK, 1.x or 2.x, by commands on stdin: one
// JSON object a line, {id, op, ...}; answers on stdout, {id, value} or
// {id, error}. The Go tests start it with one argument, the settings as JSON.
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const settings = JSON.parse(process.argv[2]); // {modules, sdk, transport, modern, url, command, key}
const load = (...path) => import(pathToFileURL(join(settings.modules, '@modelcontextprotocol', ...path)).href);

const seen = {};
const count = (method) => { seen[method] = (seen[method] ?? 0) + 1; };
const accept = () => ({ action: 'accept', content: { username: 'ada', name: 'ada', interpretation: 'snake' } });
const poem = () => ({ role: 'assistant', model: 'm', content: { type: 'text', text: 'a poem' } });
const home = () => ({ roots: [{ uri: 'file:///home/ada', name: 'home' }] });

const capabilities = { elicitation: { form: {} }, sampling: {}, roots: {} };
const requests = { 'elicitation/create': accept, 'sampling/createMessage': poem, 'roots/list': home };
const notifications = ['notifications/message', 'notifications/tools/list_changed', 'notifications/resources/updated'];

// The two lines of the SDK differ in their modules and in how handlers are named.
async function sdk1() {
  const [{ Client }, http, sse, stdio, types] = await Promise.all([
    load('sdk', 'dist', 'esm', 'client', 'index.js'), load('sdk', 'dist', 'esm', 'client', 'streamableHttp.js'),
    load('sdk', 'dist', 'esm', 'client', 'sse.js'), load('sdk', 'dist', 'esm', 'client', 'stdio.js'),
    load('sdk', 'dist', 'esm', 'types.js'),
  ]);
  const client = new Client({ name: 'ts-1', version: '1' }, { capabilities });
  const request = { 'elicitation/create': types.ElicitRequestSchema, 'sampling/createMessage': types.CreateMessageRequestSchema, 'roots/list': types.ListRootsRequestSchema };
  const notification = {
    'notifications/message': types.LoggingMessageNotificationSchema, 'notifications/tools/list_changed': types.ToolListChangedNotificationSchema,
    'notifications/resources/updated': types.ResourceUpdatedNotificationSchema,
  };
  return { client, ...http, ...sse, ...stdio, onRequest: (m, f) => client.setRequestHandler(request[m], f), onNotification: (m, f) => client.setNotificationHandler(notification[m], f) };
}

async function sdk2() {
  const [main, stdio] = await Promise.all([load('client', 'dist', 'index.mjs'), load('client', 'dist', 'stdio.mjs')]);
  const options = { capabilities };
  if (settings.modern) options.versionNegotiation = { mode: 'auto' };
  const client = new main.Client({ name: 'ts-2', version: '1' }, options);
  return { client, ...main, ...stdio, onRequest: (m, f) => client.setRequestHandler(m, f), onNotification: (m, f) => client.setNotificationHandler(m, f) };
}

const kit = settings.sdk === 'ts-1' ? await sdk1() : await sdk2();
const { client } = kit;
for (const [method, answer] of Object.entries(requests)) kit.onRequest(method, async () => { count(method); return answer(); });
for (const method of notifications) kit.onNotification(method, async () => count(method));

function transport() {
  const headers = settings.key ? { Authorization: `Bearer ${settings.key}` } : {};
  const web = { requestInit: { headers }, eventSourceInit: { fetch: (u, i) => fetch(u, { ...i, headers: { ...i?.headers, Accept: 'text/event-stream', ...headers } }) } };
  switch (settings.transport) {
    case 'http': return new kit.StreamableHTTPClientTransport(new URL(settings.url), web);
    case 'sse': return new kit.SSEClientTransport(new URL(settings.url), web);
  }
  return new kit.StdioClientTransport({ command: settings.command[0], args: settings.command.slice(1), env: process.env });
}

const isModern = () => settings.modern;

// all follows the pages of a list. The 2.x client does so itself.
async function all(list, field, pick) {
  const found = [];
  let cursor;
  do {
    const page = await list(cursor === undefined ? {} : { cursor });
    found.push(...page[field].map(pick));
    cursor = page.nextCursor;
  } while (cursor !== undefined);
  return found;
}

const running = new Map(); // id of a command -> AbortController

const ops = {
  async connect() {
    await client.connect(transport());
    if (isModern()) await client.listen({ toolsListChanged: true });
    else await client.setLoggingLevel('info');
    return client.getNegotiatedProtocolVersion?.() ?? '';
  },
  tools: () => all((p) => client.listTools(p), 'tools', (x) => x.name),
  resources: () => all((p) => client.listResources(p), 'resources', (x) => x.uri),
  templates: () => all((p) => client.listResourceTemplates(p), 'resourceTemplates', (x) => x.uriTemplate),
  prompts: () => all((p) => client.listPrompts(p), 'prompts', (x) => x.name),
  async call({ id, name, args }) {
    const stop = new AbortController();
    running.set(id, stop);
    const params = { name, arguments: args };
    if (isModern()) params._meta = { 'io.modelcontextprotocol/logLevel': 'info' };
    const options = { signal: stop.signal, onprogress: () => count('notifications/progress'), timeout: 60000 };
    try {
      const result = settings.sdk === 'ts-1' ? await client.callTool(params, undefined, options) : await client.callTool(params, options);
      const text = result.content.filter((c) => c.type === 'text').map((c) => c.text).join('');
      return { Text: text, Kinds: result.content.map((c) => (c.type === 'resource' ? 'embeddedresource' : c.type)), IsError: result.isError ?? false };
    } finally {
      running.delete(id);
    }
  },
  // A call as a task of 2025-11-25, which 1.x of the SDK has.
  async task({ name, args, until }) {
    const steps = [];
    let text = '';
    for await (const m of client.experimental.tasks.callToolStream({ name, arguments: args }, undefined, { task: { ttl: 60000 }, timeout: 60000 })) {
      steps.push(m.type === 'taskStatus' ? m.task.status : m.type);
      if (m.type === 'taskCreated') steps.push(m.task.status); // who asks late does not meet it again
      if (m.type === 'error') throw m.error;
      if (m.type === 'result') text = m.result.content[0].text;
      if (m.type === 'taskStatus' && until) {
        await client.experimental.tasks.cancelTask(m.task.taskId);
        return { Steps: [...steps, (await client.experimental.tasks.getTask(m.task.taskId)).status], Text: text };
      }
    }
    return { Steps: steps, Text: text };
  },
  async cancel({ target }) { running.get(target)?.abort('the caller has changed its mind'); },
  async read({ uri }) { return (await client.readResource({ uri })).contents[0].text; },
  async prompt({ name, args }) { return (await client.getPrompt({ name, arguments: args })).messages[0].content.text; },
  async complete({ prompt, argument, value }) {
    return (await client.complete({ ref: { type: 'ref/prompt', name: prompt }, argument: { name: argument, value } })).completion.values;
  },
  async subscribe({ uri }) {
    if (isModern()) await client.listen({ resourceSubscriptions: [uri] });
    else await client.subscribeResource({ uri });
  },
  seen: async () => seen,
  async close() { await client.close(); },
};

const say = (message) => process.stdout.write(JSON.stringify(message) + '\n');

for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line);
  ops[command.op](command).then(
    (value) => say({ id: command.id, value: value ?? null }),
    (error) => say({ id: command.id, error: String(error?.message ?? error) }),
  );
}
process.exit(0);
