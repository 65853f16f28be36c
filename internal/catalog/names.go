package catalog

// separator stands between alias and name. Nothing ever splits on it: the way
// back is a table.
const separator = "__"

// policyName is what rules match, whatever the agent gets to see.
func policyName(alias, name string) string { return alias + separator + name }
