package dlp_test

import (
	"fmt"
	"testing"

	"durward/internal/guard/dlp"
)

// placements are where a value stands that only its name tells.
var placements = []string{`{"%s":"%s"}`, "%s=%s", "%s: %s\n", "<%s>%s</x>", "GET /list?%s=%s&max=10"}

const generated = "CiAKGjBpNDd2Nmp2Zml2cXRwb2I2Nms4cmo"

// A token that only leads on, or is a handle of a thing, has to come back as it
// is: who cuts it breaks the next call.
func TestWhatLeadsOnIsLeft(t *testing.T) {
	for _, name := range []string{
		"page_token", "pageToken", "next_page_token", "nextPageToken", "NextToken", "nextpagetoken", "previousPageToken", "startPageToken", "newStartPageToken",
		"messagesNextPageToken", "page-token", "NEXT_PAGE_TOKEN", "sync_token", "nextSyncToken", "calendar_sync_token", "sync-token", "continuation_token",
		"ContinuationToken", "NextContinuationToken", "continuationtoken", "resume_token", "resumptionToken", "deltaToken", "$skiptoken", "skipToken", "scroll_token",
		"changeToken", "paginationToken", "starting_token", "StartingToken", "cursor_token",
		"upload_token", "uploadToken", "UploadToken", "file_upload_token", "document_token", "documentToken", "doc_token", "parent_node_token", "obj_token", "folder_token", "spreadsheetToken", "wiki_node_token", "media_upload_token",
	} {
		for _, form := range placements {
			if finds, _ := dlp.Look(nil, fmt.Appendf(nil, form, name, generated)); len(finds) > 0 {
				t.Errorf(form+": %+v", name, generated, finds)
			}
		}
	}
	for _, s := range []string{"The next page token is " + generated + ".", "Sync token: " + generated, "Use the continuation token " + generated + " to go on."} {
		if finds, _ := dlp.Look(nil, []byte(s)); len(finds) > 0 {
			t.Errorf("%s: %+v", s, finds)
		}
	}
}

// A credential does not pass because its name has such a word in it.
func TestCredentialsThatSoundLikeThatAreFound(t *testing.T) {
	for _, name := range []string{
		"token", "api_token", "access_token", "id_token", "bot_token", "user_token", "refresh_token", "github_token", "session_token",
		"page_access_token", "pageAccessToken", "facebook_page_token", "PAGERDUTY_TOKEN", "PAGERDUTY_API_TOKEN", "NEXT_PUBLIC_API_TOKEN", "NEXT_PUBLIC_MAPBOX_TOKEN",
		"next_auth_secret", "page_password", "sync_password", "sync_api_key", "SYNCTHING_API_KEY", "async_token", "GITHUB_SYNC_TOKEN", "nextcloud_app_password", "resume_api_key",
		"UPLOAD_TOKEN", "CODECOV_UPLOAD_TOKEN", "codecov_upload_token", "upload_api_token", "upload_secret", "document_password", "profile_token", "documentdb_token", "file_access_token", "uploader_token",
		"node_token", "node-token", "nodeToken", "video_token", "mediaToken", "image_token", "object_token", "file_token",
		"PAGE_TOKEN", "SYNC_TOKEN", "CURSOR_TOKEN", "gitlab_sync_token", "github_sync_token", "slack_sync_token", "notion_page_token",
	} {
		for _, form := range placements {
			if finds, _ := dlp.Look(nil, fmt.Appendf(nil, form, name, generated)); len(finds) == 0 {
				t.Errorf(form+" is not found", name, generated)
			}
		}
	}
	github := "ghp_" + "Zk3v9Qw8Er7Ty6Ui5Op4As3Df2Gh1Jk0Lz9X"
	for _, s := range []string{
		"The access token is " + generated, "Facebook page token: " + generated, "Upload token: " + generated,
		`{"upload_token":"` + github + `"}`, `{"next_page_token":"` + github + `"}`, `{"document_token":"-----BEGIN PRIVATE KEY-----MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7-----END PRIVATE KEY-----"}`,
	} {
		if finds, _ := dlp.Look(nil, []byte(s)); len(finds) == 0 {
			t.Errorf("%s is not found", s)
		}
	}
}
