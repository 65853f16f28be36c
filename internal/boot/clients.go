package boot

import (
	"fmt"
	"os"

	"durward"
	"durward/internal/inventory"
)

// What the CLI says about clients, in the words of inventory.
type (
	// Found is what client configurations declare.
	Found = inventory.Result
	// Connection is what a client needs to know of a gateway.
	Connection = inventory.Connection
	// Recipe is the way to connect one client.
	Recipe = inventory.Recipe
)

// FindClients looks for client configurations in the person's home folder and
// in a project folder (empty for none). Self are the addresses of our listeners.
func FindClients(project string, self []string) (Found, error) {
	o, err := lookFrom(project, self)
	if err != nil {
		return Found{}, err
	}
	return inventory.Find(o), nil
}

// ReadClients reads the named client configurations.
func ReadClients(paths, self []string) (Found, error) {
	o, err := lookFrom("", self)
	if err != nil {
		return Found{}, err
	}
	var all []Found
	for _, p := range paths {
		r, err := inventory.Read(p, o)
		if err != nil {
			return Found{}, err
		}
		all = append(all, r)
	}
	return inventory.Merge(o, all...), nil
}

func lookFrom(project string, self []string) (inventory.Options, error) {
	home, err := os.UserHomeDir()
	if err != nil {
		return inventory.Options{}, fmt.Errorf("find the home folder: %w", err)
	}
	return inventory.Options{Home: home, Dir: project, Env: os.LookupEnv, Self: self}, nil
}

// DescribeUpstream says on one line what an upstream is, without its secrets.
func DescribeUpstream(u durward.Upstream) string { return inventory.Describe(u) }

// ConnectClient returns the exact lines that connect a client.
func ConnectClient(client string, c Connection) (Recipe, error) {
	return inventory.NewRecipe(client, c)
}

// ConnectableClients lists what ConnectClient takes.
func ConnectableClients() []string {
	var all []string
	for _, c := range inventory.Recipes() {
		all = append(all, string(c))
	}
	return all
}
