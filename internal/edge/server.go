package edge

import (
	"cmp"
	"context"
	"durward"
	"durward/internal/httpwire"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"strings"
)

// Options describe the data listener; zero values take the defaults of httpwire.
type Options struct {
	// Names are the host names under which agents reach us beside loopback ones.
	Names []string
	// Origins are the web origins whose pages may call, as https://app.example.
	// Pages of Names, and of this machine when we listen on loopback, may as well;
	// while Anonymous, only those that the gateway itself could serve.
	Origins []string
	// Anonymous reports whether callers without a credential are served at the
	// moment; nil says that they never are.
	Anonymous func() bool
	// Instance is the id of this process in the Durward-Via header; "" for none.
	Instance string
	Body     httpwire.BodyOptions
	HTTP     httpwire.ServerOptions
	Log      *slog.Logger // nil is silent
}

// Request is an exchange that passed the checks of the edge.
type Request struct {
	*httpwire.Exchange
	Credential durward.Credential // zero when none was presented
	Name       string             // what {name} of the route's path stands for
	Via        string             // the gateways that it came through
}

// Route is a path and who answers it, whatever the method. A path may end in
// /{name}, which stands for one segment.
type Route struct {
	Path  string
	Serve func(*Request)
}

// Lane is a kind of traffic with its routes.
type Lane interface {
	Routes() []Route
	// Refused hears of a request to one of the routes that the edge refused, so
	// that there is a record of it. The answer is the edge's.
	Refused(x *httpwire.Exchange, e *durward.Error)
	// Drain ends what would never end by itself, such as streams. The server
	// calls it when it stops; calls under way go on.
	Drain()
	// Stop cancels the calls that are still under way, those too whose agent has
	// left. It comes after Drain.
	Stop()
}

// Server is the data listener. Make one with [New].
type Server struct {
	opts    Options
	from    sources
	routes  map[string]*served
	named   map[string]*served // by the path before /{name}
	lanes   []Lane
	http    *httpwire.Server
	handler http.Handler
}

// served is who answers at a path.
type served struct {
	lane  Lane
	serve func(*Request)
}

// New returns a server of lanes; nothing listens before Serve.
func New(o Options, lanes ...Lane) *Server {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	// One bound on writes: the engine sets it first, an exchange then renews it.
	o.HTTP.WriteTimeout = cmp.Or(o.HTTP.WriteTimeout, o.Body.WriteTimeout)
	o.Body.WriteTimeout = o.HTTP.WriteTimeout
	s := &Server{
		opts: o, from: newSources(o), lanes: lanes,
		routes: make(map[string]*served), named: make(map[string]*served),
	}
	for _, l := range lanes {
		for _, r := range l.Routes() {
			if before, ok := strings.CutSuffix(r.Path, "/{name}"); ok {
				s.named[before] = &served{l, r.Serve}
			} else {
				s.routes[r.Path] = &served{l, r.Serve}
			}
		}
	}
	s.handler = httpwire.Handler(o.Body, s.serve)
	s.http = httpwire.NewServer(s.handler, o.HTTP)
	return s
}

// Serve answers on l until Shutdown, and then returns nil. It closes l. It is
// called once.
func (s *Server) Serve(l net.Listener) error {
	s.from.loopback = onLoopback(l.Addr())
	_, s.from.port, _ = net.SplitHostPort(l.Addr().String()) // without a port nothing is its own
	return s.http.Serve(l)
}

// Shutdown stops listening, ends the streams and waits for the calls under
// way. When ctx ends first it cancels them and returns ctx's error.
func (s *Server) Shutdown(ctx context.Context) error {
	for _, l := range s.lanes {
		l.Drain()
		defer context.AfterFunc(ctx, l.Stop)()
		defer l.Stop()
	}
	return s.http.Shutdown(ctx)
}

// Handler serves what Serve serves, for listeners of somebody else.
func (s *Server) Handler() http.Handler { return s.handler }

// Conns returns how many connections are open.
func (s *Server) Conns() int { return s.http.Conns() }

func (s *Server) serve(x *httpwire.Exchange) {
	defer s.survive(x)
	route, name := s.route(x.Path())
	origin, err := s.from.check(x)
	if err != nil {
		refuse(x, route, durward.Credential{}, err)
		return
	}
	if origin != "" {
		grant(x, origin)
	}
	if route == nil {
		notFound(x)
		return
	}
	if x.Method() == http.MethodOptions {
		preflight(x, origin)
		return
	}
	c, err := credentialOf(x)
	if err != nil {
		refuse(x, route, durward.NewCredential(x.Get("Authorization")), err)
		return
	}
	via, err := s.viaOf(x)
	if err != nil {
		refuse(x, route, c, err)
		return
	}
	route.serve(&Request{Exchange: x, Credential: c, Name: name, Via: via})
}

// refuse answers with an error and lets the lane know.
func refuse(x *httpwire.Exchange, route *served, presented durward.Credential, err error) {
	if route != nil {
		route.lane.Refused(x, durward.AsError(err))
	}
	Refuse(x, presented, err)
}

// route finds who serves a path. A slash at its end, which many write, says
// nothing.
func (s *Server) route(path string) (route *served, name string) {
	path = strings.TrimSuffix(path, "/")
	if r := s.routes[path]; r != nil {
		return r, ""
	}
	i := strings.LastIndexByte(path, '/')
	if i < 0 || i+1 == len(path) {
		return nil, ""
	}
	return s.named[path[:i]], path[i+1:]
}

// notFound answers for every path that is not ours. Clients probe discovery
// documents (/.well-known/...) and POST /register before they ask for anything:
// a fast and plain 404 sends them on.
func notFound(x *httpwire.Exchange) {
	sendProblem(x, http.StatusNotFound, "Nothing is served at this path; agents speak MCP at /mcp.", durward.ReasonEndpointUnknown)
}

// survive keeps a bug of ours from ending more than one request.
func (s *Server) survive(x *httpwire.Exchange) {
	bug := recover()
	if bug == nil {
		return
	}
	s.opts.Log.Error("request handler panicked", "panic", bug, "stack", string(debug.Stack()))
	if x.Sent() {
		panic(http.ErrAbortHandler) // what was promised cannot be kept: cut the connection
	}
	Refuse(x, durward.Credential{}, &durward.Error{
		Code: durward.Internal, Reason: durward.ReasonInternal,
		Message: "The gateway failed to handle the request; its log says why.",
	})
}
