//! The ways in which a method can be called from outside, and which of them a request takes.

use http::{HeaderMap, Method, Request, header};
use tonic::body::Body;
use transcode::Match;

/// How the caller of a method speaks.
pub(crate) enum Protocol {
    /// JSON over HTTP, by the contract's `google.api.http` rules.
    Rest(Match<'static>),
    /// The same over a WebSocket (RFC 6455): each text frame is one message.
    Socket {
        route: Match<'static>,
        /// Whether the route is that of a POST, whose first frame is the body.
        takes_body: bool,
    },
    /// gRPC over HTTP/2.
    Grpc,
    /// gRPC-Web, for browsers: trailers stand at the end of the body.
    GrpcWeb { text: bool },
    /// <https://connectrpc.com/docs/protocol>
    Connect(Connect),
}

/// What a request by the Connect protocol says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Connect {
    pub(crate) codec: Codec,
    pub(crate) kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Codec {
    Proto,
    Json,
}

/// How a Connect request carries its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The body is the message.
    Post,
    /// The query holds the message.
    Get,
    /// The body is a stream of enveloped messages.
    Stream,
}

impl Protocol {
    /// How a request to a method's gRPC path speaks; none if it cannot be told.
    pub(crate) fn of_call(request: &Request<Body>) -> Option<Self> {
        match *request.method() {
            Method::POST => Self::of_content(content_type(request.headers())),
            Method::GET => connect_get(request.uri().query()?),
            _ => None,
        }
    }

    fn of_content(content_type: &str) -> Option<Self> {
        let connect = |codec, kind| Some(Self::Connect(Connect { codec, kind }));
        match content_type.to_ascii_lowercase().as_str() {
            "application/grpc" | "application/grpc+proto" => Some(Self::Grpc),
            "application/grpc-web" | "application/grpc-web+proto" => {
                Some(Self::GrpcWeb { text: false })
            }
            "application/grpc-web-text" | "application/grpc-web-text+proto" => {
                Some(Self::GrpcWeb { text: true })
            }
            "application/proto" => connect(Codec::Proto, Kind::Post),
            "application/json" => connect(Codec::Json, Kind::Post),
            "application/connect+proto" => connect(Codec::Proto, Kind::Stream),
            "application/connect+json" => connect(Codec::Json, Kind::Stream),
            _ => None,
        }
    }

    /// The route of a request that took one.
    pub(crate) fn route(&self) -> Option<&Match<'static>> {
        match self {
            Self::Rest(route) | Self::Socket { route, .. } => Some(route),
            _ => None,
        }
    }
}

impl Codec {
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Proto => "application/proto",
            Self::Json => "application/json",
        }
    }

    pub(crate) fn stream_content_type(self) -> &'static str {
        match self {
            Self::Proto => "application/connect+proto",
            Self::Json => "application/connect+json",
        }
    }
}

/// Whether a request asks to go on as a WebSocket (RFC 6455 section 4.1).
pub(crate) fn wants_socket(request: &Request<Body>) -> bool {
    let lists = |name, token: &str| {
        let values = request.headers().get_all(name).iter().filter_map(|it| it.to_str().ok());
        values.flat_map(|it| it.split(',')).any(|it| it.trim().eq_ignore_ascii_case(token))
    };
    *request.method() == Method::GET
        && lists(header::CONNECTION, "upgrade")
        && lists(header::UPGRADE, "websocket")
}

/// The type of a body without its parameters.
fn content_type(headers: &HeaderMap) -> &str {
    let value = headers.get(header::CONTENT_TYPE).and_then(|it| it.to_str().ok());
    value.and_then(|it| it.split(';').next()).unwrap_or_default().trim()
}

/// A Connect request by GET says so in its query, and how its message is encoded.
fn connect_get(query: &str) -> Option<Protocol> {
    let value = |name: &str| {
        let mut pairs = form_urlencoded::parse(query.as_bytes());
        pairs.find(|(it, _)| it == name).map(|(_, value)| value)
    };
    let codec = match (value("connect").as_deref(), value("encoding")?.as_ref()) {
        (Some("v1"), "proto") => Codec::Proto,
        (Some("v1"), "json") => Codec::Json,
        _ => return None,
    };
    Some(Protocol::Connect(Connect { codec, kind: Kind::Get }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(request: http::request::Builder) -> &'static str {
        match Protocol::of_call(&request.body(Body::empty()).unwrap()) {
            Some(Protocol::Grpc) => "grpc",
            Some(Protocol::GrpcWeb { text: false }) => "grpc-web",
            Some(Protocol::GrpcWeb { text: true }) => "grpc-web-text",
            Some(Protocol::Connect(Connect { kind: Kind::Post, .. })) => "connect",
            Some(Protocol::Connect(Connect { kind: Kind::Get, .. })) => "connect get",
            Some(Protocol::Connect(Connect { kind: Kind::Stream, .. })) => "connect stream",
            _ => "none",
        }
    }

    #[test]
    fn the_content_type_tells_the_protocol() {
        for (content_type, expected) in [
            ("application/grpc", "grpc"),
            ("application/grpc+proto", "grpc"),
            ("application/grpc+json", "none"),
            ("application/grpc-web+proto", "grpc-web"),
            ("application/grpc-web-text", "grpc-web-text"),
            ("Application/JSON; charset=utf-8", "connect"),
            ("application/connect+json", "connect stream"),
            ("text/plain", "none"),
        ] {
            let request = Request::post("/a.B/C").header("content-type", content_type);
            assert_eq!(name(request), expected, "{content_type}");
        }
    }

    #[test]
    fn a_connect_get_says_so_in_its_query() {
        assert_eq!(
            name(Request::get("/a.B/C?connect=v1&encoding=json&message=%7B%7D")),
            "connect get"
        );
        assert_eq!(name(Request::get("/a.B/C?encoding=json&message=%7B%7D")), "none");
        assert_eq!(name(Request::get("/a.B/C")), "none");
        assert_eq!(name(Request::put("/a.B/C").header("content-type", "application/grpc")), "none");
    }

    #[test]
    fn a_socket_is_asked_for_by_two_headers() {
        let asks = |connection: &str, upgrade: &str| {
            let request = Request::get("/").header("connection", connection);
            wants_socket(&request.header("upgrade", upgrade).body(Body::empty()).unwrap())
        };
        assert!(asks("keep-alive, Upgrade", "WebSocket"));
        assert!(!asks("keep-alive", "websocket"));
        assert!(!asks("upgrade", "h2c"));
    }
}
