package durward

// OAuth is what the gateway is to the authorization server of an upstream. The
// zero value is nothing yet: it registers itself (RFC 7591).
type OAuth struct {
	// ClientID and ClientSecret are those of a client that was registered before.
	ClientID     string `json:"client_id,omitempty"`
	ClientSecret string `json:"client_secret,omitempty"`
	// ClientMetadata is the https URL of a client ID metadata document.
	ClientMetadata string `json:"client_metadata,omitempty"`
}

// SignIn is how signing in at an upstream stands.
type SignIn struct {
	Upstream string `json:"upstream"`
	// URL is where a person's browser shall go; empty when it need not (yet).
	URL string `json:"url,omitempty"`
	// Busy tells that the sign-in is not over.
	Busy bool `json:"busy"`
	// State is that of the upstream, as in its status.
	State string `json:"state,omitempty"`
	// Error is how the last one failed.
	Error string `json:"error,omitempty"`
}
