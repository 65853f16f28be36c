package oauth

import "testing"

// A public upstream leads to no address that only we reach.
func TestPublicOnly(t *testing.T) {
	for address, ok := range map[string]bool{
		"93.184.215.14:443": true, "[2606:2800:21f:cb07:6820:80da:af6b:8b2c]:443": true,
		"127.0.0.1:80": false, "10.1.2.3:443": false, "192.168.0.1:443": false, "169.254.169.254:80": false, "100.64.0.1:80": false,
		"[::1]:443": false, "[fd00::1]:443": false, "[::ffff:10.0.0.1]:443": false, "0.0.0.0:80": false, "224.0.0.1:80": false, "nonsense": false,
	} {
		if err := publicOnly("tcp", address, nil); (err == nil) != ok {
			t.Errorf("publicOnly(%s) = %v", address, err)
		}
	}
	for host, want := range map[string]bool{
		"localhost": true, "crm": true, "crm.internal": true, "CRM.Local.": true, "10.0.0.1": true, "::1": true, "crm.example": false, "8.8.8.8": false,
	} {
		if got := private(host); got != want {
			t.Errorf("private(%s) = %v", host, got)
		}
	}
}
