package config

// file is durward.yaml: the one description that the loader reads by, that the
// JSON Schema is generated from, and that defaults are written in. Tags:
//
//	key    the key in the file
//	doc    a sentence for people, shown by editors
//	words  the words that are allowed, separated by "|"
//	names  what the keys of a map are: upstream, server, agent, role, header, variable, pattern, rule, vector
type file struct {
	Schema         ignored                 `key:"$schema" doc:"Where an editor finds the schema of this file."`
	Listen         address                 `key:"listen" doc:"Where agents connect, as host:port."`
	Admin          admin                   `key:"admin" doc:"The admin listener: API, health and metrics."`
	Data           path                    `key:"data" doc:"The folder of the database and the audit log; relative to this file."`
	Upstreams      map[string]upstream     `key:"upstreams" names:"upstream" doc:"The servers behind the gateway, by alias."`
	MCPServers     map[string]clientServer `key:"mcpServers" names:"server" doc:"Servers as Claude, Cursor and others write them."`
	Servers        map[string]clientServer `key:"servers" names:"server" doc:"Servers as VS Code writes them."`
	Inputs         clientOnly              `key:"inputs" doc:"Of VS Code, which asks for these values; use ${env:NAME} in their place."`
	Agents         map[string]agent        `key:"agents" names:"agent" doc:"Who may call, by name."`
	Roles          map[string]role         `key:"roles" names:"role" doc:"What may be called; an agent has the rules of its roles."`
	Policy         []policyRule            `key:"policy" doc:"Rules over the attributes of calls, in their order, after roles: see docs/policy.md."`
	Once           onceRules               `key:"once" doc:"How calls with side effects are kept from being made twice."`
	Approvals      approvals               `key:"approvals" doc:"How calls that are held for an approval are answered."`
	Guard          guard                   `key:"guard" doc:"How calls and replies are inspected, and what findings do."`
	Lock           path                    `key:"lock" doc:"The lock file of approved definitions, written by durward lock; relative to this file."`
	Record         record                  `key:"record" doc:"What the audit log keeps, and how."`
	Audit          auditing                `key:"audit" doc:"How the audit log is sealed, published, exported and aged."`
	Limits         limits                  `key:"limits" doc:"Bounds of requests and sessions, and how much may be used."`
	Runaway        runaway                 `key:"runaway" doc:"How agents that go in circles are found, and what is done about them."`
	AllowedOrigins []origin                `key:"allowed_origins" doc:"Origins of web pages that may call, besides the gateway's own. On loopback those of other servers on this machine may, too, unless there is an anonymous agent."`
	AllowedHosts   []host                  `key:"allowed_hosts" doc:"Host names by which the gateway may be reached, besides those it listens on."`
	SealKey        secret                  `key:"seal_key" doc:"The secret that seals, in the data folder, what upstreams are reached with; DURWARD_SEAL_KEY, or a file in that folder, when absent. 24 visible characters or more."`
	ForceAnonymous flag                    `key:"force_anonymous" doc:"Allow an anonymous agent although a listener is not loopback: anybody who reaches it may call."`
	Log            logging                 `key:"log" doc:"The log on standard error."`
}

type admin struct {
	Listen address `key:"listen" doc:"Where operators connect, as host:port."`
	Key    secrets `key:"key" doc:"Operators' keys, 24 visible characters or more."`

	Operators map[string]person `key:"operators" names:"agent" doc:"Operators by name: records say who approved or changed something."`
}

type person struct {
	Key secrets `key:"key" doc:"One key or several, 24 visible characters or more."`
}

type policyRule struct {
	Name    name      `key:"name" doc:"Of its own; records and explanations use it."`
	When    text      `key:"when" doc:"A CEL condition over agent.name, agent.roles, agent.owner, user, key, tool.name, tool.upstream, tool.kind, tool.read_only, tool.destructive, tool.idempotent, tool.open_world, args, labels, now, source, session and method; true when absent."`
	Effect  word      `key:"effect" words:"deny|hold|flag|allow" doc:"deny wins over all; of hold and allow the first that holds counts, and allow lifts a hold; what cannot be evaluated denies."`
	Tools   []pattern `key:"tools" doc:"Patterns of <upstream>__<name> that the rule is about; all when absent."`
	Roles   []name    `key:"roles" doc:"Agents with one of these roles; all when absent."`
	Agents  []name    `key:"agents" doc:"These agents; all when absent."`
	Message text      `key:"message" doc:"What the agent hears when the rule denies."`
}

