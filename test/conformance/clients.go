package conformance

import "slices"

// The scenarios that a revision requires of a client, frozen like those of a
// server (conformance list --client --requirements REVISION).
var (
	// what both revisions require of signing in
	signingIn = []string{
		"auth/metadata-default",
		"auth/metadata-var1",
		"auth/metadata-var2",
		"auth/metadata-var3",
		"auth/basic-cimd",
		"auth/scope-from-www-authenticate",
		"auth/scope-from-scopes-supported",
		"auth/scope-omitted-when-undefined",
		"auth/scope-step-up",
		"auth/scope-retry-limit",
		"auth/token-endpoint-auth-basic",
		"auth/token-endpoint-auth-post",
		"auth/token-endpoint-auth-none",
		"auth/pre-registration",
	}
	modernClient = suite{revision: "2026-07-28", by: "--requirements", required: slices.Concat(signingIn, []string{
		"tools_call",
		"request-metadata",
		"auth/resource-mismatch",
		"auth/offline-access-scope",
		"auth/offline-access-not-supported",
		"auth/authorization-server-migration",
		"auth/iss-supported",
		"auth/iss-not-advertised",
		"auth/iss-supported-missing",
		"auth/iss-wrong-issuer",
		"auth/iss-unexpected",
		"auth/iss-normalized",
		"auth/metadata-issuer-mismatch",
		"sep-2322-client-request-state",
		"http-standard-headers",
		"http-custom-headers",
		"http-invalid-tool-headers",
		"json-schema-ref-no-deref",
	}), skips: []string{"http-standard-headers"}} // initialize, which it does not have
	legacyClient = suite{revision: "2025-11-25", by: "--requirements", required: slices.Concat(signingIn, []string{
		"initialize",
		"tools_call",
		"elicitation-sep1034-client-defaults",
		"sse-retry",
	})}
)
