package mcpwire

// Requests of the agent.
const (
	MethodInitialize    = "initialize"
	MethodDiscover      = "server/discover"
	MethodPing          = "ping"
	MethodToolsList     = "tools/list"
	MethodToolsCall     = "tools/call"
	MethodResourcesList = "resources/list"
	MethodTemplatesList = "resources/templates/list"
	MethodResourcesRead = "resources/read"
	MethodSubscribe     = "resources/subscribe"
	MethodUnsubscribe   = "resources/unsubscribe"
	MethodPromptsList   = "prompts/list"
	MethodPromptsGet    = "prompts/get"
	MethodComplete      = "completion/complete"
	MethodSetLevel      = "logging/setLevel"
	MethodListen        = "subscriptions/listen"
	MethodTasksGet      = "tasks/get"
	MethodTasksUpdate   = "tasks/update"
	MethodTasksCancel   = "tasks/cancel"
	MethodTasksResult   = "tasks/result" // of 2025-11-25, like the next
	MethodTasksList     = "tasks/list"
)

// Requests of the server (until 2025-11-25 on the wire, from 2026-07-28 on
// inside input_required results).
const (
	MethodElicit = "elicitation/create"
	MethodSample = "sampling/createMessage"
	MethodRoots  = "roots/list"
)

// Notifications.
const (
	NotifyInitialized         = "notifications/initialized"
	NotifyCancelled           = "notifications/cancelled"
	NotifyProgress            = "notifications/progress"
	NotifyMessage             = "notifications/message"
	NotifyToolsChanged        = "notifications/tools/list_changed"
	NotifyResourcesChanged    = "notifications/resources/list_changed"
	NotifyPromptsChanged      = "notifications/prompts/list_changed"
	NotifyResourceUpdated     = "notifications/resources/updated"
	NotifyRootsChanged        = "notifications/roots/list_changed"
	NotifyElicitationComplete = "notifications/elicitation/complete"
	NotifyAcknowledged        = "notifications/subscriptions/acknowledged"
	NotifyTasksStatus         = "notifications/tasks/status"
	NotifyTasks               = "notifications/tasks"
)

// Cacheable reports whether the results of a method carry ttlMs and
// cacheScope (MCP 2026-07-28, CacheableResult).
func Cacheable(method string) bool {
	switch method {
	case MethodDiscover, MethodToolsList, MethodResourcesList, MethodTemplatesList, MethodPromptsList, MethodResourcesRead:
		return true
	}
	return false
}

// NameOf tells which member of params the Mcp-Name header of a method mirrors:
// "name", "uri", "taskId", or "" when the method has no such header.
func NameOf(method string) string {
	switch method {
	case MethodToolsCall, MethodPromptsGet:
		return "name"
	case MethodResourcesRead:
		return "uri"
	case MethodTasksGet, MethodTasksUpdate, MethodTasksCancel:
		return "taskId"
	}
	return ""
}

// ListField tells which member of a list result holds the items of a method,
// "" when it is no list.
func ListField(method string) string {
	switch method {
	case MethodToolsList:
		return "tools"
	case MethodResourcesList:
		return "resources"
	case MethodTemplatesList:
		return "resourceTemplates"
	case MethodPromptsList:
		return "prompts"
	}
	return ""
}