type onceRules struct {
	Mode      word      `key:"mode" words:"broken|always|off" doc:"When a call counts as one that was issued before: broken, when the first one's caller went away before it had its answer; always, any within the window. Idempotency keys count in every mode."`
	Tools     []pattern `key:"tools" doc:"Patterns of tools that are meant, besides those whose definitions say that they are destructive or not idempotent."`
	Except    []pattern `key:"except" doc:"Patterns of tools that are not meant."`
	Window    duration  `key:"window" doc:"How long a call is remembered."`
	KeyWindow duration  `key:"key_window" doc:"How long a call with an idempotency key, or an approved one, is remembered."`
}

type approvals struct {
	terms
	Rules    []approvalRule `key:"rules" doc:"Other terms for some tools; the first rule that matches counts."`
	Expire   duration       `key:"expire" doc:"How long a question waits for people, and a permission for its call."`
	Wait     duration       `key:"wait" doc:"How long a request of a stateless client stays open before it is told to come back."`
	Patience duration       `key:"patience" doc:"How long a call of an older client waits before it gets a result that says so."`
	PerAgent count          `key:"per_agent" doc:"The most questions of one agent that wait."`
	Most     count          `key:"most" doc:"The most questions that wait in all."`
	Webhook  webhook        `key:"webhook" doc:"Where questions are sent, signed."`
}

type terms struct {
	Approvers []name `key:"approvers" doc:"Operators who may answer, by name; every operator when absent."`
	Need      count  `key:"need" doc:"How many have to approve. One denial denies."`
	FourEyes  flag   `key:"four_eyes" doc:"Keep the owner of the calling agent or key from approving."`
}

type approvalRule struct {
	Tools []pattern `key:"tools" doc:"Patterns of <upstream>__<name>."`
	terms
}

type webhook struct {
	URL     link   `key:"url" doc:"Where questions are POSTed."`
	Secret  secret `key:"secret" doc:"The key of the signatures, 24 visible characters or more."`
	Answers flag   `key:"answers" doc:"Take signed answers at /api/v1/approvals/ID/answer of the admin listener."`
}

// server is what MCP clients write under mcpServers, and our keys.
type server struct {
	Command   text             `key:"command" doc:"The program of a local server; ./name is relative to this file, a bare name is looked up in PATH."`
	Args      []loose          `key:"args" doc:"Its arguments."`
	Env       map[string]loose `key:"env" names:"variable" doc:"Environment variables for it."`
	CWD       path             `key:"cwd" doc:"The folder it runs in; relative to this file."`
	Dir       path             `key:"dir" doc:"The same as cwd."`
	URL       link             `key:"url" doc:"The address of a remote server."`
	Headers   map[string]loose `key:"headers" names:"header" doc:"HTTP headers for it, such as credentials."`
	OAuth     signIn           `key:"oauth" doc:"What the gateway is to the server's authorization server; without it, it registers itself. Sign in with durward upstream login."`
	Type      word             `key:"type" words:"stdio|http|sse|streamable-http|streamableHttp" doc:"The transport, as VS Code writes it."`
	Transport word             `key:"transport" words:"stdio|http|sse" doc:"The transport; derived from command or url when absent."`
	Era       word             `key:"era" words:"auto|legacy|modern" doc:"The protocol era; found out when auto."`
	Prefix    word             `key:"prefix" words:"always|none" doc:"Whether tools are listed as <upstream>__<tool>; none is for an upstream reached by its own endpoint."`
	Sharing   word             `key:"sharing" words:"auto|shared|principal|session" doc:"Who shares a session with the server."`
	Arguments word             `key:"arguments" words:"enforce|report|off" doc:"How arguments are checked against the tool's schema."`
	Record    word             `key:"record" words:"off|digest|redacted|full" doc:"What the audit log keeps of arguments."`
	Disabled  flag             `key:"disabled" doc:"Keep it out of use."`
	Limits    upstreamBounds   `key:"limits" doc:"How much all agents together may use of it."`

	FirstSight word  `key:"first_sight" words:"trust-first|quarantine|scan-then-trust" doc:"What happens to its definitions that are new; as guard.first_sight when absent."`
	Probe      every `key:"probe" doc:"How often it is asked as another client what it lists; as guard.probe when absent, off for never."`

	OpenAPI later `key:"openapi" doc:"Turning an OpenAPI description into tools is not available yet."`
	EnvFile later `key:"envFile" doc:"Files of variables are not read; use env with \"${file:path}\" values."`

	AutoApprove      clientOnly `key:"autoApprove" doc:"Roles decide what may be called."`
	AlwaysAllow      clientOnly `key:"alwaysAllow" doc:"Roles decide what may be called."`
	Trust            clientOnly `key:"trust" doc:"Roles decide what may be called."`
	Tools            clientOnly `key:"tools" doc:"Roles decide what may be called."`
	IncludeTools     clientOnly `key:"includeTools" doc:"Roles decide what may be called."`
	ExcludeTools     clientOnly `key:"excludeTools" doc:"Roles decide what may be called: use deny."`
	DisabledTools    clientOnly `key:"disabledTools" doc:"Roles decide what may be called: use deny."`
	AuthProviderType clientOnly `key:"authProviderType" doc:"Of Gemini; the gateway signs in with durward upstream login."`
	Description      clientOnly `key:"description" doc:"For people."`
	Gallery          clientOnly `key:"gallery" doc:"Of VS Code."`
	Version          clientOnly `key:"version" doc:"Of VS Code."`
	Dev              clientOnly `key:"dev" doc:"Of VS Code."`
	Sandbox          clientOnly `key:"sandbox" doc:"Of VS Code."`
	SandboxEnabled   clientOnly `key:"sandboxEnabled" doc:"Of VS Code."`
}

