package durward_test

import (
	"errors"
	"testing"

	"durward"
)

func TestAnErrorWithItsCauseIsOneSentence(t *testing.T) {
	e := &durward.Error{Message: "The upstream x cannot be reached.", Err: errors.New("dial tcp: refused")}
	if got, want := e.Error(), "The upstream x cannot be reached: dial tcp: refused"; got != want {
		t.Errorf("Error() = %q, want %q", got, want)
	}
}
