package mcpwire

// ExtensionTasks is the extension of MCP 2026-07-28 by which a server answers a
// call with a task.
const ExtensionTasks = "io.modelcontextprotocol/tasks"

// How a tool of 2025-11-25 runs as a task.
const (
	TaskRequired = "required"
	TaskOptional = "optional"
)

// TaskSupport tells how a tool of 2025-11-25 runs as a task; "" for never.
func TaskSupport(tool []byte) string {
	support, _ := Path(tool, "execution", "taskSupport")
	switch {
	case IsText(support, TaskRequired):
		return TaskRequired
	case IsText(support, TaskOptional):
		return TaskOptional
	}
	return ""
}

// ServesTasks reports whether a server of 2025-11-25 that declared these
// capabilities runs tool calls as tasks.
func ServesTasks(capabilities []byte) bool {
	_, ok := Path(capabilities, "tasks", "requests", "tools", "call")
	return ok
}

// ExtendsTasks reports whether either side of 2026-07-28 declared the tasks extension.
func ExtendsTasks(capabilities []byte) bool {
	_, ok := Path(capabilities, "extensions", ExtensionTasks)
	return ok
}

// ToTaskItem returns a tool of 2025-11-25 for a caller of a revision with
// sessions. Who can have tasks may choose, because a call that has to be one
// is made one on the way; to everybody else the tool is one like any other.
func ToTaskItem(revision string, served bool, tool []byte) []byte {
	execution, ok := Field(tool, "execution")
	switch {
	case !ok:
		return tool
	case !served || !Revision(revision).Tasks():
		return DropFields(tool, "execution")
	case TaskSupport(tool) == TaskRequired:
		return replaceField(tool, "execution", replaceField(execution, "taskSupport", Quote(TaskOptional)))
	}
	return tool
}

// TaskMember returns the task of a CreateTaskResult of 2025-11-25; nil when the
// result is none.
func TaskMember(result []byte) []byte {
	task, ok := Field(result, "task")
	if !ok || !IsObject(task) {
		return nil
	}
	if id, ok := FieldText(task, "taskId"); !ok || id == "" {
		return nil
	}
	return task
}

// SetTaskMember puts another id into the task of such a result.
func SetTaskMember(result []byte, id string) []byte {
	task, _ := Field(result, "task")
	return SetField(result, "task", SetField(task, "taskId", Quote(id)))
}

// RelatedTask puts another id in place of what _meta says of the task that a
// message belongs to (MCP 2025-11-25); "" drops it. An object that says nothing
// of a task is returned as it is.
func RelatedTask(object []byte, id string) []byte {
	meta, ok := Field(object, "_meta")
	if !ok || !IsObject(meta) {
		return object
	}
	related, ok := Field(meta, MetaRelatedTask)
	switch {
	case !ok:
		return object
	case id != "" && IsObject(related):
		return replaceField(object, "_meta", replaceField(meta, MetaRelatedTask, SetField(related, "taskId", Quote(id))))
	}
	if meta = DropFields(meta, MetaRelatedTask); emptyObject(meta) {
		return DropFields(object, "_meta")
	}
	return replaceField(object, "_meta", meta)
}