// signIn is how an upstream's authorization server knows the gateway. Clients
// write clientId and clientSecret.
type signIn struct {
	ClientID       text  `key:"client_id" doc:"Of a client that was registered there before."`
	ClientSecret   loose `key:"client_secret" doc:"Its secret; use ${env:NAME}."`
	ClientMetadata link  `key:"client_metadata" doc:"The https address of a client ID metadata document."`

	ID      text       `key:"clientId" doc:"The same as client_id, as clients write it."`
	Secret  loose      `key:"clientSecret" doc:"The same as client_secret, as clients write it."`
	Enabled clientOnly `key:"enabled" doc:"The gateway signs in where a server asks for it."`
	Scopes  clientOnly `key:"scopes" doc:"The server says which scopes it wants."`
	Port    clientOnly `key:"callbackPort" doc:"The browser comes back to the admin listener."`
	URI     clientOnly `key:"redirectUri" doc:"The browser comes back to the admin listener."`
	Dynamic clientOnly `key:"dynamicRegistration" doc:"The gateway registers itself unless it has a client_id."`
}

type upstream struct {
	server
	Timeout   duration `key:"timeout" doc:"The longest that one call may take."`
	Connect   duration `key:"connect_timeout" doc:"The longest that opening a session or process may take; a minute when absent."`
	FirstByte duration `key:"first_byte_timeout" doc:"The longest that the server may say nothing at all of a call; as long as timeout when absent."`
	Breaker   breaker  `key:"breaker" doc:"When the server, or one of its tools, is left alone because it fails."`
}

type breaker struct {
	Disabled flag     `key:"disabled" doc:"Never leave it alone."`
	Percent  count    `key:"percent" doc:"Of the calls in the window that failed, from which on it is left alone; 50 when absent."`
	Calls    count    `key:"calls" doc:"How many calls there must be in the window to tell; 20 when absent."`
	Window   duration `key:"window" doc:"The time that is looked at; 30s when absent."`
	Open     duration `key:"open" doc:"How long it is left alone before one call may try again; 5s when absent, and longer each time that fails."`
}

// clientServer is an entry under mcpServers or servers, taken as it is.
type clientServer struct {
	server
	Timeout   clientTimeout `key:"timeout" doc:"The longest that one call may take; a number without a unit means different things to different clients and is ignored."`
	HTTPURL   link          `key:"httpUrl" doc:"The address of a remote server, as Gemini writes it."`
	ServerURL link          `key:"serverUrl" doc:"The address of a remote server, as Windsurf writes it."`
}

type agent struct {
	Key       secrets `key:"key" doc:"One key or several, 24 visible characters or more; without one, mint it with durward agent rotate."`
	Roles     []name  `key:"roles" doc:"The roles whose rules apply; none allows nothing."`
	Owner     name    `key:"owner" doc:"The operator who answers for the agent; for four eyes that one may not approve its calls."`
	Anonymous flag    `key:"anonymous" doc:"Who calls without a credential is this agent."`
	Disabled  flag    `key:"disabled" doc:"Refuse all its calls."`
	Limits    bounds  `key:"limits" doc:"How much the agent may use."`
	Runaway   runaway `key:"runaway" doc:"How it is watched, where that differs from the others."`
	Compat    word    `key:"compat" words:"strict|tolerant" doc:"Whether mistakes of its client in the protocol are overlooked where they leave no doubt of what is meant."`
}

type role struct {
	Allow []pattern `key:"allow" doc:"Patterns of <upstream>__<name> that may be called; * stands for any characters."`
	Hold  []pattern `key:"hold" doc:"Patterns that may be called once a person has approved the call; hold wins over allow."`
	Deny  []pattern `key:"deny" doc:"Patterns that may not be called; deny wins."`

	Limits bounds `key:"limits" doc:"How much each agent with the role may use, for itself."`
}

type guard struct {
	guardScope
	guardPins
	Arguments    word                     `key:"arguments" words:"enforce|report|off" doc:"How arguments are checked against the tool's schema; follows mode when absent."`
	Upstreams    map[string]guardUpstream `key:"upstreams" names:"upstream" doc:"What holds for calls to an upstream, by its alias."`
	Tools        map[string]guardUpstream `key:"tools" names:"pattern" doc:"What holds for operations, by pattern of <upstream>__<name>; the most specific pattern counts."`
	Agents       map[string]guardScope    `key:"agents" names:"agent" doc:"What holds for calls of an agent, by its name."`
	Spotlight    word                     `key:"spotlight" words:"off|untrusted|all" doc:"Whose texts are put between marks that tell the model that they are data. Results change."`
	Honeytokens  baits                    `key:"honeytokens" doc:"Planted values that nobody has a reason to use, 12 visible characters or more: a call that holds one is blocked."`
	Conversation text                     `key:"conversation" doc:"The member of _meta by which calls of the stateless revision belong together; without it all of an agent's do."`
	Idle         duration                 `key:"idle" doc:"How long it is remembered what a conversation has seen, after its last call."`
	Egress       size                     `key:"egress" doc:"How much a conversation that has seen private data may send to one upstream."`
	Quarantine   duration                 `key:"quarantine" doc:"How long a reply that was withheld is kept for the operator."`
	Classifier   classifier               `key:"classifier" doc:"A classifier of texts behind an HTTP address, asked about what the detectors are not sure of."`
}

// guardScope is what can be said for everything and for a part.
type guardScope struct {
	Mode    word                 `key:"mode" words:"off|observe|flag|redact|hold|block" doc:"The strictest that findings may do; each does what its rule says up to this. observe only counts, off inspects nothing."`
	Rules   map[string]guardMode `key:"rules" names:"rule" doc:"What a finding of a rule does; durward guard rules lists them."`
	Vectors map[string]guardMode `key:"vectors" names:"vector" doc:"What findings of a threat do: tool_poisoning, injection, exfiltration, secrets, arguments, ..."`
}

// guardUpstream says besides what upstreams and tools are.
type guardUpstream struct {
	guardScope
	Trust   word      `key:"trust" words:"trusted|untrusted" doc:"Whether strangers may have written what it returns; guessed from names when absent."`
	Data    word      `key:"data" words:"public|internal|personal|secret" doc:"What it returns; guessed from names and contents when absent."`
	Effect  word      `key:"effect" words:"reads|writes|sends|irreversible" doc:"What a call does; guessed from names when absent. sends carries its arguments to others."`
	To      []pattern `key:"to" doc:"Patterns of addresses and hosts that may be sent to, such as *@example.com."`
	Restore flag      `key:"restore" doc:"Put a secret that came from this upstream back in the place of its token in calls to it."`
}

type classifier struct {
	URL      link             `key:"url" doc:"Where texts are posted as {text, carrier, upstream, tool, score}; the answer is {score} from 0 to 1."`
	Headers  map[string]loose `key:"headers" names:"header" doc:"HTTP headers for it, such as credentials."`
	Timeout  duration         `key:"timeout" doc:"The longest that it may take."`
	Fail     word             `key:"fail" words:"pass|hold|block" doc:"What happens when it does not answer; pass leaves it to the detectors."`
	Carriers []carrier        `key:"carriers" doc:"What it is asked about: results, prompts, resources, asks, and definitions, each when it is new; all when absent."`
	From     count            `key:"from" doc:"It is asked about messages from this probability of an attack on, in percent."`
	To       count            `key:"to" doc:"It is asked up to this probability of an attack, in percent."`
}

type record struct {
	Arguments word `key:"arguments" words:"off|digest|redacted|full" doc:"What is kept of arguments."`
	Reads     word `key:"reads" words:"batched|durable" doc:"Whether the record of a read is durable before the reply is given."`
	Mode      word `key:"mode" words:"must|durable|batched" doc:"What a call that may change something waits for: must has an intent on disk before the call and the record before the reply, durable the record before the reply, batched nothing."`

	Results  word         `key:"results" words:"off|digest|redacted|full" doc:"What is kept of results."`
	Evidence word         `key:"evidence" words:"off|shape|text" doc:"What is kept of what findings quote: nothing, its length and digest, or the words themselves, unsealed."`
	Rules    []recordRule `key:"rules" doc:"What is kept of the calls of some tools; the first rule that matches a call decides."`
}

type limits struct {
	Body          size     `key:"body" doc:"The largest request body, such as 4MiB."`
	Headers       size     `key:"headers" doc:"The largest request header."`
	HeaderTimeout duration `key:"header_timeout" doc:"The longest that a request's header may take to arrive."`
	BodyTimeout   duration `key:"body_timeout" doc:"The longest that a request's body may take to arrive."`
	IdleTimeout   duration `key:"idle_timeout" doc:"How long an idle connection is kept."`
	DrainTimeout  duration `key:"drain_timeout" doc:"How long calls may go on at shutdown."`
	Sessions      count    `key:"sessions" doc:"Live sessions of one agent."`
	SessionIdle   duration `key:"session_idle" doc:"A session that is unused for so long ends."`

	Memory size `key:"memory" doc:"How much memory the gateway may use; as GOMEMLIMIT or the container says when absent. When three quarters of it are in use, new calls are refused."`

	Rules  []limitRule     `key:"rules" doc:"Limits of calls, bytes and cost, and what they are counted by."`
	Prices map[string]cost `key:"prices" names:"pattern" doc:"What a call costs, by pattern of <upstream>__<name>; the most specific pattern counts, and what none matches costs 1."`
	Zone   zone            `key:"zone" doc:"The time zone in which days and months begin; UTC when absent."`
}

type logging struct {
	Level  word `key:"level" words:"debug|info|warn|error" doc:"The least level that is logged."`
	Format word `key:"format" words:"text|json" doc:"One line of text or of JSON for each event."`
}

// defaults is what holds for what a file does not say.
func defaults() file {
	return file{
		Listen: "127.0.0.1:8080",
		Admin:  admin{Listen: "127.0.0.1:8081"},
		Data:   "./durward-data",
		Guard: guard{
			guardScope: guardScope{Mode: "block"}, guardPins: pinDefaults(), Spotlight: "off",
			Idle: duration(1800 * second), Quarantine: duration(24 * 3600 * second),
		},
		Once: onceRules{Mode: "broken", Window: duration(120 * second), KeyWindow: duration(3600 * second)},
		Approvals: approvals{
			terms: terms{Need: 1}, Expire: duration(15 * 60 * second), Wait: duration(25 * second), Patience: duration(5 * 60 * second),
			PerAgent: 32, Most: 1024,
		},
		Record: record{Arguments: "digest", Reads: "batched", Mode: "durable", Results: "off", Evidence: "shape"},
		Limits: limits{
			Body:          4 << 20,
			Headers:       64 << 10,
			HeaderTimeout: duration(10 * second),
			BodyTimeout:   duration(60 * second),
			IdleTimeout:   duration(120 * second),
			DrainTimeout:  duration(30 * second),
			Sessions:      20_000,
			SessionIdle:   duration(12 * 3600 * second),
		},
		Runaway: runaway{
			Mode: "record", Window: duration(60 * second), SameCall: 30, Errors: 15, PingPong: 20, FanOut: 50,
			Novel: duration(4 * 3600 * second), Slow: duration(5 * second),
		},
		Log: logging{Level: "info", Format: "text"},
	}
}
